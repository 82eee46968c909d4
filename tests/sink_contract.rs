//! What a sink task can rely on: records that are put once and in order, a context that does what it is
//! asked, and errors that are handled as configured.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::api::{ConnectError, OffsetMap, TopicPartition};
use crossdock::{Engine, EngineBuilder};
use crossdock_broker::ApiKey;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::kafka::{Kafka, await_failure, skipped, state};
use support::sink_script::{BAD, SinkScript, sink_plugin};
use support::until;

/// A broker with a topic, and a script for the sink that reads it.
struct Scene {
    kafka: Kafka,
    topic: String,
    dir: tempfile::TempDir,
}

impl Scene {
    /// A topic of so many partitions, with these values in its first one.
    async fn new(partitions: i32, values: &[&str]) -> Self {
        let kafka = Kafka::start().await;
        let topic = support::topic("in");
        kafka.create_topic(&topic, partitions).await;
        kafka.write(&topic, 0, values).await;
        Self { kafka, topic, dir: tempfile::tempdir().unwrap() }
    }

    fn builder(&self) -> EngineBuilder {
        self.kafka.worker(self.dir.path())
    }

    /// Starts an engine whose connector `sink` follows the script.
    async fn start(&self, script: &Arc<SinkScript>, config: &[(&str, &str)]) -> Engine {
        self.start_with(self.builder(), script, config).await
    }

    async fn start_with(
        &self,
        builder: EngineBuilder,
        script: &Arc<SinkScript>,
        config: &[(&str, &str)],
    ) -> Engine {
        let base = [("name", "sink"), ("connector.class", "ScriptedSink"), ("topics", &*self.topic)];
        let config = base.iter().chain(config).copied();
        builder.plugin(sink_plugin(script)).connector(config).start().await.unwrap()
    }

    async fn await_count(&self, script: &SinkScript, count: usize) {
        until(&format!("{count} records in the sink"), async || script.count() >= count).await;
    }

    async fn await_committed(&self, offset: i64) {
        self.kafka.await_committed("sink", &self.topic, 0, offset).await;
    }

    async fn committed(&self) -> Option<i64> {
        self.kafka.committed("sink", &self.topic, 0).await
    }
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sink_keeps_its_partitions_and_commits_meanwhile() {
    let scene = Scene::new(1, &[]).await;
    scene.kafka.write(&scene.topic, 0, numbers(0..100)).await;
    let script = SinkScript::slow(Duration::from_millis(50));
    let config =
        [("consumer.override.max.poll.records", "1"), ("consumer.override.max.poll.interval.ms", "3000")];
    let engine = scene.start(&script, &config).await;
    // All came with one fetch, and what is put is committed while the rest waits.
    until("a commit on the way", async || scene.committed().await.is_some_and(|offset| offset > 0)).await;
    assert!(script.count() < 100, "nothing was committed before all was put");
    scene.await_count(&script, 100).await;
    scene.await_committed(100).await;
    assert_eq!((script.log().opened, script.log().closed), (1, 0), "the partition was lost on the way");
    assert_eq!(state(&engine, "sink").await.0, "Running");
    engine.stop().await;
    assert_eq!(script.values(), numbers(0..100));
    script.assert_no_violations();
    assert!(script.log().stopped);
}

/// Records of which one is no JSON; put one by one, and together.
const NOT_ALL_JSON: [&str; 6] = ["0", "1", "{not json", "3", "4", "5"];
const JSON: [(&str, &str); 2] =
    [("value.converter", "JsonConverter"), ("value.converter.schemas.enable", "false")];

fn json_config<'c>(max_poll: &'c str, tolerance: &'c str) -> Vec<(&'c str, &'c str)> {
    let own = [("consumer.override.max.poll.records", max_poll), ("errors.tolerance", tolerance)];
    JSON.into_iter().chain(own).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_converted_is_skipped_if_errors_are_tolerated() {
    for max_poll in ["1", "500"] {
        let scene = Scene::new(1, &NOT_ALL_JSON).await;
        let script = Arc::new(SinkScript::default());
        let engine = scene.start(&script, &json_config(max_poll, "all")).await;
        scene.await_committed(6).await;
        assert_eq!(script.values(), ["0", "1", "3", "4", "5"]);
        assert_eq!(skipped(&engine, "sink"), 1);
        // One at the end moves the offset on by itself.
        scene.kafka.write(&scene.topic, 0, ["{"]).await;
        scene.await_committed(7).await;
        assert_eq!(skipped(&engine, "sink"), 2);
        assert_eq!(state(&engine, "sink").await.0, "Running");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_converted_fails_the_task_after_those_before_it() {
    for max_poll in ["1", "500"] {
        let scene = Scene::new(1, &NOT_ALL_JSON).await;
        let script = Arc::new(SinkScript::default());
        let engine = scene.start(&script, &json_config(max_poll, "none")).await;
        let trace = await_failure(&engine, "sink").await;
        let place = format!("topic {}, partition 0, offset 2", scene.topic);
        assert!(trace.contains(&place) && trace.contains("value converter"), "{trace}");
        assert_eq!(script.values(), ["0", "1"]);
        assert_eq!(scene.committed().await, Some(2));
        assert!(script.log().stopped);
        // Restarted, it fails at the same record and puts nothing again.
        engine.herder().restart_task("sink", 0).await.unwrap();
        until("the second start", async || script.log().opened == 2).await;
        await_failure(&engine, "sink").await;
        assert_eq!((script.count(), scene.committed().await), (2, Some(2)));
        engine.stop().await;
        script.assert_no_violations();

        let script = Arc::new(SinkScript::default());
        let engine = scene.start(&script, &json_config(max_poll, "all")).await;
        scene.await_committed(6).await;
        assert_eq!(script.values(), ["3", "4", "5"]);
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_keeps_its_own_offsets_starts_at_them() {
    let scene = Scene::new(1, &[]).await;
    scene.kafka.write(&scene.topic, 0, numbers(0..10)).await;
    // First past what the group has (nothing), then before what it has (the end).
    for own in [5usize, 3] {
        let script = SinkScript::on_open(move |context, partitions| {
            context.rewind(partitions.iter().map(|p| (p.clone(), own as i64)).collect());
        });
        let script = Arc::new(script);
        let engine = scene.start(&script, &[]).await;
        scene.await_count(&script, 10 - own).await;
        scene.await_committed(10).await;
        engine.stop().await;
        assert_eq!(script.values(), numbers(own..10));
        script.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_in_a_put_reads_again_and_drops_what_was_queued() {
    let scene = Scene::new(1, &[]).await;
    scene.kafka.write(&scene.topic, 0, numbers(0..10)).await;
    let rewound = AtomicBool::new(false);
    let script = SinkScript::on_put(move |context, batch| {
        let Some(record) = batch.iter().next().filter(|record| record.offset() == 6) else { return Ok(()) };
        if !rewound.swap(true, Ordering::Relaxed) {
            let from = TopicPartition { topic: record.origin_topic().into(), partition: 0 };
            context.rewind(OffsetMap::from([(from, 4)]));
        }
        Ok(())
    });
    let script = Arc::new(script);
    let engine = scene.start(&script, &[("consumer.override.max.poll.records", "1")]).await;
    scene.await_count(&script, 13).await;
    scene.await_committed(10).await;
    engine.stop().await;
    let expected: Vec<String> = [numbers(0..7), numbers(4..10)].concat();
    assert_eq!(script.values(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partition_gives_nothing_until_it_is_resumed() {
    let scene = Scene::new(2, &["a", "b"]).await;
    scene.kafka.write(&scene.topic, 1, ["x", "y", "z"]).await;
    let of_second = |partitions: &[TopicPartition]| -> Vec<_> {
        partitions.iter().filter(|p| p.partition == 1).cloned().collect()
    };
    let resume = Arc::new(AtomicBool::new(false));
    let script = SinkScript::on_open(move |context, partitions| context.pause(&of_second(partitions)))
        .and_on_put({
            let (resume, topic) = (Arc::clone(&resume), scene.topic.clone());
            move |context, _| {
                context.set_timeout(Duration::from_millis(1));
                if resume.load(Ordering::Relaxed) {
                    context.resume(&[TopicPartition { topic: topic.as_str().into(), partition: 1 }]);
                }
                Ok(())
            }
        });
    let script = Arc::new(script);
    let engine = scene.start(&script, &[]).await;
    scene.await_count(&script, 2).await;
    // Whole fetches later, only the other partition was read.
    let faults = scene.kafka.broker.faults();
    faults.wait_for_requests(ApiKey::Fetch, faults.requests(ApiKey::Fetch) + 4).await;
    scene.kafka.write(&scene.topic, 0, ["c"]).await;
    scene.await_count(&script, 3).await;
    assert_eq!(script.values(), ["a", "b", "c"]);
    resume.store(true, Ordering::Relaxed);
    scene.await_count(&script, 6).await;
    assert_eq!(script.values()[3..], ["x", "y", "z"]);
    engine.stop().await;
    script.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_before_a_retry_is_what_the_sink_set() {
    let scene = Scene::new(1, &["a"]).await;
    let tries = Arc::new(Mutex::new(Vec::<Instant>::new()));
    // Forty quick retries, which would take minutes by the growing default, and a slow one.
    let script = SinkScript::on_put({
        let tries = Arc::clone(&tries);
        move |context, batch| {
            if batch.is_empty() {
                return Ok(());
            }
            let mut tries = tries.lock().unwrap();
            tries.push(Instant::now());
            match tries.len() {
                1..=40 => context.set_timeout(Duration::from_millis(1)),
                41 => context.set_timeout(Duration::from_millis(700)),
                _ => return Ok(()),
            }
            Err(ConnectError::retriable("not yet"))
        }
    });
    let script = Arc::new(script);
    let engine = scene.start(&script, &[]).await;
    scene.await_count(&script, 1).await;
    engine.stop().await;
    let tries = tries.lock().unwrap();
    assert_eq!(tries.len(), 42);
    assert!(tries[41] - tries[40] >= Duration::from_millis(700));
    assert_eq!(script.values(), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_before_an_empty_put_is_what_the_sink_set() {
    let scene = Scene::new(1, &[]).await;
    // Only puts of records set it: each is to be followed by an empty put soon.
    let script = SinkScript::on_put(|context, batch| {
        if !batch.is_empty() {
            context.set_timeout(Duration::from_millis(1));
        }
        Ok(())
    });
    let script = Arc::new(script);
    let engine = scene.start(&script, &[]).await;
    until("the first empty put", async || script.log().empty_puts > 0).await;
    let began = Instant::now();
    for round in 1..=6 {
        let before = script.log().empty_puts;
        scene.kafka.write(&scene.topic, 0, ["x"]).await;
        scene.await_count(&script, round).await;
        until("an empty put", async || script.log().empty_puts > before).await;
    }
    // By the default of a second this would take about six.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_sink_asks_for_comes_at_once() {
    let scene = Scene::new(1, &["a", "b", "c"]).await;
    let script = SinkScript::on_put(|context, batch| {
        if batch.iter().any(|record| record.offset() == 1) {
            context.request_commit();
        }
        Ok(())
    });
    let script = Arc::new(script);
    let hourly = scene.builder().set("offset.flush.interval.ms", "3600000");
    let config = [("consumer.override.max.poll.records", "1")];
    let engine = scene.start_with(hourly, &script, &config).await;
    scene.await_count(&script, 3).await;
    // Asked for after the second record, and not for the third.
    scene.await_committed(2).await;
    engine.stop().await;
    assert_eq!(scene.committed().await, Some(3));
    script.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_sink_reports_is_skipped_if_errors_are_tolerated() {
    let scene = Scene::new(1, &["a", BAD, "b"]).await;
    let script = Arc::new(SinkScript::default());
    let engine = scene.start(&script, &[("errors.tolerance", "all")]).await;
    scene.await_committed(3).await;
    assert_eq!(script.values(), ["a", "b"]);
    assert_eq!(skipped(&engine, "sink"), 1);
    assert_eq!(state(&engine, "sink").await.0, "Running");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_sink_reports_fails_the_task_otherwise() {
    let scene = Scene::new(1, &["a", BAD, "b"]).await;
    let script = Arc::new(SinkScript::default());
    let one_by_one = [("consumer.override.max.poll.records", "1")];
    let engine = scene.start(&script, &one_by_one).await;
    let trace = await_failure(&engine, "sink").await;
    assert!(trace.contains("the sink found it bad"), "{trace}");
    assert_eq!(script.values(), ["a"]);
    assert_eq!((scene.committed().await, skipped(&engine, "sink")), (Some(1), 0));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_sink_gets_empty_puts_and_none_while_records_wait() {
    let scene = Scene::new(1, &["a"]).await;
    let stuck = Arc::new(AtomicBool::new(true));
    let empty_while_stuck = Arc::new(AtomicUsize::new(0));
    let tries = Arc::new(AtomicUsize::new(0));
    let script = SinkScript::on_put({
        let (stuck, empty, tries) = (Arc::clone(&stuck), Arc::clone(&empty_while_stuck), Arc::clone(&tries));
        move |context, batch| {
            context.set_timeout(Duration::from_millis(1));
            if !batch.is_empty() {
                tries.fetch_add(1, Ordering::Relaxed);
            }
            match stuck.load(Ordering::Relaxed) {
                true if batch.is_empty() && tries.load(Ordering::Relaxed) > 0 => {
                    empty.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                true if !batch.is_empty() => Err(ConnectError::retriable("not yet")),
                _ => Ok(()),
            }
        }
    });
    let script = Arc::new(script);
    let engine = scene.start(&script, &[]).await;
    until("many tries", async || tries.load(Ordering::Relaxed) >= 50).await;
    stuck.store(false, Ordering::Relaxed);
    scene.await_count(&script, 1).await;
    assert_eq!(empty_while_stuck.load(Ordering::Relaxed), 0);
    let before = script.log().empty_puts;
    until("empty puts", async || script.log().empty_puts >= before + 20).await;
    engine.stop().await;
    assert_eq!(script.values(), ["a"]);
}
