//! A fetch session with one broker (KIP-227): the broker remembers which partitions are fetched and from
//! where, so that a request names only what changed, and an answer only what is new.
//!
//! ```text
//! Fresh ─ full request ─▶ Open ─ incremental requests: changed, added, forgotten ─▶ Open ...
//!   ▲                       │ refused, lost, or the answer does not fit
//!   └───────────────────────┘ the next full request closes the old session and opens another
//! ```
//!
//! No I/O: [`FetchSession::ask`] says what to send, [`FetchSession::answered`] and [`FetchSession::lost`] take what came of
//! it. One request at a time. What is sent counts as known to the broker at once, since any failure begins anew. It must
//! never let the broker fetch a partition that was not asked for: whatever is left out of a request is forgotten.

use super::state::Asked;
use crate::error::ErrorCode;
use crate::metadata::TopicPartition;
use std::collections::HashMap;
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// The epoch of a request that names everything, and with which a session is asked for.
const FULL: i32 = 0;

/// What one broker remembers, as far as this side knows.
#[derive(Debug, Default)]
pub(super) struct FetchSession {
    /// 0: there is none.
    id: i32,
    /// The epoch of the next request.
    epoch: i32,
    /// Whether the session names topics by their ids; one session cannot do both.
    by_id: bool,
    /// Counts requests, to tell the partitions of the last one.
    round: u64,
    /// Requests in a row that had nothing to name, up to the last.
    unchanged: u32,
    held: HashMap<TopicPartition, Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    topic_id: Uuid,
    offset: i64,
    leader_epoch: i32,
    round: u64,
}

impl Held {
    fn of(asked: &Asked, round: u64) -> Self {
        let Asked { topic_id, offset, leader_epoch, .. } = *asked;
        Self { topic_id, offset, leader_epoch, round }
    }

    fn same(&self, other: &Self) -> bool {
        (self.topic_id, self.offset, self.leader_epoch) == (other.topic_id, other.offset, other.leader_epoch)
    }
}

/// The part of a request that belongs to the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SessionRequest {
    pub(super) id: i32,
    pub(super) epoch: i32,
    /// What has to be named, as positions in what was asked.
    pub(super) send: Vec<usize>,
    /// What the broker is to forget.
    pub(super) forget: Vec<(TopicPartition, Uuid)>,
}

impl SessionRequest {
    /// Whether the answer will hold every partition that was asked for, not only those with news.
    pub(super) fn is_full(&self) -> bool {
        self.epoch == FULL
    }
}

impl FetchSession {
    /// What to send so that the broker fetches `wanted`, each named once, and nothing else.
    pub(super) fn ask(&mut self, wanted: &[Asked], by_id: bool) -> SessionRequest {
        if by_id != self.by_id {
            self.lost();
            self.by_id = by_id;
        }
        self.round += 1;
        let (mut send, mut forget) = (Vec::new(), Vec::new());
        for (at, asked) in wanted.iter().enumerate() {
            let now = Held::of(asked, self.round);
            match self.held.get_mut(&asked.tp) {
                Some(held) => {
                    let known = std::mem::replace(held, now);
                    if !known.same(&now) {
                        send.push(at);
                    }
                    if by_id && known.topic_id != now.topic_id {
                        // For the broker it is another partition, beside the one that it has.
                        forget.push((asked.tp.clone(), known.topic_id));
                    }
                }
                None => {
                    self.held.insert(asked.tp.clone(), now);
                    send.push(at);
                }
            }
        }
        if self.held.len() > wanted.len() {
            let round = self.round;
            let left_out = self.held.extract_if(|_, held| held.round != round);
            forget.extend(left_out.map(|(tp, held)| (tp, held.topic_id)));
        }
        let nothing_new = send.is_empty() && forget.is_empty();
        self.unchanged = if nothing_new { self.unchanged.saturating_add(1) } else { 0 };
        SessionRequest { id: self.id, epoch: self.epoch, send, forget }
    }

    /// Whether `requests` in a row, up to the last, had nothing to name: nothing came, and nobody wanted anything else.
    pub(super) fn is_quiet(&self, requests: u32) -> bool {
        self.unchanged >= requests
    }

    /// An answer came. `complete` tells whether it fits the request: everything if it was full, nothing foreign
    /// otherwise. True if the request was refused in a way that only the session is to blame for: it is simply made again.
    pub(super) fn answered(&mut self, code: ErrorCode, id: i32, complete: bool) -> bool {
        let was_full = self.epoch == FULL;
        match code {
            ErrorCode::NONE if !complete => {
                if was_full {
                    // The broker keeps it; the next full request closes it.
                    self.id = id;
                }
                self.lost();
            }
            // The broker keeps no session (any more).
            ErrorCode::NONE if id == 0 => self.forget_all(),
            ErrorCode::NONE if was_full => {
                self.id = id;
                self.epoch = 1;
            }
            ErrorCode::NONE => self.epoch = self.epoch.checked_add(1).unwrap_or(1),
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND => self.forget_all(),
            _ => self.lost(),
        }
        // A full request that is refused is not made again at once: it could go on like that.
        !was_full
            && matches!(
                code,
                ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                    | ErrorCode::INVALID_FETCH_SESSION_EPOCH
                    | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
            )
    }

    /// No answer came, or one that cannot be used: nobody knows what the broker remembers. The next request is full, and
    /// closes the old session if the broker still has it.
    pub(super) fn lost(&mut self) {
        self.epoch = FULL;
        self.held.clear();
    }

    fn forget_all(&mut self) {
        self.id = 0;
        self.lost();
    }
}
