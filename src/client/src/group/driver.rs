//! The driver of a membership: carries out what the state machine says and brings it the answers.

use super::coordinator::{Command, GroupConfig, GroupHooks, Published, Shared};
use super::membership::{
    Action, Generation, Joined, LeaveReason, Member, Membership, MembershipConfig, ReplyError,
};
use crate::cluster::Cluster;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::text::str_bytes;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Request, StrBytes};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

const JOIN_MAX_VERSION: i16 = 9;
const SYNC_MAX_VERSION: i16 = 5;
const HEARTBEAT_MAX_VERSION: i16 = 4;
const LEAVE_MAX_VERSION: i16 = 5;
/// Java's `JOIN_GROUP_TIMEOUT_LAPSE`: how much later than the coordinator the client gives up.
const JOIN_TIMEOUT_LAPSE: Duration = Duration::from_secs(5);

/// What a piece of work brought.
enum Input {
    Prepared(bool),
    Joined(u64, Result<JoinGroupResponse, ClientError>),
    LeaderAssigned(u64, Result<Vec<(String, Bytes)>, ClientError>),
    Synced(u64, Result<SyncGroupResponse, ClientError>),
    Heartbeat(u64, Result<HeartbeatResponse, ClientError>),
    Left,
}

pub(super) struct Driver {
    cluster: Cluster,
    config: Arc<GroupConfig>,
    hooks: Arc<dyn GroupHooks>,
    machine: Membership,
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Command>,
    work: FuturesUnordered<BoxFuture<'static, Input>>,
    /// Who waits until the group is left.
    leaving: Vec<oneshot::Sender<()>>,
    leaves_in_flight: usize,
    /// What the driver knows of an error that the state machine has only the code of.
    last_error: Option<ClientError>,
    leader: bool,
    /// Why the group is joined next (KIP-800).
    reason: Cow<'static, str>,
}

impl Driver {
    pub(super) fn new(
        cluster: Cluster,
        config: GroupConfig,
        hooks: Arc<dyn GroupHooks>,
        shared: Arc<Shared>,
        inbox: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let timing = MembershipConfig {
            instance_id: config.instance_id.as_deref().map(str::to_owned),
            heartbeat_interval: config.heartbeat_interval,
            retry_backoff: cluster.config().retry_backoff,
            retry_backoff_max: cluster.config().retry_backoff_max,
        };
        Self {
            machine: Membership::new(timing, Instant::now()),
            cluster,
            config: Arc::new(config),
            hooks,
            shared,
            inbox,
            work: FuturesUnordered::new(),
            leaving: Vec::new(),
            leaves_in_flight: 0,
            last_error: None,
            leader: false,
            reason: Cow::Borrowed(""),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let now = Instant::now();
            if self.machine.beats() && self.shared.clock.expired(now) {
                tracing::warn!(
                    group = &*self.config.group_id,
                    "the application did not ask for records for {} ms (max.poll.interval.ms), so the group is left; \
                     raise max.poll.interval.ms or handle smaller batches",
                    self.config.max_poll_interval.as_millis()
                );
                self.machine.poll_expired();
            }
            while let Some(action) = self.machine.next_action(now) {
                self.perform(action);
            }
            self.publish();
            if self.leaves_in_flight == 0 {
                self.leaving.drain(..).for_each(|done| {
                    let _ = done.send(());
                });
                if self.inbox.is_closed() && self.inbox.is_empty() && !self.machine.is_active() {
                    return;
                }
            }
            let deadline = self.deadline(now);
            tokio::select! {
                command = self.inbox.recv(), if self.machine.is_active() || !self.inbox.is_closed() => match command {
                    Some(command) => self.on_command(command),
                    None => self.give_up(),
                },
                Some(input) = self.work.next() => self.on_input(input),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let mut deadline = now + Duration::from_secs(3600);
        if let Some(at) = self.machine.deadline() {
            deadline = deadline.min(at);
        }
        if self.machine.beats() {
            // While the application is inside it is looked at again after an interval.
            let away = self.shared.clock.deadline().unwrap_or(now + self.config.max_poll_interval);
            deadline = deadline.min(away);
        }
        deadline
    }

    fn publish(&self) {
        let (keeps, losses) = (self.machine.keeps(), self.machine.losses());
        let published = Published { standing: self.machine.standing(), keeps, losses };
        self.shared.standing.send_if_modified(|last| {
            let changed = *last != published;
            *last = published;
            changed
        });
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Join => self.machine.join(),
            Command::Rejoin(reason) => self.rejoin(reason),
            Command::Leave(done) => {
                self.leaving.push(done);
                self.give_up();
            }
            Command::CommitRefused { generation, code } => self.machine.on_commit_refused(generation, code),
        }
    }

    fn rejoin(&mut self, reason: Cow<'static, str>) {
        tracing::info!(group = &*self.config.group_id, reason = &*reason, "asking for a rebalance");
        self.reason = reason;
        self.machine.rejoin();
    }

    fn give_up(&mut self) {
        // Answers to anything older are void, and a JoinGroup must not be waited for.
        self.work = FuturesUnordered::new();
        self.leaves_in_flight = 0;
        self.machine.leave();
    }

    fn on_input(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Prepared(keeps) => self.machine.prepared(keeps),
            Input::Joined(attempt, answer) => self.on_join(now, attempt, answer),
            Input::LeaderAssigned(attempt, answer) => {
                if let Err(error) = &answer {
                    tracing::warn!(group = &*self.config.group_id, %error, "cannot compute the assignment yet");
                }
                self.machine.assign(now, attempt, answer.ok());
            }
            Input::Synced(attempt, answer) => {
                let answer = self.reply("SyncGroup", answer, |response| response.error_code);
                self.machine.on_sync(now, attempt, answer.map(|response| response.assignment));
            }
            Input::Heartbeat(attempt, answer) => {
                let answer = self.reply("Heartbeat", answer, |response| response.error_code);
                self.machine.on_heartbeat(now, attempt, answer.map(|_| ()));
            }
            Input::Left => self.leaves_in_flight = self.leaves_in_flight.saturating_sub(1),
        }
    }

    fn on_join(&mut self, now: Instant, attempt: u64, answer: Result<JoinGroupResponse, ClientError>) {
        if let Ok(response) = &answer
            && ErrorCode(response.error_code) == ErrorCode::MEMBER_ID_REQUIRED
        {
            return self.machine.on_member_id(attempt, &response.member_id);
        }
        let answer = self.reply("JoinGroup", answer, |response| response.error_code).map(joined);
        if let Ok(joined) = &answer {
            self.leader = joined.members.is_some();
        }
        self.machine.on_join(now, attempt, answer);
    }

    /// Sorts an error for the state machine, and keeps it for [`GroupHooks::failed`].
    fn reply<T>(
        &mut self,
        api: &'static str,
        answer: Result<T, ClientError>,
        code: impl FnOnce(&T) -> i16,
    ) -> Result<T, ReplyError> {
        let accepted = answer.and_then(|response| match ErrorCode(code(&response)).ok() {
            Ok(()) => Ok(response),
            Err(code) => Err(self.refused(code, api)),
        });
        accepted.map_err(|error| {
            tracing::info!(group = &*self.config.group_id, %error, "{api} failed");
            let reply = verdict_of(&error).map_or(ReplyError::Unreachable, ReplyError::Code);
            self.last_error = Some(error);
            reply
        })
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Prepare(end) => {
                let done = self.hooks.prepare(end);
                let shared = self.shared.clone();
                self.work.push(
                    async move {
                        let keeps = done.await;
                        // Whoever was away for too long would be late for the next generation as well.
                        shared.clock.until_back().await;
                        Input::Prepared(keeps)
                    }
                    .boxed(),
                );
            }
            Action::LostMeanwhile => self.hooks.lost_meanwhile(),
            Action::Join { attempt, member_id } => self.join(attempt, &member_id),
            Action::Assign { attempt, generation, members } => {
                let assigned = self.hooks.assign(generation, members);
                self.work.push(async move { Input::LeaderAssigned(attempt, assigned.await) }.boxed());
            }
            Action::Sync { attempt, generation, assignments } => self.sync(attempt, &generation, assignments),
            Action::Assigned { generation, assignment } => {
                tracing::info!(
                    group = &*self.config.group_id,
                    generation = generation.id,
                    member = &*generation.member_id,
                    leader = self.leader,
                    "joined the group"
                );
                self.reason = Cow::Borrowed("");
                if let Some(reason) = self.hooks.assigned(&generation, self.leader, assignment) {
                    self.rejoin(reason.into());
                }
            }
            Action::Heartbeat { attempt, generation } => self.heartbeat(attempt, &generation),
            Action::Leave { member_id, joining, reason } => self.leave(&member_id, joining, reason),
            Action::ForgetCoordinator => self.cluster.forget_coordinator(&self.config.group_id),
            Action::Failed(code) => {
                // Anything else was refused by a commit, of which only the code is known here.
                let known = self.last_error.take().filter(|error| verdict_of(error) == Some(code));
                self.hooks.failed(known.unwrap_or_else(|| self.refused(code, "OffsetCommit")));
            }
        }
    }

    fn join(&mut self, attempt: u64, member_id: &str) {
        let protocols =
            self.hooks.protocols(self.machine.generation()).into_iter().map(|(name, metadata)| {
                JoinGroupRequestProtocol::default().with_name(str_bytes(&name)).with_metadata(metadata)
            });
        let request = JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_session_timeout_ms(millis(self.config.session_timeout))
            .with_rebalance_timeout_ms(millis(self.config.rebalance_timeout))
            .with_member_id(str_bytes(member_id))
            .with_group_instance_id(self.instance_id())
            .with_protocol_type(StrBytes::from_static_str(self.config.protocol_type))
            .with_protocols(protocols.collect())
            .with_reason(Some(StrBytes::from_string(shortened(&self.reason))));
        let answer = self.call(request, JOIN_MAX_VERSION, self.rebalance_patience());
        self.work.push(async move { Input::Joined(attempt, answer.await) }.boxed());
    }

    fn sync(&mut self, attempt: u64, generation: &Generation, assignments: Vec<(String, Bytes)>) {
        let assignments = assignments.into_iter().map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(StrBytes::from_string(member))
                .with_assignment(assignment)
        });
        let request = SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id(generation.id)
            .with_member_id(str_bytes(&generation.member_id))
            .with_group_instance_id(self.instance_id())
            .with_protocol_type(Some(StrBytes::from_static_str(self.config.protocol_type)))
            .with_protocol_name(Some(str_bytes(&generation.protocol)))
            .with_assignments(assignments.collect());
        let answer = self.call(request, SYNC_MAX_VERSION, self.rebalance_patience());
        self.work.push(async move { Input::Synced(attempt, answer.await) }.boxed());
    }

    /// A join or a sync is answered when all members are there, or their time is over.
    fn rebalance_patience(&self) -> Duration {
        self.cluster.config().request_timeout.max(self.config.rebalance_timeout + JOIN_TIMEOUT_LAPSE)
    }

    fn heartbeat(&mut self, attempt: u64, generation: &Generation) {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id(generation.id)
            .with_member_id(str_bytes(&generation.member_id))
            .with_group_instance_id(self.instance_id());
        // Early enough for another try within the session.
        let patience = self.cluster.config().request_timeout.min(self.config.session_timeout / 3);
        let answer = self.call(request, HEARTBEAT_MAX_VERSION, patience);
        self.work.push(async move { Input::Heartbeat(attempt, answer.await) }.boxed());
    }

    fn leave(&mut self, member_id: &str, joining: bool, reason: LeaveReason) {
        let (group_id, member_id) = (self.group_id(), str_bytes(member_id));
        let reason = match reason {
            LeaveReason::Asked => "the member leaves",
            LeaveReason::PollExpired => "the application was away for longer than max.poll.interval.ms",
        };
        let request = move |version: i16| {
            let request = LeaveGroupRequest::default().with_group_id(group_id);
            if version < 3 {
                return request.with_member_id(member_id);
            }
            let member = MemberIdentity::default()
                .with_member_id(member_id)
                .with_reason((version >= 5).then(|| StrBytes::from_static_str(reason)));
            request.with_members(vec![member])
        };
        // An unanswered JoinGroup holds up its connection until the rebalance is over.
        let class = if joining { ConnectionClass::Admin } else { ConnectionClass::Group };
        let patience = self.cluster.config().request_timeout.min(JOIN_TIMEOUT_LAPSE);
        self.leaves_in_flight += 1;
        let (cluster, config) = (self.cluster.clone(), self.config.clone());
        self.work.push(
            async move {
                let answer = async {
                    let node = cluster.coordinator(&config.group_id).await?;
                    cluster.call_with(node, class, LEAVE_MAX_VERSION, patience, request).await
                };
                let answer = tokio::time::timeout(patience, answer).await;
                let code =
                    answer.map(|answer: Result<_, ClientError>| answer.map(|response| left(&response)));
                if !matches!(code, Ok(Ok(ErrorCode::NONE))) {
                    let group = &*config.group_id;
                    tracing::info!(group, ?code, "the group could not be left; the session will time out");
                }
                Input::Left
            }
            .boxed(),
        );
    }

    fn call<R>(
        &self,
        request: R,
        max_version: i16,
        patience: Duration,
    ) -> BoxFuture<'static, Result<R::Response, ClientError>>
    where
        R: Request + Send + Sync + 'static,
        R::Response: Send,
    {
        let (cluster, config) = (self.cluster.clone(), self.config.clone());
        async move {
            let node = cluster.coordinator(&config.group_id).await?;
            cluster.call(node, ConnectionClass::Group, request, max_version, patience).await
        }
        .boxed()
    }

    fn refused(&self, code: ErrorCode, api: &'static str) -> ClientError {
        BrokerError::new(code, api).group(self.config.group_id.clone()).into()
    }

    fn group_id(&self) -> GroupId {
        GroupId(str_bytes(&self.config.group_id))
    }

    fn instance_id(&self) -> Option<StrBytes> {
        self.config.instance_id.as_deref().map(str_bytes)
    }
}

/// The code behind an error, unless no coordinator was reached.
fn verdict_of(error: &ClientError) -> Option<ErrorCode> {
    match error {
        ClientError::UnsupportedVersion { .. } => Some(ErrorCode::UNSUPPORTED_VERSION),
        error if error.is_authentication() => Some(ErrorCode::SASL_AUTHENTICATION_FAILED),
        // The coordinator may be there later.
        ClientError::Exhausted { .. } => None,
        error => error.code(),
    }
}

fn joined(response: JoinGroupResponse) -> Joined {
    let protocol = response.protocol_name.unwrap_or_default();
    let leads = response.leader == response.member_id;
    let members = response.members.into_iter().map(|m| Member {
        member_id: m.member_id.to_string(),
        instance_id: m.group_instance_id.map(|i| i.to_string()),
        metadata: m.metadata,
    });
    Joined {
        members: leads.then(|| members.collect()),
        generation: Generation {
            id: response.generation_id,
            member_id: Arc::from(&*response.member_id),
            protocol: Arc::from(&*protocol),
        },
        skip_assignment: response.skip_assignment,
    }
}

/// The answer to a LeaveGroup of one member.
fn left(response: &LeaveGroupResponse) -> ErrorCode {
    match response.members.first() {
        Some(member) if ErrorCode(response.error_code).is_ok() => ErrorCode(member.error_code),
        _ => ErrorCode(response.error_code),
    }
}

/// Coordinators take reasons of 255 characters (Java's `maybeTruncateReason`).
fn shortened(reason: &str) -> String {
    reason.chars().take(255).collect()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
