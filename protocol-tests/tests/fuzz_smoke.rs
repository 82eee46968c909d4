//! A short run of every fuzz target: its seeds, and seeded damage to them for a moment.
//!
//! `CROSSDOCK_FUZZ_SECONDS` is how long each target runs (default: 2), `CROSSDOCK_FUZZ_SEED` what the damage
//! starts from (default: another one each time; it is printed). For long runs see `fuzz/README.md`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol_tests::fuzz::{Mutator, TARGETS, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

/// Most memory that reading an input may hold for each of its bytes, besides what its target may anyway.
const MEMORY_PER_BYTE: u64 = 1 << 10;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn try_one(target: &Target, input: &[u8], seed: u64) {
    let mut outcome = Ok(());
    let memory = allocation_counter::measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    });
    let most = target.memory as u64 + MEMORY_PER_BYTE * input.len() as u64;
    let held = memory.bytes_max;
    if outcome.is_err() || held > most {
        let (name, input) = (target.name, STANDARD.encode(input));
        panic!("target {name}, seed {seed}: failed, or held {held} bytes; its input in base 64: {input}");
    }
}

#[test]
fn every_target_survives_damaged_seeds() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = from_environment("CROSSDOCK_FUZZ_SEED").unwrap_or(now.as_nanos() as u64);
    let seconds = from_environment("CROSSDOCK_FUZZ_SECONDS").unwrap_or(2);
    println!("CROSSDOCK_FUZZ_SEED={seed}");
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for input in &seeds {
            try_one(target, input, seed);
        }
        let mut mutator = Mutator::new(seeds, seed);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut inputs = 0;
        while Instant::now() < end {
            try_one(target, &mutator.next_input(), seed);
            inputs += 1;
        }
        println!("{}: {inputs} inputs", target.name);
    }
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let inputs = |seed| {
        let mut mutator = Mutator::new(vec![b"some".to_vec(), vec![0; 100]], seed);
        (0..100).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
}
