//! Inputs worth starting from: the golden vectors, messages without content, and batches of our own.

use crate::golden;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crossdock_broker::fuzzing as broker;
use crossdock_client::fuzzing as client;
use crossdock_client::group::assignor::user_data;
use crossdock_client::group::protocol::{Assignment, Subscription};
use crossdock_client::metadata::TopicPartition;
use crossdock_wire::compression::{Codec, compress};
use crossdock_wire::varint::write_varlong;
use crossdock_wire::{Batches, HEADER_LEN};
use std::path::Path;

/// The inputs of golden cases that are bytes or text.
fn golden_inputs(file: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let cases = golden::cases(&path).unwrap_or_default();
    cases.iter().filter_map(|case| golden::bytes(case.input())).map(|bytes| bytes.to_vec()).collect()
}

pub(super) fn batches() -> Vec<Vec<u8>> {
    golden_inputs("record_batches.jsonl")
}

/// The vectors whose first entry is of magic 0 or 1.
pub(super) fn legacy() -> Vec<Vec<u8>> {
    let mut all = batches();
    all.retain(|region| region.get(16).is_some_and(|magic| *magic < 2));
    all
}

pub(super) fn gzip() -> Vec<Vec<u8>> {
    compressed(Codec::GZIP)
}

pub(super) fn snappy() -> Vec<Vec<u8>> {
    compressed(Codec::SNAPPY)
}

pub(super) fn lz4() -> Vec<Vec<u8>> {
    compressed(Codec::LZ4)
}

pub(super) fn zstd() -> Vec<Vec<u8>> {
    compressed(Codec::ZSTD)
}

/// What Java's codec wrote, and ours.
fn compressed(codec: Codec) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for region in batches() {
        for batch in Batches::new(region.into()).flatten() {
            if batch.header().compression() == codec.compression() {
                all.push(batch.bytes()[HEADER_LEN..].to_vec());
            }
        }
    }
    for content in [&b""[..], b"x", &[0; 100_000], &b"one or the other ".repeat(500)] {
        let mut out = Vec::new();
        if compress(codec, content, &mut out).is_ok() {
            all.push(out);
        }
    }
    all
}

pub(super) fn regions() -> Vec<Vec<u8>> {
    // At offset 0; a producer that the vectors have was aborted.
    batches().into_iter().map(|region| [&[0, 1, 0][..], &region].concat()).collect()
}

pub(super) fn frames() -> Vec<Vec<u8>> {
    vec![
        vec![1, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 1, b'c'],
        vec![3, 0, 0, 0, 9, 1, 2, 3],
        vec![2, 0x7f, 0xff, 0xff, 0xff],
        b"\x05GET / HTTP/1.1\r\n".to_vec(),
    ]
}

pub(super) fn varints() -> Vec<Vec<u8>> {
    let written = |value| {
        let mut out = Vec::new();
        write_varlong(&mut out, value);
        out
    };
    [0, -1, 63, 64, 300, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN].map(written).to_vec()
}

pub(super) fn shapes() -> Vec<Vec<u8>> {
    vec![
        // Plain: one struct with a text, two small numbers and a blob; then a text.
        vec![2, 0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 7, 7, 0, 0, 0, 1, 9, 0, 1, b'x'],
        // Flexible, with tagged fields known and unknown.
        vec![1, 0, 1, 2, 2, b't', 3, 7, 7, 0, 2, b'x', 0, 2, 7, 1, 1, 9, 1, 0],
    ]
}

pub(super) fn responses() -> Vec<Vec<u8>> {
    client::default_responses()
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    let mut all = broker::default_requests();
    all.extend(batches());
    all
}

pub(super) fn group_protocol() -> Vec<Vec<u8>> {
    let subscription = Subscription {
        topics: vec!["one".into(), "two".into()],
        user_data: Some(b"data".to_vec().into()),
        owned: vec![TopicPartition::new("one", 0), TopicPartition::new("two", 3)],
        generation: 5,
        rack: Some("rack".into()),
    };
    let assignment = Assignment { partitions: subscription.owned.clone(), user_data: None };
    let sticky = user_data::sticky(&subscription.owned, 5).to_vec();
    let without_generation = sticky[..sticky.len() - 4].to_vec();
    let mut all = vec![assignment.encode().to_vec(), sticky, without_generation];
    for version in 0..5 {
        let mut bytes = subscription.encode().to_vec();
        bytes[1] = version;
        all.push(bytes);
    }
    all
}

pub(super) fn scram() -> Vec<Vec<u8>> {
    let mut all = golden_inputs("scram.jsonl");
    all.extend(
        ["r=nonce,s=c2FsdA==,i=4096", "v=c2ln", "e=invalid-proof", "a=2Cb=3Dc", "m=x,r=a,s=,i=1,x=y"]
            .map(|text| text.as_bytes().to_vec()),
    );
    all
}

pub(super) fn jaas() -> Vec<Vec<u8>> {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let options = "username=\"alice\" password='a\\'b\\n\\101' /* c */ x=\"1\" // d";
    vec![
        format!("{module} required {options}\n;").into_bytes(),
        format!("{module} optional;{module} sufficient a=b;").into_bytes(),
        b"a.B required user=\"x\"".to_vec(),
    ]
}

pub(super) fn tokens() -> Vec<Vec<u8>> {
    let claims = [
        r#"{"sub":"alice","scope":"a b","iat":1.5,"exp":1e9}"#,
        r#"{"sub":"alice","scope":["a"],"exp":99999999999999999999}"#,
        r#"{"sub":" ","exp":-1,"iat":"x","scope":7}"#,
        r#"["sub"]"#,
    ];
    let token = |claims: &&str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into_bytes();
    claims.iter().map(token).chain([b"e30.e30=.".to_vec(), b"a.b".to_vec()]).collect()
}

pub(super) fn stores() -> Vec<Vec<u8>> {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n").into_bytes();
    let mut all =
        vec![pem("CERTIFICATE"), pem("PRIVATE KEY"), pem("ENCRYPTED PRIVATE KEY"), pem("RSA PRIVATE KEY")];
    // A JKS store of version 2 with one certificate and a digest.
    let entry = [&[0, 0, 0, 2, 0, 1, b'a'][..], &[0; 8], &[0, 5], b"X.509", &[0, 0, 0, 2, 0x30, 0]].concat();
    all.push([&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1][..], &entry, &[0; 20]].concat());
    // And a key with a chain of one.
    let key =
        [&[0, 0, 0, 1, 0, 1, b'a'][..], &[0; 8], &[0, 0, 0, 2, 0x30, 0, 0, 0, 0, 1], &entry[15..]].concat();
    all.push([&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1][..], &key, &[0; 20]].concat());
    all
}

/// A run of bytes for every transform, of both kinds of nesting.
pub(super) fn transforms() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for transform in 0..40 {
        for nesting in [1, 2] {
            let spread = (0..200u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
            let head = [transform, 2, 4, 2, 9, 2, 0, nesting, 3];
            seeds.push(head.into_iter().chain(spread.skip(usize::from(transform))).collect());
        }
    }
    seeds
}
