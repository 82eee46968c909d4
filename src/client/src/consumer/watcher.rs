//! Watches the subscribed topics: those that are missing, and, as the group's leader, those that get
//! more partitions. As in Java's `ConsumerCoordinator`, only the leader asks for a rebalance then.

use super::member::ConsumerMember;
use super::shared::Shared;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::group::Group;
use crate::group::assignor::{TopicLayout, Topics};
use crate::metadata::{MetadataSnapshot, TopicSelection};
use crate::seldom::Seldom;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// While a topic is missing it is looked for this often.
const MISSING_INTERVAL: Duration = Duration::from_millis(500);

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, member: Arc<ConsumerMember>, group: Arc<Group>) {
    // Brokers that create topics need a moment for it.
    let mut missing_long = Seldom::after(Duration::from_secs(5));
    let mut unreachable = Seldom::after(Duration::ZERO);
    let mut refused = BTreeMap::new();
    loop {
        let led = member.led();
        let topics = watched(&member, led.as_ref());
        let mut wait = shared.cluster.config().metadata_max_age;
        if !topics.is_empty() {
            let named = TopicSelection::Named(topics.iter().cloned().collect());
            match shared.cluster.refresh(named, shared.config.allow_auto_create_topics).await {
                Ok(metadata) => {
                    report_refused(&shared, &metadata, &topics, &mut refused);
                    unreachable.over();
                    let missing = missing(&metadata, &topics);
                    if missing.is_empty() {
                        missing_long.over();
                    } else {
                        wait = wait.min(MISSING_INTERVAL);
                        if missing_long.allows(Instant::now()) {
                            warn(&missing, shared.config.allow_auto_create_topics);
                        }
                    }
                    // An assignment that was computed meanwhile is judged in the next round.
                    let racks = shared.config.client_rack.is_some();
                    if changed(&metadata, led.as_ref(), racks) && member.disown(&led) {
                        group.rejoin("topics or partitions changed");
                        wait = wait.min(MISSING_INTERVAL);
                    }
                }
                Err(error) => {
                    if unreachable.allows(Instant::now()) {
                        tracing::warn!(%error, "the subscribed topics could not be looked up; it is tried again");
                    }
                    wait = wait.min(Duration::from_secs(1));
                }
            }
        }
        tokio::select! {
            () = member.to_watcher.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Looks after subscribed topics in whose assignment this member has no part: has missing ones created, if
/// that is allowed, and tells of those that waiting will not bring. Runs until it is aborted.
pub(super) async fn look_after(shared: Arc<Shared>, mut topics: watch::Receiver<BTreeSet<Arc<str>>>) {
    let mut missing_long = Seldom::after(Duration::from_secs(5));
    let mut unreachable = Seldom::after(Duration::ZERO);
    let mut refused = BTreeMap::new();
    loop {
        let wanted = topics.borrow_and_update().clone();
        let mut wait = shared.cluster.config().metadata_max_age;
        if !wanted.is_empty() {
            let named = TopicSelection::Named(wanted.iter().cloned().collect());
            match shared.cluster.refresh(named, shared.config.allow_auto_create_topics).await {
                Ok(metadata) => {
                    report_refused(&shared, &metadata, &wanted, &mut refused);
                    unreachable.over();
                    let missing = missing(&metadata, &wanted);
                    if missing.is_empty() {
                        missing_long.over();
                    } else {
                        wait = wait.min(MISSING_INTERVAL);
                        if missing_long.allows(Instant::now()) {
                            warn(&missing, shared.config.allow_auto_create_topics);
                        }
                    }
                }
                Err(error) => {
                    if unreachable.allows(Instant::now()) {
                        tracing::warn!(%error, "the subscribed topics could not be looked up; it is tried again");
                    }
                    wait = wait.min(Duration::from_secs(1));
                }
            }
        }
        tokio::select! {
            changed = topics.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn watched(member: &ConsumerMember, led: Option<&Topics>) -> BTreeSet<Arc<str>> {
    let mut topics: BTreeSet<_> = member.topics().into_iter().collect();
    topics.extend(led.into_iter().flat_map(|led| led.keys().cloned()));
    topics
}

fn missing(metadata: &MetadataSnapshot, topics: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
    topics.iter().filter(|t| metadata.topic(t).is_none()).cloned().collect()
}

/// Tells the application once of every topic that waiting will not bring.
fn report_refused(
    shared: &Shared,
    metadata: &MetadataSnapshot,
    topics: &BTreeSet<Arc<str>>,
    told: &mut BTreeMap<Arc<str>, ErrorCode>,
) {
    let lasting =
        |code| matches!(code, ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION);
    let refused = topics.iter().filter_map(|t| Some((t.clone(), metadata.topics.get(t)?.error)));
    let refused: BTreeMap<_, _> = refused.filter(|(_, code)| lasting(*code)).collect();
    for (topic, code) in refused.iter().filter(|(topic, code)| told.get(*topic) != Some(*code)) {
        let error = BrokerError::new(*code, "Metadata").topic(topic.clone());
        shared.report(ClientError::from(error).into());
    }
    *told = refused;
}

/// Whether topics have other partitions than those that were assigned; if the member has a rack, also whether
/// their replicas are on other racks (KIP-881).
fn changed(metadata: &MetadataSnapshot, led: Option<&Topics>, racks: bool) -> bool {
    let differs = |topic: &str, was: &TopicLayout| match metadata.topics.get(topic).map(|t| t.error) {
        Some(ErrorCode::NONE) => {
            let now = TopicLayout::from_metadata(metadata, topic);
            now.partitions != was.partitions || (racks && now.racks != was.racks)
        }
        Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => was.partitions != 0,
        // An election, or a permission that is missing for the moment, says nothing of the topic.
        _ => false,
    };
    led.is_some_and(|led| led.iter().any(|(topic, was)| differs(topic, was)))
}

fn warn(missing: &[Arc<str>], create: bool) {
    let next = if create {
        "create it, or allow the brokers to do so (auto.create.topics.enable)"
    } else {
        "create it, or set allow.auto.create.topics"
    };
    tracing::warn!(
        topics = missing.join(","),
        "a subscribed topic does not exist, or may not be described; it is waited for: {next}"
    );
}
