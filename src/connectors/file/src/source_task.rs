//! The source's task: blocks of lines into batches.
//!
//! One block is being handed out, the next is read meanwhile by a blocking thread. Both live in the
//! task, so a dropped poll loses nothing.

use crate::error::FileError;
use crate::lines::{Block, Content, line_at};
use crate::reader::{FileReader, Found, ReadSettings, Step};
use crate::source::{FILENAME_FIELD, POSITION_FIELD, SourceSettings};
use crate::stream::{self, Blocks};
use crossdock_api::source::{OffsetField, OffsetMapId};
use crossdock_api::{
    ConfigMap, ConnectError, Datum, Map, Schema, SourceBatch, SourceOffset, SourcePartitionId, SourceTask,
    SourceTaskContext, TopicId, Value, async_trait,
};
use std::mem::discriminant;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Records a poll, unless the user sets `batch.size`.
const RECORDS: usize = 8192;
/// Bytes of lines a poll.
const BYTES: usize = 512 * 1024;
/// How long a poll waits for the file to grow.
const POLL_TIME: Duration = Duration::from_secs(1);
/// How often the file is looked at meanwhile: first, and after some time without new lines.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// After this many looks in a row at the longest pause, a file is looked at as often as Connect does.
const QUIET_LOOKS: u32 = 40;
const QUIET_PAUSE: Duration = POLL_TIME;

/// Reads lines. Waits for a file that is not there; follows one that grows.
#[derive(Debug, Default)]
pub(crate) struct FileSourceTask {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Name of the connector, for the log.
    connector: String,
    settings: SourceSettings,
    partition: Map,
    input: Input,
    block: Option<OpenBlock>,
    pause: Pause,
    /// What was said already about waiting, so that it is said once.
    told: Option<Waiting>,
    /// What failed after lines were read in the same poll: they are sent first.
    failure: Option<ConnectError>,
}

/// How long not to look at the file after there was nothing new in it. Kept between polls, so that a look is not made
/// early because a poll ended.
#[derive(Debug, Default)]
struct Pause {
    /// Looks in a row without new lines.
    looks: u32,
    until: Option<Instant>,
}

impl Pause {
    /// There was nothing new. Gives the time of the next look.
    fn again(&mut self) -> Instant {
        let length = match self.looks {
            looks if looks >= QUIET_LOOKS => QUIET_PAUSE,
            looks => (FIRST_PAUSE * 2u32.saturating_pow(looks.min(8))).min(LONGEST_PAUSE),
        };
        self.looks = self.looks.saturating_add(1);
        *self.until.insert(Instant::now() + length)
    }
}

/// Why the task waits.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    /// There is no such file.
    Missing,
    /// Standard input or a device is at its end.
    Ended,
    /// So many bytes have no line end yet.
    Unfinished(usize),
}

/// Where blocks come from.
#[derive(Debug)]
enum Input {
    File(Reading),
    Stream(Blocks),
    Ended,
}

#[derive(Debug)]
enum Reading {
    Idle(Box<Reader>),
    Busy(JoinHandle<(Box<Reader>, Result<Read, FileError>)>),
    /// A failure ended it.
    Failed,
}

/// What a blocking thread works on.
#[derive(Debug)]
struct Reader {
    settings: ReadSettings,
    open: Option<FileReader>,
}

#[derive(Debug)]
enum Read {
    Step(Step),
    Missing,
    Stream,
}

/// A block that is being handed out.
#[derive(Debug)]
struct OpenBlock {
    block: Block,
    /// Bytes handed out so far.
    at: usize,
}

/// What [`Running::next`] found.
enum Next {
    Block(Block),
    Nothing(Option<Waiting>),
}

#[async_trait]
impl SourceTask for FileSourceTask {
    async fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.running = Some(Running::start(&context, config).await?);
        Ok(())
    }

    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        match &mut self.running {
            Some(running) => running.poll(batch).await,
            None => Err(ConnectError::fatal("the file source task was polled before it was started")),
        }
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.running = None;
        Ok(())
    }
}

impl Running {
    async fn start(context: &SourceTaskContext, config: &ConfigMap) -> Result<Self, ConnectError> {
        let settings = SourceSettings::parse(config)?;
        let filename = settings.file.as_deref().map_or(Value::Null, Value::string);
        let partition: Map = [(FILENAME_FIELD, filename)].into_iter().collect();
        let mut read = ReadSettings {
            connector: context.connector_name().to_owned(),
            file: settings.file.clone().unwrap_or_else(|| "stdin".to_owned()),
            position: 0,
            invalid: settings.invalid,
            max_line: settings.max_line,
        };
        let input = if settings.file.is_some() {
            read.position = stored_position(context, &partition).await?;
            Input::File(Reading::Idle(Box::new(Reader { settings: read, open: None })))
        } else {
            Input::Stream(stream::read(read, true)?)
        };
        let connector = context.connector_name().to_owned();
        Ok(Self {
            connector,
            settings,
            partition,
            input,
            block: None,
            pause: Pause::default(),
            told: None,
            failure: None,
        })
    }

    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let already = batch.len();
        match self.poll_lines(batch).await {
            Err(error) if batch.len() > already => {
                self.failure = Some(error);
                Ok(())
            }
            done => done,
        }
    }

    async fn poll_lines(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        let most = self.settings.batch_size.unwrap_or(RECORDS);
        let already = batch.len();
        let deadline = Instant::now() + POLL_TIME;
        let mut bytes = 0;
        loop {
            if let Some(block) = &mut self.block {
                let room = most.saturating_sub(batch.len() - already);
                bytes += block.hand_out(&self.settings, &self.partition, room, batch)?;
                if !block.is_done() {
                    return Ok(());
                }
                self.block = None;
            }
            let got = batch.len() - already;
            if got >= most || bytes >= BYTES || (got > 0 && !self.input.is_ready()) {
                return Ok(());
            }
            if let Some(until) = self.pause.until {
                sleep_until(until.min(deadline)).await;
                if until > deadline {
                    return Ok(());
                }
            }
            match self.next(deadline).await? {
                Next::Block(block) => {
                    self.pause = Pause::default();
                    self.told = None;
                    self.block = Some(OpenBlock { block, at: 0 });
                }
                Next::Nothing(_) if got > 0 => return Ok(()),
                // A stream was waited for until the deadline.
                Next::Nothing(None) if matches!(self.input, Input::Stream(_)) => return Ok(()),
                Next::Nothing(waiting) => {
                    let next_look = self.pause.again();
                    if next_look > deadline {
                        self.tell(waiting);
                    }
                }
            }
        }
    }

    /// The next block, or that there is none for now. Cancel-safe.
    async fn next(&mut self, deadline: Instant) -> Result<Next, FileError> {
        match &mut self.input {
            Input::Ended => Ok(Next::Nothing(Some(Waiting::Ended))),
            Input::Stream(blocks) => match timeout_at(deadline, blocks.recv()).await {
                Err(_) => Ok(Next::Nothing(None)),
                Ok(Some(block)) => block.map(Next::Block),
                Ok(None) => {
                    self.input = Input::Ended;
                    Ok(Next::Nothing(Some(Waiting::Ended)))
                }
            },
            Input::File(reading) => match reading.advance(&self.settings).await? {
                Read::Step(Step::Block(block)) => {
                    reading.read_ahead();
                    Ok(Next::Block(block))
                }
                Read::Step(Step::End { unfinished: 0 }) => Ok(Next::Nothing(None)),
                Read::Step(Step::End { unfinished }) => {
                    Ok(Next::Nothing(Some(Waiting::Unfinished(unfinished))))
                }
                Read::Missing => Ok(Next::Nothing(Some(Waiting::Missing))),
                Read::Stream => {
                    if let Reading::Idle(reader) = reading {
                        self.input = Input::Stream(stream::read(reader.settings.clone(), false)?);
                    }
                    Ok(Next::Nothing(None))
                }
            },
        }
    }

    /// Says once why nothing comes.
    fn tell(&mut self, waiting: Option<Waiting>) {
        if waiting.is_none() || self.told.map(|t| discriminant(&t)) == waiting.map(|w| discriminant(&w)) {
            return;
        }
        self.told = waiting;
        let file = self.settings.file.as_deref().unwrap_or("standard input");
        let connector = &self.connector;
        match waiting {
            None => {}
            Some(Waiting::Missing) => {
                tracing::warn!(connector, file, "there is no such file: waiting for it to be created");
            }
            Some(Waiting::Ended) => {
                tracing::info!(connector, file, "the input is at its end: all lines were read");
            }
            Some(Waiting::Unfinished(bytes)) => tracing::info!(
                connector,
                file,
                bytes,
                "the last line has no line end: it is held back until it has one, since it may still grow"
            ),
        }
    }
}

/// The position in the stored offset of a partition; 0 if there is none.
async fn stored_position(context: &SourceTaskContext, partition: &Map) -> Result<u64, ConnectError> {
    let Some(offset) = context.offset(partition).await? else { return Ok(0) };
    let position = match offset.get(POSITION_FIELD) {
        None | Some(Value::Null) => return Ok(0),
        Some(Value::Int64(position)) => *position,
        Some(Value::Int32(position)) => i64::from(*position),
        Some(_) => -1,
    };
    u64::try_from(position).map_err(|_| {
        ConnectError::config(format!(
            "Offset position is the incorrect type: the stored offset of this file is {offset:?}, but \
             '{POSITION_FIELD}' must be a number of bytes from 0; reset or correct it with the connector's \
             /offsets endpoint"
        ))
    })
}

impl Input {
    /// Whether the next block is likely there without waiting.
    fn is_ready(&self) -> bool {
        match self {
            Self::File(Reading::Busy(handle)) => handle.is_finished(),
            Self::Stream(blocks) => !blocks.is_empty(),
            Self::File(_) | Self::Ended => false,
        }
    }
}

impl Reading {
    /// Waits for the read under way, or makes one. Cancel-safe: the read goes on by itself.
    async fn advance(&mut self, settings: &SourceSettings) -> Result<Read, FileError> {
        self.read_ahead();
        let died = || FileError::ThreadDied { file: settings.file.clone().unwrap_or_default() };
        let Self::Busy(handle) = self else { return Err(died()) };
        let (reader, read) = match handle.await {
            Ok(done) => done,
            Err(_) => {
                *self = Self::Failed;
                return Err(died());
            }
        };
        *self = Self::Idle(reader);
        read
    }

    /// Starts a read if none is under way.
    fn read_ahead(&mut self) {
        match std::mem::replace(self, Self::Failed) {
            Self::Idle(mut reader) => {
                *self = Self::Busy(tokio::task::spawn_blocking(move || {
                    let read = reader.read();
                    (reader, read)
                }));
            }
            other => *self = other,
        }
    }
}

impl Reader {
    fn read(&mut self) -> Result<Read, FileError> {
        if let Some(open) = &mut self.open {
            return open.step().map(Read::Step);
        }
        match FileReader::open(&self.settings)? {
            Found::Missing => Ok(Read::Missing),
            Found::Stream => Ok(Read::Stream),
            Found::Regular(reader) => self.open.insert(reader).step().map(Read::Step),
        }
    }
}

/// What all records of a block have in common.
struct Common {
    topic: TopicId,
    partition: SourcePartitionId,
    offset: OffsetKind,
    timestamp: i64,
    file: String,
    max_line: usize,
}

/// How the offsets of a block are written.
#[derive(Clone, Copy)]
enum OffsetKind {
    Position(OffsetField),
    /// Standard input has none.
    Unknown(OffsetMapId),
}

impl OpenBlock {
    fn is_done(&self) -> bool {
        self.at as u64 >= self.block.end - self.block.start
    }

    /// Appends up to `room` lines to `batch`; gives the bytes of those lines.
    fn hand_out(
        &mut self,
        settings: &SourceSettings,
        partition: &Map,
        room: usize,
        batch: &mut SourceBatch,
    ) -> Result<usize, ConnectError> {
        if room == 0 {
            return Ok(0);
        }
        let offset = match settings.file {
            Some(_) => OffsetKind::Position(batch.offset_field(POSITION_FIELD)),
            None => {
                let unknown = [(POSITION_FIELD, Value::Null)].into_iter().collect();
                OffsetKind::Unknown(batch.offset_map(unknown))
            }
        };
        let common = Common {
            topic: batch.topic(&settings.topic),
            partition: batch.partition(partition),
            offset,
            timestamp: now_ms(),
            file: settings.file.clone().unwrap_or_else(|| "stdin".to_owned()),
            max_line: settings.max_line,
        };
        let before = self.at;
        match self.block.content.clone() {
            Content::Replaced(text) => {
                self.at = (self.block.end - self.block.start) as usize;
                self.append(&common, Datum::Value(Value::String(text)), batch)?;
            }
            Content::Text(text) => {
                let slab = batch.records_mut().adopt_text(text.clone())?;
                let datum = |range| Datum::StrSlice(slab, range);
                self.append_lines(&common, text.as_bytes(), datum, room, batch)?;
            }
            Content::Bytes(bytes) => {
                let slab = batch.records_mut().adopt(bytes.clone())?;
                let datum = |range| Datum::BytesSlice(slab, range);
                self.append_lines(&common, &bytes, datum, room, batch)?;
            }
        }
        Ok(self.at - before)
    }

    fn append_lines(
        &mut self,
        common: &Common,
        data: &[u8],
        datum: impl Fn(Range<usize>) -> Datum<'static>,
        room: usize,
        batch: &mut SourceBatch,
    ) -> Result<(), ConnectError> {
        for _ in 0..room {
            let start = self.at;
            if start >= data.len() {
                break;
            }
            let (end, next) = line_at(data, start);
            if end - start > common.max_line {
                return Err(FileError::LineTooLong {
                    file: common.file.clone(),
                    position: self.block.start + start as u64,
                    max: common.max_line,
                }
                .into());
            }
            self.at = next;
            self.append(common, datum(start..end), batch)?;
        }
        Ok(())
    }

    /// Appends one line; `self.at` is behind it already.
    #[inline]
    fn append(&self, common: &Common, datum: Datum<'_>, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        let schema = match datum {
            Datum::BytesSlice(..) => Schema::optional_bytes(),
            _ => Schema::string(),
        };
        let offset = match common.offset {
            OffsetKind::Position(field) => {
                SourceOffset::Long { field, value: (self.block.start + self.at as u64) as i64 }
            }
            OffsetKind::Unknown(map) => SourceOffset::Map(map),
        };
        let record = batch.record(common.topic, common.partition, offset);
        record.value(Some(schema), datum).timestamp(common.timestamp).finish()?;
        Ok(())
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
