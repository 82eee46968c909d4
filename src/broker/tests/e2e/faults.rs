//! Scripted faults, as a client sees them.

use crate::client::{Client, FETCH_VERSION, PRODUCE_VERSION, batch, produce_request, start, waiting_fetch};
use crossdock_broker::{ApiKey, Broker, FaultAction, FaultPlan, FaultRule, ResponseError};
use kafka_protocol::messages::{FetchRequest, MetadataRequest};
use std::time::Duration;
use tokio::time::Instant;

fn on_produce(action: FaultAction) -> FaultRule {
    FaultRule::new(action).api(ApiKey::Produce).times(1)
}

#[tokio::test]
async fn a_dropped_reply_leaves_the_batch_and_the_connection() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let rule = broker.faults().add(on_produce(FaultAction::DropReply));
    client.send(PRODUCE_VERSION, &produce_request("t", 0, batch(&["a"]), -1)).await.unwrap();
    broker.faults().wait_for_hits(rule, 1).await;
    // The next reply is that of the fetch, which sees the batch.
    assert_eq!(client.values("t").await, ["a"]);
}

#[tokio::test]
async fn connections_close_before_or_after_the_work() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    for (action, stored) in [(FaultAction::CloseConnection, 0), (FaultAction::CloseAfterProcessing, 1)] {
        broker.faults().add(on_produce(action));
        let request = produce_request("t", 0, batch(&["a"]), -1);
        let mut client = Client::connect(&broker).await;
        assert!(client.try_call(PRODUCE_VERSION, &request).await.is_err());
        assert_eq!(Client::connect(&broker).await.values("t").await.len(), stored, "{action:?}");
    }
}

#[tokio::test]
async fn a_reply_can_be_cut_short() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    for bytes in [0, 3, 10] {
        broker.faults().add(on_produce(FaultAction::CloseAfterBytes(bytes)));
        let mut client = Client::connect(&broker).await;
        client.send(PRODUCE_VERSION, &produce_request("t", 0, batch(&["a"]), -1)).await.unwrap();
        assert_eq!(client.rest().await.len(), bytes);
    }
    assert_eq!(client.values("t").await.len(), 3);
}

#[tokio::test]
async fn an_error_replaces_the_work() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let error = ResponseError::NotLeaderOrFollower;
    let plan = FaultRule::new(FaultAction::ReplyError(error)).api(ApiKey::Produce).nth(2);
    let rule = broker.faults().add(plan);
    let codes = [
        client.produce("t", batch(&["a"])).await.error_code,
        client.produce("t", batch(&["b"])).await.error_code,
        client.produce("t", batch(&["c"])).await.error_code,
    ];
    assert_eq!(codes, [0, error.code(), 0]);
    assert_eq!(broker.faults().hits(rule), 1);
    assert_eq!(client.values("t").await, ["a", "c"]);
    // Without a reply there is no place for an error.
    broker.faults().add(on_produce(FaultAction::ReplyError(error)));
    client.send(PRODUCE_VERSION, &produce_request("t", 0, batch(&["d"]), 0)).await.unwrap();
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn a_delay_holds_the_request_back() {
    let delay = Duration::from_millis(50);
    let plan =
        FaultPlan::new().rule(FaultRule::new(FaultAction::Delay(delay)).api(ApiKey::Metadata).times(1));
    let broker = Broker::builder().faults(plan).start().await.unwrap();
    let mut client = Client::connect(&broker).await;
    let started = Instant::now();
    client.call(12, MetadataRequest::default()).await;
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_paused_broker_is_away_and_comes_back_on_its_port() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let mut waiting = waiting_fetch(&broker, "t").await;
    broker.faults().pause();
    assert!(waiting.receive::<FetchRequest>(FETCH_VERSION).await.is_err());
    assert!(client.try_call(12, &MetadataRequest::default()).await.is_err());
    let mut refused = Client::connect(&broker).await;
    assert!(refused.try_call(12, &MetadataRequest::default()).await.is_err());
    broker.faults().resume();
    let mut client = Client::connect(&broker).await;
    assert_eq!(client.produce("t", batch(&["a"])).await.error_code, 0);
}

#[tokio::test]
async fn shutdown_closes_connections() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let mut waiting = waiting_fetch(&broker, "t").await;
    broker.shutdown().await;
    assert!(waiting.receive::<FetchRequest>(FETCH_VERSION).await.is_err());
}
