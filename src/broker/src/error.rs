//! What can go wrong when a broker starts.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a broker could not start. Whatever goes wrong later is logged, and told to the client by an
/// error code of the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The address could not be bound (the user's choice of address).
    #[error(
        "cannot listen on {addr}: {source}; is another broker running? Choose another port, or 0 for any free one"
    )]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the data directory does not hold what this broker writes.
    #[error("{path} is damaged: {reason}; repair it, or start with an empty data directory")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Another broker uses the data directory.
    #[error(
        "the data directory {path} is in use by another broker; stop that one, or choose another directory"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory could not be read or written.
    #[error(
        "cannot {action} {path}: {source}; check that the directory exists, is writable and has space left"
    )]
    Storage {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A setting of the builder is out of range.
    #[error("{setting} must be {expected}, not {value}")]
    Setting {
        /// The method of the builder.
        setting: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was given.
        value: i64,
    },
}
