//! The file of a partition: `<topic>-<partition>/00000000000000000000.log`, laid out as Kafka's.

use bytes::{Bytes, BytesMut};
use crossdock_wire::header::{HEADER_LEN, compute_crc};
use crossdock_wire::{BatchHeader, WireError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "00000000000000000000.log";
/// No batch can be larger than a request; a larger length in the file is damage.
const MAX_BATCH_BYTES: usize = 100 << 20;

/// An open file of batches. Reads and appends are serialised by the lock of the partition.
#[derive(Debug)]
pub(crate) struct DiskLog {
    file: File,
    path: PathBuf,
    /// Set after a failed append that could not be undone: the file's end is not known any more.
    broken: bool,
}

impl DiskLog {
    /// Opens or creates the file in `dir`, gives the header of each whole batch to `seen`, and cuts
    /// off what follows the last of them. Damaged bytes are kept in a file beside it.
    pub(crate) fn recover(dir: &Path, mut seen: impl FnMut(&BatchHeader)) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(FILE_NAME);
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let total = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut scan = Scan { position: 0, next_offset: 0, batch: Vec::new() };
        let end = loop {
            match scan.next(&mut reader, total)? {
                Step::Batch(header) => seen(&header),
                Step::End(end) => break end,
            }
        };
        drop(reader);
        if scan.position < total {
            cut_off(&file, &path, scan.position, total, &end)?;
        }
        Ok(Self { file, path, broken: false })
    }

    /// Appends whole batches. If that fails, the file is cut back to `end`, its length before.
    pub(crate) fn append(&mut self, bytes: &[u8], end: u64) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other(format!(
                "{} could not be repaired after a failed write; restart the broker",
                self.path.display()
            )));
        }
        self.file.write_all(bytes).inspect_err(|_| self.broken = self.file.set_len(end).is_err())
    }

    /// Reads `len` bytes at `position`, both from the index.
    pub(crate) fn read(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(len);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes.freeze())
    }

    /// Flushes the file to the device.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

enum Step {
    Batch(BatchHeader),
    End(End),
}

/// How the walk over a file ended.
enum End {
    Whole,
    /// The last write did not finish.
    Torn,
    Damaged(String),
}

struct Scan {
    position: u64,
    next_offset: i64,
    batch: Vec<u8>,
}

impl Scan {
    fn next(&mut self, reader: &mut impl Read, total: u64) -> io::Result<Step> {
        let left = total - self.position;
        if left == 0 {
            return Ok(Step::End(End::Whole));
        }
        if left < HEADER_LEN as u64 {
            return Ok(Step::End(End::Torn));
        }
        self.batch.resize(HEADER_LEN, 0);
        reader.read_exact(&mut self.batch)?;
        let header = match BatchHeader::parse(&self.batch) {
            Ok(header) => header,
            Err(error) => return Ok(Step::End(End::Damaged(error.to_string()))),
        };
        let len = header.total_len();
        if len > MAX_BATCH_BYTES || header.base_offset < self.next_offset {
            return Ok(Step::End(End::Damaged("a batch has an impossible length or offset".into())));
        }
        if left < len as u64 {
            return Ok(Step::End(End::Torn));
        }
        self.batch.resize(len, 0);
        reader.read_exact(&mut self.batch[HEADER_LEN..])?;
        let computed = compute_crc(&self.batch);
        if computed != header.crc {
            let (base_offset, stored) = (header.base_offset, header.crc);
            let error = WireError::Checksum { base_offset, stored, computed };
            return Ok(Step::End(End::Damaged(error.to_string())));
        }
        self.position += len as u64;
        self.next_offset = header.last_offset().saturating_add(1);
        Ok(Step::Batch(header))
    }
}

fn cut_off(file: &File, path: &Path, position: u64, total: u64, end: &End) -> io::Result<()> {
    let bytes = total - position;
    match end {
        End::Damaged(why) => {
            let kept = path.with_extension(format!("damaged-{position}"));
            let mut from = file;
            from.seek(SeekFrom::Start(position))?;
            io::copy(&mut from, &mut File::create(&kept)?)?;
            tracing::error!(log = %path.display(), position, bytes, kept = %kept.display(),
                "the log is damaged and was cut off: {why}");
        }
        End::Torn | End::Whole => {
            tracing::warn!(log = %path.display(), position, bytes, "the log ended in a half-written batch, which was cut off");
        }
    }
    file.set_len(position)
}

#[cfg(test)]
mod tests {
    use crate::log::PartitionLog;
    use crate::log::tests::batch_at;
    use crossdock_wire::BatchHeader;
    use std::fs;

    fn write_two(dir: &std::path::Path) -> usize {
        let mut log = PartitionLog::open(dir).unwrap();
        let batch = batch_at(5, &["a", "b"]);
        for base in [0, 2] {
            let header = BatchHeader::parse(&batch).unwrap();
            assert_eq!(log.append(&batch, &header, None).unwrap().base_offset, base);
        }
        batch.len()
    }

    #[test]
    fn a_reopened_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let len = write_two(dir.path());
        let log = PartitionLog::open(dir.path()).unwrap();
        assert_eq!(log.end_offset(), 4);
        assert_eq!(log.read(0, usize::MAX, false).unwrap().len(), 2 * len);
        assert_eq!(log.find_timestamp(5).unwrap().unwrap().offset, 0);
    }

    #[test]
    fn a_torn_tail_is_cut_at_every_length() {
        for cut in 1..80 {
            let dir = tempfile::tempdir().unwrap();
            let len = write_two(dir.path());
            let path = dir.path().join(super::FILE_NAME);
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len((2 * len - cut.min(len - 1)) as u64).unwrap();
            let log = PartitionLog::open(dir.path()).unwrap();
            assert_eq!(log.end_offset(), 2, "cut of {cut}");
            assert_eq!(fs::metadata(&path).unwrap().len(), len as u64);
        }
    }

    #[test]
    fn damage_is_cut_off_and_kept_beside_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let len = write_two(dir.path());
        let path = dir.path().join(super::FILE_NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[len + 65] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(PartitionLog::open(dir.path()).unwrap().end_offset(), 2);
        let kept = path.with_extension(format!("damaged-{len}"));
        assert_eq!(fs::read(kept).unwrap(), bytes[len..]);
        assert_eq!(PartitionLog::open(dir.path()).unwrap().end_offset(), 2);
    }
}
