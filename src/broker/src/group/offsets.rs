//! Committed offsets. With a data directory they are lines of JSON in one file, appended at each
//! commit; the last line for a partition counts. The file is written anew when most of it is outdated.

use crate::error::BrokerError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file is written anew when it has this many lines, and four for each committed offset.
const REWRITE_AT_LINES: usize = 10_000;

/// What was committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// Committed offsets of one group, by topic and partition.
pub(crate) type GroupOffsets = BTreeMap<String, BTreeMap<i32, Committed>>;

/// One line of the file; without `committed` the offset is deleted, without `topic` the whole group.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    group: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    topic: Option<String>,
    #[serde(default)]
    partition: i32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    committed: Option<Committed>,
}

/// The committed offsets of all groups.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    groups: BTreeMap<String, GroupOffsets>,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    /// Length of the whole lines.
    len: u64,
    lines: usize,
}

impl Offsets {
    /// Reads the file, or begins it. A half-written last line is cut off.
    pub(crate) fn open(path: &Path) -> Result<Self, BrokerError> {
        let failed = |source| BrokerError::Storage { action: "open", path: path.to_owned(), source };
        let open = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = open.map_err(failed)?;
        let text = fs::read(path).map_err(failed)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            tracing::warn!(path = %path.display(), bytes = text.len() - whole, "a half-written commit was cut off");
            file.set_len(whole as u64).map_err(failed)?;
        }
        let mut offsets = Self::default();
        let mut lines = 0;
        for line in text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            lines += 1;
            let line = serde_json::from_slice(line).map_err(|error| BrokerError::Damaged {
                path: path.to_owned(),
                reason: format!("line {lines}: {error}"),
            })?;
            offsets.apply(line);
        }
        offsets.journal = Some(Journal { path: path.to_owned(), file, len: whole as u64, lines });
        Ok(offsets)
    }

    /// The offsets of a group, if it has any.
    pub(crate) fn group(&self, group: &str) -> Option<&GroupOffsets> {
        self.groups.get(group)
    }

    /// Groups that have offsets.
    pub(crate) fn group_ids(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    /// Commits some offsets of a group, all or (after an error) none.
    pub(crate) fn commit(&mut self, group: &str, offsets: Vec<(String, i32, Committed)>) -> io::Result<()> {
        let line = |(topic, partition, committed)| Line {
            group: group.to_owned(),
            topic: Some(topic),
            partition,
            committed: Some(committed),
        };
        self.write(offsets.into_iter().map(line).collect())
    }

    /// Forgets some offsets of a group, all or (after an error) none.
    pub(crate) fn delete(&mut self, group: &str, partitions: Vec<(String, i32)>) -> io::Result<()> {
        let line = |(topic, partition)| Line {
            group: group.to_owned(),
            topic: Some(topic),
            partition,
            committed: None,
        };
        self.write(partitions.into_iter().map(line).collect())
    }

    /// Forgets a group; whether it had offsets.
    pub(crate) fn delete_group(&mut self, group: &str) -> io::Result<bool> {
        if !self.groups.contains_key(group) {
            return Ok(false);
        }
        self.write(vec![Line { group: group.to_owned(), topic: None, partition: 0, committed: None }])?;
        Ok(true)
    }

    /// Forgets the offsets of a deleted topic in all groups.
    pub(crate) fn delete_topic(&mut self, topic: &str) -> io::Result<()> {
        let mut lines = Vec::new();
        for (group, topics) in &self.groups {
            for &partition in topics.get(topic).into_iter().flat_map(BTreeMap::keys) {
                let (group, topic) = (group.clone(), Some(topic.to_owned()));
                lines.push(Line { group, topic, partition, committed: None });
            }
        }
        self.write(lines)
    }

    /// Makes all commits survive a power loss.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.file.sync_data())
    }

    fn write(&mut self, lines: Vec<Line>) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.append(&lines)?;
        }
        lines.into_iter().for_each(|line| self.apply(line));
        self.rewrite_if_outdated();
        Ok(())
    }

    fn apply(&mut self, line: Line) {
        let Some(topic) = line.topic else {
            self.groups.remove(&line.group);
            return;
        };
        if let Some(committed) = line.committed {
            let topics = self.groups.entry(line.group).or_default();
            topics.entry(topic).or_default().insert(line.partition, committed);
            return;
        }
        let Some(topics) = self.groups.get_mut(&line.group) else { return };
        if let Some(partitions) = topics.get_mut(&topic) {
            partitions.remove(&line.partition);
        }
        topics.retain(|_, partitions| !partitions.is_empty());
        self.groups.retain(|_, topics| !topics.is_empty());
    }

    fn rewrite_if_outdated(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        if journal.lines < REWRITE_AT_LINES {
            return;
        }
        let live: usize = self.groups.values().flat_map(BTreeMap::values).map(BTreeMap::len).sum();
        if journal.lines / 4 < live {
            return;
        }
        let mut lines = Vec::with_capacity(live);
        for (group, topics) in &self.groups {
            for (topic, partitions) in topics {
                for (&partition, committed) in partitions {
                    let (topic, committed) = (Some(topic.clone()), Some(committed.clone()));
                    lines.push(Line { group: group.clone(), topic, partition, committed });
                }
            }
        }
        // The old file goes on being used if this fails; nothing is lost.
        if let Err(error) = journal.replace(&lines) {
            tracing::warn!(path = %journal.path.display(), %error, "the committed offsets could not be written anew");
        }
    }
}

impl Journal {
    fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let bytes = encode(lines)?;
        if let Err(error) = self.file.write_all(&bytes) {
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += bytes.len() as u64;
        self.lines += lines.len();
        Ok(())
    }

    fn replace(&mut self, lines: &[Line]) -> io::Result<()> {
        let bytes = encode(lines)?;
        let next = self.path.with_extension("jsonl.next");
        let _ = fs::remove_file(&next);
        let mut file = OpenOptions::new().read(true).append(true).create_new(true).open(&next)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&next, &self.path)?;
        *self = Self { path: self.path.clone(), file, len: bytes.len() as u64, lines: lines.len() };
        Ok(())
    }
}

fn encode(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).map_err(io::Error::other)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed { offset, leader_epoch: -1, metadata: "m".into() }
    }

    fn offset(offsets: &Offsets, group: &str, partition: i32) -> Option<i64> {
        Some(offsets.group(group)?.get("t")?.get(&partition)?.offset)
    }

    #[test]
    fn commits_and_deletions_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut offsets = Offsets::open(&path).unwrap();
        offsets.commit("g", vec![("t".into(), 0, at(1)), ("t".into(), 1, at(2))]).unwrap();
        offsets.commit("g", vec![("t".into(), 0, at(5))]).unwrap();
        offsets.commit("h", vec![("t".into(), 0, at(7))]).unwrap();
        assert!(offsets.delete_group("h").unwrap());
        // A write that was cut short by a kill.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"group\":\"g").unwrap();
        let mut offsets = Offsets::open(&path).unwrap();
        assert_eq!((offset(&offsets, "g", 0), offset(&offsets, "g", 1)), (Some(5), Some(2)));
        assert!(offsets.group("h").is_none());
        offsets.delete_topic("t").unwrap();
        assert!(Offsets::open(&path).unwrap().group("g").is_none());
    }

    #[test]
    fn an_outdated_file_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut offsets = Offsets::open(&path).unwrap();
        for n in 0..=REWRITE_AT_LINES as i64 {
            offsets.commit("g", vec![("t".into(), 0, at(n))]).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < 1000);
        let offsets = Offsets::open(&path).unwrap();
        assert_eq!(offset(&offsets, "g", 0), Some(REWRITE_AT_LINES as i64));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        fs::write(&path, "{\"group\":\"g\"}\nnonsense\n").unwrap();
        let error = Offsets::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
