//! Runs the clients one after the other against one broker and prints medians.
//!
//! ```text
//! compare [--quick] [--runs 3] [--records 3000000] --clients crossdock,franz-go=PATH,…
//! ```
//!
//! Started by `run.sh`, which builds the clients. A client is a program of this package beside this one,
//! a path, or `java` for the performance tools of Kafka itself. CPU time is user and system time of the
//! whole process as the operating system counts it, less that of a run with one record, so that no one
//! pays for the start of a virtual machine. Rates are the clients' own: from the first record appended
//! to the last acknowledged, and from the first consumed to the last.

use crossdock_client::admin::{Admin, IsolationLevel, NewTopic, OffsetSpec};
use crossdock_client::{ClientConfig, Cluster, TopicPartition};
use crossdock_client_benches::{BATCH_BYTES, LINGER_MS, Outcome};
use crossdock_testcontainers::{KAFKA_VERSION, Kafka};
use nix::sys::resource::{UsageWho, getrusage};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Distinct values that are sent again and again.
const PAYLOADS: usize = 10_000;

struct Options {
    is_quick: bool,
    runs: usize,
    records: u64,
    clients: Vec<Client>,
}

struct Client {
    name: String,
    /// `None`: Kafka's own tools.
    program: Option<PathBuf>,
}

/// One cell of the matrix.
struct Case<'a> {
    codec: &'a str,
    partitions: i32,
    bytes: usize,
    records: u64,
}

#[derive(Clone, Copy)]
struct Measured {
    records_per_second: f64,
    cpu_micros: f64,
}

/// What every run needs.
struct Bench {
    bootstrap: String,
    admin: Admin,
    payloads: PathBuf,
    topics: u32,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let options = options()?;
    let kafka = Kafka::builder().heap_mb(1024).property("log.retention.ms", "-1").start().await?;
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap())?);
    let dir = tempfile::tempdir()?;
    let mut bench = Bench {
        bootstrap: kafka.bootstrap().to_owned(),
        admin: Admin::new(cluster),
        payloads: dir.path().join("payloads"),
        topics: 0,
    };
    let threads = std::thread::available_parallelism()?;
    println!(
        "Kafka {KAFKA_VERSION} on the same machine ({threads} threads); acks=all, idempotent, batch.size {BATCH_BYTES},"
    );
    println!(
        "linger.ms {LINGER_MS}; {} alternating runs, medians; µs of CPU a record (user and system)\n",
        options.runs
    );
    println!("| records | codec | partitions | client | produced/s | µs | consumed/s | µs |");
    println!("|---|---|---|---|---|---|---|---|");
    for case in cases(&options) {
        measure(&mut bench, &options, &case).await?;
    }
    Ok(())
}

fn options() -> Outcome<Options> {
    let mut options = Options { is_quick: false, runs: 3, records: 3_000_000, clients: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--quick" => options.is_quick = true,
            "--runs" => options.runs = value()?.parse()?,
            "--records" => options.records = value()?.parse()?,
            "--clients" => options.clients = value()?.split(',').map(client).collect::<Outcome<_>>()?,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn client(text: &str) -> Outcome<Client> {
    let (name, program) = match text.split_once('=') {
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None if text == "java" => (text, None),
        None => (text, Some(std::env::current_exe()?.with_file_name(text))),
    };
    Ok(Client { name: name.to_owned(), program })
}

fn cases(options: &Options) -> Vec<Case<'static>> {
    let codecs: &[&str] = if options.is_quick { &["none"] } else { &["none", "lz4", "zstd"] };
    let sizes: &[usize] = if options.is_quick { &[100] } else { &[100, 1000] };
    let mut cases = Vec::new();
    for &bytes in sizes {
        // As many bytes with larger records would take longer and tell no more.
        let records = if bytes > 100 { options.records / 4 } else { options.records };
        for &codec in codecs {
            cases.extend([1, 6].map(|partitions| Case { codec, partitions, bytes, records }));
        }
    }
    cases
}

/// Alternates the clients, then prints their medians.
async fn measure(bench: &mut Bench, options: &Options, case: &Case<'_>) -> Outcome<()> {
    write_payloads(&bench.payloads, case.bytes)?;
    let mut produced: BTreeMap<&str, Vec<Measured>> = BTreeMap::new();
    let mut consumed: BTreeMap<&str, Vec<Measured>> = BTreeMap::new();
    let full = bench.topic(case.partitions).await?;
    bench.run(&options.clients[0], true, &full, case, case.records)?;
    for _ in 0..options.runs {
        for client in &options.clients {
            let topic = bench.topic(case.partitions).await?;
            produced.entry(&client.name).or_default().push(bench.net(client, true, &topic, case)?);
            bench.check(&topic, case).await?;
            bench.admin.delete_topics(&[&topic]).await?;
            consumed.entry(&client.name).or_default().push(bench.net(client, false, &full, case)?);
        }
    }
    for client in &options.clients {
        let (produced, consumed) =
            (median(&produced[client.name.as_str()]), median(&consumed[client.name.as_str()]));
        println!(
            "| {} × {} B | {} | {} | {} | {:.2} M | {:.3} | {:.2} M | {:.3} |",
            case.records,
            case.bytes,
            case.codec,
            case.partitions,
            client.name,
            produced.records_per_second / 1e6,
            produced.cpu_micros,
            consumed.records_per_second / 1e6,
            consumed.cpu_micros,
        );
    }
    bench.admin.delete_topics(&[&full]).await?;
    Ok(())
}

/// Lines of JSON, all of `bytes` bytes; the numbers in them differ.
fn write_payloads(path: &Path, bytes: usize) -> Outcome<()> {
    let mut text = String::new();
    // A linear congruential generator: the same values in every run.
    let mut state: u64 = 42;
    for number in 0..PAYLOADS {
        let start = text.len();
        write!(text, "{{\"id\":{number:08},\"name\":\"")?;
        while text.len() < start + bytes - 2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(text, "user-{:04},", (state >> 33) % 10_000)?;
        }
        text.truncate(start + bytes - 2);
        text.push_str("\"}\n");
    }
    Ok(std::fs::write(path, text)?)
}

impl Bench {
    async fn topic(&mut self, partitions: i32) -> Outcome<String> {
        self.topics += 1;
        let name = format!("clients-{}", self.topics);
        self.admin.create_topic(&NewTopic::new(&name, partitions, 1)).await?;
        Ok(name)
    }

    /// One run, less what the client takes for one record.
    fn net(&self, client: &Client, is_produce: bool, topic: &str, case: &Case<'_>) -> Outcome<Measured> {
        let (_, idle) = self.run(client, is_produce, topic, case, 1)?;
        let (records_per_second, cpu) = self.run(client, is_produce, topic, case, case.records)?;
        Ok(Measured { records_per_second, cpu_micros: (cpu - idle) * 1e6 / case.records as f64 })
    }

    /// Records a second, and seconds of CPU.
    fn run(
        &self,
        client: &Client,
        is_produce: bool,
        topic: &str,
        case: &Case<'_>,
        records: u64,
    ) -> Outcome<(f64, f64)> {
        let mut command = match &client.program {
            Some(program) => self.command(program, is_produce, topic, case, records),
            None => self.java(is_produce, topic, case, records)?,
        };
        let before = cpu_of_children()?;
        let output = command.output()?;
        let cpu = cpu_of_children()? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = match client.program {
            Some(_) => rate(&text),
            None if is_produce => java_produced(&text),
            None => java_consumed(&text),
        };
        match rate {
            Some(rate) if output.status.success() => Ok((rate, cpu)),
            _ => Err(format!("{}: {text}\n{}", client.name, String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    fn command(
        &self,
        program: &Path,
        is_produce: bool,
        topic: &str,
        case: &Case<'_>,
        records: u64,
    ) -> Command {
        let mut command = Command::new(program);
        command.arg(if is_produce { "produce" } else { "consume" }).args([&self.bootstrap, topic]);
        command.args([&case.partitions.to_string(), &records.to_string(), case.codec]).arg(&self.payloads);
        command
    }

    fn java(&self, is_produce: bool, topic: &str, case: &Case<'_>, records: u64) -> Outcome<Command> {
        let mut command = Command::new("java");
        command.arg("-Xmx1g").arg("-cp").arg(java_class_path()?);
        let records = records.to_string();
        if is_produce {
            command.args([
                "org.apache.kafka.tools.ProducerPerformance",
                "--throughput",
                "-1",
                "--topic",
                topic,
            ]);
            command.args(["--num-records", &records, "--payload-file"]).arg(&self.payloads);
            command.args(["--bootstrap-server", &self.bootstrap, "--command-property"]);
            command.arg(format!("batch.size={BATCH_BYTES}")).arg(format!("linger.ms={LINGER_MS}"));
            command.arg("buffer.memory=67108864").arg(format!("compression.type={}", case.codec));
        } else {
            command.args(["org.apache.kafka.tools.ConsumerPerformance", "--hide-header", "--topic", topic]);
            command.args(["--num-records", &records, "--bootstrap-server", &self.bootstrap]);
        }
        Ok(command)
    }

    /// All records must be there, once.
    async fn check(&self, topic: &str, case: &Case<'_>) -> Outcome<()> {
        let topic: std::sync::Arc<str> = topic.into();
        let all = (0..case.partitions).map(|partition| TopicPartition { topic: topic.clone(), partition });
        let asked: Vec<_> = all.map(|partition| (partition, OffsetSpec::Latest)).collect();
        let mut written = 0;
        for (_, offset) in self.admin.list_offsets(&asked, IsolationLevel::ReadUncommitted).await? {
            written += offset?.offset;
        }
        // And one of the run that is subtracted.
        if written == case.records as i64 + 1 {
            return Ok(());
        }
        Err(format!("{topic} has {written} records instead of {}", case.records + 1).into())
    }
}

fn java_class_path() -> Outcome<String> {
    let home = std::env::var_os("CROSSDOCK_KAFKA_HOME").map(PathBuf::from);
    let cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        base.map(|base| base.join("crossdock").join(format!("kafka-{KAFKA_VERSION}")))
    };
    let libs = home.or_else(cache).ok_or("neither CROSSDOCK_KAFKA_HOME nor HOME is set")?.join("libs");
    if !libs.is_dir() {
        return Err(format!(
            "no jars of Kafka in {}; set CROSSDOCK_KAFKA_HOME or leave java out",
            libs.display()
        )
        .into());
    }
    Ok(format!("{}/*", libs.display()))
}

/// `records=N seconds=S`.
fn rate(text: &str) -> Option<f64> {
    let (records, seconds) = text.trim().strip_prefix("records=")?.split_once(" seconds=")?;
    Some(records.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?)
}

/// The last line that says `N records sent, R records/sec`.
fn java_produced(text: &str) -> Option<f64> {
    let line = text.lines().rfind(|line| line.contains("records/sec"))?;
    line.split(", ").find_map(|part| part.split_once(" records/sec"))?.0.trim().parse().ok()
}

/// The last column: records a second, without the time that joining the group took.
fn java_consumed(text: &str) -> Option<f64> {
    text.lines().rfind(|line| line.contains(','))?.rsplit(',').next()?.trim().parse().ok()
}

/// User and system time of all child processes that have ended, in seconds.
fn cpu_of_children() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn median(runs: &[Measured]) -> Measured {
    let middle = |of: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measured { records_per_second: middle(|m| m.records_per_second), cpu_micros: middle(|m| m.cpu_micros) }
}
