//! Character sets under their Java names.
//!
//! UTF-8 does not come here: it is what strings are. The others are decoded and encoded as Java's `String` does:
//! what is malformed becomes U+FFFD, what cannot be said becomes `?`; both are told, for those who do not want that.

use encoding_rs::{EncoderResult, Encoding};

/// A character set other than UTF-8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Charset {
    Ascii,
    Latin1,
    /// Without an order it is told by the first two bytes, or big-endian.
    Utf16(Option<Order>),
    Utf32(Option<Order>),
    Other(&'static Encoding),
}

/// The order of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

/// The character set of a Java name; the inner `None` is UTF-8. `None` if there is none.
pub(crate) fn charset(name: &str) -> Option<Option<Charset>> {
    let upper = name.to_ascii_uppercase();
    Some(match upper.as_str() {
        "UTF-8" | "UTF8" | "UNICODE-1-1-UTF-8" => None,
        "US-ASCII" | "ASCII" | "ISO646-US" | "ISO-IR-6" | "ASCII7" | "CP367" | "IBM367" | "US" | "646" => {
            Some(Charset::Ascii)
        }
        "ISO-8859-1" | "ISO8859_1" | "ISO8859-1" | "ISO_8859-1" | "ISO_8859_1" | "8859_1" | "LATIN1"
        | "L1" | "CP819" | "IBM819" | "IBM-819" | "819" | "ISO-IR-100" | "CSISOLATIN1" => {
            Some(Charset::Latin1)
        }
        "UTF-16" | "UTF16" | "UTF_16" | "UNICODE" | "UNICODEBIG" => Some(Charset::Utf16(None)),
        "UTF-16BE" | "UTF_16BE" | "UNICODEBIGUNMARKED" | "ISO-10646-UCS-2" | "X-UTF-16BE" => {
            Some(Charset::Utf16(Some(Order::Big)))
        }
        "UTF-16LE" | "UTF_16LE" | "UNICODELITTLEUNMARKED" | "X-UTF-16LE" => {
            Some(Charset::Utf16(Some(Order::Little)))
        }
        "UTF-32" | "UTF32" | "UTF_32" | "ISO-10646-UCS-4" => Some(Charset::Utf32(None)),
        "UTF-32BE" | "UTF_32BE" | "X-UTF-32BE" => Some(Charset::Utf32(Some(Order::Big))),
        "UTF-32LE" | "UTF_32LE" | "X-UTF-32LE" => Some(Charset::Utf32(Some(Order::Little))),
        _ => Some(Charset::Other(other(&upper)?)),
    })
}

fn other(upper: &str) -> Option<&'static Encoding> {
    // Java's short names of code pages.
    let label = match upper.strip_prefix("CP") {
        Some(page) if page.starts_with("125") => format!("windows-{page}"),
        _ => upper.to_owned(),
    };
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    let unicode = [encoding_rs::UTF_8, encoding_rs::UTF_16BE, encoding_rs::UTF_16LE];
    (!unicode.contains(&encoding)).then_some(encoding)
}

impl Charset {
    /// The text that bytes stand for, and whether something of it was malformed.
    pub(crate) fn decode(self, bytes: &[u8]) -> (String, bool) {
        match self {
            Self::Ascii => {
                let text = bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' });
                (text.collect(), !bytes.is_ascii())
            }
            Self::Latin1 => (bytes.iter().map(|b| char::from(*b)).collect(), false),
            Self::Utf16(order) => decode_utf16(bytes, order),
            Self::Utf32(order) => decode_utf32(bytes, order),
            Self::Other(encoding) => {
                let (text, malformed) = encoding.decode_without_bom_handling(bytes);
                if !encoding.name().starts_with("windows-") {
                    return (text.into_owned(), malformed);
                }
                // Unassigned places are control characters on the web, but not in Java.
                let unassigned = |c: char| ('\u{80}'..='\u{9f}').contains(&c);
                let malformed = malformed || text.contains(unassigned);
                (text.replace(unassigned, "\u{fffd}"), malformed)
            }
        }
    }

    /// Appends the bytes of a text, and gives the first character that cannot be said.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) -> Option<char> {
        match self {
            Self::Ascii => encode_bytes(text, out, 0x80),
            Self::Latin1 => encode_bytes(text, out, 0x100),
            Self::Utf16(order) => {
                if order.is_none() {
                    out.extend_from_slice(&[0xfe, 0xff]);
                }
                for unit in text.encode_utf16() {
                    let little = order == Some(Order::Little);
                    out.extend_from_slice(&if little { unit.to_le_bytes() } else { unit.to_be_bytes() });
                }
                None
            }
            Self::Utf32(order) => {
                for code in text.chars().map(u32::from) {
                    let little = order == Some(Order::Little);
                    out.extend_from_slice(&if little { code.to_le_bytes() } else { code.to_be_bytes() });
                }
                None
            }
            Self::Other(encoding) => encode_other(encoding, text, out),
        }
    }
}

fn encode_bytes(text: &str, out: &mut Vec<u8>, end: u32) -> Option<char> {
    let mut unsayable = None;
    for character in text.chars() {
        match u8::try_from(u32::from(character)).ok().filter(|byte| u32::from(*byte) < end) {
            Some(byte) => out.push(byte),
            None => {
                unsayable.get_or_insert(character);
                out.push(b'?');
            }
        }
    }
    unsayable
}

fn encode_other(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) -> Option<char> {
    let mut encoder = encoding.new_encoder();
    let (mut rest, mut unsayable) = (text, None);
    loop {
        let room =
            encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len() * 4);
        out.reserve(room + 16);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return unsayable,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => {
                unsayable.get_or_insert(character);
                out.push(b'?');
            }
        }
    }
}

fn decode_utf16(bytes: &[u8], order: Option<Order>) -> (String, bool) {
    let (bytes, order) = match (order, bytes) {
        (None, [0xfe, 0xff, rest @ ..]) => (rest, Order::Big),
        (None, [0xff, 0xfe, rest @ ..]) => (rest, Order::Little),
        (order, bytes) => (bytes, order.unwrap_or(Order::Big)),
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| match order {
        Order::Big => u16::from_be_bytes(*pair),
        Order::Little => u16::from_le_bytes(*pair),
    };
    let mut malformed = !rest.is_empty();
    let decoded = char::decode_utf16(pairs.iter().map(unit));
    let mut text: String = decoded
        .map(|character| {
            character.unwrap_or_else(|_| {
                malformed = true;
                '\u{fffd}'
            })
        })
        .collect();
    if !rest.is_empty() {
        text.push('\u{fffd}');
    }
    (text, malformed)
}

fn decode_utf32(bytes: &[u8], order: Option<Order>) -> (String, bool) {
    let (bytes, order) = match (order, bytes) {
        (None, [0, 0, 0xfe, 0xff, rest @ ..]) => (rest, Order::Big),
        (None, [0xff, 0xfe, 0, 0, rest @ ..]) => (rest, Order::Little),
        (order, bytes) => (bytes, order.unwrap_or(Order::Big)),
    };
    let (codes, rest) = bytes.as_chunks::<4>();
    let mut malformed = !rest.is_empty();
    let mut text: String = codes
        .iter()
        .map(|code| {
            let code = match order {
                Order::Big => u32::from_be_bytes(*code),
                Order::Little => u32::from_le_bytes(*code),
            };
            char::from_u32(code).unwrap_or_else(|| {
                malformed = true;
                '\u{fffd}'
            })
        })
        .collect();
    if !rest.is_empty() {
        text.push('\u{fffd}');
    }
    (text, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Charset {
        charset(name).unwrap().unwrap()
    }

    #[test]
    fn text_comes_back_from_what_can_say_it() {
        for name in ["UTF-16", "utf-16le", "UTF-16BE", "UTF-32", "UTF-32LE", "GB18030"] {
            let mut bytes = Vec::new();
            assert_eq!(of(name).encode("aé中😀", &mut bytes), None, "{name}");
            assert_eq!(of(name).decode(&bytes), ("aé中😀".to_owned(), false), "{name}");
        }
        let mut bytes = Vec::new();
        assert_eq!(of("Cp1252").encode("a€é", &mut bytes), None);
        assert_eq!(bytes, b"a\x80\xe9");
    }

    #[test]
    fn what_cannot_be_said_or_read_is_told() {
        for name in ["latin1", "US-ASCII", "windows-1252", "Shift_JIS"] {
            let mut bytes = Vec::new();
            assert_eq!(of(name).encode("x😀y😀", &mut bytes), Some('😀'), "{name}");
            assert_eq!(bytes, b"x?y?", "{name}");
        }
        assert_eq!(of("US-ASCII").decode(b"a\xff"), ("a\u{fffd}".to_owned(), true));
        assert_eq!(of("windows-1252").decode(b"\x81"), ("\u{fffd}".to_owned(), true));
        assert_eq!(of("UTF-16").decode(b"\xd8\x00\x00a\x00"), ("\u{fffd}a\u{fffd}".to_owned(), true));
        assert_eq!(of("UTF-32BE").decode(b"\0\x11\0\0\0"), ("\u{fffd}\u{fffd}".to_owned(), true));
        assert_eq!(charset("no-such"), None);
        assert_eq!(charset(""), None);
        assert_eq!(charset("utf8"), Some(None));
    }
}
