//! JSON into Connect data and back: `name MB/s`, a line each. `benches/connect/json.sh` compares them with Java's on
//! the same messages, which come from there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]

use crossdock_api::batch::{Column, RecordBatch};
use crossdock_api::{Bytes, Converter, Datum, Failures};
use crossdock_converters::JsonConverter;
use std::time::{Duration, Instant};

/// As a small fetch has them: larger batches measure the kernel giving memory, not the converter.
const RECORDS: usize = 100;

/// Name, `schemas.enable`, and the message.
const CASES: &[(&str, &str, &str)] = &[
    ("flat-100", "false", FLAT),
    ("flat-100-envelope", "true", FLAT_ENVELOPE),
    ("nested-1k", "false", NESTED),
    ("nested-1k-envelope", "true", NESTED_ENVELOPE),
];

const FLAT: &str = include_str!("../../../benches/connect/messages/flat.json");
const FLAT_ENVELOPE: &str = include_str!("../../../benches/connect/messages/flat-envelope.json");
const NESTED: &str = include_str!("../../../benches/connect/messages/nested.json");
const NESTED_ENVELOPE: &str = include_str!("../../../benches/connect/messages/nested-envelope.json");

fn main() {
    let picked = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    // An argument picks the case of that name, or those with it in their name.
    let exact = CASES.iter().any(|(name, ..)| *name == picked);
    let is_picked = |name: &str| if exact { name == picked } else { name.contains(&picked) };
    for (name, schemas, message) in CASES.iter().filter(|(name, ..)| is_picked(name)) {
        let mut converter = JsonConverter::default();
        let config = [("schemas.enable".to_owned(), (*schemas).to_owned())].into();
        Converter::configure(&mut converter, &config, Column::Value).unwrap();
        let message = message.trim_end();
        let (mut parse, mut print) = (Duration::MAX, Duration::MAX);
        // The least of several rounds, so that what else runs on the machine counts little.
        for _ in 0..3000 {
            let mut batch = batch_of(message);
            let mut failures = Failures::new();
            let start = Instant::now();
            converter.parse_batch(&mut batch, Column::Value, &mut failures);
            parse = parse.min(start.elapsed());
            let start = Instant::now();
            converter.serialize_batch(&mut batch, Column::Value, &mut failures);
            print = print.min(start.elapsed());
            assert!(failures.is_empty());
        }
        let rate = |took: Duration| (message.len() * RECORDS) as f64 / 1e6 / took.as_secs_f64();
        println!("parse-{name} {:.0}", rate(parse));
        println!("print-{name} {:.0}", rate(print));
    }
}

/// Messages one after the other in one buffer, as a fetch has them.
fn batch_of(message: &str) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let slab = batch.adopt(Bytes::from(message.repeat(RECORDS))).unwrap();
    for index in 0..RECORDS {
        let range = index * message.len()..(index + 1) * message.len();
        batch.record(topic).value(None, Datum::BytesSlice(slab, range)).finish().unwrap();
    }
    batch
}
