//! A record as plugins read it.

use super::slot::{HeaderSlot, NO_PARTITION, NO_TIMESTAMP, Row};
use super::{Column, RecordBatch, TimestampType};
use crate::{Schema, Str, Value, ValueRef};
use std::sync::Arc;

/// A borrowed record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    pub(super) batch: &'a RecordBatch,
    pub(super) row: &'a Row,
}

/// A borrowed header.
#[derive(Debug, Clone, Copy)]
pub struct HeaderRef<'a> {
    /// Name; need not be unique.
    pub name: Str<'a>,
    /// Schema; `None` is schemaless.
    pub schema: Option<&'a Arc<Schema>>,
    /// Value.
    pub value: ValueRef<'a>,
}

impl<'a> RecordRef<'a> {
    /// Its topic, as transforms left it.
    pub fn topic(&self) -> &'a str {
        self.batch.topics.get(self.row.topic.0 as usize).map_or("", |t| t)
    }

    /// Its partition; `None` lets the producer choose.
    pub fn partition(&self) -> Option<i32> {
        Some(self.row.partition).filter(|p| *p != NO_PARTITION)
    }

    /// The topic it was fetched from, before transforms (KIP-793).
    pub fn origin_topic(&self) -> &'a str {
        self.batch.topics.get(self.row.origin_topic.0 as usize).map_or("", |t| t)
    }

    /// The partition it was fetched from, before transforms (KIP-793).
    pub fn origin_partition(&self) -> i32 {
        self.row.origin_partition
    }

    /// Its offset in Kafka; -1 for a record of a source.
    pub fn offset(&self) -> i64 {
        self.row.offset
    }

    /// Milliseconds since the epoch; `None` lets the producer take the time of sending.
    pub fn timestamp(&self) -> Option<i64> {
        Some(self.row.timestamp).filter(|t| *t != NO_TIMESTAMP)
    }

    /// What the timestamp means, for a fetched record.
    pub fn timestamp_type(&self) -> TimestampType {
        self.row.timestamp_type
    }

    /// Its number in the order in which records were added to the batch; stays when others are
    /// dropped.
    pub fn ordinal(&self) -> u32 {
        self.row.ordinal
    }

    /// Its key.
    pub fn key(&self) -> ValueRef<'a> {
        self.batch.value_of(self.row.key)
    }

    /// Schema of the key; `None` is schemaless.
    pub fn key_schema(&self) -> Option<&'a Arc<Schema>> {
        self.batch.schema(self.row.key_schema)
    }

    /// Its value.
    pub fn value(&self) -> ValueRef<'a> {
        self.batch.value_of(self.row.value)
    }

    /// Schema of the value; `None` is schemaless.
    pub fn value_schema(&self) -> Option<&'a Arc<Schema>> {
        self.batch.schema(self.row.value_schema)
    }

    /// Key or value.
    pub fn datum(&self, column: Column) -> ValueRef<'a> {
        match column {
            Column::Key => self.key(),
            Column::Value => self.value(),
        }
    }

    /// Schema of the key or value.
    pub fn schema(&self, column: Column) -> Option<&'a Arc<Schema>> {
        match column {
            Column::Key => self.key_schema(),
            Column::Value => self.value_schema(),
        }
    }

    /// Key or value as an owned value that shares the batch's buffer where it can: for plugins that
    /// keep single records.
    pub fn value_owned(&self, column: Column) -> Value {
        match column {
            Column::Key => self.batch.owned_value_of(self.row.key),
            Column::Value => self.batch.owned_value_of(self.row.value),
        }
    }

    /// Its headers in order, duplicates included.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = HeaderRef<'a>> + Clone + use<'a> {
        let batch = self.batch;
        self.header_slots().iter().map(move |slot| HeaderRef {
            name: Str::from_checked(batch.bytes_of(slot.name)),
            schema: batch.schema(slot.schema),
            value: batch.value_of(slot.value),
        })
    }

    fn header_slots(&self) -> &'a [HeaderSlot] {
        let start = self.row.headers_start as usize;
        self.batch.headers.get(start..start + self.row.headers_len as usize).unwrap_or_default()
    }
}
