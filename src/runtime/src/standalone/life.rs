//! Restarts.

use super::StandaloneHerder;
use crate::herder::{HerderError, RestartRequest, State, TaskId};

impl StandaloneHerder {
    pub(super) async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        let running = self.find(connector)?;
        let id = TaskId { connector: connector.to_owned(), task };
        self.detached(|_| async move {
            let mut running = running.lock().await;
            if id.task as usize >= running.task_configs.len() {
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
        let running = self.find(connector)?;
        let name = connector.to_owned();
        self.detached(|this| async move {
            let mut running = running.lock().await;
            let board = &this.worker.board;
            let wanted = |state: Option<State>| !request.only_failed || state == Some(State::Failed);
            let failed: Vec<usize> = (0..running.task_configs.len())
                .filter(|n| wanted(board.task_state(&TaskId { connector: name.clone(), task: *n as u32 })))
                .collect();
            if wanted(board.connector_state(&name)) {
                running.restart().await;
            }
            if request.include_tasks {
                for number in failed {
                    if number < running.task_configs.len() {
                        running.restart_task(number).await;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}
