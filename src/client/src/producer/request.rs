//! Produce requests, framed by hand so that batches are written from where they were built.

use super::accumulator::LaneId;
use super::config::Acks;
use crate::connection::{Frame, FrameHead, api_name};
use bytes::{BufMut, Bytes, BytesMut};
use crossdock_wire::frame::FRAME_PREFIX_LEN;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::protocol::Request;
use smallvec::SmallVec;
use std::sync::Arc;

/// Produce 13 names topics by id; up to 12 the layout is that of 9.
pub(super) const MAX_VERSION: i16 = 12;
/// The first version in which brokers take zstd (KIP-110).
pub(super) const FIRST_WITH_ZSTD: i16 = 7;
/// From this version on brokers announce the partitions of a transaction themselves (KIP-890).
pub(super) const IMPLICIT_VERSION: i16 = 12;
const FIRST_FLEXIBLE: i16 = 9;

/// A batch within a request.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) lane: LaneId,
    pub(super) topic: Arc<str>,
    /// The batch's id in the order of its partition.
    pub(super) id: u64,
    pub(super) bytes: Bytes,
}

/// Encodes a request of one batch a partition. Parts of a topic must be next to each other. `None` if
/// it is too large for a frame, which `max.request.size` prevents.
pub(super) fn encode(
    head: &FrameHead,
    transactional_id: Option<&str>,
    acks: Acks,
    timeout_ms: i32,
    parts: &[Part],
) -> Option<Frame> {
    let flexible = head.version >= FIRST_FLEXIBLE;
    let topics: Vec<&[Part]> = parts.chunk_by(|a, b| a.lane.topic == b.lane.topic).collect();
    let mut out = Writer { segments: SmallVec::new(), buf: BytesMut::with_capacity(256), flexible };
    head.write(&mut out.buf);
    match transactional_id {
        Some(id) => out.string(id),
        None => out.null_string(),
    }
    out.buf.put_i16(match acks {
        Acks::All => -1,
        Acks::Leader => 1,
        Acks::None => 0,
    });
    out.buf.put_i32(timeout_ms);
    out.count(topics.len());
    for topic in topics {
        out.string(topic.first().map_or("", |p| &p.topic));
        out.count(topic.len());
        for part in topic {
            out.buf.put_i32(part.lane.partition);
            out.bytes(part.bytes.clone());
            out.no_tags();
        }
        out.no_tags();
    }
    out.no_tags();
    out.finish(head.correlation_id)
}

struct Writer {
    segments: SmallVec<[Bytes; 4]>,
    buf: BytesMut,
    flexible: bool,
}

impl Writer {
    fn count(&mut self, count: usize) {
        if self.flexible {
            self.uvarint(count as u64 + 1);
        } else {
            // Batches in a request are bounded by its size, far below this.
            self.buf.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    /// Topic names are at most 249 bytes; longer ones are refused by the broker before they get here. As is a
    /// transactional id that is longer than this can write.
    fn string(&mut self, text: &str) {
        let text = &text.as_bytes()[..text.len().min(i16::MAX as usize)];
        if self.flexible {
            self.uvarint(text.len() as u64 + 1);
        } else {
            self.buf.put_i16(text.len() as i16);
        }
        self.buf.put_slice(text);
    }

    fn null_string(&mut self) {
        if self.flexible { self.buf.put_u8(0) } else { self.buf.put_i16(-1) }
    }

    /// Puts a batch into the frame without copying it.
    fn bytes(&mut self, bytes: Bytes) {
        if self.flexible {
            self.uvarint(bytes.len() as u64 + 1);
        } else {
            self.buf.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        }
        self.segments.push(self.buf.split().freeze());
        self.segments.push(bytes);
    }

    fn no_tags(&mut self) {
        if self.flexible {
            self.buf.put_u8(0);
        }
    }

    fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buf.put_u8((value as u8) | 0x80);
            value >>= 7;
        }
        self.buf.put_u8(value as u8);
    }

    fn finish(mut self, correlation_id: i32) -> Option<Frame> {
        if !self.buf.is_empty() {
            self.segments.push(self.buf.split().freeze());
        }
        let len: usize = self.segments.iter().map(Bytes::len).sum();
        let prefix = i32::try_from(len - FRAME_PREFIX_LEN).ok()?.to_be_bytes();
        let first = self.segments.first_mut()?;
        // The first segment is a few dozen bytes, and this is its only owner.
        let mut head = BytesMut::from(std::mem::take(first));
        head[..FRAME_PREFIX_LEN].copy_from_slice(&prefix);
        *first = head.freeze();
        Some(Frame { api: api_name(ProduceRequest::KEY), correlation_id, segments: self.segments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;
    use kafka_protocol::messages::{ProduceRequest, RequestHeader};
    use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};

    #[test]
    fn the_layout_is_that_of_the_schema_in_every_version() {
        let part = |topic: usize, partition, bytes: &'static str| Part {
            lane: LaneId { topic, partition },
            topic: if topic == 0 { "first".into() } else { "second".into() },
            id: 0,
            bytes: Bytes::from_static(bytes.as_bytes()),
        };
        let parts = [part(0, 3, "batch one"), part(0, 4, ""), part(1, 0, "batch three")];
        for version in 3..=MAX_VERSION {
            let header_version = ProduceRequest::header_version(version);
            let client_id = StrBytes::from_static_str("me");
            let head = FrameHead { api_key: 0, version, header_version, correlation_id: 77, client_id };
            let transactional_id = (version % 2 == 0).then_some("mine");
            let frame = encode(&head, transactional_id, Acks::All, 1234, &parts).unwrap();
            let mut whole = Bytes::from(frame.segments.concat());
            assert_eq!(whole.get_i32() as usize, whole.len());
            let header = RequestHeader::decode(&mut whole, header_version).unwrap();
            assert_eq!((header.correlation_id, header.request_api_version), (77, version));
            let request = ProduceRequest::decode(&mut whole, version).unwrap();
            assert!(whole.is_empty(), "version {version} leaves bytes");
            assert_eq!((request.acks, request.timeout_ms), (-1, 1234));
            let id = request.transactional_id.as_ref().map(|id| id.0.as_str());
            assert_eq!(id, transactional_id);
            let topics: Vec<_> = request.topic_data.iter().map(|t| t.name.0.as_str()).collect();
            assert_eq!(topics, ["first", "second"]);
            let first = &request.topic_data[0].partition_data;
            assert_eq!((first[0].index, first[0].records.as_deref()), (3, Some(&b"batch one"[..])));
            assert_eq!((first[1].index, first.len()), (4, 2));
        }
    }
}
