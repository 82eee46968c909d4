//! How long a broker asks this client to leave it alone (KIP-219).
//!
//! A broker that throttles answers at once and says for how long it will not read from the connection. What is sent meanwhile
//! only waits there, and may run into its timeout; so it waits here, before its time begins. Produce is not in the
//! table: the producer keeps its own clock for each broker.

use crossdock_wire::shape::{self, Encoding};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{HeaderVersion, Request};
use std::time::Duration;

/// The first version in which the broker leaves the waiting to the client, of APIs whose answers begin with
/// the time.
fn since(api_key: i16) -> Option<i16> {
    Some(match ApiKey::try_from(api_key).ok()? {
        ApiKey::Fetch => 8,
        ApiKey::Metadata => 6,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => 4,
        ApiKey::CreateTopics | ApiKey::JoinGroup | ApiKey::ListOffsets => 3,
        ApiKey::DeleteTopics
        | ApiKey::DescribeConfigs
        | ApiKey::DescribeGroups
        | ApiKey::FindCoordinator
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::ListGroups
        | ApiKey::SyncGroup => 2,
        ApiKey::AddOffsetsToTxn
        | ApiKey::AddPartitionsToTxn
        | ApiKey::AlterConfigs
        | ApiKey::CreatePartitions
        | ApiKey::DeleteGroups
        | ApiKey::EndTxn
        | ApiKey::InitProducerId
        | ApiKey::TxnOffsetCommit => 1,
        ApiKey::ConsumerGroupDescribe
        | ApiKey::ConsumerGroupHeartbeat
        | ApiKey::DescribeCluster
        | ApiKey::IncrementalAlterConfigs => 0,
        _ => return None,
    })
}

/// The wait that an answer asks for; zero for none. `body` is what follows the correlation id.
pub(super) fn wait<R: Request>(body: &[u8], version: i16) -> Duration {
    if since(R::KEY).is_none_or(|since| version < since) {
        return Duration::ZERO;
    }
    let mut body = body;
    if R::Response::header_version(version) >= 1 {
        let header = Encoding { version: 1, is_flexible: true };
        match shape::check(&[], body, header, 0) {
            Ok(rest) => body = rest,
            Err(_) => return Duration::ZERO,
        }
    }
    let millis = body.first_chunk().map_or(0, |millis| i32::from_be_bytes(*millis));
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use kafka_protocol::messages::*;
    use kafka_protocol::protocol::Encodable;

    fn waits<R: Request>(response: &R::Response, header: &[u8], version: i16) -> u128 {
        let mut body = BytesMut::from(header);
        response.encode(&mut body, version).unwrap();
        wait::<R>(&body, version).as_millis()
    }

    #[test]
    fn only_versions_that_leave_it_to_the_client_are_waited_for() {
        let fetch = FetchResponse::default().with_throttle_time_ms(70);
        assert_eq!(waits::<FetchRequest>(&fetch, &[], 7), 0);
        assert_eq!(waits::<FetchRequest>(&fetch, &[], 8), 70);
        assert_eq!(waits::<FetchRequest>(&fetch, &[0], 12), 70);
        let metadata = MetadataResponse::default().with_throttle_time_ms(i32::MAX);
        assert_eq!(waits::<MetadataRequest>(&metadata, &[1, 5, 2, 9, 9], 12), i32::MAX as u128);
        let negative = HeartbeatResponse::default().with_throttle_time_ms(-5);
        assert_eq!(waits::<HeartbeatRequest>(&negative, &[0], 4), 0);
        assert_eq!(wait::<HeartbeatRequest>(&[], 4), Duration::ZERO);
        assert_eq!(wait::<ProduceRequest>(&[0, 0, 0, 9, 9, 9], 9), Duration::ZERO);
    }
}
