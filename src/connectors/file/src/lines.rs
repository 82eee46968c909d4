//! Bytes as they are read, turned into blocks of complete lines.
//!
//! A line ends with LF, CR or CR LF, as in Java's `FileStreamSourceTask`. A CR that is the last byte so
//! far does not end a line yet: an LF may follow.

use crate::error::FileError;
use crossdock_api::{Bytes, Text, java_text};
use memchr::{memchr2, memrchr2};
use std::collections::VecDeque;
use std::io::{self, Read};

/// What to do with lines that are not UTF-8: the key `crossdock.invalid.utf8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidUtf8 {
    /// Lines are bytes and are not checked.
    Bytes,
    /// The task fails at such a line, after all lines before it were sent.
    Fail,
    /// Malformed bytes become U+FFFD.
    Replace,
}

/// What lines consist of.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Lines that are not checked.
    Bytes(Bytes),
    /// A single line that differs from the bytes in the file; its line end is left out.
    Replaced(Text),
    /// Lines that are UTF-8.
    Text(Text),
}

/// Complete lines from the input.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Position of its first byte in the input.
    pub(crate) start: u64,
    /// Position after its last line end in the input.
    pub(crate) end: u64,
    /// The lines with their line ends.
    pub(crate) content: Content,
}

/// Where the line that starts at `start` of `data` ends, and where the next starts.
#[inline]
pub(crate) fn line_at(data: &[u8], start: usize) -> (usize, usize) {
    let Some(length) = memchr2(b'\n', b'\r', &data[start..]) else { return (data.len(), data.len()) };
    let end = start + length;
    let crlf = data[end] == b'\r' && data.get(end + 1) == Some(&b'\n');
    (end, if crlf { end + 2 } else { end + 1 })
}

/// Collects bytes and gives them out as blocks. Holds at most one unfinished line and one read.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    file: String,
    invalid: InvalidUtf8,
    max_line: usize,
    /// Position of the first byte of `bytes` in the input.
    position: u64,
    bytes: Vec<u8>,
    /// Bytes at the start of `bytes` that are known to hold no line end.
    searched: usize,
    ready: VecDeque<Block>,
    failure: Option<FileError>,
}

impl LineBuffer {
    pub(crate) fn new(file: &str, invalid: InvalidUtf8, max_line: usize, position: u64) -> Self {
        Self {
            file: file.to_owned(),
            invalid,
            max_line,
            position,
            bytes: Vec::new(),
            searched: 0,
            ready: VecDeque::new(),
            failure: None,
        }
    }

    /// Name of the input, for messages.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Position in the input up to which bytes were read.
    pub(crate) fn read_up_to(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// Bytes of the last line, which has no end yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.bytes.len()
    }

    /// Reads from a regular file until `most` bytes were read or the file ends for now.
    pub(crate) fn fill(&mut self, mut from: impl Read, most: usize) -> io::Result<usize> {
        self.bytes.reserve(most);
        from.by_ref().take(most as u64).read_to_end(&mut self.bytes)
    }

    /// Makes one read of at most `most` bytes; for streams, where more may be long in coming.
    pub(crate) fn fill_once(&mut self, mut from: impl Read, most: usize) -> io::Result<usize> {
        let old = self.bytes.len();
        self.bytes.resize(old + most, 0);
        let read = from.read(&mut self.bytes[old..]);
        self.bytes.truncate(old + *read.as_ref().unwrap_or(&0));
        read
    }

    /// The next complete lines; `None` if more has to be read.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, FileError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Ok(Some(block));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let Some(complete) = self.complete() else { break };
            self.release(complete);
        }
        if self.bytes.len() > self.max_line {
            return Err(FileError::LineTooLong {
                file: self.file.clone(),
                position: self.position,
                max: self.max_line,
            });
        }
        Ok(None)
    }

    /// The last line although it has no end: for streams that are at theirs.
    pub(crate) fn last_line(&mut self) -> Result<Option<Block>, FileError> {
        if let Some(block) = self.next_block()? {
            return Ok(Some(block));
        }
        if !self.bytes.is_empty() {
            self.release(self.bytes.len());
        }
        self.next_block()
    }

    /// Number of bytes up to the last line end.
    fn complete(&mut self) -> Option<usize> {
        let searchable = match self.bytes.last() {
            Some(b'\r') => self.bytes.len() - 1,
            _ => self.bytes.len(),
        };
        let new = self.bytes.get(self.searched..searchable)?;
        match memrchr2(b'\n', b'\r', new) {
            Some(at) => Some(self.searched + at + 1),
            None => {
                self.searched = searchable;
                None
            }
        }
    }

    /// Moves the first `complete` bytes to the blocks.
    fn release(&mut self, complete: usize) {
        let start = self.position;
        let block = if complete < self.bytes.capacity() / 4 {
            // Do not pin a large buffer for a few lines.
            let block = Bytes::copy_from_slice(&self.bytes[..complete]);
            self.bytes.drain(..complete);
            block
        } else {
            let rest = self.bytes.split_off(complete);
            Bytes::from(std::mem::replace(&mut self.bytes, rest))
        };
        self.position += complete as u64;
        self.searched = 0;
        match self.invalid {
            InvalidUtf8::Bytes => {
                let end = start + block.len() as u64;
                self.ready.push_back(Block { start, end, content: Content::Bytes(block) });
            }
            InvalidUtf8::Fail | InvalidUtf8::Replace => self.check(block, start),
        }
    }

    /// Checks lines once for all; lines that are not UTF-8 are taken out of their block.
    fn check(&mut self, mut block: Bytes, mut start: u64) {
        while !block.is_empty() {
            let good = match std::str::from_utf8(&block) {
                Ok(_) => block.len(),
                Err(error) => error.valid_up_to(),
            };
            if good == block.len() {
                return self.push_text(block, start);
            }
            let line = memrchr2(b'\n', b'\r', &block[..good]).map_or(0, |at| at + 1);
            let before = block.split_to(line);
            if self.invalid == InvalidUtf8::Fail {
                self.failure = Some(FileError::InvalidUtf8 {
                    file: self.file.clone(),
                    position: start + line as u64,
                    at: start + good as u64,
                    byte: block.get(good - line).copied().unwrap_or_default(),
                });
                return self.push_text(before, start);
            }
            self.push_text(before, start);
            start += line as u64;
            let (end, next) = line_at(&block, 0);
            let text = Text::from(java_text::decode_utf8(&block[..end]).into_owned());
            let end = start + next as u64;
            self.ready.push_back(Block { start, end, content: Content::Replaced(text) });
            block = block.split_off(next);
            start = end;
        }
    }

    fn push_text(&mut self, text: Bytes, start: u64) {
        let end = start + text.len() as u64;
        if let Ok(text) = Text::from_utf8(text)
            && end > start
        {
            self.ready.push_back(Block { start, end, content: Content::Text(text) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Lines = Vec<(Vec<u8>, u64)>;

    /// All lines, with the position after each, when `chunks` are read one after the other.
    fn lines(chunks: &[&[u8]], invalid: InvalidUtf8) -> Result<Lines, (usize, FileError)> {
        let mut buffer = LineBuffer::new("f", invalid, 1000, 0);
        let mut lines = Vec::new();
        for chunk in chunks {
            buffer.fill(*chunk, 4096).unwrap();
            loop {
                let block = match buffer.next_block() {
                    Ok(None) => break,
                    Ok(Some(block)) => block,
                    Err(error) => return Err((lines.len(), error)),
                };
                let data = match &block.content {
                    Content::Replaced(text) => {
                        lines.push((text.as_bytes().to_vec(), block.end));
                        continue;
                    }
                    Content::Bytes(bytes) => bytes.clone(),
                    Content::Text(text) => text.clone().into_bytes(),
                };
                let mut at = 0;
                while at < data.len() {
                    let (end, next) = line_at(&data, at);
                    lines.push((data[at..end].to_vec(), block.start + next as u64));
                    at = next;
                }
                assert_eq!(block.start + data.len() as u64, block.end);
            }
        }
        Ok(lines)
    }

    fn texts(chunks: &[&[u8]]) -> Vec<String> {
        let lines = lines(chunks, InvalidUtf8::Fail).unwrap();
        lines.into_iter().map(|(line, _)| String::from_utf8(line).unwrap()).collect()
    }

    /// What Java's `extractLine` makes of the same bytes.
    fn as_java(mut data: &[u8]) -> Lines {
        let (mut lines, mut position) = (Vec::new(), 0);
        while let Some(at) = data.iter().position(|b| *b == b'\n' || *b == b'\r') {
            let next = match (data[at], data.get(at + 1)) {
                (b'\r', None) => break,
                (b'\r', Some(b'\n')) => at + 2,
                _ => at + 1,
            };
            position += next as u64;
            lines.push((data[..at].to_vec(), position));
            data = &data[next..];
        }
        lines
    }

    #[test]
    fn all_three_line_ends_work_across_reads() {
        assert_eq!(texts(&[b"a\nb\r\nc\rd\n\n"]), ["a", "b", "c", "d", ""]);
        assert_eq!(texts(&[b"a\r"]), [""; 0]);
        assert_eq!(texts(&[b"a\r", b"\nb\n"]), ["a", "b"]);
        assert_eq!(texts(&[b"a\r", b"\r", b"x\n"]), ["a", "", "x"]);
        assert_eq!(texts(&[b"a", b"b", b"\nc"]), ["ab"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_fails_after_those_before_it() {
        let (before, error) = lines(&[b"one\ntwo\nx\xffy\nthree\n"], InvalidUtf8::Fail).unwrap_err();
        assert_eq!(before, 2);
        let message = error.to_string();
        assert!(message.contains("line at byte 8 of f") && message.contains("0xFF at byte 9"), "{message}");
    }

    #[test]
    fn a_line_that_is_not_utf8_is_replaced_or_sent_as_bytes() {
        let input: &[&[u8]] = &[b"one\r\nx\xffy\r\n\xff\nthree\n"];
        let replaced = lines(input, InvalidUtf8::Replace).unwrap();
        let expected: [(&str, u64); 4] = [("one", 5), ("x\u{fffd}y", 10), ("\u{fffd}", 12), ("three", 18)];
        assert_eq!(replaced, expected.map(|(line, end)| (line.as_bytes().to_vec(), end)));
        assert_eq!(lines(input, InvalidUtf8::Bytes).unwrap(), as_java(input[0]));
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut buffer = LineBuffer::new("f", InvalidUtf8::Fail, 10, 100);
        buffer.fill(&b"0123456789"[..], 100).unwrap();
        assert!(buffer.next_block().unwrap().is_none());
        buffer.fill(&b"0"[..], 100).unwrap();
        let message = buffer.next_block().unwrap_err().to_string();
        assert!(message.contains("byte 100 of f") && message.contains("10 bytes"), "{message}");
    }

    #[test]
    fn the_last_line_of_a_stream_needs_no_end() {
        let mut buffer = LineBuffer::new("f", InvalidUtf8::Fail, 10, 0);
        buffer.fill_once(&b"a\nb\r"[..], 100).unwrap();
        let first = buffer.last_line().unwrap().unwrap();
        let last = buffer.last_line().unwrap().unwrap();
        assert_eq!((first.end, last.start, last.end), (2, 2, 4));
        assert!(buffer.last_line().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn lines_and_positions_are_javas_however_they_are_read(
            data in prop::collection::vec(prop::sample::select(b"ab\r\n\xff".to_vec()), 0..200),
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(data.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts { chunks.push(&data[from..cut]); from = cut; }
            chunks.push(&data[from..]);
            prop_assert_eq!(lines(&chunks, InvalidUtf8::Bytes).unwrap(), as_java(&data));
            let replaced = lines(&chunks, InvalidUtf8::Replace).unwrap();
            let expected: Vec<_> = as_java(&data).into_iter()
                .map(|(line, end)| (String::from_utf8_lossy(&line).into_owned().into_bytes(), end)).collect();
            prop_assert_eq!(replaced, expected);
        }
    }
}
