//! How much larger fetched bytes become when they are decompressed.
//!
//! `fetch.max.bytes` bounds what one answer may decompress to. What does not fit is thrown away and fetched again,
//! so answers are asked for that are likely to fit.

use std::sync::atomic::{AtomicU32, Ordering};

/// Estimated from the last answers; in sixteenths, at least 16.
#[derive(Debug)]
pub(super) struct Expansion(AtomicU32);

/// Most that is believed: a thousand times.
const MOST: u32 = 16 * 1000;

impl Expansion {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(16))
    }

    /// The compressed size of an answer that decompresses to `most` bytes.
    pub(super) fn to_ask_for(&self, most: i32) -> i32 {
        let asked = i64::from(most) * 16 / i64::from(self.0.load(Ordering::Relaxed));
        // At most `most`.
        asked as i32
    }

    /// Notes what the compressed bytes of an answer became. Some were left unread if it was `cut`.
    pub(super) fn learn(&self, compressed: usize, decompressed: usize, cut: bool) {
        if compressed == 0 {
            return;
        }
        let ratio = u32::try_from(decompressed.saturating_mul(16) / compressed).unwrap_or(MOST);
        let known = self.0.load(Ordering::Relaxed);
        // Of a cut answer it is only known that less is better.
        let ratio = if cut { ratio.max(known.saturating_mul(2)) } else { ratio.max(known - known / 8) };
        self.0.store(ratio.clamp(16, MOST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_asked_for_until_answers_fit() {
        let expansion = Expansion::new();
        assert_eq!(expansion.to_ask_for(1000), 1000);
        // All was read: four times.
        expansion.learn(1000, 4000, false);
        assert_eq!(expansion.to_ask_for(1000), 250);
        expansion.learn(250, 1000, true);
        assert_eq!(expansion.to_ask_for(1000), 125);
        for _ in 0..50 {
            expansion.learn(100, 100, false);
        }
        assert!(expansion.to_ask_for(1000) >= 800);
        expansion.learn(0, 0, false);
        expansion.learn(1, usize::MAX, true);
        assert_eq!(expansion.to_ask_for(50 << 20), 52_428);
        assert_eq!(expansion.to_ask_for(0), 0);
    }
}
