//! Many connectors on one worker: memory, time to start, and CPU while nothing happens.
//!
//! ```text
//! cargo bench --bench worker_scale [-- --pairs 100 --idle 30 --bootstrap host:port --binary crossdock]
//! ```
//!
//! Runs the release binary as an operator would, with `pairs` file sources of one task and as many file sinks of three
//! tasks, each pair over a topic of its own with three partitions: 200 connectors with 400 tasks by default. The time is
//! from the spawn until the REST API shows every task as RUNNING; then until what the sources read is in the sinks'
//! files; then the worker is left alone, and its CPU time from `/proc` is taken over `idle` seconds. Memory is VmHWM, the
//! most that it ever had, and VmRSS at the end.

use crossdock_client::admin::{Admin, NewTopic};
use crossdock_client::{ClientConfig, Cluster};
use crossdock_testcontainers::Kafka;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Tasks of each sink, and partitions of each topic.
const SINK_TASKS: usize = 3;
const LINE: &str = "a line that goes from a file to a file\n";
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

struct Options {
    pairs: usize,
    idle: u64,
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
    create_topics(&bootstrap, options.pairs).await?;
    let dir = tempfile::tempdir()?;
    let files = connector_files(dir.path(), options.pairs)?;

    let begin = Instant::now();
    let mut worker = Worker::start(dir.path(), &bootstrap, &options.binary, &files)?;
    let tasks = options.pairs * (1 + SINK_TASKS);
    worker.wait("every task to be RUNNING", |port| running(port) == Some(tasks))?;
    let started = begin.elapsed();
    let outputs: Vec<PathBuf> =
        (0..options.pairs).map(|pair| dir.path().join(format!("{pair}.out"))).collect();
    worker.wait("every line to arrive", |_| {
        outputs.iter().all(|file| std::fs::read(file).is_ok_and(|text| text == LINE.as_bytes()))
    })?;
    let arrived = begin.elapsed();

    let before = worker.cpu()?;
    tokio::time::sleep(Duration::from_secs(options.idle)).await;
    let idle = (worker.cpu()? - before).as_secs_f64() / options.idle as f64;
    println!(
        "{} connectors, {tasks} tasks: RUNNING after {:.2} s, records through after {:.2} s, {:.2} % of a core idle, {} MiB \
         peak, {} MiB at the end",
        options.pairs * 2,
        started.as_secs_f64(),
        arrived.as_secs_f64(),
        idle * 100.0,
        worker.memory("VmHWM")? / 1024,
        worker.memory("VmRSS")? / 1024,
    );
    Ok(())
}

fn options() -> Result<Options> {
    let mut options =
        Options { pairs: 100, idle: 30, bootstrap: None, binary: env!("CARGO_BIN_EXE_crossdock").to_owned() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--pairs" => options.pairs = value()?.parse()?,
            "--idle" => options.idle = value()?.parse()?,
            "--binary" => options.binary = value()?,
            "--bootstrap" => options.bootstrap = Some(value()?),
            // Cargo adds it.
            "--bench" => {}
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

/// The topics are there before, so that it is not the broker's creating them that is measured.
async fn create_topics(bootstrap: &str, pairs: usize) -> Result<()> {
    let config = [("bootstrap.servers".to_owned(), bootstrap.to_owned())].into_iter().collect();
    let admin = Admin::new(Cluster::new(ClientConfig::from_map(&config)?));
    let topics: Vec<NewTopic> =
        (0..pairs).map(|pair| NewTopic::new(format!("scale-{pair}"), SINK_TASKS as i32, 1)).collect();
    for (_, created) in admin.create_topics(&topics, false).await? {
        created?;
    }
    Ok(())
}

fn connector_files(dir: &Path, pairs: usize) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pair in 0..pairs {
        let (input, output) = (dir.join(format!("{pair}.in")), dir.join(format!("{pair}.out")));
        std::fs::write(&input, LINE)?;
        let source = format!(
            "name=in-{pair}\nconnector.class=FileStreamSource\nfile={}\ntopic=scale-{pair}\n",
            input.display()
        );
        let sink = format!(
            "name=out-{pair}\nconnector.class=FileStreamSink\ntasks.max={SINK_TASKS}\nfile={}\ntopics=scale-{pair}\n",
            output.display()
        );
        for (kind, text) in [("source", source), ("sink", sink)] {
            let file = dir.join(format!("{pair}-{kind}.properties"));
            std::fs::write(&file, text)?;
            files.push(file);
        }
    }
    Ok(files)
}

/// A running worker process, killed when dropped.
struct Worker {
    child: Child,
    port: u16,
}

impl Worker {
    fn start(dir: &Path, bootstrap: &str, binary: &str, connectors: &[PathBuf]) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = dir.join("worker.properties");
        std::fs::write(
            &file,
            format!(
                "bootstrap.servers={bootstrap}\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
                 value.converter=org.apache.kafka.connect.storage.StringConverter\n\
                 offset.storage.file.filename={}\nlisteners=http://127.0.0.1:{port}\n",
                dir.join("offsets").display()
            ),
        )?;
        let child =
            Command::new(binary).args(["--log", "warn", "standalone"]).arg(file).args(connectors).spawn()?;
        Ok(Self { child, port })
    }

    fn wait(&mut self, what: &str, done: impl Fn(u16) -> bool) -> Result<()> {
        let begin = Instant::now();
        while !done(self.port) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the worker ended while waiting for {what}: {status}").into());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("timed out waiting for {what}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// User and system time until now.
    fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Fields 14 and 15 in ticks of 10 ms; the name before them may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        Ok(Duration::from_millis(10 * (fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)))
    }

    /// A line of `/proc/<pid>/status`, in KiB.
    fn memory(&self, line: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let found = status.lines().find_map(|l| l.strip_prefix(line)).ok_or("no such line")?;
        Ok(found.trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many tasks are RUNNING.
fn running(port: u16) -> Option<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = "GET /connectors?expand=status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let statuses: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    let tasks = statuses.as_object()?.values().filter_map(|s| s["status"]["tasks"].as_array()).flatten();
    Some(tasks.filter(|task| task["state"] == "RUNNING").count())
}
