//! Zstd: one frame for each batch when writing; any number of frames when reading.
//!
//! Whole outputs are decompressed at once, into a buffer that is enlarged until they fit. So no window has to be
//! allocated by the size that a frame claims, and there is no copy from the window to the output. Where the
//! content size is there it is only a hint.

use super::CompressionError;
use super::output::Output;
use crate::Compression;
use std::io::Cursor;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, compress_bound, get_error_name, get_frame_content_size, is_error_kind,
};

#[derive(Default)]
pub(super) struct Zstd {
    compress: Option<(i32, CCtx<'static>)>,
    decompress: Option<DCtx<'static>>,
    scratch: Vec<u8>,
}

/// Kept between batches for the compressor's output, in bytes.
const SCRATCH_KEPT: usize = 2 << 20;

impl Zstd {
    pub(super) fn compress(
        &mut self,
        level: i32,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let context = match &mut self.compress {
            Some((of, context)) if *of == level => context,
            other => {
                let mut context = CCtx::try_create().ok_or_else(|| failed("there is no memory for it"))?;
                context
                    .set_parameter(CParameter::CompressionLevel(level))
                    .map_err(|code| failed(get_error_name(code)))?;
                &mut other.insert((level, context)).1
            }
        };
        self.scratch.clear();
        self.scratch.reserve(compress_bound(input.len()));
        let outcome = context.compress2(&mut self.scratch, input);
        if let Err(code) = outcome {
            self.compress = None;
            return Err(failed(get_error_name(code)));
        }
        out.extend_from_slice(&self.scratch);
        if self.scratch.capacity() > SCRATCH_KEPT {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    pub(super) fn decompress(&mut self, input: &[u8], out: &mut Output<'_>) -> Result<(), CompressionError> {
        if self.decompress.is_none() {
            self.decompress = Some(DCtx::try_create().ok_or_else(|| failed("there is no memory for it"))?);
        }
        let Some(context) = &mut self.decompress else { return Err(failed("there is no context")) };
        let mut capacity = out.expected();
        if let Ok(Some(claimed)) = get_frame_content_size(input) {
            // More than is expected is not reserved at once: nothing shows that it is true.
            capacity = usize::try_from(claimed).unwrap_or(usize::MAX).min(capacity);
        }
        loop {
            let most = out.left();
            let buf = out.exactly(capacity)?;
            let at = buf.len();
            let mut end = Cursor::new(buf);
            end.set_position(at as u64);
            let outcome = context.decompress(&mut end, input);
            let buf = end.into_inner();
            match outcome {
                // The capacity may be larger than what was asked for.
                Ok(written) if written > most => {
                    buf.truncate(at);
                    return Err(out.too_large());
                }
                Ok(_) => return Ok(()),
                Err(code) => {
                    buf.truncate(at);
                    if !is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) {
                        return Err(CompressionError::corrupt(Compression::Zstd, get_error_name(code)));
                    }
                    if capacity >= most {
                        return Err(out.too_large());
                    }
                    capacity = capacity.saturating_mul(2).max(1 << 10).min(most);
                }
            }
        }
    }
}

fn failed(reason: &str) -> CompressionError {
    CompressionError::failed(Compression::Zstd, reason)
}
