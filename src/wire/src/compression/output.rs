//! Where decompressed bytes go: a buffer that grows with what comes, up to a limit.

use super::CompressionError;
use crate::Compression;

/// What is reserved to begin with when nothing is known yet.
const LEAST: usize = 512;
/// Most that is reserved in advance for each compressed byte.
const MOST_EXPECTED: usize = 256;

/// The end of a buffer that is decompressed into.
pub(super) struct Output<'a> {
    buf: &'a mut Vec<u8>,
    start: usize,
    codec: Compression,
    limit: usize,
    expected: usize,
}

impl<'a> Output<'a> {
    /// Appends to `buf`, `limit` bytes at most; `expected` is a guess of how many.
    pub(super) fn new(buf: &'a mut Vec<u8>, codec: Compression, limit: usize, expected: usize) -> Self {
        let start = buf.len();
        Self { buf, start, codec, limit, expected: expected.min(limit) }
    }

    /// Where the output begins in the buffer.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Bytes that were written.
    pub(super) fn len(&self) -> usize {
        self.buf.len() - self.start
    }

    /// Bytes that may still be written.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.len())
    }

    pub(super) fn too_large(&self) -> CompressionError {
        CompressionError::TooLarge { codec: self.codec, limit: self.limit }
    }

    /// The buffer with spare capacity: what is expected at first, then twice what was written. Never more
    /// than the limit allows, apart from what the allocator rounds up to. An error at the limit.
    pub(super) fn spare(&mut self) -> Result<&mut Vec<u8>, CompressionError> {
        if self.left() == 0 {
            return Err(self.too_large());
        }
        if self.buf.capacity() == self.buf.len() {
            let wanted = self.expected.saturating_sub(self.len()).max(self.len()).max(LEAST);
            self.buf.reserve_exact(wanted.min(self.left()));
        }
        Ok(self.buf)
    }

    /// The guess of the whole output's size.
    pub(super) fn expected(&self) -> usize {
        self.expected.max(LEAST).min(self.limit)
    }

    /// The buffer with spare capacity for `len` bytes, and not reserved for more; an error if they are too many.
    pub(super) fn exactly(&mut self, len: usize) -> Result<&mut Vec<u8>, CompressionError> {
        if len > self.left() {
            return Err(self.too_large());
        }
        self.buf.reserve_exact(len);
        Ok(self.buf)
    }

    /// An error if a codec that fills spare capacity passed the limit.
    pub(super) fn check(&self) -> Result<(), CompressionError> {
        if self.len() > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    /// The buffer, for a codec that writes `len` bytes itself; an error if they are too many.
    pub(super) fn room(&mut self, len: usize) -> Result<&mut Vec<u8>, CompressionError> {
        if len > self.left() {
            return Err(self.too_large());
        }
        if self.buf.capacity() - self.buf.len() < len {
            let wanted = self.expected.saturating_sub(self.len()).max(self.len());
            self.buf.reserve_exact(wanted.min(self.left()).max(len));
        }
        Ok(self.buf)
    }

    /// What was written so far.
    pub(super) fn written(&self) -> &[u8] {
        self.buf.get(self.start..).unwrap_or_default()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), CompressionError> {
        self.room(bytes.len())?.extend_from_slice(bytes);
        Ok(())
    }

    /// Gives back what was reserved far in excess, and tells how many bytes were written.
    pub(super) fn finish(self) -> usize {
        let written = self.len();
        if self.buf.capacity() - self.buf.len() > written / 4 + LEAST {
            self.buf.shrink_to_fit();
        }
        written
    }
}

/// How much larger outputs are than their inputs, in sixteenths; 0 until something is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected(usize);

impl Expected {
    /// A guess of the output's size, from what is there and what came before; not from what is claimed.
    pub(super) fn of(self, input: usize) -> usize {
        let sixteenths = if self.0 == 0 { 4 * 16 } else { self.0 + self.0 / 8 };
        input.saturating_mul(sixteenths.min(MOST_EXPECTED * 16)) / 16
    }

    /// Takes note of what an input became. Falls slowly: guessing too much costs less than too little.
    pub(super) fn learn(&mut self, input: usize, output: usize) {
        let ratio = (output.saturating_mul(16) / input.max(1)).clamp(16, MOST_EXPECTED * 16);
        self.0 = ratio.max(self.0 - self.0 / 8);
    }
}
