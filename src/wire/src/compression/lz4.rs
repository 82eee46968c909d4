//! The frame format of lz4 (1.5.1 and later), as Java's `Lz4BlockOutputStream` writes it: independent blocks of
//! 64 KB, no checksums but the head's.
//!
//! The frame is read and written here: blocks are decompressed straight into the output, and the table of
//! the compressor is used again.

use super::CompressionError;
use super::output::Output;
use crate::Compression;
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = 0x184d_2204u32.to_le_bytes();
/// Version 1, independent blocks; then blocks of at most 64 KB.
const DESCRIPTOR: [u8; 2] = [0x60, 0x40];
const BLOCK: usize = 64 << 10;
/// In a block's length: the block is stored, not compressed.
const STORED: u32 = 0x8000_0000;

const FLAG_DICTIONARY: u8 = 0x01;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_INDEPENDENT: u8 = 0x20;

#[derive(Default)]
pub(super) struct Lz4 {
    table: Option<CompressTable>,
}

impl Lz4 {
    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let table = self.table.get_or_insert_with(CompressTable::large);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&DESCRIPTOR);
        out.push(head_checksum(&DESCRIPTOR));
        for block in input.chunks(BLOCK) {
            let at = out.len();
            out.resize(at + 4 + get_maximum_output_size(block.len()), 0);
            let (len, body) = out[at..].split_at_mut(4);
            let written = { compress_into_with_table(block, body, table) }
                .map_err(|e| CompressionError::failed(Compression::Lz4, e))?;
            // At most 64 KB and a little.
            if written < block.len() {
                len.copy_from_slice(&(written as u32).to_le_bytes());
                out.truncate(at + 4 + written);
            } else {
                len.copy_from_slice(&(block.len() as u32 | STORED).to_le_bytes());
                body[..block.len()].copy_from_slice(block);
                out.truncate(at + 4 + block.len());
            }
        }
        out.extend_from_slice(&[0; 4]);
        Ok(())
    }
}

/// Whether the checksum of a frame's head is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadChecksum {
    Compared,
    /// For those who hashed the wrong bytes.
    Ignored,
}

/// Reads one frame after the other. What follows the last one is ignored, as in Java.
pub(super) fn decompress(
    input: &[u8],
    checksum: HeadChecksum,
    out: &mut Output<'_>,
) -> Result<(), CompressionError> {
    let mut reader = Reader { rest: input };
    loop {
        if reader.take(4, "its head")? != MAGIC {
            return Err(corrupt("it does not begin as an lz4 frame does"));
        }
        let frame = Frame::read(&mut reader, checksum)?;
        frame.read_blocks(&mut reader, out)?;
        if !reader.rest.starts_with(&MAGIC) {
            return Ok(());
        }
    }
}

/// What the head of a frame says.
struct Frame {
    flags: u8,
    /// Most bytes of a block, compressed or not.
    most: usize,
}

impl Frame {
    fn read(reader: &mut Reader<'_>, checksum: HeadChecksum) -> Result<Self, CompressionError> {
        let from = reader.rest;
        let descriptor = reader.take(2, "its head")?;
        let (flags, block) = (descriptor[0], descriptor[1]);
        if flags >> 6 != 1 || flags & (FLAG_DICTIONARY | 0x02) != 0 || block & 0x8f != 0 {
            return Err(corrupt("its head asks for what is not supported"));
        }
        let size = u32::from(block >> 4);
        if !(4..=7).contains(&size) {
            return Err(corrupt("its block size does not exist"));
        }
        if flags & FLAG_CONTENT_SIZE != 0 {
            // Not trusted, so not used.
            reader.take(8, "its head")?;
        }
        let len = from.len() - reader.rest.len();
        let stored = reader.take(1, "its head")?[0];
        if checksum == HeadChecksum::Compared && stored != head_checksum(&from[..len]) {
            return Err(corrupt("the checksum of its head does not match"));
        }
        Ok(Self { flags, most: 1 << (2 * size + 8) })
    }

    fn read_blocks(&self, reader: &mut Reader<'_>, out: &mut Output<'_>) -> Result<(), CompressionError> {
        let from = out.len();
        loop {
            let header = reader.take(4, "the length of a block")?;
            let len = le_u32(header);
            if len == 0 {
                break;
            }
            let (stored, len) = (len & STORED != 0, (len & !STORED) as usize);
            if len > self.most {
                return Err(corrupt("a block is larger than the frame allows"));
            }
            let block = reader.take(len, "a block")?;
            if self.flags & FLAG_BLOCK_CHECKSUM != 0
                && le_u32(reader.take(4, "the checksum of a block")?) != XxHash32::oneshot(0, block)
            {
                return Err(corrupt("the checksum of a block does not match"));
            }
            if stored {
                out.push(block)?;
            } else {
                self.read_block(block, from, out)?;
            }
        }
        if self.flags & FLAG_CONTENT_CHECKSUM != 0 {
            self.check_content(le_u32(reader.take(4, "its checksum")?), &out.written()[from..])?;
        }
        Ok(())
    }

    /// Decompresses a block; `from` is where the output of the frame begins.
    fn read_block(&self, block: &[u8], from: usize, out: &mut Output<'_>) -> Result<(), CompressionError> {
        // Lz4 yields at most 255 bytes for one.
        let most = self.most.min(block.len().saturating_mul(255)).min(out.left());
        let cut = most < self.most.min(block.len().saturating_mul(255));
        let start = out.start();
        let buf = out.room(most)?;
        let at = buf.len();
        buf.resize(at + most, 0);
        let (before, room) = buf.split_at_mut(at);
        let outcome = if self.flags & FLAG_INDEPENDENT != 0 {
            decompress_into(block, room)
        } else {
            // Blocks may refer to the last 64 KB of the frame.
            let dictionary = before.get((start + from).max(at.saturating_sub(BLOCK))..).unwrap_or_default();
            decompress_into_with_dict(block, room, dictionary)
        };
        match outcome {
            Ok(written) => {
                buf.truncate(at + written);
                Ok(())
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if cut => Err(out.too_large()),
            Err(error) => Err(corrupt(&error.to_string())),
        }
    }

    /// Java's client (4.x) checks the exclusive-or of the blocks' hashes instead of the hash of the content;
    /// they are the same for frames of one block. Only the format's is right.
    fn check_content(&self, stored: u32, content: &[u8]) -> Result<(), CompressionError> {
        if stored == XxHash32::oneshot(0, content) {
            return Ok(());
        }
        Err(corrupt("its checksum does not match"))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], CompressionError> {
        if len > self.rest.len() {
            return Err(corrupt(&format!("it ends inside {what}")));
        }
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(taken)
    }
}

/// The second byte of the hash of the descriptor.
fn head_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b))
}

fn corrupt(reason: &str) -> CompressionError {
    CompressionError::corrupt(Compression::Lz4, reason)
}
