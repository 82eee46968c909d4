//! Kafka's bytes on the wire, without any I/O: frames, record batches (magic 2) and their records, and
//! the check of messages before they are decoded.
//!
//! # Layout
//!
//! - [`frame`]: the four-byte length that precedes every request and response.
//! - [`header`]: the 61 bytes at the head of a record batch.
//! - [`builder`]: [`BatchBuilder`], the *open batch* that a producer appends to. Keys and values are
//!   encoded where they will be sent from; length, count and CRC are patched in when it is closed.
//! - [`batches`]: [`Batches`], which walks the batches of a region of magic 2; [`Entries`], which walks any.
//! - [`record`]: [`Records`], which walks the records of one batch lazily, as borrowed views.
//! - [`compression`]: gzip, snappy, lz4 and zstd, bounded.
//! - [`legacy`]: messages of magic 0 and 1, which are read as if they were batches.
//! - [`control`]: what the records of control batches say.
//! - [`spare`]: large buffers that are used again, by what builds, reads and decompresses batches.
//! - [`varint`]: the varints that records and flexible messages are made of.
//! - [`shape`]: whether a message's bytes follow its layout. What passes can be handed to a decoder that
//!   reserves memory by the counts that it reads.
//!
//! # How data flows
//!
//! ```text
//! append(key, value) ─▶ BatchBuilder ─▶ close(codec) ─▶ ClosedBatch ─▶ finish() ─▶ Bytes ─▶ produce request
//! fetch response ─▶ Bytes ─▶ Batches ─▶ Batch (CRC checked once) ─▶ decompressed() ─▶ Records ─▶ RecordView<'_>
//! message ─▶ shape::check(layout) ─▶ the decoder of messages
//! ```
//!
//! # What it must never do
//!
//! Reserve memory by a count that the network gave, read outside the region that it was handed, or
//! panic on any input. Every length is checked against the bytes that are there before it is used.

pub mod batches;
pub mod builder;
pub mod compression;
pub mod control;
mod error;
pub mod frame;
pub mod header;
pub mod legacy;
pub mod record;
pub mod shape;
pub mod spare;
pub mod varint;

pub use batches::{Batch, Batches, Entries, Entry};
pub use builder::{BatchBuilder, ClosedBatch, ProducerStamp};
pub use compression::{Codec, CompressionError};
pub use error::WireError;
pub use header::{BatchHeader, Compression, HEADER_LEN, TimestampType};
pub use record::{HeaderView, Headers, RecordView, Records};
