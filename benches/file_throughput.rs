//! File → topic and topic → file through a real broker: records/s, CPU a record, memory, start time.
//!
//! ```text
//! cargo bench --bench file_throughput [-- --lines 2000000 --runs 3 --bootstrap host:port --binary crossdock]
//! ```
//!
//! Runs the release binary as an operator would (`crossdock standalone`), alternates the two
//! directions, and prints every run and the medians. The CPU time is the worker's own, user and system,
//! from `/proc`; peak memory is its VmHWM. The rate is taken from the first record seen to the last, the
//! start time from the spawn to the first answer of the REST API. The output is compared with the input.

use crossdock_client::admin::{Admin, OffsetSpec};
use crossdock_client::{ClientConfig, Cluster, TopicPartition};
use crossdock_testcontainers::Kafka;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What one run of a worker took.
#[derive(Clone, Copy)]
struct Measured {
    records_per_second: f64,
    cpu_micros_per_record: f64,
    peak_mib: f64,
    start_millis: f64,
}

struct Options {
    lines: u64,
    runs: usize,
    bootstrap: Option<String>,
    binary: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = options()?;
    let kafka = match &options.bootstrap {
        Some(_) => None,
        None => Some(Kafka::builder().heap_mb(1024).quick_compiler(false).start().await?),
    };
    let bootstrap =
        options.bootstrap.clone().or(kafka.as_ref().map(|k| k.bootstrap().to_owned())).unwrap_or_default();
    let dir = tempfile::tempdir()?;
    let input = dir.path().join("input.txt");
    write_input(&input, options.lines)?;
    let admin = Admin::new(Cluster::new(ClientConfig::from_map(
        &[("bootstrap.servers".to_owned(), bootstrap.clone())].into_iter().collect(),
    )?));
    println!("{} lines of 100 bytes, 1 partition, StringConverter, broker {bootstrap}", options.lines);
    let (mut sources, mut sinks) = (Vec::new(), Vec::new());
    for run in 1..=options.runs {
        let bench = Bench {
            bootstrap: &bootstrap,
            admin: &admin,
            dir: dir.path(),
            input: &input,
            lines: options.lines,
            binary: &options.binary,
        };
        let topic = format!("lines-{}-{run}", std::process::id());
        sources.push(bench.source(&topic).await?);
        report(&format!("file -> topic, run {run}"), sources[run - 1]);
        sinks.push(bench.sink(&topic)?);
        report(&format!("topic -> file, run {run}"), sinks[run - 1]);
    }
    report("file -> topic, median", median(&sources));
    report("topic -> file, median", median(&sinks));
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options {
        lines: 2_000_000,
        runs: 3,
        bootstrap: None,
        binary: env!("CARGO_BIN_EXE_crossdock").to_owned(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--lines" => options.lines = value()?.parse()?,
            "--runs" => options.runs = value()?.parse()?,
            "--binary" => options.binary = value()?,
            "--bootstrap" => options.bootstrap = Some(value()?),
            // Cargo adds it.
            "--bench" => {}
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn write_input(path: &Path, lines: u64) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for number in 0..lines {
        writeln!(file, "{number:010} {:x<88}", "a line of one hundred bytes with its line end ")?;
    }
    Ok(file.flush()?)
}

struct Bench<'a> {
    bootstrap: &'a str,
    admin: &'a Admin,
    dir: &'a Path,
    input: &'a Path,
    lines: u64,
    binary: &'a str,
}

impl Bench<'_> {
    async fn source(&self, topic: &str) -> Result<Measured> {
        let input = self.input.display();
        let config =
            format!("name={topic}-in\nconnector.class=FileStreamSource\nfile={input}\ntopic={topic}\n");
        let mut worker = Worker::start(self, topic, &config)?;
        let mut first = None;
        loop {
            let end = self.end_offset(topic).await;
            if end > 0 {
                first.get_or_insert((Instant::now(), end));
            }
            if end >= self.lines {
                break;
            }
            worker.check()?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.measured(self.lines, first)
    }

    fn sink(&self, topic: &str) -> Result<Measured> {
        let output = self.dir.join(format!("{topic}.out"));
        let path = output.display();
        let config =
            format!("name={topic}-out\nconnector.class=FileStreamSink\nfile={path}\ntopics={topic}\n");
        let mut worker = Worker::start(self, topic, &config)?;
        let mut first = None;
        loop {
            let written = std::fs::metadata(&output).map_or(0, |m| m.len()) / 100;
            if written > 0 {
                first.get_or_insert((Instant::now(), written));
            }
            if written >= self.lines {
                break;
            }
            worker.check()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        let measured = worker.measured(self.lines, first)?;
        let same = Command::new("cmp").arg(self.input).arg(&output).status()?;
        if !same.success() {
            return Err("the output differs from the input".into());
        }
        std::fs::remove_file(&output)?;
        Ok(measured)
    }

    async fn end_offset(&self, topic: &str) -> u64 {
        let partition = TopicPartition::new(topic, 0);
        let asked = self.admin.list_offsets(&[(partition, OffsetSpec::Latest)], Default::default()).await;
        let listed = asked.ok().and_then(|mut answers| answers.pop()).and_then(|(_, offset)| offset.ok());
        listed.map_or(0, |offset| offset.offset.max(0) as u64)
    }
}

/// A running worker process.
struct Worker {
    child: Child,
    start_millis: f64,
}

impl Worker {
    fn start(bench: &Bench<'_>, name: &str, connector: &str) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = |kind: &str| -> PathBuf { bench.dir.join(format!("{name}.{kind}")) };
        let offsets = file("offsets");
        std::fs::write(
            file("worker.properties"),
            format!(
                "bootstrap.servers={}\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
                 value.converter=org.apache.kafka.connect.storage.StringConverter\n\
                 offset.storage.file.filename={}\nlisteners=http://127.0.0.1:{port}\n",
                bench.bootstrap,
                offsets.display()
            ),
        )?;
        std::fs::write(file("connector.properties"), connector)?;
        let begin = Instant::now();
        let child = Command::new(bench.binary)
            .args(["--log", "warn", "standalone"])
            .args([file("worker.properties"), file("connector.properties")])
            .spawn()?;
        let mut worker = Self { child, start_millis: 0.0 };
        while get(port).is_none() {
            worker.check()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        worker.start_millis = begin.elapsed().as_secs_f64() * 1e3;
        Ok(worker)
    }

    fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the worker ended: {status}").into()),
        }
    }

    /// CPU microseconds that the process has used, and its peak memory in MiB.
    fn usage(&self) -> Result<(f64, f64)> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Fields 14 and 15 in ticks of 10 ms; the name before them may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        let kib: f64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
        Ok((ticks * 10_000.0, kib / 1024.0))
    }

    fn measured(mut self, lines: u64, first: Option<(Instant, u64)>) -> Result<Measured> {
        let (since, seen) = first.ok_or("no record was seen")?;
        let seconds = since.elapsed().as_secs_f64();
        let (micros, peak_mib) = self.usage()?;
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(Measured {
            records_per_second: (lines - seen) as f64 / seconds,
            cpu_micros_per_record: micros / lines as f64,
            peak_mib,
            start_millis: self.start_millis,
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answer of `GET /connectors`, if there is one.
fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /connectors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

fn report(what: &str, m: Measured) {
    println!(
        "{what}: {:.0} records/s, {:.3} CPU us a record, {:.0} MiB peak, REST after {:.0} ms",
        m.records_per_second, m.cpu_micros_per_record, m.peak_mib, m.start_millis
    );
}

fn median(runs: &[Measured]) -> Measured {
    let of = |field: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measured {
        records_per_second: of(|m| m.records_per_second),
        cpu_micros_per_record: of(|m| m.cpu_micros_per_record),
        peak_mib: of(|m| m.peak_mib),
        start_millis: of(|m| m.start_millis),
    }
}
