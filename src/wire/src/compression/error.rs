//! Why bytes could not be compressed or decompressed.

use crate::Compression;

/// Compressed bytes that cannot be read, or, rarely, bytes that could not be compressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The bytes are not what the codec writes.
    #[error("its {codec} data is corrupt: {reason}")]
    Corrupt {
        /// The codec.
        codec: Compression,
        /// What is wrong.
        reason: String,
    },
    /// The bytes decompress to more than is allowed.
    #[error("it is compressed with {codec} and decompresses to more than the limit of {limit} bytes")]
    TooLarge {
        /// The codec.
        codec: Compression,
        /// The limit in bytes.
        limit: usize,
    },
    /// The codec has a number that means nothing.
    #[error("it is compressed with codec {codec}, which does not exist")]
    Unsupported {
        /// The number.
        codec: u8,
    },
    /// The codec itself failed; mostly for want of memory.
    #[error("compressing with {codec} failed: {reason}")]
    Failed {
        /// The codec.
        codec: Compression,
        /// What it said.
        reason: String,
    },
}

impl CompressionError {
    pub(super) fn corrupt(codec: Compression, reason: impl Into<String>) -> Self {
        Self::Corrupt { codec, reason: reason.into() }
    }

    pub(super) fn failed(codec: Compression, reason: impl ToString) -> Self {
        Self::Failed { codec, reason: reason.to_string() }
    }
}
