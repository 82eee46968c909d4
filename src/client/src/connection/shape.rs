//! A check of response bodies before they are decoded.
//!
//! The decoder of messages reserves memory by the counts that it reads, so a wrong count could ask for
//! more than there is and end the process. Here the body is walked first, without allocating: every
//! element that is counted must be there. What passes is decoded in memory proportional to its bytes.

use super::shapes;

/// Elements of all arrays of a body together. The metadata of 200,000 partitions has below 2 million.
const MAX_ELEMENTS: usize = 4_000_000;

/// A field of a message, as far as its length matters, and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fixed(usize),
    /// A string; null is allowed everywhere.
    Text,
    /// Bytes or records; null is allowed everywhere.
    Blob,
    /// A struct by itself.
    One(&'static [Field]),
    Structs(&'static [Field]),
    /// An array of plain values.
    Values(&'static Field),
    /// A tagged field, by its number (KIP-482).
    Tagged(u32, &'static Field),
}

pub(super) const BOOL: Field = Field::new(Kind::Fixed(1));
pub(super) const INT8: Field = Field::new(Kind::Fixed(1));
pub(super) const INT16: Field = Field::new(Kind::Fixed(2));
pub(super) const INT32: Field = Field::new(Kind::Fixed(4));
pub(super) const INT64: Field = Field::new(Kind::Fixed(8));
pub(super) const UUID: Field = Field::new(Kind::Fixed(16));
pub(super) const TEXT: Field = Field::new(Kind::Text);
pub(super) const BLOB: Field = Field::new(Kind::Blob);

pub(super) const fn one(fields: &'static [Field]) -> Field {
    Field::new(Kind::One(fields))
}

pub(super) const fn structs(fields: &'static [Field]) -> Field {
    Field::new(Kind::Structs(fields))
}

pub(super) const fn values(field: &'static Field) -> Field {
    Field::new(Kind::Values(field))
}

pub(super) const fn tag(number: u32, field: &'static Field) -> Field {
    Field::new(Kind::Tagged(number, field))
}

impl Field {
    const fn new(kind: Kind) -> Self {
        Self { kind, since: 0, until: i16::MAX }
    }

    pub(super) const fn since(self, since: i16) -> Self {
        Self { since, ..self }
    }

    pub(super) const fn until(self, until: i16) -> Self {
        Self { until, ..self }
    }

    fn is_in(&self, version: i16) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

/// Checks the body of a response. Bytes after it are nobody's business: newer brokers may add some.
pub(super) fn check(api_key: i16, version: i16, is_flexible: bool, body: &[u8]) -> Result<(), String> {
    let Some(fields) = shapes::of(api_key) else {
        return Err("this client does not know its layout".to_owned());
    };
    let mut walk = Walk { rest: body, version, is_flexible, elements: 0 };
    walk.fields(fields).map_err(str::to_owned)
}

type Checked<T> = Result<T, &'static str>;

const TRUNCATED: &str = "it ends inside a field, or a count is larger than what follows it";
const BAD_LENGTH: &str = "a length or count is invalid";

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Checked<()> {
        for field in fields {
            if field.is_in(self.version) {
                self.field(field)?;
            }
        }
        if self.is_flexible { self.tags(fields) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Checked<()> {
        match field.kind {
            Kind::Fixed(len) => self.take(len).map(|_| ()),
            Kind::Text => {
                let len = if self.is_flexible { self.compact_len()? } else { self.int16()? };
                self.take_nullable(len)
            }
            Kind::Blob => {
                let len = self.len()?;
                self.take_nullable(len)
            }
            Kind::One(fields) => self.fields(fields),
            Kind::Structs(fields) => self.each(|walk| walk.fields(fields)),
            Kind::Values(field) => self.each(|walk| walk.field(field)),
            // These follow the others.
            Kind::Tagged(..) => Ok(()),
        }
    }

    fn each(&mut self, element: impl Fn(&mut Self) -> Checked<()>) -> Checked<()> {
        let count = self.len()?;
        if count < -1 {
            return Err(BAD_LENGTH);
        }
        for _ in 0..count {
            self.elements += 1;
            if self.elements > MAX_ELEMENTS {
                return Err("it has more elements than this client takes");
            }
            element(self)?;
        }
        Ok(())
    }

    /// Known tagged fields must fill their bytes, so that the decoder ends where this walk does.
    fn tags(&mut self, fields: &[Field]) -> Checked<()> {
        for _ in 0..self.varint()? {
            let number = self.varint()?;
            let len = self.varint()? as usize;
            let content = self.take(len)?;
            let known = fields.iter().find_map(|field| match field.kind {
                Kind::Tagged(n, content) if n == number && field.is_in(self.version) => Some(content),
                _ => None,
            });
            if let Some(known) = known {
                let rest = std::mem::replace(&mut self.rest, content);
                self.field(known)?;
                if !self.rest.is_empty() {
                    return Err("a tagged field has another length than its content");
                }
                self.rest = rest;
            }
        }
        Ok(())
    }

    /// Length of an array or of bytes; -1 for null.
    fn len(&mut self) -> Checked<i64> {
        if self.is_flexible {
            return self.compact_len();
        }
        let (len, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(i64::from(i32::from_be_bytes(*len)))
    }

    fn int16(&mut self) -> Checked<i64> {
        let (len, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(i64::from(i16::from_be_bytes(*len)))
    }

    fn compact_len(&mut self) -> Checked<i64> {
        Ok(i64::from(self.varint()?) - 1)
    }

    fn varint(&mut self) -> Checked<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
            self.rest = rest;
            if shift == 28 && byte > 0x0f {
                return Err(BAD_LENGTH);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(BAD_LENGTH)
    }

    fn take_nullable(&mut self, len: i64) -> Checked<()> {
        match len {
            -1 => Ok(()),
            len => self.take(usize::try_from(len).map_err(|_| BAD_LENGTH)?).map(|_| ()),
        }
    }
}

impl<'a> Walk<'a> {
    fn take(&mut self, len: usize) -> Checked<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{decode_response, is_flexible};
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
    use kafka_protocol::messages::{create_topics_response as create, describe_configs_response as configs};
    use kafka_protocol::messages::{fetch_response as fetch, find_coordinator_response as find};
    use kafka_protocol::messages::{join_group_response as join, leave_group_response as leave};
    use kafka_protocol::messages::{list_offsets_response as list, offset_fetch_response as offsets};
    use kafka_protocol::messages::{offset_commit_response as commit, produce_response as produce, *};
    use kafka_protocol::protocol::{Encodable, Message, Request};
    use proptest::prelude::*;

    /// Every version of the response that can be encoded is accepted, and no shorter one.
    fn accepted<R: Request>(response: &R::Response) -> usize
    where
        R::Response: PartialEq + std::fmt::Debug,
    {
        let mut versions = 0;
        let range = R::Response::VERSIONS;
        for version in range.min..=range.max.min(R::VERSIONS.max) {
            let mut body = BytesMut::new();
            if response.encode(&mut body, version).is_err() {
                continue; // a field that this version does not have
            }
            versions += 1;
            let flexible = is_flexible::<R>(version);
            super::check(R::KEY, version, flexible, &body)
                .unwrap_or_else(|e| panic!("{} version {version}: {e}", super::super::api_name(R::KEY)));
            for cut in 0..body.len() {
                assert!(super::check(R::KEY, version, flexible, &body[..cut]).is_err(), "cut at {cut}");
            }
        }
        versions
    }

    #[test]
    fn all_versions_of_all_responses_are_accepted() {
        macro_rules! each {
            ($($request:ty => $response:expr;)*) => {$(
                assert!(accepted::<$request>(&Default::default()) > 0);
                assert!(accepted::<$request>(&$response) > 0, stringify!($request));
            )*};
        }
        fn two<T: Clone>(one: T) -> Vec<T> {
            vec![one.clone(), one]
        }
        let partition = MetadataResponsePartition::default().with_replica_nodes(two(BrokerId(3)));
        let topic = MetadataResponseTopic::default().with_partitions(two(partition));
        let config = configs::DescribeConfigsResourceResult::default().with_synonyms(two(Default::default()));
        let fetched = fetch::PartitionData::default()
            .with_aborted_transactions(Some(two(Default::default())))
            .with_records(Some(Bytes::from_static(b"batch")));
        let produced =
            produce::PartitionProduceResponse::default().with_record_errors(two(Default::default()));
        let led = produce::PartitionProduceResponse::default()
            .with_current_leader(produce::LeaderIdAndEpoch::default().with_leader_id(BrokerId(2)));
        each! {
            ApiVersionsRequest => ApiVersionsResponse::default().with_api_keys(two(Default::default()))
                .with_supported_features(two(Default::default())).with_finalized_features_epoch(7);
            ApiVersionsRequest => ApiVersionsResponse::default().with_api_keys(two(Default::default()));
            CreateTopicsRequest => CreateTopicsResponse::default().with_topics(two(
                create::CreatableTopicResult::default().with_configs(Some(two(Default::default())))));
            DeleteTopicsRequest => DeleteTopicsResponse::default().with_responses(two(
                delete_topics_response::DeletableTopicResult::default().with_name(Some(Default::default()))));
            DescribeConfigsRequest => DescribeConfigsResponse::default().with_results(two(
                configs::DescribeConfigsResult::default().with_configs(two(config.clone()))));
            FetchRequest => FetchResponse::default().with_responses(two(
                fetch::FetchableTopicResponse::default().with_partitions(two(fetched.clone()))));
            FindCoordinatorRequest => FindCoordinatorResponse::default().with_coordinators(two(
                find::Coordinator::default()));
            HeartbeatRequest => HeartbeatResponse::default();
            InitProducerIdRequest => InitProducerIdResponse::default();
            JoinGroupRequest => JoinGroupResponse::default().with_members(two(
                join::JoinGroupResponseMember::default().with_metadata(Bytes::from_static(b"m"))));
            LeaveGroupRequest => LeaveGroupResponse::default().with_members(two(
                leave::MemberResponse::default()));
            ListOffsetsRequest => ListOffsetsResponse::default().with_topics(two(
                list::ListOffsetsTopicResponse::default().with_partitions(two(Default::default()))));
            MetadataRequest => MetadataResponse::default().with_brokers(two(Default::default()))
                .with_topics(two(topic.clone().with_name(Some(Default::default()))));
            OffsetCommitRequest => OffsetCommitResponse::default().with_topics(two(
                commit::OffsetCommitResponseTopic::default().with_partitions(two(Default::default()))));
            OffsetFetchRequest => OffsetFetchResponse::default().with_topics(two(
                offsets::OffsetFetchResponseTopic::default().with_partitions(two(Default::default()))));
            OffsetFetchRequest => OffsetFetchResponse::default().with_groups(two(
                offsets::OffsetFetchResponseGroup::default().with_topics(two(
                    offsets::OffsetFetchResponseTopics::default().with_partitions(two(Default::default()))))));
            ProduceRequest => ProduceResponse::default().with_responses(two(
                produce::TopicProduceResponse::default().with_partition_responses(two(produced.clone()))));
            ProduceRequest => ProduceResponse::default().with_node_endpoints(two(Default::default()))
                .with_responses(two(
                    produce::TopicProduceResponse::default().with_partition_responses(two(led.clone()))));
            SyncGroupRequest => SyncGroupResponse::default().with_assignment(Bytes::from_static(b"a"));
        }
    }

    #[test]
    fn a_count_without_elements_asks_for_no_memory() {
        // Metadata 1: brokers counted as i32::MAX; Metadata 9: as u32::MAX.
        let plain = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        assert!(decode_response::<MetadataRequest>(plain, 1).is_err());
        let flexible = Bytes::from_static(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
        assert!(decode_response::<MetadataRequest>(flexible, 9).is_err());
        // In a tagged field of Produce 10.
        let tagged = Bytes::from_static(&[0, 1, 0, 0, 0, 0, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(decode_response::<ProduceRequest>(tagged, 10).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes: Vec<u8>, version in 0i16..13) {
            let bytes = Bytes::from(bytes);
            let _ = decode_response::<MetadataRequest>(bytes.clone(), version.max(1));
            let _ = decode_response::<ProduceRequest>(bytes.clone(), version.max(3));
            let _ = decode_response::<FetchRequest>(bytes.clone(), version.max(4));
            let _ = decode_response::<JoinGroupRequest>(bytes.clone(), version.min(9));
            let _ = decode_response::<ApiVersionsRequest>(bytes, version.min(4));
        }
    }
}
