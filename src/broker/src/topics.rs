//! The topics of a broker, by name and by id.

use crate::config::MAX_PARTITIONS;
use crate::log::{Partition, PartitionLog};
use crate::store::{Store, TopicMeta};
use crate::topic_config::Effects;
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use uuid::Uuid;

/// Longest topic name.
const MAX_NAME_LEN: usize = 249;

/// A topic with its partitions. Its configs do not change.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) effects: Effects,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// Opens the logs of a topic; in memory without a store.
    pub(crate) fn open(name: &str, meta: &TopicMeta, store: Option<&Store>) -> io::Result<Self> {
        let open = |partition| {
            let log = match store {
                None => PartitionLog::in_memory(),
                Some(store) => PartitionLog::open(&store.partition_dir(name, partition))?,
            };
            Ok(Arc::new(Partition::new(log)))
        };
        Ok(Self {
            name: name.to_owned(),
            id: meta.id,
            effects: Effects::of(&meta.configs),
            configs: meta.configs.clone(),
            partitions: (0..meta.partitions).map(open).collect::<io::Result<_>>()?,
        })
    }

    /// The partition of that number, if there is one.
    pub(crate) fn partition(&self, number: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(number).ok()?)
    }

    /// The form in which the topic is stored.
    pub(crate) fn meta(&self) -> TopicMeta {
        TopicMeta { id: self.id, partitions: self.partitions.len() as i32, configs: self.configs.clone() }
    }
}

/// All topics. Cheap to search; changed as a whole under the lock of its owner.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Arc<Topic>>,
    names: HashMap<Uuid, String>,
}

impl Topics {
    pub(crate) fn insert(&mut self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        self.names.insert(topic.id, topic.name.clone());
        self.by_name.insert(topic.name.clone(), Arc::clone(&topic));
        topic
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.by_name(self.names.get(&id)?)
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.by_name.values().cloned().collect()
    }

    /// Whether that many partitions may be added.
    pub(crate) fn has_room_for(&self, partitions: i32) -> bool {
        let used: usize = self.by_name.values().map(|topic| topic.partitions.len()).sum();
        usize::try_from(partitions).is_ok_and(|more| used.saturating_add(more) <= MAX_PARTITIONS)
    }

    /// A topic whose name differs from `name` only in `.` and `_`: their metrics would collide.
    pub(crate) fn collision(&self, name: &str) -> Option<&str> {
        let plain = |name: &str| name.replace('.', "_");
        let wanted = plain(name);
        self.by_name.keys().map(String::as_str).find(|known| *known != name && plain(known) == wanted)
    }
}

/// Checks a topic name as `org.apache.kafka.common.internals.Topic` does; the error is meant for the client.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("Topic name is invalid: the empty string is not allowed".into());
    }
    if name == "." || name == ".." {
        return Err("Topic name is invalid: '.' or '..' is not allowed".into());
    }
    if name.len() > MAX_NAME_LEN {
        return Err(format!("Topic name is invalid: it has more than {MAX_NAME_LEN} characters"));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.chars().all(legal) {
        return Ok(());
    }
    Err(format!("Topic name is invalid: '{name}' may hold only ASCII letters and digits, '.', '_' and '-'"))
}

/// The error code for a topic name that is not there.
pub(crate) fn missing(name: &str) -> ResponseError {
    match check_name(name) {
        Ok(()) => ResponseError::UnknownTopicOrPartition,
        Err(_) => ResponseError::InvalidTopicException,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_does() {
        for good in ["a", "A.b_c-9", "..."] {
            check_name(good).unwrap();
        }
        check_name(&"x".repeat(249)).unwrap();
        for bad in ["", ".", "..", "a/b", "a b", "ü", "a\0", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
