//! A connector pair that misbehaves on demand: one of its callbacks fails, panics, waits for ever, or blocks its thread.

use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, Map, OffsetMap, Schema, SinkBatch, SinkConnector,
    SinkTask, SinkTaskContext, SourceBatch, SourceConnector, SourceOffset, SourceTask, SourceTaskContext,
    TopicPartition, Value, async_trait,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What a callback does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Blocks its thread until the mischief is over.
    Block,
    Fail,
    /// Never comes to an end, but lets its thread go.
    Hang,
    Panic,
}

/// The callback that misbehaves, how, and who is caught in it.
pub(crate) struct Mischief {
    pub(crate) callback: &'static str,
    state: Mutex<MischiefState>,
    over: Condvar,
}

struct MischiefState {
    how: Option<How>,
    hits: usize,
    blocked: usize,
    released: bool,
    reached: BTreeSet<String>,
}

impl Mischief {
    pub(crate) fn new(callback: &'static str, how: How) -> Arc<Self> {
        let state =
            MischiefState { how: Some(how), hits: 0, blocked: 0, released: false, reached: BTreeSet::new() };
        Arc::new(Self { callback, state: Mutex::new(state), over: Condvar::new() })
    }

    /// How often the callback has misbehaved.
    pub(crate) fn hits(&self) -> usize {
        self.state.lock().unwrap().hits
    }

    /// Whether a callback was called, behaving or not.
    pub(crate) fn is_reached(&self, callback: &str) -> bool {
        self.state.lock().unwrap().reached.contains(callback)
    }

    /// Threads that are blocked in it.
    pub(crate) fn blocked(&self) -> usize {
        self.state.lock().unwrap().blocked
    }

    /// Lets the callback behave from now on; what is blocked stays so.
    pub(crate) fn cure(&self) {
        self.state.lock().unwrap().how = None;
    }

    /// Lets all blocked threads go.
    pub(crate) fn release(&self) {
        self.state.lock().unwrap().released = true;
        self.over.notify_all();
    }

    /// A callback that cannot wait.
    fn at(&self, callback: &str) -> Result<(), ConnectError> {
        let mut state = self.state.lock().unwrap();
        state.reached.insert(callback.to_owned());
        if callback != self.callback {
            return Ok(());
        }
        let Some(how) = state.how else { return Ok(()) };
        state.hits += 1;
        match how {
            How::Hang => Ok(()),
            How::Fail => Err(ConnectError::fatal(format!("told to fail in {callback}"))),
            How::Panic => {
                drop(state);
                panic!("told to panic in {callback}");
            }
            How::Block => {
                state.blocked += 1;
                let mut state = self.over.wait_while(state, |state| !state.released).unwrap();
                state.blocked -= 1;
                Ok(())
            }
        }
    }

    async fn here(&self, callback: &str) -> Result<(), ConnectError> {
        self.at(callback)?;
        let hangs = callback == self.callback && self.state.lock().unwrap().how == Some(How::Hang);
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// A source connector of this class.
pub(crate) fn misbehaving_source(class: &str, mischief: &Arc<Mischief>) -> Plugin {
    let mischief = Arc::clone(mischief);
    Plugin::source(class, "test", move || Box::new(Misbehaving(Arc::clone(&mischief))))
}

/// A sink connector of this class.
pub(crate) fn misbehaving_sink(class: &str, mischief: &Arc<Mischief>) -> Plugin {
    let mischief = Arc::clone(mischief);
    Plugin::sink(class, "test", move || Box::new(Misbehaving(Arc::clone(&mischief))))
}

struct Misbehaving(Arc<Mischief>);

#[async_trait]
impl Connector for Misbehaving {
    fn version(&self) -> &str {
        // What cannot fail panics.
        self.0.at("version").unwrap();
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        self.0.at("config_def").unwrap();
        ConfigDef::new()
    }

    async fn validate(&mut self, _: &ConfigMap) -> Vec<(String, String)> {
        self.0.here("validate").await.err().map(|e| ("name".to_owned(), e.to_string())).into_iter().collect()
    }

    async fn start(&mut self, _: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.0.here("connector start").await
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        self.0.here("task_configs").await?;
        Ok(vec![ConfigMap::new()])
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.0.here("connector stop").await
    }
}

impl SourceConnector for Misbehaving {
    fn task(&self) -> Box<dyn SourceTask> {
        self.0.at("task").unwrap();
        Box::new(MisbehavingTask { mischief: Arc::clone(&self.0), next: 0 })
    }
}

impl SinkConnector for Misbehaving {
    fn task(&self) -> Box<dyn SinkTask> {
        self.0.at("task").unwrap();
        Box::new(MisbehavingTask { mischief: Arc::clone(&self.0), next: 0 })
    }
}

struct MisbehavingTask {
    mischief: Arc<Mischief>,
    next: i64,
}

#[async_trait]
impl SourceTask for MisbehavingTask {
    async fn start(&mut self, _: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.mischief.here("start").await
    }

    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.mischief.here("poll").await?;
        let topic = batch.topic("mischief");
        let own: Map = [("of", Value::string("mischief"))].into_iter().collect();
        let partition = batch.partition(&own);
        let field = batch.offset_field("next");
        self.next += 1;
        let offset = SourceOffset::Long { field, value: self.next };
        batch.record(topic, partition, offset).value(Some(Schema::string()), "x").finish()?;
        Ok(())
    }

    async fn commit(&mut self, _: &[(Map, Map)]) -> Result<(), ConnectError> {
        self.mischief.here("commit").await
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.mischief.here("stop").await
    }
}

#[async_trait]
impl SinkTask for MisbehavingTask {
    async fn start(&mut self, _: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.mischief.here("start").await
    }

    async fn open(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.mischief.here("open").await
    }

    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.mischief.here("put").await
    }

    async fn pre_commit(&mut self, offsets: OffsetMap) -> Result<OffsetMap, ConnectError> {
        self.mischief.here("pre_commit").await?;
        Ok(offsets)
    }

    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.mischief.here("close").await
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.mischief.here("stop").await
    }
}
