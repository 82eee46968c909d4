//! A regular file, read block by block. All calls block: they belong into a blocking thread.

use crate::error::FileError;
use crate::lines::{Block, InvalidUtf8, LineBuffer};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes of one read.
pub(crate) const BLOCK_BYTES: usize = 512 * 1024;

/// Where and how to read.
#[derive(Debug, Clone)]
pub(crate) struct ReadSettings {
    /// Name of the connector, for the log.
    pub(crate) connector: String,
    /// The file as it is configured.
    pub(crate) file: String,
    /// The byte to start from.
    pub(crate) position: u64,
    pub(crate) invalid: InvalidUtf8,
    pub(crate) max_line: usize,
}

impl ReadSettings {
    pub(crate) fn lines(&self, position: u64) -> LineBuffer {
        LineBuffer::new(&self.file, self.invalid, self.max_line, position)
    }
}

/// What is at the path.
#[derive(Debug)]
pub(crate) enum Found {
    Missing,
    Regular(FileReader),
    /// A pipe or a device: it has no positions and is read by a thread of its own.
    Stream,
}

/// What a read gave.
#[derive(Debug)]
pub(crate) enum Step {
    Block(Block),
    /// The file ends here for now, after so many bytes of a line without an end.
    End {
        unfinished: usize,
    },
}

/// An open regular file.
#[derive(Debug)]
pub(crate) struct FileReader {
    file: File,
    path: PathBuf,
    lines: LineBuffer,
}

impl FileReader {
    /// Opens what is at the path and goes to the position.
    pub(crate) fn open(settings: &ReadSettings) -> Result<Found, FileError> {
        let name = &settings.file;
        let path = Path::new(name);
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            other => other.map_err(|e| FileError::io("opening", name, e))?,
        };
        if metadata.is_dir() {
            return Err(FileError::Directory { file: name.clone() });
        }
        if !metadata.is_file() {
            return Ok(Found::Stream);
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            other => other.map_err(|e| FileError::io("opening", name, e))?,
        };
        let mut reader = Self { file, path: path.to_owned(), lines: settings.lines(settings.position) };
        reader.seek(settings)?;
        Ok(Found::Regular(reader))
    }

    fn seek(&mut self, settings: &ReadSettings) -> Result<(), FileError> {
        let position = settings.position;
        if position == 0 {
            return Ok(());
        }
        self.check_length(&self.metadata()?)?;
        let failed = |e| FileError::io("reading", &settings.file, e);
        self.file.seek(SeekFrom::Start(position - 1)).map_err(failed)?;
        let mut around = Vec::new();
        self.file.by_ref().take(2).read_to_end(&mut around).map_err(failed)?;
        let starts_line = match around[..] {
            [b'\n', ..] | [b'\r'] => true,
            [b'\r', next, ..] => next != b'\n',
            _ => false,
        };
        if !starts_line {
            tracing::warn!(
                connector = settings.connector,
                file = settings.file,
                position,
                "the stored position is not at the start of a line: the file was changed, or the position \
                 was stored by a Java worker, which counts characters instead of bytes; the first record \
                 may be a part of a line"
            );
        }
        self.file.seek(SeekFrom::Start(position)).map_err(failed)?;
        Ok(())
    }

    /// The next lines, or that there are none for now.
    pub(crate) fn step(&mut self) -> Result<Step, FileError> {
        loop {
            if let Some(block) = self.lines.next_block()? {
                return Ok(Step::Block(block));
            }
            let read = self.lines.fill(&self.file, BLOCK_BYTES);
            if read.map_err(|e| FileError::io("reading", self.lines.file(), e))? == 0 {
                let metadata = self.metadata()?;
                self.check_length(&metadata)?;
                self.check_identity(&metadata)?;
                return Ok(Step::End { unfinished: self.lines.unfinished() });
            }
        }
    }

    fn metadata(&self) -> Result<Metadata, FileError> {
        self.file.metadata().map_err(|e| FileError::io("reading", self.lines.file(), e))
    }

    /// Fails if the file got shorter than what was read of it.
    fn check_length(&self, open: &Metadata) -> Result<(), FileError> {
        let (len, position) = (open.len(), self.lines.read_up_to());
        if len < position {
            return Err(FileError::Shorter { file: self.lines.file().to_owned(), len, position });
        }
        Ok(())
    }

    /// Fails if another file is at the path by now. A missing one is waited for.
    fn check_identity(&self, open: &Metadata) -> Result<(), FileError> {
        let Ok(there) = fs::metadata(&self.path) else { return Ok(()) };
        if same_file(open, &there) {
            return Ok(());
        }
        let (file, position) = (self.lines.file().to_owned(), self.lines.read_up_to());
        Err(FileError::Replaced { file, position })
    }
}

#[cfg(unix)]
pub(crate) fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
pub(crate) fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn settings(file: &Path, position: u64) -> ReadSettings {
        ReadSettings {
            connector: "c".to_owned(),
            file: file.to_str().unwrap().to_owned(),
            position,
            invalid: InvalidUtf8::Fail,
            max_line: 1 << 20,
        }
    }

    fn open(file: &Path, position: u64) -> FileReader {
        match FileReader::open(&settings(file, position)).unwrap() {
            Found::Regular(reader) => reader,
            other => panic!("{other:?}"),
        }
    }

    fn block(reader: &mut FileReader) -> (u64, u64) {
        match reader.step().unwrap() {
            Step::Block(block) => (block.start, block.end),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_growing_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut reader = open(&path, 0);
        assert_eq!(block(&mut reader), (0, 4));
        assert!(matches!(reader.step().unwrap(), Step::End { unfinished: 2 }));
        file.write_all(b"o\n").unwrap();
        assert_eq!(block(&mut reader), (4, 8));
        assert_eq!(block(&mut open(&path, 4)), (4, 8));
    }

    #[test]
    fn a_file_larger_than_a_block_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let line = format!("{}\r\n", "x".repeat(1021));
        std::fs::write(&path, line.repeat(3000)).unwrap();
        let mut reader = open(&path, 0);
        let mut end = 0;
        while let Step::Block(block) = reader.step().unwrap() {
            assert_eq!(block.start, end);
            assert_eq!((block.end - block.start) % line.len() as u64, 0);
            end = block.end;
        }
        assert_eq!(end, 3000 * line.len() as u64);
    }

    #[test]
    fn a_truncated_or_replaced_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "one\n").unwrap();
        let message = FileReader::open(&settings(&path, 9)).unwrap_err().to_string();
        assert!(message.contains("has 4 bytes but was read up to byte 9"), "{message}");
        let mut reader = open(&path, 0);
        block(&mut reader);
        std::fs::rename(&path, folder.path().join("f.1")).unwrap();
        assert!(matches!(reader.step().unwrap(), Step::End { .. }));
        std::fs::write(&path, "new\n").unwrap();
        let message = reader.step().unwrap_err().to_string();
        assert!(message.contains("was replaced") && message.contains("under another name"), "{message}");
        let mut reader = open(&path, 4);
        File::create(&path).unwrap();
        assert!(reader.step().unwrap_err().to_string().contains("truncated"));
    }

    #[test]
    fn missing_files_directories_and_devices_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(matches!(FileReader::open(&settings(&missing, 0)).unwrap(), Found::Missing));
        let message = FileReader::open(&settings(folder.path(), 0)).unwrap_err().to_string();
        assert!(message.contains("is a directory"), "{message}");
        #[cfg(unix)]
        assert!(matches!(FileReader::open(&settings(Path::new("/dev/null"), 0)).unwrap(), Found::Stream));
    }
}
