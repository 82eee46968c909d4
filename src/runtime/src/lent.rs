//! A connector that is lent to a task for each call into it: whoever waits for the call can give it up, even if
//! the plugin never gives its thread back.

use crate::blocking::may_block_in;
use crate::guard::Guard;
use crossdock_api::ConnectError;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::Instrument;

/// What a call into a plugin gives.
pub(crate) type Calling<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>> + Send + 'a>>;

/// How long a call that was given up has to let go of the connector; most do at once.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Something of a plugin that is called by one at a time.
pub(crate) struct Lent<C> {
    thing: Arc<Mutex<C>>,
    is_stuck: bool,
}

impl<C: Send + 'static> Lent<C> {
    pub(crate) fn new(thing: C) -> Self {
        Self { thing: Arc::new(Mutex::new(thing)), is_stuck: false }
    }

    /// Whether a call was given up that has not ended since: it cannot be called any more.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Calls it; the call is given up when `guard` says so, or after `limit`. `Err` is a trace.
    pub(crate) async fn call<T: Send + 'static>(
        &mut self,
        guard: &Guard,
        limit: Duration,
        call: impl for<'a> FnOnce(&'a mut C) -> Calling<'a, T> + Send + 'static,
    ) -> Result<T, String> {
        if self.is_stuck {
            return Err("the plugin does not come back from an earlier call".to_owned());
        }
        let thing = Arc::clone(&self.thing);
        let calling = may_block_in(async move {
            let mut thing = thing.lock().await;
            Guard::caught(call(&mut thing)).await
        });
        let mut calling = Abandoned(tokio::spawn(calling.in_current_span()));
        let ended = tokio::time::timeout(limit, guard.until_ended(&mut calling.0)).await;
        let error = match ended {
            Ok(Ok(Ok(outcome))) => return outcome,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(given_up)) => given_up,
            Err(_) => format!("it did not come to its end within {limit:?} and was abandoned"),
        };
        calling.0.abort();
        self.is_stuck = tokio::time::timeout(LETTING_GO, &mut calling.0).await.is_err();
        Err(error)
    }
}

/// Ends with whoever waits for it.
struct Abandoned<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Abandoned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_that_waits_is_given_up_and_the_next_one_works() {
        let (_running, guard) = Guard::new();
        let mut lent = Lent::new(1);
        let short = Duration::from_millis(10);
        let waits = lent.call(&guard, short, |_| Box::pin(std::future::pending::<Result<(), _>>())).await;
        assert!(waits.unwrap_err().contains("abandoned"));
        assert!(!lent.is_stuck());
        assert_eq!(lent.call(&guard, Duration::MAX, |n| Box::pin(async { Ok(*n) })).await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_that_blocks_is_given_up_for_good() {
        let (_running, guard) = Guard::new();
        let mut lent = Lent::new(());
        let (release, wait) = mpsc::channel::<()>();
        let blocks = lent.call(&guard, Duration::from_millis(10), move |()| {
            Box::pin(async move {
                let _ = wait.recv();
                Ok(())
            })
        });
        assert!(blocks.await.is_err());
        assert!(lent.is_stuck());
        let later = lent.call(&guard, Duration::MAX, |()| Box::pin(async { Ok(()) })).await;
        assert!(later.unwrap_err().contains("earlier call"));
        drop(release);
    }
}
