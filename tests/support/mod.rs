//! What the end-to-end tests share: workers as processes, files, and waiting for a condition; with
//! [`kafka`], [`sink_script`] and [`source_script`] also engines with plugins that follow a script.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod kafka;
pub(crate) mod misbehaving;
pub(crate) mod plugin;
pub(crate) mod sink_script;
pub(crate) mod source_script;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Most that a test waits for anything; a failure, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The same for tests within an engine; shorter than the sessions and intervals that they must not wait for.
pub(crate) const ENGINE_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A `crossdock standalone` process with its files in a folder. Killed when dropped.
pub(crate) struct Worker {
    child: Child,
    pub(crate) rest: SocketAddr,
    log: PathBuf,
}

impl Worker {
    /// Starts a worker with extra `settings` and connectors given as properties files' texts.
    pub(crate) fn start(dir: &Path, bootstrap: &str, settings: &[(&str, &str)], connectors: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let offsets = dir.join("connect.offsets").display().to_string();
        let mut keys = vec![
            ("bootstrap.servers", bootstrap),
            ("key.converter", STRING),
            ("value.converter", STRING),
            ("offset.storage.file.filename", &offsets),
            ("offset.flush.interval.ms", "200"),
        ];
        let listeners = format!("http://127.0.0.1:{port}");
        keys.push(("listeners", &listeners));
        keys.retain(|(key, _)| settings.iter().all(|(given, _)| given != key));
        keys.extend(settings);
        let worker: String = keys.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let worker_file = dir.join("worker.properties");
        std::fs::write(&worker_file, worker).unwrap();
        let mut files = Vec::new();
        for (number, text) in connectors.iter().enumerate() {
            let file = dir.join(format!("connector-{number}.properties"));
            std::fs::write(&file, text).unwrap();
            files.push(file);
        }
        let log = dir.join("worker.log");
        let output = std::fs::File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_crossdock"))
            .arg("standalone")
            .arg(worker_file)
            .args(files)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, rest: SocketAddr::from(([127, 0, 0, 1], port)), log }
    }

    /// Answer of a GET: status and body; `None` while nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, serde_json::Value)> {
        request(self.rest, "GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Option<(u16, serde_json::Value)> {
        request(self.rest, "POST", path)
    }

    /// Waits for a connector's status to satisfy `accept`.
    pub(crate) fn await_status(
        &mut self,
        connector: &str,
        accept: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let path = format!("/connectors/{connector}/status");
        let mut last = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((_, body)) = self.get(&path) {
                if accept(&body) {
                    return body;
                }
                last = Some(body);
            }
            assert!(Instant::now() < deadline, "the status of {connector} stayed {last:?}\n{}", self.log());
            self.assert_alive();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the worker ended with {status}:\n{}", self.log());
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// Waits for the process to end by itself.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(address: SocketAddr, method: &str, path: &str) -> Option<(u16, serde_json::Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n")?.1;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

/// Waits until `done` is true.
pub(crate) fn await_that(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "timed out waiting for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until `done` is true, on the test's runtime.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + ENGINE_PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "timed out waiting for: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn source(name: &str, file: &Path, topic: &str) -> String {
    format!(
        "name={name}\nconnector.class=FileStreamSource\ntasks.max=1\nfile={}\ntopic={topic}\n",
        file.display()
    )
}

pub(crate) fn sink(name: &str, file: &Path, topic: &str) -> String {
    format!(
        "name={name}\nconnector.class=FileStreamSink\ntasks.max=1\nfile={}\ntopics={topic}\n",
        file.display()
    )
}

/// Writes numbered lines of 100 bytes, with some text outside of ASCII.
pub(crate) fn write_lines(path: &Path, numbers: std::ops::Range<u64>) {
    let mut file =
        std::io::BufWriter::new(std::fs::File::options().create(true).append(true).open(path).unwrap());
    for number in numbers {
        writeln!(file, "{number:010} zwölf Boxkämpfer jagen Viktor {:x<56}", "").unwrap();
    }
    file.flush().unwrap();
}

pub(crate) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

pub(crate) fn same_bytes(a: &Path, b: &Path) -> bool {
    Command::new("cmp").arg("-s").arg(a).arg(b).status().unwrap().success()
}

/// A topic name that no other test has.
pub(crate) fn topic(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
