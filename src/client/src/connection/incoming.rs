//! From bytes of the socket to whole answers, handed to those who wait for them.
//!
//! Small frames are read together and are slices of one buffer. A large one, of a fetch, is read into a
//! buffer of its own, which is used again when its last slice is dropped. Memory follows the bytes that
//! came, never the length that was announced.

use super::MAX_FRAME_LEN;
use super::io::Shared;
use crate::security::SecurityProtocol;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossdock_wire::frame::{FRAME_PREFIX_LEN, announced, make_room, take_frame};
use crossdock_wire::spare;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Room that is reserved at most ahead of the bytes that came.
const READ_AHEAD: usize = 16 << 20;
/// Frames from this length on, in bytes, are read into buffers of their own.
const LARGE_FRAME: usize = 128 << 10;

/// What a read came to.
enum Read {
    /// The broker has closed the connection.
    End,
    /// A whole large frame.
    Frame(Bytes),
    /// More bytes in the buffer.
    Some,
}

/// Hands out answers until the connection ends: with the reason, and with what was wrong if the peer
/// broke the protocol.
pub(super) async fn read_answers<R: AsyncRead + Unpin>(
    shared: &Shared,
    mut read: R,
) -> (Arc<str>, Option<String>) {
    let broken = |reason: String| (Arc::from("the broker broke the protocol"), Some(reason));
    let mut buf = BytesMut::new();
    let mut answers = 0u64;
    loop {
        let frame = match take_frame(&mut buf, MAX_FRAME_LEN) {
            Ok(Some(frame)) => frame,
            Ok(None) => match read_more(&mut read, &mut buf).await {
                Ok(Read::Frame(frame)) => frame,
                Ok(Read::Some) => continue,
                Ok(Read::End) => return (closed_by_broker(shared.protocol, answers).into(), None),
                Err(error) => return (shared.broken("read", &error), None),
            },
            Err(error) if is_tls(&buf) => {
                return broken(format!(
                    "{error}: these are bytes of TLS; set security.protocol to SSL or SASL_SSL"
                ));
            }
            Err(error) => return broken(error.to_string()),
        };
        answers += 1;
        if let Err(reason) = shared.answer(frame) {
            return broken(reason);
        }
    }
}

/// Reads on. Before, the length at the front of `buf` was found to be within the limit.
async fn read_more<R: AsyncRead + Unpin>(read: &mut R, buf: &mut BytesMut) -> io::Result<Read> {
    match announced(buf) {
        Some(len) if len >= LARGE_FRAME => {
            buf.advance(FRAME_PREFIX_LEN);
            read_large(read, buf, len).await
        }
        _ => {
            make_room(buf, MAX_FRAME_LEN, READ_AHEAD);
            Ok(if read.read_buf(buf).await? == 0 { Read::End } else { Read::Some })
        }
    }
}

/// Reads the rest of a frame of `len` bytes, of which `buf` has the beginning and nothing more.
async fn read_large<R: AsyncRead + Unpin>(read: &mut R, buf: &mut BytesMut, len: usize) -> io::Result<Read> {
    let mut frame = spare::take(len.min(READ_AHEAD));
    frame.extend_from_slice(buf);
    buf.clear();
    while frame.len() < len {
        if frame.len() == frame.capacity() {
            frame.reserve_exact((len - frame.len()).min(frame.len().max(READ_AHEAD)));
        }
        let missing = (len - frame.len()).min(frame.capacity() - frame.len());
        if read.read_buf(&mut (&mut frame).limit(missing)).await? == 0 {
            return Ok(Read::End);
        }
    }
    Ok(Read::Frame(spare::share(frame)))
}

/// Why a broker hangs up that has answered no or one request: mostly, it expects something else.
fn closed_by_broker(protocol: SecurityProtocol, answers: u64) -> &'static str {
    match (protocol, answers) {
        (SecurityProtocol::Plaintext, 0) => {
            "the broker closed it; if its listener is one of TLS, set security.protocol to SSL or SASL_SSL"
        }
        (SecurityProtocol::Plaintext, 1) => {
            "the broker closed it; if its listener is one of SASL, set security.protocol to SASL_PLAINTEXT"
        }
        (SecurityProtocol::Ssl, 1) => {
            "the broker closed it; if its listener is one of SASL, set security.protocol to SASL_SSL"
        }
        _ => "the broker closed it",
    }
}

/// Whether bytes are the beginning of an alert or a handshake of TLS.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// Frames of these lengths, written in pieces of `piece` bytes, come out whole.
    async fn round_trip(lens: &[usize], piece: usize) {
        let content = |n: usize, len: usize| (0..len).map(|at| (at * 7 + n) as u8).collect::<Vec<u8>>();
        let mut stream = Vec::new();
        for (n, len) in lens.iter().enumerate() {
            stream.extend_from_slice(&(*len as u32).to_be_bytes());
            stream.extend_from_slice(&content(n, *len));
        }
        let (mut far, mut near) = tokio::io::duplex(1 << 20);
        let pieces = async move {
            for piece in stream.chunks(piece) {
                far.write_all(piece).await.unwrap();
            }
        };
        let whole = async {
            let (mut buf, mut frames) = (BytesMut::new(), Vec::new());
            loop {
                if let Some(frame) = take_frame(&mut buf, MAX_FRAME_LEN).unwrap() {
                    frames.push(frame);
                    continue;
                }
                match read_more(&mut near, &mut buf).await.unwrap() {
                    Read::Frame(frame) => frames.push(frame),
                    Read::Some => {}
                    Read::End => return frames,
                }
            }
        };
        let (_, frames) = tokio::join!(pieces, whole);
        assert_eq!(frames.len(), lens.len());
        for (n, frame) in frames.iter().enumerate() {
            assert!(*frame == content(n, lens[n]), "frame {n} in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn small_and_large_frames_follow_each_other() {
        let lens = [0, 5, LARGE_FRAME - 1, LARGE_FRAME, 3, 3 * LARGE_FRAME, LARGE_FRAME + 1, 0, 1];
        for piece in [3, 4093, 70_000, usize::MAX >> 1] {
            round_trip(&lens, piece).await;
        }
    }

    #[tokio::test]
    async fn an_end_amid_a_large_frame_is_an_end() {
        let (mut far, mut near) = tokio::io::duplex(1 << 20);
        far.write_all(&(MAX_FRAME_LEN as u32).to_be_bytes()).await.unwrap();
        far.write_all(&[1; 1000]).await.unwrap();
        drop(far);
        let mut buf = BytesMut::new();
        loop {
            assert_eq!(take_frame(&mut buf, MAX_FRAME_LEN).unwrap(), None);
            match read_more(&mut near, &mut buf).await.unwrap() {
                Read::Some => {}
                Read::End => break,
                Read::Frame(frame) => panic!("{} bytes", frame.len()),
            }
        }
    }
}
