//! Snappy in the framing of Java's `SnappyOutputStream` (xerial): a head of 16 bytes, then blocks with their
//! lengths. Raw snappy, which other clients write, is read too.

use super::CompressionError;
use super::output::Output;
use crate::Compression;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The magic, the version, and the oldest version that can read it.
const HEAD: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Uncompressed bytes of a block, as Java writes them.
const BLOCK: usize = 32 << 10;
/// No element of snappy yields more bytes for each of its own: a copy of 64 bytes takes three.
const MOST_PER_BYTE: usize = 22;

pub(super) struct Snappy {
    encoder: Encoder,
    decoder: Decoder,
}

impl Default for Snappy {
    fn default() -> Self {
        Self { encoder: Encoder::new(), decoder: Decoder::new() }
    }
}

impl Snappy {
    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        out.extend_from_slice(&HEAD);
        for block in input.chunks(BLOCK) {
            let at = out.len();
            out.resize(at + 4 + max_compress_len(block.len()), 0);
            let (len, body) = out[at..].split_at_mut(4);
            let written = { self.encoder.compress(block, body) }
                .map_err(|e| CompressionError::failed(Compression::Snappy, e))?;
            // At most what 32 KB become.
            len.copy_from_slice(&(written as u32).to_be_bytes());
            out.truncate(at + 4 + written);
        }
        Ok(())
    }

    pub(super) fn decompress(&mut self, input: &[u8], out: &mut Output<'_>) -> Result<(), CompressionError> {
        let Some(mut rest) = input.strip_prefix(&MAGIC) else { return self.block(input, out) };
        // Both versions: nobody ever wrote others, and Java compares only the second.
        rest = rest.get(8..).ok_or_else(|| corrupt("it ends inside its head"))?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(&MAGIC) {
                // Another stream, as Java reads them.
                rest = after.get(8..).ok_or_else(|| corrupt("it ends inside a head"))?;
                continue;
            }
            let (len, after) =
                rest.split_first_chunk::<4>().ok_or_else(|| corrupt("it ends inside a length"))?;
            let len = u32::from_be_bytes(*len) as usize;
            if len > after.len() {
                return Err(corrupt("a block is longer than the bytes that are left"));
            }
            let (block, after) = after.split_at(len);
            self.block(block, out)?;
            rest = after;
        }
        Ok(())
    }

    fn block(&mut self, block: &[u8], out: &mut Output<'_>) -> Result<(), CompressionError> {
        let claimed = decompress_len(block).map_err(|e| corrupt(&e.to_string()))?;
        if claimed > block.len().saturating_mul(MOST_PER_BYTE) {
            return Err(corrupt("a block claims more bytes than it can hold"));
        }
        let buf = out.room(claimed)?;
        let at = buf.len();
        buf.resize(at + claimed, 0);
        let outcome = self.decoder.decompress(block, &mut buf[at..]);
        match outcome {
            Ok(written) if written == claimed => Ok(()),
            Ok(_) => Err(corrupt("a block has fewer bytes than it claims")),
            Err(error) => Err(corrupt(&error.to_string())),
        }
    }
}

fn corrupt(reason: &str) -> CompressionError {
    CompressionError::corrupt(Compression::Snappy, reason)
}
