//! Operations that are repeated until they succeed, fail for good, or take too long.

use super::Cluster;
use crate::backoff::Backoff;
use crate::error::ClientError;
use std::time::Duration;
use tokio::time::Instant;

impl Cluster {
    /// Runs `attempt` until it succeeds or fails with an error that is not retriable, with
    /// `retry.backoff.ms` growing to `retry.backoff.max.ms` in between. Metadata is refreshed in the
    /// background when the error suggests it. After `timeout` the last error is given within
    /// [`ClientError::Exhausted`], which names `what` was tried. The attempt under way is not cut off.
    ///
    /// Only for operations that may be carried out twice. Cancel-safe if `attempt` is.
    pub async fn retrying<T, F>(
        &self,
        what: &str,
        timeout: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let start = Instant::now();
        let mut backoff = Backoff::new(self.config().retry_backoff, self.config().retry_backoff_max);
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !error.is_retriable() {
                return Err(error);
            }
            if error.refreshes_metadata() {
                self.request_refresh();
            }
            let wait = backoff.next();
            if start.elapsed() + wait >= timeout {
                let (what, last) = (what.to_owned(), Box::new(error));
                return Err(ClientError::Exhausted { what, after: timeout, last });
            }
            tracing::debug!(%error, what, "an attempt failed and is repeated");
            tokio::time::sleep(wait).await;
        }
    }
}
