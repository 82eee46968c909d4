//! When a token is due for another.

use super::token::Token;
use crate::backoff::Rng;

/// The keys `sasl.login.refresh.*`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Part of the lifetime after which a token is due.
    pub(super) factor: f64,
    /// Part of the lifetime that is added by chance, at most.
    pub(super) jitter: f64,
    pub(super) min_period_ms: i64,
    pub(super) buffer_ms: i64,
}

impl Window {
    /// Milliseconds since 1970, as `ExpiringCredentialRefreshingLogin.refreshMs`.
    pub(super) fn refresh_at(&self, token: &Token, now: i64, rng: &mut Rng) -> i64 {
        let share = self.factor + self.jitter * (rng.below(1001) as f64 / 1000.0);
        let part =
            |from: i64| from.saturating_add((token.expires_at().saturating_sub(from) as f64 * share) as i64);
        let kept_free = self.buffer_ms + self.min_period_ms;
        if now.saturating_add(kept_free) > token.expires_at() {
            return part(now);
        }
        let earliest = now + self.min_period_ms;
        let latest = token.expires_at() - self.buffer_ms;
        part(token.issued_at().unwrap_or(now)).clamp(earliest, latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(issued: i64, expires: i64, now: i64) -> i64 {
        let window = Window { factor: 0.8, jitter: 0.0, min_period_ms: 60_000, buffer_ms: 300_000 };
        window.refresh_at(&Token::between(issued, expires), now, &mut Rng::seeded(1))
    }

    #[test]
    fn the_window_keeps_its_distance_from_both_ends() {
        assert_eq!(at(0, 10_000_000, 0), 8_000_000);
        assert_eq!(at(0, 1_000_000, 0), 700_000, "the buffer before the end");
        assert_eq!(at(0, 10_000_000, 7_990_000), 8_050_000, "the least time between two");
        assert_eq!(at(0, 100_000, 0), 80_000, "too short a life for either");
    }
}
