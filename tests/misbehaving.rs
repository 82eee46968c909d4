//! Plugins that misbehave in each callback and in each way, through all that can be done to a connector: states and
//! traces say what is wrong, every request comes to its end, and a healthy pair beside them does not notice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::runtime::herder::{RestartRequest, State, TargetState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::kafka::{Kafka, state};
use support::misbehaving::{How, Mischief, misbehaving_sink, misbehaving_source};
use support::sink_script::{SinkScript, sink_plugin};
use support::source_script::{SourceScript, Step, source_plugin};
use support::until;
use tokio::task::JoinSet;

/// `task.shutdown.graceful.timeout.ms` of these tests.
const GRACE: Duration = Duration::from_millis(100);

/// Most that a request takes: what has to be waited for before something is given up, many times over.
const LIMIT: Duration = Duration::from_secs(60);

/// How long somebody waits who goes away then.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

const HOWS: [How; 4] = [How::Block, How::Fail, How::Hang, How::Panic];

/// The callbacks by what shows when they fail.
const REFUSED: [&str; 3] = ["config_def", "validate", "version"];
const FAILS_CONNECTOR: [&str; 2] = ["connector start", "task_configs"];
const FAILS_SOURCE: [&str; 3] = ["task", "start", "poll"];
const FAILS_SINK: [&str; 5] = ["task", "start", "open", "put", "pre_commit"];
const LOGGED_SOURCE: [&str; 3] = ["connector stop", "stop", "commit"];
const LOGGED_SINK: [&str; 3] = ["connector stop", "stop", "close"];

/// One callback of one kind of connector, and what it does.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    class: String,
    mischief: Arc<Mischief>,
    how: How,
    shows: Shows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// There is no such connector.
    Refused,
    /// It has failed, and has no tasks.
    Connector,
    /// Its task has failed.
    Task,
    /// It is logged.
    Nothing,
}

impl std::fmt::Debug for Mischief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.callback)
    }
}

fn cases() -> Vec<(bool, Case)> {
    let groups = |is_source: bool| {
        let (fails, logged) =
            if is_source { (&FAILS_SOURCE[..], LOGGED_SOURCE) } else { (&FAILS_SINK[..], LOGGED_SINK) };
        let all = [
            (&REFUSED[..], Shows::Refused),
            (&FAILS_CONNECTOR[..], Shows::Connector),
            (fails, Shows::Task),
            (&logged[..], Shows::Nothing),
        ];
        all.into_iter().flat_map(|(all, shows)| all.iter().map(move |c| (*c, shows))).collect::<Vec<_>>()
    };
    let mut cases = Vec::new();
    for is_source in [true, false] {
        let kind = if is_source { "Source" } else { "Sink" };
        for (callback, shows) in groups(is_source) {
            for how in HOWS {
                let number = cases.len();
                cases.push((
                    is_source,
                    Case {
                        name: format!("{kind} {callback} {how:?}"),
                        class: format!("test.Misbehaving{kind}{number}Connector"),
                        mischief: Mischief::new(callback, how),
                        how,
                        shows,
                    },
                ));
            }
        }
    }
    cases
}

impl Case {
    fn config(&self) -> BTreeMap<String, Option<String>> {
        let pairs = [("name", self.name.as_str()), ("connector.class", &self.class), ("topics", "feed")];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).collect()
    }

    async fn within<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let done = tokio::time::timeout(LIMIT, work).await;
        done.unwrap_or_else(|_| panic!("{}: {what} does not come to its end", self.name))
    }

    /// A request that may have to wait for the plugin: who made it goes away then, and it is carried out all the same.
    async fn asked<T>(&self, what: &str, request: impl Future<Output = T>) -> Option<T> {
        match self.how {
            How::Block | How::Hang => tokio::time::timeout(IMPATIENCE, request).await.ok(),
            How::Fail | How::Panic => Some(self.within(what, request).await),
        }
    }

    async fn await_running(&self, engine: &Engine) {
        self.within("running", async {
            while !self.is_running(engine).await {
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
    }

    /// Waits until the callback is called, or until what comes before it at a stop has been.
    async fn await_turn(&self) {
        let before = match self.mischief.callback {
            "connector stop" => "connector start",
            "stop" => "start",
            "close" => "open",
            callback => callback,
        };
        self.within("being called", async {
            while !self.mischief.is_reached(before) {
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
    }

    async fn run(self, engine: Arc<Engine>) {
        let herder = engine.herder();
        let create = herder.create_connector(&self.name, self.config(), TargetState::Started);
        let created = self.asked("creating", create).await;
        match (self.how, self.shows) {
            (How::Fail | How::Panic, Shows::Refused) => {
                let error = created.unwrap().unwrap_err().to_string();
                assert!(error.contains("told to"), "{}: {error}", self.name);
            }
            (How::Fail | How::Panic, Shows::Connector) => self.await_failure(&engine, false).await,
            (How::Fail | How::Panic, Shows::Task) => self.await_failure(&engine, true).await,
            _ => {}
        }
        if self.shows != Shows::Refused {
            self.await_turn().await;
            self.live(&engine).await;
        }
        assert!(self.mischief.hits() > 0, "{}: not called", self.name);
        self.mischief.cure();
        // One that was refused for taking too long may be there by now.
        let _ = self.within("deleting", herder.delete_connector(&self.name)).await;
        let create = herder.create_connector(&self.name, self.config(), TargetState::Started);
        let created = self.within("creating anew", create).await;
        assert!(created.is_ok(), "{}: {created:?}", self.name);
        self.await_running(&engine).await;
    }

    /// Does all to the connector that can be done.
    async fn live(&self, engine: &Engine) {
        let herder = engine.herder();
        for target in [TargetState::Paused, TargetState::Started] {
            let _ = self.asked("pausing", herder.set_target_state(&self.name, target)).await;
        }
        let _ = self.asked("restarting a task", herder.restart_task(&self.name, 0)).await;
        let all = RestartRequest { include_tasks: true, ..RestartRequest::default() };
        let _ = self.asked("restarting", herder.restart_connector(&self.name, all)).await;
        if self.shows == Shows::Nothing && matches!(self.how, How::Fail) {
            self.await_running(engine).await;
        }
        let _ = self.within("stopping", herder.set_target_state(&self.name, TargetState::Stopped)).await;
        let status = herder.connector_status(&self.name).await.unwrap();
        assert_eq!((status.connector.state, status.tasks.len()), (State::Stopped, 0), "{}", self.name);
        self.within("deleting", herder.delete_connector(&self.name)).await.unwrap();
    }

    async fn await_failure(&self, engine: &Engine, of_task: bool) {
        self.within("failing", async {
            while state(engine, &self.name).await.0 != "Failed" {
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
        let status = engine.herder().connector_status(&self.name).await.unwrap();
        assert_eq!(status.connector.state == State::Failed, !of_task, "{}: {status:?}", self.name);
        let trace = state(engine, &self.name).await.1;
        assert!(trace.contains("told to"), "{}: {trace}", self.name);
    }

    async fn is_running(&self, engine: &Engine) -> bool {
        let status = engine.herder().connector_status(&self.name).await.unwrap();
        let tasks: Vec<State> = status.tasks.iter().map(|task| task.state).collect();
        status.connector.state == State::Running && tasks == [State::Running]
    }
}

/// A source and a sink that behave, and what they have done.
struct Healthy {
    source: Arc<SourceScript>,
    sink: Arc<SinkScript>,
}

impl Healthy {
    /// Sends records through the pair until told to stop; gives the longest time that one took.
    async fn watch(&self, stop: &AtomicBool) -> Duration {
        let mut longest = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            let (began, goal) = (Instant::now(), self.sink.count() + 1);
            self.source.then(Step::Give(1));
            while self.sink.count() < goal {
                assert!(began.elapsed() < LIMIT, "the healthy pair stands still");
                tokio::time::sleep(PAUSE).await;
            }
            longest = longest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        longest
    }
}

/// Lets blocked threads go at the end, also of a test that fails.
struct Release(Vec<Arc<Mischief>>);

impl Release {
    fn of(cases: &[(bool, Case)]) -> Self {
        Self(cases.iter().map(|(_, case)| Arc::clone(&case.mischief)).collect())
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        self.0.iter().for_each(|mischief| mischief.release());
    }
}

async fn scene(cases: &[(bool, Case)]) -> (Kafka, Arc<Engine>, Arc<Healthy>, tempfile::TempDir) {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    for topic in ["feed", "healthy", "mischief"] {
        kafka.create_topic(topic, 1).await;
    }
    kafka.write("feed", 0, ["a", "b", "c"]).await;
    let healthy =
        Healthy { source: Arc::new(SourceScript::new("healthy", [])), sink: Arc::new(SinkScript::default()) };
    let mut builder = kafka
        .worker(dir.path())
        .set("task.shutdown.graceful.timeout.ms", &GRACE.as_millis().to_string())
        .plugin(source_plugin(&healthy.source))
        .plugin(sink_plugin(&healthy.sink))
        .connector([("name", "healthy-source"), ("connector.class", "ScriptedSource")])
        .connector([("name", "healthy-sink"), ("connector.class", "ScriptedSink"), ("topics", "healthy")]);
    for (is_source, case) in cases {
        let make = if *is_source { misbehaving_source } else { misbehaving_sink };
        builder = builder.plugin(make(&case.class, &case.mischief));
    }
    (kafka, Arc::new(builder.start().await.unwrap()), Arc::new(healthy), dir)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_plugin_does_wrong_the_others_do_not_notice() {
    let cases = cases();
    let release = Release::of(&cases);
    let (_kafka, engine, healthy, _dir) = scene(&cases).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn({
        let (healthy, stop) = (Arc::clone(&healthy), Arc::clone(&stop));
        async move { healthy.watch(&stop).await }
    });
    let mut running = JoinSet::new();
    for (_, case) in &cases {
        running.spawn(case.clone().run(Arc::clone(&engine)));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    assert!(cases.iter().any(|(_, case)| case.mischief.blocked() > 0), "nothing was blocked");
    // What comes back late must not spoil the status of what has taken its place.
    drop(release);
    until("all threads are free", async || cases.iter().all(|(_, case)| case.mischief.blocked() == 0)).await;
    for (_, case) in &cases {
        assert!(case.is_running(&engine).await, "{}", case.name);
    }
    stop.store(true, Ordering::Relaxed);
    println!("longest way of a record through the healthy pair: {:?}", watching.await.unwrap());
    healthy.sink.assert_no_violations();
    for name in ["healthy-source", "healthy-sink"] {
        assert_eq!(state(&engine, name).await, ("Running".to_owned(), String::new()));
    }
    Arc::into_inner(engine).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stops_in_time_whatever_its_plugins_do() {
    let is_stuck = |case: &Case| {
        matches!(case.how, How::Block | How::Hang) && !REFUSED.contains(&case.mischief.callback)
    };
    let cases: Vec<_> = cases().into_iter().filter(|(_, case)| is_stuck(case)).collect();
    let _release = Release::of(&cases);
    let (_kafka, engine, _healthy, _dir) = scene(&cases).await;
    for (_, case) in &cases {
        let (engine, case) = (Arc::clone(&engine), case.clone());
        tokio::spawn(async move {
            let herder = engine.herder();
            drop(engine);
            let _ = herder.create_connector(&case.name, case.config(), TargetState::Started).await;
        });
    }
    for (_, case) in &cases {
        case.await_turn().await;
    }
    until("the engine is ours", async || Arc::strong_count(&engine) == 1).await;
    let began = Instant::now();
    Arc::into_inner(engine).unwrap().stop().await;
    let took = began.elapsed();
    println!("the worker stopped in {took:?}");
    // The grace, two seconds until a task is abandoned, one for a connector, and what a busy machine adds.
    assert!(took < GRACE + Duration::from_secs(12), "{took:?}");
}
