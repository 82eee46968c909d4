//! What can go wrong with files, and what an operator can do about it.

use crossdock_api::ConnectError;
use std::io;

/// A failure that ends the task. Each names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(
        "{file} was deleted while it was written; lines written since the last commit are gone with it, and their offsets are not committed: restart the task to write them to a new file"
    )]
    Deleted { file: String },
    #[error("{file} is a directory: set 'file' to the path of a file")]
    Directory { file: String },
    #[error("{doing} {file} failed: {source}; {}", advice(.source))]
    Io { doing: &'static str, file: String, source: io::Error },
    #[error(
        "the line at byte {position} of {file} is not valid UTF-8 (byte 0x{byte:02X} at byte {at}): set 'crossdock.invalid.utf8' to 'bytes' to send lines as bytes, or to 'replace' to lose such bytes as Kafka Connect does"
    )]
    InvalidUtf8 { file: String, position: u64, at: u64, byte: u8 },
    #[error(
        "the line at byte {position} of {file} has more than {max} bytes: raise 'crossdock.max.line.bytes' if that is right, or check that the file is text"
    )]
    LineTooLong { file: String, position: u64, max: usize },
    #[error(
        "{file} was replaced by another file while it was read up to byte {position}; what the old file got since is read, the new file is not: to read the new file from its start, run the connector under another name, since offsets belong to a connector's name"
    )]
    Replaced { file: String, position: u64 },
    #[error(
        "{file} has {len} bytes but was read up to byte {position} already: it was truncated or replaced by a shorter file; to read it from its start, run the connector under another name, since offsets belong to a connector's name"
    )]
    Shorter { file: String, len: u64, position: u64 },
    #[error("the thread that works on {file} ended early: report this as a defect of the file connector")]
    ThreadDied { file: String },
}

impl FileError {
    pub(crate) fn io(doing: &'static str, file: &str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::IsADirectory {
            return Self::Directory { file: file.to_owned() };
        }
        Self::Io { doing, file: file.to_owned(), source }
    }
}

/// The next step for an operator.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on that disk, then restart the task; no offset was committed past what is safe"
        }
        io::ErrorKind::PermissionDenied => {
            "give the user that the worker runs as the right to do so, then restart the task"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "create its folder on this worker's machine, or correct 'file', then restart the task"
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a file on a writable disk",
        _ => "check the disk and the path, then restart the task",
    }
}

impl From<FileError> for ConnectError {
    fn from(error: FileError) -> Self {
        Self::fatal(error.to_string())
    }
}
