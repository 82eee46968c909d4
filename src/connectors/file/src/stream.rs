//! Standard input, pipes and devices: read by a thread of their own, since a read may never return.

use crate::error::FileError;
use crate::lines::{Block, LineBuffer};
use crate::reader::ReadSettings;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use tokio::sync::mpsc;

const READ_BYTES: usize = 128 * 1024;

/// Blocks that are read ahead of the task.
const READ_AHEAD: usize = 2;

pub(crate) type Blocks = mpsc::Receiver<Result<Block, FileError>>;

/// Starts to read. The channel is closed when standard input or a device ends; a pipe is opened again
/// for its next writer. The thread ends with the receiver, or at the latest with its next read.
pub(crate) fn read(settings: ReadSettings, stdin: bool) -> Result<Blocks, FileError> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let name = settings.file.clone();
    let run = move || {
        if let Err(error) = run(&settings, stdin, &sender) {
            // Nobody is left to hear of it if this fails.
            let _ = sender.blocking_send(Err(error));
        }
    };
    let spawned = thread::Builder::new().name("file-source".to_owned()).spawn(run);
    spawned.map_err(|e| FileError::io("starting a thread to read", &name, e))?;
    Ok(receiver)
}

type Sender = mpsc::Sender<Result<Block, FileError>>;

fn run(settings: &ReadSettings, stdin: bool, sender: &Sender) -> Result<(), FileError> {
    let mut lines = settings.lines(0);
    if stdin {
        return send_all(io::stdin().lock(), &mut lines, sender).map(drop);
    }
    let path = Path::new(&settings.file);
    loop {
        let file = File::open(path).map_err(|e| FileError::io("opening", &settings.file, e))?;
        if !send_all(file, &mut lines, sender)? || !is_pipe(path) {
            return Ok(());
        }
    }
}

/// Sends all lines; `false` if nobody wants them any more.
fn send_all(mut from: impl Read, lines: &mut LineBuffer, sender: &Sender) -> Result<bool, FileError> {
    loop {
        while let Some(block) = lines.next_block()? {
            if sender.blocking_send(Ok(block)).is_err() {
                return Ok(false);
            }
        }
        match lines.fill_once(&mut from, READ_BYTES) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FileError::io("reading", lines.file(), error)),
        }
    }
    while let Some(block) = lines.last_line()? {
        if sender.blocking_send(Ok(block)).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|m| m.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(path: &Path) -> bool {
    let _ = fs::metadata(path);
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::InvalidUtf8;

    #[test]
    fn every_line_of_a_stream_is_sent_the_last_one_too() {
        let settings = ReadSettings {
            connector: "c".to_owned(),
            file: "stdin".to_owned(),
            position: 0,
            invalid: InvalidUtf8::Fail,
            max_line: 100,
        };
        let (sender, mut receiver) = mpsc::channel(8);
        assert!(send_all(&b"one\ntwo\nthr"[..], &mut settings.lines(0), &sender).unwrap());
        drop(sender);
        let mut ends = Vec::new();
        while let Some(block) = receiver.blocking_recv() {
            ends.push(block.unwrap().end);
        }
        assert_eq!(ends, [8, 11]);
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        assert!(!send_all(&b"one\n"[..], &mut settings.lines(0), &sender).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_never_ends_a_line_is_an_error() {
        let settings = ReadSettings {
            connector: "c".to_owned(),
            file: "/dev/zero".to_owned(),
            position: 0,
            invalid: InvalidUtf8::Fail,
            max_line: 1 << 20,
        };
        let mut blocks = read(settings, false).unwrap();
        let message = blocks.blocking_recv().unwrap().unwrap_err().to_string();
        assert!(message.contains("more than 1048576 bytes"), "{message}");
        assert!(blocks.blocking_recv().is_none());
    }
}
