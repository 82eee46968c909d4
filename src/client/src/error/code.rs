//! Error codes of the protocol, as in `org.apache.kafka.common.protocol.Errors`.

use std::fmt;

/// A broker's error code. Codes newer than this client are kept as numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

struct Entry {
    code: i16,
    name: &'static str,
    retriable: bool,
    metadata: bool,
    message: &'static str,
}

impl ErrorCode {
    /// Kafka's name of the code, such as `NOT_COORDINATOR`; `UNKNOWN_CODE` for a code that this client
    /// does not know.
    pub fn name(self) -> &'static str {
        self.entry().map_or("UNKNOWN_CODE", |e| e.name)
    }

    /// What it means, in a few words.
    pub fn message(self) -> &'static str {
        self.entry().map_or("an error code that this client does not know", |e| e.message)
    }

    /// Whether the same request may succeed later (Kafka's `RetriableException`).
    pub fn is_retriable(self) -> bool {
        self.entry().is_some_and(|e| e.retriable)
    }

    /// Whether a permission is lacking (Kafka's `AuthorizationException`): somebody may grant it while the client runs.
    pub(crate) fn is_authorization(self) -> bool {
        matches!(
            self,
            Self::TOPIC_AUTHORIZATION_FAILED
                | Self::GROUP_AUTHORIZATION_FAILED
                | Self::CLUSTER_AUTHORIZATION_FAILED
        )
    }

    /// Whether leaders or brokers have changed, so that metadata must be fetched again
    /// (Kafka's `InvalidMetadataException`).
    pub fn refreshes_metadata(self) -> bool {
        self.entry().is_some_and(|e| e.metadata)
    }

    /// Whether this is [`ErrorCode::NONE`].
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// `Ok` for [`ErrorCode::NONE`], else the code itself as the error.
    pub fn ok(self) -> Result<(), ErrorCode> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }

    fn entry(self) -> Option<&'static Entry> {
        // The table is dense from -1 on; a test checks it.
        let at = usize::try_from(i32::from(self.0) + 1).ok()?;
        ENTRIES.get(at).filter(|e| e.code == self.0)
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => f.write_str(entry.name),
            None => write!(f, "UNKNOWN_CODE({})", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! error_codes {
    ($($code:literal $name:ident ($retriable:literal, $metadata:literal) $message:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", $message, ".")]
                pub const $name: Self = Self($code);
            )*
        }

        static ENTRIES: &[Entry] = &[$(
            Entry { code: $code, name: stringify!($name), retriable: $retriable, metadata: $metadata, message: $message },
        )*];
    };
}

// number NAME (retriable, metadata is outdated) meaning
error_codes! {
    -1 UNKNOWN_SERVER_ERROR (false, false) "the broker met an error that it does not know; see its log";
    0 NONE (false, false) "no error";
    1 OFFSET_OUT_OF_RANGE (false, false) "the offset is not within the range that the broker keeps";
    2 CORRUPT_MESSAGE (true, false) "the message failed its checksum, exceeds a limit, or has a null key in a compacted topic";
    3 UNKNOWN_TOPIC_OR_PARTITION (true, true) "the broker does not host this topic or partition; create it, or check its name and the permission to describe it";
    4 INVALID_FETCH_SIZE (false, false) "the fetch size is invalid";
    5 LEADER_NOT_AVAILABLE (true, true) "the partition has no leader while an election is under way";
    6 NOT_LEADER_OR_FOLLOWER (true, true) "the broker is not the leader, or not a replica, of the partition";
    7 REQUEST_TIMED_OUT (true, false) "the broker could not finish the request in time";
    8 BROKER_NOT_AVAILABLE (false, false) "the broker is not available";
    9 REPLICA_NOT_AVAILABLE (true, true) "the replica is not available at this broker";
    10 MESSAGE_TOO_LARGE (false, false) "the record batch is larger than the topic takes; raise max.message.bytes of the topic or lower batch.size and max.request.size";
    11 STALE_CONTROLLER_EPOCH (false, false) "the controller moved to another broker";
    12 OFFSET_METADATA_TOO_LARGE (false, false) "the metadata of the offset commit is too large";
    13 NETWORK_EXCEPTION (true, true) "the connection was lost before an answer came";
    14 COORDINATOR_LOAD_IN_PROGRESS (true, false) "the coordinator is loading its state";
    15 COORDINATOR_NOT_AVAILABLE (true, false) "the coordinator is not available";
    16 NOT_COORDINATOR (true, false) "the broker is not the coordinator, which has moved";
    17 INVALID_TOPIC_EXCEPTION (false, false) "the topic's name is invalid, or the topic may not be written to";
    18 RECORD_LIST_TOO_LARGE (false, false) "the batch is larger than a log segment; lower batch.size";
    19 NOT_ENOUGH_REPLICAS (true, false) "fewer replicas are in sync than min.insync.replicas asks for";
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND (true, false) "the batch was written, but to fewer in-sync replicas than min.insync.replicas asks for";
    21 INVALID_REQUIRED_ACKS (false, false) "acks has a value that the broker does not take";
    22 ILLEGAL_GENERATION (false, false) "the group has moved on to another generation";
    23 INCONSISTENT_GROUP_PROTOCOL (false, false) "the member's protocol type or protocols do not fit those of the group";
    24 INVALID_GROUP_ID (false, false) "the group id is invalid";
    25 UNKNOWN_MEMBER_ID (false, false) "the coordinator does not know this member; it must join again";
    26 INVALID_SESSION_TIMEOUT (false, false) "session.timeout.ms is outside the broker's group.min.session.timeout.ms and group.max.session.timeout.ms";
    27 REBALANCE_IN_PROGRESS (false, false) "the group is rebalancing; the member must join again";
    28 INVALID_COMMIT_OFFSET_SIZE (false, false) "the committed offsets are too large to be stored";
    29 TOPIC_AUTHORIZATION_FAILED (false, false) "the principal may not access the topic; ask for the permission";
    30 GROUP_AUTHORIZATION_FAILED (false, false) "the principal may not access the group; ask for the permission";
    31 CLUSTER_AUTHORIZATION_FAILED (false, false) "the principal may not do this to the cluster; ask for the permission";
    32 INVALID_TIMESTAMP (false, false) "a record's timestamp is outside the range that the topic allows";
    33 UNSUPPORTED_SASL_MECHANISM (false, false) "the broker does not support this SASL mechanism";
    34 ILLEGAL_SASL_STATE (false, false) "the request does not fit the state of the SASL exchange";
    35 UNSUPPORTED_VERSION (false, false) "the broker does not support this version of the API";
    36 TOPIC_ALREADY_EXISTS (false, false) "a topic of this name exists already";
    37 INVALID_PARTITIONS (false, false) "the number of partitions is invalid";
    38 INVALID_REPLICATION_FACTOR (false, false) "the replication factor is below 1 or above the number of brokers";
    39 INVALID_REPLICA_ASSIGNMENT (false, false) "the replica assignment is invalid";
    40 INVALID_CONFIG (false, false) "a setting of the topic or resource is invalid";
    41 NOT_CONTROLLER (true, true) "the broker is not the controller";
    42 INVALID_REQUEST (false, false) "the request is malformed or its fields do not fit together";
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT (false, false) "the topic's message format does not support this";
    44 POLICY_VIOLATION (false, false) "the request violates a policy of the cluster";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER (false, false) "a batch's sequence number does not follow the last one that the broker has";
    46 DUPLICATE_SEQUENCE_NUMBER (false, false) "the batch was written before";
    47 INVALID_PRODUCER_EPOCH (false, false) "a newer producer uses the same transactional id";
    48 INVALID_TXN_STATE (false, false) "the transaction is in a state that does not allow this";
    49 INVALID_PRODUCER_ID_MAPPING (false, false) "the producer id does not belong to the transactional id";
    50 INVALID_TRANSACTION_TIMEOUT (false, false) "transaction.timeout.ms is larger than the broker's transaction.max.timeout.ms";
    51 CONCURRENT_TRANSACTIONS (true, false) "another transaction of the same producer is being completed";
    52 TRANSACTION_COORDINATOR_FENCED (false, false) "the transaction coordinator was replaced";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED (false, false) "the principal may not use this transactional id; ask for the permission";
    54 SECURITY_DISABLED (false, false) "security features are disabled at the broker";
    55 OPERATION_NOT_ATTEMPTED (false, false) "the broker did not attempt the operation, since another one of the batch failed";
    56 KAFKA_STORAGE_ERROR (true, true) "the broker cannot read or write its log";
    57 LOG_DIR_NOT_FOUND (false, false) "the log directory is not in the broker's configuration";
    58 SASL_AUTHENTICATION_FAILED (false, false) "the credentials were refused";
    59 UNKNOWN_PRODUCER_ID (false, false) "the broker has no state of this producer; the partition's data may have been deleted";
    60 REASSIGNMENT_IN_PROGRESS (false, false) "a reassignment of the partition is under way";
    61 DELEGATION_TOKEN_AUTH_DISABLED (false, false) "delegation tokens are not enabled";
    62 DELEGATION_TOKEN_NOT_FOUND (false, false) "the delegation token is not known";
    63 DELEGATION_TOKEN_OWNER_MISMATCH (false, false) "the principal is neither owner nor renewer of the delegation token";
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED (false, false) "delegation token requests are not allowed on this connection";
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED (false, false) "the principal may not use delegation tokens";
    66 DELEGATION_TOKEN_EXPIRED (false, false) "the delegation token has expired";
    67 INVALID_PRINCIPAL_TYPE (false, false) "the principal type is not supported";
    68 NON_EMPTY_GROUP (false, false) "the group has members";
    69 GROUP_ID_NOT_FOUND (false, false) "the group does not exist";
    70 FETCH_SESSION_ID_NOT_FOUND (true, false) "the fetch session was evicted";
    71 INVALID_FETCH_SESSION_EPOCH (true, false) "the fetch session's epoch is invalid";
    72 LISTENER_NOT_FOUND (true, true) "the leader has no listener of the kind that this client uses";
    73 TOPIC_DELETION_DISABLED (false, false) "the broker does not allow topics to be deleted (delete.topic.enable)";
    74 FENCED_LEADER_EPOCH (true, true) "the leader epoch is older than the broker's";
    75 UNKNOWN_LEADER_EPOCH (true, true) "the leader epoch is newer than the broker's";
    76 UNSUPPORTED_COMPRESSION_TYPE (false, false) "the broker does not support the compression codec";
    77 STALE_BROKER_EPOCH (false, false) "the broker's epoch has changed";
    78 OFFSET_NOT_AVAILABLE (true, false) "the leader has not caught up with its high watermark yet";
    79 MEMBER_ID_REQUIRED (false, false) "the member must join again with the id that it was given";
    80 PREFERRED_LEADER_NOT_AVAILABLE (true, true) "the preferred leader is not available";
    81 GROUP_MAX_SIZE_REACHED (false, false) "the group has its maximum size; raise group.max.size";
    82 FENCED_INSTANCE_ID (false, false) "another member uses the same group.instance.id";
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE (true, true) "no eligible leader is available";
    84 ELECTION_NOT_NEEDED (true, true) "no leader election is needed";
    85 NO_REASSIGNMENT_IN_PROGRESS (false, false) "no reassignment of the partition is under way";
    86 GROUP_SUBSCRIBED_TO_TOPIC (false, false) "the group is subscribed to the topic";
    87 INVALID_RECORD (false, false) "a record was refused by the broker's validation, such as a null key in a compacted topic";
    88 UNSTABLE_OFFSET_COMMIT (true, false) "the committed offsets are part of an open transaction";
    89 THROTTLING_QUOTA_EXCEEDED (true, false) "a quota was exceeded";
    90 PRODUCER_FENCED (false, false) "a newer producer with the same transactional id has taken over";
    91 RESOURCE_NOT_FOUND (false, false) "the resource does not exist";
    92 DUPLICATE_RESOURCE (false, false) "the request names a resource twice";
    93 UNACCEPTABLE_CREDENTIAL (false, false) "the credential does not meet the requirements";
    94 INCONSISTENT_VOTER_SET (false, false) "the voter sets do not agree";
    95 INVALID_UPDATE_VERSION (false, false) "the update's version is invalid";
    96 FEATURE_UPDATE_FAILED (false, false) "the features could not be updated";
    97 PRINCIPAL_DESERIALIZATION_FAILURE (false, false) "a forwarded principal cannot be read";
    98 SNAPSHOT_NOT_FOUND (false, false) "the snapshot does not exist";
    99 POSITION_OUT_OF_RANGE (false, false) "the position is outside the snapshot";
    100 UNKNOWN_TOPIC_ID (true, true) "the broker does not know the topic id; the topic may have been created anew";
    101 DUPLICATE_BROKER_REGISTRATION (false, false) "the broker id is registered already";
    102 BROKER_ID_NOT_REGISTERED (false, false) "the broker id is not registered";
    103 INCONSISTENT_TOPIC_ID (true, true) "the topic id in the log is another one; the topic may have been created anew";
    104 INCONSISTENT_CLUSTER_ID (false, false) "the cluster ids differ";
    105 TRANSACTIONAL_ID_NOT_FOUND (false, false) "the transactional id is not known";
    106 FETCH_SESSION_TOPIC_ID_ERROR (true, false) "the fetch session mixes topic ids and names";
    107 INELIGIBLE_REPLICA (false, false) "the replica may not join the in-sync set";
    108 NEW_LEADER_ELECTED (false, false) "the change to the partition elected a new leader";
    109 OFFSET_MOVED_TO_TIERED_STORAGE (false, false) "the offset was moved to tiered storage";
    110 FENCED_MEMBER_EPOCH (false, false) "the member's epoch is outdated; it must join again";
    111 UNRELEASED_INSTANCE_ID (false, false) "the group.instance.id is still used by another member";
    112 UNSUPPORTED_ASSIGNOR (false, false) "the group does not support the assignor";
    113 STALE_MEMBER_EPOCH (false, false) "the member's epoch is older than the group's";
    114 MISMATCHED_ENDPOINT_TYPE (false, false) "the request went to an endpoint of the wrong type";
    115 UNSUPPORTED_ENDPOINT_TYPE (false, false) "the endpoint type is not supported";
    116 UNKNOWN_CONTROLLER_ID (false, false) "the controller id is not known";
    117 UNKNOWN_SUBSCRIPTION_ID (false, false) "the telemetry subscription is not known";
    118 TELEMETRY_TOO_LARGE (false, false) "the telemetry is larger than the broker takes";
    119 INVALID_REGISTRATION (false, false) "the registration is invalid";
    120 TRANSACTION_ABORTABLE (false, false) "the transaction met an error and must be aborted";
    121 INVALID_RECORD_STATE (false, false) "the record's delivery state does not allow this";
    122 SHARE_SESSION_NOT_FOUND (true, false) "the share session does not exist";
    123 INVALID_SHARE_SESSION_EPOCH (true, false) "the share session's epoch is invalid";
    124 FENCED_STATE_EPOCH (false, false) "the share coordinator refused an outdated state epoch";
    125 INVALID_VOTER_KEY (false, false) "the voter key does not match";
    126 DUPLICATE_VOTER (false, false) "the voter is in the set already";
    127 VOTER_NOT_FOUND (false, false) "the voter is not in the set";
    128 INVALID_REGULAR_EXPRESSION (false, false) "the regular expression is invalid";
    129 REBOOTSTRAP_REQUIRED (false, false) "the client must connect to bootstrap.servers again";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dense() {
        for (at, entry) in ENTRIES.iter().enumerate() {
            assert_eq!(i32::from(entry.code), at as i32 - 1, "{}", entry.name);
        }
    }

    #[test]
    fn unknown_codes_keep_their_number() {
        for code in [i16::MIN, -2, 1000, i16::MAX] {
            assert_eq!(ErrorCode(code).to_string(), format!("UNKNOWN_CODE({code})"));
            assert!(!ErrorCode(code).is_retriable());
        }
        assert_eq!(ErrorCode(-1), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!(ErrorCode(-1).name(), "UNKNOWN_SERVER_ERROR");
    }
}
