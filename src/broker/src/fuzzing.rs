//! Requests as they arrive, for fuzzing: only with the feature `unstable-fuzzing`, and without any promise to stay.

use crate::{api, connection, log};
use bytes::Bytes;

/// Reads a request frame (without its length) up to the point where it would be processed.
pub fn decode_request(frame: &[u8]) {
    connection::decode_only(Bytes::copy_from_slice(frame));
}

/// Requests without content, of every API and version that is served, as [`decode_request`] takes them.
pub fn default_requests() -> Vec<Vec<u8>> {
    api::default_requests()
}

/// Checks the records of one partition of a produce request.
pub fn validate_batch(records: &[u8]) {
    log::validate_only(Bytes::copy_from_slice(records));
}
