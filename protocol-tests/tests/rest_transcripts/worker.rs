//! The worker under test, configured as the recorded one.

use crossdock::Engine;
use crossdock::runtime::loggers::Loggers;
use crossdock_client::admin::{Admin, IsolationLevel, NewPartitions, OffsetSpec};
use crossdock_client::{ClientConfig, Cluster, TopicPartition};
use crossdock_testcontainers::Kafka;
use protocol_tests::transcripts::World;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Length of the recorder's folder's path. Error texts have positions in bodies that contain it.
const DIR_LENGTH: usize = 12;
/// The files that the recorder had made, each with the same lines.
const INPUTS: [&str; 3] = ["in.txt", "o.txt", "os.txt"];

/// A worker with a folder of its own.
pub(crate) struct Worker {
    engine: Engine,
    world: World,
    dir: TempDir,
}

impl Worker {
    pub(crate) async fn start(kafka: &Kafka) -> Self {
        let parent = "/tmp/";
        let random = DIR_LENGTH - parent.len() - 1;
        let dir = tempfile::Builder::new().prefix("r").rand_bytes(random).tempdir_in(parent).unwrap();
        for input in INPUTS {
            std::fs::write(dir.path().join(input), "one\ntwo\nthree\n").unwrap();
        }
        let path = dir.path().display().to_string();
        assert_eq!(path.len(), DIR_LENGTH);
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let engine = Engine::builder()
            .set("bootstrap.servers", kafka.bootstrap())
            .set("key.converter", json)
            .set("value.converter", json)
            .set("offset.flush.interval.ms", "1000")
            .set("offset.storage.file.filename", &format!("{path}/offsets"))
            .set("listeners", "http://127.0.0.1:0")
            .set("crossdock.compatibility", "strict")
            .log_levels(Arc::new(Loggers::new("info", &["crossdock_runtime"], |_| {})))
            .rest(true)
            .start()
            .await
            .expect("a worker");
        let world = World {
            workers: vec![engine.rest_addresses()[0].to_string()],
            broker: kafka.bootstrap().to_owned(),
            dir: path,
            cluster_id: kafka.cluster_id().to_owned(),
        };
        Self { engine, world, dir }
    }

    /// Gives a topic more partitions once there are records in its first: which one gets them is chance, if there are
    /// several.
    pub(crate) async fn grow_topic(&self, topic: &str, partitions: i32) {
        let settings = [("bootstrap.servers".to_owned(), self.world.broker.clone())].into();
        let admin = Admin::new(Cluster::new(ClientConfig::from_map(&settings).unwrap()));
        let first = [(TopicPartition::new(topic, 0), OffsetSpec::Latest)];
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let ends = admin.list_offsets(&first, IsolationLevel::ReadUncommitted).await.unwrap();
            if ends.iter().any(|(_, end)| end.as_ref().is_ok_and(|end| end.offset > 0)) {
                break;
            }
            assert!(Instant::now() < limit, "nothing was written to {topic}: {ends:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let grown = [(topic.to_owned(), NewPartitions::up_to(partitions))].into();
        for (_, created) in admin.create_partitions(&grown, false).await.unwrap() {
            created.unwrap();
        }
    }

    /// Another line in the sources' first file.
    pub(crate) fn grow_input(&self) {
        let path = self.dir.path().join(INPUTS[0]);
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"four\n").unwrap();
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) async fn stop(self) {
        self.engine.stop().await;
    }
}
