//! Compressing closed batches beside the sender.
//!
//! A batch is closed by the sender, when it takes it; from then on its records are settled and only its stamp is
//! missing. So it is compressed by a thread of the runtime's blocking pool, and the sender goes on with other
//! partitions until it is told. The order is not touched: a batch that is being compressed waits in its
//! lane like any other, and what comes after it waits behind it.
//!
//! Small batches are compressed by the sender itself: handing them over would take longer.
//!
//! It must never hold the accumulator's lock while it compresses, nor lose a batch: one whose codec panics is
//! sent as it is.

use super::Shared;
use crossdock_wire::{BatchBuilder, ClosedBatch, Codec};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

/// Batches up to this size, in bytes, are compressed at once.
const INLINE: usize = 8 << 10;

/// Compresses the batches of one producer.
#[derive(Debug)]
pub(super) struct Compressor {
    pub(super) codec: Codec,
    shared: Arc<Shared>,
    jobs: Arc<AtomicUsize>,
    /// Jobs at the same time: as many as there are cores.
    limit: usize,
}

/// What became of a batch that was handed over.
#[derive(Debug)]
pub(super) enum Handed {
    Closed(ClosedBatch),
    Job(oneshot::Receiver<ClosedBatch>),
    /// All cores are taken: try again when the sender is woken.
    Refused(BatchBuilder),
}

impl Compressor {
    pub(super) fn new(codec: Codec, shared: Arc<Shared>) -> Self {
        let limit = std::thread::available_parallelism().map_or(1, usize::from);
        Self { codec, shared, jobs: Arc::default(), limit }
    }

    /// Whether batches are compressed at all.
    pub(super) fn is_on(&self) -> bool {
        self.codec != Codec::NONE
    }

    pub(super) fn hand(&self, builder: BatchBuilder) -> Handed {
        if !self.is_on() || builder.len() <= INLINE {
            return Handed::Closed(builder.close(self.codec));
        }
        if self.jobs.load(Ordering::Relaxed) >= self.limit {
            return Handed::Refused(builder);
        }
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let (done, wait) = oneshot::channel();
        let job = Job {
            builder: Some(builder),
            done: Some(done),
            jobs: self.jobs.clone(),
            shared: self.shared.clone(),
        };
        let codec = self.codec;
        tokio::task::spawn_blocking(move || job.run(codec));
        Handed::Job(wait)
    }
}

/// A batch that is being compressed. Whatever happens, it comes back and the sender is woken.
struct Job {
    builder: Option<BatchBuilder>,
    done: Option<oneshot::Sender<ClosedBatch>>,
    jobs: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Job {
    fn run(mut self, codec: Codec) {
        let closed = self.builder.as_ref().map(|builder| builder.compressed(codec));
        let builder = self.builder.take();
        if let (Some(builder), Some(done)) = (builder, self.done.take()) {
            // Nobody waits if the batch was given up meanwhile.
            let _ = done.send(match closed.flatten() {
                Some(closed) => closed,
                None => builder.close(Codec::NONE),
            });
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Still there only if the codec panicked, or the runtime ends.
        if let (Some(builder), Some(done)) = (self.builder.take(), self.done.take()) {
            let _ = done.send(builder.close(Codec::NONE));
        }
        self.jobs.fetch_sub(1, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }
}
