//! The names of strategies, as they stand in configurations and in the group protocol.

use super::{Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor};

/// A strategy that this client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// [`RangeAssignor`].
    Range,
    /// [`RoundRobinAssignor`].
    RoundRobin,
    /// [`StickyAssignor`].
    Sticky,
    /// [`CooperativeStickyAssignor`].
    CooperativeSticky,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// The name in the group protocol.
    pub fn name(self) -> &'static str {
        self.assignor().name()
    }

    /// The Java class of the same algorithm.
    pub fn java_class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        }
    }

    /// By name or Java class (also as `class org…`, as Java prints it).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("class ").unwrap_or(text);
        Self::ALL.into_iter().find(|s| s.name() == text || s.java_class() == text)
    }

    /// Whether its members keep their partitions in a rebalance (KIP-429), if all their strategies do.
    pub fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }

    /// The algorithm.
    pub fn assignor(self) -> &'static dyn Assignor {
        match self {
            Self::Range => &RangeAssignor,
            Self::RoundRobin => &RoundRobinAssignor,
            Self::Sticky => &StickyAssignor,
            Self::CooperativeSticky => &CooperativeStickyAssignor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_classes_are_kafkas() {
        for (text, strategy) in [
            ("range", Strategy::Range),
            ("roundrobin", Strategy::RoundRobin),
            ("sticky", Strategy::Sticky),
            ("cooperative-sticky", Strategy::CooperativeSticky),
            ("class org.apache.kafka.clients.consumer.StickyAssignor", Strategy::Sticky),
        ] {
            assert_eq!(Strategy::parse(text), Some(strategy));
        }
        assert_eq!(Strategy::parse("Range"), None);
    }
}
