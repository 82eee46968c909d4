//! The bytes that consumers exchange through the group coordinator: what a member subscribes to and
//! what it is assigned. Versions 0 to 3 of Kafka's `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment` are read, version 3 is written; as in
//! `org.apache.kafka.clients.consumer.internals.ConsumerProtocol` a newer version is read as far as 3.
//!
//! The bytes come from other members, which may be of any make: counts are checked against the bytes
//! that are there, and nothing is reserved by them.

use crate::metadata::TopicPartition;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::sync::Arc;

/// The version that is written.
const VERSION: i16 = 3;

/// What a member subscribes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscription {
    /// Topic names.
    pub topics: Vec<Arc<str>>,
    /// The assignor's own data.
    pub user_data: Option<Bytes>,
    /// Partitions that the member holds and keeps while it joins (cooperative protocols, version 1).
    pub owned: Vec<TopicPartition>,
    /// Generation in which `owned` was assigned; -1 if unknown (version 2).
    pub generation: i32,
    /// `client.rack` (version 3).
    pub rack: Option<Arc<str>>,
}

/// What a member is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
    /// The assignor's own data.
    pub user_data: Option<Bytes>,
}

/// Bytes of a member or leader that do not follow the consumer protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the consumer protocol's bytes are invalid: {what}")]
pub struct ProtocolError {
    what: &'static str,
}

impl Subscription {
    /// Writes the subscription.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_i16(VERSION);
        put_count(&mut out, self.topics.len());
        for topic in &self.topics {
            put_string(&mut out, topic);
        }
        put_bytes(&mut out, self.user_data.as_deref());
        put_partitions(&mut out, &self.owned);
        out.put_i32(self.generation);
        match &self.rack {
            None => out.put_i16(-1),
            Some(rack) => put_string(&mut out, rack),
        }
        out.freeze()
    }

    /// Reads a subscription of any version.
    pub fn decode(mut bytes: Bytes) -> Result<Self, ProtocolError> {
        let buf = &mut bytes;
        let version = version(buf)?;
        let mut topics = Vec::new();
        for _ in 0..count(buf)? {
            topics.push(string(buf)?.ok_or(ProtocolError { what: "a topic's name is null" })?);
        }
        let user_data = nullable_bytes(buf)?;
        let owned = if version >= 1 { partitions(buf)? } else { Vec::new() };
        let generation = if version >= 2 { int32(buf)? } else { -1 };
        let rack = if version >= 3 { string(buf)? } else { None };
        Ok(Self { topics, user_data, owned, generation, rack })
    }
}

impl Assignment {
    /// Writes the assignment.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_i16(VERSION);
        put_partitions(&mut out, &self.partitions);
        put_bytes(&mut out, self.user_data.as_deref());
        out.freeze()
    }

    /// Reads an assignment of any version. No bytes at all are an empty assignment: a leader that
    /// leaves a member out makes the coordinator send that.
    pub fn decode(mut bytes: Bytes) -> Result<Self, ProtocolError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let buf = &mut bytes;
        version(buf)?;
        let partitions = partitions(buf)?;
        let user_data = nullable_bytes(buf)?;
        Ok(Self { partitions, user_data })
    }
}

fn put_count(out: &mut BytesMut, count: usize) {
    // A group has far fewer topics and partitions than 2^31.
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

fn put_string(out: &mut BytesMut, string: &str) {
    // Topic names have at most 249 bytes; a longer string is cut, never framed wrongly.
    let bytes = &string.as_bytes()[..string.len().min(i16::MAX as usize)];
    out.put_i16(bytes.len() as i16);
    out.put_slice(bytes);
}

fn put_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => out.put_i32(-1),
        Some(bytes) => {
            put_count(out, bytes.len());
            out.put_slice(bytes);
        }
    }
}

/// Partitions by topic, in the order in which they come.
pub(super) fn put_partitions(out: &mut BytesMut, partitions: &[TopicPartition]) {
    let topics = partitions.chunk_by(|a, b| a.topic == b.topic);
    put_count(out, topics.clone().count());
    for run in topics {
        put_string(out, &run[0].topic);
        put_count(out, run.len());
        for tp in run {
            out.put_i32(tp.partition);
        }
    }
}

fn version(buf: &mut Bytes) -> Result<i16, ProtocolError> {
    match int16(buf)? {
        version if version < 0 => Err(ProtocolError { what: "the version is negative" }),
        version => Ok(version.min(VERSION)),
    }
}

pub(super) fn partitions(buf: &mut Bytes) -> Result<Vec<TopicPartition>, ProtocolError> {
    let mut all = Vec::new();
    for _ in 0..count(buf)? {
        let topic = string(buf)?.ok_or(ProtocolError { what: "a topic's name is null" })?;
        for _ in 0..count(buf)? {
            all.push(TopicPartition { topic: topic.clone(), partition: int32(buf)? });
        }
    }
    Ok(all)
}

fn int16(buf: &mut Bytes) -> Result<i16, ProtocolError> {
    buf.try_get_i16().map_err(|_| ProtocolError { what: "they end too early" })
}

pub(super) fn int32(buf: &mut Bytes) -> Result<i32, ProtocolError> {
    buf.try_get_i32().map_err(|_| ProtocolError { what: "they end too early" })
}

/// The number of elements of an array; null is empty. Reading an element fails when the bytes end, so
/// a count that lies costs nothing.
fn count(buf: &mut Bytes) -> Result<i32, ProtocolError> {
    Ok(int32(buf)?.max(0))
}

fn string(buf: &mut Bytes) -> Result<Option<Arc<str>>, ProtocolError> {
    let Ok(len) = usize::try_from(int16(buf)?) else { return Ok(None) };
    if buf.len() < len {
        return Err(ProtocolError { what: "they end inside a string" });
    }
    let bytes = buf.split_to(len);
    let text = std::str::from_utf8(&bytes).map_err(|_| ProtocolError { what: "a string is not UTF-8" })?;
    Ok(Some(Arc::from(text)))
}

fn nullable_bytes(buf: &mut Bytes) -> Result<Option<Bytes>, ProtocolError> {
    let Ok(len) = usize::try_from(int32(buf)?) else { return Ok(None) };
    if buf.len() < len {
        return Err(ProtocolError { what: "they end inside a byte string" });
    }
    Ok(Some(buf.split_to(len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tp(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::new(topic, partition)
    }

    #[test]
    fn the_bytes_are_those_of_the_java_client() {
        let subscription = Subscription { topics: vec!["t".into()], generation: -1, ..Default::default() };
        let expected: &[u8] = &[
            0, 3, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff,
        ];
        assert_eq!(subscription.encode(), expected);
        let assignment = Assignment { partitions: vec![tp("t", 0), tp("t", 1)], user_data: None };
        let expected: &[u8] =
            &[0, 3, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(assignment.encode(), expected);
    }

    #[test]
    fn version_0_has_topics_and_user_data_only() {
        let bytes = Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 9]);
        let read = Subscription::decode(bytes).unwrap();
        assert_eq!(read.topics, ["t".into()]);
        assert_eq!(read.user_data.as_deref(), Some(&[9][..]));
        assert_eq!((read.owned.len(), read.generation, read.rack), (0, -1, None));
    }

    #[test]
    fn a_newer_version_is_read_as_far_as_known() {
        let mut bytes = Subscription { topics: vec!["t".into()], ..Default::default() }.encode().to_vec();
        bytes[1] = 9;
        bytes.extend_from_slice(b"more");
        assert_eq!(Subscription::decode(bytes.into()).unwrap().topics, ["t".into()]);
    }

    #[test]
    fn a_count_that_lies_is_an_error() {
        let bytes = Bytes::from_static(&[0, 3, 0x7f, 0xff, 0xff, 0xff, 0, 1, b't']);
        assert!(Subscription::decode(bytes.clone()).is_err());
        assert!(Assignment::decode(bytes).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(topics in prop::collection::vec("[a-z.]{1,9}", 0..5),
                                   owned in prop::collection::vec(("[ab]", 0..9i32), 0..9),
                                   user_data: Option<Vec<u8>>, generation: i32, rack: Option<String>) {
            let owned: Vec<_> = owned.into_iter().map(|(t, p)| tp(&t, p)).collect();
            let subscription = Subscription {
                topics: topics.into_iter().map(Arc::from).collect(),
                user_data: user_data.clone().map(Bytes::from),
                owned: owned.clone(),
                generation,
                rack: rack.map(Arc::from),
            };
            prop_assert_eq!(Subscription::decode(subscription.encode()).unwrap(), subscription);
            let assignment = Assignment { partitions: owned, user_data: user_data.map(Bytes::from) };
            prop_assert_eq!(Assignment::decode(assignment.encode()).unwrap(), assignment);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Subscription::decode(bytes.clone().into());
            let _ = Assignment::decode(bytes.into());
        }
    }
}
