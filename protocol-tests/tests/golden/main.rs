//! `cargo test -p protocol-tests --test golden`: what the Java classes did, against what ours do.
//!
//! Every `*.jsonl` file of the folder (`$CROSSDOCK_GOLDEN`, else `protocol-tests/golden/`) is an area; each
//! of its cases says which operation was called with what, and what came out. Cases go to an implementation
//! by area and operation, never by their id. At the end there is a table of the cases by area:
//!
//! - *passed*, *failed*;
//! - *deviates*: as in Java in strict mode; the default mode does otherwise, for a documented reason;
//! - *known gap*: not as in Java, for a documented reason (see the `known_gap` of the area);
//! - *not run*: nothing of ours does what the case asks for yet.
//!
//! It ends with an error when a case failed, when a file of an area that is implemented has no case, or when
//! a file cannot be read.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod chains;
mod configdef;
mod converters;
mod java_regex;
mod partitioner;
mod properties;
mod record_batches;
mod schema_ops;
mod scram;
mod table;
mod transforms;
mod values;

use protocol_tests::golden::{self, Case};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::Table;

/// What became of a case.
#[derive(Debug)]
enum Verdict {
    /// As in Java.
    Passed,
    /// Not as in Java, and how.
    Failed(String),
    /// Not as in Java, for this documented reason.
    KnownGap(&'static str),
    /// As in Java in strict mode, but not in safe mode, for this documented reason.
    Deviates(&'static str),
}

impl Verdict {
    /// Passed if there is no difference.
    fn of(difference: Option<String>) -> Self {
        difference.map_or(Self::Passed, Self::Failed)
    }
}

/// Runs a case; `None` if nothing implements its operation.
type Run = fn(&Case) -> Option<Verdict>;

fn implementation(area: &str) -> Option<Run> {
    Some(match area {
        "debezium_transforms" => transforms::run_debezium,
        "header_converter" => |case| values::run(case).or_else(|| converters::run(case)),
        "java_regex" => java_regex::run,
        "java_regex_router" => transforms::run,
        "json_converter" | "primitive_converters" => converters::run,
        "partitioner" => partitioner::run,
        "configdef" => configdef::run,
        "predicates" => transforms::run_predicate,
        "properties_files" => properties::run,
        "record_batches" => record_batches::run,
        "schema_ops" => schema_ops::run,
        "scram" => scram::run,
        "transform_chains" => chains::run,
        "transforms" => transforms::run_transform,
        _ => return None,
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if given("--list") {
        println!("golden: test");
        return ExitCode::SUCCESS;
    }
    if given("--ignored") {
        // There are no long cases.
        return ExitCode::SUCCESS;
    }
    let folder = golden::folder();
    println!("golden vectors in {}", folder.display());
    let mut table = Table::default();
    match files(&folder) {
        Ok(files) => files.iter().for_each(|file| run_file(file, &mut table)),
        Err(error) => table.problem(format!("cannot read {}: {error}", folder.display())),
    }
    if table.is_empty() {
        table.problem(format!("there are no *.jsonl files in {}", folder.display()));
    }
    print!("{table}");
    if table.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn run_file(path: &Path, table: &mut Table) {
    let area = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let run = implementation(&area);
    table.area(&area);
    let cases = match golden::cases(path) {
        Ok(cases) => cases,
        Err(error) => {
            if run.is_some() {
                table.problem(format!("cannot read {}: {error}", path.display()));
            }
            return;
        }
    };
    if run.is_some() && cases.is_empty() {
        table.problem(format!("{} has no cases", path.display()));
    }
    for case in &cases {
        let verdict = match run.map(|run| catch_unwind(AssertUnwindSafe(|| run(case)))) {
            None => None,
            Some(Ok(verdict)) => verdict,
            // The message is on standard error already.
            Some(Err(_)) => Some(Verdict::Failed("it panicked".to_owned())),
        };
        table.count(&area, case, verdict);
    }
}
