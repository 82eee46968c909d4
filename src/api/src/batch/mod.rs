//! [`RecordBatch`]: records as small rows over shared buffers.
//!
//! A row holds its topic and schemas as numbers into tables of the batch, and its key, value and
//! headers as *slots*: null, a span of one of the batch's buffers (*slabs*), or an index into the
//! owned values. Strings and bytes that only pass through are therefore never copied, counted or
//! allocated; a stage that changes a value writes new bytes to the batch's tail or stores a
//! [`Value`].
//!
//! - `slot`: spans, slots and rows.
//! - [`columns`]: what converters use: all keys or all values, turned into bytes or back, in place.
//! - `view`: [`RecordRef`], a record as plugins read it.
//! - `edit`: [`RecordBuilder`] and [`RecordMut`], how records are added and changed.

pub mod columns;
mod edit;
mod slot;
mod view;

pub use columns::{Column, HeaderCell, Parsed, RawSlice, Serialized};
pub use edit::{Datum, RecordBuilder, RecordMut};
pub(crate) use slot::Row;
use slot::{HeaderSlot, SchemaId, Slot, Span};
pub use slot::{SlabId, TimestampType, TopicId};
pub use view::{HeaderRef, RecordRef};

use crate::text::INLINE;
use crate::{ConnectError, Schema, Str, Text, Value, ValueRef};
use bytes::Bytes;
use std::sync::Arc;

/// Above this size the tail becomes a slab instead of growing further.
const TAIL_BYTES: usize = 256 * 1024;

/// A batch of records. See the [module](self) for how it is laid out.
#[derive(Debug, Default)]
pub struct RecordBatch {
    topics: Vec<Arc<str>>,
    schemas: Vec<Arc<Schema>>,
    slabs: Vec<Slab>,
    tail: Vec<u8>,
    values: Vec<Value>,
    headers: Vec<HeaderSlot>,
    rows: Vec<Row>,
    next_ordinal: u32,
    dropped: usize,
}

#[derive(Debug)]
struct Slab {
    bytes: Bytes,
    utf8: bool,
}

/// A record as the runtime takes it from Kafka: bytes of a slab, not converted yet.
#[derive(Debug, Clone, Copy)]
pub struct FetchedRecord<'a> {
    /// Topic it came from.
    pub topic: TopicId,
    /// Partition it came from.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// The slab that `key` and `value` are slices of.
    pub slab: SlabId,
    /// Key; must be a slice of the slab's bytes.
    pub key: Option<&'a [u8]>,
    /// Value; must be a slice of the slab's bytes.
    pub value: Option<&'a [u8]>,
}

impl RecordBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the batch and keeps the memory of its rows for the next use.
    pub fn clear(&mut self) {
        self.topics.clear();
        self.schemas.clear();
        self.slabs.clear();
        self.tail.clear();
        self.values.clear();
        self.headers.clear();
        self.rows.clear();
        self.next_ordinal = 0;
        self.dropped = 0;
    }

    /// Number of rows, dropped records not yet compacted away included. Valid indices are below it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes that the batch holds, roughly; what a bounded queue counts. A slab counts as the slice that
    /// the batch has of it, although the whole buffer is kept alive; an owned value counts without what
    /// lists, maps and structs hold inside.
    pub fn byte_size(&self) -> usize {
        self.slabs.iter().map(|s| s.bytes.len()).sum::<usize>()
            + self.tail.len()
            + self.values.len() * size_of::<Value>()
            + self.headers.len() * size_of::<HeaderSlot>()
            + self.rows.len() * size_of::<Row>()
    }

    /// The number of a topic name in this batch.
    pub fn topic(&mut self, name: &str) -> TopicId {
        // The last one added is the likeliest.
        let found = self.topics.iter().rposition(|t| &**t == name);
        TopicId(found.unwrap_or_else(|| {
            self.topics.push(name.into());
            self.topics.len() - 1
        }) as u32)
    }

    /// Adds a buffer that records can have slices of, without copying it.
    ///
    /// # Errors
    /// If it is larger than 4 GiB.
    pub fn adopt(&mut self, bytes: Bytes) -> Result<SlabId, ConnectError> {
        self.adopt_slab(bytes, false)
    }

    /// As [`RecordBatch::adopt`], for a buffer that was checked to be UTF-8 as a whole: its slices at
    /// character boundaries are not checked again.
    pub fn adopt_text(&mut self, text: Text) -> Result<SlabId, ConnectError> {
        self.adopt_slab(text.into_bytes(), true)
    }

    fn adopt_slab(&mut self, bytes: Bytes, utf8: bool) -> Result<SlabId, ConnectError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(ConnectError::fatal("a buffer of more than 4 GiB cannot be part of a batch"));
        }
        self.freeze_tail();
        self.slabs.push(Slab { bytes, utf8 });
        Ok(SlabId(self.slabs.len() as u32 - 1))
    }

    /// The bytes of an adopted buffer.
    pub fn slab(&self, slab: SlabId) -> &[u8] {
        self.slabs.get(slab.0 as usize).map_or(&[], |s| &s.bytes)
    }

    /// Starts a new record for `topic`; nothing is added before [`RecordBuilder::finish`].
    pub fn record(&mut self, topic: TopicId) -> RecordBuilder<'_> {
        RecordBuilder::new(self, topic)
    }

    /// Adds a record that was fetched from Kafka, for the runtime.
    ///
    /// # Errors
    /// If the key or value is not a slice of the slab.
    pub fn push_fetched(&mut self, record: FetchedRecord<'_>) -> Result<usize, ConnectError> {
        let key = self.fetched_slot(record.slab, record.key)?;
        let value = self.fetched_slot(record.slab, record.value)?;
        let mut row = Row::new(record.topic);
        row.partition = record.partition;
        row.origin_partition = record.partition;
        row.offset = record.offset;
        row.timestamp = record.timestamp;
        row.timestamp_type = record.timestamp_type;
        row.key = key;
        row.value = value;
        row.headers_start = self.headers.len() as u32;
        Ok(self.push_row(row))
    }

    /// Adds a raw header to the record that was pushed last, for the runtime.
    pub fn push_fetched_header(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), ConnectError> {
        let name = self.write_tail(name.as_bytes())?;
        let value = match value {
            None => Slot::Null,
            Some(bytes) => Slot::Bytes(self.write_tail(bytes)?),
        };
        if let Some(row) = self.rows.last_mut() {
            self.headers.push(HeaderSlot { name, schema: SchemaId::NONE, value });
            row.headers_len += 1;
        }
        Ok(())
    }

    #[inline]
    fn fetched_slot(&self, slab: SlabId, part: Option<&[u8]>) -> Result<Slot, ConnectError> {
        let Some(part) = part else { return Ok(Slot::Null) };
        let whole = self.slab(slab);
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if part.is_empty() {
            return Ok(Slot::Bytes(Span { slab: slab.0, start: 0, len: 0 }));
        }
        if start.checked_add(part.len()).is_none_or(|end| end > whole.len()) {
            return Err(ConnectError::fatal("a fetched key or value is not a slice of its buffer"));
        }
        Ok(Slot::Bytes(Span { slab: slab.0, start: start as u32, len: part.len() as u32 }))
    }

    fn push_row(&mut self, mut row: Row) -> usize {
        row.ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.rows.push(row);
        self.rows.len() - 1
    }

    /// The record at `index`, if it is there and not dropped.
    pub fn get(&self, index: usize) -> Option<RecordRef<'_>> {
        self.rows.get(index).filter(|row| !row.dropped).map(|row| RecordRef { batch: self, row })
    }

    /// Ordinal and offset of the row at `index`, dropped or not; for naming it in an error.
    pub fn position(&self, index: usize) -> (u32, i64) {
        self.rows.get(index).map_or((u32::MAX, -1), |row| (row.ordinal, row.offset))
    }

    /// All records that are not dropped, with their index.
    pub fn iter_indexed(&self) -> impl Iterator<Item = (usize, RecordRef<'_>)> {
        let live = self.rows.iter().enumerate().filter(|(_, row)| !row.dropped);
        live.map(move |(index, row)| (index, RecordRef { batch: self, row }))
    }

    /// All records that are not dropped.
    pub fn iter(&self) -> impl Iterator<Item = RecordRef<'_>> {
        self.rows.iter().filter(|row| !row.dropped).map(move |row| RecordRef { batch: self, row })
    }

    /// The record at `index` for changing, if it is there and not dropped.
    pub fn record_mut(&mut self, index: usize) -> Option<RecordMut<'_>> {
        self.rows.get(index).filter(|row| !row.dropped)?;
        Some(RecordMut { batch: self, index })
    }

    /// Drops the record at `index`: it is skipped from now on. Indices stay as they are until
    /// [`RecordBatch::compact`].
    pub fn drop_record(&mut self, index: usize) {
        if let Some(row) = self.rows.get_mut(index).filter(|row| !row.dropped) {
            row.dropped = true;
            self.dropped += 1;
        }
    }

    /// Does something to the record at `index` alone, by what works on whole batches: the others count as
    /// dropped meanwhile. `work` must neither add records nor compact the batch.
    pub fn isolate<R>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> R) -> R {
        let others = self.rows.iter_mut().enumerate().filter(|(at, row)| *at != index && !row.dropped);
        let hide = |(at, row): (usize, &mut Row)| {
            row.dropped = true;
            at
        };
        let hidden: Vec<usize> = others.map(hide).collect();
        let done = work(self);
        for at in hidden {
            if let Some(row) = self.rows.get_mut(at) {
                row.dropped = false;
            }
        }
        done
    }

    /// Number of records that were dropped since the last compaction.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Removes the dropped rows. Ordinals stay.
    pub fn compact(&mut self) {
        if self.dropped > 0 {
            self.rows.retain(|row| !row.dropped);
            self.dropped = 0;
        }
    }

    /// Adds a row that is dropped already: an ordinal without a record.
    pub(crate) fn push_placeholder(&mut self) {
        let mut row = Row::new(TopicId(0));
        row.dropped = true;
        self.dropped += 1;
        self.push_row(row);
    }

    /// How many records were ever added: ordinals are below it.
    pub fn ordinals(&self) -> u32 {
        self.next_ordinal
    }

    fn schema(&self, id: SchemaId) -> Option<&Arc<Schema>> {
        self.schemas.get(id.index()?)
    }

    fn schema_id(&mut self, schema: Option<&Arc<Schema>>) -> SchemaId {
        let Some(schema) = schema else { return SchemaId::NONE };
        let found = self.schemas.iter().rposition(|s| Arc::ptr_eq(s, schema));
        SchemaId::from_index(found.unwrap_or_else(|| {
            self.schemas.push(Arc::clone(schema));
            self.schemas.len() - 1
        }))
    }

    #[inline]
    fn bytes_of(&self, span: Span) -> &[u8] {
        let range = span.start as usize..(span.start as usize + span.len as usize);
        let slab = self.slabs.get(span.slab as usize).map_or(&self.tail[..], |s| &s.bytes);
        // Spans are made from ranges that were inside their slab.
        slab.get(range).unwrap_or_default()
    }

    #[inline]
    fn value_of(&self, slot: Slot) -> ValueRef<'_> {
        match slot {
            Slot::Null => ValueRef::Null,
            Slot::Str(span) => ValueRef::String(Str::from_checked(self.bytes_of(span))),
            Slot::Bytes(span) => ValueRef::Bytes(self.bytes_of(span)),
            Slot::Owned(index) => self.values.get(index as usize).map_or(ValueRef::Null, Value::as_ref),
        }
    }

    /// The value of a slot as an owned one that shares the slab, unless it lies in the open tail.
    fn owned_value_of(&self, slot: Slot) -> Value {
        let shared = |span: Span| match self.slabs.get(span.slab as usize) {
            Some(slab) => slab.bytes.slice_ref(self.bytes_of(span)),
            None => Bytes::copy_from_slice(self.bytes_of(span)),
        };
        match slot {
            Slot::Str(span) if span.len as usize <= INLINE => {
                Value::String(Text::copy_of_checked(self.bytes_of(span)))
            }
            Slot::Str(span) => Value::String(Text::from_checked(shared(span))),
            Slot::Bytes(span) => Value::Bytes(shared(span)),
            Slot::Owned(index) => self.values.get(index as usize).cloned().unwrap_or_default(),
            Slot::Null => Value::Null,
        }
    }

    /// Stores an owned value: strings and bytes are kept as they are, without flattening.
    fn store(&mut self, value: Value) -> Slot {
        if value.is_null() {
            return Slot::Null;
        }
        self.values.push(value);
        Slot::Owned(self.values.len() as u32 - 1)
    }

    /// Copies bytes to the tail.
    #[inline]
    fn write_tail(&mut self, bytes: &[u8]) -> Result<Span, ConnectError> {
        let Ok(len) = u32::try_from(bytes.len()) else {
            return Err(ConnectError::bad_record("a string or byte array of more than 4 GiB"));
        };
        if self.tail.len() + bytes.len() > TAIL_BYTES && !self.tail.is_empty() {
            self.freeze_tail();
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve(bytes.len().max(TAIL_BYTES));
        }
        let span = Span { slab: self.slabs.len() as u32, start: self.tail.len() as u32, len };
        self.tail.extend_from_slice(bytes);
        Ok(span)
    }

    /// Turns the tail into a slab, so that its spans stay valid while more is written.
    fn freeze_tail(&mut self) {
        if !self.tail.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.tail));
            self.slabs.push(Slab { bytes, utf8: false });
        }
    }
}

#[cfg(test)]
mod tests;
