//! The sink's task: batches into lines of a file.
//!
//! While one buffer of lines is being written by a blocking thread, the next is filled. A failed write
//! ends the task for good: from then on every call fails, so nothing after it can be committed.

use crate::error::FileError;
use crate::output::Output;
use crate::sink::file_of;
use crossdock_api::{
    ConfigMap, ConnectError, OffsetMap, SinkBatch, SinkTask, SinkTaskContext, ValueRef, async_trait,
    java_text,
};
use tokio::task::JoinHandle;

/// Bytes of lines that are written at once.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Writes lines.
#[derive(Debug, Default)]
pub(crate) struct FileSinkTask {
    state: State,
    /// Lines that are not given to be written yet.
    lines: Vec<u8>,
    /// Whether anything was written since the last sync.
    dirty: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    /// Nothing is under way; the buffer is empty, to be filled again.
    Idle(Output, Vec<u8>),
    Busy(JoinHandle<(Output, Vec<u8>, Result<(), FileError>)>),
    /// Why nothing can be written any more.
    Failed(String),
}

#[async_trait]
impl SinkTask for FileSinkTask {
    async fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let file = file_of(config)?;
        tracing::debug!(connector = context.connector_name(), task = context.task_id(), file, "opening");
        let output = match file {
            None => Output::stdout(),
            Some(file) => {
                let died = FileError::ThreadDied { file: file.clone() };
                tokio::task::spawn_blocking(move || Output::open(&file)).await.map_err(|_| died)??
            }
        };
        self.state = State::Idle(output, Vec::new());
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError> {
        if batch.is_empty() {
            return self.notice_failure().await;
        }
        for record in batch.iter() {
            append_line(&mut self.lines, record.value());
            if self.lines.len() >= BUFFER_BYTES {
                self.write().await?;
            }
        }
        self.write().await
    }

    async fn flush(&mut self, _offsets: &OffsetMap) -> Result<(), ConnectError> {
        self.write().await?;
        self.settle().await?;
        if self.dirty {
            self.work(|output, _| output.sync())?;
            self.settle().await?;
            self.dirty = false;
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        let written = match self.state {
            State::Busy(_) => self.settle().await,
            _ => Ok(()),
        };
        self.state = State::Closed;
        written
    }
}

/// Appends a value and a line feed: strings and byte arrays as they are, others as Java's `toString`.
#[inline]
fn append_line(lines: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::String(text) => lines.extend_from_slice(text.as_bytes()),
        ValueRef::Bytes(bytes) => lines.extend_from_slice(bytes),
        other => java_text::append_value(lines, other),
    }
    lines.push(b'\n');
}

impl FileSinkTask {
    /// Gives the lines to a blocking thread, after the write before.
    async fn write(&mut self) -> Result<(), ConnectError> {
        if self.lines.is_empty() {
            return self.notice_failure().await;
        }
        self.settle().await?;
        if let State::Idle(_, buffer) = &mut self.state {
            std::mem::swap(buffer, &mut self.lines);
        }
        self.dirty = true;
        self.work(|output, buffer| {
            let written = output.write(buffer);
            buffer.clear();
            buffer.shrink_to(4 * BUFFER_BYTES);
            written
        })
    }

    /// Starts work in a blocking thread; the task must be idle.
    fn work<F>(&mut self, work: F) -> Result<(), ConnectError>
    where
        F: FnOnce(&mut Output, &mut Vec<u8>) -> Result<(), FileError> + Send + 'static,
    {
        match std::mem::take(&mut self.state) {
            State::Idle(mut output, mut buffer) => {
                self.state = State::Busy(tokio::task::spawn_blocking(move || {
                    let done = work(&mut output, &mut buffer);
                    (output, buffer, done)
                }));
                Ok(())
            }
            other => {
                self.state = other;
                Err(ConnectError::fatal("the file sink task was used before it was started or after a stop"))
            }
        }
    }

    /// Waits for the work under way; fails if it or anything before it failed.
    async fn settle(&mut self) -> Result<(), ConnectError> {
        if let State::Busy(handle) = &mut self.state {
            self.state = match handle.await {
                Ok((output, buffer, Ok(()))) => State::Idle(output, buffer),
                Ok((_, _, Err(error))) => State::Failed(error.to_string()),
                Err(_) => State::Failed("the thread that writes the file ended early".to_owned()),
            };
        }
        match &self.state {
            State::Failed(message) => Err(ConnectError::fatal(message.clone())),
            _ => Ok(()),
        }
    }

    /// Fails if something failed, without waiting for work under way.
    async fn notice_failure(&mut self) -> Result<(), ConnectError> {
        match &self.state {
            State::Busy(handle) if !handle.is_finished() => Ok(()),
            _ => self.settle().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, sink_context};
    use crossdock_api::{Bytes, ErrorKind, Map, RecordBatch, Value};
    use std::fs;
    use std::path::Path;

    fn batch(values: Vec<Value>) -> SinkBatch {
        let mut batch = RecordBatch::new();
        let topic = batch.topic("t");
        for value in values {
            batch.record(topic).value(None, value).finish().unwrap();
        }
        SinkBatch::new(batch)
    }

    async fn started(file: &Path) -> FileSinkTask {
        let mut task = FileSinkTask::default();
        task.start(sink_context(), &config(&[("file", file.to_str().unwrap())])).await.unwrap();
        task
    }

    #[tokio::test]
    async fn values_become_lines_as_java_prints_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut task = started(&path).await;
        let map: Map = [("a", Value::Float64(1.0))].into_iter().collect();
        let values = vec![
            Value::string("é"),
            Value::Null,
            Value::Bytes(Bytes::from_static(b"\xff")),
            Value::Map(map),
            Value::string(""),
        ];
        task.put(batch(values)).await.unwrap();
        task.put(batch(vec![Value::Int8(7)])).await.unwrap();
        task.flush(&OffsetMap::new()).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\xc3\xa9\nnull\n\xff\n{a=1.0}\n\n7\n");
        task.stop().await.unwrap();
        let mut task = started(&path).await;
        task.put(batch(vec![Value::Boolean(true)])).await.unwrap();
        task.stop().await.unwrap();
        assert!(fs::read(&path).unwrap().ends_with(b"7\ntrue\n"));
    }

    #[tokio::test]
    async fn more_than_a_buffer_is_written_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut task = started(&path).await;
        let line = "x".repeat(1000);
        let values = (0..3000).map(|i| Value::string(&format!("{i:04}{line}"))).collect();
        task.put(batch(values)).await.unwrap();
        task.pre_commit(OffsetMap::new()).await.unwrap();
        let written = fs::read_to_string(&path).unwrap();
        let numbers: Vec<usize> = written.lines().map(|l| l[..4].parse().unwrap()).collect();
        assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn after_a_failed_write_nothing_succeeds_any_more() {
        let mut task = started(Path::new("/dev/full")).await;
        let _ = task.put(batch(vec![Value::string("x")])).await;
        let error = task.pre_commit(OffsetMap::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fatal);
        assert!(
            error.to_string().contains("/dev/full") && error.to_string().contains("free space"),
            "{error}"
        );
        assert!(task.put(batch(vec![Value::string("y")])).await.is_err());
        assert!(task.put(batch(vec![])).await.is_err());
        assert!(task.flush(&OffsetMap::new()).await.is_err());
        task.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_did_not_start_says_so() {
        let mut task = FileSinkTask::default();
        let error = task.put(batch(vec![Value::Null])).await.unwrap_err().to_string();
        assert!(error.contains("before it was started"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let directory = config(&[("file", folder.path().to_str().unwrap())]);
        assert!(task.start(sink_context(), &directory).await.is_err());
        task.stop().await.unwrap();
    }
}
