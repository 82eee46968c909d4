//! Where a partition is read, and whether its position survived a change of its leader.
//!
//! - A change of the leader or its epoch sends a position that knows the epoch of its last record through a check at the new
//!   leader, before fetching goes on (KIP-320). An unclean election may have cut the log off below the position.
//! - A topic that was deleted and created anew has another id: offsets and epochs of the old one mean nothing in it.
//! - A leader may recommend a replica that is nearer (KIP-392); it is read from for a while, as long as it works.

use super::{Asked, Partition, Phase, State};
use crate::consumer::config::OffsetReset;
use crate::consumer::error::ConsumerError;
use crate::error::ErrorCode;
use crate::metadata::{MetadataSnapshot, NodeId, TopicPartition};
use std::collections::HashMap;
use std::time::Instant;
use uuid::Uuid;

/// What a partition knows of those that have its log.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// The leader and its epoch that the fetch position was last compared with.
    pub(super) leader: Option<(NodeId, i32)>,
    /// Nil until it is known.
    pub(super) topic_id: Uuid,
    /// A replica that the leader recommends, until then.
    pub(super) replica: Option<(NodeId, Instant)>,
    /// Whom the last fetch went to; answers of others come too late.
    pub(super) asked: Option<NodeId>,
    /// The metadata's generation in which the leader's epoch was older than that of the position: it lags behind, and is
    /// asked for once more.
    pub(super) behind: Option<u64>,
}

impl Following {
    /// Whom to fetch from.
    pub(super) fn read_from(&self, leader: NodeId, now: Instant, metadata: &MetadataSnapshot) -> NodeId {
        match self.replica {
            Some((replica, until)) if until > now && metadata.brokers.contains_key(&replica) => replica,
            _ => leader,
        }
    }
}

/// Up to where a leader's log agrees with a position: the end of the largest epoch in it that is not
/// above the position's. `None` if the leader knows no such epoch.
pub(in crate::consumer) type Agreement = Option<(i32, i64)>;

impl State {
    /// Compares all partitions with new metadata, or those that were located since with the known one.
    pub(super) fn follow(&mut self, metadata: &MetadataSnapshot) {
        if self.followed == Some(metadata.generation) {
            return;
        }
        self.followed = Some(metadata.generation);
        let mut anew = Vec::new();
        for (tp, partition) in &mut self.partitions {
            let Some(topic) = metadata.topic(&tp.topic) else { continue };
            let known = std::mem::replace(&mut partition.following.topic_id, topic.id);
            if !known.is_nil() && !topic.id.is_nil() && known != topic.id {
                anew.push(tp.clone());
            } else if let Ok((node, epoch)) = metadata.leader(&tp.topic, tp.partition) {
                self.last_stamp += 1;
                partition.follow((node, epoch), metadata.generation, self.last_stamp);
            }
        }
        for tp in anew {
            self.begin_anew(&tp);
        }
    }

    /// The topic of a partition was deleted and created anew.
    fn begin_anew(&mut self, tp: &TopicPartition) {
        let stamp = self.next_stamp();
        let reset = self.limits.reset;
        let Some(partition) = self.partitions.get_mut(tp) else { return };
        if !matches!(partition.phase, Phase::Active | Phase::Unvalidated) {
            return;
        }
        let offset = partition.position.take().unwrap_or(partition.fetch_offset);
        let topic_id = partition.following.topic_id;
        partition.following = Following { topic_id, ..Following::default() };
        (partition.stamp, partition.line) = (stamp, stamp);
        partition.asked = false;
        partition.phase = Phase::NeedsReset(reset);
        let asked = partition.ask(tp, -1);
        self.discard(|of| of == tp);
        let (topic, partition) = (tp.topic.clone(), tp.partition);
        if reset == OffsetReset::None {
            self.rest(asked, ConsumerError::TopicRecreated { topic, partition, offset });
        } else {
            tracing::warn!(topic = &*topic, partition, offset, to = ?reset,
                "the topic was deleted and created anew; the position is set by auto.offset.reset");
        }
    }

    /// Leaders were asked up to where their logs agree with positions; `None` if that has to be tried again, or the leader
    /// is too old to be asked: then the position is taken as it is. Tells whether leaders may have changed.
    pub(in crate::consumer) fn on_agreements(
        &mut self,
        now: Instant,
        asked: Vec<Asked>,
        mut answers: HashMap<TopicPartition, Result<Agreement, ErrorCode>>,
        too_old: bool,
    ) -> bool {
        let mut moved = false;
        for asked in asked {
            let answer = answers.remove(&asked.tp);
            let Some(partition) = self.current(&asked) else { continue };
            partition.asked = false;
            match answer {
                _ if too_old => partition.validated(),
                Some(Ok(agreement)) => self.agree(&asked, agreement),
                Some(Err(code @ ErrorCode::TOPIC_AUTHORIZATION_FAILED)) => {
                    self.refused(now, asked, code, "OffsetForLeaderEpoch");
                }
                Some(Err(_)) | None => {
                    moved = true;
                    self.retry(now, &asked);
                }
            }
        }
        moved
    }

    /// Goes on if the leader has all of the log before the position, as Java's `maybeCompleteValidation`.
    pub(super) fn agree(&mut self, asked: &Asked, agreement: Agreement) {
        let reset = self.limits.reset;
        if let Some((_, end)) = agreement
            && end >= asked.offset
        {
            if let Some(partition) = self.current(asked) {
                partition.validated();
            }
            return;
        }
        // Nothing that is buffered is part of the leader's log any more, or it can be fetched again.
        self.discard(|of| *of == asked.tp);
        self.last_stamp += 1;
        let stamp = self.last_stamp;
        let Some(partition) = self.partitions.get_mut(&asked.tp) else { return };
        let position = partition.position.unwrap_or(asked.offset);
        partition.stamp = stamp;
        partition.phase = Phase::Active;
        match agreement {
            Some((_, end)) if position <= end => {
                partition.fetch_offset = position;
                partition.fetch_epoch = partition.position_epoch;
                return;
            }
            _ => partition.line = stamp,
        }
        match agreement {
            Some((epoch, end)) if reset != OffsetReset::None => {
                partition.position = Some(end);
                partition.position_epoch = epoch;
                partition.fetch_offset = end;
                partition.fetch_epoch = epoch;
            }
            _ => partition.phase = Phase::NeedsReset(reset),
        }
        let asked = Asked { stamp, ..asked.clone() };
        let (topic, partition) = (asked.tp.topic.clone(), asked.tp.partition);
        let agrees_to = agreement.map(|(_, end)| end);
        if reset == OffsetReset::None {
            let offset = position;
            self.rest(asked, ConsumerError::LogTruncated { topic, partition, offset, agrees_to });
        } else {
            tracing::warn!(topic = &*topic, partition, offset = position, agrees_to, to = ?reset,
                "the log was cut off below the position by an unclean leader election; records were lost, and others \
                 may have taken their offsets");
        }
    }
}

impl Partition {
    fn follow(&mut self, leader: (NodeId, i32), generation: u64, stamp: u64) {
        let following = &mut self.following;
        if !matches!(self.phase, Phase::Active | Phase::Unvalidated) || following.leader == Some(leader) {
            return;
        }
        let epoch = leader.1;
        let has_epochs = epoch >= 0 && self.fetch_epoch >= 0;
        if has_epochs && self.fetch_epoch > epoch && following.behind.is_none_or(|at| at == generation) {
            following.behind = Some(generation);
            return;
        }
        following.behind = None;
        following.leader = Some(leader);
        following.replica = None;
        // What was fetched from the leader of this epoch is in its log.
        let check = has_epochs && self.fetch_epoch != epoch;
        if check || self.phase == Phase::Unvalidated {
            self.phase = if check { Phase::Unvalidated } else { Phase::Active };
            self.stamp = stamp;
            self.asked = false;
            self.retry_at = None;
        }
    }

    fn validated(&mut self) {
        if self.phase == Phase::Unvalidated {
            self.phase = Phase::Active;
            self.failures = 0;
        }
    }
}
