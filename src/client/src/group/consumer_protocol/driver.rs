//! The driver of a membership in the consumer protocol: carries out what the state machine says and
//! brings it the answers.

use super::handle::{AssignmentHooks, Command, ConsumerGroupConfig, Published, Shared};
use super::membership::{Action, ConsumerMembership, Heartbeat, MembershipConfig};
use super::request::{self, API, MAX_VERSION, REGEX_VERSION};
use crate::cluster::Cluster;
use crate::config::invalid;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::group::membership::{ReplyError, Standing};
use crate::sync::lock;
use crate::text::str_bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How long a leave is waited for at most.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// What a piece of work brought.
enum Input {
    Answer(u64, Result<ConsumerGroupHeartbeatResponse, ClientError>),
    Names(Result<BTreeMap<Uuid, Arc<str>>, ClientError>),
    Revoked(u64),
    Released(u64),
    Left,
}

pub(super) struct Driver {
    cluster: Cluster,
    config: Arc<ConsumerGroupConfig>,
    hooks: Arc<dyn AssignmentHooks>,
    member_id: Arc<str>,
    machine: ConsumerMembership,
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Command>,
    work: FuturesUnordered<BoxFuture<'static, Input>>,
    /// Who waits until the group is left.
    leaving: Vec<oneshot::Sender<()>>,
    leaves_in_flight: usize,
    /// What the driver knows of an error that the state machine has only the code of.
    last_error: Option<ClientError>,
}

impl Driver {
    pub(super) fn new(
        cluster: Cluster,
        config: Arc<ConsumerGroupConfig>,
        hooks: Arc<dyn AssignmentHooks>,
        shared: Arc<Shared>,
        inbox: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let member_id: Arc<str> = Uuid::new_v4().to_string().into();
        let timing = MembershipConfig {
            member_id: member_id.clone(),
            is_static: config.instance_id.is_some(),
            retry_backoff: cluster.config().retry_backoff,
            retry_backoff_max: cluster.config().retry_backoff_max,
        };
        Self {
            machine: ConsumerMembership::new(timing, Instant::now()),
            cluster,
            config,
            hooks,
            member_id,
            shared,
            inbox,
            work: FuturesUnordered::new(),
            leaving: Vec::new(),
            leaves_in_flight: 0,
            last_error: None,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let now = Instant::now();
            if self.is_member() && self.shared.clock.expired(now) {
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
            let (standing, losses) = (self.machine.standing(), self.machine.losses());
            *lock(&self.shared.published) = Published { standing, losses };
            if self.leaves_in_flight == 0 {
                self.leaving.drain(..).for_each(|done| {
                    // Whoever waited may be gone.
                    let _ = done.send(());
                });
                if self.inbox.is_closed() && self.inbox.is_empty() && !self.machine.is_active() {
                    return;
                }
            }
            let deadline = self.deadline(now);
            tokio::select! {
                command = self.inbox.recv(), if self.machine.is_active() || !self.inbox.is_closed() => match command {
                    Some(Command::Subscribe(wanted)) => self.machine.subscribe(Instant::now(), wanted),
                    Some(Command::Leave(done)) => {
                        self.leaving.push(done);
                        self.give_up();
                    }
                    None => self.give_up(),
                },
                Some(input) = self.work.next() => self.on_input(input),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
    }

    fn is_member(&self) -> bool {
        matches!(self.machine.standing(), Standing::Member(_))
    }

    fn deadline(&self, now: Instant) -> Instant {
        let mut deadline = now + Duration::from_secs(3600);
        if let Some(at) = self.machine.deadline() {
            deadline = deadline.min(at);
        }
        if self.is_member() {
            // While the application is inside it is looked at again after an interval.
            let away = self.shared.clock.deadline().unwrap_or(now + self.config.max_poll_interval);
            deadline = deadline.min(away);
        }
        deadline
    }

    fn give_up(&mut self) {
        // Answers to anything older are void.
        self.work = FuturesUnordered::new();
        self.leaves_in_flight = 0;
        self.machine.leave();
    }

    fn on_input(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Answer(attempt, answer) => self.on_answer(now, attempt, answer),
            Input::Names(names) => {
                if let Err(error) = &names {
                    tracing::warn!(group = &*self.config.group_id, %error,
                        "topics of the assignment could not be looked up; it is tried again");
                }
                self.machine.on_names(now, names.unwrap_or_default());
            }
            Input::Revoked(step) => self.machine.revoked(step),
            Input::Released(step) => self.machine.released(now, step),
            Input::Left => self.leaves_in_flight = self.leaves_in_flight.saturating_sub(1),
        }
    }

    fn on_answer(
        &mut self,
        now: Instant,
        attempt: u64,
        answer: Result<ConsumerGroupHeartbeatResponse, ClientError>,
    ) {
        let answer = answer.and_then(|response| {
            let code = ErrorCode(response.error_code);
            let message = response.error_message.clone();
            code.ok().map_err(|code| self.refused(code, message.as_deref()))?;
            request::answer(response).ok_or_else(|| self.refused(ErrorCode::UNKNOWN_SERVER_ERROR, None))
        });
        let answer = answer.map_err(|error| {
            tracing::info!(group = &*self.config.group_id, %error, "{API} failed");
            let reply = verdict_of(&error).map_or(ReplyError::Unreachable, ReplyError::Code);
            self.last_error = Some(error);
            reply
        });
        self.machine.on_heartbeat(now, attempt, answer);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Heartbeat { attempt, heartbeat } => self.heartbeat(attempt, heartbeat),
            Action::Leave { epoch } => self.leave(epoch),
            Action::Resolve(ids) => self.resolve(ids),
            Action::Revoke { step, partitions } => {
                tracing::info!(group = &*self.config.group_id, ?partitions, "giving partitions up");
                let done = self.hooks.revoke(partitions);
                self.work.push(done.map(move |()| Input::Revoked(step)).boxed());
            }
            Action::Assign(partitions) => {
                tracing::info!(group = &*self.config.group_id, ?partitions, "partitions are assigned");
                self.hooks.assign(partitions);
            }
            Action::Lose { step } => {
                let done = self.hooks.lose();
                let shared = self.shared.clone();
                self.work.push(
                    async move {
                        done.await;
                        // Whoever was away for too long would be late for the next assignment as well.
                        shared.clock.until_back().await;
                        Input::Released(step)
                    }
                    .boxed(),
                );
            }
            Action::ForgetCoordinator => self.cluster.forget_coordinator(&self.config.group_id),
            Action::Report(code) => {
                let error = self.known(code);
                self.hooks.report(error);
            }
            Action::Failed(code) => {
                let error = explain(self.known(code));
                self.hooks.failed(error);
            }
        }
    }

    fn heartbeat(&mut self, attempt: u64, heartbeat: Heartbeat) {
        let (cluster, config) = (self.cluster.clone(), self.config.clone());
        let request = request::heartbeat(&config, &self.member_id, &heartbeat);
        let regex = heartbeat.regex;
        let patience = cluster.config().request_timeout;
        let answer = async move {
            let node = cluster.coordinator(&config.group_id).await?;
            let connection = cluster.connection(node, ConnectionClass::Group).await?;
            let with_regex = |version: i16| {
                if version < REGEX_VERSION {
                    request
                } else {
                    request.with_subscribed_topic_regex(regex_text(&regex))
                }
            };
            let key = kafka_protocol::messages::ApiKey::ConsumerGroupHeartbeat as i16;
            let version = connection.versions().choose(key, 0, MAX_VERSION);
            if version.is_some_and(|version| version < REGEX_VERSION) && regex.is_some() {
                return Err(no_regex());
            }
            connection.call(MAX_VERSION, patience, with_regex).await
        };
        self.work.push(answer.map(move |answer| Input::Answer(attempt, answer)).boxed());
    }

    fn leave(&mut self, epoch: i32) {
        self.leaves_in_flight += 1;
        let (cluster, config) = (self.cluster.clone(), self.config.clone());
        let request = request::last_heartbeat(&config, &self.member_id, epoch);
        let patience = cluster.config().request_timeout.min(LEAVE_PATIENCE);
        let left = async move {
            let answer = call(&cluster, &config, request, patience);
            let answer = tokio::time::timeout(patience, answer).await;
            let code = answer.map(|answer| answer.map(|response| ErrorCode(response.error_code)));
            let gone = [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::GROUP_ID_NOT_FOUND];
            if !matches!(&code, Ok(Ok(code)) if gone.contains(code)) {
                let group = &*config.group_id;
                tracing::info!(group, ?code, "the group could not be left; the session will time out");
            }
            Input::Left
        };
        self.work.push(left.boxed());
    }

    fn resolve(&mut self, ids: BTreeSet<Uuid>) {
        let cluster = self.cluster.clone();
        self.work.push(async move { Input::Names(cluster.topic_names(&ids).await) }.boxed());
    }

    /// The error behind a code of the machine.
    fn known(&mut self, code: ErrorCode) -> ClientError {
        let known = self.last_error.take().filter(|error| verdict_of(error) == Some(code));
        known.unwrap_or_else(|| self.refused(code, None))
    }

    fn refused(&self, code: ErrorCode, message: Option<&str>) -> ClientError {
        BrokerError::new(code, API).group(self.config.group_id.clone()).message(message).into()
    }
}

async fn call(
    cluster: &Cluster,
    config: &ConsumerGroupConfig,
    request: ConsumerGroupHeartbeatRequest,
    patience: Duration,
) -> Result<ConsumerGroupHeartbeatResponse, ClientError> {
    let node = cluster.coordinator(&config.group_id).await?;
    cluster.call(node, ConnectionClass::Group, request, MAX_VERSION, patience).await
}

fn regex_text(regex: &Option<Arc<str>>) -> Option<kafka_protocol::protocol::StrBytes> {
    regex.as_deref().map(str_bytes)
}

/// The code behind an error, unless no coordinator was reached.
fn verdict_of(error: &ClientError) -> Option<ErrorCode> {
    match error {
        ClientError::UnsupportedVersion { .. } => Some(ErrorCode::UNSUPPORTED_VERSION),
        ClientError::Config(_) => Some(ErrorCode::INVALID_REQUEST),
        error if error.is_authentication() => Some(ErrorCode::SASL_AUTHENTICATION_FAILED),
        // The coordinator may be there later.
        ClientError::Exhausted { .. } => None,
        error => error.code(),
    }
}

/// Says what to do about errors that only this protocol knows.
fn explain(error: ClientError) -> ClientError {
    if verdict_of(&error) != Some(ErrorCode::UNSUPPORTED_VERSION) {
        return error;
    }
    let reason = format!(
        "the cluster does not support this group protocol yet ({error}); set group.protocol=classic until all \
         brokers run Kafka 4.0 or newer with the feature group.version 1"
    );
    invalid("group.protocol", "consumer", &reason).into()
}

fn no_regex() -> ClientError {
    let reason = "the broker is too old to take a pattern from a consumer of this protocol (ConsumerGroupHeartbeat 1); \
                  subscribe to names, or set group.protocol=classic";
    invalid("group.protocol", "consumer", reason).into()
}
