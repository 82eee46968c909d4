//! Two workers whose sinks share a group: nothing is lost or committed too early when partitions move,
//! and they move at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::ConnectError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::kafka::Kafka;
use support::sink_script::{SinkScript, sink_plugin};
use support::until;

const PARTITIONS: i32 = 4;
const EACH: usize = 25;

async fn start(kafka: &Kafka, topic: &str, script: &Arc<SinkScript>) -> (Engine, tempfile::TempDir) {
    start_with(kafka, topic, script, "range").await
}

async fn start_with(
    kafka: &Kafka,
    topic: &str,
    script: &Arc<SinkScript>,
    strategy: &str,
) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let config = [
        ("name", "sink"),
        ("connector.class", "ScriptedSink"),
        ("topics", topic),
        ("consumer.override.max.poll.records", "1"),
        ("consumer.override.partition.assignment.strategy", strategy),
    ];
    let builder = kafka.worker(dir.path()).plugin(sink_plugin(script)).connector(config);
    (builder.start().await.unwrap(), dir)
}

/// A sink that takes some records and then none until it is let go; the records wait in its queue.
struct Stuck {
    script: Arc<SinkScript>,
    tries: Arc<AtomicUsize>,
    let_go: Arc<AtomicBool>,
}

impl Stuck {
    fn after(records: usize) -> Self {
        let (tries, let_go) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let taken = AtomicUsize::new(0);
        let script = SinkScript::on_put({
            let (tries, let_go) = (Arc::clone(&tries), Arc::clone(&let_go));
            move |context, batch| {
                if batch.is_empty() || let_go.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if taken.load(Ordering::Relaxed) < records {
                    taken.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                tries.fetch_add(1, Ordering::Relaxed);
                context.set_timeout(Duration::from_millis(5));
                Err(ConnectError::retriable("not yet"))
            }
        });
        Self { script: Arc::new(script), tries, let_go }
    }

    async fn await_more_tries(&self) {
        let before = self.tries.load(Ordering::Relaxed);
        until("more tries", async || self.tries.load(Ordering::Relaxed) >= before + 3).await;
    }
}

fn held(script: &SinkScript) -> usize {
    script.log().held.len()
}

/// How often each record was put, by partition and offset.
fn puts(scripts: [&SinkScript; 2]) -> BTreeMap<(i32, i64), usize> {
    let mut puts = BTreeMap::new();
    for script in scripts {
        for (partition, offset, _) in &script.log().records {
            *puts.entry((*partition, *offset)).or_default() += 1;
        }
    }
    puts
}

/// No partition is committed beyond the records that were put one after the other from its start.
async fn assert_committed_is_put(kafka: &Kafka, topic: &str, scripts: [&SinkScript; 2]) {
    for partition in 0..PARTITIONS {
        // What is committed is asked for first: puts only go on.
        let committed = kafka.committed("sink", topic, partition).await.unwrap_or(0);
        let puts = puts(scripts);
        let without_gap = (0..).take_while(|offset| puts.contains_key(&(partition, *offset))).count();
        assert!(committed <= without_gap as i64, "{topic}-{partition}: {committed}, but put {without_gap}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_from_a_stuck_member_and_back_and_nothing_is_lost() {
    let kafka = Kafka::start().await;
    let topic = support::topic("shared");
    kafka.create_topic(&topic, PARTITIONS).await;
    for partition in 0..PARTITIONS {
        kafka.write(&topic, partition, vec!["x"; EACH]).await;
    }
    let first = Stuck::after(10);
    let (first_engine, _first_dir) = start(&kafka, &topic, &first.script).await;
    first.await_more_tries().await;
    assert_eq!(first.script.count(), 10);

    let second = Arc::new(SinkScript::default());
    let (second_engine, _second_dir) = start(&kafka, &topic, &second).await;
    let both = [&*first.script, &*second];
    until("each has its part", async || held(&first.script) == 2 && held(&second) == 2).await;
    until("the second has put its part", async || {
        let log = second.log();
        log.held.len() == 2 && log.held.iter().all(|p| log.taken.get(p) == Some(&(EACH as i64)))
    })
    .await;
    first.await_more_tries().await;
    assert_committed_is_put(&kafka, &topic, both).await;

    first.let_go.store(true, Ordering::Relaxed);
    let all = PARTITIONS as usize * EACH;
    until("all records in the sinks", async || puts(both).len() == all).await;
    for partition in 0..PARTITIONS {
        kafka.await_committed("sink", &topic, partition, EACH as i64).await;
    }

    // A member that stops gives its partitions up: nobody waits for its session to end.
    let began = Instant::now();
    first_engine.stop().await;
    until("the second has all", async || held(&second) == PARTITIONS as usize).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for partition in 0..PARTITIONS {
        kafka.write(&topic, partition, ["y"]).await;
    }
    until("the new records", async || puts(both).len() == all + PARTITIONS as usize).await;
    second_engine.stop().await;
    assert_committed_is_put(&kafka, &topic, both).await;
    assert!(puts(both).values().all(|times| *times == 1), "a record was put twice: {:?}", puts(both));
    first.script.assert_no_violations();
    second.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stops_while_it_is_stuck_loses_nothing() {
    let kafka = Kafka::start().await;
    let topic = support::topic("shared");
    kafka.create_topic(&topic, PARTITIONS).await;
    for partition in 0..PARTITIONS {
        kafka.write(&topic, partition, vec!["x"; EACH]).await;
    }
    let first = Stuck::after(30);
    let (first_engine, _first_dir) = start(&kafka, &topic, &first.script).await;
    first.await_more_tries().await;
    let began = Instant::now();
    first_engine.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let second = Arc::new(SinkScript::default());
    let both = [&*first.script, &*second];
    assert_committed_is_put(&kafka, &topic, both).await;

    let (second_engine, _second_dir) = start(&kafka, &topic, &second).await;
    until("all records in the sinks", async || puts(both).len() == PARTITIONS as usize * EACH).await;
    second_engine.stop().await;
    assert!(puts(both).values().all(|times| *times == 1), "a record was put twice: {:?}", puts(both));
    first.script.assert_no_violations();
    second.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_outlasts_the_poll_interval_commits_nothing_and_its_records_come_again() {
    let kafka = Kafka::start().await;
    let topic = support::topic("shared");
    kafka.create_topic(&topic, 1).await;
    kafka.write(&topic, 0, ["a", "b", "c"]).await;
    let (first, membership_ended) = (AtomicBool::new(true), Duration::from_millis(1500));
    let script = Arc::new(SinkScript::on_put(move |_, batch| {
        if !batch.is_empty() && first.swap(false, Ordering::Relaxed) {
            tokio::task::block_in_place(|| std::thread::sleep(membership_ended));
        }
        Ok(())
    }));
    let dir = tempfile::tempdir().unwrap();
    let config = [
        ("name", "sink"),
        ("connector.class", "ScriptedSink"),
        ("topics", &*topic),
        ("consumer.override.max.poll.interval.ms", "500"),
    ];
    let builder = kafka.worker(dir.path()).plugin(sink_plugin(&script)).connector(config);
    let engine = builder.start().await.unwrap();
    until("the first put", async || script.count() == 3).await;
    kafka.await_committed("sink", &topic, 0, 3).await;
    engine.stop().await;
    let log = script.log();
    assert_eq!((log.opened, log.closed), (2, 2), "the membership was not lost");
    assert_eq!(script.values(), ["a", "b", "c", "a", "b", "c"]);
    script.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative_members_keep_what_need_not_move() {
    let kafka = Kafka::start().await;
    let topic = support::topic("shared");
    kafka.create_topic(&topic, PARTITIONS).await;
    let write = async |values: usize| {
        for partition in 0..PARTITIONS {
            kafka.write(&topic, partition, vec!["x"; values]).await;
        }
    };
    write(EACH).await;
    let first = Stuck::after(10);
    let (first_engine, _first_dir) = start_with(&kafka, &topic, &first.script, "cooperative-sticky").await;
    first.await_more_tries().await;

    // Partitions leave although the sink is stuck, and those that stay are neither closed nor opened again.
    let second = Arc::new(SinkScript::default());
    let (second_engine, _second_dir) = start_with(&kafka, &topic, &second, "cooperative-sticky").await;
    let both = [&*first.script, &*second];
    until("each has its part", async || held(&first.script) == 2 && held(&second) == 2).await;
    let log = first.script.log();
    assert_eq!((log.opened, log.closed), (1, 1));
    assert_committed_is_put(&kafka, &topic, both).await;
    first.let_go.store(true, Ordering::Relaxed);
    until("all records in the sinks", async || puts(both).len() == PARTITIONS as usize * EACH).await;

    second_engine.stop().await;
    until("the first has all again", async || held(&first.script) == PARTITIONS as usize).await;
    write(1).await;
    until("the new records", async || puts(both).len() == PARTITIONS as usize * (EACH + 1)).await;
    let log = first.script.log();
    assert_eq!((log.opened, log.closed), (2, 1));
    first_engine.stop().await;
    for partition in 0..PARTITIONS {
        kafka.await_committed("sink", &topic, partition, EACH as i64 + 1).await;
    }
    assert!(puts(both).values().all(|times| *times == 1), "a record was put twice: {:?}", puts(both));
    first.script.assert_no_violations();
    second.assert_no_violations();
}
