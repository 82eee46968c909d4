//! The standalone offset file's format: Java serialization of a `HashMap<byte[], byte[]>`, as
//! `FileOffsetBackingStore` writes it.
//!
//! ```text
//! stream  = aced 0005, 73 (object), class HashMap, load factor, threshold,
//!           77 08 (block), capacity, size, size × (key value), 78 (end)
//! array   = 75 (array), class byte[], length, bytes      | 71 (reference), handle of an earlier array
//! value   = array | 70 (null)
//! byte[]  = its description the first time, 71 007e0002 (reference to it) from then on
//! ```
//!
//! Numbers are big-endian. Of capacity, load factor and threshold Java only wants sane values.

use bytes::{Buf, Bytes};

/// Everything from the magic to the end of the description of class `HashMap`.
const HEAD: &[u8] = b"\xac\xed\x00\x05\x73\x72\x00\x11java.util.HashMap\
    \x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\x0aloadFactorI\x00\x09thresholdxp";
/// Magic and version of a serialization stream.
const MAGIC_LEN: usize = 4;
/// Description of class `byte[]`.
const BYTE_ARRAY: &[u8] = b"\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00xp";
/// Head of the block with capacity and size.
const BLOCK: &[u8] = b"\x77\x08";
/// Handle of class `byte[]`: the third thing in the stream, after class `HashMap` and the map.
const BYTE_ARRAY_HANDLE: u32 = 0x007e_0002;

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const ARRAY: u8 = 0x75;
const END: u8 = 0x78;

/// Load factor of a `HashMap`.
const LOAD_FACTOR: f32 = 0.75;
/// Capacity of a `HashMap` to begin with.
const MIN_CAPACITY: usize = 16;

/// A key and its value, which may be null.
pub(crate) type Entry = (Bytes, Option<Bytes>);

/// Why bytes are not such a map, or a map cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JavaMapError {
    /// Something else altogether.
    #[error("it is not a stream of Java serialization")]
    NotSerialized,
    /// The bytes end too early.
    #[error("it ends in the middle, after {at} bytes")]
    Truncated {
        /// How many bytes there are.
        at: usize,
    },
    /// Serialized, but not a `HashMap<byte[], byte[]>`.
    #[error("at byte {at} there should be {expected}")]
    Unexpected {
        /// Where.
        at: usize,
        /// What a map of bytes has there.
        expected: &'static str,
    },
    /// More bytes after the map.
    #[error("something follows the map at byte {at}")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// Too much for Java's 31 bits.
    #[error("an offset, or the number of offsets, is 2 GiB or more")]
    TooLarge,
}

/// Reads a map; the entries come in the order of the stream, and share the memory of `stream`.
///
/// # Errors
/// Whatever is not exactly such a map, or has a null key.
pub(crate) fn parse(stream: Bytes) -> Result<Vec<Entry>, JavaMapError> {
    let head = &stream[..stream.len().min(MAGIC_LEN)];
    if !HEAD.starts_with(head) {
        return Err(JavaMapError::NotSerialized);
    }
    let mut reader = Reader { len: stream.len(), rest: stream, class_seen: false, arrays: Vec::new() };
    reader.literal(HEAD, "a java.util.HashMap")?;
    reader.take(8)?; // load factor and threshold
    reader.literal(BLOCK, "the size of the map")?;
    reader.take(4)?; // capacity
    let size = reader.length()?;
    // An entry has no fewer bytes than a reference and a null, so this vector is bounded by the stream.
    let mut entries = Vec::new();
    for _ in 0..size {
        let at = reader.at();
        let key = reader.array()?.ok_or(JavaMapError::Unexpected { at, expected: "a key" })?;
        entries.push((key, reader.array()?));
    }
    reader.literal(&[END], "the end of the map")?;
    match reader.rest.is_empty() {
        true => Ok(entries),
        false => Err(JavaMapError::Trailing { at: reader.at() }),
    }
}

struct Reader {
    len: usize,
    rest: Bytes,
    /// Whether the description of class `byte[]` has come.
    class_seen: bool,
    /// The arrays so far; the first has the handle after that of their class.
    arrays: Vec<Bytes>,
}

impl Reader {
    fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    fn take(&mut self, count: usize) -> Result<Bytes, JavaMapError> {
        if count > self.rest.len() {
            return Err(JavaMapError::Truncated { at: self.len });
        }
        Ok(self.rest.split_to(count))
    }

    fn literal(&mut self, literal: &[u8], expected: &'static str) -> Result<(), JavaMapError> {
        let at = self.at();
        let there = &self.rest[..self.rest.len().min(literal.len())];
        if !literal.starts_with(there) {
            return Err(JavaMapError::Unexpected { at, expected });
        }
        self.take(literal.len()).map(drop)
    }

    fn byte(&mut self) -> Result<u8, JavaMapError> {
        Ok(self.take(1)?.get_u8())
    }

    fn number(&mut self) -> Result<u32, JavaMapError> {
        Ok(self.take(4)?.get_u32())
    }

    fn length(&mut self) -> Result<usize, JavaMapError> {
        let at = self.at();
        let length = i32::from_be_bytes(self.number()?.to_be_bytes());
        let expected = "a number that is not negative";
        usize::try_from(length).map_err(|_| JavaMapError::Unexpected { at, expected })
    }

    /// An array of bytes, or null.
    fn array(&mut self) -> Result<Option<Bytes>, JavaMapError> {
        let at = self.at();
        match self.byte()? {
            NULL => Ok(None),
            REFERENCE => {
                let handle = self.number()?;
                let index = handle.checked_sub(BYTE_ARRAY_HANDLE + 1).and_then(|i| usize::try_from(i).ok());
                let array = index.and_then(|i| self.arrays.get(i));
                let array = array.ok_or(JavaMapError::Unexpected { at, expected: "an array of bytes" })?;
                Ok(Some(array.clone()))
            }
            ARRAY => {
                self.array_class()?;
                let length = self.length()?;
                let array = self.take(length)?;
                self.arrays.push(array.clone());
                Ok(Some(array))
            }
            _ => Err(JavaMapError::Unexpected { at, expected: "an array of bytes or null" }),
        }
    }

    fn array_class(&mut self) -> Result<(), JavaMapError> {
        let expected = "the class byte[]";
        if !self.class_seen {
            self.class_seen = true;
            return self.literal(BYTE_ARRAY, expected);
        }
        let at = self.at();
        match self.byte()? {
            REFERENCE if self.number()? == BYTE_ARRAY_HANDLE => Ok(()),
            _ => Err(JavaMapError::Unexpected { at, expected }),
        }
    }
}

/// Writes a map. What was parsed comes out as it was, byte by byte, unless it had references to arrays.
///
/// # Errors
/// Only for sizes that Java's format has no room for.
pub(crate) fn write<'e>(
    entries: impl ExactSizeIterator<Item = (&'e Bytes, Option<&'e Bytes>)>,
) -> Result<Vec<u8>, JavaMapError> {
    let size = entries.len();
    let (capacity, threshold) = table(size)?;
    let mut stream = Vec::new();
    stream.extend_from_slice(HEAD);
    stream.extend_from_slice(&LOAD_FACTOR.to_be_bytes());
    stream.extend_from_slice(&length(threshold)?);
    stream.extend_from_slice(BLOCK);
    stream.extend_from_slice(&length(capacity)?);
    stream.extend_from_slice(&length(size)?);
    let mut first = true;
    for (key, value) in entries {
        write_array(&mut stream, key, &mut first)?;
        match value {
            Some(value) => write_array(&mut stream, value, &mut first)?,
            None => stream.push(NULL),
        }
    }
    stream.push(END);
    Ok(stream)
}

/// Capacity and threshold of a `HashMap` after `size` puts: it doubles when it is more than 3/4 full.
fn table(size: usize) -> Result<(usize, usize), JavaMapError> {
    if size == 0 {
        return Ok((MIN_CAPACITY, 0));
    }
    let mut capacity = MIN_CAPACITY;
    while size > capacity / 4 * 3 {
        capacity = capacity.checked_mul(2).ok_or(JavaMapError::TooLarge)?;
    }
    Ok((capacity, capacity / 4 * 3))
}

fn write_array(stream: &mut Vec<u8>, array: &Bytes, first: &mut bool) -> Result<(), JavaMapError> {
    stream.push(ARRAY);
    if std::mem::take(first) {
        stream.extend_from_slice(BYTE_ARRAY);
    } else {
        stream.push(REFERENCE);
        stream.extend_from_slice(&BYTE_ARRAY_HANDLE.to_be_bytes());
    }
    stream.extend_from_slice(&length(array.len())?);
    stream.extend_from_slice(array);
    Ok(())
}

fn length(length: usize) -> Result<[u8; 4], JavaMapError> {
    Ok(i32::try_from(length).map_err(|_| JavaMapError::TooLarge)?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;

    use super::*;

    fn written(entries: &[Entry]) -> Vec<u8> {
        write(entries.iter().map(|(k, v)| (k, v.as_ref()))).unwrap()
    }

    fn golden(file: &str) -> Vec<serde_json::Value> {
        let path =
            format!("{}/../../protocol-tests/golden/internal_topics/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn decoded(text: &serde_json::Value) -> Bytes {
        base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap().into()
    }

    fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.sort();
        entries
    }

    #[test]
    fn files_that_java_wrote() {
        let cases = golden("offset_file.jsonl");
        assert!(cases.len() >= 9);
        for case in cases {
            let bytes = decoded(&case["output"]["base64"]);
            let text = |v: &serde_json::Value| v.as_str().map(|t| Bytes::from(t.to_owned()));
            let expected = case["input"]["entries"].as_array().unwrap().iter();
            let expected = expected.map(|pair| (text(&pair[0]).unwrap(), text(&pair[1]))).collect();
            let entries = parse(bytes.clone()).unwrap();
            assert_eq!(sorted(entries.clone()), sorted(expected), "{}", case["id"]);
            assert_eq!(written(&entries), bytes, "{}", case["id"]);
        }
    }

    #[test]
    fn capacity_grows_as_javas() {
        for (size, expected) in [(0, (16, 0)), (1, (16, 12)), (12, (16, 12)), (13, (32, 24)), (30, (64, 48))]
        {
            assert_eq!(table(size).unwrap(), expected);
        }
    }

    #[test]
    fn an_array_can_be_referred_to() {
        let entry = |key: &'static str, value: &'static str| (key.into(), Some(Bytes::from(value)));
        let mut stream = written(&[entry("a", "v"), entry("b", "v")]);
        // The last value becomes a reference to the first: class byte[] is 2, "a" 3, "v" 4.
        stream.truncate(stream.len() - 12);
        stream.extend_from_slice(b"\x71\x00\x7e\x00\x04\x78");
        assert_eq!(parse(stream.into()).unwrap(), [entry("a", "v"), entry("b", "v")]);
    }

    #[test]
    fn every_torn_stream_is_an_error() {
        let whole = written(&[("k".into(), None), ("l".into(), Some("v".into()))]);
        for len in 0..whole.len() {
            let error = parse(Bytes::copy_from_slice(&whole[..len])).unwrap_err();
            assert_eq!(error, JavaMapError::Truncated { at: len });
        }
        let longer = [&whole[..], b"x"].concat();
        assert_eq!(parse(longer.into()).unwrap_err(), JavaMapError::Trailing { at: whole.len() });
    }

    #[test]
    fn foreign_streams_are_told_apart() {
        assert_eq!(parse("{\"position\":1}".into()).unwrap_err(), JavaMapError::NotSerialized);
        let string = parse(Bytes::from_static(b"\xac\xed\x00\x05\x74\x00\x01x")).unwrap_err();
        assert!(string.to_string().contains("java.util.HashMap"), "{string}");
        let mut null_key = written(&[(Bytes::new(), None)]);
        null_key.truncate(null_key.len() - BYTE_ARRAY.len() - 7);
        null_key.extend_from_slice(b"\x70\x70\x78");
        assert!(matches!(parse(null_key.into()), Err(JavaMapError::Unexpected { expected: "a key", .. })));
    }

    #[test]
    fn counts_are_not_believed() {
        let mut huge = written(&[]);
        let size_at = huge.len() - 5;
        huge[size_at..size_at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(parse(huge.clone().into()).is_err());
        huge[size_at..size_at + 4].copy_from_slice(&(-1i32).to_be_bytes());
        assert!(matches!(parse(huge.into()), Err(JavaMapError::Unexpected { .. })));
    }

    fn any_bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from)
    }

    proptest! {
        #[test]
        fn round_trip(entries in prop::collection::vec((any_bytes(), prop::option::of(any_bytes())), 0..40)) {
            prop_assert_eq!(parse(written(&entries).into()).unwrap(), entries);
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(bytes.clone().into());
            let _ = parse([HEAD, &bytes].concat().into());
        }

        #[test]
        fn a_flipped_byte_never_panics(at in 0usize..100, to in any::<u8>()) {
            let mut bytes = written(&[("key".into(), Some("value".into())), ("l".into(), None)]);
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = parse(bytes.into());
        }
    }
}
