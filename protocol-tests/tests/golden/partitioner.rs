//! Keys to partitions: `Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.

use super::Verdict;
use crossdock_client::producer::partitioner::{murmur2, partition_for_key};
use protocol_tests::golden::{self, Case};

pub(crate) fn run(case: &Case) -> Option<Verdict> {
    if case.op() != "murmur2" {
        return None;
    }
    Some(Verdict::of(difference(case)))
}

fn difference(case: &Case) -> Option<String> {
    let key = golden::bytes(case.input()).unwrap();
    let output = case.member("output");
    // The hash is an int in Java.
    let hash = i64::from(murmur2(&key) as i32);
    if output["murmur2"].as_i64() != Some(hash) {
        return Some(format!("murmur2 is {hash}, not {}", output["murmur2"]));
    }
    let partitions = output["partition_for_key"].as_object().unwrap();
    partitions.iter().find_map(|(count, expected)| {
        let partition = partition_for_key(&key, count.parse().unwrap());
        let is_same = expected.as_i64() == Some(i64::from(partition));
        (!is_same).then(|| format!("partition {partition} of {count}, not {expected}"))
    })
}
