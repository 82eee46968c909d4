//! Keeps plugins from holding up the runtime: a plugin may block the thread that it is called on, so it is only
//! called on threads that the runtime has given up.
//!
//! A thread that runs a plugin passes its work on to another thread first ([`tokio::task::block_in_place`]), so that a
//! plugin that blocks costs a thread and nothing else. On a runtime with a single thread there is no other to pass it
//! to: plugins are called as they are then.

use std::future::poll_fn;
use std::pin::pin;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Calls what may block its thread. Outside of a task of the runtime (in `block_on`) the thread is the caller's own.
pub(crate) fn may_block<T>(work: impl FnOnce() -> T) -> T {
    let flavor = tokio::task::try_id().and_then(|_| Handle::try_current().ok()).map(|h| h.runtime_flavor());
    match flavor {
        Some(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Runs a future of which each poll may block its thread. As cancel-safe as the future.
pub(crate) async fn may_block_in<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| may_block(|| work.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn as_many_blocked_plugins_as_there_are_threads_hold_up_nothing() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut releases = Vec::new();
        let mut blocked = Vec::new();
        for _ in 0..8 {
            let (release, wait) = mpsc::channel::<()>();
            releases.push(release);
            blocked.push(runtime.spawn(may_block_in(async move {
                tokio::task::yield_now().await;
                wait.recv().is_ok()
            })));
        }
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            tell.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(60)).expect("the runtime stands still");
        releases.iter().for_each(|release| release.send(()).unwrap());
        for task in blocked {
            assert!(runtime.block_on(task).unwrap());
        }
    }

    #[tokio::test]
    async fn a_single_thread_is_used_as_it_is() {
        assert_eq!(tokio::spawn(may_block_in(async { may_block(|| 7) })).await.unwrap(), 7);
    }
}
