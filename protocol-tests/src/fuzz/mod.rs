//! What reads bytes of others, as targets for fuzzing.
//!
//! - [`TARGETS`]: each has a name, a function that takes any bytes, and seeds to start from. A function ends or
//!   panics; a panic is a finding. Besides, each asserts what must hold whatever the bytes are.
//! - [`Mutator`]: a seeded source of damaged seeds.
//! - `wire`, `peers`, `transforms`, `converters`: the functions. `seeds`: where the seeds come from.
//!
//! Two things drive them: the test `fuzz_smoke`, which takes seconds and runs with all tests, and the programs in
//! `fuzz/` of the repository, for cargo-fuzz, which run as long as they may.

mod converters;
mod mutator;
mod peers;
mod seeds;
mod transforms;
mod wire;

pub use mutator::Mutator;

use crossdock_wire::compression::DEFAULT_LIMIT;

/// Something that reads bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also in `fuzz/`.
    pub name: &'static str,
    /// Reads any bytes.
    pub run: fn(&[u8]),
    /// Inputs worth starting from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Most bytes of memory that it may hold, apart from what is proportional to its input.
    pub memory: usize,
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, run, seeds, memory: 24 << 20 }
    }

    /// It decompresses up to the usual limit, into a buffer that is copied when it grows.
    const fn decompressing(self) -> Self {
        Self { memory: 2 * DEFAULT_LIMIT + self.memory, ..self }
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target::new("frames", wire::frames, seeds::frames),
    Target::new("varints", wire::varints, seeds::varints),
    Target::new("shapes", wire::shapes, seeds::shapes),
    Target::new("batches", wire::batches, seeds::batches),
    Target::new("legacy", wire::legacy, seeds::legacy),
    Target::new("gzip", wire::gzip, seeds::gzip),
    Target::new("snappy", wire::snappy, seeds::snappy),
    Target::new("lz4", wire::lz4, seeds::lz4),
    Target::new("zstd", wire::zstd, seeds::zstd),
    Target::new("responses", peers::responses, seeds::responses),
    Target::new("regions", peers::regions, seeds::regions).decompressing(),
    Target::new("requests", peers::requests, seeds::requests).decompressing(),
    Target::new("group_protocol", peers::group_protocol, seeds::group_protocol),
    Target::new("scram", peers::scram, seeds::scram),
    Target::new("jaas", peers::jaas, seeds::jaas),
    Target::new("tokens", peers::tokens, seeds::tokens),
    Target::new("stores", peers::stores, seeds::stores),
    Target::new("transforms", transforms::transforms, seeds::transforms),
    Target::new("converters", converters::converters, converters::converter_seeds),
    Target::new("values", converters::values, converters::value_seeds),
];

/// Runs the target of that name.
///
/// # Panics
///
/// If there is none, and where the target finds something.
#[expect(clippy::panic, reason = "a name that is wrong is a mistake of the caller")]
pub fn run(name: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(bytes),
        None => panic!("there is no target {name}"),
    }
}
