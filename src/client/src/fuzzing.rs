//! What reads bytes of brokers, of other members and of the configuration, for fuzzing and benchmarks: only with the feature `unstable-fuzzing`, and
//! without any promise to stay.
//!
//! Each function takes any bytes and ends; a panic, or memory out of proportion, is a bug of this crate.

use crate::connection::fuzzing as responses;
use crate::consumer::fuzzing as regions;
use crate::group::assignor::user_data;
use crate::group::protocol::{Assignment, Subscription};
use crate::security::fuzzing as security;
use bytes::Bytes;

pub use regions::read_region;
pub use responses::{decode_fetch_response, decode_response, default_responses};
pub use security::{read_jaas, read_stores, read_token};

/// Reads what members of a group send each other, with what the sticky strategies add. What was read and is written
/// again must be the same.
pub fn decode_group_protocol(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(read) = Subscription::decode(bytes.clone()) {
        assert_eq!(Subscription::decode(read.encode()).as_ref(), Ok(&read));
    }
    if let Ok(read) = Assignment::decode(bytes.clone()) {
        assert_eq!(Assignment::decode(read.encode()).as_ref(), Ok(&read));
    }
    let (had, generation) = user_data::read_sticky(bytes.clone());
    assert_eq!(user_data::read_sticky(user_data::sticky(&had, generation)), (had, generation));
    let generation = user_data::read_cooperative(bytes);
    assert_eq!(user_data::read_cooperative(user_data::cooperative(generation)), generation);
}
