//! The shape of a request, and a check of its bytes against it.
//!
//! The decoder of messages reserves memory by the counts that it reads. This check walks the request
//! first, without allocating: each count must be covered by elements that are there, and there is a limit
//! on elements in all. What passes can be decoded in memory proportional to its bytes.

/// Elements of all arrays of a request together.
const MAX_ELEMENTS: usize = 1_000_000;

/// What a field is, as far as its length matters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string.
    Text,
    /// Bytes or records.
    Blob,
    /// An array of structs.
    Structs(&'static [Field]),
    /// An array of plain values.
    Values(&'static Field),
}

/// A field, and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

pub(crate) const BOOL: Field = Field::new(Kind::Fixed(1));
pub(crate) const INT8: Field = Field::new(Kind::Fixed(1));
pub(crate) const INT16: Field = Field::new(Kind::Fixed(2));
pub(crate) const INT32: Field = Field::new(Kind::Fixed(4));
pub(crate) const INT64: Field = Field::new(Kind::Fixed(8));
pub(crate) const UUID: Field = Field::new(Kind::Fixed(16));
pub(crate) const TEXT: Field = Field::new(Kind::Text);
pub(crate) const BLOB: Field = Field::new(Kind::Blob);

/// An array of structs with these fields.
pub(crate) const fn structs(fields: &'static [Field]) -> Field {
    Field::new(Kind::Structs(fields))
}

/// An array of plain values.
pub(crate) const fn values(field: &'static Field) -> Field {
    Field::new(Kind::Values(field))
}

impl Field {
    const fn new(kind: Kind) -> Self {
        Self { kind, since: 0, until: i16::MAX }
    }

    /// The first version that has the field.
    pub(crate) const fn since(self, since: i16) -> Self {
        Self { since, ..self }
    }

    /// The last version that has the field.
    pub(crate) const fn until(self, until: i16) -> Self {
        Self { until, ..self }
    }
}

/// Why a request is not of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("the request ends inside a field, or a count is larger than what follows it")]
    Truncated,
    #[error("a length or count of the request is invalid")]
    BadLength,
    #[error("{0} bytes follow the request")]
    Trailing(usize),
    #[error("the request has more than {MAX_ELEMENTS} elements")]
    TooManyElements,
}

/// Checks the body of a request, to its last byte.
pub(crate) fn check(
    fields: &[Field],
    body: &[u8],
    version: i16,
    is_flexible: bool,
) -> Result<(), ShapeError> {
    let mut walk = Walk { rest: body, version, is_flexible, elements: 0 };
    walk.fields(fields)?;
    match walk.rest.len() {
        0 => Ok(()),
        bytes => Err(ShapeError::Trailing(bytes)),
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.field(field)?;
            }
        }
        if self.is_flexible { self.tags() } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Result<(), ShapeError> {
        match field.kind {
            Kind::Fixed(len) => self.skip(len),
            Kind::Text => {
                let len = if self.is_flexible { self.compact_len()? } else { self.int16()? };
                self.skip_nullable(len)
            }
            Kind::Blob => {
                let len = self.len()?;
                self.skip_nullable(len)
            }
            Kind::Structs(fields) => self.each(|walk| walk.fields(fields)),
            Kind::Values(field) => self.each(|walk| walk.field(field)),
        }
    }

    fn each(&mut self, element: impl Fn(&mut Self) -> Result<(), ShapeError>) -> Result<(), ShapeError> {
        let count = self.len()?;
        if count < -1 {
            return Err(ShapeError::BadLength);
        }
        for _ in 0..count {
            self.elements += 1;
            if self.elements > MAX_ELEMENTS {
                return Err(ShapeError::TooManyElements);
            }
            element(self)?;
        }
        Ok(())
    }

    fn tags(&mut self) -> Result<(), ShapeError> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let len = self.varint()?;
            self.skip(len as usize)?;
        }
        Ok(())
    }

    /// Length of an array or of bytes; -1 for null.
    fn len(&mut self) -> Result<i64, ShapeError> {
        if self.is_flexible {
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
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.rest.split_first().ok_or(ShapeError::Truncated)?;
            self.rest = rest;
            if shift == 28 && byte > 0x0f {
                return Err(ShapeError::BadLength);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ShapeError::BadLength)
    }

    fn skip_nullable(&mut self, len: i64) -> Result<(), ShapeError> {
        match len {
            -1 => Ok(()),
            len => self.skip(usize::try_from(len).map_err(|_| ShapeError::BadLength)?),
        }
    }

    fn skip(&mut self, len: usize) -> Result<(), ShapeError> {
        self.rest = self.rest.get(len..).ok_or(ShapeError::Truncated)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPICS: &[Field] = &[structs(&[TEXT, values(&INT32)]), BOOL.since(1).until(1)];

    #[test]
    fn plain_requests_are_walked() {
        let body = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(check(TOPICS, &body, 0, false), Ok(()));
        assert_eq!(check(TOPICS, &body, 1, false), Err(ShapeError::Truncated), "the flag of version 1");
        assert_eq!(check(TOPICS, &body[..18], 0, false), Err(ShapeError::Truncated));
        assert_eq!(check(TOPICS, &[&body[..], &[1]].concat(), 1, false), Ok(()));
        assert_eq!(check(TOPICS, &[&body[..], &[1]].concat(), 2, false), Err(ShapeError::Trailing(1)));
    }

    #[test]
    fn flexible_requests_are_walked() {
        // One topic with a tagged field; no tagged fields at the end.
        let body = [2, 2, b't', 2, 0, 0, 0, 9, 1, 7, 2, 0, 0, 0];
        assert_eq!(check(TOPICS, &body, 0, true), Ok(()));
        for cut in 0..body.len() {
            assert_eq!(check(TOPICS, &body[..cut], 0, true), Err(ShapeError::Truncated), "cut at {cut}");
        }
    }

    #[test]
    fn a_count_without_elements_is_refused() {
        assert_eq!(check(TOPICS, &[0x7f, 0xff, 0xff, 0xff, 0, 0], 0, false), Err(ShapeError::Truncated));
        assert_eq!(check(TOPICS, &[0xff, 0xff, 0xff, 0xfe], 0, false), Err(ShapeError::BadLength));
        assert_eq!(check(TOPICS, &[0xff; 6], 0, true), Err(ShapeError::BadLength));
        let many = [&2_000_000i32.to_be_bytes()[..], &vec![0; 12_000_000]].concat();
        assert_eq!(check(TOPICS, &many, 0, false), Err(ShapeError::TooManyElements));
    }
}
