//! Whether the bytes of a message follow its layout: a check before they are decoded.
//!
//! Decoders of messages reserve memory by the counts that they read, so a wrong count could ask for more
//! than there is and end the process. [`check`] walks the bytes first, without allocating: every element
//! that is counted must be there, and there is a limit on elements in all. What passes is decoded in
//! memory proportional to its bytes.
//!
//! A layout is a constant table of [`Field`]s in wire order, with the versions that have them:
//!
//! ```
//! use crossdock_wire::shape::{Encoding, Field, INT32, ShapeError, TEXT, check_whole, structs, values};
//!
//! const TOPICS: &[Field] = &[structs(&[TEXT, values(&INT32)]), INT32.since(2)];
//! let encoding = Encoding { version: 1, is_flexible: false };
//! assert_eq!(check_whole(TOPICS, &[0, 0, 0, 0], encoding, 1_000), Ok(()));
//! let counted = [0x7f, 0xff, 0xff, 0xff];
//! assert_eq!(check_whole(TOPICS, &counted, encoding, 1_000), Err(ShapeError::Truncated));
//! ```
//!
//! The tables belong to those who read the messages. A tagged field that the decoder knows must be in its
//! table ([`tag`]): otherwise a wrong length would let the decoder read on where this walk did not.

use crate::WireError;
use crate::varint::read_unsigned_varint;

#[cfg(test)]
mod tests;

/// Structs, arrays and tagged fields within one another at most; Kafka's messages have at most six.
const MAX_DEPTH: usize = 16;

/// A field of a message, as far as its length matters, and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fixed(usize),
    Text,
    Blob,
    One(&'static [Field]),
    Optional(&'static [Field]),
    Structs(&'static [Field]),
    Values(&'static Field),
    Tagged(u32, &'static Field),
}

/// A boolean: one byte.
pub const BOOL: Field = Field::new(Kind::Fixed(1));
/// An 8-bit number.
pub const INT8: Field = Field::new(Kind::Fixed(1));
/// A 16-bit number.
pub const INT16: Field = Field::new(Kind::Fixed(2));
/// A 32-bit number.
pub const INT32: Field = Field::new(Kind::Fixed(4));
/// A 64-bit number.
pub const INT64: Field = Field::new(Kind::Fixed(8));
/// A UUID: 16 bytes.
pub const UUID: Field = Field::new(Kind::Fixed(16));
/// A string. Null passes: whether it may be null is the decoder's business.
pub const TEXT: Field = Field::new(Kind::Text);
/// Bytes or records. Null passes.
pub const BLOB: Field = Field::new(Kind::Blob);

/// A struct by itself, which cannot be null.
pub const fn one(fields: &'static [Field]) -> Field {
    Field::new(Kind::One(fields))
}

/// A struct that may be null: a byte below 0 for null, else one that is followed by the struct.
pub const fn optional(fields: &'static [Field]) -> Field {
    Field::new(Kind::Optional(fields))
}

/// An array of structs. Null passes.
pub const fn structs(fields: &'static [Field]) -> Field {
    Field::new(Kind::Structs(fields))
}

/// An array of plain values. Null passes.
pub const fn values(field: &'static Field) -> Field {
    Field::new(Kind::Values(field))
}

/// A tagged field, by its number (KIP-482). It may stand anywhere among the fields of its struct.
pub const fn tag(number: u32, field: &'static Field) -> Field {
    Field::new(Kind::Tagged(number, field))
}

impl Field {
    const fn new(kind: Kind) -> Self {
        Self { kind, since: 0, until: i16::MAX }
    }

    /// The first version that has the field; without it, the first of the message or of the struct.
    pub const fn since(self, since: i16) -> Self {
        Self { since, ..self }
    }

    /// The last version that has the field.
    pub const fn until(self, until: i16) -> Self {
        Self { until, ..self }
    }

    fn is_in(&self, version: i16) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

/// How a message is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The version of the message.
    pub version: i16,
    /// Whether that version has compact lengths and tagged fields (KIP-482).
    pub is_flexible: bool,
}

/// Bytes that are not of their message's shape. The texts continue "the request cannot be read: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// They end inside a field, or a count is larger than what follows it.
    #[error("it ends inside a field, or a count is larger than what follows it")]
    Truncated,
    /// A length or count below -1 or past 32 bits.
    #[error("a length or count is invalid")]
    BadLength,
    /// A tagged field announces another length than its content has.
    #[error("tagged field {number} has another length than its content")]
    TagLength {
        /// The number of the field.
        number: u32,
    },
    /// More follows the message.
    #[error("{bytes} bytes follow its last field")]
    Trailing {
        /// How much.
        bytes: usize,
    },
    /// Its arrays have more elements together than the caller takes.
    #[error("it has more than {limit} elements")]
    TooManyElements {
        /// The caller's limit.
        limit: usize,
    },
    /// The layout nests deeper than any message of Kafka: whoever wrote the table erred.
    #[error("its layout has more than {MAX_DEPTH} levels; this is a mistake of the program that reads it")]
    TooDeep,
}

/// Checks the message at the front of `bytes` and returns the bytes that follow it.
///
/// `max_elements` bounds the elements of all arrays together, since an element of one byte may take
/// hundreds once it is decoded. Takes time linear in the bytes and no memory.
pub fn check<'a>(
    layout: &[Field],
    bytes: &'a [u8],
    encoding: Encoding,
    max_elements: usize,
) -> Result<&'a [u8], ShapeError> {
    let mut walk = Walk::new(bytes, encoding, max_elements);
    walk.fields(layout)?;
    Ok(walk.rest)
}

/// As [`check`], for bytes that are one message to the last of them.
pub fn check_whole(
    layout: &[Field],
    bytes: &[u8],
    encoding: Encoding,
    max_elements: usize,
) -> Result<(), ShapeError> {
    match check(layout, bytes, encoding, max_elements)?.len() {
        0 => Ok(()),
        bytes => Err(ShapeError::Trailing { bytes }),
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    encoding: Encoding,
    max_elements: usize,
    elements: usize,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], encoding: Encoding, max_elements: usize) -> Self {
        Self { rest: bytes, encoding, max_elements, elements: 0, depth: 0 }
    }

    fn fields(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        for field in fields {
            if field.is_in(self.encoding.version) {
                self.field(field)?;
            }
        }
        if self.encoding.is_flexible { self.tags(fields) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Result<(), ShapeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ShapeError::TooDeep);
        }
        match field.kind {
            Kind::Fixed(len) => self.skip(len)?,
            Kind::Text => {
                let len = if self.encoding.is_flexible { self.compact_len()? } else { self.int16()? };
                self.nullable(len)?;
            }
            Kind::Blob => {
                let len = self.len()?;
                self.nullable(len)?;
            }
            Kind::One(fields) => self.fields(fields)?,
            Kind::Optional(fields) => {
                let is_null = self.take(1)?.iter().any(|byte| byte.cast_signed() < 0);
                if !is_null {
                    self.fields(fields)?;
                }
            }
            Kind::Structs(fields) => self.each(|walk| walk.fields(fields))?,
            Kind::Values(field) => self.each(|walk| walk.field(field))?,
            // They follow the others.
            Kind::Tagged(..) => {}
        }
        self.depth -= 1;
        Ok(())
    }

    fn each(&mut self, element: impl Fn(&mut Self) -> Result<(), ShapeError>) -> Result<(), ShapeError> {
        let count = match self.len()? {
            -1 => 0,
            count => usize::try_from(count).map_err(|_| ShapeError::BadLength)?,
        };
        // No element is shorter than a byte, so most wrong counts end here.
        if count > self.rest.len() {
            return Err(ShapeError::Truncated);
        }
        self.elements += count;
        if self.elements > self.max_elements {
            return Err(ShapeError::TooManyElements { limit: self.max_elements });
        }
        for _ in 0..count {
            element(self)?;
        }
        Ok(())
    }

    /// Known tagged fields must fill their bytes, so that the decoder ends where this walk does.
    fn tags(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        for _ in 0..self.varint()? {
            let number = self.varint()?;
            let len = self.varint()? as usize;
            let content = self.take(len)?;
            let known = fields.iter().find_map(|field| match field.kind {
                Kind::Tagged(n, content) if n == number && field.is_in(self.encoding.version) => {
                    Some(content)
                }
                _ => None,
            });
            if let Some(known) = known {
                let rest = std::mem::replace(&mut self.rest, content);
                self.field(known)?;
                if !self.rest.is_empty() {
                    return Err(ShapeError::TagLength { number });
                }
                self.rest = rest;
            }
        }
        Ok(())
    }

    /// Length of an array or of bytes; -1 for null.
    fn len(&mut self) -> Result<i64, ShapeError> {
        if self.encoding.is_flexible {
            return self.compact_len();
        }
        let (len, rest) = self.rest.split_first_chunk().ok_or(ShapeError::Truncated)?;
        self.rest = rest;
        Ok(i64::from(i32::from_be_bytes(*len)))
    }

    fn int16(&mut self) -> Result<i64, ShapeError> {
        let (len, rest) = self.rest.split_first_chunk().ok_or(ShapeError::Truncated)?;
        self.rest = rest;
        Ok(i64::from(i16::from_be_bytes(*len)))
    }

    fn compact_len(&mut self) -> Result<i64, ShapeError> {
        Ok(i64::from(self.varint()?) - 1)
    }

    fn varint(&mut self) -> Result<u32, ShapeError> {
        let mut pos = 0;
        let value = read_unsigned_varint(self.rest, &mut pos, "a length").map_err(|error| match error {
            WireError::Truncated { .. } => ShapeError::Truncated,
            _ => ShapeError::BadLength,
        })?;
        self.skip(pos)?;
        Ok(value)
    }

    fn nullable(&mut self, len: i64) -> Result<(), ShapeError> {
        match len {
            -1 => Ok(()),
            len => self.skip(usize::try_from(len).map_err(|_| ShapeError::BadLength)?),
        }
    }

    fn skip(&mut self, len: usize) -> Result<(), ShapeError> {
        self.take(len).map(|_| ())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ShapeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ShapeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}
