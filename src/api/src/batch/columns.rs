//! Keys or values of a whole batch, turned into bytes or back, in place: what converters use.

use super::slot::{Row, SchemaId, Slot, Span};
use super::{RecordBatch, RecordRef, TAIL_BYTES};
use crate::{ConnectError, Failures, Schema, Text, Value, ValueRef};
use bytes::Bytes;
use std::sync::Arc;

/// Which part of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The keys.
    Key,
    /// The values.
    Value,
}

impl Column {
    pub(super) fn slot_mut(self, row: &mut Row) -> &mut Slot {
        match self {
            Self::Key => &mut row.key,
            Self::Value => &mut row.value,
        }
    }

    pub(super) fn schema_mut(self, row: &mut Row) -> &mut SchemaId {
        match self {
            Self::Key => &mut row.key_schema,
            Self::Value => &mut row.value_schema,
        }
    }
}

/// What [`RecordBatch::serialize_column`]'s closure made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serialized {
    /// Kafka's null.
    Null,
    /// The bytes of the string or byte array as they are: nothing is copied. An error for any other
    /// value.
    Same,
    /// What was appended to the output.
    Written,
}

/// What [`RecordBatch::parse_column`]'s closure made of bytes.
#[derive(Debug)]
pub enum Parsed {
    /// Null.
    Null,
    /// The same bytes, as a byte array: nothing is copied.
    Bytes,
    /// The same bytes, as a string: nothing is copied; an error if they are not UTF-8.
    Str,
    /// A value.
    Value(Value),
}

/// Bytes of a record as a slice of a shared buffer.
#[derive(Debug, Clone, Copy)]
pub struct RawSlice<'a> {
    whole: &'a Bytes,
    bytes: &'a [u8],
}

impl<'a> RawSlice<'a> {
    /// A slice that is the whole of `bytes`.
    pub fn whole(bytes: &'a Bytes) -> Self {
        Self { whole: bytes, bytes }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A part of the bytes as an owned slice of the same buffer. `part` must lie in
    /// [`RawSlice::as_bytes`]; other bytes are copied.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.share_bytes(part)
    }

    /// As [`RawSlice::share`], for a part that was checked to be UTF-8. A short string is copied.
    #[inline]
    pub fn share_str(&self, part: &str) -> Text {
        match self.offset_of(part.as_bytes()) {
            Some(start) => Text::part_of_checked(self.whole, start, part.len()),
            None => Text::from(part),
        }
    }

    fn share_bytes(&self, part: &[u8]) -> Bytes {
        match self.offset_of(part) {
            Some(start) if !part.is_empty() => self.whole.slice(start..start + part.len()),
            _ => Bytes::copy_from_slice(part),
        }
    }

    /// Where in the buffer a part of it is.
    #[inline]
    fn offset_of(&self, part: &[u8]) -> Option<usize> {
        let start = (part.as_ptr() as usize).wrapping_sub(self.whole.as_ptr() as usize);
        let end = start.checked_add(part.len())?;
        (end <= self.whole.len()).then_some(start)
    }
}

impl RecordBatch {
    /// Replaces each key or value by its bytes.
    ///
    /// `serialize` gets the record, the schema and value, and an output to append to. A record for
    /// which it fails keeps what it had and is noted in `failures`.
    pub fn serialize_column<F>(&mut self, column: Column, failures: &mut Failures, mut serialize: F)
    where
        F: FnMut(
            RecordRef<'_>,
            Option<&Arc<Schema>>,
            ValueRef<'_>,
            &mut Vec<u8>,
        ) -> Result<Serialized, ConnectError>,
    {
        // Spans into the old tail stay readable while the output grows as the new tail.
        self.freeze_tail();
        let mut out = Vec::new();
        let slab = self.slabs.len() as u32;
        for index in 0..self.rows.len() {
            if self.rows[index].dropped {
                continue;
            }
            let start = out.len();
            let record = RecordRef { batch: self, row: &self.rows[index] };
            let datum = record.datum(column);
            let done =
                serialize(record, record.schema(column), datum, &mut out).and_then(|done| match datum {
                    ValueRef::Null | ValueRef::String(_) | ValueRef::Bytes(_) => Ok(done),
                    other if done == Serialized::Same => Err(not_bytes(other)),
                    _ => Ok(done),
                });
            let old = *column.slot_mut(&mut self.rows[index]);
            match done.and_then(|done| serialized_slot(done, old, slab, start, out.len())) {
                Ok(slot) => {
                    *column.slot_mut(&mut self.rows[index]) = slot;
                    *column.schema_mut(&mut self.rows[index]) = SchemaId::NONE;
                }
                Err(error) => {
                    out.truncate(start);
                    failures.push(index, error);
                }
            }
            if start == 0 && !out.is_empty() {
                // The others are mostly about as long: what grows step by step is copied with each step.
                let others = (self.rows.len() - index).saturating_mul(out.len() + out.len() / 8);
                out.reserve(others.min(TAIL_BYTES));
            }
        }
        self.tail = out;
    }

    /// Replaces the bytes of each key or value by what they mean.
    ///
    /// `parse` gets the record and its bytes (`None` is Kafka's null) and gives schema and value. A
    /// record for which it fails keeps its bytes and is noted in `failures`.
    pub fn parse_column<F>(&mut self, column: Column, failures: &mut Failures, mut parse: F)
    where
        F: FnMut(RecordRef<'_>, Option<RawSlice<'_>>) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError>,
    {
        self.freeze_tail();
        for index in 0..self.rows.len() {
            let row = &self.rows[index];
            if row.dropped {
                continue;
            }
            let old = match column {
                Column::Key => row.key,
                Column::Value => row.value,
            };
            let raw = match old {
                Slot::Bytes(span) | Slot::Str(span) => self.raw_slice(span),
                Slot::Null | Slot::Owned(_) => None,
            };
            let parsed = parse(RecordRef { batch: self, row }, raw);
            match parsed.and_then(|(schema, parsed)| Ok((schema, self.parsed_slot(parsed, old)?))) {
                Ok((schema, slot)) => {
                    let schema = self.schema_id(schema.as_ref());
                    *column.slot_mut(&mut self.rows[index]) = slot;
                    *column.schema_mut(&mut self.rows[index]) = schema;
                }
                Err(error) => failures.push(index, error),
            }
        }
    }

    /// Takes the bytes of each key or value for a byte array or a string with one `schema`: the
    /// pass-through converters, without a closure or a schema lookup a record.
    ///
    /// As strings, records that are not UTF-8 keep their bytes and their indices are given back.
    pub fn reinterpret_column(&mut self, column: Column, schema: &Arc<Schema>, as_text: bool) -> Vec<usize> {
        let schema = self.schema_id(Some(schema));
        let mut not_utf8 = Vec::new();
        for index in 0..self.rows.len() {
            let row = &self.rows[index];
            let old = match column {
                Column::Key => row.key,
                Column::Value => row.value,
            };
            let slot = match old {
                Slot::Bytes(span) if as_text => {
                    if std::str::from_utf8(self.bytes_of(span)).is_err() {
                        if !row.dropped {
                            not_utf8.push(index);
                        }
                        continue;
                    }
                    Slot::Str(span)
                }
                Slot::Str(span) if !as_text => Slot::Bytes(span),
                other => other,
            };
            let row = &mut self.rows[index];
            *column.slot_mut(row) = slot;
            *column.schema_mut(row) = schema;
        }
        not_utf8
    }

    /// Whether any record has headers; without, header converters have nothing to do.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// Replaces the value of each header of each record by what `convert` makes of it.
    ///
    /// A failure is noted for the record; its headers may then be converted in part.
    pub fn convert_headers<F>(&mut self, failures: &mut Failures, mut convert: F)
    where
        F: FnMut(&str, HeaderCell<'_>) -> Result<(Option<Arc<Schema>>, Value), ConnectError>,
    {
        self.freeze_tail();
        for index in 0..self.rows.len() {
            let row = self.rows[index];
            for at in row.headers_start..row.headers_start + row.headers_len {
                let Some(slot) = self.headers.get(at as usize).copied().filter(|_| !row.dropped) else {
                    continue;
                };
                let name = crate::Str::from_checked(self.bytes_of(slot.name)).as_str();
                let cell = HeaderCell {
                    topic: RecordRef { batch: self, row: &row }.topic(),
                    schema: self.schema(slot.schema),
                    value: self.value_of(slot.value),
                };
                match convert(name, cell) {
                    Ok((schema, value)) => {
                        let schema = self.schema_id(schema.as_ref());
                        let value = self.store(value);
                        self.headers[at as usize].schema = schema;
                        self.headers[at as usize].value = value;
                    }
                    Err(error) => {
                        failures.push(index, error);
                        break;
                    }
                }
            }
        }
    }

    fn raw_slice(&self, span: Span) -> Option<RawSlice<'_>> {
        let whole = &self.slabs.get(span.slab as usize)?.bytes;
        Some(RawSlice { whole, bytes: self.bytes_of(span) })
    }

    fn parsed_slot(&mut self, parsed: Parsed, old: Slot) -> Result<Slot, ConnectError> {
        match (parsed, old) {
            (Parsed::Null, _) => Ok(Slot::Null),
            (Parsed::Value(value), _) => Ok(self.store(value)),
            (Parsed::Bytes, Slot::Bytes(span) | Slot::Str(span)) => Ok(Slot::Bytes(span)),
            (Parsed::Str, Slot::Bytes(span) | Slot::Str(span)) => {
                std::str::from_utf8(self.bytes_of(span)).map_err(|e| {
                    ConnectError::bad_record(format!("not valid UTF-8 from byte {}", e.valid_up_to()))
                })?;
                Ok(Slot::Str(span))
            }
            (Parsed::Bytes | Parsed::Str, Slot::Null | Slot::Owned(_)) => Ok(Slot::Null),
        }
    }
}

/// A header that is being converted.
#[derive(Debug, Clone, Copy)]
pub struct HeaderCell<'a> {
    /// Topic of the record.
    pub topic: &'a str,
    /// Schema of the value.
    pub schema: Option<&'a Arc<Schema>>,
    /// The value; bytes if it came from Kafka.
    pub value: ValueRef<'a>,
}

fn not_bytes(value: ValueRef<'_>) -> ConnectError {
    ConnectError::bad_record(format!("its converter left a {} where bytes are expected", value.java_class()))
}

fn serialized_slot(
    done: Serialized,
    old: Slot,
    slab: u32,
    start: usize,
    end: usize,
) -> Result<Slot, ConnectError> {
    match (done, old) {
        (Serialized::Null, _) => Ok(Slot::Null),
        (Serialized::Same, Slot::Str(span) | Slot::Bytes(span)) => Ok(Slot::Bytes(span)),
        (Serialized::Same, owned) => Ok(owned),
        (Serialized::Written, _) => {
            if u32::try_from(end).is_err() {
                return Err(ConnectError::bad_record("the batch's serialized records exceed 4 GiB"));
            }
            Ok(Slot::Bytes(Span { slab, start: start as u32, len: (end - start) as u32 }))
        }
    }
}
