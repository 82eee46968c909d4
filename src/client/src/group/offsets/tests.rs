use super::*;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};

fn group() -> Arc<str> {
    Arc::from("g")
}

/// Settles an answer with a code for each partition, beginning with 0; what is left, and the error that counts.
fn settled(codes: &[ErrorCode]) -> (Vec<i32>, Option<ErrorCode>) {
    let partition = |(index, code): (i32, &ErrorCode)| {
        OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code.0)
    };
    let topic = OffsetCommitResponseTopic::default()
        .with_name(topic_name("t"))
        .with_partitions((0..).zip(codes).map(partition).collect());
    let response = OffsetCommitResponse::default().with_topics(vec![topic]);
    let numbers = (0..).zip(codes).map(|(index, _)| index);
    let mut left: HashMap<_, _> =
        numbers.map(|index: i32| (TopicPartition::new("t", index), OffsetAndMetadata::new(1))).collect();
    let outcome = settle(&group(), &response, &mut left);
    let mut left: Vec<i32> = left.keys().map(|tp| tp.partition).collect();
    left.sort_unstable();
    (left, outcome.err().and_then(|error| error.code()))
}

#[test]
fn what_is_committed_is_done_and_the_worst_error_counts() {
    let (ok, no_topic) = (ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let (loading, denied) = (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert_eq!(settled(&[ok, ok]), (vec![], None));
    assert_eq!(settled(&[ok, no_topic]), (vec![1], Some(no_topic)));
    // Partitions that can be committed soon are not given up with those of an unknown topic.
    assert_eq!(settled(&[no_topic, loading, ok]), (vec![0, 1], Some(loading)));
    assert_eq!(settled(&[loading, no_topic]), (vec![0, 1], Some(loading)));
    assert_eq!(settled(&[no_topic, denied, loading]), (vec![0, 1, 2], Some(denied)));
}

fn fetched(partitions: &[(i32, ErrorCode, i64)]) -> OffsetFetchResponse {
    let partition = |(index, code, offset): &(i32, ErrorCode, i64)| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(*index)
            .with_error_code(code.0)
            .with_committed_offset(*offset)
    };
    let topic = OffsetFetchResponseTopic::default()
        .with_name(topic_name("t"))
        .with_partitions(partitions.iter().map(partition).collect());
    OffsetFetchResponse::default().with_topics(vec![topic])
}

#[test]
fn only_partitions_that_were_refused_are_asked_for_again() {
    let all = (0..4).map(|index| TopicPartition::new("t", index)).collect();
    let mut reading = Reading { left: all, found: HashMap::new() };
    let (ok, unstable) = (ErrorCode::NONE, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let answer = fetched(&[(0, ok, 7), (1, unstable, -1), (2, ok, -1), (3, ok, 9)]);
    let error = reading.take(&group(), answer).unwrap_err();
    assert_eq!(error.code(), Some(unstable));
    assert_eq!(reading.left, [TopicPartition::new("t", 1)]);
    let again = fetch_request(&group(), &reading.left).topics.unwrap();
    assert_eq!(again[0].partition_indexes, [1]);
    // A refusal of the whole request leaves it as it is.
    let refused = OffsetFetchResponse::default().with_error_code(ErrorCode::NOT_COORDINATOR.0);
    assert!(reading.take(&group(), refused).is_err());
    assert_eq!(reading.left.len(), 1);
    reading.take(&group(), fetched(&[(1, ok, 8)])).unwrap();
    let mut found: Vec<_> = reading.found.iter().map(|(tp, at)| (tp.partition, at.offset)).collect();
    found.sort_unstable();
    assert_eq!(found, [(0, 7), (1, 8), (3, 9)]);
}

#[test]
fn of_several_refusals_one_that_lasts_counts() {
    let all = (0..2).map(|index| TopicPartition::new("t", index)).collect();
    let mut reading = Reading { left: all, found: HashMap::new() };
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let answer = fetched(&[(0, ErrorCode::UNSTABLE_OFFSET_COMMIT, -1), (1, denied, -1)]);
    assert_eq!(reading.take(&group(), answer).unwrap_err().code(), Some(denied));
}
