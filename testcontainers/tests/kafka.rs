//! Starts real brokers. What each test needs of the machine, the crate's documentation tells.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use crossdock_testcontainers::{Kafka, KafkaError};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

async fn produce(kafka: &Kafka, topic: &str, lines: &str) {
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--topic", topic];
    let output = kafka.tool_with_input(PRODUCER, &arguments, lines.as_bytes()).await.unwrap();
    assert!(output.success, "{output:?}");
}

async fn consume(kafka: &Kafka, topic: &str, count: &str) -> String {
    let arguments = [
        "--bootstrap-server",
        kafka.bootstrap(),
        "--topic",
        topic,
        "--from-beginning",
        "--max-messages",
        count,
        "--timeout-ms",
        "30000",
    ];
    let output = kafka.tool(CONSUMER, &arguments).await.unwrap();
    assert!(output.success, "{output:?}");
    output.stdout
}

fn alive(pid: u32) -> bool {
    let mut probe = Command::new("kill");
    probe.arg("-0").arg(pid.to_string()).stderr(Stdio::null());
    probe.status().unwrap().success()
}

#[tokio::test]
async fn what_is_produced_can_be_consumed() {
    let kafka = Kafka::shared().await.unwrap();
    produce(kafka, "simple", "one\ntwo\n").await;
    assert_eq!(consume(kafka, "simple", "2").await, "one\ntwo\n");
}

#[tokio::test]
async fn all_tests_of_a_process_share_one_broker() {
    let (one, other) = tokio::join!(Kafka::shared(), Kafka::shared());
    assert!(std::ptr::eq(one.unwrap(), other.unwrap()));
}

#[tokio::test]
async fn a_failing_tool_tells_why() {
    let kafka = Kafka::shared().await.unwrap();
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--describe", "--topic", "absent"];
    let output = kafka.tool(TOPICS, &arguments).await.unwrap();
    assert!(!output.success);
    assert!(format!("{}{}", output.stdout, output.stderr).contains("absent"), "{output:?}");
}

#[tokio::test]
async fn a_node_comes_back_with_its_address_and_data_and_goes_when_dropped() {
    let mut kafka = Kafka::start().await.unwrap();
    let address = kafka.address(1).unwrap();
    produce(&kafka, "kept", "before\n").await;

    kafka.kill_node(1).await.unwrap();
    assert!(TcpStream::connect(&address).is_err(), "a killed node still listens");
    kafka.start_node(1).await.unwrap();
    assert!(matches!(kafka.start_node(1).await, Err(KafkaError::AlreadyRunning { node: 1 })));
    kafka.stop_node(1).await.unwrap();
    assert!(TcpStream::connect(&address).is_err(), "a stopped node still listens");
    kafka.start_node(1).await.unwrap();

    assert_eq!(kafka.address(1).unwrap(), address);
    assert_eq!(consume(&kafka, "kept", "1").await, "before\n");

    let pid = kafka.pid(1);
    drop(kafka);
    assert!(!pid.is_some_and(alive), "the JVM outlived its owner");
    assert!(TcpStream::connect(&address).is_err(), "a dropped node still listens");
}

#[tokio::test]
async fn a_panic_ends_the_broker() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let panicking = tokio::spawn(async move {
        let kafka = Kafka::builder().quick_compiler(true).start().await.unwrap();
        tell.send((kafka.address(1).unwrap(), kafka.pid(1))).unwrap();
        panic!("on purpose");
    });
    let (address, pid) = told.await.unwrap();
    assert!(panicking.await.unwrap_err().is_panic());
    assert!(!pid.is_some_and(alive), "the JVM outlived the panic");
    assert!(TcpStream::connect(&address).is_err());
}

#[tokio::test]
async fn three_nodes_form_a_cluster_that_survives_the_loss_of_one() {
    let mut kafka = Kafka::builder().nodes(3).heap_mb(256).start().await.unwrap();
    assert_eq!(kafka.bootstrap().split(',').count(), 3);
    let mut arguments = vec!["--bootstrap-server", kafka.bootstrap(), "--create", "--topic", "replicated"];
    arguments.extend(["--replication-factor", "3", "--config", "min.insync.replicas=2"]);
    let created = kafka.tool(TOPICS, &arguments).await.unwrap();
    assert!(created.success, "{created:?}");

    kafka.kill_node(2).await.unwrap();
    produce(&kafka, "replicated", "with two of three\n").await;
    kafka.start_node(2).await.unwrap();
    assert_eq!(consume(&kafka, "replicated", "1").await, "with two of three\n");
}

#[tokio::test]
async fn a_refused_property_fails_the_start_with_the_brokers_own_words() {
    let started = Kafka::builder().property("num.io.threads", "none").start().await;
    let text = started.map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("num.io.threads"), "{text}");
}

#[tokio::test]
async fn impossible_wishes_are_refused_at_once() {
    for nodes in [0, 10] {
        let error = Kafka::builder().nodes(nodes).start().await.unwrap_err();
        assert!(matches!(error, KafkaError::Option { name: "nodes", .. }), "{error}");
    }
    let error = Kafka::shared().await.unwrap().address(2).unwrap_err();
    assert!(matches!(error, KafkaError::NoSuchNode { node: 2, nodes: 1 }), "{error}");
}
