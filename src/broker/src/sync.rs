//! Locking, and the end of tasks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Locks, also after a panic elsewhere: what the locks of this crate guard is changed in single steps
/// that cannot be seen half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of a task that nobody aborts. A panic in it goes on here.
pub(crate) async fn outcome<R>(task: JoinHandle<R>) -> R {
    match task.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down: nobody will poll this again.
        Err(_) => std::future::pending().await,
    }
}
