//! One fetch: the request by the broker's session, the answer as what it brought for each partition.
//!
//! Up to version 12 topics go by name, from 13 on by id (KIP-516), if the metadata tells the ids of all. Leaders that an
//! answer names are known to the whole cluster handle at once (KIP-951). Batches are split and checked here,
//! once, outside of any lock; large compressed answers are read by a thread of the blocking pool.

use super::ConsumerConfig;
use super::records::{Aborted, ReadOptions, read_region};
use super::session::{FetchSession, SessionRequest};
use super::shared::Shared;
use super::state::{Asked, Fetched};
use crate::connection::ConnectionClass;
use crate::error::{ClientError, ErrorCode};
use crate::metadata::{BrokerInfo, LeaderHint, NodeId, TopicPartition};
use crate::text::{str_bytes, topic_name};
use bytes::Bytes;
use crossdock_wire::{BatchHeader, Compression};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{NodeEndpoint, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const MAX_VERSION: i16 = 18;
/// From the next one on, topics go by id.
const MAX_NAMED_VERSION: i16 = 12;
/// Well below the largest frame that a connection takes; the broker may send one batch more.
const MAX_FETCH_BYTES: i32 = 64 << 20;

/// Requests in a row that had nothing to name, after which a broker may wait longer: ten seconds by default.
const QUIET: u32 = 20;

/// Compressed bytes of an answer that are decompressed at once, rather than by a thread of the blocking pool.
const INLINE: usize = 16 << 10;

/// Fetches `partitions` of one broker. What is missing in the result has nothing new.
pub(super) async fn fetch(
    shared: &Arc<Shared>,
    node: NodeId,
    session: &mut FetchSession,
    partitions: Vec<Asked>,
) -> Vec<(Asked, Fetched)> {
    let (is_full, by_id, response) = match call(shared, node, session, &partitions).await {
        Ok(answer) => answer,
        Err(error) => {
            session.lost();
            return failed(shared, node, error, partitions);
        }
    };
    let code = ErrorCode(response.error_code);
    let id = response.session_id;
    let (answers, complete) = match code.ok() {
        Ok(()) if is_worth_a_thread(&response) => {
            let shared = shared.clone();
            let reading = move || read(&shared, response, partitions, is_full, by_id);
            match tokio::task::spawn_blocking(reading).await {
                Ok(read) => read,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime ends.
                    Err(_) => return Vec::new(),
                },
            }
        }
        Ok(()) => read(shared, response, partitions, is_full, by_id),
        Err(code) => {
            let refused = |asked| (asked, Fetched::Refused(code));
            (partitions.into_iter().map(refused).collect(), true)
        }
    };
    if session.answered(code, id, complete) {
        tracing::debug!(%node, %code, "the fetch session is over and begins anew");
        return Vec::new();
    }
    answers
}

async fn call(
    shared: &Shared,
    node: NodeId,
    session: &mut FetchSession,
    partitions: &[Asked],
) -> Result<(bool, bool, FetchResponse), ClientError> {
    let connection = shared.cluster.connection(node, ConnectionClass::Fetch).await?;
    let have_ids = partitions.iter().all(|asked| !asked.topic_id.is_nil());
    let max_version = if have_ids { MAX_VERSION } else { MAX_NAMED_VERSION };
    let by_id = connection.version_of::<FetchRequest>(max_version)? > MAX_NAMED_VERSION;
    let ask = session.ask(partitions, by_id);
    let is_full = ask.is_full();
    let max_wait = max_wait(&shared.config, session);
    let request = request(shared, partitions, &ask, by_id, max_wait);
    let timeout = shared.cluster.config().request_timeout + max_wait;
    let response = connection.call(max_version, timeout, |_| request).await?;
    Ok((is_full, by_id, response))
}

/// How long the broker may wait. Where one byte is enough for an answer, a longer wait delays no record; what it delays
/// is that another position is asked for, so only a consumer that has been quiet waits longer.
fn max_wait(config: &ConsumerConfig, session: &FetchSession) -> Duration {
    let quiet = config.fetch_min_bytes <= 1 && session.is_quiet(QUIET);
    if quiet { config.fetch_max_wait.max(config.fetch_quiet_max_wait) } else { config.fetch_max_wait }
}

fn failed(
    shared: &Shared,
    node: NodeId,
    error: ClientError,
    partitions: Vec<Asked>,
) -> Vec<(Asked, Fetched)> {
    match &error {
        // Credentials and certificates may be renewed: the application hears of it, and decides.
        _ if error.is_authentication() => shared.report_refusal(error),
        // A broken answer may be an accident of this connection, which is closed now.
        ClientError::Protocol { .. } => tracing::warn!(%node, %error, "a fetch failed and is repeated"),
        _ if error.is_retriable() => tracing::info!(%node, %error, "a fetch failed and is repeated"),
        _ => {
            let failed = |asked| (asked, Fetched::Failed(error.clone().into()));
            return partitions.into_iter().map(failed).collect();
        }
    }
    partitions.into_iter().map(|asked| (asked, Fetched::Nothing)).collect()
}

fn request(
    shared: &Shared,
    partitions: &[Asked],
    ask: &SessionRequest,
    by_id: bool,
    max_wait: Duration,
) -> FetchRequest {
    let config = &shared.config;
    let named = |topic: &str| if by_id { Default::default() } else { topic_name(topic) };
    let id = |id: Uuid| if by_id { id } else { Uuid::nil() };
    // In the plan's order: the broker fills partitions in the order of the request until fetch.max.bytes.
    let topics = ask.send.chunk_by(|a, b| partitions[*a].tp.topic == partitions[*b].tp.topic).map(|run| {
        let first = &partitions[run[0]];
        let partitions = run.iter().map(|at| {
            let asked = &partitions[*at];
            FetchPartition::default()
                .with_partition(asked.tp.partition)
                .with_current_leader_epoch(asked.leader_epoch)
                .with_fetch_offset(asked.offset)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(config.max_partition_fetch_bytes)
        });
        FetchTopic::default()
            .with_topic(named(&first.tp.topic))
            .with_topic_id(id(first.topic_id))
            .with_partitions(partitions.collect())
    });
    let forgotten = ask.forget.chunk_by(|a, b| (&a.0.topic, a.1) == (&b.0.topic, b.1)).map(|run| {
        ForgottenTopic::default()
            .with_topic(named(&run[0].0.topic))
            .with_topic_id(id(run[0].1))
            .with_partitions(run.iter().map(|(tp, _)| tp.partition).collect())
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(config.fetch_min_bytes)
        .with_max_bytes(shared.expansion.to_ask_for(config.fetch_max_bytes.min(MAX_FETCH_BYTES)))
        .with_isolation_level(config.isolation_level.number())
        .with_session_id(ask.id)
        .with_session_epoch(ask.epoch)
        .with_topics(topics.collect())
        .with_forgotten_topics_data(forgotten.collect())
        .with_rack_id(str_bytes(config.client_rack.as_deref().unwrap_or_default()))
}

/// Reads what came for the partitions that were asked for. The second value tells whether the answer fits the request.
fn read(
    shared: &Shared,
    response: FetchResponse,
    partitions: Vec<Asked>,
    is_full: bool,
    by_id: bool,
) -> (Vec<(Asked, Fetched)>, bool) {
    let FetchResponse { responses, node_endpoints, .. } = response;
    // By id or by name; the other is empty.
    let mut answered: HashMap<(Uuid, StrBytes, i32), PartitionData> = HashMap::new();
    for topic in responses {
        for data in topic.partitions {
            answered.insert((topic.topic_id, topic.topic.0.clone(), data.partition_index), data);
        }
    }
    let mut answers = Vec::with_capacity(answered.len());
    let mut complete = true;
    let mut hints = Vec::new();
    let most = usize::try_from(shared.config.fetch_max_bytes).unwrap_or(0).max(1);
    let (mut budget, mut arrived) = (most, 0);
    for asked in partitions {
        if answered.is_empty() && !is_full {
            break;
        }
        let key = if by_id {
            (asked.topic_id, StrBytes::default(), asked.tp.partition)
        } else {
            (Uuid::nil(), str_bytes(&asked.tp.topic), asked.tp.partition)
        };
        let fetched = match answered.remove(&key) {
            Some(data) => {
                hints.extend(leader_hint(&asked.tp, &data));
                let compressed = is_compressed(&data);
                arrived += data.records.as_ref().filter(|_| compressed).map_or(0, Bytes::len);
                read_partition(shared, &asked, data, &mut budget)
            }
            None if is_full => {
                complete = false;
                Fetched::Nothing
            }
            None => continue,
        };
        answers.push((asked, fetched));
    }
    complete &= answered.is_empty();
    shared.expansion.learn(arrived, most - budget, budget == 0);
    if !hints.is_empty() {
        learn_leaders(shared, &hints, &node_endpoints, &mut answers);
    }
    (answers, complete)
}

fn leader_hint(tp: &TopicPartition, data: &PartitionData) -> Option<LeaderHint> {
    let (leader, epoch) = (data.current_leader.leader_id.0, data.current_leader.leader_epoch);
    (leader >= 0 && epoch >= 0).then(|| LeaderHint { tp: tp.clone(), leader: NodeId(leader), epoch })
}

/// Takes over the leaders that an answer names (KIP-951); partitions whose leader is known by that go on there at once.
fn learn_leaders(
    shared: &Shared,
    hints: &[LeaderHint],
    endpoints: &[NodeEndpoint],
    answers: &mut [(Asked, Fetched)],
) {
    let broker = |e: &NodeEndpoint| BrokerInfo::named(e.node_id.0, &e.host, e.port, e.rack.as_deref());
    shared.cluster.learn_leaders(hints, endpoints.iter().filter_map(broker));
    let metadata = shared.cluster.metadata();
    for (asked, fetched) in answers {
        let outdated = matches!(
            fetched,
            Fetched::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH)
        );
        let leader = metadata.leader(&asked.tp.topic, asked.tp.partition);
        if outdated && leader.is_ok_and(|(_, epoch)| epoch > asked.leader_epoch) {
            *fetched = Fetched::Moved;
        }
    }
}

/// Whether there is enough to be decompressed that it must not keep other fetches waiting.
fn is_worth_a_thread(response: &FetchResponse) -> bool {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let compressed = partitions.filter(|data| is_compressed(data));
    compressed.map(|data| data.records.as_ref().map_or(0, Bytes::len)).sum::<usize>() > INLINE
}

/// Whether what came for a partition begins with a compressed batch.
fn is_compressed(data: &PartitionData) -> bool {
    let first = data.records.as_ref().and_then(|records| BatchHeader::parse(records).ok());
    first.is_some_and(|header| header.compression() != Compression::None)
}

fn read_partition(shared: &Shared, asked: &Asked, data: PartitionData, budget: &mut usize) -> Fetched {
    if let Err(code) = ErrorCode(data.error_code).ok() {
        return Fetched::Refused(code);
    }
    let region = data.records.unwrap_or_default();
    let diverging = (data.diverging_epoch.epoch, data.diverging_epoch.end_offset);
    if diverging.0 >= 0 && diverging.1 >= 0 {
        return Fetched::Diverging(Some(diverging));
    }
    if region.is_empty() && data.preferred_read_replica.0 >= 0 {
        return Fetched::Replica(NodeId(data.preferred_read_replica.0));
    }
    let options = ReadOptions {
        check_crcs: shared.config.check_crcs,
        max_decompressed_bytes: shared.config.max_decompressed_bytes,
        isolation: shared.config.isolation_level,
        max_partition_bytes: shared.config.max_partition_fetch_bytes,
    };
    let aborted = data.aborted_transactions.unwrap_or_default().into_iter();
    let aborted =
        aborted.map(|a| Aborted { producer_id: a.producer_id.0, first_offset: a.first_offset }).collect();
    Fetched::Region(Box::new(read_region(
        &asked.tp,
        region,
        asked.offset,
        data.high_watermark,
        aborted,
        options,
        budget,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;
    use crate::config::ClientConfig;
    use std::collections::BTreeMap;

    #[test]
    fn a_quiet_consumer_waits_longer_if_one_byte_is_enough() {
        let config = |settings: &[(&str, &str)]| {
            let map = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            ConsumerConfig::from_map(&map).unwrap()
        };
        let (busy, mut quiet) = (FetchSession::default(), FetchSession::default());
        for round in 0..=QUIET {
            quiet.ask(&[], false);
            quiet.answered(ErrorCode::NONE, 1, true);
            let wait = if round + 1 < QUIET { 500 } else { 2000 };
            assert_eq!(max_wait(&config(&[]), &quiet).as_millis(), wait, "{round}");
        }
        for (settings, expected) in [
            (&[("fetch.min.bytes", "2")][..], 500),
            (&[("fetch.max.wait.ms", "3000")], 3000),
            (&[("crossdock.fetch.quiet.max.wait.ms", "0")], 500),
        ] {
            assert_eq!(max_wait(&config(settings), &quiet).as_millis(), expected, "{settings:?}");
        }
        assert_eq!(max_wait(&config(&[]), &busy).as_millis(), 500);
    }

    #[tokio::test]
    async fn a_refused_login_is_told_and_the_fetch_is_repeated() {
        let cluster = Cluster::new(ClientConfig::new("127.0.0.1:1").unwrap());
        let shared = Shared::new(cluster, ConsumerConfig::from_map(&BTreeMap::new()).unwrap());
        let asked = |partition| Asked {
            tp: TopicPartition::new("t", partition),
            topic_id: Uuid::nil(),
            stamp: 1,
            offset: 0,
            offset_epoch: -1,
            leader_epoch: -1,
        };
        let refused = || ClientError::TlsHandshake { broker: "b:1".into(), reason: "expired".to_owned() };
        for _ in 0..2 {
            let answers = failed(&shared, NodeId(1), refused(), vec![asked(0), asked(1)]);
            assert!(answers.len() == 2 && answers.iter().all(|(_, f)| matches!(f, Fetched::Nothing)));
        }
        let told = shared.take_change().unwrap();
        assert!(matches!(told, Err(super::super::ConsumerError::Client(e)) if e.is_authentication()));
        assert!(shared.take_change().is_none(), "once for all that wait to be told");
        let answers = failed(&shared, NodeId(1), ClientError::Closed, vec![asked(0)]);
        assert!(matches!(answers[0].1, Fetched::Failed(_)));
    }
}
