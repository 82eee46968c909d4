//! The fixed-size parts of a batch.

/// Number of a topic name in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(pub(super) u32);

/// Number of a buffer in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlabId(pub(super) u32);

/// What the timestamp of a fetched record means (`org.apache.kafka.common.record.TimestampType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// Set by the producer.
    #[default]
    CreateTime,
    /// Set by the broker at the append.
    LogAppendTime,
}

/// A slice of a slab; `slab` equal to the number of slabs means the tail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) slab: u32,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// Where a key, value or header value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Null,
    /// UTF-8, checked when the slot was made.
    Str(Span),
    Bytes(Span),
    /// Index into the batch's owned values.
    Owned(u32),
}

/// Number of a schema in a batch, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SchemaId(u32);

impl SchemaId {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn from_index(index: usize) -> Self {
        Self(index as u32 + 1)
    }

    pub(super) fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct HeaderSlot {
    pub(super) name: Span,
    pub(super) schema: SchemaId,
    pub(super) value: Slot,
}

pub(super) const NO_PARTITION: i32 = -1;
pub(super) const NO_TIMESTAMP: i64 = i64::MIN;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(super) topic: TopicId,
    pub(super) partition: i32,
    pub(super) origin_topic: TopicId,
    pub(super) origin_partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Slot,
    pub(super) value: Slot,
    pub(super) key_schema: SchemaId,
    pub(super) value_schema: SchemaId,
    pub(super) headers_start: u32,
    pub(super) headers_len: u32,
    pub(super) ordinal: u32,
    pub(super) timestamp_type: TimestampType,
    pub(super) dropped: bool,
}

impl Row {
    pub(super) fn new(topic: TopicId) -> Self {
        Self {
            topic,
            partition: NO_PARTITION,
            origin_topic: topic,
            origin_partition: NO_PARTITION,
            offset: -1,
            timestamp: NO_TIMESTAMP,
            key: Slot::Null,
            value: Slot::Null,
            key_schema: SchemaId::NONE,
            value_schema: SchemaId::NONE,
            headers_start: 0,
            headers_len: 0,
            ordinal: 0,
            timestamp_type: TimestampType::CreateTime,
            dropped: false,
        }
    }
}
