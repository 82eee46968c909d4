//! Base 64 as Jackson reads and writes it: the MIME alphabet, padded, without line feeds.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The bytes that `text` stands for; white space in it is passed over.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = if text.iter().any(|b| *b <= b' ') {
        Cow::Owned(text.iter().copied().filter(|b| *b > b' ').collect())
    } else {
        Cow::Borrowed(text)
    };
    ENGINE.decode(text).ok()
}

/// Appends `bytes` as text.
pub(super) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    // A length that overflows cannot be in memory.
    let length = base64::encoded_len(bytes.len(), true).unwrap_or_default();
    out.resize(start + length, 0);
    let written = ENGINE.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}
