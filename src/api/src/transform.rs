//! Transforms and predicates: what happens to records between a task and the converters.

use crate::batch::{RecordBatch, RecordMut, RecordRef};
use crate::config::{ConfigDef, ConfigMap};
use crate::{ConfigError, ConnectError, Failures};

/// What a transform made of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The record goes on.
    Keep,
    /// The record is filtered out.
    Drop,
}

/// Changes records. Mirrors `org.apache.kafka.connect.transforms.Transformation`.
///
/// A simple transform implements [`Transform::apply_record`]; one that gains by seeing the whole
/// batch overrides [`Transform::apply`].
pub trait Transform: Send {
    /// The keys that it takes, without the prefix `transforms.<name>.`.
    fn config_def(&self) -> ConfigDef;

    /// Configures it once, before anything else.
    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError>;

    /// Changes one record.
    ///
    /// # Errors
    /// The record goes to the error handling of `errors.tolerance`. It must be as it was before then.
    fn apply_record(&mut self, record: RecordMut<'_>) -> Result<Outcome, ConnectError>;

    /// Changes the records of a batch for which `selected` is true; an index past its end counts as
    /// selected. Dropped records are marked by [`RecordBatch::drop_record`].
    fn apply(&mut self, batch: &mut RecordBatch, selected: &[bool], failures: &mut Failures) {
        for index in 0..batch.len() {
            if selected.get(index) == Some(&false) {
                continue;
            }
            let Some(record) = batch.record_mut(index) else { continue };
            match self.apply_record(record) {
                Ok(Outcome::Keep) => {}
                Ok(Outcome::Drop) => batch.drop_record(index),
                Err(error) => failures.push(index, error),
            }
        }
    }
}

/// Decides which records a transform is applied to. Mirrors
/// `org.apache.kafka.connect.transforms.predicates.Predicate`.
pub trait Predicate: Send {
    /// The keys that it takes, without the prefix `predicates.<name>.`.
    fn config_def(&self) -> ConfigDef;

    /// Configures it once, before anything else.
    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError>;

    /// Whether the record matches.
    ///
    /// # Errors
    /// The record goes to the error handling of `errors.tolerance`, as if the transform had failed.
    fn test(&self, record: RecordRef<'_>) -> Result<bool, ConnectError>;

    /// Sets `selected` to one entry a row of the batch. A record that cannot be tested is noted in `failures`,
    /// and not selected.
    fn test_batch(&self, batch: &RecordBatch, selected: &mut Vec<bool>, failures: &mut Failures) {
        selected.clear();
        selected.extend((0..batch.len()).map(
            |index| match batch.get(index).map(|record| self.test(record)) {
                Some(Ok(matches)) => matches,
                Some(Err(error)) => {
                    failures.push(index, error);
                    false
                }
                None => false,
            },
        ));
    }
}
