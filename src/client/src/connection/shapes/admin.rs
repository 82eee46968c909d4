//! The layouts of the responses that only administration reads.

use crossdock_wire::shape::{BLOB, BOOL, Field, INT8, INT16, INT32, INT64, TEXT, UUID, one, structs, values};
use kafka_protocol::messages::ApiKey;

/// The layout of an API's response; `None` for those that are not called for administration alone.
pub(super) fn of(api_key: ApiKey) -> Option<&'static [Field]> {
    Some(match api_key {
        ApiKey::AlterPartitionReassignments => ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ConsumerGroupDescribe => CONSUMER_GROUP_DESCRIBE,
        ApiKey::CreateAcls => CREATE_ACLS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::DeleteAcls => DELETE_ACLS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::DescribeAcls => DESCRIBE_ACLS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::DescribeProducers => DESCRIBE_PRODUCERS,
        ApiKey::DescribeTransactions => DESCRIBE_TRANSACTIONS,
        ApiKey::ElectLeaders => ELECT_LEADERS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::ListConfigResources => LIST_CONFIG_RESOURCES,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::ListTransactions => LIST_TRANSACTIONS,
        ApiKey::OffsetDelete => OFFSET_DELETE,
        ApiKey::WriteTxnMarkers => WRITE_TXN_MARKERS,
        _ => return None,
    })
}

const ALTER_PARTITION_REASSIGNMENTS: &[Field] =
    &[INT32, BOOL.since(1), INT16, TEXT, structs(&[TEXT, structs(&[INT32, INT16, TEXT])])];
const ASSIGNMENT: &[Field] = &[structs(&[UUID, TEXT, values(&INT32)])];
const CONSUMER_GROUP_DESCRIBE: &[Field] = &[
    INT32,
    structs(&[
        INT16,
        TEXT,
        TEXT,
        TEXT,
        INT32,
        INT32,
        TEXT,
        structs(&[
            TEXT,
            TEXT,
            TEXT,
            INT32,
            TEXT,
            TEXT,
            values(&TEXT),
            TEXT,
            one(ASSIGNMENT),
            one(ASSIGNMENT),
            INT8.since(1),
        ]),
        INT32,
    ]),
];
const CREATE_ACLS: &[Field] = &[INT32, structs(&[INT16, TEXT])];
const CREATE_PARTITIONS: &[Field] = &[INT32, structs(&[TEXT, INT16, TEXT])];
const DELETE_ACLS: &[Field] = &[
    INT32,
    structs(&[INT16, TEXT, structs(&[INT16, TEXT, INT8, TEXT, INT8.since(1), TEXT, TEXT, INT8, INT8])]),
];
const DELETE_GROUPS: &[Field] = &[INT32, structs(&[TEXT, INT16])];
const DELETE_RECORDS: &[Field] = &[INT32, structs(&[TEXT, structs(&[INT32, INT64, INT16])])];
const DESCRIBE_ACLS: &[Field] =
    &[INT32, INT16, TEXT, structs(&[INT8, TEXT, INT8.since(1), structs(&[TEXT, TEXT, INT8, INT8])])];
const DESCRIBE_GROUPS: &[Field] = &[
    INT32.since(1),
    structs(&[
        INT16,
        TEXT.since(6),
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        structs(&[TEXT, TEXT.since(4), TEXT, TEXT, BLOB, BLOB]),
        INT32.since(3),
    ]),
];
const DESCRIBE_PRODUCERS: &[Field] = &[
    INT32,
    structs(&[TEXT, structs(&[INT32, INT16, TEXT, structs(&[INT64, INT32, INT32, INT64, INT32, INT64])])]),
];
const DESCRIBE_TRANSACTIONS: &[Field] =
    &[INT32, structs(&[INT16, TEXT, TEXT, INT32, INT64, INT64, INT16, structs(&[TEXT, values(&INT32)])])];
const ELECT_LEADERS: &[Field] = &[INT32, INT16.since(1), structs(&[TEXT, structs(&[INT32, INT16, TEXT])])];
const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[INT32, structs(&[INT16, TEXT, INT8, TEXT])];
const LIST_CONFIG_RESOURCES: &[Field] = &[INT32, INT16, structs(&[TEXT, INT8.since(1)])];
const LIST_GROUPS: &[Field] = &[INT32.since(1), INT16, structs(&[TEXT, TEXT, TEXT.since(4), TEXT.since(5)])];
const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[
    INT32,
    INT16,
    TEXT,
    structs(&[TEXT, structs(&[INT32, values(&INT32), values(&INT32), values(&INT32)])]),
];
const LIST_TRANSACTIONS: &[Field] = &[INT32, INT16, values(&TEXT), structs(&[TEXT, INT64, TEXT])];
const OFFSET_DELETE: &[Field] = &[INT16, INT32, structs(&[TEXT, structs(&[INT32, INT16])])];
const WRITE_TXN_MARKERS: &[Field] = &[structs(&[INT64, structs(&[TEXT, structs(&[INT32, INT16])])])];

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, two};
    use kafka_protocol::messages::alter_partition_reassignments_response as reassign;
    use kafka_protocol::messages::consumer_group_describe_response as consumer;
    use kafka_protocol::messages::{
        create_acls_response as create_acls, delete_acls_response as delete_acls,
    };
    use kafka_protocol::messages::{delete_records_response as records, describe_acls_response as acls};
    use kafka_protocol::messages::{
        describe_groups_response as groups, describe_producers_response as producers,
    };
    use kafka_protocol::messages::{describe_transactions_response as txns, elect_leaders_response as elect};
    use kafka_protocol::messages::{
        list_partition_reassignments_response as moves, list_transactions_response as list_txns,
        offset_delete_response as offsets, write_txn_markers_response as markers, *,
    };

    #[test]
    fn all_versions_of_all_responses_are_accepted() {
        macro_rules! each {
            ($($request:ty => $response:expr;)*) => {$(
                assert!(accepted::<$request>(&Default::default()) > 0);
                assert!(accepted::<$request>(&$response) > 0, stringify!($request));
            )*};
        }
        let assigned = consumer::TopicPartitions::default().with_partitions(vec![1, 2]);
        let assignment = consumer::Assignment::default().with_topic_partitions(two(assigned));
        let member = consumer::Member::default()
            .with_subscribed_topic_names(two(Default::default()))
            .with_assignment(assignment.clone())
            .with_target_assignment(assignment);
        let ongoing = moves::OngoingPartitionReassignment::default()
            .with_replicas(two(BrokerId(1)))
            .with_adding_replicas(two(BrokerId(2)))
            .with_removing_replicas(two(BrokerId(3)));
        each! {
            AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse::default().with_responses(
                two(reassign::ReassignableTopicResponse::default().with_partitions(two(Default::default()))));
            ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse::default().with_groups(two(
                consumer::DescribedGroup::default().with_members(two(member.clone()))));
            CreateAclsRequest => CreateAclsResponse::default().with_results(
                two(create_acls::AclCreationResult::default()));
            CreatePartitionsRequest => CreatePartitionsResponse::default().with_results(two(Default::default()));
            DeleteAclsRequest => DeleteAclsResponse::default().with_filter_results(two(
                delete_acls::DeleteAclsFilterResult::default().with_matching_acls(two(Default::default()))));
            DeleteGroupsRequest => DeleteGroupsResponse::default().with_results(two(Default::default()));
            DeleteRecordsRequest => DeleteRecordsResponse::default().with_topics(two(
                records::DeleteRecordsTopicResult::default().with_partitions(two(Default::default()))));
            DescribeAclsRequest => DescribeAclsResponse::default().with_resources(two(
                acls::DescribeAclsResource::default().with_acls(two(Default::default()))));
            DescribeGroupsRequest => DescribeGroupsResponse::default().with_groups(two(
                groups::DescribedGroup::default().with_members(two(Default::default()))));
            DescribeProducersRequest => DescribeProducersResponse::default().with_topics(two(
                producers::TopicResponse::default().with_partitions(two(
                    producers::PartitionResponse::default().with_active_producers(two(Default::default()))))));
            DescribeTransactionsRequest => DescribeTransactionsResponse::default().with_transaction_states(two(
                txns::TransactionState::default().with_topics(two(
                    txns::TopicData::default().with_partitions(vec![1, 2])))));
            ElectLeadersRequest => ElectLeadersResponse::default().with_replica_election_results(two(
                elect::ReplicaElectionResult::default().with_partition_result(two(Default::default()))));
            IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse::default().with_responses(
                two(Default::default()));
            ListConfigResourcesRequest => ListConfigResourcesResponse::default().with_config_resources(
                two(Default::default()));
            ListGroupsRequest => ListGroupsResponse::default().with_groups(two(Default::default()));
            ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse::default().with_topics(two(
                moves::OngoingTopicReassignment::default().with_partitions(two(ongoing.clone()))));
            ListTransactionsRequest => ListTransactionsResponse::default()
                .with_unknown_state_filters(two(Default::default()))
                .with_transaction_states(two(list_txns::TransactionState::default()));
            OffsetDeleteRequest => OffsetDeleteResponse::default().with_topics(two(
                offsets::OffsetDeleteResponseTopic::default().with_partitions(two(Default::default()))));
            WriteTxnMarkersRequest => WriteTxnMarkersResponse::default().with_markers(two(
                markers::WritableTxnMarkerResult::default().with_topics(two(
                    markers::WritableTxnMarkerTopicResult::default().with_partitions(two(Default::default()))))));
        }
    }
}
