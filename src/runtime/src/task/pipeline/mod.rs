//! The converters and transforms of a task.
//!
//! Sources go through transforms and then converters, sinks the other way round. A record that a stage
//! cannot handle is tried again if that may help, else it leaves the batch, and is given back with the
//! error; unless such errors are tolerated, all after it leave the batch too: the records before it go on,
//! and the task fails.
//!
//! - `plugins`: makes and configures the converters and transforms.
//! - `run`: one batch on its way.

mod plugins;
mod run;

use crate::config::{ConnectorConfig, WorkerConfig};
use crate::errors::{ErrorHandler, Failed, Stage};
use crossdock_api::{Column, ConfigError, Converter, Failures, HeaderConverter, Plugins, RecordBatch};
pub(crate) use plugins::check_worker;
use plugins::{Guarded, Made, Parts};
use run::{Operation, Run};

/// Converters and transforms of one task.
pub(crate) struct Pipeline {
    parts: Parts,
    selected: Vec<bool>,
}

impl Pipeline {
    /// Makes and configures all plugins of a task.
    ///
    /// # Errors
    /// A class that does not exist, or a wrong key of a plugin.
    pub(crate) fn build(
        plugins: &Plugins,
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
    ) -> Result<Self, ConfigError> {
        Ok(Self { parts: plugins::make(plugins, worker, connector)?, selected: Vec::new() })
    }

    /// Keys of converters, transforms and predicates that they do not know, for the log.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.parts.warnings
    }

    /// Turns Connect data into bytes for Kafka: transforms, then converters. Gives the records that could not
    /// be handled. Waits only before something is tried again. If it is dropped there, the batch is worth
    /// nothing.
    pub(crate) async fn serialize(&mut self, batch: &mut RecordBatch, errors: &ErrorHandler) -> Vec<Failed> {
        let mut run = Run::new(errors);
        self.transform(batch, &mut run).await;
        if batch.has_headers() {
            header(&self.parts.header, batch, &mut run, true).await;
        }
        column(&self.parts.key, batch, Column::Key, &mut run, true).await;
        column(&self.parts.value, batch, Column::Value, &mut run, true).await;
        batch.compact();
        run.into_failed()
    }

    /// Turns bytes of Kafka into Connect data: converters, then transforms; else as
    /// [`Pipeline::serialize`].
    pub(crate) async fn parse(&mut self, batch: &mut RecordBatch, errors: &ErrorHandler) -> Vec<Failed> {
        let mut run = Run::new(errors);
        column(&self.parts.key, batch, Column::Key, &mut run, false).await;
        column(&self.parts.value, batch, Column::Value, &mut run, false).await;
        if batch.has_headers() {
            header(&self.parts.header, batch, &mut run, false).await;
        }
        self.transform(batch, &mut run).await;
        batch.compact();
        run.into_failed()
    }

    /// The transforms without the converters.
    #[cfg(feature = "unstable-testing")]
    pub(crate) async fn transform_only(
        &mut self,
        batch: &mut RecordBatch,
        errors: &ErrorHandler,
    ) -> Vec<Failed> {
        let mut run = Run::new(errors);
        self.transform(batch, &mut run).await;
        batch.compact();
        run.into_failed()
    }

    async fn transform(&mut self, batch: &mut RecordBatch, run: &mut Run<'_>) {
        let selected = &mut self.selected;
        for Guarded { alias, transform, predicate, negate } in &mut self.parts.transforms {
            let part = format!("transform {alias}");
            let operation = Operation { stage: Stage::Transformation, part: &part, class: &transform.class };
            let plugin = &mut transform.plugin;
            let work = |batch: &mut RecordBatch, failures: &mut Failures| {
                selected.clear();
                if let Some(predicate) = predicate.as_mut() {
                    predicate.test_batch(batch, selected, failures);
                    if *negate {
                        selected.iter_mut().for_each(|selected| *selected = !*selected);
                    }
                    // What the predicate cannot say is left as it is.
                    for index in failures.indices() {
                        if let Some(selected) = selected.get_mut(index) {
                            *selected = false;
                        }
                    }
                }
                plugin.apply(batch, selected, failures);
            };
            run.stage(batch, operation, work).await;
        }
    }
}

/// All keys or all values, to or from Kafka's form.
async fn column(
    made: &Made<dyn Converter>,
    batch: &mut RecordBatch,
    column: Column,
    run: &mut Run<'_>,
    to_kafka: bool,
) {
    let (stage, part) = match column {
        Column::Key => (Stage::KeyConverter, "key converter"),
        Column::Value => (Stage::ValueConverter, "value converter"),
    };
    let operation = Operation { stage, part, class: &made.class };
    let work = |batch: &mut RecordBatch, failures: &mut Failures| match to_kafka {
        true => made.plugin.serialize_batch(batch, column, failures),
        false => made.plugin.parse_batch(batch, column, failures),
    };
    run.stage(batch, operation, work).await;
}

/// All headers, to or from Kafka's form.
async fn header(
    made: &Made<dyn HeaderConverter>,
    batch: &mut RecordBatch,
    run: &mut Run<'_>,
    to_kafka: bool,
) {
    let operation = Operation { stage: Stage::HeaderConverter, part: "header converter", class: &made.class };
    let work = |batch: &mut RecordBatch, failures: &mut Failures| match to_kafka {
        true => made.plugin.serialize_batch(batch, failures),
        false => made.plugin.parse_batch(batch, failures),
    };
    run.stage(batch, operation, work).await;
}
