//! Gzip (RFC 1952): raw deflate within a head of ten bytes and a tail of eight.
//!
//! Head and tail are written and read here, so that the deflate contexts can be used again.

use super::CompressionError;
use super::output::Output;
use crate::Compression;
use flate2::{Compress, Crc, Decompress, FlushCompress, FlushDecompress, Status};

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
/// Deflate, no flags, no time, no hints; the system is unknown.
const HEAD: [u8; 10] = [MAGIC[0], MAGIC[1], DEFLATE, 0, 0, 0, 0, 0, 0, 0xff];

const FLAG_HEAD_CRC: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;

#[derive(Default)]
pub(super) struct Gzip {
    compress: Option<(i32, Compress)>,
    decompress: Option<Decompress>,
}

impl Gzip {
    pub(super) fn compress(
        &mut self,
        level: i32,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let deflate = match &mut self.compress {
            Some((of, deflate)) if *of == level => {
                deflate.reset();
                deflate
            }
            other => {
                let level_of = flate2::Compression::new(level.unsigned_abs());
                &mut other.insert((level, Compress::new(level_of, false))).1
            }
        };
        out.extend_from_slice(&HEAD);
        loop {
            // Mostly enough for all of it.
            out.reserve((input.len() / 2).clamp(256, 64 << 10));
            let rest = input.get(read_so_far(deflate.total_in())..).unwrap_or_default();
            match deflate.compress_vec(rest, out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                Ok(Status::Ok | Status::BufError) => {}
                Err(error) => return Err(CompressionError::failed(Compression::Gzip, error)),
            }
        }
        out.extend_from_slice(&crc_of(input).to_le_bytes());
        // The length modulo 2^32, by the format.
        out.extend_from_slice(&(input.len() as u32).to_le_bytes());
        Ok(())
    }

    /// Reads one stream after the other. As `java.util.zip.GZIPInputStream`, which ignores what follows the
    /// last one.
    pub(super) fn decompress(&mut self, input: &[u8], out: &mut Output<'_>) -> Result<(), CompressionError> {
        let mut body = skip_head(input)?;
        loop {
            let from = out.len();
            let tail = self.inflate(body, out)?;
            let Some((tail, rest)) = tail.split_first_chunk::<8>() else {
                return Err(corrupt("it ends inside the checksum"));
            };
            let written = out.written().get(from..).unwrap_or_default();
            let (crc, len) = (le_u32(tail, 0), le_u32(tail, 4));
            if crc != crc_of(written) || len != written.len() as u32 {
                return Err(corrupt("its checksum does not match"));
            }
            match skip_head(rest) {
                Ok(next) => body = next,
                Err(_) => return Ok(()),
            }
        }
    }

    /// Gives what follows the deflated bytes.
    fn inflate<'i>(&mut self, body: &'i [u8], out: &mut Output<'_>) -> Result<&'i [u8], CompressionError> {
        let inflate = self.decompress.get_or_insert_with(|| Decompress::new(false));
        inflate.reset(false);
        loop {
            let rest = body.get(read_so_far(inflate.total_in())..).unwrap_or_default();
            let before = (inflate.total_in(), inflate.total_out());
            let status = match out.spare() {
                Ok(buf) => inflate.decompress_vec(rest, buf, FlushDecompress::None),
                // At the limit: it may be that nothing more comes than the end.
                Err(error) => match inflate.decompress(rest, &mut [], FlushDecompress::None) {
                    Ok(Status::StreamEnd) => Ok(Status::StreamEnd),
                    _ => return Err(error),
                },
            };
            out.check()?;
            match status {
                Ok(Status::StreamEnd) => {
                    return Ok(body.get(read_so_far(inflate.total_in())..).unwrap_or_default());
                }
                Ok(Status::Ok | Status::BufError) => {}
                Err(error) => return Err(corrupt(&error.to_string())),
            }
            if (inflate.total_in(), inflate.total_out()) == before {
                return Err(corrupt("it ends too early"));
            }
        }
    }
}

/// What follows the head of a stream.
fn skip_head(input: &[u8]) -> Result<&[u8], CompressionError> {
    let short = || corrupt("it ends inside its head");
    let (head, mut rest) = input.split_first_chunk::<10>().ok_or_else(short)?;
    // Reserved flags are not looked at, as in Java.
    if head[..2] != MAGIC || head[2] != DEFLATE {
        return Err(corrupt("it does not begin as gzip does"));
    }
    let flags = head[3];
    if flags & FLAG_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..).ok_or_else(short)?;
    }
    for text in [FLAG_NAME, FLAG_COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|b| *b == 0).ok_or_else(short)?;
            rest = rest.get(end + 1..).ok_or_else(short)?;
        }
    }
    if flags & FLAG_HEAD_CRC != 0 {
        let computed = crc_of(&input[..input.len() - rest.len()]) as u16;
        let (stored, after) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        if u16::from_le_bytes(*stored) != computed {
            return Err(corrupt("the checksum of its head does not match"));
        }
        rest = after;
    }
    Ok(rest)
}

fn corrupt(reason: &str) -> CompressionError {
    CompressionError::corrupt(Compression::Gzip, reason)
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A place within a slice always fits; the counter is wider.
fn read_so_far(total: u64) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}

fn le_u32(bytes: &[u8; 8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
