//! Calls into a connector, made safe for the herder: a panic becomes an error, and none outlasts the
//! worker.

use crate::blocking::{may_block, may_block_in};
use crossdock_api::ConnectError;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use tokio::sync::watch;

/// Ends guarded calls when the worker stops.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    stopping: watch::Receiver<bool>,
    /// Counts the interruptions of one connector's calls.
    interruptions: Option<watch::Receiver<u64>>,
}

impl Guard {
    /// A guard, and what ends its calls.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, stopping) = watch::channel(false);
        (sender, Self { stopping, interruptions: None })
    }

    /// A guard whose calls also end when the count changes.
    pub(crate) fn interrupted_by(&self, interruptions: watch::Receiver<u64>) -> Self {
        Self { stopping: self.stopping.clone(), interruptions: Some(interruptions) }
    }

    /// Runs a call into a plugin to its end, its panic, or the worker's stop. `Err` is a trace.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, String> {
        self.until_ended(may_block_in(Self::caught(call))).await?
    }

    /// Runs a call into a plugin to its end or its panic. `Err` is a trace.
    pub(crate) async fn caught<T>(call: impl Future<Output = Result<T, ConnectError>>) -> Result<T, String> {
        match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(chain(&error)),
            Err(panic) => Err(format!("the plugin panicked: {}", panic_message(&*panic))),
        }
    }

    /// Waits for something to its end, or to that of this guard's calls, which `Err` tells.
    pub(crate) async fn until_ended<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        let mut stopping = self.stopping.clone();
        let mut interruptions = self.interruptions.clone();
        if let Some(count) = &mut interruptions {
            count.mark_unchanged();
        }
        let interrupted = async {
            let counts = match &mut interruptions {
                Some(count) => count.changed().await.is_ok(),
                None => false,
            };
            if !counts {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = interrupted => Err("it did not answer in time, and was given up for a later request".to_owned()),
            _ = stopping.wait_for(|stopping| *stopping) => Err("the worker is stopping".to_owned()),
        }
    }
}

/// Runs a call into a plugin that does not wait, or blocks its thread. `Err` is a trace.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(|| may_block(call)))
        .map_err(|panic| format!("the plugin panicked: {}", panic_message(&*panic)))
}

/// The message of a panic, as far as it is text.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// An error with its causes, one a line.
pub(crate) fn chain(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str("\nCaused by: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
