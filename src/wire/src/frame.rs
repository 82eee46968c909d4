//! Frames: a big-endian `i32` length, then that many bytes. Requests and responses are one frame each.

use crate::WireError;
use bytes::{Buf, Bytes, BytesMut};

/// Length in bytes of the prefix of a frame.
pub const FRAME_PREFIX_LEN: usize = 4;
/// Least room for a read, in bytes.
pub const READ_CHUNK: usize = 64 << 10;

/// Takes the next whole frame off the front of `buf`, without its length prefix.
///
/// `None` means that more bytes are needed: see [`make_room`]. A negative length, or one above `limit`,
/// is an error, and the connection cannot be used any further.
pub fn take_frame(buf: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, WireError> {
    let Some(prefix) = buf.first_chunk::<FRAME_PREFIX_LEN>() else {
        return Ok(None);
    };
    let announced = i32::from_be_bytes(*prefix);
    let too_large = WireError::FrameTooLarge { announced: i64::from(announced), limit };
    let Ok(len) = usize::try_from(announced) else {
        return Err(too_large);
    };
    if len > limit {
        return Err(too_large);
    }
    if buf.len() < FRAME_PREFIX_LEN + len {
        return Ok(None);
    }
    buf.advance(FRAME_PREFIX_LEN);
    Ok(Some(buf.split_to(len).freeze()))
}

/// Makes room in `buf` for the next read: for what is missing of the frame at its front, but not further
/// than `ahead` bytes past what has come, or than `buf` is long. So memory follows the bytes that came
/// and not the length that was announced, and still a large frame is not copied often. Small frames are
/// read together: there is room for [`READ_CHUNK`] at least.
pub fn make_room(buf: &mut BytesMut, limit: usize, ahead: usize) {
    let most = ahead.max(buf.len()).max(READ_CHUNK);
    buf.reserve(missing_bytes(buf, limit).clamp(READ_CHUNK, most));
}

/// The length of the frame at the front of `buf`, once its prefix has come; `None` for a negative one too,
/// which [`take_frame`] refuses, as it does one above its limit.
pub fn announced(buf: &[u8]) -> Option<usize> {
    let prefix = buf.first_chunk::<FRAME_PREFIX_LEN>()?;
    usize::try_from(i32::from_be_bytes(*prefix)).ok()
}

/// How many bytes are missing for the frame at the front of `buf` to be whole; 0 while its length is
/// not known yet.
fn missing_bytes(buf: &[u8], limit: usize) -> usize {
    announced(buf).map_or(0, |len| (FRAME_PREFIX_LEN + len.min(limit)).saturating_sub(buf.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_and_in_order() {
        let mut buf = BytesMut::from(&[0, 0, 0, 2, b'a'][..]);
        assert_eq!(take_frame(&mut buf, 10), Ok(None));
        assert_eq!(missing_bytes(&buf, 10), 1);
        buf.extend_from_slice(&[b'b', 0, 0, 0, 0, 0]);
        assert_eq!(take_frame(&mut buf, 10), Ok(Some(Bytes::from_static(b"ab"))));
        assert_eq!(take_frame(&mut buf, 10), Ok(Some(Bytes::new())));
        assert_eq!(take_frame(&mut buf, 10), Ok(None));
        assert_eq!(buf.len(), 1);
    }

    #[test]
    fn room_follows_the_bytes_that_came() {
        let (limit, ahead) = (100 << 20, 1 << 20);
        let mut buf = BytesMut::new();
        make_room(&mut buf, limit, ahead);
        assert!((READ_CHUNK..ahead).contains(&buf.capacity()));
        buf.extend_from_slice(&(50i32 << 20).to_be_bytes());
        make_room(&mut buf, limit, ahead);
        assert!((ahead..3 * ahead).contains(&buf.capacity()), "{}", buf.capacity());
        buf.resize(8 * ahead, 0);
        make_room(&mut buf, limit, ahead);
        assert!((16 * ahead..=32 * ahead).contains(&buf.capacity()), "{}", buf.capacity());
    }

    #[test]
    fn an_http_request_is_not_a_frame() {
        let mut buf = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
        assert!(matches!(take_frame(&mut buf, 100 << 20), Err(WireError::FrameTooLarge { .. })));
        let mut buf = BytesMut::from(&[0xff; 4][..]);
        assert!(take_frame(&mut buf, 100).is_err());
    }
}
