//! The producer: records in, acknowledged batches out, idempotent and in order.
//!
//! # Layout
//!
//! - [`Producer`] and [`Appender`]: the two handles of the user.
//! - [`ack`]: what an [`AckSink`] is told.
//! - [`config`], [`error`]: settings; what can go wrong when and after appending.
//! - [`partitioner`]: which partition a record goes to.
//! - `accumulator`, `batch`: open batches, bounded by `buffer.memory`.
//! - `compress`: closed batches, compressed beside the sender.
//! - `sender`: the one task that owns all that is being sent; with `node` (a broker), `lane` (a
//!   partition) and `request` (the frame).
//! - `transaction`: transactions, and the calls for them.
//! - `ordering`: the order of a partition's batches, a state machine without I/O; `identity`: the
//!   producer id.
//!
//! # How data flows
//!
//! ```text
//! Appender ─▶ open batch of the partition ─▶ compressed ─▶ sealed (CRC once) ─▶ lane: sequence ─▶ node: ≤ 5 requests ─▶ broker
//!    ▲ buffer.memory freed                                                                   │
//!    └──────────────────── AckSink, in order, by batch ◀─ ordering ◀─ answers in order ◀─────┘
//! ```
//!
//! A batch that is not full is sent as soon as fewer than `max.in.flight` requests are out, else it
//! grows until a slot is free: small batches when there is time, large ones under load, without a
//! clock.
//!
//! # What it must never do
//!
//! Allocate or switch tasks a record, reorder a partition, write a record twice while the broker grants
//! idempotence, or call something failed that may have been written.

mod accumulator;
pub mod ack;
mod appender;
mod batch;
mod compress;
pub mod config;
pub mod error;
mod identity;
mod lane;
mod node;
mod ordering;
pub mod partitioner;
mod request;
mod sender;
mod transaction;

pub use ack::{AckRun, AckSink, BatchMetadata, LogFailures};
pub use appender::{Appender, TopicRef};
pub use config::{Acks, Idempotence, ProducerConfig};
pub use error::{AppendError, MetadataError, ProduceError};
pub use transaction::TransactionError;

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::sync::lock;
use accumulator::{Accumulator, Limits};
use partitioner::Spread;
use sender::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;
use transaction::Machine;

/// A producer. Dropping it stops it: what is not acknowledged by then is reported to the sink as an error.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    config: Arc<ProducerConfig>,
    sender: Option<JoinHandle<()>>,
}

/// What the handles and the sender share.
#[derive(Debug)]
struct Shared {
    accumulator: Mutex<Accumulator>,
    /// Something is to be sent, asked, or stopped.
    wake: Notify,
    /// Memory was given back.
    space: Notify,
    /// Batches were resolved.
    resolved: Notify,
    /// Topics were updated, or asking for them failed.
    topics: Notify,
    /// Calls about transactions may have ended.
    transactions: Notify,
    /// Why the last attempt to fetch metadata failed.
    metadata_error: Mutex<Option<ClientError>>,
}

impl Producer {
    /// Starts the sender task on the current runtime. Nothing is asked of the cluster before a topic is.
    pub fn start(cluster: Cluster, config: ProducerConfig, acks: Arc<dyn AckSink>) -> Self {
        let config = Arc::new(config);
        let limits = Limits {
            batch: config.batch_limit(),
            memory: config.buffer_memory,
            record: config.max_request_size,
        };
        let shared = Arc::new(Shared::new(limits, config.transactional_id.as_deref()));
        shared.lock().spread = Spread {
            round_robin: config.partitioner_round_robin,
            ignore_keys: config.partitioner_ignore_keys,
            adaptive: config.partitioner_adaptive,
        };
        let sender = Sender::new(cluster, config.clone(), shared.clone(), acks);
        let sender = Some(tokio::spawn(sender.run().in_current_span()));
        Self { shared, config, sender }
    }

    /// A topic to append to. Interned: asking again gives the same. Its partitions are fetched in the
    /// background.
    pub fn topic(&self, name: &str) -> TopicRef {
        let (topic, wanted) = {
            let mut accumulator = self.shared.lock();
            let (at, name) = accumulator.intern(name);
            (TopicRef { at, name }, accumulator.topics_wanted)
        };
        if wanted {
            self.shared.wake.notify_one();
        }
        topic
    }

    /// How many partitions the topic has; `None` while they are not known.
    pub fn partition_count(&self, topic: &TopicRef) -> Option<i32> {
        let accumulator = self.shared.lock();
        accumulator.topics.get(topic.at).map(|t| t.partition_count).filter(|count| *count > 0)
    }

    /// Locks the open batches for a run of appends. Drop it before the next await: the sender waits for it.
    pub fn appender(&self) -> Appender<'_> {
        Appender::new(&self.shared)
    }

    /// Waits until the record that was refused with [`AppendError::BufferFull`] is likely to fit, or
    /// the producer is closed. Cancel-safe.
    pub async fn wait_for_space(&self) {
        loop {
            let notified = self.shared.space.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let mut accumulator = self.shared.lock();
                if accumulator.closed || accumulator.has_space() {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Waits until the partitions of the topic are known, for `max.block.ms` at most. A topic that does
    /// not exist is waited for, and created by the broker if it is configured to. A refusal of the client
    /// itself (authentication, TLS) is an error at once. Cancel-safe.
    pub async fn wait_for_metadata(&self, topic: &TopicRef) -> Result<(), MetadataError> {
        let deadline = Instant::now() + self.config.max_block;
        // What an earlier attempt said may be mended by now.
        lock(&self.shared.metadata_error).take();
        loop {
            let notified = self.shared.topics.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(known) = self.metadata_of(topic) {
                return known;
            }
            if let Some(error) =
                lock(&self.shared.metadata_error).clone().filter(ClientError::is_authentication)
            {
                return Err(MetadataError::Client(error));
            }
            self.shared.wake.notify_one();
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                let last = lock(&self.shared.metadata_error).as_ref().map(ToString::to_string);
                let (topic, after) = (topic.name.clone(), self.config.max_block);
                return Err(MetadataError::Timeout { topic, after, last });
            }
        }
    }

    fn metadata_of(&self, topic: &TopicRef) -> Option<Result<(), MetadataError>> {
        let mut accumulator = self.shared.lock();
        if accumulator.closed {
            return Some(Err(MetadataError::Closed));
        }
        let known = accumulator.topics.get(topic.at)?;
        if known.partition_count > 0 {
            return Some(Ok(()));
        }
        if !known.error.is_ok() && !known.error.is_retriable() {
            return Some(Err(MetadataError::Refused { topic: topic.name.clone(), code: known.error }));
        }
        accumulator.topics_wanted = true;
        None
    }

    /// Waits until everything that was appended so far is acknowledged or given up. Nothing lingers
    /// meanwhile. Cancel-safe.
    pub async fn flush(&self) {
        let target = self.shared.lock().high_serial();
        let _flushing = Flushing::start(&self.shared);
        loop {
            let notified = self.shared.resolved.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let accumulator = self.shared.lock();
                if accumulator.is_resolved_below(target) {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Takes no more records, flushes for at most `timeout`, then stops; what is not acknowledged by then is
    /// reported to the sink as an error. True if everything was flushed in time. A transaction that is open is
    /// aborted.
    pub async fn close(mut self, timeout: Duration) -> bool {
        self.shared.refuse_appends();
        let ending = async {
            self.abort_unfinished().await;
            self.flush().await;
        };
        let flushed = tokio::time::timeout(timeout, ending).await.is_ok();
        self.shared.close();
        if let Some(sender) = self.sender.take() {
            // Ends at once: it reports what is left and stops. An error would be its panic, already logged.
            let _ = sender.await;
        }
        flushed
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn new(limits: Limits, transactional_id: Option<&str>) -> Self {
        let mut accumulator = Accumulator::new(limits);
        accumulator.transaction = transactional_id.map(|id| Box::new(Machine::new(id.into())));
        Self {
            accumulator: Mutex::new(accumulator),
            wake: Notify::new(),
            space: Notify::new(),
            resolved: Notify::new(),
            topics: Notify::new(),
            transactions: Notify::new(),
            metadata_error: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Accumulator> {
        lock(&self.accumulator)
    }

    fn refuse_appends(&self) {
        self.lock().closed = true;
        self.space.notify_waiters();
        self.topics.notify_waiters();
    }

    fn close(&self) {
        self.refuse_appends();
        self.lock().stopping = true;
        self.wake.notify_one();
    }
}

/// Nothing lingers while one of these is held.
struct Flushing<'a>(&'a Shared);

impl<'a> Flushing<'a> {
    fn start(shared: &'a Shared) -> Self {
        shared.lock().flushing += 1;
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.lock().flushing -= 1;
    }
}
