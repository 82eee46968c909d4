//! Operations on several items: each is asked where it belongs, and asked again while that may help.
//!
//! A round asks for all items that are open. An item is settled when it succeeded or failed for good;
//! the others are asked again after a wait, at another broker if theirs moved, until
//! `default.api.timeout.ms`.

use super::{Admin, ItemResult};
use crate::backoff::Backoff;
use crate::cluster::CoordinatorKind;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{NodeId, TopicPartition, TopicSelection};
use futures_util::future::join_all;
use kafka_protocol::protocol::Request;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use tokio::time::Instant;

/// What became of the items of a round; the outer error is about all of them.
pub(super) type Round<K, T> = Result<Vec<ItemResult<K, T>>, ClientError>;

impl Admin {
    /// Runs rounds for items that are not led by brokers: they are asked again if who was asked has moved
    /// or is not available; that a topic is not known is final, as in Java. Results come in the order of
    /// `items`. The outer error is given only if no round was answered.
    pub(super) async fn each<K, T, F>(
        &self,
        api: &'static str,
        items: &[K],
        round: impl Fn(Vec<K>) -> F,
    ) -> Round<K, T>
    where
        K: Clone + Eq + Hash + Display,
        T: Clone,
        F: Future<Output = Round<K, T>>,
    {
        self.repeat(api, items, has_moved, round).await
    }

    async fn repeat<K, T, F>(
        &self,
        api: &'static str,
        items: &[K],
        again: fn(&ClientError) -> bool,
        round: impl Fn(Vec<K>) -> F,
    ) -> Round<K, T>
    where
        K: Clone + Eq + Hash + Display,
        T: Clone,
        F: Future<Output = Round<K, T>>,
    {
        let config = self.cluster.config();
        let timeout = config.default_api_timeout;
        let deadline = Instant::now() + timeout;
        let mut backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        let mut results: HashMap<K, Result<T, ClientError>> = HashMap::new();
        let mut unanswered = None;
        let mut open = distinct(items);
        while !open.is_empty() {
            match round(open.clone()).await {
                Ok(answered) => {
                    results.extend(answered);
                    unanswered = None;
                }
                Err(error) => {
                    if results.is_empty() {
                        unanswered = Some(error.clone());
                    }
                    results.extend(open.iter().map(|item| (item.clone(), Err(error.clone()))));
                }
            }
            let retriable = |item: &K| results.get(item)?.as_ref().err().filter(|e| again(e));
            open.retain(|item| retriable(item).is_some());
            if open.iter().filter_map(retriable).any(ClientError::refreshes_metadata) {
                self.cluster.request_refresh();
            }
            let wait = backoff.next();
            if open.is_empty() || Instant::now() + wait >= deadline {
                break;
            }
            if unanswered.is_some() {
                results.clear();
            }
            tokio::time::sleep(wait).await;
        }
        let exhausted = |last: ClientError| {
            if !again(&last) {
                return last;
            }
            ClientError::Exhausted { what: api.to_owned(), after: timeout, last: Box::new(last) }
        };
        if let Some(error) = unanswered {
            return Err(exhausted(error));
        }
        let result = |item: &K| match results.get(item) {
            Some(result) => result.clone().map_err(exhausted),
            None => Err(missing_item(api, item)),
        };
        Ok(items.iter().map(|item| (item.clone(), result(item))).collect())
    }

    /// Each partition at its leader, of which metadata is asked for before each round. `ask` gets the
    /// leader's epochs too.
    pub(super) async fn at_leaders<T, F>(
        &self,
        api: &'static str,
        partitions: &[TopicPartition],
        ask: impl Fn(NodeId, Vec<(TopicPartition, i32)>) -> F,
    ) -> Round<TopicPartition, T>
    where
        T: Clone,
        F: Future<Output = Round<TopicPartition, T>>,
    {
        let ask = &ask;
        let round = |open: Vec<TopicPartition>| async move {
            let topics: BTreeSet<Arc<str>> = open.iter().map(|p| p.topic.clone()).collect();
            let topics = TopicSelection::Once(topics.into_iter().collect());
            let snapshot = self.cluster.refresh(topics, false).await?;
            let (mut led, mut results) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
            for partition in open {
                match snapshot.leader(&partition.topic, partition.partition) {
                    Ok((node, epoch)) => led.entry(node).or_default().push((partition, epoch)),
                    Err(error) => results.push((partition, Err(error))),
                }
            }
            let asked = led.into_iter().map(|(node, items)| async move {
                let partitions: Vec<_> = items.iter().map(|(p, _)| p.clone()).collect();
                ask(node, items).await.unwrap_or_else(|error| all_failed(partitions, &error))
            });
            results.extend(join_all(asked).await.into_iter().flatten());
            Ok(results)
        };
        self.repeat(api, partitions, ClientError::is_retriable, round).await
    }

    /// Each group or transactional id at its coordinator.
    pub(super) async fn at_coordinators<T, F>(
        &self,
        api: &'static str,
        kind: CoordinatorKind,
        keys: &[String],
        ask: impl Fn(NodeId, Vec<String>) -> F,
    ) -> Round<String, T>
    where
        T: Clone,
        F: Future<Output = Round<String, T>>,
    {
        let ask = &ask;
        let round = |open: Vec<String>| async move {
            let (mut coordinated, mut results) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
            for (key, found) in self.cluster.coordinators_once(kind, &open).await? {
                match found {
                    Ok(node) => coordinated.entry(node).or_default().push(key),
                    Err(error) => results.push((key, Err(error))),
                }
            }
            let asked = coordinated.into_iter().map(|(node, keys)| async move {
                ask(node, keys.clone()).await.unwrap_or_else(|error| all_failed(keys, &error))
            });
            results.extend(join_all(asked).await.into_iter().flatten());
            for (key, result) in &results {
                if result.as_ref().is_err_and(leaves_coordinator) {
                    self.cluster.forget_coordinator_of(kind, key);
                }
            }
            Ok(results)
        };
        self.each(api, keys, round).await
    }

    /// The items of one group at its coordinator, which moves with all of them.
    pub(super) async fn at_coordinator<K, T, F>(
        &self,
        api: &'static str,
        group: &str,
        items: &[K],
        ask: impl Fn(NodeId, Vec<K>) -> F,
    ) -> Round<K, T>
    where
        K: Clone + Eq + Hash + Display,
        T: Clone,
        F: Future<Output = Round<K, T>>,
    {
        let ask = &ask;
        let round = |open: Vec<K>| async move {
            let node = self.cluster.coordinator(group).await?;
            let answered = ask(node, open).await;
            let left = match &answered {
                Ok(results) => results.iter().any(|(_, r)| r.as_ref().is_err_and(leaves_coordinator)),
                Err(error) => leaves_coordinator(error),
            };
            if left {
                self.cluster.forget_coordinator(group);
            }
            answered
        };
        self.each(api, items, round).await
    }

    /// Every broker that is up. A broker that fails is an item that fails.
    pub(super) async fn at_all_brokers<T, F>(
        &self,
        api: &'static str,
        ask: impl Fn(NodeId) -> F,
    ) -> Round<NodeId, T>
    where
        T: Clone,
        F: Future<Output = Result<T, ClientError>>,
    {
        let refresh = || self.cluster.refresh(TopicSelection::None, false);
        let snapshot = self.retrying("finding all brokers", refresh).await?;
        let nodes: Vec<NodeId> = snapshot.brokers.keys().copied().collect();
        let ask = &ask;
        let round = |open: Vec<NodeId>| async move {
            let asked = open.into_iter().map(|node| async move { (node, ask(node).await) });
            Ok(join_all(asked).await)
        };
        self.each(api, &nodes, round).await
    }

    /// One call to one broker, without a retry.
    pub(super) async fn ask<R: Request>(
        &self,
        node: NodeId,
        request: R,
        max_version: i16,
    ) -> Result<R::Response, ClientError> {
        let timeout = self.cluster.config().request_timeout;
        self.cluster.call(node, ConnectionClass::Admin, request, max_version, timeout).await
    }
}

/// Whether who was asked has moved, or is busy, or cannot be reached for now.
fn has_moved(error: &ClientError) -> bool {
    const CODES: [ErrorCode; 7] = [
        ErrorCode::CONCURRENT_TRANSACTIONS,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_CONTROLLER,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::THROTTLING_QUOTA_EXCEEDED,
        ErrorCode::UNSTABLE_OFFSET_COMMIT,
    ];
    match error.code() {
        Some(code) => CODES.contains(&code),
        None => error.is_retriable(),
    }
}

/// Whether the coordinator should be looked for again.
fn leaves_coordinator(error: &ClientError) -> bool {
    match error.code() {
        Some(code) => [ErrorCode::NOT_COORDINATOR, ErrorCode::COORDINATOR_NOT_AVAILABLE].contains(&code),
        None => error.is_retriable(),
    }
}

fn distinct<K: Clone + Eq + Hash>(items: &[K]) -> Vec<K> {
    let mut seen = HashSet::new();
    items.iter().filter(|item| seen.insert(*item)).cloned().collect()
}

pub(super) fn all_failed<K, T>(items: Vec<K>, error: &ClientError) -> Vec<ItemResult<K, T>> {
    items.into_iter().map(|item| (item, Err(error.clone()))).collect()
}

/// An answer that lacks an item that was asked for.
pub(super) fn missing_item(api: &'static str, item: &impl Display) -> ClientError {
    let message = format!("the answer lacks {item}");
    BrokerError::new(ErrorCode::UNKNOWN_SERVER_ERROR, api).message(Some(&message)).into()
}

/// Results in the order in which the items were asked for; brokers answer in any.
pub(super) fn in_order<K: Hash + Eq + Display, T: Clone>(
    api: &'static str,
    asked: impl IntoIterator<Item = K>,
    results: impl IntoIterator<Item = ItemResult<K, T>>,
) -> Vec<ItemResult<K, T>> {
    let results: HashMap<K, Result<T, ClientError>> = results.into_iter().collect();
    let result = |item: K| {
        let result = results.get(&item).cloned().unwrap_or_else(|| Err(missing_item(api, &item)));
        (item, result)
    };
    asked.into_iter().map(result).collect()
}

/// Collects the items of each topic.
pub(super) fn by_topic<T>(
    items: impl IntoIterator<Item = (TopicPartition, T)>,
) -> impl Iterator<Item = (Arc<str>, Vec<(i32, T)>)> {
    let mut topics: BTreeMap<Arc<str>, Vec<(i32, T)>> = BTreeMap::new();
    for (partition, item) in items {
        topics.entry(partition.topic).or_default().push((partition.partition, item));
    }
    topics.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_that_was_asked_for_and_none_is_missing() {
        let refused = || ClientError::from(BrokerError::new(ErrorCode::TOPIC_ALREADY_EXISTS, "x"));
        let answer = [("c", Ok(3)), ("a", Err(refused()))];
        let results = in_order("x", ["a", "b", "c"], answer);
        let codes: Vec<_> =
            results.iter().map(|(k, r)| (*k, r.as_ref().map_err(ClientError::code))).collect();
        let expected = [
            ("a", Err(Some(ErrorCode::TOPIC_ALREADY_EXISTS))),
            ("b", Err(Some(ErrorCode::UNKNOWN_SERVER_ERROR))),
            ("c", Ok(&3)),
        ];
        assert_eq!(codes, expected);
    }
}
