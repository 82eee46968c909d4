//! How records are added and changed.

use super::slot::{HeaderSlot, Row, SchemaId, Slot, Span};
use super::{Column, RecordBatch, RecordRef, SlabId, TopicId};
use crate::source::Position;
use crate::{ConnectError, Schema, Text, Value};
use std::ops::Range;
use std::sync::Arc;

/// A key or value as it is given to a batch.
#[derive(Debug)]
pub enum Datum<'a> {
    /// Null.
    Null,
    /// A string that is copied to the batch's buffer.
    Str(&'a str),
    /// Bytes that are copied to the batch's buffer.
    Bytes(&'a [u8]),
    /// A string in an adopted buffer, not copied.
    StrSlice(SlabId, Range<usize>),
    /// Bytes in an adopted buffer, not copied.
    BytesSlice(SlabId, Range<usize>),
    /// Any value.
    Value(Value),
}

impl<'a> From<&'a str> for Datum<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<'a> From<&'a [u8]> for Datum<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Value> for Datum<'_> {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl RecordBatch {
    fn slot_for(&mut self, datum: Datum<'_>) -> Result<Slot, ConnectError> {
        Ok(match datum {
            Datum::Null => Slot::Null,
            Datum::Str(text) => Slot::Str(self.write_tail(text.as_bytes())?),
            Datum::Bytes(bytes) => Slot::Bytes(self.write_tail(bytes)?),
            Datum::StrSlice(slab, range) => Slot::Str(self.text_span(slab, range)?),
            Datum::BytesSlice(slab, range) => Slot::Bytes(self.span(slab, range)?),
            Datum::Value(value) => self.store(value),
        })
    }

    fn span(&self, slab: SlabId, range: Range<usize>) -> Result<Span, ConnectError> {
        let whole = self.slab(slab);
        if range.start > range.end || range.end > whole.len() {
            return Err(ConnectError::fatal(format!(
                "a record's bytes {range:?} are outside their buffer of {} bytes",
                whole.len()
            )));
        }
        // A slab is at most 4 GiB.
        Ok(Span { slab: slab.0, start: range.start as u32, len: (range.end - range.start) as u32 })
    }

    fn text_span(&self, slab: SlabId, range: Range<usize>) -> Result<Span, ConnectError> {
        let span = self.span(slab, range.clone())?;
        let whole = &self.slabs[slab.0 as usize];
        let starts_character = |at: usize| whole.bytes.get(at).is_none_or(|b| (*b as i8) >= -0x40);
        let valid = if whole.utf8 {
            starts_character(range.start) && starts_character(range.end)
        } else {
            std::str::from_utf8(self.bytes_of(span)).is_ok()
        };
        if valid { Ok(span) } else { Err(ConnectError::bad_record("a record's string is not valid UTF-8")) }
    }
}

/// A record that is being made. Every method may be left out: the default is null, schemaless, no
/// partition, no timestamp, no headers.
#[derive(Debug)]
#[must_use = "nothing is added before finish()"]
pub struct RecordBuilder<'b> {
    batch: &'b mut RecordBatch,
    row: Row,
    error: Option<ConnectError>,
    position: Option<(&'b mut Vec<Position>, Position)>,
}

impl<'b> RecordBuilder<'b> {
    pub(super) fn new(batch: &'b mut RecordBatch, topic: TopicId) -> Self {
        let mut row = Row::new(topic);
        row.headers_start = batch.headers.len() as u32;
        Self { batch, row, error: None, position: None }
    }

    pub(crate) fn at(mut self, positions: &'b mut Vec<Position>, position: Position) -> Self {
        self.position = Some((positions, position));
        self
    }

    /// Sets the key and its schema (`None` is schemaless).
    pub fn key<'a>(mut self, schema: Option<&Arc<Schema>>, datum: impl Into<Datum<'a>>) -> Self {
        self.row.key_schema = self.batch.schema_id(schema);
        self.row.key = self.slot(datum.into());
        self
    }

    /// Sets the value and its schema (`None` is schemaless).
    pub fn value<'a>(mut self, schema: Option<&Arc<Schema>>, datum: impl Into<Datum<'a>>) -> Self {
        self.row.value_schema = self.batch.schema_id(schema);
        self.row.value = self.slot(datum.into());
        self
    }

    /// Sets the partition.
    pub fn partition(mut self, partition: i32) -> Self {
        self.row.partition = partition;
        self
    }

    /// Sets the timestamp in milliseconds since the epoch.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.row.timestamp = timestamp;
        self
    }

    /// Adds a header.
    pub fn header<'a>(
        mut self,
        name: &str,
        schema: Option<&Arc<Schema>>,
        datum: impl Into<Datum<'a>>,
    ) -> Self {
        let value = self.slot(datum.into());
        let schema = self.batch.schema_id(schema);
        match self.batch.write_tail(name.as_bytes()) {
            Ok(name) => {
                self.batch.headers.push(HeaderSlot { name, schema, value });
                self.row.headers_len += 1;
            }
            Err(error) => self.error = Some(error),
        }
        self
    }

    /// Adds the record to the batch and gives its index.
    ///
    /// # Errors
    /// If a slice was outside its buffer, a string was not UTF-8, or a part was larger than 4 GiB.
    /// Nothing is added then.
    pub fn finish(self) -> Result<usize, ConnectError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if let Some((positions, position)) = self.position {
            positions.push(position);
        }
        Ok(self.batch.push_row(self.row))
    }

    fn slot(&mut self, datum: Datum<'_>) -> Slot {
        self.batch.slot_for(datum).unwrap_or_else(|error| {
            self.error = Some(error);
            Slot::Null
        })
    }
}

/// A record that a transform changes in place.
#[derive(Debug)]
pub struct RecordMut<'b> {
    pub(super) batch: &'b mut RecordBatch,
    pub(super) index: usize,
}

impl RecordMut<'_> {
    /// The record for reading.
    pub fn as_ref(&self) -> RecordRef<'_> {
        RecordRef { batch: self.batch, row: &self.batch.rows[self.index] }
    }

    /// Sets the topic.
    pub fn set_topic(&mut self, topic: &str) {
        let topic = self.batch.topic(topic);
        self.row().topic = topic;
    }

    /// Sets the partition; `None` lets the producer choose.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.row().partition = partition.unwrap_or(super::slot::NO_PARTITION);
    }

    /// Sets the timestamp in milliseconds since the epoch.
    pub fn set_timestamp(&mut self, timestamp: Option<i64>) {
        self.row().timestamp = timestamp.unwrap_or(super::slot::NO_TIMESTAMP);
    }

    /// Sets key or value with its schema (`None` is schemaless).
    ///
    /// # Errors
    /// As [`RecordBuilder::finish`]; the record is then unchanged.
    pub fn set<'a>(
        &mut self,
        column: Column,
        schema: Option<&Arc<Schema>>,
        datum: impl Into<Datum<'a>>,
    ) -> Result<(), ConnectError> {
        let datum = datum.into();
        let free = match *column.slot_mut(self.row()) {
            Slot::Owned(index) => self.batch.values.get_mut(index as usize).filter(|value| value.is_null()),
            _ => None,
        };
        match (datum, free) {
            // Back to where it was taken from.
            (Datum::Value(value), Some(place)) => {
                *place = value;
                self.set_schema(column, schema);
            }
            (datum, _) => {
                let slot = self.batch.slot_for(datum)?;
                let schema = self.batch.schema_id(schema);
                self.set_slot(column, schema, slot);
            }
        }
        Ok(())
    }

    /// Takes key or value out for changing; the record has null in its place until [`RecordMut::set`].
    /// An owned value is moved, not copied.
    pub fn take(&mut self, column: Column) -> (Option<Arc<Schema>>, Value) {
        let schema = self.as_ref().schema(column).cloned();
        let slot = column.slot_mut(self.row());
        let value = match *slot {
            // The place stays, for what is set then.
            Slot::Owned(index) => {
                self.batch.values.get_mut(index as usize).map(std::mem::take).unwrap_or_default()
            }
            taken => {
                *slot = Slot::Null;
                self.batch.owned_value_of(taken)
            }
        };
        (schema, value)
    }

    /// Key or value for changing where it is, if it is neither null nor a slice of a buffer. Its schema
    /// is set with [`RecordMut::set_schema`].
    pub fn owned_mut(&mut self, column: Column) -> Option<&mut Value> {
        match *column.slot_mut(self.row()) {
            Slot::Owned(index) => self.batch.values.get_mut(index as usize),
            _ => None,
        }
    }

    /// Sets the schema of key or value (`None` is schemaless) and leaves the value as it is.
    pub fn set_schema(&mut self, column: Column, schema: Option<&Arc<Schema>>) {
        let schema = self.batch.schema_id(schema);
        *column.schema_mut(self.row()) = schema;
    }

    /// Adds a header after those that are there.
    ///
    /// # Errors
    /// As [`RecordBuilder::finish`]; the record is then unchanged.
    pub fn add_header<'a>(
        &mut self,
        name: &str,
        schema: Option<&Arc<Schema>>,
        datum: impl Into<Datum<'a>>,
    ) -> Result<(), ConnectError> {
        let value = self.batch.slot_for(datum.into())?;
        let name = self.batch.write_tail(name.as_bytes())?;
        let schema = self.batch.schema_id(schema);
        let (start, len) = (self.row().headers_start as usize, self.row().headers_len as usize);
        if len == 0 {
            self.row().headers_start = self.batch.headers.len() as u32;
        } else if start + len != self.batch.headers.len() {
            // Those of another record follow: a record's headers are one run.
            let moved = self.batch.headers.len() as u32;
            self.batch.headers.extend_from_within(start..start + len);
            self.row().headers_start = moved;
        }
        self.batch.headers.push(HeaderSlot { name, schema, value });
        self.row().headers_len += 1;
        Ok(())
    }

    /// Removes the headers for whose name `keep` is false.
    pub fn retain_headers(&mut self, keep: impl Fn(&[u8]) -> bool) {
        let start = self.row().headers_start as usize;
        let end = start + self.row().headers_len as usize;
        let mut kept = start;
        for at in start..end {
            let header = self.batch.headers[at];
            if keep(self.batch.bytes_of(header.name)) {
                self.batch.headers[kept] = header;
                kept += 1;
            }
        }
        self.row().headers_len = (kept - start) as u32;
    }

    /// Replaces all headers.
    ///
    /// # Errors
    /// If a part is larger than 4 GiB; the record is then unchanged.
    pub fn set_headers(
        &mut self,
        headers: Vec<(Text, Option<Arc<Schema>>, Value)>,
    ) -> Result<(), ConnectError> {
        let start = self.batch.headers.len();
        for (name, schema, value) in headers {
            let name = self.batch.write_tail(name.as_bytes())?;
            let schema = self.batch.schema_id(schema.as_ref());
            let value = self.batch.store(value);
            self.batch.headers.push(HeaderSlot { name, schema, value });
        }
        let len = self.batch.headers.len() - start;
        let row = self.row();
        row.headers_start = start as u32;
        row.headers_len = len as u32;
        Ok(())
    }

    fn set_slot(&mut self, column: Column, schema: SchemaId, slot: Slot) {
        let row = self.row();
        *column.slot_mut(row) = slot;
        *column.schema_mut(row) = schema;
    }

    fn row(&mut self) -> &mut Row {
        // `record_mut` checked the index, and rows are not removed while it is borrowed.
        &mut self.batch.rows[self.index]
    }
}
