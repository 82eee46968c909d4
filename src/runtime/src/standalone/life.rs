//! Pauses, stops and restarts.

use super::{StandaloneHerder, missing};
use crate::herder::{HerderError, RestartRequest, State, TargetState, TaskId};

impl StandaloneHerder {
    pub(super) async fn set_target_state(
        &self,
        connector: &str,
        target: TargetState,
    ) -> Result<(), HerderError> {
        let slot = match (self.find(connector), target) {
            (Ok(slot), _) => slot,
            (Err(_), TargetState::Stopped) if self.worker.config.is_strict() => {
                return Err(HerderError::Internal(format!("No connector `{connector}` configured")));
            }
            (Err(_), _) => return Err(HerderError::NotFound(format!("Unknown connector {connector}"))),
        };
        let what = match target {
            TargetState::Started => "being resumed",
            TargetState::Paused => "being paused",
            TargetState::Stopped => "being stopped",
        };
        let name = connector.to_owned();
        self.detached(connector, |this| async move {
            let mut running = match target {
                TargetState::Started => slot.lock_to(what).await,
                _ => slot.seize_to(what, this.patience()).await,
            };
            if running.is_deleted {
                return Err(HerderError::NotFound(format!("Unknown connector {name}")));
            }
            running.set_target(target).await;
            Ok(())
        })
        .await
    }

    pub(super) async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        let id = TaskId { connector: connector.to_owned(), task };
        let slot = match self.find(connector) {
            Err(_) if self.worker.config.is_strict() => {
                return Err(HerderError::Internal(format!(
                    "Failed to start task {id} since it is not a recognizable type (source or sink)"
                )));
            }
            found => found?,
        };
        self.detached(connector, |_| async move {
            let mut running = slot.lock_to("having a task restarted").await;
            if running.is_deleted || id.task as usize >= running.task_configs.len() {
                return Err(HerderError::NotFound(format!("Task {id} not found")));
            }
            running.restart_task(id.task as usize).await;
            Ok(())
        })
        .await
    }

    pub(super) async fn restart_connector(
        &self,
        connector: &str,
        request: RestartRequest,
    ) -> Result<(), HerderError> {
        let is_simple = request == RestartRequest::default();
        let slot = match self.find(connector) {
            Ok(slot) => slot,
            Err(_) if !is_simple => {
                return Err(HerderError::NotFound(format!("Unknown connector: {connector}")));
            }
            Err(_) if self.worker.config.is_strict() => {
                let message = "Cannot invoke \"java.util.Map.get(Object)\" because \"connProps\" is null";
                return Err(HerderError::Internal(message.to_owned()));
            }
            Err(missing) => return Err(missing),
        };
        let name = connector.to_owned();
        self.detached(connector, |this| async move {
            let mut running = slot.seize_to("being restarted", this.patience()).await;
            if running.is_deleted {
                return Err(missing(&name));
            }
            let board = &this.worker.board;
            let wanted = |state: Option<State>| !request.only_failed || state == Some(State::Failed);
            let state =
                |task: usize| board.task_state(&TaskId { connector: name.clone(), task: task as u32 });
            let tasks: Vec<usize> = (0..running.task_configs.len())
                .filter(|task| request.include_tasks && wanted(state(*task)))
                .collect();
            if wanted(board.connector_state(&name)) {
                let restarted = match running.restart().await {
                    Ok(()) if is_simple => running.update_tasks().await,
                    outcome => outcome,
                };
                // With tasks it shows in the status only.
                if let (Err(trace), true) = (restarted, is_simple) {
                    return Err(HerderError::Internal(format!(
                        "Failed to transition connector {name} to state {}: {trace}",
                        running.target.connects_name()
                    )));
                }
            }
            for task in tasks {
                running.restart_task(task).await;
            }
            Ok(())
        })
        .await
    }
}
