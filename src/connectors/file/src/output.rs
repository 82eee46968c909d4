//! The file that a sink appends to. All calls block: they belong into a blocking thread.

use crate::error::FileError;
use crate::reader::same_file;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Standard output, or an open file.
#[derive(Debug)]
pub(crate) struct Output {
    name: String,
    /// `None` is standard output.
    file: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// Pipes and devices cannot be synced.
    regular: bool,
}

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self { name: "stdout".to_owned(), file: None }
    }

    /// Opens a file for appending, or makes it. A last line without an end, as a killed process leaves
    /// it, is ended, so that no line is glued to it.
    pub(crate) fn open(name: &str) -> Result<Self, FileError> {
        let file = Open::new(name)?;
        let mut output = Self { name: name.to_owned(), file: Some(file) };
        if output.file.as_mut().is_some_and(Open::ends_inside_a_line) {
            tracing::warn!(
                file = name,
                "the file does not end with a line feed: its last line was cut off or written by another \
                 program; a line feed is added before new lines"
            );
            output.write(b"\n")?;
        }
        Ok(output)
    }

    /// Appends all of `lines`. After a failure a part of them may be in the file.
    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let written = match &mut self.file {
            Some(open) => open.file.write_all(lines),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines).and_then(|()| stdout.flush())
            }
        };
        written.map_err(|e| FileError::io("writing to", &self.name, e))
    }

    /// Brings everything written to the disk, and follows a file that was renamed: what comes next goes
    /// to a new file of the old name.
    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        let Some(open) = self.file.as_mut().filter(|open| open.regular) else { return Ok(()) };
        open.file.sync_data().map_err(|e| FileError::io("syncing", &self.name, e))?;
        let failed = |e| FileError::io("checking", &self.name, e);
        let ours = open.file.metadata().map_err(failed)?;
        if is_deleted(&ours) {
            return Err(FileError::Deleted { file: self.name.clone() });
        }
        let renamed = match fs::metadata(&open.path) {
            Ok(there) => !same_file(&ours, &there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed(error)),
        };
        if renamed {
            tracing::info!(file = self.name, "the file was renamed: going on in a new one");
            *self = Self::open(&self.name)?;
        }
        Ok(())
    }
}

impl Open {
    fn new(name: &str) -> Result<Self, FileError> {
        let failed = |e| FileError::io("opening", name, e);
        let path = Path::new(name).to_owned();
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        let regular = file.metadata().map_err(failed)?.is_file();
        Ok(Self { file, path, regular })
    }

    /// Whether the last byte is something else than a line feed. A file that may not be read passes.
    fn ends_inside_a_line(&mut self) -> bool {
        if !self.regular {
            return false;
        }
        let last_byte = || -> io::Result<u8> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            Ok(last[0])
        };
        last_byte().is_ok_and(|last| last != b'\n')
    }
}

#[cfg(unix)]
fn is_deleted(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() == 0
}

#[cfg(not(unix))]
fn is_deleted(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_ended_first() {
        let folder = tempfile::tempdir().unwrap();
        for (before, after) in [("", "x\n"), ("a\n", "a\nx\n"), ("a\nto", "a\nto\nx\n")] {
            let path = folder.path().join("f");
            fs::write(&path, before).unwrap();
            let mut output = Output::open(path.to_str().unwrap()).unwrap();
            output.write(b"x\n").unwrap();
            output.sync().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn what_cannot_be_written_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| Output::open(path.to_str().unwrap()).unwrap_err().to_string();
        let directory = message(folder.path());
        assert!(directory.contains("is a directory: set 'file'"), "{directory}");
        let missing = message(&folder.path().join("no/f"));
        assert!(missing.contains("no/f failed") && missing.contains("create its folder"), "{missing}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named() {
        let mut output = Output::open("/dev/full").unwrap();
        let message = output.write(b"x\n").unwrap_err().to_string();
        assert!(message.contains("/dev/full") && message.contains("free space"), "{message}");
        let mut null = Output::open("/dev/null").unwrap();
        null.write(b"x\n").unwrap();
        null.sync().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_renamed_file_is_followed_and_a_deleted_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("f"), folder.path().join("f.1"));
        let mut output = Output::open(path.to_str().unwrap()).unwrap();
        output.write(b"1\n").unwrap();
        fs::rename(&path, &old).unwrap();
        output.write(b"2\n").unwrap();
        output.sync().unwrap();
        output.write(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "1\n2\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        fs::remove_file(&path).unwrap();
        let message = output.sync().unwrap_err().to_string();
        assert!(message.contains("was deleted"), "{message}");
    }
}
