//! Messages of magic 0 and 1.

use super::{Failure, Object, field, text, timestamp_type};
use crossdock_wire::WireError;
use crossdock_wire::compression::DEFAULT_LIMIT;
use crossdock_wire::legacy::LegacyBatch;
use serde_json::{Value as Json, json};

/// Writes down what is read of an entry, up to the first error.
pub(super) fn describe(entry: &LegacyBatch, out: &mut Object) -> Result<(), Failure> {
    let mut put = |name: &str, value: Json| drop(out.insert(name.to_owned(), value));
    put("magic", json!(entry.magic()));
    put("size", json!(entry.bytes().len()));
    entry.check_crc().map_err(|error| ("CorruptRecordException", error))?;
    // Java has to go into a wrapper for the first offset.
    let messages = entry.messages(DEFAULT_LIMIT).map_err(|error| (class_of(&error), error))?;
    put("base_offset", text(messages.first_offset()));
    put("last_offset", text(entry.last_offset()));
    put("next_offset", text(entry.last_offset() + 1));
    put("compression", json!(entry.compression().to_string()));
    put("timestamp_type", json!(entry.timestamp_type().map_or("NoTimestampType", timestamp_type)));
    put("max_timestamp", text(entry.timestamp()));
    let mut records = Vec::new();
    let mut failed = Ok(());
    for record in messages.iter(false) {
        match record {
            Ok(record) => records.push(json!({
                "offset": record.offset.to_string(),
                "timestamp": record.timestamp.to_string(),
                "sequence": -1,
                "key": field(record.key),
                "value": field(record.value),
            })),
            Err(error) => failed = Err((class_of(&error), error)),
        }
    }
    put("records", Json::Array(records));
    failed
}

/// The class that Java throws.
fn class_of(error: &WireError) -> &'static str {
    match error {
        WireError::Compression { .. } => "KafkaException",
        WireError::Invalid { what: "a message's length", .. } => "CorruptRecordException",
        WireError::UnsupportedCompression { .. } | WireError::Truncated { .. } => "IllegalArgumentException",
        _ => "InvalidRecordException",
    }
}
