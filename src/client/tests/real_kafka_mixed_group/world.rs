//! One topic, one group, its members, and what must hold whoever they are.

use crate::member::{Entry, Member, Told, now};
use crossdock_client::admin::NewTopic;
use crossdock_client::{Admin, ClientConfig, Cluster, ConnectionClass, ConsumerConfig};
use crossdock_testcontainers::Kafka;
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProducerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Ours,
    Java,
}

pub(crate) struct World {
    cluster: Cluster,
    bootstrap: String,
    topic: String,
    group: String,
    partitions: i32,
    /// Appends are idempotent, so that one that is retried is not written twice.
    producer: ProducerStamp,
    sequences: BTreeMap<i32, i32>,
    settings: Vec<(String, String)>,
    members: Vec<Option<Member>>,
    tell: mpsc::UnboundedSender<Entry>,
    inbox: mpsc::UnboundedReceiver<Entry>,
    log: Vec<Entry>,
    held: BTreeMap<usize, BTreeSet<i32>>,
    produced: BTreeSet<String>,
    /// Values with how often they were read.
    read: BTreeMap<String, usize>,
    uncommitted: BTreeMap<usize, usize>,
}

impl World {
    /// A fresh topic and group; all members get `settings`.
    #[allow(dead_code, reason = "not all tests share their broker")]
    pub(crate) async fn new(partitions: i32, settings: &[(&str, &str)]) -> Self {
        // The broker's least session is 6 s.
        let defaults = [("heartbeat.interval.ms", "200"), ("session.timeout.ms", "6000")];
        let bootstrap = Kafka::shared().await.expect("a broker").bootstrap();
        Self::at(bootstrap, partitions, &[&defaults[..], settings].concat()).await
    }

    /// As [`World::new`], at another broker and without settings for the group.
    pub(crate) async fn at(bootstrap: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let bootstrap = bootstrap.to_owned();
        let cluster = Cluster::new(ClientConfig::new(&bootstrap).unwrap());
        let topic = format!("mixed-{}", Uuid::new_v4());
        let new = NewTopic::new(&topic, partitions, -1);
        assert!(Admin::new(cluster.clone()).create_topic(&new).await.unwrap());
        let group = format!("group-{}", Uuid::new_v4());
        let defaults = [("group.id", &*group), ("auto.offset.reset", "earliest")];
        let settings = defaults.iter().chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings = settings.collect();
        let producer = producer(&cluster, &topic).await;
        let (tell, inbox) = mpsc::unbounded_channel();
        Self {
            cluster,
            bootstrap,
            topic,
            group,
            partitions,
            producer,
            sequences: BTreeMap::new(),
            settings,
            members: Vec::new(),
            tell,
            inbox,
            log: Vec::new(),
            held: BTreeMap::new(),
            produced: BTreeSet::new(),
            read: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
        }
    }

    /// The broker that coordinates the group.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) async fn coordinator(&self) -> usize {
        let node = self.cluster.separate().coordinator(&self.group).await.unwrap();
        usize::try_from(node.0).unwrap()
    }

    /// A new member; its number.
    pub(crate) async fn join(&mut self, kind: Kind) -> usize {
        self.join_with(kind, &[]).await
    }

    /// As [`World::join`], with settings of its own.
    pub(crate) async fn join_with(&mut self, kind: Kind, own: &[(&str, &str)]) -> usize {
        let number = self.members.len();
        let tell = self.tell.clone();
        let own = own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut settings: Vec<_> = self.settings.iter().cloned().chain(own).collect();
        let member = match kind {
            Kind::Ours => {
                let config = ConsumerConfig::from_map(&settings.into_iter().collect()).unwrap();
                Member::ours(number, &self.cluster, &self.topic, config, tell)
            }
            Kind::Java => {
                settings.push(("bootstrap.servers".to_owned(), self.bootstrap.clone()));
                Member::java(number, &self.topic, &settings, tell).await
            }
        };
        self.members.push(Some(member));
        number
    }

    /// Lets a member go in order.
    pub(crate) async fn stop(&mut self, member: usize) {
        self.members[member].take().unwrap().stop().await;
        self.until("it is closed", |w| w.closed(member)).await;
    }

    /// Kills a Java member; its session has to end before others get its partitions.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) async fn kill(&mut self, member: usize) {
        self.members[member].take().unwrap().kill().await;
        let told = Told::Lost(self.held.get(&member).cloned().unwrap_or_default());
        self.take(Entry { member, at: now(), told });
    }

    /// `count` new records for every partition.
    pub(crate) async fn produce(&mut self, count: usize) {
        // Brokers delete what is older than a week.
        let created = i64::try_from(now() / 1000).unwrap();
        for partition in 0..self.partitions {
            let mut batch = BatchBuilder::with_capacity(1000);
            for _ in 0..count {
                let value = format!("{partition}-{}", self.produced.len());
                assert!(batch.append(created, None, Some(value.as_bytes()), std::iter::empty()));
                self.produced.insert(value);
            }
            let sequence = self.sequences.entry(partition).or_default();
            let stamp = ProducerStamp { base_sequence: *sequence, ..self.producer };
            *sequence += i32::try_from(count).unwrap();
            let records = batch.finish(stamp, false).to_vec();
            append(&self.cluster, &self.topic, partition, records).await;
        }
    }

    /// How many partitions the member has.
    pub(crate) fn held(&self, member: usize) -> usize {
        self.held.get(&member).map_or(0, BTreeSet::len)
    }

    /// Whether all that was produced was read and committed.
    pub(crate) fn all_read(&self) -> bool {
        self.read.len() == self.produced.len() && self.uncommitted.values().all(|count| *count == 0)
    }

    fn closed(&self, member: usize) -> bool {
        self.log.iter().any(|entry| entry.member == member && entry.told == Told::Closed)
    }

    /// Partitions that the member gave up so far, each as often as it did.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn given_up(&self, member: usize) -> Vec<i32> {
        let of = |entry: &Entry| match &entry.told {
            Told::Revoked(gone) | Told::Lost(gone) if entry.member == member => gone.clone(),
            _ => BTreeSet::new(),
        };
        self.log.iter().flat_map(of).collect()
    }

    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let wait = async {
            while !done(self) {
                let entry = self.inbox.recv().await.unwrap();
                self.take(entry);
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!(
                "not in time: {what}; {} of {} read\n{}",
                self.read.len(),
                self.produced.len(),
                self.changes()
            );
        }
    }

    fn take(&mut self, entry: Entry) {
        let held = self.held.entry(entry.member).or_default();
        match &entry.told {
            Told::Assigned(new) => held.extend(new),
            Told::Revoked(gone) | Told::Lost(gone) => held.retain(|p| !gone.contains(p)),
            Told::Record { value, .. } => {
                *self.read.entry(value.clone()).or_default() += 1;
                *self.uncommitted.entry(entry.member).or_default() += 1;
            }
            Told::Committed => drop(self.uncommitted.insert(entry.member, 0)),
            Told::Closed => {}
        }
        self.log.push(entry);
    }

    fn changes(&self) -> String {
        let changes = self.log.iter().filter(|e| !matches!(e.told, Told::Record { .. } | Told::Committed));
        changes.map(|e| format!("{} member {}: {:?}\n", e.at, e.member, e.told)).collect()
    }

    /// Nothing was read twice, in order, and no partition was held by two members at once.
    pub(crate) fn check(&mut self) {
        while let Ok(entry) = self.inbox.try_recv() {
            self.take(entry);
        }
        let twice: Vec<_> = self.read.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "read more than once: {twice:?}\n{}", self.changes());
        let mut log = self.log.clone();
        log.sort_by_key(|entry| entry.at);
        let mut owners: BTreeMap<i32, usize> = BTreeMap::new();
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for entry in &log {
            match &entry.told {
                Told::Assigned(new) => {
                    for partition in new {
                        let other = owners.insert(*partition, entry.member);
                        assert_eq!(other, None, "{partition} has two owners\n{}", self.changes());
                    }
                }
                Told::Revoked(gone) | Told::Lost(gone) => owners.retain(|p, _| !gone.contains(p)),
                Told::Record { partition, offset, .. } => {
                    assert_eq!(owners.get(partition), Some(&entry.member), "{entry:?}\n{}", self.changes());
                    let expected = next.entry(*partition).or_default();
                    assert_eq!(offset, expected, "{entry:?}\n{}", self.changes());
                    *expected += 1;
                }
                Told::Committed | Told::Closed => {}
            }
        }
    }
}

/// A new producer id.
async fn producer(cluster: &Cluster, topic: &str) -> ProducerStamp {
    let attempt = || async {
        let (node, _) = cluster.leader(topic, 0).await?;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(i32::MAX)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = cluster.call(node, ConnectionClass::Produce, request, 3, PATIENCE).await?;
        let code = crossdock_client::ErrorCode(answer.error_code);
        code.ok().map_err(|code| crossdock_client::BrokerError::new(code, "InitProducerId"))?;
        let (producer_id, producer_epoch) = (answer.producer_id.0, answer.producer_epoch);
        Ok(ProducerStamp { producer_id, producer_epoch, base_sequence: 0 })
    };
    cluster.retrying("getting a producer id", PATIENCE, attempt).await.unwrap()
}

async fn append(cluster: &Cluster, topic: &str, partition: i32, records: Vec<u8>) {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records.into()));
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let data = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let attempt = || async {
        let (node, _) = cluster.leader(topic, partition).await?;
        let answer = cluster.call(node, ConnectionClass::Produce, request.clone(), 9, PATIENCE).await?;
        let code = crossdock_client::ErrorCode(answer.responses[0].partition_responses[0].error_code);
        code.ok().map_err(|code| crossdock_client::BrokerError::new(code, "Produce").into())
    };
    cluster.retrying("producing", PATIENCE, attempt).await.unwrap();
}
