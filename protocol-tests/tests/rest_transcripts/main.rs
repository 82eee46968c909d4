//! `cargo test -p protocol-tests --test rest_transcripts`: what a real Connect worker answered, against what
//! ours does.
//!
//! Every scenario of the folder (`$CROSSDOCK_GOLDEN/rest`, else `protocol-tests/golden/rest`) whose mode is
//! `standalone` is asked of a worker of its own in strict mode, with a real Kafka broker, and every answer is
//! compared field by field. A difference is a failure unless a row of `docs/compatibility.md` allows its
//! kind (see `rows`). At the end there is a table of the groups. Words after `--` choose scenarios whose group
//! or name contains one of them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod http;
mod rows;
mod table;
mod worker;

use crossdock_testcontainers::Kafka;
use protocol_tests::transcripts::{self, Call, Difference, Scenario, World, compare};
use rows::Rows;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use table::Table;
use worker::Worker;

/// How long an awaited answer may take.
const AWAIT: Duration = Duration::from_secs(30);
/// The same in a scenario that has gone wrong already.
const AWAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Pause between two polls of an awaited answer.
const POLL: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if given("--list") {
        println!("rest_transcripts: test");
        return ExitCode::SUCCESS;
    }
    if given("--ignored") {
        // There are no long cases.
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let folder = transcripts::folder();
    println!("transcripts in {}", folder.display());
    let mut scenarios = transcripts::scenarios(&folder, "standalone").expect("transcripts that can be read");
    scenarios
        .retain(|s| wanted.is_empty() || wanted.iter().any(|w| s.name.contains(*w) || s.group.contains(*w)));
    let table = tokio::runtime::Runtime::new().unwrap().block_on(run(&scenarios));
    print!("{table}");
    if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(scenarios: &[Scenario]) -> Table {
    let rows = Rows::documented();
    let kafka = Kafka::start().await.expect("a real Kafka");
    let mut table = Table::default();
    for scenario in scenarios {
        let started = Instant::now();
        let worker = Worker::start(&kafka).await;
        let mut replay = Replay { scenario, worker: &worker, rows: &rows, has_failed: false };
        for call in &scenario.calls {
            let differences = replay.ask(call).await;
            table.count(scenario, call, differences, &rows);
        }
        worker.stop().await;
        eprintln!("{} {}: {} s", scenario.group, scenario.name, started.elapsed().as_secs());
    }
    table
}

/// One scenario being asked of a worker.
struct Replay<'a> {
    scenario: &'a Scenario,
    worker: &'a Worker,
    rows: &'a Rows,
    has_failed: bool,
}

impl Replay<'_> {
    /// Asks, and says what differs, allowed or not.
    async fn ask(&mut self, call: &Call) -> Vec<Difference> {
        self.prepare(call).await;
        let patience = if self.has_failed { AWAIT_AFTER_FAILURE } else { AWAIT };
        let begin = Instant::now();
        let world = self.worker.world();
        loop {
            let answer = http::send(call, world).await;
            let differences = compare(call, world, &answer);
            let settled = differences
                .iter()
                .all(|difference| self.rows.allowing(self.scenario, call, difference).is_some());
            let goes_on = call.awaits() || is_passing(call, &answer.body);
            if settled || !goes_on || begin.elapsed() >= patience {
                self.has_failed |= !settled;
                return differences;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the recorder did beside its requests.
    async fn prepare(&self, call: &Call) {
        let reads = |body: &str, topic: &str| body.contains("\"topics\"") && body.contains(topic);
        for (topic, count) in partitions(self.scenario) {
            if call.method() == "POST" && call.body().is_some_and(|body| reads(&body, &topic)) {
                self.worker.grow_topic(&topic, count).await;
            }
        }
        let topics_come_back = call.path().trim_end_matches('/').ends_with("/topics")
            && call.awaits()
            && call.response_body().to_string().contains("[\"");
        if topics_come_back {
            self.worker.grow_input();
        }
        if call.note() == "directory exists now" {
            for file in files(self.scenario, self.worker.world()) {
                std::fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
            }
        }
    }
}

/// Whether a task is starting or stopping, where the recorder saw how it is after that.
fn is_passing(call: &Call, answered: &str) -> bool {
    const PASSING: &str = "UNASSIGNED";
    call.method() == "GET"
        && answered.contains(PASSING)
        && !call.response_body().to_string().contains(PASSING)
}

/// The topics of which an answer names more than their first partition, with how many they have at least. What the
/// sources of a scenario sent is in the first one.
fn partitions(scenario: &Scenario) -> BTreeMap<String, i32> {
    let mut found = BTreeMap::new();
    let reads = scenario.calls.iter().filter(|call| call.method() == "GET" && call.status() == 200);
    let offsets = reads.filter_map(|call| call.response_body()["offsets"].as_array());
    for partition in offsets.flatten().map(|item| &item["partition"]) {
        if let (Some(topic), Some(number)) =
            (partition["kafka_topic"].as_str(), partition["kafka_partition"].as_i64())
        {
            let count: &mut i32 = found.entry(topic.to_owned()).or_default();
            *count = (*count).max(number as i32 + 1);
        }
    }
    found.retain(|_, count| *count > 1);
    found
}

/// The files that connectors of a scenario name.
fn files(scenario: &Scenario, world: &World) -> Vec<String> {
    let bodies = scenario.calls.iter().filter_map(Call::body);
    let bodies = bodies.filter_map(|body| serde_json::from_str::<serde_json::Value>(&world.fill(&body)).ok());
    bodies.filter_map(|body| Some(body["config"]["file"].as_str()?.to_owned())).collect()
}
