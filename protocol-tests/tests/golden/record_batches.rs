//! Record batches: bytes as a fetch response has them, read by `MemoryRecords.batches`, `ensureValid` and the
//! batches' iterators; and batches written by `MemoryRecordsBuilder`.
//!
//! What was read before an error must be Java's to the last field. The error's class must be Java's too, up
//! to the JVM's own ones; its text is ours.

mod legacy;

use super::Verdict;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_wire::compression::DEFAULT_LIMIT;
use crossdock_wire::control::{self, ControlType};
use crossdock_wire::header::increment_sequence;
use crossdock_wire::{
    Batch, BatchBuilder, Compression, Entries, Entry, ProducerStamp, RecordView, TimestampType, WireError,
};
use protocol_tests::golden::{self, Case};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

type Object = Map<String, Json>;

/// Keys and values above it are given by length and hash.
const WHOLE: usize = 400;

pub(crate) fn run(case: &Case) -> Option<Verdict> {
    if case.op() == "encode" {
        return Some(Verdict::of(encode_difference(case)));
    }
    // All others are kinds of bytes, not of calls.
    let decoded = decode(golden::bytes(case.input()).unwrap());
    Some(Verdict::of(decode_difference(case, &decoded)))
}

/// The Java class of an error, and ours.
type Failure = (&'static str, WireError);

/// What was read, and the Java class of the error that ended it.
struct Decoded {
    batches: Vec<Json>,
    valid_bytes: usize,
    error: Option<Failure>,
}

fn decode_difference(case: &Case, decoded: &Decoded) -> Option<String> {
    let output = case.member("output");
    let expected = output["batches"].as_array().unwrap();
    for (n, (ours, javas)) in decoded.batches.iter().zip(expected).enumerate() {
        if ours != javas {
            return Some(format!("batch {n} is {ours}, not {javas}; error: {:?}", decoded.error));
        }
    }
    if decoded.batches.len() != expected.len() {
        let (ours, javas) = (decoded.batches.len(), expected.len());
        return Some(format!("{ours} batches, not {javas}; error: {:?}", decoded.error));
    }
    match (&decoded.error, case.error_class()) {
        (None, None) => {
            let valid = output["valid_bytes"].as_u64();
            (valid != Some(decoded.valid_bytes as u64))
                .then(|| format!("{} valid bytes, not {valid:?}", decoded.valid_bytes))
        }
        (Some((class, _)), Some(javas)) if is_same_class(class, javas) => None,
        (ours, javas) => Some(format!("error {ours:?}, not {javas:?}")),
    }
}

fn is_same_class(ours: &str, javas: &str) -> bool {
    let by_jvm = ["NullPointerException", "IndexOutOfBoundsException", "BufferUnderflowException"];
    javas.rsplit('.').next() == Some(ours) || by_jvm.iter().any(|name| javas.ends_with(name))
}

fn decode(bytes: bytes::Bytes) -> Decoded {
    let mut decoded = Decoded { batches: Vec::new(), valid_bytes: 0, error: None };
    for entry in Entries::new(bytes) {
        let mut object = Object::new();
        let read = match &entry {
            Ok(Entry::Batch(batch)) => {
                decoded.valid_bytes += batch.bytes().len();
                describe(batch, &mut object)
            }
            Ok(Entry::Legacy(message)) => {
                decoded.valid_bytes += message.bytes().len();
                legacy::describe(message, &mut object)
            }
            // Java has an object for it, which fails when it is checked.
            Err(error @ WireError::BatchTooShort { size, .. }) => {
                object.insert("magic".to_owned(), json!(2));
                object.insert("size".to_owned(), json!(size));
                Err(("CorruptRecordException", error.clone()))
            }
            Err(error) => Err(("CorruptRecordException", error.clone())),
        };
        if !object.is_empty() {
            decoded.batches.push(Json::Object(object));
        }
        if let Err(error) = read {
            decoded.error = Some(error);
            break;
        }
    }
    decoded
}

/// Writes down what is read of a batch, up to the first error.
fn describe(batch: &Batch, out: &mut Object) -> Result<(), Failure> {
    let header = batch.header();
    let mut put = |name: &str, value: Json| drop(out.insert(name.to_owned(), value));
    put("magic", json!(2));
    put("size", json!(batch.bytes().len()));
    batch.check_crc().map_err(|error| ("CorruptRecordException", error))?;
    put("base_offset", text(header.base_offset));
    put("last_offset", text(header.last_offset()));
    put("next_offset", text(header.last_offset() + 1));
    if let Compression::Other(codec) = header.compression() {
        let base_offset = header.base_offset;
        return Err(("IllegalArgumentException", WireError::UnsupportedCompression { base_offset, codec }));
    }
    put("compression", json!(header.compression().to_string()));
    put("timestamp_type", json!(timestamp_type(header.timestamp_type())));
    put("max_timestamp", text(header.max_timestamp));
    put("crc", json!(header.crc));
    put("producer_id", text(header.producer_id));
    put("producer_epoch", json!(header.producer_epoch));
    put("base_sequence", json!(header.base_sequence));
    put("last_sequence", json!(header.last_sequence()));
    put("partition_leader_epoch", json!(header.partition_leader_epoch));
    put("count", json!(header.record_count));
    put("transactional", json!(header.is_transactional()));
    put("control", json!(header.is_control()));
    if let Some(horizon) = header.delete_horizon() {
        put("delete_horizon_ms", text(horizon));
    }
    let mut records = Vec::new();
    let read = read_records(batch, &mut records);
    put("records", Json::Array(records));
    read
}

fn read_records(batch: &Batch, out: &mut Vec<Json>) -> Result<(), Failure> {
    let readable =
        { batch.decompressed(DEFAULT_LIMIT) }.map_err(|error| (record_error(batch, &error), error))?;
    let header = readable.header();
    for record in readable.records().map_err(|error| (record_error(batch, &error), error))? {
        let record = record.map_err(|error| (record_error(batch, &error), error))?;
        let mut object = describe_record(&record);
        let sequence = match header.base_sequence {
            first @ 0.. => increment_sequence(first, (record.offset - header.base_offset) as i32),
            _ => -1,
        };
        object.insert("sequence".to_owned(), json!(sequence));
        if header.is_control() {
            let invalid = |error| ("InvalidRecordException", error);
            let kind = ControlType::parse(record.key).map_err(invalid)?;
            object.insert("control_type".to_owned(), json!(control_name(kind)));
            if matches!(kind, ControlType::Commit | ControlType::Abort) {
                let epoch = control::coordinator_epoch(&record).map_err(invalid)?;
                object.insert("coordinator_epoch".to_owned(), json!(epoch));
            }
        }
        out.push(Json::Object(object));
    }
    Ok(())
}

/// The class that Java throws for an error in the records.
fn record_error(batch: &Batch, error: &WireError) -> &'static str {
    let is_compressed = batch.header().compression() != Compression::None;
    match error {
        WireError::Compression { .. } => "KafkaException",
        // Java reads it before the place where it names what is wrong.
        WireError::VarintTooLong { what: "a record's length" } if !is_compressed => {
            "IllegalArgumentException"
        }
        _ => "InvalidRecordException",
    }
}

fn describe_record(record: &RecordView<'_>) -> Object {
    let mut out = Object::new();
    let mut put = |name: &str, value: Json| drop(out.insert(name.to_owned(), value));
    put("offset", text(record.offset));
    put("timestamp", text(record.timestamp));
    put("key", field(record.key));
    put("value", field(record.value));
    let headers: Vec<_> =
        record.headers.clone().map(|h| json!([h.name, h.value.map(|v| STANDARD.encode(v))])).collect();
    if !headers.is_empty() {
        put("headers", Json::Array(headers));
    }
    out
}

fn field(bytes: Option<&[u8]>) -> Json {
    match bytes {
        None => Json::Null,
        Some(bytes) if bytes.len() > WHOLE => {
            let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"len": bytes.len(), "sha256": hash})
        }
        Some(bytes) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

fn text(number: i64) -> Json {
    Json::String(number.to_string())
}

fn timestamp_type(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn control_name(kind: ControlType) -> &'static str {
    match kind {
        ControlType::Abort => "ABORT",
        ControlType::Commit => "COMMIT",
        ControlType::LeaderChange => "LEADER_CHANGE",
        ControlType::SnapshotHeader => "SNAPSHOT_HEADER",
        ControlType::SnapshotFooter => "SNAPSHOT_FOOTER",
        ControlType::KraftVersion => "KRAFT_VERSION",
        ControlType::KraftVoters => "KRAFT_VOTERS",
        _ => "UNKNOWN",
    }
}

fn encode_difference(case: &Case) -> Option<String> {
    let ours = STANDARD.encode(encode(case.input()));
    let javas = case.member("output")["base64"].as_str().unwrap();
    (ours != javas).then(|| format!("{ours}, not {javas}"))
}

fn encode(input: &Json) -> Vec<u8> {
    let long = |json: &Json| json.as_str().unwrap().parse::<i64>().unwrap();
    let int = |json: &Json| i32::try_from(json.as_i64().unwrap()).unwrap();
    let mut builder = BatchBuilder::with_capacity(0);
    for record in input["records"].as_array().unwrap() {
        let (key, value) = (golden::bytes(&record["key"]), golden::bytes(&record["value"]));
        let header = |header: &Json| {
            let value = header[1].as_str().map(|value| STANDARD.decode(value).unwrap());
            (header[0].as_str().unwrap().to_owned(), value)
        };
        let headers: Vec<_> = record["headers"].as_array().into_iter().flatten().map(header).collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        assert!(builder.append(long(&record["timestamp"]), key.as_deref(), value.as_deref(), headers));
    }
    let stamp = ProducerStamp {
        producer_id: long(&input["producer_id"]),
        producer_epoch: i16::try_from(int(&input["producer_epoch"])).unwrap(),
        base_sequence: int(&input["base_sequence"]),
    };
    let mut bytes = builder.finish(stamp, input["transactional"] == Json::Bool(true)).to_vec();
    // The broker's fields, which the CRC does not cover.
    bytes[..8].copy_from_slice(&long(&input["base_offset"]).to_be_bytes());
    bytes[12..16].copy_from_slice(&int(&input["partition_leader_epoch"]).to_be_bytes());
    bytes
}
