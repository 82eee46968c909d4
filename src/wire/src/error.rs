//! What can be wrong with bytes from a peer.

use crate::Compression;
use crate::compression::CompressionError;

/// Bytes that do not follow Kafka's formats. The peer (or a damaged log) is at fault, never the
/// caller's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The batch's CRC-32C does not cover the bytes that follow it: they changed on the way or on disk.
    #[error(
        "record batch at offset {base_offset} is corrupt: its checksum is {stored:#010x} but its bytes give {computed:#010x}"
    )]
    Checksum {
        /// Base offset of the batch.
        base_offset: i64,
        /// The CRC in the batch header.
        stored: u32,
        /// The CRC of the bytes.
        computed: u32,
    },
    /// The records of a batch cannot be decompressed.
    #[error("record batch at offset {base_offset} cannot be read: {source}")]
    Compression {
        /// Base offset of the batch.
        base_offset: i64,
        /// What is wrong.
        source: CompressionError,
    },
    /// The records of a batch were asked for before it was decompressed: a mistake of the caller.
    #[error(
        "record batch at offset {base_offset} is compressed with {codec}; decompress it before its records are read"
    )]
    StillCompressed {
        /// Base offset of the batch.
        base_offset: i64,
        /// The codec.
        codec: Compression,
    },
    /// A frame announces more bytes than the limit allows.
    #[error(
        "the peer announced a frame of {announced} bytes, more than the limit of {limit}; is it a Kafka broker?"
    )]
    FrameTooLarge {
        /// Announced length in bytes; negative lengths are reported as they are.
        announced: i64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A field has a value that the format does not allow.
    #[error("{what} is invalid: {value}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// The value found.
        value: i64,
    },
    /// A record batch is shorter than its head, or an old message shorter than its fixed fields.
    #[error("record batch at offset {base_offset} has {size} bytes, fewer than the smallest one")]
    BatchTooShort {
        /// Base offset of the batch.
        base_offset: i64,
        /// Its size in bytes, with offset and length.
        size: usize,
    },
    /// A varint does not end after the bytes that its type can take.
    #[error("{what} is a varint that does not end")]
    VarintTooLong {
        /// The field.
        what: &'static str,
    },
    /// The bytes end before the field does.
    #[error("the bytes end inside {what}")]
    Truncated {
        /// The field that could not be read.
        what: &'static str,
    },
    /// The batch is compressed by a codec that does not exist.
    #[error("record batch at offset {base_offset} is compressed with codec {codec}, which does not exist")]
    UnsupportedCompression {
        /// Base offset of the batch.
        base_offset: i64,
        /// The codec's number: 5, 6 or 7.
        codec: u8,
    },
    /// The batch is of a format that is unknown, or one that the caller does not take.
    #[error("record batch at offset {base_offset} has magic {magic}, which cannot be read here")]
    UnsupportedMagic {
        /// Base offset of the batch.
        base_offset: i64,
        /// The magic byte.
        magic: i8,
    },
}
