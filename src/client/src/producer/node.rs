//! One broker, as the sender sees it: a connection, and the requests in flight on it, in order.

use super::accumulator::LaneId;
use crate::connection::Connection;
use crate::error::ClientError;
use kafka_protocol::messages::ProduceResponse;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;

/// What an answer is about: the partition, and the batch's id in its order.
pub(super) type Item = (LaneId, u64);
pub(super) type Answer = Result<Option<ProduceResponse>, ClientError>;

#[derive(Debug, Default)]
pub(super) struct Node {
    connection: Option<Arc<Connection>>,
    pub(super) connecting: bool,
    requests: VecDeque<Request>,
    /// Nothing is sent before this: connecting failed, or the broker throttles.
    pub(super) not_before: Option<Instant>,
    /// Since when something waits that the broker does not take.
    pub(super) stuck_since: Option<Instant>,
}

#[derive(Debug)]
struct Request {
    number: u64,
    items: Vec<Item>,
    answer: Option<Answer>,
}

impl Node {
    /// The connection, if it is open. While requests of a closed one are unanswered there is none either,
    /// so that those of the next do not overtake them.
    pub(super) fn open_connection(&mut self) -> Option<Arc<Connection>> {
        if self.connection.as_ref().is_some_and(|c| !c.is_open()) {
            self.connection = None;
        }
        self.connection.clone()
    }

    pub(super) fn connected(&mut self, connection: Arc<Connection>) {
        self.connection = Some(connection);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn sent(&mut self, number: u64, items: Vec<Item>) {
        self.requests.push_back(Request { number, items, answer: None });
    }

    pub(super) fn answered(&mut self, number: u64, answer: Answer) {
        if let Some(request) = self.requests.iter_mut().find(|r| r.number == number) {
            request.answer = Some(answer);
        }
    }

    /// The oldest request, if it was answered: answers are worked on in the order of the requests,
    /// whatever order the runtime delivers them in.
    pub(super) fn pop_answered(&mut self) -> Option<(Vec<Item>, Answer)> {
        self.requests.front()?.answer.as_ref()?;
        let request = self.requests.pop_front()?;
        Some((request.items, request.answer?))
    }
}
