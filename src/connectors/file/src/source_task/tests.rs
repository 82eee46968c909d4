use super::*;
use crate::testing::{config, source_context};
use crossdock_api::ValueRef;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

struct Fixture {
    folder: tempfile::TempDir,
    task: FileSourceTask,
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.folder.path().join("f")
    }

    fn append(&self, bytes: &[u8]) {
        append(&self.path(), bytes);
    }

    /// Polls until `count` records were read; the lines with the position after each.
    async fn lines(&mut self, count: usize) -> Vec<(String, i64)> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let mut batch = SourceBatch::new();
            self.task.poll(&mut batch).await.unwrap();
            lines.extend(read(&batch));
        }
        lines
    }

    /// Polls until there is an error.
    async fn error(&mut self) -> String {
        loop {
            if let Err(error) = self.task.poll(&mut SourceBatch::new()).await {
                return error.to_string();
            }
        }
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

async fn started(contents: Option<&[u8]>, stored: Option<i64>, pairs: &[(&str, &str)]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    if let Some(contents) = contents {
        fs::write(&path, contents).unwrap();
    }
    let mut config = config(pairs);
    config.insert("file".to_owned(), path.to_str().unwrap().to_owned());
    config.insert("topic".to_owned(), "t".to_owned());
    let stored = stored.map(|p| [(POSITION_FIELD, Value::Int64(p))].into_iter().collect());
    let mut task = FileSourceTask::default();
    task.start(source_context(stored), &config).await.unwrap();
    Fixture { folder, task }
}

fn read(batch: &SourceBatch) -> Vec<(String, i64)> {
    let line = |record: crossdock_api::RecordRef<'_>| {
        let Some(Value::Int64(position)) =
            batch.offset_of(record.ordinal()).unwrap().get(POSITION_FIELD).cloned()
        else {
            panic!("no position")
        };
        let text = match record.value() {
            ValueRef::Bytes(bytes) => format!("{bytes:x?}"),
            other => other.as_str().unwrap().to_owned(),
        };
        (text, position)
    };
    batch.records().iter().map(line).collect()
}

fn expected(lines: &[(&str, i64)]) -> Vec<(String, i64)> {
    lines.iter().map(|(line, position)| (line.to_string(), *position)).collect()
}

#[tokio::test]
async fn records_are_connects() {
    let mut fixture = started(Some("é\n".as_bytes()), None, &[]).await;
    let mut batch = SourceBatch::new();
    fixture.task.poll(&mut batch).await.unwrap();
    let record = batch.records().get(0).unwrap();
    assert_eq!((record.topic(), record.partition()), ("t", None));
    assert!(record.key().is_null() && record.key_schema().is_none());
    assert_eq!(**record.value_schema().unwrap(), **Schema::string());
    assert!(record.timestamp().is_some());
    let path = fixture.path();
    assert_eq!(batch.partitions()[0].get(FILENAME_FIELD), Some(&Value::string(path.to_str().unwrap())));
    assert_eq!(read(&batch), expected(&[("é", 3)]));
}

#[tokio::test]
async fn a_file_is_followed_and_its_last_line_held_back() {
    let mut fixture = started(Some(b"one\r\ntwo\nthr"), None, &[]).await;
    assert_eq!(fixture.lines(2).await, expected(&[("one", 5), ("two", 9)]));
    fixture.append(b"ee\nfour\n");
    assert_eq!(fixture.lines(2).await, expected(&[("three", 15), ("four", 20)]));
}

#[tokio::test]
async fn a_missing_file_is_waited_for() {
    let mut fixture = started(None, None, &[]).await;
    let mut batch = SourceBatch::new();
    fixture.task.poll(&mut batch).await.unwrap();
    assert!(batch.is_empty());
    fixture.append(b"here\n");
    assert_eq!(fixture.lines(1).await, expected(&[("here", 5)]));
}

#[tokio::test]
async fn reading_goes_on_at_the_stored_position() {
    let mut fixture = started(Some(b"one\ntwo\nthree\n"), Some(4), &[]).await;
    assert_eq!(fixture.lines(2).await, expected(&[("two", 8), ("three", 14)]));
}

#[tokio::test]
async fn a_shorter_file_fails_and_says_what_to_do() {
    let mut fixture = started(Some(b"one\n"), Some(40), &[]).await;
    let message = fixture.error().await;
    assert!(message.contains("has 4 bytes") && message.contains("under another name"), "{message}");
}

#[tokio::test]
async fn batch_size_bounds_a_poll_if_it_is_set() {
    let lines = b"x\n".repeat(20_000);
    let mut fixture = started(Some(&lines), None, &[("batch.size", "3")]).await;
    let mut batch = SourceBatch::new();
    fixture.task.poll(&mut batch).await.unwrap();
    fixture.task.poll(&mut batch).await.unwrap();
    assert_eq!(batch.len(), 6);
    assert_eq!(read(&batch).last().unwrap().1, 12);
    let mut fixture = started(Some(&lines), None, &[]).await;
    let mut batch = SourceBatch::new();
    fixture.task.poll(&mut batch).await.unwrap();
    assert_eq!(batch.len(), RECORDS);
    assert_eq!(fixture.lines(20_000 - RECORDS).await.last().unwrap().1, 40_000);
}

#[tokio::test]
async fn a_dropped_poll_loses_nothing() {
    let lines = b"0123456789\n".repeat(300_000);
    let mut fixture = started(Some(&lines), None, &[]).await;
    let mut total = 0;
    let mut last = 0;
    while total < 300_000 {
        let mut batch = SourceBatch::new();
        // Ready or not, the future is dropped after its first poll.
        tokio::select! {
            biased;
            polled = fixture.task.poll(&mut batch) => polled.unwrap(),
            () = tokio::task::yield_now() => {}
        }
        for (line, position) in read(&batch) {
            assert_eq!(line, "0123456789");
            assert_eq!(position, last + 11);
            last = position;
            total += 1;
        }
    }
}

#[tokio::test]
async fn invalid_utf8_fails_after_the_lines_before_it() {
    let contents = b"one\ntwo\n\xff\nthree\n";
    let mut fixture = started(Some(contents), None, &[]).await;
    assert_eq!(fixture.lines(2).await, expected(&[("one", 4), ("two", 8)]));
    let message = fixture.error().await;
    assert!(message.contains("byte 8") && message.contains("'bytes'"), "{message}");
    let mut fixture = started(Some(contents), None, &[("crossdock.invalid.utf8", "replace")]).await;
    assert_eq!(fixture.lines(4).await[2..], expected(&[("\u{fffd}", 10), ("three", 16)]));
    let mut fixture = started(Some(contents), None, &[("crossdock.invalid.utf8", "bytes")]).await;
    assert_eq!(fixture.lines(4).await[2], ("[ff]".to_owned(), 10));
}

#[tokio::test]
async fn a_line_that_is_too_long_fails_after_the_lines_before_it() {
    let long = [&b"ok\n"[..], &b"x".repeat(2000), b"\nafter\n"].concat();
    let mut fixture = started(Some(&long), None, &[("crossdock.max.line.bytes", "1024")]).await;
    assert_eq!(fixture.lines(1).await, expected(&[("ok", 3)]));
    let message = fixture.error().await;
    assert!(message.contains("line at byte 3") && message.contains("1024 bytes"), "{message}");
}

#[tokio::test]
async fn a_wrong_stored_offset_and_a_directory_are_errors() {
    let stored = [(POSITION_FIELD, Value::string("x"))].into_iter().collect();
    let mut task = FileSourceTask::default();
    let settings = config(&[("file", "f"), ("topic", "t")]);
    let error = task.start(source_context(Some(stored)), &settings).await.unwrap_err().to_string();
    assert!(error.contains("/offsets"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let settings = config(&[("file", folder.path().to_str().unwrap()), ("topic", "t")]);
    let mut task = FileSourceTask::default();
    task.start(source_context(None), &settings).await.unwrap();
    let error = task.poll(&mut SourceBatch::new()).await.unwrap_err().to_string();
    assert!(error.contains("is a directory"), "{error}");
    assert!(FileSourceTask::default().poll(&mut SourceBatch::new()).await.is_err());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_is_read_to_its_end() {
    let mut task = FileSourceTask::default();
    task.start(source_context(None), &config(&[("file", "/dev/null"), ("topic", "t")])).await.unwrap();
    let mut batch = SourceBatch::new();
    task.poll(&mut batch).await.unwrap();
    assert!(batch.is_empty());
    task.stop().await.unwrap();
}
