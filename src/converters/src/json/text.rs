//! Strings into JSON, with Jackson's escapes.

use std::io::Write;

/// The bytes that are not written as they are: quotes, backslashes, control characters, and the first
/// bytes of characters past U+FFFF.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        escaped[byte] = byte < 0x20 || byte == b'"' as usize || byte == b'\\' as usize || byte >= 0xf0;
        byte += 1;
    }
    escaped
};

/// Whether none of the bytes is [`ESCAPED`]. Looks at 8 at a time.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Not zero if one of the bytes is escaped; which one it is does not show.
    let escaped = |word: u64| {
        let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let past_ffff = word & (word << 1) & (word << 2) & (word << 3);
        (is_zero(word ^ (ONES * 0x22)) | is_zero(word ^ (ONES * 0x5c)) | control | past_ffff) & HIGH
    };
    match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(last), ..) => {
            let (chunks, _) = text.as_chunks::<8>();
            let found = chunks.iter().fold(0, |found, chunk| found | escaped(u64::from_le_bytes(*chunk)));
            found | escaped(u64::from_le_bytes(*last)) == 0
        }
        (None, Some(first), Some(last)) => {
            let word = u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
            escaped(word) == 0
        }
        _ => !text.iter().any(|byte| ESCAPED[usize::from(*byte)]),
    }
}

/// Appends text with quotes and Jackson's escapes; characters past U+FFFF are two escaped surrogates.
#[inline]
pub(super) fn append_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text)
    } else {
        append_escaped(out, text)
    }
    out.push(b'"');
}

#[cold]
fn append_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| ESCAPED[usize::from(*b)]) {
        out.extend_from_slice(&rest[..at]);
        let byte = rest[at];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xf0.. => {
                let character = rest.get(at..at + 4).unwrap_or_default();
                append_surrogates(out, character);
                rest = rest.get(at + 4..).unwrap_or_default();
                continue;
            }
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn append_surrogates(out: &mut Vec<u8>, utf8: &[u8]) {
    for character in std::str::from_utf8(utf8).unwrap_or_default().chars() {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{unit:04X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_is_escaped_is_found_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255 {
                    let mut text = vec![[b'!', b'#', b'[', b']', b' ', 0x80, 0xef][at % 7]; len];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), !ESCAPED[usize::from(byte)], "{byte} at {at} of {len}");
                }
            }
        }
    }
}
