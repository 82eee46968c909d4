//! A run of appends under one lock.

use super::Shared;
use super::accumulator::{Accumulator, Record};
use super::error::AppendError;
use std::sync::{Arc, MutexGuard};

/// A topic of one producer. Cheap to clone; of no use with another producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRef {
    pub(super) at: usize,
    pub(super) name: Arc<str>,
}

impl TopicRef {
    /// The topic's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// Appends records, as many as the caller has at hand, then lets go of the open batches.
#[derive(Debug)]
pub struct Appender<'a> {
    shared: &'a Shared,
    accumulator: Option<MutexGuard<'a, Accumulator>>,
    wake: bool,
}

impl<'a> Appender<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared, accumulator: Some(shared.lock()), wake: false }
    }

    /// Appends one record; on an error nothing of it is kept. Never waits and allocates nothing, apart from
    /// new batches and their growth.
    ///
    /// Without a `partition`, records with a key go where Java's client sends them (murmur2), others
    /// stick to one partition for a batch's worth of bytes. `timestamp` is in milliseconds since the
    /// epoch. `token` comes back with the acknowledgement; consecutive records of a partition with the
    /// same token are acknowledged as one run.
    #[expect(clippy::too_many_arguments, reason = "a struct a record would only be taken apart again")]
    pub fn append<'h, H>(
        &mut self,
        topic: &TopicRef,
        partition: Option<i32>,
        timestamp: i64,
        key: Option<&'h [u8]>,
        value: Option<&'h [u8]>,
        headers: H,
        token: u64,
    ) -> Result<(), AppendError>
    where
        H: ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    {
        let Some(accumulator) = &mut self.accumulator else { return Err(AppendError::Closed) };
        let record = Record { timestamp, key, value, headers, token };
        self.wake |= accumulator.append(topic.at, partition, record)?;
        Ok(())
    }
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        // The lock first: the sender would only run into it.
        self.accumulator = None;
        if self.wake {
            self.shared.wake.notify_one();
        }
    }
}
