//! The coordinator, as far as a member can tell: epochs, a target for each member, and the rule that a
//! partition goes to its next owner only after the last one said that it gave it up (the rules of Kafka's
//! `CurrentAssignmentBuilder`).

use super::super::{Heartbeat, HeartbeatAnswer, IdPartitions, JOIN_EPOCH, STATIC_LEAVE_EPOCH};
use super::topic_id;
use crate::error::ErrorCode;
use crate::metadata::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

pub(super) const TOPICS: u8 = 2;
pub(super) const PARTITIONS: i32 = 4;
const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 5_000;

type Partitions = BTreeSet<(Uuid, i32)>;

#[derive(Debug, Default)]
pub(super) struct Coordinator {
    epoch: i32,
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Default)]
struct Member {
    epoch: i32,
    previous_epoch: i32,
    seen: u64,
    target: Partitions,
    assigned: Partitions,
    /// To be given up, and since when that is waited for.
    revoking: Partitions,
    revoking_since: u64,
    /// Something of the target is still with others.
    waits: bool,
}

impl Coordinator {
    /// Whether it is a member that did not leave.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.members.get(id).is_some_and(|member| member.epoch != STATIC_LEAVE_EPOCH)
    }

    pub(super) fn heartbeat(
        &mut self,
        now: u64,
        id: &str,
        heartbeat: Heartbeat,
    ) -> Result<HeartbeatAnswer, ErrorCode> {
        let owned: Option<Partitions> = heartbeat.owned.as_ref().map(flat);
        if heartbeat.epoch == JOIN_EPOCH {
            assert_eq!(owned, Some(Partitions::new()), "who joins holds nothing");
            match self.members.get_mut(id) {
                None => {
                    self.members.insert(id.to_owned(), Member::default());
                    self.retarget();
                }
                Some(member) if member.epoch == STATIC_LEAVE_EPOCH => member.epoch = JOIN_EPOCH,
                Some(_) => {}
            }
        } else {
            self.check_epoch(id, heartbeat.epoch, owned.as_ref())?;
        }
        let before = self.members[id].assigned.clone();
        self.advance(now, id, owned.as_ref());
        let member = self.members.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        member.seen = now;
        let told = heartbeat.full || heartbeat.epoch == JOIN_EPOCH || member.assigned != before;
        Ok(HeartbeatAnswer {
            epoch: member.epoch,
            interval: Duration::from_millis(1_000),
            assignment: told.then(|| deep(&member.assigned)),
        })
    }

    /// Whether the member commits a partition under its present epoch: `Ok(false)` if it is refused, an error if
    /// it would be accepted although the partition is not the member's.
    pub(super) fn commit(&self, id: &str, epoch: i32, partition: &TopicPartition) -> Result<bool, ()> {
        let Some(member) = self.members.get(id).filter(|member| member.epoch == epoch) else {
            return Ok(false);
        };
        let known = |(topic, number): &(Uuid, i32)| {
            *number == partition.partition && super::topic_name(topic) == partition.topic
        };
        let mine = member.assigned.iter().chain(&member.revoking).any(known);
        mine.then_some(true).ok_or(())
    }

    /// A static member leaves: what it has is kept for it until its session is over.
    pub(super) fn keep_place(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.epoch = STATIC_LEAVE_EPOCH;
            member.revoking.clear();
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        if self.members.remove(id).is_some() {
            self.retarget();
        }
    }

    pub(super) fn forget_everyone(&mut self) {
        self.members.clear();
    }

    pub(super) fn tick(&mut self, now: u64) {
        let late = |member: &Member| {
            let revokes_for_long = !member.revoking.is_empty() && now > member.revoking_since + REBALANCE_MS;
            now > member.seen + SESSION_MS || revokes_for_long
        };
        let late: Vec<String> =
            self.members.iter().filter(|(_, m)| late(m)).map(|(id, _)| id.clone()).collect();
        for id in late {
            self.remove(&id);
        }
    }

    fn check_epoch(&self, id: &str, epoch: i32, owned: Option<&Partitions>) -> Result<(), ErrorCode> {
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let lags =
            epoch == member.previous_epoch && owned.is_some_and(|owned| owned.is_subset(&member.assigned));
        if epoch == member.epoch || (epoch < member.epoch && lags) {
            return Ok(());
        }
        Err(ErrorCode::FENCED_MEMBER_EPOCH)
    }

    fn retarget(&mut self) {
        self.epoch += 1;
        let count = self.members.len();
        for (at, member) in self.members.values_mut().enumerate() {
            let mine = |number: &usize| number % count == at;
            let all = (0..TOPICS).flat_map(|t| (0..PARTITIONS).map(move |p| (topic_id(t), p)));
            member.target = all.enumerate().filter(|(number, _)| mine(number)).map(|(_, tp)| tp).collect();
        }
    }

    /// One step of the member towards its target.
    fn advance(&mut self, now: u64, id: &str, owned: Option<&Partitions>) {
        let others = self.members.iter().filter(|(other, _)| *other != id);
        let taken: Partitions = others.flat_map(|(_, m)| m.assigned.union(&m.revoking)).copied().collect();
        let epoch = self.epoch;
        let Some(member) = self.members.get_mut(id) else { return };
        let still_holds = |goes: &Partitions| owned.is_none_or(|owned| !owned.is_disjoint(goes));
        if !member.revoking.is_empty() {
            if still_holds(&member.revoking) {
                return;
            }
        } else if member.epoch == epoch && !member.waits {
            return;
        }
        let kept: Partitions = &member.assigned & &member.target;
        let goes: Partitions = &member.assigned - &member.target;
        let wanted: Partitions = &member.target - &kept;
        let free: Partitions = &wanted - &taken;
        member.waits = free.len() < wanted.len();
        member.assigned = kept;
        if !goes.is_empty() && still_holds(&goes) {
            member.revoking = goes;
            member.revoking_since = now;
            return;
        }
        member.revoking.clear();
        member.assigned.extend(free);
        if member.epoch != epoch {
            member.previous_epoch = member.epoch;
            member.epoch = epoch;
        }
    }
}

fn flat(partitions: &IdPartitions) -> Partitions {
    partitions.iter().flat_map(|(id, numbers)| numbers.iter().map(|number| (*id, *number))).collect()
}

fn deep(partitions: &Partitions) -> IdPartitions {
    let mut deep = IdPartitions::new();
    for (id, number) in partitions {
        deep.entry(*id).or_default().insert(*number);
    }
    deep
}
