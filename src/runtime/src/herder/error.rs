//! Why a herder cannot do what it is asked for, by the HTTP status that says so.

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HerderError {
    /// The caller gave something wrong: HTTP 400.
    #[error("{0}")]
    BadRequest(String),
    /// The request fits no state that can be reached by waiting, or something exists already: HTTP 409.
    #[error("{0}")]
    Conflict(String),
    /// The worker's configuration does not allow it: HTTP 403.
    #[error("{0}")]
    Forbidden(String),
    /// Something went wrong in the worker: HTTP 500.
    #[error("{0}")]
    Internal(String),
    /// No such connector or task: HTTP 404.
    #[error("{0}")]
    NotFound(String),
}
