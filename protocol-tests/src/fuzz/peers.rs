//! What the client reads of brokers, of other members and of its configuration, and the embedded broker of
//! clients.

use crossdock_broker::fuzzing as broker;
use crossdock_client::fuzzing as client;
use crossdock_client::security::scram::{ServerFinal, ServerFirst, sasl_name, username};

/// Responses of every API that the client calls, in every version.
pub(super) fn responses(bytes: &[u8]) {
    client::decode_response(bytes);
}

/// Fetched regions, as the consumer reads them.
pub(super) fn regions(bytes: &[u8]) {
    client::read_region(bytes);
}

/// Subscriptions and assignments of the classic protocol, and what the sticky strategies add.
pub(super) fn group_protocol(bytes: &[u8]) {
    client::decode_group_protocol(bytes);
}

/// Requests as the embedded broker reads them, and produced batches as it checks them.
pub(super) fn requests(bytes: &[u8]) {
    broker::decode_request(bytes);
    broker::validate_batch(bytes);
}

/// `sasl.jaas.config`.
pub(super) fn jaas(bytes: &[u8]) {
    client::read_jaas(&String::from_utf8_lossy(bytes));
}

/// Tokens of an identity provider.
pub(super) fn tokens(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        client::read_token(text);
    }
}

/// Key stores in PEM and JKS.
pub(super) fn stores(bytes: &[u8]) {
    client::read_stores(bytes);
}

/// Messages of a SCRAM server, and names as they are sent.
pub(super) fn scram(bytes: &[u8]) {
    let _ = ServerFinal::parse(bytes);
    if let Ok(first) = ServerFirst::parse(bytes) {
        assert!(first.iterations > 0 && !first.nonce.is_empty());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(username(&sasl_name(text)).as_deref(), Ok(text));
        let _ = username(text);
    }
}
