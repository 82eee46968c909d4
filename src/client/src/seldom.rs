//! Warnings about what lasts: said after a while, then now and then.

use std::time::{Duration, Instant};

/// Allows one warning at a time.
#[derive(Debug)]
pub(crate) struct Seldom {
    /// How long something must last before the first warning.
    patience: Duration,
    quiet_until: Option<Instant>,
}

/// Time between warnings about the same thing.
const EVERY: Duration = Duration::from_secs(60);

impl Seldom {
    /// The first warning comes when something lasts longer than `patience`.
    pub(crate) fn after(patience: Duration) -> Self {
        Self { patience, quiet_until: None }
    }

    /// Whether to warn at `now`, when the thing is seen (again).
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        let quiet_until = *self.quiet_until.get_or_insert(now + self.patience);
        if now < quiet_until {
            return false;
        }
        self.quiet_until = Some(now + EVERY);
        true
    }

    /// The thing is over.
    pub(crate) fn over(&mut self) {
        self.quiet_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_after_a_while_then_every_minute_until_it_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seldom = Seldom::after(Duration::from_secs(5));
        let warned: Vec<u64> = (0..200).filter(|second| seldom.allows(at(*second))).collect();
        assert_eq!(warned, [5, 65, 125, 185]);
        seldom.over();
        assert!(!seldom.allows(at(200)));
        assert!(seldom.allows(at(205)));
        assert!(Seldom::after(Duration::ZERO).allows(start));
    }
}
