//! What members of the sticky strategies tell the leader beside their subscription: the layouts of Java's
//! `StickyAssignor` (versions 0 and 1, the latter with a generation) and `CooperativeStickyAssignor`.

use crate::group::protocol::{int32, partitions, put_partitions};
use crate::metadata::TopicPartition;
use bytes::{BufMut, Bytes, BytesMut};

/// Generation that is not known.
pub const NO_GENERATION: i32 = -1;

/// What a member had, for `sticky`: it has given that up, but should get it back.
pub fn sticky(assigned: &[TopicPartition], generation: i32) -> Bytes {
    let mut out = BytesMut::with_capacity(64);
    put_partitions(&mut out, assigned);
    out.put_i32(generation);
    out.freeze()
}

/// Reads [`sticky`]; bytes of another kind are a member that had nothing, as for Java.
pub fn read_sticky(mut bytes: Bytes) -> (Vec<TopicPartition>, i32) {
    let buf = &mut bytes;
    let Ok(assigned) = partitions(buf) else { return (Vec::new(), NO_GENERATION) };
    // Version 0 ends here.
    (assigned, int32(buf).unwrap_or(NO_GENERATION))
}

/// The generation of a member, for `cooperative-sticky`; what it has stands in the subscription.
pub fn cooperative(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// Reads [`cooperative`].
pub fn read_cooperative(mut bytes: Bytes) -> i32 {
    int32(&mut bytes).unwrap_or(NO_GENERATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_javas() {
        let assigned = [TopicPartition::new("t", 0), TopicPartition::new("t", 2)];
        let bytes = sticky(&assigned, 7);
        let expected: &[u8] = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7];
        assert_eq!(bytes, expected);
        assert_eq!(read_sticky(bytes.clone()), (assigned.to_vec(), 7));
        let version_0 = bytes.slice(..bytes.len() - 4);
        assert_eq!(read_sticky(version_0), (assigned.to_vec(), NO_GENERATION));
        assert_eq!(read_sticky(bytes.slice(..9)), (Vec::new(), NO_GENERATION));
        assert_eq!(cooperative(258), &[0, 0, 1, 2][..]);
        assert_eq!(read_cooperative(cooperative(5)), 5);
        assert_eq!(read_cooperative(Bytes::new()), NO_GENERATION);
    }
}
