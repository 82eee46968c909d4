//! From lanes with something to send to requests.

use super::{Event, Sender};
use crate::connection::{Connection, ConnectionClass, decode_response};
use crate::error::ClientError;
use crate::metadata::NodeId;
use crate::producer::accumulator::{Accumulator, LaneId};
use crate::producer::config::Acks;
use crate::producer::request::{self, Part};
use crossdock_wire::Compression;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::protocol::{HeaderVersion, Message, Request};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// A request that is being put together.
struct Draft {
    connection: Arc<Connection>,
    lanes: Vec<LaneId>,
    bytes: usize,
}

/// What a lane has to do with the next requests.
enum Offer {
    /// It has nothing to send.
    Idle,
    /// It must wait.
    Waiting,
    /// Its oldest batch goes to this broker.
    Taken,
}

impl Sender {
    /// Fills all free slots.
    pub(super) fn dispatch(&mut self, now: Instant) {
        loop {
            let drafts = self.draft(now);
            let compressed = self.compress();
            if drafts.is_empty() && !compressed {
                return;
            }
            for (node, draft) in drafts {
                self.send(node, draft, now);
            }
        }
    }

    /// Takes the next step of compressing what was taken, without any lock. True if batches became ready.
    fn compress(&mut self) -> bool {
        let mut done = Vec::new();
        for id in std::mem::take(&mut self.uncompressed) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            for batch in lane.order.waiting_mut() {
                if let Some(compressed) = batch.compress(&self.compressor) {
                    done.push((id.topic, compressed));
                }
            }
        }
        if done.is_empty() {
            return false;
        }
        {
            let mut accumulator = self.shared.lock();
            for (topic, compressed) in done {
                accumulator.compressed(topic, compressed);
            }
        }
        self.shared.space.notify_waiters();
        true
    }

    /// One request at most for each broker, of the oldest batch of each partition.
    fn draft(&mut self, now: Instant) -> BTreeMap<NodeId, Draft> {
        let shared = self.shared.clone();
        let mut accumulator = shared.lock();
        let mut drafts = BTreeMap::new();
        let mut served = Vec::new();
        let active = std::mem::take(&mut self.active);
        for id in active {
            match self.offer(id, &mut drafts, &mut accumulator, now) {
                Offer::Taken => served.push(id),
                Offer::Waiting => self.active.push(id),
                Offer::Idle => {
                    accumulator.retract(id);
                    if let Some(lane) = self.lanes.get_mut(&id) {
                        lane.active = false;
                    }
                }
            }
        }
        self.active.append(&mut served);
        drafts
    }

    fn offer(
        &mut self,
        id: LaneId,
        drafts: &mut BTreeMap<NodeId, Draft>,
        accumulator: &mut Accumulator,
        now: Instant,
    ) -> Offer {
        let Some(lane) = self.lanes.get_mut(&id) else { return Offer::Idle };
        if self.compressor.is_on() {
            lane.take_ahead(id, accumulator);
            if lane.order.waiting_mut().any(|batch| !batch.is_compressed()) {
                self.uncompressed.push(id);
            }
            if lane.order.first_waiting().is_some_and(|batch| !batch.is_compressed()) {
                return Offer::Waiting;
            }
        }
        let waiting = lane.order.first_waiting().map(|b| b.len());
        let Some(len) = waiting.or_else(|| accumulator.peek(id).map(|p| p.0)) else { return Offer::Idle };
        if lane.not_before.is_some_and(|at| at > now) || lane.order.needs_identity() {
            return Offer::Waiting;
        }
        if waiting.is_none() && !is_due(id, accumulator, self.config.linger, now) {
            return Offer::Waiting;
        }
        let leader = match self.snapshot.leader(&lane.topic, lane.partition) {
            Ok((leader, _)) => leader,
            Err(error) => {
                lane.last_error = Some(error.to_string());
                self.metadata.wanted.insert(lane.topic.clone());
                return Offer::Waiting;
            }
        };
        if lane.is_blocked(leader) {
            return Offer::Waiting;
        }
        if let Some(machine) = &mut accumulator.transaction {
            if !machine.may_produce(id) {
                return Offer::Waiting;
            }
            // First, since it ends what an earlier transaction broke.
            if let Some(identity) = machine.identity() {
                lane.order.adopt(identity);
            }
            if lane.order.is_broken() {
                return Offer::Waiting;
            }
        }
        let connection = match drafts.get(&leader) {
            Some(draft) if draft.bytes + len > self.config.max_request_size => return Offer::Waiting,
            Some(draft) => draft.connection.clone(),
            None => {
                let slot = self.free_slot(leader, now);
                let node = self.nodes.entry(leader).or_default();
                match slot {
                    Some(connection) => {
                        node.stuck_since = None;
                        connection
                    }
                    None => {
                        node.stuck_since.get_or_insert(now);
                        return Offer::Waiting;
                    }
                }
            }
        };
        let Some(lane) = self.lanes.get_mut(&id) else { return Offer::Idle };
        if waiting.is_none()
            && let Some(batch) = accumulator.take(id)
        {
            let count = batch.count;
            lane.order.push(batch, count);
        }
        if waiting.is_none() && self.compressor.is_on() {
            self.uncompressed.push(id);
            return Offer::Waiting;
        }
        let draft =
            { drafts.entry(leader) }.or_insert_with(|| Draft { connection, lanes: Vec::new(), bytes: 0 });
        draft.bytes += len;
        draft.lanes.push(id);
        Offer::Taken
    }

    /// The broker's connection, if it takes another request now. Connects if there is none.
    fn free_slot(&mut self, id: NodeId, now: Instant) -> Option<Arc<Connection>> {
        let node = self.nodes.entry(id).or_default();
        if node.not_before.is_some_and(|at| at > now) {
            return None;
        }
        node.not_before = None;
        if let Some(connection) = node.open_connection() {
            return (node.in_flight() < self.max_in_flight).then_some(connection);
        }
        // Requests of the lost connection are settled first, so that they keep their place.
        if !node.connecting && node.in_flight() == 0 {
            node.connecting = true;
            let cluster = self.cluster.clone();
            self.events.push(Box::pin(async move {
                Event::Connected(id, cluster.connection(id, ConnectionClass::Produce).await)
            }));
        }
        None
    }

    fn send(&mut self, node_id: NodeId, mut draft: Draft, now: Instant) {
        draft.lanes.sort_unstable();
        let mut parts = Vec::with_capacity(draft.lanes.len());
        for id in draft.lanes {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let Some((departure, batch)) = lane.depart() else { continue };
            let bytes = batch.seal(departure.stamp, departure.restamp, self.transactor.is_some());
            lane.node = Some(node_id);
            parts.push(Part { lane: id, topic: lane.topic.clone(), id: departure.id, bytes });
        }
        if parts.is_empty() {
            return;
        }
        let number = self.next_request;
        self.next_request += 1;
        let reply = self.queue(&draft.connection, &parts, now);
        let items = parts.iter().map(|p| (p.lane, p.id)).collect();
        let node = self.nodes.entry(node_id).or_default();
        node.sent(number, items);
        match reply {
            Err(error) => node.answered(number, Err(error)),
            Ok((version, reply)) => {
                let (connection, acks) = (draft.connection, self.config.acks);
                self.events.push(Box::pin(async move {
                    let answer = reply.body().await.and_then(|body| match acks {
                        Acks::None => Ok(None),
                        Acks::All | Acks::Leader => decode_response::<ProduceRequest>(body, version)
                            .map(Some)
                            .map_err(|reason| connection.broken_by("Produce", reason)),
                    });
                    Event::Answered { node: node_id, number, answer }
                }));
                return;
            }
        }
        self.settle_answered(node_id, now);
    }

    /// Puts a request into the connection's queue, without waiting.
    fn queue(
        &self,
        connection: &Connection,
        parts: &[Part],
        now: Instant,
    ) -> Result<(i16, crate::connection::Reply), ClientError> {
        let config = &self.config;
        let (transactional_id, most) = match &self.transactor {
            Some(transactor) => (Some(transactor.id()), transactor.max_produce_version()),
            None => (None, request::MAX_VERSION),
        };
        let zstd = config.codec.compression() == Compression::Zstd;
        let least = if zstd { request::FIRST_WITH_ZSTD } else { ProduceRequest::VERSIONS.min };
        let version = connection.version_between::<ProduceRequest>(least, most)?;
        let head = connection.head(ProduceRequest::KEY, version, ProduceRequest::header_version(version));
        let timeout_ms = i32::try_from(config.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let frame =
            request::encode(&head, transactional_id, config.acks, timeout_ms, parts).ok_or_else(|| {
                let reason = "the batches are too large for a frame".to_owned();
                ClientError::Encode { api: "Produce", version, reason }
            })?;
        let deadline = now + config.request_timeout;
        let reply =
            connection.try_send(frame, deadline, config.request_timeout, config.acks != Acks::None)?;
        Ok((version, reply))
    }

    /// When the next batch that lingers is due.
    pub(super) fn next_linger(&self) -> Option<Instant> {
        if self.config.linger.is_zero() {
            return None;
        }
        let accumulator = self.shared.lock();
        let due = |id: &LaneId| accumulator.peek(*id).map(|(_, created, _)| created + self.config.linger);
        self.active.iter().filter_map(due).min()
    }
}

/// Whether the lane's oldest batch need not wait for more records.
fn is_due(id: LaneId, accumulator: &Accumulator, linger: std::time::Duration, now: Instant) -> bool {
    if linger.is_zero()
        || accumulator.flushing > 0
        || accumulator.closed
        || accumulator.is_short_of_space()
        || accumulator.is_committing()
    {
        return true;
    }
    accumulator.peek(id).is_some_and(|(_, created, full)| full || created + linger <= now)
}
