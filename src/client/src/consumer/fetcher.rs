//! Asks the brokers what the state's plan says, in a task of its own: fetches, offsets, metadata.
//!
//! The next fetch of a broker is on its way as soon as the last one is queued, while the application
//! works on it. Fetches are made by `fetch`, all else by `lookup`.

use super::ConsumerError;
use super::fetch::fetch;
use super::lookup::{self, Agreements};
use super::session::FetchSession;
use super::shared::Shared;
use super::state::{Asked, Fetched, Located, Question};
use crate::error::ErrorCode;
use crate::metadata::{NodeId, TopicPartition, TopicSelection};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The answer to a [`Question`].
enum Answer {
    Committed(Vec<Asked>, Result<Option<HashMap<TopicPartition, Located>>, ConsumerError>),
    Offsets(Vec<Asked>, HashMap<TopicPartition, Result<i64, ErrorCode>>),
    Agreements(Vec<Asked>, Agreements),
    Fetched(NodeId, Box<FetchSession>, Vec<(Asked, Fetched)>),
    Metadata,
}

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut work: FuturesUnordered<BoxFuture<'static, Answer>> = FuturesUnordered::new();
    // A session goes with the fetch that is under way, and comes back with its answer.
    let mut sessions: HashMap<NodeId, Box<FetchSession>> = HashMap::new();
    loop {
        let now = Instant::now();
        let metadata = shared.cluster.metadata();
        let plan = shared.lock().state.plan(now, &metadata);
        for question in plan.questions {
            let session = match &question {
                Question::Fetch { node, .. } => sessions.remove(node).unwrap_or_default(),
                _ => Box::default(),
            };
            work.push(ask(shared.clone(), question, session).boxed());
        }
        let wake_at = plan.wake_at.unwrap_or(now + Duration::from_secs(3600));
        tokio::select! {
            Some(answer) = work.next() => settle(&shared, answer, &mut sessions),
            () = shared.to_fetcher.notified() => {}
            () = tokio::time::sleep_until(wake_at.into()) => {}
        }
    }
}

fn settle(shared: &Shared, answer: Answer, sessions: &mut HashMap<NodeId, Box<FetchSession>>) {
    let now = Instant::now();
    let mut inner = shared.lock();
    let moved = match answer {
        Answer::Committed(asked, offsets) => {
            inner.state.on_committed(now, asked, offsets);
            false
        }
        Answer::Offsets(asked, offsets) => {
            inner.state.on_offsets(now, asked, offsets);
            false
        }
        Answer::Agreements(asked, Agreements { answers, too_old }) => {
            inner.state.on_agreements(now, asked, answers, too_old)
        }
        Answer::Metadata => {
            inner.state.on_metadata(now, &shared.cluster.metadata());
            false
        }
        Answer::Fetched(node, session, answers) => {
            sessions.insert(node, session);
            inner.state.on_fetched(now, node, answers)
        }
    };
    drop(inner);
    if moved {
        shared.cluster.request_refresh();
    }
    shared.to_application.notify_one();
}

async fn ask(shared: Arc<Shared>, question: Question, mut session: Box<FetchSession>) -> Answer {
    match question {
        Question::Committed(asked) => {
            let offsets = lookup::committed(&shared, &asked).await;
            Answer::Committed(asked, offsets)
        }
        Question::Offsets { node, to, partitions } => {
            let offsets = lookup::offsets(&shared, node, to, &partitions).await.unwrap_or_else(|error| {
                tracing::info!(%node, %error, "offsets could not be looked up and are asked for again");
                if error.refreshes_metadata() {
                    shared.cluster.request_refresh();
                }
                shared.report_if_refused(error);
                HashMap::new()
            });
            Answer::Offsets(partitions, offsets)
        }
        Question::Agreements { node, partitions } => {
            let agreements = lookup::agreements(&shared, node, &partitions).await.unwrap_or_else(|error| {
                tracing::info!(%node, %error, "positions could not be checked after a change of leader; it is tried again");
                shared.report_if_refused(error);
                Agreements::default()
            });
            Answer::Agreements(partitions, agreements)
        }
        Question::Fetch { node, partitions } => {
            let answers = fetch(&shared, node, &mut session, partitions).await;
            Answer::Fetched(node, session, answers)
        }
        Question::Metadata(topics) => {
            let create = shared.config.allow_auto_create_topics;
            if let Err(error) = shared.cluster.refresh(TopicSelection::Named(topics), create).await {
                tracing::warn!(%error, "the leaders of partitions could not be looked up");
                shared.report_if_refused(error);
            }
            Answer::Metadata
        }
    }
}
