//! Waits between attempts: exponential, with jitter, so that many clients do not come back at once.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// A small pseudo-random generator (xorshift64*), for jitter and for the choice among equals.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Seeded; the same seed gives the same numbers.
    pub(crate) fn seeded(seed: u64) -> Self {
        // Zero is the one state that the generator cannot leave.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).max(1))
    }

    /// Seeded by the process's hash keys.
    pub(crate) fn random() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            _ => ((self.next() >> 11) % bound as u64) as usize,
        }
    }
}

/// Doubles from `initial` to `max`, each wait off by up to a fifth (Kafka's `ExponentialBackoff`).
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    attempts: u32,
    rng: Rng,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, attempts: 0, rng: Rng::random() }
    }

    /// The wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.initial.saturating_mul(1 << self.attempts.min(20)).min(self.max);
        self.attempts = self.attempts.saturating_add(1);
        wait.mul_f64(0.8 + 0.4 * (self.rng.below(1001) as f64 / 1000.0))
    }

    /// How many attempts were made since the last success.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Starts anew after a success.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1000));
        for nominal in [100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0] {
            let wait = backoff.next().as_secs_f64() * 1000.0;
            assert!((nominal * 0.79..=nominal * 1.21).contains(&wait), "{wait} for {nominal}");
        }
        backoff.reset();
        assert!(backoff.next() < Duration::from_millis(121));
        for _ in 0..100 {
            assert!(backoff.next() <= Duration::from_millis(1201));
        }
    }
}
