//! The codecs that record batches are compressed with: gzip, snappy, lz4 and zstd.
//!
//! # Layout
//!
//! - [`compress`], [`decompress`]: the whole of it. [`Codec`] is a codec with its level.
//! - `output`: the buffer that is decompressed into, which grows by what is there and never past a limit.
//! - `gzip`, `snappy`, `lz4`, `zstd`: one codec each, with the framing that Java's client reads and writes.
//!
//! # How data flows
//!
//! ```text
//! open batch ─▶ compress(codec) ─▶ head + compressed records ─▶ produce request
//! fetched batch ─▶ decompress(limit) ─▶ head + records ─▶ RecordView<'_>
//! ```
//!
//! Contexts (hash tables, windows) are kept by thread and used again: making one costs more than a
//! small batch. A thread that never compresses has none.
//!
//! # What it must never do
//!
//! Believe a length: what the bytes claim to decompress to is neither reserved nor allowed to pass the
//! limit. Memory grows with the bytes that come out. Whatever the input, the end is an error or bytes,
//! never a panic.

mod error;
mod gzip;
mod lz4;
mod output;
mod snappy;
#[cfg(test)]
mod tests;
mod zstd;

pub use error::CompressionError;

use crate::Compression;
use lz4::HeadChecksum;
use output::Output;
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// What a batch may decompress to unless it is configured otherwise, in bytes (128 MiB).
pub const DEFAULT_LIMIT: usize = 128 << 20;

/// Levels of `compression.gzip.level`; 6 is used without one (Java's -1).
pub const GZIP_LEVELS: RangeInclusive<i32> = 1..=9;
/// Levels of `compression.lz4.level`. All are written by the same fast compressor; Java's uses a slower one
/// for levels other than 9, its default.
pub const LZ4_LEVELS: RangeInclusive<i32> = 1..=17;
/// Levels of `compression.zstd.level`; the default is 3.
pub const ZSTD_LEVELS: RangeInclusive<i32> = -131_072..=22;

/// A codec to write with, and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codec {
    kind: Kind,
    level: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// Not compressed.
    pub const NONE: Self = Self { kind: Kind::None, level: 0 };
    /// Gzip at its default level.
    pub const GZIP: Self = Self { kind: Kind::Gzip, level: 6 };
    /// Snappy, which has no levels.
    pub const SNAPPY: Self = Self { kind: Kind::Snappy, level: 0 };
    /// Lz4.
    pub const LZ4: Self = Self { kind: Kind::Lz4, level: 9 };
    /// Zstd at its default level.
    pub const ZSTD: Self = Self { kind: Kind::Zstd, level: 3 };

    /// The codec at its default level; `None` for [`Compression::Other`].
    pub fn of(compression: Compression) -> Option<Self> {
        Some(match compression {
            Compression::None => Self::NONE,
            Compression::Gzip => Self::GZIP,
            Compression::Snappy => Self::SNAPPY,
            Compression::Lz4 => Self::LZ4,
            Compression::Zstd => Self::ZSTD,
            Compression::Other(_) => return None,
        })
    }

    /// At another level. The nearest one is taken for one out of range; codecs without levels ignore it.
    #[must_use]
    pub fn with_level(self, level: i32) -> Self {
        let level = match self.kind {
            Kind::None | Kind::Snappy => self.level,
            Kind::Gzip => level.clamp(*GZIP_LEVELS.start(), *GZIP_LEVELS.end()),
            Kind::Lz4 => level.clamp(*LZ4_LEVELS.start(), *LZ4_LEVELS.end()),
            Kind::Zstd => level.clamp(*ZSTD_LEVELS.start(), *ZSTD_LEVELS.end()),
        };
        Self { kind: self.kind, level }
    }

    /// What batches are marked with.
    pub fn compression(self) -> Compression {
        match self.kind {
            Kind::None => Compression::None,
            Kind::Gzip => Compression::Gzip,
            Kind::Snappy => Compression::Snappy,
            Kind::Lz4 => Compression::Lz4,
            Kind::Zstd => Compression::Zstd,
        }
    }
}

/// Contexts of a thread, made when they are first needed.
#[derive(Default)]
struct Contexts {
    gzip: gzip::Gzip,
    snappy: snappy::Snappy,
    lz4: lz4::Lz4,
    zstd: zstd::Zstd,
    /// How many times larger than their input the last outputs were, by codec number.
    expected: [output::Expected; 5],
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

/// Appends `input`, compressed as Java's client does it, to `out`. Nothing but out of memory makes it fail;
/// then what was appended is taken back.
pub fn compress(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let start = out.len();
    let outcome = CONTEXTS.with_borrow_mut(|contexts| match codec.kind {
        Kind::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Kind::Gzip => contexts.gzip.compress(codec.level, input, out),
        Kind::Snappy => contexts.snappy.compress(input, out),
        Kind::Lz4 => contexts.lz4.compress(input, out),
        Kind::Zstd => contexts.zstd.compress(codec.level, input, out),
    });
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Appends what `input` decompresses to, `limit` bytes at most, to `out`. On an error what was appended is
/// taken back.
///
/// Reads what Java's client reads, and also lz4 frames with linked blocks. As in Java, what follows a gzip or
/// lz4 stream is ignored unless it is another one.
pub fn decompress(
    compression: Compression,
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    produce(compression, input.len(), limit, out, |contexts, output| match compression {
        Compression::None => output.push(input),
        Compression::Gzip => contexts.gzip.decompress(input, output),
        Compression::Snappy => contexts.snappy.decompress(input, output),
        Compression::Lz4 => lz4::decompress(input, HeadChecksum::Compared, output),
        Compression::Zstd => contexts.zstd.decompress(input, output),
        Compression::Other(codec) => Err(CompressionError::Unsupported { codec }),
    })
}

/// As [`decompress`] for lz4, but whatever the checksum of a frame's head is: in messages of magic 0 it was made
/// of the wrong bytes (KAFKA-3160).
pub(crate) fn decompress_lz4_of_magic_0(
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    produce(Compression::Lz4, input.len(), limit, out, |_, output| {
        lz4::decompress(input, HeadChecksum::Ignored, output)
    })
}

/// Lets `run` append to `out` within the limit, takes it back on an error, and learns from what came.
fn produce(
    compression: Compression,
    input_len: usize,
    limit: usize,
    out: &mut Vec<u8>,
    run: impl FnOnce(&mut Contexts, &mut Output<'_>) -> Result<(), CompressionError>,
) -> Result<(), CompressionError> {
    let start = out.len();
    let outcome = CONTEXTS.with_borrow_mut(|contexts| {
        let number = usize::from(compression.number());
        let expected = contexts.expected.get(number).copied().unwrap_or_default();
        let mut output = Output::new(out, compression, limit, expected.of(input_len));
        run(contexts, &mut output)?;
        let produced = output.finish();
        if let Some(expected) = contexts.expected.get_mut(number) {
            expected.learn(input_len, produced);
        }
        Ok(())
    });
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}
