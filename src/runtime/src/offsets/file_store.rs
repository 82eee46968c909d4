//! Source offsets in a file: `offset.storage.file.filename` of a standalone worker
//! (`org.apache.kafka.connect.storage.FileOffsetBackingStore`).
//!
//! The file has Java's format, so a Java worker and this one can take over from each other. Unlike there,
//! a write goes to a file beside it that then takes its place: after a crash there is the old file or
//! the new one, never half of one. Writes happen one at a time; what comes while one is under way goes
//! out with the next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::java_map;
use super::store::{Entries, OffsetEntry, OffsetStore, OffsetStoreError, lock, values};

/// Largest file that is read. A million partitions of a source need about a tenth of it.
const MAX_FILE: u64 = 1024 * 1024 * 1024;

/// All offsets in memory, and a file that follows them.
#[derive(Debug)]
pub struct FileOffsetStore {
    shared: Arc<Shared>,
    /// Number of the change that the file has reached; held while it is written.
    written: Arc<tokio::sync::Mutex<u64>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    entries: Entries,
    /// Number of the last change.
    changes: u64,
}

impl FileOffsetStore {
    /// Reads the offsets. A file that is not there, or has no bytes, is one without offsets; it is only
    /// created by the first [`set`](OffsetStore::set). Blocks while it reads. One worker may use a file.
    ///
    /// # Errors
    /// If the path is no file, the folder does not exist or cannot be written to, or the file is not one
    /// of offsets or only a part of one; it is left as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OffsetStoreError> {
        let path = resolved(path.as_ref());
        let entries = read(&path)?;
        check_folder(&path)?;
        let shared = Shared { path, state: Mutex::new(State { entries, changes: 0 }) };
        Ok(Self { shared: Arc::new(shared), written: Arc::default() })
    }
}

#[async_trait]
impl OffsetStore for FileOffsetStore {
    async fn get(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, OffsetStoreError> {
        Ok(values(&lock(&self.shared.state).entries, keys))
    }

    async fn set(&self, entries: Vec<OffsetEntry>) -> Result<(), OffsetStoreError> {
        let change = {
            let mut state = lock(&self.shared.state);
            state.entries.extend(entries);
            state.changes += 1;
            state.changes
        };
        let mut written = self.written.clone().lock_owned().await;
        if *written >= change {
            return Ok(());
        }
        // The lock goes along: if this future is dropped, the write still ends before the next begins.
        let shared = self.shared.clone();
        let write = tokio::task::spawn_blocking(move || {
            *written = shared.write()?;
            Ok(())
        });
        write.await.unwrap_or(Err(OffsetStoreError::Stopped))
    }

    async fn all(&self) -> Result<Vec<OffsetEntry>, OffsetStoreError> {
        Ok(lock(&self.shared.state).entries.clone().into_iter().collect())
    }
}

impl Shared {
    /// Writes everything; gives the number of the last change that is in the file.
    fn write(&self) -> Result<u64, OffsetStoreError> {
        let (entries, changes) = {
            let state = lock(&self.state);
            (state.entries.clone(), state.changes)
        };
        let bytes = java_map::write(entries.iter().map(|(key, value)| (key, value.as_ref())));
        let bytes =
            bytes.map_err(|reason| OffsetStoreError::Unwritable { path: self.path.clone(), reason })?;
        replace(&self.path, &bytes).map_err(|source| io_error("write", &self.path, source))?;
        Ok(changes)
    }
}

/// Follows links, so that a link is not replaced by a file.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file beside `path` that is written first. Its name is always the same, so that one that a crash
/// left behind does not stay.
fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(".new");
    Some(folder(path).join(name))
}

fn read(path: &Path) -> Result<Entries, OffsetStoreError> {
    let not_a_file = || OffsetStoreError::NotAFile { path: path.to_owned() };
    let io = |source| io_error("read", path, source);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && path.file_name().is_some() => {
            return Ok(Entries::new());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_a_file()),
        Err(error) => return Err(io(error)),
    };
    if !metadata.is_file() {
        return Err(not_a_file());
    }
    if metadata.len() > MAX_FILE {
        return Err(OffsetStoreError::TooLarge {
            path: path.to_owned(),
            size: metadata.len(),
            limit: MAX_FILE,
        });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
    if bytes.is_empty() {
        tracing::warn!(
            path = %path.display(),
            "the offset file is empty: sources start from the beginning. If there were offsets in it, stop the worker and restore it from a backup"
        );
        return Ok(Entries::new());
    }
    let entries = java_map::parse(bytes.into());
    let entries = entries.map_err(|reason| OffsetStoreError::Foreign { path: path.to_owned(), reason })?;
    Ok(entries.into_iter().collect())
}

/// Finds out now, not at the first commit, that offsets could not be written.
fn check_folder(path: &Path) -> Result<(), OffsetStoreError> {
    let folder = folder(path);
    if !folder.is_dir() {
        return Err(OffsetStoreError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let probe = create_beside(path).and_then(|(_, probe)| fs::remove_file(probe));
    probe.map_err(|source| io_error("write", path, source))
}

/// Puts `bytes` in the place of the file, so that they are there after a crash.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, new) = create_beside(path)?;
    let put = || -> io::Result<()> {
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, path)
    };
    put().inspect_err(|_| {
        // Not being able to remove it is the smaller trouble.
        let _ = fs::remove_file(&new);
    })?;
    sync_folder(folder(path))
}

/// A new, empty file beside `path`; never one that someone else put there.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let new = beside(path).ok_or(ErrorKind::InvalidInput)?;
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok((OpenOptions::new().write(true).create_new(true).open(&new)?, new))
}

/// Makes a rename last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> OffsetStoreError {
    let advice = match (source.kind(), action) {
        (ErrorKind::PermissionDenied, "read") => "let the worker's user read it",
        (ErrorKind::PermissionDenied, _) => {
            "let the worker's user create files in its folder, or set another path in offset.storage.file.filename"
        }
        (ErrorKind::ReadOnlyFilesystem, _) => {
            "set a path that can be written to in offset.storage.file.filename"
        }
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => "make room on its disk",
        (ErrorKind::ResourceBusy, _) => "if the file itself is mounted, mount its folder instead",
        _ => "check the disk and offset.storage.file.filename",
    };
    OffsetStoreError::Io { action, path: path.to_owned(), advice, source }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn entry(key: &'static str, value: &'static str) -> OffsetEntry {
        (key.into(), Some(value.into()))
    }

    /// The error, which must not have changed the folder.
    fn refused(path: &Path) -> String {
        FileOffsetStore::open(path).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn offsets_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connect.offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.all().await.unwrap(), []);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no file before the first commit");
        store.set(vec![entry("b", "1"), entry("a", "2")]).await.unwrap();
        store.set(vec![entry("b", "3"), ("c".into(), None)]).await.unwrap();
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.all().await.unwrap(), [entry("a", "2"), entry("b", "3"), ("c".into(), None)]);
        let keys = ["x".into(), "b".into(), "c".into()];
        assert_eq!(store.get(&keys).await.unwrap(), [None, Some("3".into()), None]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_sets_are_all_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o");
        let store = Arc::new(FileOffsetStore::open(&path).unwrap());
        let mut sets = tokio::task::JoinSet::new();
        for i in 0..50 {
            let store = store.clone();
            sets.spawn(async move {
                let key = Bytes::from(format!("k{i:02}"));
                store.set(vec![(key.clone(), Some(key))]).await.unwrap();
            });
        }
        sets.join_all().await;
        assert_eq!(FileOffsetStore::open(&path).unwrap().all().await.unwrap().len(), 50);
    }

    #[tokio::test]
    async fn a_cancelled_set_does_not_disturb_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o");
        let store = FileOffsetStore::open(&path).unwrap();
        for _ in 0..20 {
            let mut set = store.set(vec![entry("a", "1")]);
            // Polled once, it has started a write.
            assert!((&mut set).now_or_never().is_none());
            drop(set);
        }
        store.set(vec![entry("b", "2")]).await.unwrap();
        let read = FileOffsetStore::open(&path).unwrap().all().await.unwrap();
        assert_eq!(read, [entry("a", "1"), entry("b", "2")]);
    }

    #[test]
    fn torn_and_foreign_files_are_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o");
        let whole = java_map::write([(&"k".into(), None)].into_iter()).unwrap();
        for (bytes, reason) in [(&whole[..40], "ends in the middle"), (b"{}", "not a stream of Java")] {
            fs::write(&path, bytes).unwrap();
            let error = refused(&path);
            assert!(error.contains(reason) && error.contains("left as it is"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn a_file_without_bytes_has_no_offsets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o");
        fs::write(&path, "").unwrap();
        assert_eq!(FileOffsetStore::open(&path).unwrap().all().await.unwrap(), []);
    }

    #[test]
    fn paths_that_cannot_work_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(folder.path()).contains("not a regular file"));
        let error = refused(&folder.path().join("no/such/o"));
        assert!(error.contains("does not exist; create "), "{error}");
        let file = folder.path().join("f");
        fs::write(&file, "").unwrap();
        assert!(refused(&file.join("o")).contains("cannot read the offset file"));
        assert!(refused(Path::new("/")).contains("not a regular file"));
        assert!(refused(Path::new("")).contains("not a regular file"));
    }

    #[tokio::test]
    async fn a_failed_write_is_told_and_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o");
        let store = FileOffsetStore::open(&path).unwrap();
        // A folder in the way cannot be replaced by a file.
        fs::create_dir(&path).unwrap();
        let error = store.set(vec![entry("a", "1")]).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot write the offset file"), "{error}");
        fs::remove_dir(&path).unwrap();
        store.set(vec![]).await.unwrap();
        assert_eq!(FileOffsetStore::open(&path).unwrap().all().await.unwrap(), [entry("a", "1")]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        // Left by someone else, or a crash: replaced, and not followed.
        let victim = folder.path().join("victim");
        fs::write(&victim, "v").unwrap();
        symlink(&victim, folder.path().join(".real.new")).unwrap();
        FileOffsetStore::open(&link).unwrap().set(vec![entry("a", "1")]).await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(FileOffsetStore::open(&real).unwrap().all().await.unwrap(), [entry("a", "1")]);
        assert_eq!(fs::read(&victim).unwrap(), b"v");
    }
}
