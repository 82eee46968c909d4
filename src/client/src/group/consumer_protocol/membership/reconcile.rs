//! From what a member holds to what it is to hold: revoke first, then assign, then tell the coordinator.

use super::{Action, ConsumerMembership, IdPartitions, State};
use crate::metadata::TopicPartition;
use std::collections::BTreeSet;
use std::time::Instant;
use uuid::Uuid;

impl ConsumerMembership {
    /// Begins the next reconciliation, unless one waits for the application. Topics whose names are not
    /// known yet are left out, and asked for; what can be given up or taken meanwhile is.
    pub(super) fn reconcile(&mut self, now: Instant) {
        if self.state != State::Reconciling {
            return;
        }
        if self.looks_up() && !self.lookup.asked && now >= self.lookup.not_before {
            self.lookup.asked = true;
            self.actions.push_back(Action::Resolve(self.nameless()));
        }
        if self.revoking.is_some() {
            return;
        }
        let named = |id: &Uuid| self.names.contains_key(id);
        let assignment: IdPartitions =
            self.target.iter().filter(|(id, _)| named(id)).map(|(id, held)| (*id, held.clone())).collect();
        if assignment == self.current {
            return;
        }
        let goes = without(&self.current, &assignment);
        if !goes.is_empty() {
            let partitions = self.with_names(&goes);
            let step = self.next_number();
            self.revoking = Some((step, goes));
            self.actions.push_back(Action::Revoke { step, partitions });
        } else if !self.in_doubt {
            self.hold(assignment);
        }
    }

    /// The application has given these up.
    pub(super) fn drop_held(&mut self, goes: &IdPartitions) {
        self.current = without(&self.current, goes);
        self.ack_due = true;
        self.settle();
        if self.state == State::Stable && self.current.is_empty() {
            // The application may never have heard of what it gave up, and then of no assignment at all.
            self.actions.push_back(Action::Assign(Vec::new()));
        }
    }

    /// The application holds `assignment` from now on, which is more than before.
    fn hold(&mut self, assignment: IdPartitions) {
        self.current = assignment;
        (self.ack_due, self.told) = (true, true);
        self.actions.push_back(Action::Assign(self.with_names(&self.current)));
        let (current, target) = (&self.current, &self.target);
        self.names.retain(|id, _| current.contains_key(id) || target.contains_key(id));
        self.settle();
    }

    /// Whether there is something to reconcile.
    pub(super) fn settle(&mut self) {
        let reconciled = self.target == self.current && self.revoking.is_none();
        self.state = if reconciled { State::Stable } else { State::Reconciling };
    }

    /// Whether names of topics are missing.
    pub(super) fn looks_up(&self) -> bool {
        self.state == State::Reconciling && self.target.keys().any(|id| !self.names.contains_key(id))
    }

    fn nameless(&self) -> BTreeSet<Uuid> {
        self.target.keys().filter(|id| !self.names.contains_key(id)).copied().collect()
    }

    fn with_names(&self, partitions: &IdPartitions) -> Vec<TopicPartition> {
        let mut named = Vec::new();
        for (id, numbers) in partitions {
            // Only what has a name was ever taken.
            let Some(name) = self.names.get(id) else { continue };
            named.extend(numbers.iter().map(|number| TopicPartition::new(name.clone(), *number)));
        }
        named.sort();
        named
    }
}

/// The partitions of `from` that are not in `other`.
fn without(from: &IdPartitions, other: &IdPartitions) -> IdPartitions {
    let none = BTreeSet::new();
    let rest = from.iter().map(|(id, held)| (*id, held - other.get(id).unwrap_or(&none)));
    rest.filter(|(_, held): &(Uuid, BTreeSet<i32>)| !held.is_empty()).collect()
}
