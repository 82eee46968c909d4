//! A sink whose task follows a script, keeps a log of all that happens to it, and checks the order of
//! calls and the offsets that it is asked about.

use super::plugin::Single;
use crossdock::api::registry::Plugin;
use crossdock::api::{
    ConfigMap, ConnectError, OffsetMap, RecordRef, SinkBatch, SinkConnector, SinkTask, SinkTaskContext,
    TopicPartition, ValueRef, async_trait,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The value of a record that the task reports as a bad one.
pub(crate) const BAD: &str = "bad";

type OnOpen = dyn Fn(&SinkTaskContext, &[TopicPartition]) + Send + Sync;
type OnPut = dyn Fn(&SinkTaskContext, &SinkBatch) -> Result<(), ConnectError> + Send + Sync;

/// How the task behaves, and what it has gone through.
#[derive(Default)]
pub(crate) struct SinkScript {
    /// How long a put of records takes.
    put_time: Duration,
    /// Called when partitions are opened.
    on_open: Option<Box<OnOpen>>,
    /// Called with every batch, also an empty one, before its records are taken.
    on_put: Option<Box<OnPut>>,
    log: Mutex<SinkLog>,
}

/// What a task has gone through.
#[derive(Debug, Default, Clone)]
pub(crate) struct SinkLog {
    /// Records that were taken: partition, offset and value.
    pub(crate) records: Vec<(i32, i64, String)>,
    pub(crate) empty_puts: usize,
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    /// The partitions that are open.
    pub(crate) held: BTreeSet<TopicPartition>,
    /// One past the last record of each partition that was taken.
    pub(crate) taken: OffsetMap,
    /// Everything that must not happen.
    pub(crate) violations: Vec<String>,
    pub(crate) stopped: bool,
}

impl SinkScript {
    /// A script whose puts take that long.
    pub(crate) fn slow(put_time: Duration) -> Arc<Self> {
        Arc::new(Self { put_time, ..Self::default() })
    }

    /// A script with something to do when partitions are opened.
    pub(crate) fn on_open(
        on_open: impl Fn(&SinkTaskContext, &[TopicPartition]) + Send + Sync + 'static,
    ) -> Self {
        Self { on_open: Some(Box::new(on_open)), ..Self::default() }
    }

    /// A script with something to do in each put.
    pub(crate) fn on_put(
        on_put: impl Fn(&SinkTaskContext, &SinkBatch) -> Result<(), ConnectError> + Send + Sync + 'static,
    ) -> Self {
        Self::default().and_on_put(on_put)
    }

    /// The script with something to do in each put too.
    pub(crate) fn and_on_put(
        self,
        on_put: impl Fn(&SinkTaskContext, &SinkBatch) -> Result<(), ConnectError> + Send + Sync + 'static,
    ) -> Self {
        Self { on_put: Some(Box::new(on_put)), ..self }
    }

    /// What has happened so far.
    pub(crate) fn log(&self) -> SinkLog {
        self.log.lock().unwrap().clone()
    }

    fn note(&self) -> MutexGuard<'_, SinkLog> {
        self.log.lock().unwrap()
    }

    /// Number of records that were taken.
    pub(crate) fn count(&self) -> usize {
        self.note().records.len()
    }

    /// Values of the records that were taken, in order.
    pub(crate) fn values(&self) -> Vec<String> {
        self.note().records.iter().map(|(_, _, value)| value.clone()).collect()
    }

    pub(crate) fn assert_no_violations(&self) {
        assert_eq!(self.log().violations, Vec::<String>::new());
    }
}

/// A plugin `ScriptedSink` whose task follows the script.
pub(crate) fn sink_plugin(script: &Arc<SinkScript>) -> Plugin {
    let script = Arc::clone(script);
    Plugin::sink("test.ScriptedSinkConnector", "test", move || Box::new(Single(Arc::clone(&script))))
}

impl SinkConnector for Single<SinkScript> {
    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(ScriptedSink { script: Arc::clone(&self.0), context: None })
    }
}

struct ScriptedSink {
    script: Arc<SinkScript>,
    context: Option<SinkTaskContext>,
}

#[async_trait]
impl SinkTask for ScriptedSink {
    async fn start(&mut self, context: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.context = Some(context);
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        if let (Some(on_open), Some(context)) = (&self.script.on_open, &self.context) {
            on_open(context, partitions);
        }
        let mut log = self.script.note();
        log.opened += 1;
        log.held.extend(partitions.iter().cloned());
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError> {
        let context = self.context.clone().unwrap();
        if let Some(on_put) = &self.script.on_put {
            on_put(&context, &batch)?;
        }
        if batch.is_empty() {
            self.script.note().empty_puts += 1;
            return Ok(());
        }
        tokio::time::sleep(self.script.put_time).await;
        let bad = |(index, record): (usize, RecordRef<'_>)| (text(record.value()) == BAD).then_some(index);
        let bad: Vec<usize> = batch.iter_indexed().filter_map(bad).collect();
        for index in &bad {
            context.report(&batch, *index, ConnectError::bad_record("the sink found it bad")).await?;
        }
        let mut log = self.script.note();
        for (index, record) in batch.iter_indexed() {
            log.take(record, bad.contains(&index));
        }
        Ok(())
    }

    async fn pre_commit(&mut self, offsets: OffsetMap) -> Result<OffsetMap, ConnectError> {
        let mut log = self.script.note();
        for (partition, offset) in &offsets {
            if !log.held.contains(partition) {
                log.violations.push(format!("a commit of {partition}, which is not open"));
            }
            let taken = log.taken.get(partition).copied();
            if taken.is_none_or(|taken| taken < *offset) {
                log.violations.push(format!("a commit of {partition} at {offset}, but taken is {taken:?}"));
            }
        }
        Ok(offsets)
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let mut log = self.script.note();
        log.closed += 1;
        log.held.retain(|held| !partitions.contains(held));
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.script.note().stopped = true;
        Ok(())
    }
}

impl SinkLog {
    fn take(&mut self, record: RecordRef<'_>, bad: bool) {
        let (topic, partition) = (record.origin_topic().into(), record.origin_partition());
        let from = TopicPartition { topic, partition };
        if !self.held.contains(&from) {
            self.violations.push(format!("a put of {from}, which is not open"));
        }
        self.taken.insert(from, record.offset() + 1);
        if !bad {
            self.records.push((partition, record.offset(), text(record.value())));
        }
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::String(text) => text.as_str().to_owned(),
        ValueRef::Int64(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
