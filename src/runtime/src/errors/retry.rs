//! How long to wait between tries of what failed for now: `errors.retry.timeout` and
//! `errors.retry.delay.max.ms`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Wait before the second try (`RETRIES_DELAY_MIN_MS`); doubled at each further one.
const FIRST_DELAY: Duration = Duration::from_millis(300);

/// For how long and how often to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retry {
    /// From the first try on; `None` is without end.
    timeout: Option<Duration>,
    max_delay: Duration,
}

impl Retry {
    /// From the two keys, in milliseconds; a negative timeout is without end.
    pub(crate) fn new(timeout: i64, max_delay: i64) -> Self {
        let max_delay = Duration::from_millis(u64::try_from(max_delay).unwrap_or(0));
        Self { timeout: u64::try_from(timeout).ok().map(Duration::from_millis), max_delay }
    }

    /// How long to wait after so many failed tries, the first of them that long ago; `None` is to give up.
    /// A delay above the longest one is replaced by a random one below that, as Connect does.
    pub(crate) fn delay(&self, tries: u32, since_first: Duration) -> Option<Duration> {
        let left = match self.timeout {
            Some(timeout) => Some(timeout.checked_sub(since_first).filter(|left| !left.is_zero())?),
            None => None,
        };
        let doubled =
            FIRST_DELAY.saturating_mul(1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
        let delay = if doubled > self.max_delay { random_below(self.max_delay) } else { doubled };
        Some(left.map_or(delay, |left| delay.min(left)))
    }
}

fn random_below(limit: Duration) -> Duration {
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(RandomState::new().build_hasher().finish().checked_rem(limit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn delays_double_up_to_the_longest_and_the_time_left() {
        let retry = Retry::new(10_000, 60_000);
        let delays: Vec<_> = (1..=4).map(|tries| retry.delay(tries, ms(0))).collect();
        assert_eq!(delays, [Some(ms(300)), Some(ms(600)), Some(ms(1200)), Some(ms(2400))]);
        assert_eq!(retry.delay(4, ms(9_000)), Some(ms(1_000)));
        assert_eq!(retry.delay(4, ms(10_000)), None);
        assert!(Retry::new(10_000, 500).delay(3, ms(0)).unwrap() < ms(500));
    }

    #[test]
    fn there_is_no_retry_by_default_and_no_end_below_zero() {
        assert_eq!(Retry::new(0, 60_000).delay(1, ms(0)), None);
        assert_eq!(Retry::new(-1, 60_000).delay(1, Duration::from_secs(1 << 30)), Some(ms(300)));
        assert!(Retry::new(-1, 60_000).delay(u32::MAX, ms(0)).unwrap() < ms(60_000));
        assert_eq!(Retry::new(-1, 0).delay(1, ms(0)), Some(ms(0)));
    }
}
