//! What all connections of a broker share, and the changes that touch several parts of it.

use crate::config::{Config, MAX_PARTITIONS};
use crate::error::BrokerError;
use crate::faults::FaultHandle;
use crate::group::offsets::Offsets;
use crate::group::{Groups, Limits};
use crate::store::{Meta, Store, TopicMeta};
use crate::sync::{lock, outcome};
use crate::topics::{Topic, Topics, check_name};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::RwLock;
use uuid::Uuid;

/// Producer ids are reserved on disk in blocks, as Kafka's controller does.
const PRODUCER_ID_BLOCK: i64 = 1000;

/// The state of a running broker.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) cluster_id: String,
    pub(crate) groups: Arc<Groups>,
    pub(crate) offsets: Mutex<Offsets>,
    pub(crate) faults: FaultHandle,
    cluster: Mutex<Cluster>,
    store: Option<Store>,
    /// Held for reading by each piece of blocking work.
    under_way: Arc<RwLock<()>>,
}

#[derive(Debug)]
struct Cluster {
    topics: Topics,
    next_producer_id: i64,
    reserved_producer_ids: i64,
}

/// Why a topic was not created; the text is meant for the client.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: ResponseError,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl Shared {
    /// Opens the data directory, if there is one, and recovers all logs in it.
    pub(crate) fn open(config: Config, faults: FaultHandle) -> Result<Self, BrokerError> {
        let store = config.data_dir.as_deref().map(Store::open).transpose()?;
        let (meta, offsets) = match &store {
            None => (Meta::new(), Offsets::default()),
            Some(store) => {
                let meta = store.load()?;
                save(store, &meta)?;
                (meta, Offsets::open(&store.offsets_path())?)
            }
        };
        let topics = open_topics(&meta, store.as_ref())?;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let limits = Limits {
            min_session_timeout: millis(config.min_session_timeout),
            max_session_timeout: millis(config.max_session_timeout),
            initial_rebalance_delay: millis(config.initial_rebalance_delay),
        };
        Ok(Self {
            config,
            cluster_id: meta.cluster_id,
            groups: Arc::new(Groups::new(limits)),
            offsets: Mutex::new(offsets),
            faults,
            cluster: Mutex::new(Cluster {
                topics,
                next_producer_id: meta.next_producer_id,
                reserved_producer_ids: meta.next_producer_id,
            }),
            store,
            under_way: Arc::default(),
        })
    }

    /// Runs what touches the logs or files: on a thread for blocking work if they are on disk.
    /// If the future is dropped, the work still goes on to its end; see [`Shared::settled`].
    pub(crate) async fn blocking<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> R {
        if self.store.is_none() {
            return work(self);
        }
        let shared = Arc::clone(self);
        let under_way = Arc::clone(&self.under_way).read_owned().await;
        outcome(tokio::task::spawn_blocking(move || {
            let result = work(&shared);
            drop(shared);
            drop(under_way);
            result
        }))
        .await
    }

    /// Waits for work that goes on although its connection has been closed.
    pub(crate) async fn settled(&self) {
        drop(self.under_way.write().await);
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        lock(&self.cluster).topics.by_name(name)
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        lock(&self.cluster).topics.by_id(id)
    }

    pub(crate) fn all_topics(&self) -> Vec<Arc<Topic>> {
        lock(&self.cluster).topics.all()
    }

    /// Creates a topic, or with `only_check` says whether it could be. `partitions` is at least 1.
    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        configs: BTreeMap<String, String>,
        only_check: bool,
    ) -> Result<Option<Arc<Topic>>, Refused> {
        check_name(name).map_err(|message| Refused::new(ResponseError::InvalidTopicException, message))?;
        let mut cluster = lock(&self.cluster);
        cluster.check_new(name, partitions)?;
        if only_check {
            return Ok(None);
        }
        let meta = TopicMeta { id: Uuid::new_v4(), partitions, configs };
        let topic = self.open_new(&mut cluster, name, &meta).map_err(|error| {
            tracing::error!(topic = name, %error, "the topic could not be created");
            Refused::new(ResponseError::KafkaStorageError, format!("the topic could not be stored: {error}"))
        })?;
        Ok(Some(cluster.topics.insert(topic)))
    }

    fn open_new(&self, cluster: &mut Cluster, name: &str, meta: &TopicMeta) -> io::Result<Topic> {
        if let Some(store) = &self.store {
            for partition in 0..meta.partitions {
                // Left over from a topic whose deletion was interrupted.
                store.remove_partition(name, partition)?;
            }
        }
        let topic = Topic::open(name, meta, self.store.as_ref())?;
        self.save_meta(cluster, |meta_file| {
            meta_file.topics.insert(name.to_owned(), meta.clone());
        })?;
        Ok(topic)
    }

    /// Deletes a topic, its logs and the offsets committed for it.
    pub(crate) fn delete_topic(&self, name: &str) -> Result<(), ResponseError> {
        let mut cluster = lock(&self.cluster);
        let Some(topic) = cluster.topics.by_name(name) else {
            return Err(ResponseError::UnknownTopicOrPartition);
        };
        let failed = |error: io::Error| {
            tracing::error!(topic = name, %error, "the topic could not be deleted");
            ResponseError::KafkaStorageError
        };
        self.save_meta(&cluster, |meta| {
            meta.topics.remove(name);
        })
        .map_err(failed)?;
        cluster.topics.remove(name);
        for (partition, log) in topic.partitions.iter().enumerate() {
            log.wake();
            if let Some(store) = &self.store {
                store.remove_partition(name, partition as i32).map_err(failed)?;
            }
        }
        drop(cluster);
        lock(&self.offsets).delete_topic(name).map_err(failed)
    }

    /// A producer id that was never given out before.
    pub(crate) fn next_producer_id(&self) -> io::Result<i64> {
        let mut cluster = lock(&self.cluster);
        if cluster.next_producer_id == cluster.reserved_producer_ids {
            let reserved = cluster.reserved_producer_ids + PRODUCER_ID_BLOCK;
            self.save_meta(&cluster, |meta| meta.next_producer_id = reserved)?;
            cluster.reserved_producer_ids = reserved;
        }
        cluster.next_producer_id += 1;
        Ok(cluster.next_producer_id - 1)
    }

    fn save_meta(&self, cluster: &Cluster, change: impl FnOnce(&mut Meta)) -> io::Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut meta = Meta::new();
        meta.cluster_id.clone_from(&self.cluster_id);
        meta.next_producer_id = cluster.reserved_producer_ids;
        let topics = cluster.topics.all();
        meta.topics = topics.iter().map(|topic| (topic.name.clone(), topic.meta())).collect();
        change(&mut meta);
        store.save(&meta)
    }

    /// Makes everything survive a power loss.
    pub(crate) fn sync_all(&self) {
        for topic in self.all_topics() {
            for (partition, log) in topic.partitions.iter().enumerate() {
                if let Err(error) = log.log().sync() {
                    tracing::error!(topic = topic.name, partition, %error, "the log could not be flushed");
                }
            }
        }
        if let Err(error) = lock(&self.offsets).sync() {
            tracing::error!(%error, "the committed offsets could not be flushed");
        }
    }
}

impl Cluster {
    fn check_new(&self, name: &str, partitions: i32) -> Result<(), Refused> {
        if self.topics.by_name(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refused::new(ResponseError::TopicAlreadyExists, message));
        }
        if let Some(other) = self.topics.collision(name) {
            let message = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(Refused::new(ResponseError::InvalidTopicException, message));
        }
        if !self.topics.has_room_for(partitions) {
            let message =
                format!("this broker has at most {MAX_PARTITIONS} partitions in all topics together");
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        Ok(())
    }
}

fn open_topics(meta: &Meta, store: Option<&Store>) -> Result<Topics, BrokerError> {
    let mut topics = Topics::default();
    for (name, topic) in &meta.topics {
        let opened = Topic::open(name, topic, store).map_err(|source| BrokerError::Storage {
            action: "open the logs of",
            path: store.map(|store| store.partition_dir(name, 0)).unwrap_or_default(),
            source,
        })?;
        topics.insert(opened);
    }
    Ok(topics)
}

fn save(store: &Store, meta: &Meta) -> Result<(), BrokerError> {
    let path = store.offsets_path().with_file_name("meta.json");
    store.save(meta).map_err(|source| BrokerError::Storage { action: "write", path, source })
}
