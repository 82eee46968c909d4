//! Strings: [`Text`] owns its bytes, or a share of a buffer; [`Str`] borrows.

use bytes::Bytes;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Bytes of a string that is kept in place. As many as fit into the room that a [`crate::Value`] takes anyway;
/// names of fields, numbers, dates and UUIDs are no longer.
pub(crate) const INLINE: usize = 38;

/// An immutable UTF-8 string. A short one (of up to 38 bytes) is kept in place, a longer one is a slice of a
/// shared buffer: cloning allocates nothing in both cases.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    /// Length, and the bytes; those past the length mean nothing.
    Inline(u8, [u8; INLINE]),
    Shared(Bytes),
}

impl Text {
    /// Takes `bytes` as a string, without copying more than a short one.
    ///
    /// # Errors
    /// If they are not UTF-8; the error says where.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self::from_checked(bytes))
    }

    /// A string that lives as long as the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Shared(Bytes::from_static(text.as_bytes())))
    }

    /// The string as a borrowed view.
    #[inline]
    pub fn as_ref(&self) -> Str<'_> {
        Str(self.as_bytes())
    }

    /// The string. Checks its bytes once more, see [`Str`].
    pub fn as_str(&self) -> &str {
        self.as_ref().as_str()
    }

    /// The UTF-8 bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The UTF-8 bytes; copies no more than those of a short string.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(..) => Bytes::copy_from_slice(self.as_bytes()),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// For bytes that were checked to be UTF-8 in this crate.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Self::inline(&bytes).unwrap_or_else(|| Self(Repr::Shared(bytes)))
    }

    /// A copy of bytes that were checked to be UTF-8 in this crate.
    pub(crate) fn copy_of_checked(bytes: &[u8]) -> Self {
        Self::inline(bytes).unwrap_or_else(|| Self(Repr::Shared(Bytes::copy_from_slice(bytes))))
    }

    /// The `len` bytes from `start` of a buffer, where they were checked to be UTF-8 in this crate, and to lie.
    #[inline]
    pub(crate) fn part_of_checked(whole: &Bytes, start: usize, len: usize) -> Self {
        debug_assert!(std::str::from_utf8(&whole[start..start + len]).is_ok());
        if len > INLINE {
            return Self(Repr::Shared(whole.slice(start..start + len)));
        }
        // A copy of fixed length is a few moves of registers, one of unknown length is a call.
        match whole.get(start..).and_then(|rest| rest.first_chunk::<INLINE>()) {
            Some(window) => Self(Repr::Inline(len as u8, *window)),
            None => Self::copy_of_checked(&whole[start..start + len]),
        }
    }

    #[inline]
    fn inline(bytes: &[u8]) -> Option<Self> {
        let mut inline = [0; INLINE];
        inline.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(Repr::Inline(bytes.len() as u8, inline)))
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Repr::Inline(0, [0; INLINE]))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from_checked(Bytes::from(text.into_bytes()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::copy_of_checked(text.as_bytes())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A borrowed UTF-8 string. Its bytes cost nothing; [`Str::as_str`] checks them once more, since a
/// `&str` made without a check would need `unsafe`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str<'a>(&'a [u8]);

impl<'a> Str<'a> {
    /// The UTF-8 bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The string.
    pub fn as_str(self) -> &'a str {
        // Every way to make a Str or Text goes through a check of its bytes, so the fallback is dead.
        std::str::from_utf8(self.0).unwrap_or_default()
    }

    /// For bytes that were checked to be UTF-8 in this crate.
    pub(crate) fn from_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn strings_are_equal_however_they_are_kept() {
        let state = RandomState::new();
        for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 100] {
            let text = "x".repeat(len);
            let buffer = Bytes::from(format!("a{text}b"));
            let long_tail = Bytes::from(format!("a{text}{}", "b".repeat(INLINE)));
            let kept = [
                Text::from(text.as_str()),
                Text::from(text.clone()),
                Text::from_utf8(Bytes::from(text.clone())).unwrap(),
                Text::from_static(Box::leak(text.clone().into_boxed_str())),
                Text::part_of_checked(&buffer, 1, len),
                Text::part_of_checked(&long_tail, 1, len),
            ];
            for one in &kept {
                assert_eq!((one.as_str(), one.as_bytes()), (text.as_str(), text.as_bytes()));
                assert_eq!(state.hash_one(one), state.hash_one(&kept[0]));
                assert_eq!(one.cmp(&kept[0]), Ordering::Equal);
                assert_eq!(*one, kept[0]);
                assert_eq!(one.clone().into_bytes(), text.as_bytes());
            }
        }
        assert!(Text::from("a") < Text::from("b") && Text::from("b") < Text::from("ba"));
        assert_eq!(Text::default(), Text::from(""));
    }

    #[test]
    fn a_value_is_no_larger_than_a_string() {
        assert_eq!(size_of::<Text>(), 40);
        assert_eq!(size_of::<crate::Value>(), 40);
    }
}
