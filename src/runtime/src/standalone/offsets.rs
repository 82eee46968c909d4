//! Offsets of connectors, seen and changed by operators (KIP-875): those of a source in the worker's store, those of a
//! sink in its consumer group.

use super::connector::{AnyConnector, is_source};
use super::{StandaloneHerder, missing};
use crate::config::{ConnectorConfig, clients};
use crate::herder::offsets::{ConnectorOffset, ConnectorOffsets, Message};
use crate::herder::{HerderError, State, TaskId};
use crate::offsets::group::{self, GroupChanges, GroupOffsets};
use crate::offsets::source::from_json_object;
use crossdock_api::registry::Plugin;
use crossdock_api::{ConnectError, ErrorKind, Map};
use crossdock_client::admin::Admin;
use crossdock_client::{ClientConfig, ClientError, Cluster, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// How long Kafka is waited for. Connect waits 90 s, which a caller takes for a hang.
const KAFKA: Duration = Duration::from_secs(20);
/// How long a connector may take to check offsets.
const CHECK: Duration = Duration::from_secs(60);

/// Offsets of a source that are to be set or deleted.
type SourceChanges = Vec<(Map, Option<Map>)>;

/// A connector that is STOPPED.
struct Stopped {
    plugin: Plugin,
    config: Arc<ConnectorConfig>,
}

impl StandaloneHerder {
    pub(super) async fn connector_offsets(&self, connector: &str) -> Result<ConnectorOffsets, HerderError> {
        let running = self.find(connector)?;
        let (kind, config) = {
            let running = running.lock().await;
            (running.plugin.kind(), running.config.clone())
        };
        if is_source(kind) {
            let stored = self.worker.source_offsets(connector).all().await;
            let stored = stored.map_err(|error| HerderError::Internal(error.to_string()))?;
            let shown = stored.into_iter().map(|stored| ConnectorOffset {
                partition: Some(stored.partition),
                offset: Some(stored.offset),
            });
            return Ok(ConnectorOffsets { offsets: shown.collect() });
        }
        let group = self.group_offsets(&config)?;
        let what = format!("Failed to retrieve consumer group offsets for sink connector {connector}");
        self.in_time(&what, group.list()).await
    }

    /// Sets and deletes offsets of a stopped connector.
    pub(super) async fn alter_connector_offsets(
        &self,
        connector: &str,
        offsets: Vec<ConnectorOffset>,
    ) -> Result<Message, HerderError> {
        self.modify(connector, Some(offsets)).await
    }

    /// Deletes all offsets of a stopped connector.
    pub(super) async fn reset_connector_offsets(&self, connector: &str) -> Result<Message, HerderError> {
        self.modify(connector, None).await
    }

    async fn modify(
        &self,
        connector: &str,
        offsets: Option<Vec<ConnectorOffset>>,
    ) -> Result<Message, HerderError> {
        let running = self.find(connector)?;
        // It cannot be resumed meanwhile.
        let running = running.lock().await;
        if self.worker.board.connector_state(connector).ok_or_else(|| missing(connector))? != State::Stopped
            || !running.tasks.is_empty()
        {
            return Err(HerderError::BadRequest(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
                 specified connector by issuing a 'PUT' request to the '/connectors/{connector}/stop' endpoint"
            )));
        }
        let what = if offsets.is_some() { "altered" } else { "reset" };
        let stopped = Stopped { plugin: running.plugin.clone(), config: Arc::clone(&running.config) };
        let known = match is_source(stopped.plugin.kind()) {
            true => self.modify_source(&stopped, offsets).await?,
            false => self.modify_sink(&stopped, offsets).await?,
        };
        drop(running);
        let message = match known {
            true => format!("The offsets for this connector have been {what} successfully"),
            false => format!(
                "The Connect framework-managed offsets for this connector have been {what} successfully. However, if this \
                 connector manages offsets externally, they will need to be manually {what} in the system that the \
                 connector uses."
            ),
        };
        Ok(Message { message })
    }

    async fn modify_source(
        &self,
        stopped: &Stopped,
        offsets: Option<Vec<ConnectorOffset>>,
    ) -> Result<bool, HerderError> {
        let store = self.worker.source_offsets(stopped.config.name());
        let failed = |error: String| HerderError::Internal(error);
        let changes: SourceChanges = match offsets {
            Some(offsets) => source_changes(offsets).map_err(|mistake| self.mistake(mistake))?,
            None => {
                let stored = store.all().await.map_err(|error| failed(error.to_string()))?;
                let partitions = stored.into_iter().filter_map(|s| from_json_object(s.partition).ok());
                partitions.map(|partition| (partition, None)).collect()
            }
        };
        let raw = stopped.config.raw();
        let known = match new_connector(&stopped.plugin)? {
            AnyConnector::Source(mut connector) => {
                let checking =
                    async move { connector.alter_offsets(raw, &changes).await.map(|k| (k, changes)) };
                self.checked(stopped, checking).await?
            }
            AnyConnector::Sink(_) => return Err(failed("the connector is no source any more".to_owned())),
        };
        store.alter(&known.1).await.map_err(|error| failed(error.to_string()))?;
        Ok(known.0)
    }

    async fn modify_sink(
        &self,
        stopped: &Stopped,
        offsets: Option<Vec<ConnectorOffset>>,
    ) -> Result<bool, HerderError> {
        let name = stopped.config.name();
        let group = self.group_offsets(&stopped.config)?;
        let is_reset = offsets.is_none();
        let changes = match offsets {
            Some(offsets) => self.sink_changes(name, &offsets)?,
            None => {
                let what =
                    format!("Failed to list offsets prior to resetting offsets for sink connector {name}");
                self.in_time(&what, group.nothing()).await?
            }
        };
        let raw = stopped.config.raw();
        let listed: Vec<_> = changes.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect();
        let known = match new_connector(&stopped.plugin)? {
            AnyConnector::Sink(mut connector) => {
                let checking = async move { connector.alter_offsets(raw, &listed).await };
                self.checked(stopped, checking).await?
            }
            AnyConnector::Source(_) => {
                return Err(HerderError::Internal("the connector is no sink any more".to_owned()));
            }
        };
        let (verb, kind) = if is_reset { ("reset", "sink connector") } else { ("alter", "connector") };
        let what = format!("Failed to {verb} consumer group offsets for {kind} {name}");
        let work = async {
            match is_reset {
                true => group.reset().await,
                false => group.alter(&changes).await,
            }
        };
        match tokio::time::timeout(KAFKA, work).await {
            Ok(Ok(())) => Ok(known),
            Ok(Err(error)) if group::has_members(&error) => Err(HerderError::Internal(format!(
                "Failed to {verb} consumer group offsets for connector {name} either because its tasks haven't stopped \
                 completely yet or the connector was resumed before the request to {verb} its offsets could be \
                 successfully completed. If the connector is in a stopped state, this operation can be safely retried. \
                 If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie \
                 sink tasks."
            ))),
            Ok(Err(error)) => Err(self.refused(&what, &error)),
            Err(_) => Err(HerderError::Internal(no_answer(&what))),
        }
    }

    fn sink_changes(&self, name: &str, offsets: &[ConnectorOffset]) -> Result<GroupChanges, HerderError> {
        let changes = group::parse(offsets).map_err(HerderError::BadRequest)?;
        match changes.iter().find(|(_, offset)| offset.is_some_and(|offset| offset < 0)) {
            None => Ok(changes),
            Some(_) if self.worker.config.is_strict() => {
                Err(HerderError::Internal(format!("Failed to modify offsets for sink connector {name}")))
            }
            Some((partition, offset)) => Err(HerderError::BadRequest(format!(
                "The offset {} of {partition} is negative",
                offset.unwrap_or_default()
            ))),
        }
    }

    /// The client's settings are those that the connector's tasks have.
    fn group_offsets(&self, config: &ConnectorConfig) -> Result<GroupOffsets, HerderError> {
        let task = TaskId { connector: config.name().to_owned(), task: 0 };
        let consumer = clients::consumer(&self.worker.config, config, &task);
        let group = consumer.get("group.id").cloned().unwrap_or_default();
        let settings = clients::admin(&self.worker.config, config);
        let settings = ClientConfig::from_map(&settings).map_err(|e| HerderError::Internal(e.to_string()))?;
        Ok(GroupOffsets { admin: Admin::new(Cluster::new(settings)), group })
    }

    /// What the connector says to offsets. Only mistakes in them are the caller's.
    async fn checked<T>(
        &self,
        stopped: &Stopped,
        checking: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, HerderError> {
        let name = stopped.config.name();
        let checking = self.guard.call(async move { Ok(checking.await) });
        match tokio::time::timeout(CHECK, checking).await {
            Err(_) => Err(HerderError::Internal(format!(
                "Timed out while calling the 'alterOffsets' method for connector {name}"
            ))),
            Ok(Err(trace)) => Err(HerderError::Internal(trace)),
            Ok(Ok(Err(error))) if matches!(error.kind(), ErrorKind::Config | ErrorKind::BadRecord) => {
                Err(self.mistake(error.to_string()))
            }
            Ok(Ok(Err(error))) => Err(HerderError::Internal(crate::guard::chain(&error))),
            Ok(Ok(Ok(known))) => Ok(known),
        }
    }

    /// A mistake of the caller, of which Connect makes one of the server.
    fn mistake(&self, message: String) -> HerderError {
        match self.worker.config.is_strict() {
            true => HerderError::Internal(message),
            false => HerderError::BadRequest(message),
        }
    }

    /// What Kafka refuses. Connect says no more than that it did.
    fn refused(&self, what: &str, error: &ClientError) -> HerderError {
        let asked_wrongly = [
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::INVALID_TOPIC_EXCEPTION,
            ErrorCode::GROUP_ID_NOT_FOUND,
        ];
        tracing::error!("{what}: {error}");
        match error.code() {
            _ if self.worker.config.is_strict() => HerderError::Internal(what.to_owned()),
            Some(code) if asked_wrongly.contains(&code) => {
                HerderError::BadRequest(format!("{what}: {error}"))
            }
            _ => HerderError::Internal(format!("{what}: {error}")),
        }
    }

    async fn in_time<T>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, HerderError> {
        match tokio::time::timeout(KAFKA, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.refused(what, &error)),
            Err(_) => Err(HerderError::Internal(no_answer(what))),
        }
    }
}

fn new_connector(plugin: &Plugin) -> Result<AnyConnector, HerderError> {
    let made = AnyConnector::make(plugin).map_err(HerderError::Internal)?;
    made.ok_or_else(|| HerderError::Internal("the plugin is no connector".to_owned()))
}

fn no_answer(what: &str) -> String {
    format!("{what}: Kafka did not answer within {} s; is a broker reachable?", KAFKA.as_secs())
}

/// Offsets of a source as its connector gets them; of two of one partition the last counts.
fn source_changes(offsets: Vec<ConnectorOffset>) -> Result<SourceChanges, String> {
    let map = |fields: serde_json::Map<String, serde_json::Value>| {
        let kind = |field: &String| match &fields[field] {
            serde_json::Value::Array(_) => "ARRAY",
            serde_json::Value::Object(_) => "MAP",
            _ => "a number of more than 64 bits",
        };
        from_json_object(fields.clone()).map_err(|field| {
            format!(
                "Offsets may only contain primitive types as values, but field {field} contains {}",
                kind(&field)
            )
        })
    };
    let mut changes = SourceChanges::new();
    for ConnectorOffset { partition, offset } in offsets {
        let offset = offset.map(map).transpose()?;
        let Some(partition) = partition else {
            match offset {
                // Nothing can be stored there, so nothing is deleted.
                None => continue,
                Some(_) => return Err("Partition objects cannot be null".to_owned()),
            }
        };
        let partition = map(partition)?;
        changes.retain(|(known, _)| *known != partition);
        changes.push((partition, offset));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkerConfig;
    use bytes::Bytes;
    use crossdock_api::{ConfigMap, Plugins};

    async fn herder(mode: &str) -> Arc<StandaloneHerder> {
        let mut plugins = Plugins::new();
        crossdock_converters::register(&mut plugins);
        crossdock_connector_file::register(&mut plugins);
        let config = config(&[
            ("bootstrap.servers", "localhost:1"),
            ("key.converter", "Json"),
            ("value.converter", "Json"),
            ("crossdock.compatibility", mode),
        ]);
        let herder =
            StandaloneHerder::start(WorkerConfig::parse(&config).unwrap(), plugins, "w:1".to_owned());
        let herder = herder.unwrap();
        let connector =
            [("name", "c"), ("connector.class", "FileStreamSource"), ("file", "f"), ("topic", "t")];
        herder.add_connector(self::config(&connector)).await.unwrap();
        herder
    }

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    async fn stop(herder: &StandaloneHerder) {
        let running = herder.find("c").unwrap();
        let mut running = running.lock().await;
        running.stop_tasks().await;
        running.tasks.clear();
        herder.worker.board.set_connector("c", State::Stopped, None);
    }

    fn offsets(json: &str) -> Vec<ConnectorOffset> {
        serde_json::from_str(json).unwrap()
    }

    async fn shown(herder: &StandaloneHerder) -> String {
        serde_json::to_string(&herder.connector_offsets("c").await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn offsets_of_a_stopped_source_can_be_changed() {
        let herder = herder("safe").await;
        let four = r#"[{"partition":{"filename":"f"},"offset":{"position":4}}]"#;
        let running = herder.alter_connector_offsets("c", offsets(four)).await.unwrap_err();
        assert!(matches!(&running, HerderError::BadRequest(m) if m.contains("STOPPED")), "{running}");
        stop(&herder).await;
        let altered = herder.alter_connector_offsets("c", offsets(four)).await.unwrap();
        assert_eq!(altered.message, "The offsets for this connector have been altered successfully");
        assert_eq!(
            shown(&herder).await,
            r#"{"offsets":[{"partition":{"filename":"f"},"offset":{"position":4}}]}"#
        );
        let reset = herder.reset_connector_offsets("c").await.unwrap();
        assert_eq!(reset.message, "The offsets for this connector have been reset successfully");
        assert_eq!(shown(&herder).await, r#"{"offsets":[]}"#);
        let missing = herder.reset_connector_offsets("none").await.unwrap_err();
        assert_eq!(missing, HerderError::NotFound("Connector none not found".to_owned()));
        herder.stop().await;
    }

    #[tokio::test]
    async fn a_partition_is_the_same_in_any_order_of_its_fields() {
        let herder = herder("safe").await;
        stop(&herder).await;
        let key = Bytes::from(r#"["c",{"b":1,"a":"x"}]"#);
        let entry = (key, Some(Bytes::from(r#"{"position":1}"#)));
        herder.worker.offsets.set(vec![entry]).await.unwrap();
        let deleted = r#"[{"partition":{"a":"x","b":1},"offset":null}]"#;
        herder.alter_connector_offsets("c", offsets(deleted)).await.unwrap();
        assert_eq!(shown(&herder).await, r#"{"offsets":[]}"#);
        herder.stop().await;
    }

    #[tokio::test]
    async fn wrong_offsets_are_the_callers_mistake() {
        for (mode, is_callers) in [("safe", true), ("strict", false)] {
            let herder = herder(mode).await;
            stop(&herder).await;
            for (json, words) in [
                (r#"[{"partition":{"filename":"f"},"offset":{"position":-1}}]"#, "non-negative"),
                (
                    r#"[{"partition":{"filename":"f"},"offset":{"position":0,"x":{}}}]"#,
                    "field x contains MAP",
                ),
                (r#"[{"offset":{"position":1}}]"#, "Partition objects cannot be null"),
                (r#"[{"partition":{"filename":"f"},"offset":{"position":99999999999999999999}}]"#, "64 bits"),
            ] {
                let error = herder.alter_connector_offsets("c", offsets(json)).await.unwrap_err();
                assert!(error.to_string().contains(words), "{error}");
                assert_eq!(matches!(error, HerderError::BadRequest(_)), is_callers, "{error}");
            }
            herder.stop().await;
        }
    }
}
