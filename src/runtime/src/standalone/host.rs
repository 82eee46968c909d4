//! What a connector may ask of the worker: other tasks, to be failed, its offsets.

use super::StandaloneHerder;
use crate::context;
use crate::guard::chain;
use crate::herder::State;
use crate::worker::Worker;
use crossdock_api::ConnectError;
use crossdock_api::source::{ConnectorHost, OffsetReader};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use tokio::sync::Notify;
use tracing::Instrument;

/// Connectors that asked for other tasks and were not answered yet.
#[derive(Default)]
pub(super) struct Asked {
    names: StdMutex<BTreeSet<String>>,
    more: Notify,
}

/// Gives connectors that asked for it other tasks, until the herder is gone.
pub(super) async fn answer(herder: Weak<StandaloneHerder>, asked: Arc<Asked>) {
    loop {
        asked.more.notified().await;
        let names = std::mem::take(&mut *asked.names.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(herder) = herder.upgrade() else { return };
        for name in names {
            let Ok(running) = herder.find(&name) else { continue };
            // Each on its own: one that hangs must not hold up the others.
            let asking = async move {
                let mut running = running.lock_to("being asked for its tasks").await;
                if !running.is_deleted {
                    // What goes wrong shows in its status.
                    let _ = running.update_tasks().await;
                }
            };
            tokio::spawn(asking.instrument(context::of_connector(&name)));
        }
    }
}

/// The worker's side of a connector's context.
pub(super) struct Host {
    pub(super) asked: Arc<Asked>,
    pub(super) worker: Arc<Worker>,
    pub(super) name: String,
}

impl ConnectorHost for Host {
    fn request_task_reconfiguration(&self) {
        self.asked.names.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name.clone());
        self.asked.more.notify_one();
    }

    fn raise_error(&self, error: ConnectError) {
        let trace = chain(&error);
        tracing::error!(connector = self.name, "the connector has raised an error: {trace}");
        self.worker.board.set_connector(&self.name, State::Failed, Some(trace));
    }

    fn offset_reader(&self) -> Arc<dyn OffsetReader> {
        Arc::new(self.worker.source_offsets(&self.name))
    }
}
