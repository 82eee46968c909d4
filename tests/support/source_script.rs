//! A source whose task gives numbers step by step, goes on at its stored offset, and keeps a log.

use super::plugin::Single;
use crossdock::api::registry::Plugin;
use crossdock::api::{
    ConfigMap, ConnectError, Map, Schema, SourceBatch, SourceConnector, SourceOffset, SourceTask,
    SourceTaskContext, Value, async_trait,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What a poll does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Gives so many records.
    Give(i64),
    /// The same after a wait.
    GiveAfter(Duration, i64),
    /// The same, and then fails for now.
    GiveAndRetry(i64),
    /// Moves the offset on by so many, without a record.
    Progress(i64),
    /// Adds a record without an offset.
    Unplaced,
}

/// How the task behaves, and what it has gone through.
#[derive(Default)]
pub(crate) struct SourceScript {
    /// Topic of all records.
    pub(crate) topic: String,
    /// Least length of a value; it is filled up with zeros at the front.
    pub(crate) width: usize,
    /// Whether a poll without a step comes back at once.
    pub(crate) restless: bool,
    steps: Mutex<VecDeque<Step>>,
    log: Mutex<SourceLog>,
}

/// What a task has gone through.
#[derive(Debug, Default, Clone)]
pub(crate) struct SourceLog {
    /// Where each start went on.
    pub(crate) starts: Vec<i64>,
    pub(crate) polls: u64,
    /// Steps that are done.
    pub(crate) steps: usize,
    /// The offsets that the task was told to be stored.
    pub(crate) stored: Vec<i64>,
    pub(crate) stops: usize,
}

impl SourceScript {
    /// A script for records of `topic`.
    pub(crate) fn new(topic: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { topic: topic.to_owned(), steps: Mutex::new(steps.into_iter().collect()), ..Self::default() }
    }

    /// What has happened so far.
    pub(crate) fn log(&self) -> SourceLog {
        self.log.lock().unwrap().clone()
    }

    fn note(&self) -> MutexGuard<'_, SourceLog> {
        self.log.lock().unwrap()
    }

    /// The offset that was stored last.
    pub(crate) fn stored(&self) -> Option<i64> {
        self.note().stored.last().copied()
    }

    /// Adds a step.
    pub(crate) fn then(&self, step: Step) {
        self.steps.lock().unwrap().push_back(step);
    }

    /// The values of these numbers.
    pub(crate) fn values(&self, numbers: std::ops::Range<i64>) -> Vec<String> {
        numbers.map(|number| self.value(number)).collect()
    }

    fn value(&self, number: i64) -> String {
        format!("{number:0width$}", width = self.width)
    }
}

/// A plugin `ScriptedSource` whose task follows the script.
pub(crate) fn source_plugin(script: &Arc<SourceScript>) -> Plugin {
    let script = Arc::clone(script);
    Plugin::source("test.ScriptedSourceConnector", "test", move || Box::new(Single(Arc::clone(&script))))
}

impl SourceConnector for Single<SourceScript> {
    fn task(&self) -> Box<dyn SourceTask> {
        let partition = [("of", Value::string("numbers"))].into_iter().collect();
        Box::new(ScriptedSource { script: Arc::clone(&self.0), next: 0, partition })
    }
}

struct ScriptedSource {
    script: Arc<SourceScript>,
    next: i64,
    partition: Map,
}

impl ScriptedSource {
    fn give(&mut self, batch: &mut SourceBatch, count: i64) -> Result<(), ConnectError> {
        let topic = batch.topic(&self.script.topic);
        let partition = batch.partition(&self.partition);
        let field = batch.offset_field("next");
        for _ in 0..count {
            let value = self.script.value(self.next);
            self.next += 1;
            let offset = SourceOffset::Long { field, value: self.next };
            batch
                .record(topic, partition, offset)
                .partition(0)
                .value(Some(Schema::string()), value.as_str())
                .finish()?;
        }
        Ok(())
    }
}

#[async_trait]
impl SourceTask for ScriptedSource {
    async fn start(&mut self, context: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        let stored = context.offset(&self.partition).await?;
        if let Some(Value::Int64(next)) = stored.and_then(|offset| offset.get("next").cloned()) {
            self.next = next;
        }
        self.script.note().starts.push(self.next);
        Ok(())
    }

    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        self.script.note().polls += 1;
        let Some(step) = self.script.steps.lock().unwrap().front().copied() else {
            if !self.script.restless {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            return Ok(());
        };
        if let Step::GiveAfter(wait, _) = step {
            tokio::time::sleep(wait).await;
        }
        // From here on there is no await: the step is done as a whole.
        self.script.steps.lock().unwrap().pop_front();
        self.script.note().steps += 1;
        match step {
            Step::Give(count) | Step::GiveAfter(_, count) => self.give(batch, count),
            Step::GiveAndRetry(count) => {
                self.give(batch, count)?;
                Err(ConnectError::retriable("told to retry"))
            }
            Step::Progress(by) => {
                self.next += by;
                let partition = batch.partition(&self.partition);
                let field = batch.offset_field("next");
                batch.progress(partition, SourceOffset::Long { field, value: self.next });
                Ok(())
            }
            Step::Unplaced => {
                let topic = batch.topic(&self.script.topic);
                let record = batch.records_mut().record(topic);
                record.value(Some(Schema::string()), "unplaced").finish()?;
                Ok(())
            }
        }
    }

    async fn commit(&mut self, committed: &[(Map, Map)]) -> Result<(), ConnectError> {
        for (_, offset) in committed {
            if let Some(Value::Int64(next)) = offset.get("next") {
                self.script.note().stored.push(*next);
            }
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.script.note().stops += 1;
        Ok(())
    }
}
