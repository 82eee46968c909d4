//! JSON in UTF-16 or UTF-32, which Jackson tells from UTF-8 by the first four bytes.
//!
//! Such a document is turned into UTF-8 as a whole before it is read; one in UTF-8 is not touched.
//! Offsets in errors are then those of the UTF-8 text.

use super::error::{JsonError, Result};
use crate::charset::{Charset, Order};
use crossdock_api::{Bytes, Strictness};

/// What the first bytes say.
#[derive(Debug, PartialEq)]
enum Detected {
    Utf8,
    /// In this character set, after a byte order mark of so many bytes.
    Other(Charset, usize),
    /// An order of bytes that nobody uses, by its name.
    Unsupported(&'static str),
}

/// The document in UTF-8 if it is in another encoding.
///
/// # Errors
/// If it is malformed. Half a surrogate pair in UTF-16 becomes U+FFFD under Connect's behaviour.
pub(super) fn to_utf8(bytes: &[u8], strictness: Strictness) -> Result<Option<Bytes>> {
    match detect(bytes) {
        Detected::Utf8 => Ok(None),
        Detected::Unsupported(order) => {
            Err(JsonError::syntax(0, &format!("Unsupported UCS-4 endianness ({order}) detected")))
        }
        Detected::Other(charset, mark) => {
            let (text, malformed) = charset.decode(&bytes[mark..]);
            let replaces = strictness == Strictness::AsConnect && matches!(charset, Charset::Utf16(_));
            if malformed && !replaces {
                return Err(JsonError::syntax(0, "the document is not valid UTF-16 or UTF-32"));
            }
            Ok(Some(Bytes::from(text)))
        }
    }
}

fn detect(bytes: &[u8]) -> Detected {
    // No document in UTF-8 begins with one of these.
    if !matches!(bytes, [0 | 0xfe | 0xff, _, ..] | [_, 0, ..]) {
        return Detected::Utf8;
    }
    let utf16 = |order, mark| Detected::Other(Charset::Utf16(Some(order)), mark);
    let utf32 = |order, mark| Detected::Other(Charset::Utf32(Some(order)), mark);
    match bytes {
        [0, 0, 0xfe, 0xff, ..] => utf32(Order::Big, 4),
        [0xff, 0xfe, 0, 0, ..] => utf32(Order::Little, 4),
        [0, 0, 0xff, 0xfe, ..] => Detected::Unsupported("2143"),
        [0xfe, 0xff, 0, 0, ..] => Detected::Unsupported("3412"),
        [0xfe, 0xff, _, _, ..] => utf16(Order::Big, 2),
        [0xff, 0xfe, _, _, ..] => utf16(Order::Little, 2),
        [0, 0, 0, _, ..] => utf32(Order::Big, 0),
        [_, 0, 0, 0, ..] => utf32(Order::Little, 0),
        [0, _, 0, 0, ..] => Detected::Unsupported("3412"),
        [0, 0, _, 0, ..] => Detected::Unsupported("2143"),
        [0, _, ..] => utf16(Order::Big, 0),
        [_, 0, ..] => utf16(Order::Little, 0),
        _ => Detected::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::charset;

    #[test]
    fn documents_in_other_encodings_are_read() {
        for name in ["UTF-16", "UTF-16BE", "UTF-16LE", "UTF-32BE", "UTF-32LE"] {
            for mark in ["", "\u{feff}"] {
                let text = r#"{"é":"中😀"}"#;
                let mut bytes = Vec::new();
                // UTF-16 without an order writes a mark of its own.
                let mark = if name == "UTF-16" { "" } else { mark };
                charset(name).unwrap().unwrap().encode(&format!("{mark}{text}"), &mut bytes);
                let read = to_utf8(&bytes, Strictness::Safe).unwrap();
                assert_eq!(read.as_deref(), Some(text.as_bytes()), "{name} {mark:?}");
            }
        }
        for utf8 in ["", "1", "{}", "\u{feff}{}"] {
            assert_eq!(detect(utf8.as_bytes()), Detected::Utf8, "{utf8:?}");
        }
    }

    #[test]
    fn malformed_documents_are_refused() {
        let half_pair = b"\0\"\xd8\0\0\"";
        assert!(to_utf8(half_pair, Strictness::Safe).is_err());
        let replaced = to_utf8(half_pair, Strictness::AsConnect).unwrap();
        assert_eq!(replaced.as_deref(), Some("\"\u{fffd}\"".as_bytes()));
        for strictness in [Strictness::Safe, Strictness::AsConnect] {
            assert!(to_utf8(b"\0\0\0\"\0\x11\0\0", strictness).is_err());
            assert!(to_utf8(b"\0\0\xff\xfe", strictness).is_err());
            assert!(to_utf8(b"\xfe\xff\0\0", strictness).is_err());
        }
    }
}
