//! The data directory: its lock, and the small state that is not in the logs.
//!
//! - `.lock`: held as long as the broker runs, so that two processes never write the same logs.
//! - `meta.json`: cluster id, topics, the next producer id. Replaced as a whole by a rename.
//! - `offsets.jsonl`: committed offsets; see [`crate::group::offsets`].
//! - `<topic>-<partition>/`: the logs.

use crate::error::BrokerError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FORMAT: u32 = 1;

/// An open data directory. The lock goes when it is dropped, or when the process dies.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    _lock: File,
}

/// The content of `meta.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    format: u32,
    pub(crate) cluster_id: String,
    pub(crate) next_producer_id: i64,
    pub(crate) topics: BTreeMap<String, TopicMeta>,
}

/// A topic as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TopicMeta {
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
    pub(crate) configs: BTreeMap<String, String>,
}

impl Meta {
    /// The state of a new cluster.
    pub(crate) fn new() -> Self {
        let cluster_id = Uuid::new_v4().simple().to_string()[..22].to_owned();
        Self { format: FORMAT, cluster_id, next_producer_id: 0, topics: BTreeMap::new() }
    }
}

impl Store {
    /// Creates the directory if it is missing, and locks it.
    pub(crate) fn open(dir: &Path) -> Result<Self, BrokerError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| BrokerError::Storage { action, path, source }
        };
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let path = dir.join(".lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(BrokerError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }

    /// The stored state; that of a new cluster if there is none.
    pub(crate) fn load(&self) -> Result<Meta, BrokerError> {
        let path = self.dir.join("meta.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Meta::new()),
            Err(source) => return Err(BrokerError::Storage { action: "read", path, source }),
        };
        let meta: Meta = serde_json::from_slice(&bytes)
            .map_err(|error| BrokerError::Damaged { path: path.clone(), reason: error.to_string() })?;
        if meta.format != FORMAT {
            let reason = format!("format {} is not known, only {FORMAT}", meta.format);
            return Err(BrokerError::Damaged { path, reason });
        }
        Ok(meta)
    }

    /// Replaces the stored state. After an error the old state is still there.
    pub(crate) fn save(&self, meta: &Meta) -> io::Result<()> {
        let (path, next) = (self.dir.join("meta.json"), self.dir.join("meta.json.next"));
        let bytes = serde_json::to_vec_pretty(meta).map_err(io::Error::other)?;
        let mut file = File::create(&next)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(next, path)
    }

    /// Where the log of a partition is.
    pub(crate) fn partition_dir(&self, topic: &str, partition: i32) -> PathBuf {
        // A topic name cannot hold a separator or be `..`; see `topics::check_name`.
        self.dir.join(format!("{topic}-{partition}"))
    }

    /// Where the committed offsets are.
    pub(crate) fn offsets_path(&self) -> PathBuf {
        self.dir.join("offsets.jsonl")
    }

    /// Removes the log of a partition.
    pub(crate) fn remove_partition(&self, topic: &str, partition: i32) -> io::Result<()> {
        match fs::remove_dir_all(self.partition_dir(topic, partition)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_broker_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(BrokerError::InUse { .. })));
        drop(first);
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn state_is_kept_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let meta = store.load().unwrap();
        store.save(&Meta { next_producer_id: 7, ..meta.clone() }).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!((loaded.next_producer_id, loaded.cluster_id), (7, meta.cluster_id));
        fs::write(dir.path().join("meta.json"), "{").unwrap();
        assert!(matches!(store.load(), Err(BrokerError::Damaged { .. })));
    }
}
