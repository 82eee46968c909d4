//! Producers that were taken over, died, or took too long.

use crate::support::*;
use crossdock_client::admin::IsolationLevel;
use crossdock_testcontainers::Kafka;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

at_each_broker!(
    a_zombie_is_fenced_and_nothing_of_it_is_seen,
    a_commit_of_a_zombie_is_fenced,
    a_transaction_that_takes_too_long_is_aborted,
    what_a_killed_process_left_open_is_aborted_by_its_successor,
);

async fn a_zombie_is_fenced_and_nothing_of_it_is_seen(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 1).await;
    let id = fresh("id");
    let zombie = Writer::transactional(&cluster, &topic, &id).await;
    zombie.write(1, "before").await;
    zombie.producer.begin_transaction().unwrap();
    zombie.append(0, "open").await;
    zombie.producer.flush().await;
    assert!(zombie.failures.taken().is_empty());

    let successor = Writer::transactional(&cluster, &topic, &id).await;
    successor.write(1, "successor").await;
    zombie.append(0, "late").await;
    zombie.producer.flush().await;
    let failures = zombie.failures.taken();
    assert_eq!(failures.len(), 1, "{failures:?}");
    // The leader does not tell what happened; the coordinator does.
    let mut error = zombie.producer.commit_transaction().await.unwrap_err();
    if error.is_abortable() {
        error = zombie.producer.abort_transaction().await.unwrap_err();
    }
    assert!(error.is_fenced() && !error.may_have_been_committed(), "{error}");
    assert!(zombie.producer.begin_transaction().unwrap_err().is_fenced());
    assert!(zombie.try_append(0, "never").await.is_err());
    successor.write(1, "again").await;
    assert_eq!(committed(&cluster, &topic, 0).await, ["before", "successor", "again"]);
}

async fn a_commit_of_a_zombie_is_fenced(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 1).await;
    let id = fresh("id");
    let zombie = Writer::transactional(&cluster, &topic, &id).await;
    zombie.producer.begin_transaction().unwrap();
    zombie.append(0, "open").await;
    zombie.producer.flush().await;
    let _successor = Writer::transactional(&cluster, &topic, &id).await;
    let error = zombie.producer.commit_transaction().await.unwrap_err();
    assert!(error.is_fenced(), "{error}");
    assert!(committed(&cluster, &topic, 0).await.is_empty());
}

async fn a_transaction_that_takes_too_long_is_aborted(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 1).await;
    let id = fresh("id");
    let settings = [("transactional.id", &*id), ("transaction.timeout.ms", "500")];
    let slow = Writer::new(&cluster, &topic, &settings);
    slow.producer.init_transactions().await.unwrap();
    slow.producer.begin_transaction().unwrap();
    slow.append(0, "slow").await;
    slow.producer.flush().await;
    assert_eq!(end_offset(&cluster, &topic, IsolationLevel::ReadCommitted).await, 0);
    // Waits for the coordinator to abort it.
    assert!(committed(&cluster, &topic, 0).await.is_empty());
    let error = slow.producer.commit_transaction().await.unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("transaction.timeout.ms"), "{error}");
    assert!(!error.may_have_been_committed());
    let next = Writer::transactional(&cluster, &topic, &id).await;
    next.write(1, "next").await;
    assert_eq!(committed(&cluster, &topic, 0).await, ["next"]);
}

async fn what_a_killed_process_left_open_is_aborted_by_its_successor(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let topic = new_topic(&cluster, 2).await;
    let id = fresh("id");
    let mut child = spawn("zombies::a_process_to_be_killed", &[kafka.bootstrap(), &topic, &id]);
    wait_for_line(&mut child, "written");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert_eq!(end_offset(&cluster, &topic, IsolationLevel::ReadUncommitted).await, 10);
    assert_eq!(end_offset(&cluster, &topic, IsolationLevel::ReadCommitted).await, 0);
    let successor = Writer::transactional(&cluster, &topic, &id).await;
    for partition in 0..2 {
        assert!(committed(&cluster, &topic, partition).await.is_empty());
        assert_eq!(values(&cluster, &topic, partition, "read_uncommitted").await.len(), 10);
    }
    successor.write(2, "successor").await;
    assert_eq!(committed(&cluster, &topic, 1).await, ["successor"]);
}

const ARGUMENTS: &str = "CROSSDOCK_TEST_PROCESS";

/// Runs a test of this file as a process of its own, with these arguments.
pub(crate) fn spawn(test: &str, arguments: &[&str]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ARGUMENTS, arguments.join(" "))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The arguments of a test that was spawned; `None` if it runs as a test like others.
pub(crate) fn arguments() -> Option<Vec<String>> {
    Some(std::env::var(ARGUMENTS).ok()?.split(' ').map(str::to_owned).collect())
}

fn wait_for_line(child: &mut Child, wanted: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(stdout).lines();
    assert!(lines.any(|line| line.unwrap() == wanted), "the process ended");
}

/// Not a test by itself: writes ten records into each partition, then waits within the transaction.
#[tokio::test]
async fn a_process_to_be_killed() {
    let Some(arguments) = arguments() else { return };
    let [bootstrap, topic, id] = arguments.try_into().unwrap();
    let cluster = crossdock_client::Cluster::new(crossdock_client::ClientConfig::new(&bootstrap).unwrap());
    let writer = Writer::transactional(&cluster, &topic, &id).await;
    writer.producer.begin_transaction().unwrap();
    for n in 0..10 {
        writer.append(0, &n.to_string()).await;
        writer.append(1, &n.to_string()).await;
    }
    writer.producer.flush().await;
    println!("\nwritten");
    std::future::pending::<()>().await;
}
