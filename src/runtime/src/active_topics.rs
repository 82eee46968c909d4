//! Which topics a connector uses (KIP-558): its tasks note those that they write to or read from.
//!
//! A task tells of a topic once, not for each record; [`TopicNotes`] is what it has told already. A reset starts that anew.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The topics of one connector, shared by its tasks.
#[derive(Debug, Default)]
pub(crate) struct ActiveTopics {
    names: Mutex<BTreeSet<String>>,
    /// Number of resets.
    resets: AtomicU64,
}

impl ActiveTopics {
    /// The names, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.locked(|names| names.iter().cloned().collect())
    }

    /// Forgets all names; those that are used further are noted again.
    pub(crate) fn reset(&self) {
        self.locked(|names| {
            names.clear();
            self.resets.fetch_add(1, Ordering::Release);
        });
    }

    fn locked<T>(&self, work: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        work(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What one task has noted.
#[derive(Debug, Default)]
pub(crate) struct TopicNotes {
    resets: u64,
    noted: HashSet<String>,
}

impl TopicNotes {
    /// Notes that a topic is used.
    pub(crate) fn note(&mut self, topics: &ActiveTopics, name: &str) {
        let resets = topics.resets.load(Ordering::Acquire);
        if resets != self.resets {
            self.resets = resets;
            self.noted.clear();
        }
        if !self.noted.contains(name) {
            self.noted.insert(name.to_owned());
            topics.locked(|names| names.insert(name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_noted_again_after_a_reset() {
        let topics = ActiveTopics::default();
        let (mut one, mut other) = (TopicNotes::default(), TopicNotes::default());
        for name in ["b", "a", "b"] {
            one.note(&topics, name);
        }
        other.note(&topics, "c");
        assert_eq!(topics.names(), ["a", "b", "c"]);
        topics.reset();
        assert!(topics.names().is_empty());
        one.note(&topics, "b");
        assert_eq!(topics.names(), ["b"]);
    }
}
