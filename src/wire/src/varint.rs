//! Variable-length integers, as in `org.apache.kafka.common.utils.ByteUtils`: zig-zag in records,
//! unsigned in flexible messages (KIP-482).
//!
//! An encoding of more than five bytes for 32 bits, or ten for 64, is refused. Bits of its last byte that
//! the type has no room for are dropped, as there.

use crate::WireError;

/// Longest encoding of a 64-bit varint in bytes.
pub const MAX_VARLONG_LEN: usize = 10;

/// Appends `value` in zig-zag form.
#[inline]
pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut v = ((value << 1) ^ (value >> 63)) as u64;
    if v < 0x80 {
        out.push(v as u8);
        return;
    }
    let mut buf = [0u8; MAX_VARLONG_LEN];
    let mut n = 0;
    while v >= 0x80 {
        buf[n] = (v as u8) | 0x80;
        v >>= 7;
        n += 1;
    }
    buf[n] = v as u8;
    out.extend_from_slice(&buf[..=n]);
}

/// Appends `value` in zig-zag form; 32-bit and 64-bit encodings of the same number are the same bytes.
#[inline]
pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

/// Length in bytes of `value` in zig-zag form.
#[inline]
pub fn varlong_len(value: i64) -> usize {
    let v = ((value << 1) ^ (value >> 63)) as u64;
    (70 - (v | 1).leading_zeros() as usize) / 7
}

/// Reads a 64-bit varint at `*pos` and moves `*pos` past it.
#[inline]
pub fn read_varlong(buf: &[u8], pos: &mut usize, what: &'static str) -> Result<i64, WireError> {
    let raw = read_unsigned::<64>(buf, pos, what)?;
    Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
}

/// Reads a 32-bit varint at `*pos` and moves `*pos` past it.
#[inline]
pub fn read_varint(buf: &[u8], pos: &mut usize, what: &'static str) -> Result<i32, WireError> {
    let raw = read_unsigned::<32>(buf, pos, what)? as u32;
    Ok(((raw >> 1) as i32) ^ -((raw & 1) as i32))
}

/// Reads a 32-bit varint without zig-zag at `*pos` and moves `*pos` past it.
#[inline]
pub fn read_unsigned_varint(buf: &[u8], pos: &mut usize, what: &'static str) -> Result<u32, WireError> {
    Ok(read_unsigned::<32>(buf, pos, what)? as u32)
}

/// Reads a number of `BITS` bits; there may be more of them for 32, which the callers cut off.
#[inline]
fn read_unsigned<const BITS: u32>(buf: &[u8], pos: &mut usize, what: &'static str) -> Result<u64, WireError> {
    let first = *buf.get(*pos).ok_or(WireError::Truncated { what })?;
    *pos += 1;
    if first < 0x80 {
        return Ok(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    let mut shift = 7;
    loop {
        let byte = *buf.get(*pos).ok_or(WireError::Truncated { what })?;
        *pos += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
        if shift >= BITS {
            return Err(WireError::VarintTooLong { what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(value: i64) {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_len(value));
            let mut pos = 0;
            prop_assert_eq!(read_varlong(&out, &mut pos, "test"), Ok(value));
            prop_assert_eq!(pos, out.len());
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut pos = 0;
            let _ = read_varint(&bytes, &mut pos, "test");
            prop_assert!(pos <= bytes.len());
        }

        #[test]
        fn the_kinds_agree(bytes: Vec<u8>) {
            let (mut at32, mut at64, mut at_unsigned) = (0, 0, 0);
            if let Ok(value) = read_varint(&bytes, &mut at32, "test") {
                let raw = ((value << 1) ^ (value >> 31)) as u32;
                prop_assert_eq!(read_unsigned_varint(&bytes, &mut at_unsigned, "test"), Ok(raw));
                let long = read_varlong(&bytes, &mut at64, "test").unwrap();
                prop_assert_eq!(((long << 1) ^ (long >> 63)) as u32, raw);
                prop_assert_eq!((at32, at32), (at64, at_unsigned));
            }
        }
    }

    #[test]
    fn over_long_encodings_are_refused() {
        let too_long = WireError::VarintTooLong { what: "test" };
        assert_eq!(read_varlong(&[0xff; 11], &mut 0, "test"), Err(too_long.clone()));
        let long = [0x80, 0x80, 0x80, 0x80, 0x80, 0];
        assert_eq!(read_varint(&long, &mut 0, "test"), Err(too_long.clone()));
        assert_eq!(read_unsigned_varint(&long, &mut 0, "test"), Err(too_long));
        let cut = read_varint(&long[..4], &mut 0, "test");
        assert_eq!(cut, Err(WireError::Truncated { what: "test" }));
    }

    #[test]
    fn bits_past_the_type_are_dropped() {
        for last in [0x0f, 0x1f, 0x7f] {
            let bytes = [0xff, 0xff, 0xff, 0xff, last];
            assert_eq!(read_unsigned_varint(&bytes, &mut 0, "test"), Ok(u32::MAX), "{last:x}");
        }
        let mut long = [0xff; 10];
        long[9] = 0x7f;
        assert_eq!(read_varlong(&long, &mut 0, "test"), Ok(i64::MIN));
        assert_eq!(read_varint(&[0x80, 0x80, 0x80, 0x80, 0], &mut 0, "test"), Ok(0), "longer than needed");
        assert_eq!(read_varint(&[0xff, 0xff, 0xff, 0xff, 0x0f], &mut 0, "test"), Ok(i32::MIN));
    }

    #[test]
    fn boundaries_keep_their_length() {
        for (value, len) in
            [(0, 1), (-1, 1), (63, 1), (-64, 1), (64, 2), (8191, 2), (8192, 3), (i64::MIN, 10)]
        {
            assert_eq!(varlong_len(value), len, "{value}");
        }
    }
}
