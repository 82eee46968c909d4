//! The layouts of the responses that are read, by API key, and the check of bodies against them.
//!
//! Derived from Kafka's message schemas (4.1). An array's shape says which versions have it; its
//! fields' own versions matter only where they differ.

use crossdock_wire::shape::{
    self, BLOB, BOOL, Encoding, Field, INT8, INT16, INT32, INT64, TEXT, UUID, one, optional, structs, tag,
    values,
};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{HeaderVersion, Request};

mod admin;
#[cfg(test)]
mod tests;

/// Elements of all arrays of a body together. The metadata of 200,000 partitions has below 2 million.
const MAX_ELEMENTS: usize = 4_000_000;

/// Checks the body of a response before it is decoded. Bytes after it are nobody's business: newer
/// brokers may add some.
pub(super) fn check<R: Request>(body: &[u8], version: i16) -> Result<(), String> {
    let Some(layout) = of(R::KEY) else {
        return Err("this client does not know its layout".to_owned());
    };
    let encoding = Encoding { version, is_flexible: is_flexible::<R>(version) };
    shape::check(layout, body, encoding, MAX_ELEMENTS).map(|_| ()).map_err(|error| error.to_string())
}

/// The header of ApiVersions is never flexible, so that any client can read it (KIP-511).
fn is_flexible<R: Request>(version: i16) -> bool {
    R::Response::header_version(version) >= 1 || (R::KEY == ApiKey::ApiVersions as i16 && version >= 3)
}

/// Whether responses of the API are read.
#[cfg(all(test, feature = "unstable-fuzzing"))]
pub(super) fn is_known(api_key: i16) -> bool {
    of(api_key).is_some()
}

/// The layout of an API's response; `None` for those that this client does not call.
fn of(api_key: i16) -> Option<&'static [Field]> {
    let api_key = ApiKey::try_from(api_key).ok()?;
    Some(match api_key {
        ApiKey::AddOffsetsToTxn => ADD_OFFSETS_TO_TXN,
        ApiKey::AddPartitionsToTxn => ADD_PARTITIONS_TO_TXN,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::ConsumerGroupHeartbeat => CONSUMER_GROUP_HEARTBEAT,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::EndTxn => END_TXN,
        ApiKey::Fetch => FETCH,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::Produce => PRODUCE,
        ApiKey::SaslAuthenticate => SASL_AUTHENTICATE,
        ApiKey::SaslHandshake => SASL_HANDSHAKE,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::TxnOffsetCommit => TXN_OFFSET_COMMIT,
        _ => return admin::of(api_key),
    })
}

const ADD_OFFSETS_TO_TXN: &[Field] = &[INT32, INT16];
const ADD_PARTITIONS_TO_TXN: &[Field] = &[
    INT32,
    INT16.since(4),
    structs(&[TEXT.since(4), structs(&[TEXT, structs(&[INT32, INT16])]).since(4)]).since(4),
    structs(&[TEXT, structs(&[INT32, INT16])]).until(3),
];
const API_VERSIONS: &[Field] = &[
    INT16,
    structs(&[INT16, INT16, INT16]),
    INT32.since(1),
    tag(0, &structs(&[TEXT.since(3), INT16.since(3), INT16.since(3)])).since(3),
    tag(1, &INT64).since(3),
    tag(2, &structs(&[TEXT.since(3), INT16.since(3), INT16.since(3)])).since(3),
    tag(3, &BOOL).since(3),
];
const CONSUMER_GROUP_HEARTBEAT: &[Field] =
    &[INT32, INT16, TEXT, TEXT, INT32, INT32, optional(&[structs(&[UUID, values(&INT32)])])];
const CREATE_TOPICS: &[Field] = &[
    INT32,
    structs(&[
        TEXT,
        UUID.since(7),
        INT16,
        TEXT,
        tag(0, &INT16).since(5),
        INT32.since(5),
        INT16.since(5),
        structs(&[TEXT.since(5), TEXT.since(5), BOOL.since(5), INT8.since(5), BOOL.since(5)]).since(5),
    ]),
];
const DELETE_TOPICS: &[Field] = &[INT32, structs(&[TEXT, UUID.since(6), INT16, TEXT.since(5)])];
const DESCRIBE_CONFIGS: &[Field] = &[
    INT32,
    structs(&[
        INT16,
        TEXT,
        INT8,
        TEXT,
        structs(&[TEXT, TEXT, BOOL, INT8, BOOL, structs(&[TEXT, TEXT, INT8]), INT8.since(3), TEXT.since(3)]),
    ]),
];
const END_TXN: &[Field] = &[INT32, INT16, INT64.since(5), INT16.since(5)];
const FETCH: &[Field] = &[
    INT32,
    INT16.since(7),
    INT32.since(7),
    structs(&[
        TEXT.until(12),
        UUID.since(13),
        structs(&[
            INT32,
            INT16,
            INT64,
            INT64,
            INT64.since(5),
            tag(0, &one(&[INT32.since(12), INT64.since(12)])).since(12),
            tag(1, &one(&[INT32.since(12), INT32.since(12)])).since(12),
            tag(2, &one(&[INT64, INT32])).since(12),
            structs(&[INT64, INT64]),
            INT32.since(11),
            BLOB,
        ]),
    ]),
    tag(0, &structs(&[INT32.since(16), TEXT.since(16), INT32.since(16), TEXT.since(16)])).since(16),
];
const FIND_COORDINATOR: &[Field] = &[
    INT32.since(1),
    INT16.until(3),
    TEXT.since(1).until(3),
    INT32.until(3),
    TEXT.until(3),
    INT32.until(3),
    structs(&[TEXT.since(4), INT32.since(4), TEXT.since(4), INT32.since(4), INT16.since(4), TEXT.since(4)])
        .since(4),
];
const HEARTBEAT: &[Field] = &[INT32.since(1), INT16];
const INIT_PRODUCER_ID: &[Field] = &[INT32, INT16, INT64, INT16, INT64.since(6), INT16.since(6)];
const JOIN_GROUP: &[Field] = &[
    INT32.since(2),
    INT16,
    INT32,
    TEXT.since(7),
    TEXT,
    TEXT,
    BOOL.since(9),
    TEXT,
    structs(&[TEXT, TEXT.since(5), BLOB]),
];
const LEAVE_GROUP: &[Field] =
    &[INT32.since(1), INT16, structs(&[TEXT.since(3), TEXT.since(3), INT16.since(3)]).since(3)];
const LIST_OFFSETS: &[Field] =
    &[INT32.since(2), structs(&[TEXT, structs(&[INT32, INT16, INT64, INT64, INT32.since(4)])])];
const METADATA: &[Field] = &[
    INT32.since(3),
    structs(&[INT32, TEXT, INT32, TEXT.since(1)]),
    TEXT.since(2),
    INT32.since(1),
    structs(&[
        INT16,
        TEXT,
        UUID.since(10),
        BOOL.since(1),
        structs(&[
            INT16,
            INT32,
            INT32,
            INT32.since(7),
            values(&INT32),
            values(&INT32),
            values(&INT32).since(5),
        ]),
        INT32.since(8),
    ]),
    INT32.since(8).until(10),
    INT16.since(13),
];
const OFFSET_COMMIT: &[Field] =
    &[INT32.since(3), structs(&[TEXT.until(9), UUID.since(10), structs(&[INT32, INT16])])];
const OFFSET_FETCH: &[Field] = &[
    INT32.since(3),
    structs(&[
        TEXT.until(7),
        structs(&[INT32.until(7), INT64.until(7), INT32.since(5).until(7), TEXT.until(7), INT16.until(7)])
            .until(7),
    ])
    .until(7),
    INT16.since(2).until(7),
    structs(&[
        TEXT.since(8),
        structs(&[
            TEXT.since(8).until(9),
            UUID.since(10),
            structs(&[INT32.since(8), INT64.since(8), INT32.since(8), TEXT.since(8), INT16.since(8)])
                .since(8),
        ])
        .since(8),
        INT16.since(8),
    ])
    .since(8),
];
const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[INT32, structs(&[TEXT, structs(&[INT16, INT32, INT32, INT64])])];
const PRODUCE: &[Field] = &[
    structs(&[
        TEXT.until(12),
        UUID.since(13),
        structs(&[
            INT32,
            INT16,
            INT64,
            INT64,
            INT64.since(5),
            structs(&[INT32.since(8), TEXT.since(8)]).since(8),
            TEXT.since(8),
            tag(0, &one(&[INT32.since(10), INT32.since(10)])).since(10),
        ]),
    ]),
    INT32,
    tag(0, &structs(&[INT32.since(10), TEXT.since(10), INT32.since(10), TEXT.since(10)])).since(10),
];
const SASL_AUTHENTICATE: &[Field] = &[INT16, TEXT, BLOB, INT64.since(1)];
const SASL_HANDSHAKE: &[Field] = &[INT16, values(&TEXT)];
const SYNC_GROUP: &[Field] = &[INT32.since(1), INT16, TEXT.since(5), TEXT.since(5), BLOB];
const TXN_OFFSET_COMMIT: &[Field] = &[INT32, structs(&[TEXT, structs(&[INT32, INT16])])];
