//! The consumer's place in its group, whichever group protocol it speaks.
//!
//! [`Consumer`](super::Consumer) joins, leaves and commits by this alone, and hears of its assignment through
//! `Shared`; so each protocol is one variant here, with tasks of its own behind it.

use super::config::GroupProtocol;
use super::member::ConsumerMember;
use super::pattern::Subscriber;
use super::remote_member::RemoteMember;
use super::shared::Shared;
use super::watcher;
use crate::error::ConfigError;
use crate::group::{Attendance, CommitError, Group, GroupConfig, OffsetAndMetadata, Standing};
use crate::metadata::TopicPartition;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// A membership; dropping it leaves the group without waiting for it.
#[derive(Debug)]
pub(super) enum Membership {
    Classic(Classic),
    Remote(RemoteMember),
}

/// JoinGroup and SyncGroup: a member leads and computes the assignment.
#[derive(Debug)]
pub(super) struct Classic {
    group: Arc<Group>,
    member: Arc<ConsumerMember>,
    watcher: JoinHandle<()>,
}

impl Membership {
    /// Starts what the membership needs; the group is joined with the first subscription.
    pub(super) fn start(shared: &Arc<Shared>, group_id: Arc<str>) -> Self {
        match shared.config.group_protocol {
            GroupProtocol::Classic => Self::Classic(Classic::start(shared, group_id)),
            GroupProtocol::Consumer => Self::Remote(RemoteMember::start(shared, group_id)),
        }
    }

    pub(super) fn group_id(&self) -> &Arc<str> {
        match self {
            Self::Classic(classic) => &classic.group.config().group_id,
            Self::Remote(remote) => &remote.group.config().group_id,
        }
    }

    /// Subscribes to these topics. `joins` tells that there was no subscription before.
    pub(super) fn subscribe(&self, topics: Vec<Arc<str>>, joins: bool) {
        match self {
            Self::Classic(classic) => classic.subscribe(topics, joins),
            Self::Remote(remote) => remote.subscribe(topics.into_iter().collect()),
        }
    }

    /// Subscribes to the topics that the coordinator finds to match.
    pub(super) fn subscribe_regex(&self, regex: Arc<str>) -> Result<(), ConfigError> {
        match self {
            Self::Classic(_) => {
                let reason = "a pattern that the coordinator matches needs group.protocol=consumer; take a Java pattern";
                Err(ConfigError::Invalid(reason.to_owned()))
            }
            Self::Remote(remote) => {
                remote.subscribe_regex(regex);
                Ok(())
            }
        }
    }

    /// Subscribes to topics that were found elsewhere, and joins if that was not done.
    pub(super) fn subscriber(&self) -> Subscriber {
        match self {
            Self::Classic(classic) => {
                let (group, member) = (classic.group.clone(), classic.member.clone());
                Box::new(move |topics| {
                    let changed = member.subscribe(topics);
                    // Nothing happens if the group was joined before.
                    group.join();
                    if changed {
                        group.rejoin("other topics match the pattern");
                    }
                })
            }
            Self::Remote(remote) => remote.subscriber(),
        }
    }

    /// The application attends to the group until the guard is dropped.
    pub(super) fn attend(&self) -> Attendance<'_> {
        match self {
            Self::Classic(classic) => classic.group.attend(),
            Self::Remote(remote) => remote.group.attend(),
        }
    }

    /// Whether, and as what, offsets can be committed.
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Classic(classic) => classic.group.standing(),
            Self::Remote(remote) => remote.group.standing(),
        }
    }

    /// Commits as a member; a topic that the coordinator does not know is given up after `patience`.
    pub(super) async fn commit(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        patience: Duration,
    ) -> Result<(), CommitError> {
        match self {
            Self::Classic(classic) => classic.group.commit_within(offsets, patience).await,
            Self::Remote(remote) => remote.group.commit_within(offsets, patience).await,
        }
    }

    /// Asks for a rebalance, if members assign.
    pub(super) fn enforce_rebalance(&self, reason: &str) {
        match self {
            Self::Classic(classic) => classic.group.rejoin(reason.to_owned()),
            Self::Remote(_) => tracing::debug!(reason, "in the consumer protocol the coordinator assigns"),
        }
    }

    /// Leaves the group and waits, for a few seconds at most, until the coordinator knows.
    pub(super) async fn leave(&self) {
        match self {
            Self::Classic(classic) => {
                classic.member.subscribe(Vec::new());
                classic.group.leave().await;
            }
            Self::Remote(remote) => remote.leave().await,
        }
    }
}

impl Classic {
    fn start(shared: &Arc<Shared>, group_id: Arc<str>) -> Self {
        let config = GroupConfig {
            group_id,
            protocol_type: "consumer",
            instance_id: shared.config.group_instance_id.clone(),
            session_timeout: shared.config.session_timeout,
            heartbeat_interval: shared.config.heartbeat_interval,
            rebalance_timeout: shared.config.max_poll_interval,
            max_poll_interval: shared.config.max_poll_interval,
        };
        let member = ConsumerMember::new(shared.clone());
        let group = Arc::new(Group::start(shared.cluster.clone(), config, Arc::new(member.clone())));
        let watcher =
            tokio::spawn(watcher::run(shared.clone(), member.clone(), group.clone()).in_current_span());
        Self { group, member, watcher }
    }

    fn subscribe(&self, topics: Vec<Arc<str>>, joins: bool) {
        let changed = self.member.subscribe(topics);
        if joins {
            self.group.join();
        } else if changed {
            self.group.rejoin("the subscription changed");
        }
    }
}

impl Drop for Classic {
    fn drop(&mut self) {
        // It holds a handle of the group, which would go on without the consumer.
        self.watcher.abort();
    }
}
