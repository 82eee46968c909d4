//! What callers ask for, beyond names.

/// Which parts of a connector to restart (KIP-745).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestartRequest {
    /// Also the tasks.
    pub include_tasks: bool,
    /// Only what is FAILED.
    pub only_failed: bool,
}
