//! What is committed is seen, what is aborted is not.

use crate::support::*;
use crossdock_client::TransactionError;
use crossdock_client::admin::IsolationLevel;
use crossdock_testcontainers::Kafka;

at_each_broker!(
    commits_are_seen_and_aborts_are_not,
    transactions_of_two_producers_interleave,
    a_refused_record_leaves_only_the_abort,
    misuse_says_what_is_missing,
);

async fn commits_are_seen_and_aborts_are_not(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 2).await;
    let writer = Writer::transactional(&cluster, &topic, &fresh("id")).await;
    let producer = &writer.producer;
    writer.write(2, "first").await;
    // Aborted after its records were written.
    producer.begin_transaction().unwrap();
    writer.append(0, "aborted").await;
    writer.append(1, "aborted").await;
    producer.flush().await;
    producer.abort_transaction().await.unwrap();
    assert!(writer.failures.taken().is_empty());
    // Aborted before: what was appended is dropped, or written in vain.
    producer.begin_transaction().unwrap();
    writer.append(0, "dropped").await;
    producer.abort_transaction().await.unwrap();
    writer.failures.taken();
    // Nothing in it.
    producer.begin_transaction().unwrap();
    producer.commit_transaction().await.unwrap();
    for round in 0..20 {
        writer.write(2, &format!("round {round}")).await;
    }
    let mut expected = vec!["first".to_owned()];
    expected.extend((0..20).map(|round| format!("round {round}")));
    for partition in 0..2 {
        assert_eq!(committed(&cluster, &topic, partition).await, expected);
        let all = values(&cluster, &topic, partition, "read_uncommitted").await;
        assert_eq!(all.iter().filter(|v| *v == "aborted").count(), 1);
        assert!(all.len() > expected.len());
    }
    assert!(writer.failures.taken().is_empty());
    // Java sees the same.
    let arguments = [
        "--bootstrap-server",
        kafka.bootstrap(),
        "--topic",
        &topic,
        "--from-beginning",
        "--isolation-level",
        "read_committed",
        "--timeout-ms",
        "6000",
        "--max-messages",
        "44",
    ];
    // The second is its name before Kafka 3.9.
    let names = ["org.apache.kafka.tools.consumer.ConsoleConsumer", "kafka.tools.ConsoleConsumer"];
    let mut output = kafka.tool(names[0], &arguments).await.unwrap();
    if output.stderr.contains("ClassNotFoundException") {
        output = kafka.tool(names[1], &arguments).await.unwrap();
    }
    let mut lines: Vec<&str> = output.stdout.lines().filter(|line| !line.starts_with("the end")).collect();
    lines.sort_unstable();
    let mut both: Vec<&str> = expected.iter().chain(&expected).map(String::as_str).collect();
    both.sort_unstable();
    assert_eq!(lines, both, "{output:?}");
}

async fn transactions_of_two_producers_interleave(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 1).await;
    let one = Writer::transactional(&cluster, &topic, &fresh("one")).await;
    let id = fresh("other");
    let other = Writer::new(&cluster, &topic, &[("transactional.id", &*id), ("compression.type", "zstd")]);
    other.producer.init_transactions().await.unwrap();
    one.producer.begin_transaction().unwrap();
    other.producer.begin_transaction().unwrap();
    for n in 0..3 {
        one.append(0, &format!("one {n}")).await;
        one.producer.flush().await;
        other.append(0, &format!("other {n}")).await;
        other.producer.flush().await;
    }
    // Seven records and no marker: the last stable offset is that of the first open transaction.
    assert_eq!(end_offset(&cluster, &topic, IsolationLevel::ReadUncommitted).await, 6);
    assert_eq!(end_offset(&cluster, &topic, IsolationLevel::ReadCommitted).await, 0);
    one.producer.abort_transaction().await.unwrap();
    other.producer.commit_transaction().await.unwrap();
    one.write(1, "one again").await;
    let seen = committed(&cluster, &topic, 0).await;
    assert_eq!(seen, ["other 0", "other 1", "other 2", "one again"]);
    assert_eq!(values(&cluster, &topic, 0, "read_uncommitted").await.len(), 7);
}

async fn a_refused_record_leaves_only_the_abort(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 2).await;
    let id = fresh("id");
    let settings = [("transactional.id", &*id), ("max.request.size", "3000000")];
    let writer = Writer::new(&cluster, &topic, &settings);
    writer.producer.init_transactions().await.unwrap();
    writer.write(2, "before").await;
    writer.producer.begin_transaction().unwrap();
    writer.append(0, "with it").await;
    // More than message.max.bytes, so the broker refuses it.
    writer.append(1, &"x".repeat(2_000_000)).await;
    let error = writer.producer.commit_transaction().await.unwrap_err();
    assert!(error.is_abortable() && error.to_string().contains("MESSAGE_TOO_LARGE"), "{error}");
    assert!(writer.try_append(0, "too late").await.is_err());
    assert!(writer.producer.begin_transaction().unwrap_err().is_abortable());
    writer.producer.abort_transaction().await.unwrap();
    writer.write(2, "after").await;
    for partition in 0..2 {
        assert_eq!(committed(&cluster, &topic, partition).await, ["before", "after"]);
    }
}

async fn misuse_says_what_is_missing(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 1).await;
    let plain = Writer::new(&cluster, &topic, &[]);
    let error = plain.producer.init_transactions().await.unwrap_err();
    assert!(matches!(error, TransactionError::NotTransactional { .. }), "{error}");
    let id = fresh("id");
    let writer = Writer::new(&cluster, &topic, &[("transactional.id", &*id)]);
    let error = writer.try_append(0, "early").await.unwrap_err().to_string();
    assert!(error.contains("append") && error.contains("call init_transactions first"), "{error}");
    writer.producer.init_transactions().await.unwrap();
    let error = writer.try_append(0, "early").await.unwrap_err().to_string();
    assert!(error.contains("call begin_transaction first"), "{error}");
    // Closing aborts what is open.
    writer.producer.begin_transaction().unwrap();
    writer.append(0, "open").await;
    writer.producer.flush().await;
    assert!(writer.producer.close(PATIENCE).await);
    assert!(committed(&cluster, &topic, 0).await.is_empty());
}
