//! The two tasks of a connection.

use super::codec::Frame;
use super::incoming::read_answers;
use super::session::Session;
use crate::error::ClientError;
use crate::security::{SecurityProtocol, tls_error};
use crate::sync::lock;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Requests that are put into one write at most.
const COALESCE: usize = 32;

/// How long saying goodbye may take (TLS writes an alert); the socket is closed then.
const FAREWELL: Duration = Duration::from_secs(2);

type ReplySender = oneshot::Sender<Result<Bytes, ClientError>>;

/// A request on its way to the writer. Dropping it tells the caller that it was not sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) frame: Frame,
    pub(super) answered: bool,
    pub(super) reply: ReplySender,
}

#[derive(Debug)]
struct Pending {
    correlation_id: i32,
    api: &'static str,
    reply: ReplySender,
}

/// What the handle and both tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) broker: Arc<str>,
    pub(super) protocol: SecurityProtocol,
    state: Mutex<State>,
    closing: watch::Sender<bool>,
    next_id: AtomicI32,
    /// There if the broker limits how long an authentication holds.
    pub(super) session: OnceLock<Session>,
    /// What ended the TLS session, if it was no ordinary end.
    tls_fault: OnceLock<rustls::Error>,
}

#[derive(Debug)]
struct State {
    /// Requests that were (at least partly) written, in order.
    pending: VecDeque<Pending>,
    /// Requests without an answer that are being written.
    one_way: Vec<Pending>,
    /// Told once nothing is pending.
    all_answered: Option<oneshot::Sender<()>>,
    closed: Option<Arc<str>>,
    /// When it was handed out, written to, or answered last.
    last_used: Instant,
    /// The broker throttles: nothing should be sent before this.
    muted_until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(broker: Arc<str>, protocol: SecurityProtocol) -> Self {
        let state = State {
            pending: VecDeque::new(),
            one_way: Vec::new(),
            all_answered: None,
            closed: None,
            last_used: Instant::now(),
            muted_until: None,
        };
        Self {
            broker,
            protocol,
            state: Mutex::new(state),
            closing: watch::Sender::new(false),
            next_id: AtomicI32::new(0),
            session: OnceLock::new(),
            tls_fault: OnceLock::new(),
        }
    }

    /// The correlation id of the next request.
    pub(super) fn next_id(&self) -> i32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// What ended the TLS session, if it was no ordinary end.
    pub(super) fn tls_fault(&self) -> Option<&rustls::Error> {
        self.tls_fault.get()
    }

    /// The text of an error of the socket. What TLS found is remembered: it may be the reason why a
    /// connection cannot be set up.
    pub(super) fn broken(&self, what: &str, error: &std::io::Error) -> Arc<str> {
        if let Some(fault) = tls_error(error) {
            // The first one counts.
            let _ = self.tls_fault.set(fault.clone());
        }
        format!("cannot {what}: {error}").into()
    }

    /// Whether it is open; then it is in use from now on, and not closed for being idle right away.
    pub(super) fn touch(&self) -> bool {
        let mut state = self.lock();
        state.last_used = Instant::now();
        state.closed.is_none()
    }

    /// The broker asks not to be sent anything for so long.
    pub(super) fn mute(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        state.muted_until = state.muted_until.max(Some(until));
    }

    pub(super) fn muted_until(&self) -> Option<Instant> {
        self.lock().muted_until
    }

    /// Closes the connection if nothing happens for that long and nothing is waited for; else says when to look again.
    fn close_if_idle(&self, max_idle: Duration) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        let idle_at = state.last_used + max_idle;
        if !state.pending.is_empty() || !state.one_way.is_empty() {
            return Some(now + max_idle);
        }
        if idle_at > now {
            return Some(idle_at);
        }
        if state.closed.is_none() {
            state.closed = Some(format!("it was idle for {} ms", max_idle.as_millis()).into());
        }
        drop(state);
        self.closing.send_replace(true);
        None
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().closed.is_none()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.lock().pending.len()
    }

    /// Closes once; later reasons are ignored. The request whose answer should have come next gets
    /// `culprit` as its error, if there is one.
    pub(super) fn close(&self, reason: Arc<str>, culprit: Option<String>) {
        let (pending, one_way) = {
            let mut state = self.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(reason);
            (std::mem::take(&mut state.pending), std::mem::take(&mut state.one_way))
        };
        self.closing.send_replace(true);
        let mut culprit = culprit;
        for waiting in pending {
            let error = match culprit.take() {
                Some(reason) => {
                    ClientError::Protocol { broker: self.broker.clone(), api: waiting.api, reason }
                }
                None => self.lost(waiting.api, true),
            };
            // The caller may have gone; then nobody needs the error.
            let _ = waiting.reply.send(Err(error));
        }
        for waiting in one_way {
            let _ = waiting.reply.send(Err(self.lost(waiting.api, true)));
        }
    }

    /// The error of a call that ends because the connection is closed.
    pub(super) fn lost(&self, api: &'static str, may_have_been_sent: bool) -> ClientError {
        let reason = self.lock().closed.clone().unwrap_or_else(|| "it is being closed".into());
        ClientError::Disconnected { broker: self.broker.clone(), api, reason, may_have_been_sent }
    }

    /// Notes requests as sent, before their first byte is written; false if the connection is closed.
    fn register(&self, batch: &mut Vec<Outgoing>, segments: &mut Segments) -> bool {
        let mut state = self.lock();
        if state.closed.is_some() {
            return false;
        }
        state.last_used = Instant::now();
        for Outgoing { frame, answered, reply } in batch.drain(..) {
            segments.extend(frame.segments);
            let request = Pending { correlation_id: frame.correlation_id, api: frame.api, reply };
            if answered {
                state.pending.push_back(request);
            } else {
                state.one_way.push(request);
            }
        }
        true
    }

    /// Hands an answer to the request that waits longest, which must be the one it names.
    pub(super) fn answer(&self, mut frame: Bytes) -> Result<(), String> {
        let Some(id) = frame.first_chunk::<4>().map(|b| i32::from_be_bytes(*b)) else {
            return Err(format!("a response of {} bytes is too short", frame.len()));
        };
        frame.advance(4);
        let waiting = {
            let mut state = self.lock();
            state.last_used = Instant::now();
            match state.pending.front() {
                Some(first) if first.correlation_id == id => {
                    let first = state.pending.pop_front();
                    if state.pending.is_empty()
                        && let Some(waiting) = state.all_answered.take()
                    {
                        // The writer may have been stopped.
                        let _ = waiting.send(());
                    }
                    first
                }
                Some(first) => {
                    return Err(format!(
                        "a response has id {id} where {} was expected",
                        first.correlation_id
                    ));
                }
                None if state.closed.is_some() => None,
                None => return Err(format!("a response has id {id}, but nothing was asked")),
            }
        };
        if let Some(waiting) = waiting {
            // A caller that gave up is not an error: its answer is thrown away here.
            let _ = waiting.reply.send(Ok(frame));
        }
        Ok(())
    }

    /// Waits until all that was sent is answered; for ever if the connection is closed, which stops the writer.
    pub(super) async fn all_answered(&self) {
        let answered = {
            let mut state = self.lock();
            if state.pending.is_empty() {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            state.all_answered = Some(sender);
            receiver
        };
        // Only another wait would drop it, and the writer is the only one that waits.
        let _ = answered.await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Closes the connection once it was idle for that long (`connections.max.idle.ms`).
pub(super) async fn close_when_idle(shared: Arc<Shared>, max_idle: Duration) {
    let mut closing = shared.closing.subscribe();
    let mut look = Instant::now() + max_idle;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(look) => {}
            _ = closing.wait_for(|closed| *closed) => return,
        }
        match shared.close_if_idle(max_idle) {
            Some(at) => look = at,
            None => return,
        }
    }
}

/// Writes what is queued, several requests in one go, until the connection is closed or its handle dropped.
pub(super) async fn write_loop<W>(shared: Arc<Shared>, mut write: W, mut queue: mpsc::Receiver<Outgoing>)
where
    W: AsyncWrite + Unpin,
{
    let mut closing = shared.closing.subscribe();
    let reason = tokio::select! {
        reason = write_queued(&shared, &mut write, &mut queue) => reason,
        _ = closing.wait_for(|closed| *closed) => None,
    };
    shared.close(reason.unwrap_or_else(|| "it is no longer used".into()), None);
    // The peer may have gone already, or read nothing any more; there is nothing left to tell it.
    let _ = tokio::time::timeout(FAREWELL, write.shutdown()).await;
}

async fn write_queued<W>(
    shared: &Shared,
    write: &mut W,
    queue: &mut mpsc::Receiver<Outgoing>,
) -> Option<Arc<str>>
where
    W: AsyncWrite + Unpin,
{
    let mut batch = Vec::with_capacity(COALESCE);
    let mut written = Vec::new();
    let mut segments = Segments::default();
    while queue.recv_many(&mut batch, COALESCE).await > 0 {
        if let Some(session) = shared.session.get()
            && let Err(error) = session.keep(shared, write).await
        {
            // What waits was not sent, and is dropped after the reason is known.
            shared.close(format!("it could not be authenticated again: {error}").into(), None);
            return None;
        }
        if !shared.register(&mut batch, &mut segments) {
            return None;
        }
        let writing = async {
            write.write_all_buf(&mut segments).await?;
            write.flush().await
        };
        if let Err(error) = writing.await {
            return Some(shared.broken("write", &error));
        }
        std::mem::swap(&mut shared.lock().one_way, &mut written);
        for Pending { reply, .. } in written.drain(..) {
            let _ = reply.send(Ok(Bytes::new()));
        }
    }
    None
}

/// Reads answers and hands them out until the connection is closed.
pub(super) async fn read_loop<R: AsyncRead + Unpin>(shared: Arc<Shared>, read: R) {
    let mut closing = shared.closing.subscribe();
    let (reason, culprit) = tokio::select! {
        end = read_answers(&shared, read) => end,
        _ = closing.wait_for(|closed| *closed) => return,
    };
    shared.close(reason, culprit);
}

/// Writes one request ahead of all that are queued; gives where its answer will come.
pub(super) async fn write_frames<W: AsyncWrite + Unpin>(
    shared: &Shared,
    write: &mut W,
    frame: Frame,
) -> Result<oneshot::Receiver<Result<Bytes, ClientError>>, ClientError> {
    let (reply, answer) = oneshot::channel();
    let api = frame.api;
    let mut segments = Segments::default();
    let mut batch = vec![Outgoing { frame, answered: true, reply }];
    if !shared.register(&mut batch, &mut segments) {
        return Err(shared.lost(api, false));
    }
    let written = async {
        write.write_all_buf(&mut segments).await?;
        write.flush().await
    };
    match written.await {
        Ok(()) => Ok(answer),
        Err(error) => {
            shared.close(shared.broken("write", &error), None);
            Err(shared.lost(api, true))
        }
    }
}

/// Pieces to be written in order, as one [`Buf`] for vectored writes.
#[derive(Debug, Default)]
struct Segments {
    pieces: VecDeque<Bytes>,
}

impl Segments {
    fn extend(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        self.pieces.extend(pieces.into_iter().filter(|p| !p.is_empty()));
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |p| p)
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let mut n = 0;
        for (slot, piece) in dst.iter_mut().zip(&self.pieces) {
            *slot = IoSlice::new(piece);
            n += 1;
        }
        n
    }

    fn advance(&mut self, mut cnt: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if cnt < first.len() {
                first.advance(cnt);
                return;
            }
            cnt -= first.len();
            self.pieces.pop_front();
        }
    }
}
