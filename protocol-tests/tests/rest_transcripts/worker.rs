//! The worker under test, configured as the recorded one.

use crossdock::Engine;
use crossdock_testcontainers::Kafka;
use protocol_tests::transcripts::World;
use tempfile::TempDir;

/// Length of the recorder's folder's path. Error texts have positions in bodies that contain it.
const DIR_LENGTH: usize = 12;

/// A worker with a folder of its own.
pub(crate) struct Worker {
    engine: Engine,
    world: World,
    _dir: TempDir,
}

impl Worker {
    pub(crate) async fn start(kafka: &Kafka) -> Self {
        let parent = "/tmp/";
        let random = DIR_LENGTH - parent.len() - 1;
        let dir = tempfile::Builder::new().prefix("r").rand_bytes(random).tempdir_in(parent).unwrap();
        std::fs::write(dir.path().join("in.txt"), "one\ntwo\nthree\n").unwrap();
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
        Self { engine, world, _dir: dir }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) async fn stop(self) {
        self.engine.stop().await;
    }
}
