//! What a store of source offsets can do (`org.apache.kafka.connect.storage.OffsetBackingStore`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

pub use super::java_map::JavaMapError;

/// Key, and value; null says that the source has no offset for this partition any more.
pub type OffsetEntry = (Bytes, Option<Bytes>);

/// The source offsets of all connectors, as bytes by key. Keys and values mean nothing to a store.
#[async_trait]
pub trait OffsetStore: Send + Sync {
    /// The values of `keys`, in their order; `None` where there is none, or a null. Cancel-safe.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn get(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, OffsetStoreError>;

    /// Stores all `entries`, later ones over earlier ones of the same key; a null stays as a null, as in
    /// Connect. Once this returns they survive a crash, if the store is one that lasts. Readers may see
    /// them earlier. If it is cancelled or fails, all of them or none may be stored, by a later call too.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn set(&self, entries: Vec<OffsetEntry>) -> Result<(), OffsetStoreError>;

    /// All entries, in the order of their keys. Cancel-safe.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn all(&self) -> Result<Vec<OffsetEntry>, OffsetStoreError>;
}

/// Why source offsets cannot be read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetStoreError {
    /// The file holds something else, or only a part. It is left as it is. The operator is asked.
    #[error(
        "the offset file {path} cannot be used: {reason}; it is left as it is. Restore it from a backup, or set another file in offset.storage.file.filename; without its offsets sources start from the beginning"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: JavaMapError,
    },
    /// The file is far too large to be one of offsets.
    #[error(
        "the offset file {path} has {size} bytes, more than the {limit} that source offsets can need; set the right file in offset.storage.file.filename"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A folder, device or the like.
    #[error(
        "offset.storage.file.filename is {path}, which is not a regular file; set the path of a file, which is created when it is not there"
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The folder is not there.
    #[error(
        "the folder of the offset file {path} does not exist; create {folder}, or set another path in offset.storage.file.filename"
    )]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// The system refuses to read or write.
    #[error("cannot {action} the offset file {path}: {source}; {advice}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What to do about it.
        advice: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// More offsets than the format of the file has room for.
    #[error("cannot write the offset file {path}: {reason}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: JavaMapError,
    },
    /// The runtime ended while a write was under way.
    #[error("source offsets were not stored: the worker is going down")]
    Stopped,
}

/// Offsets that last as long as this store: for tests, and for embedders that keep none.
#[derive(Debug, Default)]
pub struct MemoryOffsetStore {
    entries: Mutex<Entries>,
}

#[async_trait]
impl OffsetStore for MemoryOffsetStore {
    async fn get(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, OffsetStoreError> {
        Ok(values(&lock(&self.entries), keys))
    }

    async fn set(&self, entries: Vec<OffsetEntry>) -> Result<(), OffsetStoreError> {
        lock(&self.entries).extend(entries);
        Ok(())
    }

    async fn all(&self) -> Result<Vec<OffsetEntry>, OffsetStoreError> {
        Ok(lock(&self.entries).clone().into_iter().collect())
    }
}

/// Entries in memory.
pub(super) type Entries = BTreeMap<Bytes, Option<Bytes>>;

pub(super) fn values(entries: &Entries, keys: &[Bytes]) -> Vec<Option<Bytes>> {
    keys.iter().map(|key| entries.get(key).cloned().flatten()).collect()
}

/// Locks; nothing that runs under such a lock can leave a map half changed, so poisoning says nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_last_value_and_nulls() {
        let store = MemoryOffsetStore::default();
        let (a, b, c) = (Bytes::from("a"), Bytes::from("b"), Bytes::from("c"));
        let value = |text: &'static str| Some(Bytes::from(text));
        store
            .set(vec![(b.clone(), value("1")), (a.clone(), value("2")), (b.clone(), value("3"))])
            .await
            .unwrap();
        store.set(vec![(a.clone(), None)]).await.unwrap();
        assert_eq!(store.get(&[c, b.clone(), a.clone()]).await.unwrap(), [None, value("3"), None]);
        assert_eq!(store.all().await.unwrap(), [(a, None), (b, value("3"))]);
    }
}
