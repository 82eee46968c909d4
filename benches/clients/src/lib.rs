//! What the measured programs share: their arguments, the payloads, and how they report.
//!
//! Each client is a program of its own, so that its CPU time is what the operating system counts for
//! the process. All take the same arguments and print one line that `compare` reads.

use std::error::Error;
use std::time::Instant;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Batches of the producers, in bytes, and how long they may wait for more records. Both are the same for all.
pub const BATCH_BYTES: usize = 512 << 10;
pub const LINGER_MS: u64 = 5;

/// What a client is to do.
pub struct Job {
    pub is_produce: bool,
    pub bootstrap: String,
    pub topic: String,
    pub partitions: i32,
    pub records: u64,
    /// As in `compression.type`.
    pub codec: String,
    /// Values to be sent, one after the other, again and again.
    pub payloads: Vec<Vec<u8>>,
}

impl Job {
    /// Reads `produce|consume BOOTSTRAP TOPIC PARTITIONS RECORDS CODEC PAYLOAD-FILE`.
    pub fn from_arguments() -> Outcome<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [what, bootstrap, topic, partitions, records, codec, payloads] = arguments.as_slice() else {
            return Err(
                "arguments: produce|consume BOOTSTRAP TOPIC PARTITIONS RECORDS CODEC PAYLOAD-FILE".into()
            );
        };
        let text = std::fs::read_to_string(payloads)?;
        Ok(Self {
            is_produce: what == "produce",
            bootstrap: bootstrap.clone(),
            topic: topic.clone(),
            partitions: partitions.parse()?,
            records: records.parse()?,
            codec: codec.clone(),
            payloads: text.lines().map(|line| line.as_bytes().to_vec()).collect(),
        })
    }
}

/// Counts what was consumed, and looks at every value.
#[derive(Default)]
pub struct Seen {
    pub records: u64,
    bytes: u64,
    checksum: u64,
    started: Option<Instant>,
}

impl Seen {
    /// A record. The clock starts with the first one.
    #[inline]
    pub fn record(&mut self, value: &[u8]) {
        if self.records == 0 {
            self.started = Some(Instant::now());
        }
        self.records += 1;
        self.bytes += value.len() as u64;
        self.checksum += u64::from(value.last().copied().unwrap_or_default());
    }

    pub fn report(&self) {
        report(self.records, self.started.unwrap_or_else(Instant::now));
        eprintln!("{} bytes, checksum {}", self.bytes, self.checksum);
    }
}

/// The line that `compare` reads.
pub fn report(records: u64, started: Instant) {
    println!("records={records} seconds={}", started.elapsed().as_secs_f64());
}
