//! A member of the group: ours runs as a task, Java's as a process. Both tell the same.

use crossdock_client::{Cluster, Consumer, ConsumerConfig, ConsumerEvent, OffsetAndMetadata, TopicPartition};
use crossdock_testcontainers::JavaProgram;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;

const CLOSING: Duration = Duration::from_secs(30);

/// What a member tells: its number, when (microseconds of the system's clock), and what.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) member: usize,
    pub(crate) at: u128,
    pub(crate) told: Told,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// Partitions that it has from now on, beside those that it had.
    Assigned(BTreeSet<i32>),
    /// Partitions that it gave up, after the last commit of them.
    Revoked(BTreeSet<i32>),
    Lost(BTreeSet<i32>),
    Record {
        partition: i32,
        offset: i64,
        value: String,
    },
    /// All records that it told of are committed.
    Committed,
    Closed,
}

pub(crate) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

#[derive(Debug)]
pub(crate) enum Member {
    Ours { stop: oneshot::Sender<()>, task: JoinHandle<()> },
    Java { child: Box<Child>, stdin: ChildStdin, reader: JoinHandle<()> },
}

impl Member {
    pub(crate) fn ours(
        number: usize,
        cluster: &Cluster,
        topic: &str,
        config: ConsumerConfig,
        tell: mpsc::UnboundedSender<Entry>,
    ) -> Self {
        let mut consumer = Consumer::start(cluster.clone(), config);
        consumer.subscribe(vec![topic.to_owned()]).unwrap();
        let (stop, stopped) = oneshot::channel();
        let tell = move |told| drop(tell.send(Entry { member: number, at: now(), told }));
        Self::Ours { stop, task: tokio::spawn(consume(consumer, stopped, tell)) }
    }

    pub(crate) async fn java(
        number: usize,
        topic: &str,
        settings: &[(String, String)],
        tell: mpsc::UnboundedSender<Entry>,
    ) -> Self {
        let mut command = program().await.command("Member");
        command.arg(topic).args(settings.iter().map(|(key, value)| format!("{key}={value}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                let (at, told) = parse(&line);
                drop(tell.send(Entry { member: number, at, told }));
            }
        });
        Self::Java { child: Box::new(child), stdin, reader }
    }

    /// Stops in order: commits, leaves.
    pub(crate) async fn stop(self) {
        match self {
            Self::Ours { stop, task } => {
                stop.send(()).unwrap();
                task.await.unwrap();
            }
            Self::Java { mut child, mut stdin, reader } => {
                stdin.write_all(b"close\n").await.unwrap();
                reader.await.unwrap();
                assert!(child.wait().await.unwrap().success());
            }
        }
    }

    /// SIGKILL; only for Java's.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) async fn kill(self) {
        let Self::Java { mut child, reader, .. } = self else { panic!("not a process of its own") };
        child.kill().await.unwrap();
        reader.await.unwrap();
    }
}

async fn program() -> &'static JavaProgram {
    static PROGRAM: OnceCell<JavaProgram> = OnceCell::const_new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Member.java");
    PROGRAM.get_or_init(|| async move { JavaProgram::compile(&source).await.expect("a JDK") }).await
}

/// As Member.java: commits after each batch, and before it gives partitions up.
async fn consume(mut consumer: Consumer, mut stopped: oneshot::Receiver<()>, tell: impl Fn(Told)) {
    let mut held = BTreeSet::new();
    loop {
        let event = tokio::select! {
            event = consumer.next() => event.unwrap(),
            _ = &mut stopped => break,
        };
        match event {
            ConsumerEvent::Records(fetched) => {
                for record in fetched.records() {
                    let record = record.unwrap();
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    tell(Told::Record { partition: fetched.partition, offset: record.offset, value });
                }
                let offset = OffsetAndMetadata::new(fetched.next_offset);
                let offsets = HashMap::from([(fetched.topic_partition(), offset)]);
                consumer.commit(&offsets).await.expect("a commit");
                tell(Told::Committed);
            }
            ConsumerEvent::Assigned(all) => {
                let all = numbers(&all);
                tell(Told::Assigned(all.difference(&held).copied().collect()));
                held = all;
            }
            ConsumerEvent::Revoked(gone) => {
                let gone = numbers(&gone);
                held.retain(|p| !gone.contains(p));
                tell(Told::Revoked(gone));
            }
            ConsumerEvent::Lost(gone) => {
                let gone = numbers(&gone);
                held.retain(|p| !gone.contains(p));
                tell(Told::Lost(gone));
            }
            other => panic!("{other:?}"),
        }
    }
    // The partitions are free as soon as the group is left.
    tell(Told::Revoked(held));
    consumer.close(CLOSING).await;
    tell(Told::Closed);
}

fn numbers(partitions: &[TopicPartition]) -> BTreeSet<i32> {
    partitions.iter().map(|tp| tp.partition).collect()
}

/// A line of Member.java.
fn parse(line: &str) -> (u128, Told) {
    let mut words = line.split(' ');
    let at = words.next().unwrap().parse().unwrap_or_else(|_| panic!("{line}"));
    let told = match words.next().unwrap() {
        "closed" => Told::Closed,
        "committed" => Told::Committed,
        "record" => {
            let mut rest = words.skip(1);
            Told::Record {
                partition: rest.next().unwrap().parse().unwrap(),
                offset: rest.next().unwrap().parse().unwrap(),
                value: rest.next().unwrap().to_owned(),
            }
        }
        change => {
            let partitions = words.map(|word| word.rsplit_once(':').unwrap().1.parse().unwrap()).collect();
            match change {
                "assigned" => Told::Assigned(partitions),
                "revoked" => Told::Revoked(partitions),
                "lost" => Told::Lost(partitions),
                _ => panic!("{line}"),
            }
        }
    };
    (at, told)
}
