//! A herder that answers from a table, and an HTTP client that shows what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use crossdock_api::ConfigMap;
use crossdock_api::config::NullableConfig;
use crossdock_runtime::herder::offsets::{ConnectorOffset, ConnectorOffsets, Message};
use crossdock_runtime::herder::plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};
use crossdock_runtime::herder::{
    ConnectorInfo, ConnectorKind, ConnectorState, ConnectorStatus, RequestSignature, RestartRequest,
    ServerInfo, State, TargetState, TaskId, TaskInfo, TaskStatus,
};
use crossdock_runtime::metrics::{MetricGroup, Reading};
use crossdock_runtime::{Herder, HerderError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Worker id of all states, as the transcripts write it.
pub const WORKER: &str = "<worker1>";

/// A connector with one task.
#[derive(Debug, Clone)]
pub struct Scripted {
    pub config: ConfigMap,
    pub task_config: ConfigMap,
    pub kind: ConnectorKind,
    pub task_state: State,
    pub trace: Option<String>,
}

/// Answers as the Java herder does, from a table of connectors.
#[derive(Debug, Default)]
pub struct ScriptedHerder {
    pub connectors: Mutex<BTreeMap<String, Scripted>>,
    /// Names that are listed and then not found.
    pub vanishing: Mutex<BTreeSet<String>>,
    /// What was restarted.
    pub restarts: Mutex<Vec<String>>,
    /// What else was asked for.
    pub changes: Mutex<Vec<String>>,
    /// Whether it blocks in `connectors`, panics in `connector_info` and fails in others.
    pub stubborn: bool,
    /// It was asked for connectors.
    pub asked: Notify,
    /// Ends the blocking.
    pub released: Notify,
}

impl ScriptedHerder {
    fn get(&self, name: &str, missing: impl Into<String>) -> Result<Scripted, HerderError> {
        self.connectors
            .lock()
            .unwrap()
            .get(name)
            .cloned()
            .ok_or_else(|| HerderError::NotFound(missing.into()))
    }

    fn info(&self, name: &str, config: NullableConfig) -> Result<ConnectorInfo, HerderError> {
        let config = config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(ConnectorInfo { name: name.into(), config, tasks: vec![], kind: ConnectorKind::Source })
    }

    fn task(&self, name: &str, task: u32, missing: String) -> Result<TaskStatus, HerderError> {
        let found = self.get(name, missing.clone())?;
        if task != 0 {
            return Err(HerderError::NotFound(missing));
        }
        let (state, trace) = (found.task_state, found.trace);
        Ok(TaskStatus { id: 0, state, worker_id: WORKER.into(), version: Some("4.3.1".into()), trace })
    }
}

#[async_trait]
impl Herder for ScriptedHerder {
    async fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: "4.3.1".into(),
            commit: "<commit>".into(),
            kafka_cluster_id: (!self.stubborn).then(|| "<kafka_cluster_id>".into()),
        }
    }

    async fn metrics(&self) -> Vec<MetricGroup> {
        let attributes = vec![("task-count", Reading::Number(self.connectors.lock().unwrap().len() as f64))];
        vec![MetricGroup {
            domain: "kafka.connect",
            kind: "connect-worker-metrics",
            tags: Vec::new(),
            attributes,
        }]
    }

    async fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        let plugin = |class: &str, kind| PluginInfo { class: class.into(), kind, version: "4.3.1".into() };
        let mut plugins = vec![plugin("org.example.ASink", "sink")];
        if !connectors_only {
            plugins.push(plugin("org.example.AConverter", "converter"));
        }
        plugins
    }

    async fn plugin_config(&self, plugin: &str, version: &str) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        Err(HerderError::NotFound(format!("Unknown plugin {plugin}. {version}")))
    }

    async fn validate_config(&self, config: NullableConfig) -> Result<ConfigInfos, HerderError> {
        match config.get("connector.class") {
            Some(Some(class)) => {
                Ok(ConfigInfos { name: class.clone(), error_count: 0, groups: vec![], configs: vec![] })
            }
            _ => Err(HerderError::BadRequest("no class".into())),
        }
    }

    async fn create_connector(
        &self,
        name: &str,
        config: NullableConfig,
        initial_state: TargetState,
    ) -> Result<ConnectorInfo, HerderError> {
        self.changes.lock().unwrap().push(format!("create {name} {initial_state:?} {}", config.len()));
        self.info(name, config)
    }

    async fn put_connector_config(
        &self,
        name: &str,
        config: NullableConfig,
    ) -> Result<(bool, ConnectorInfo), HerderError> {
        self.changes.lock().unwrap().push(format!("put {name} {}", config.len()));
        Ok((!self.connectors.lock().unwrap().contains_key(name), self.info(name, config)?))
    }

    async fn patch_connector_config(
        &self,
        name: &str,
        patch: NullableConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        self.changes.lock().unwrap().push(format!("patch {name} {}", patch.len()));
        self.info(name, patch)
    }

    async fn delete_connector(&self, connector: &str) -> Result<(), HerderError> {
        self.get(connector, format!("Connector {connector} not found"))?;
        self.changes.lock().unwrap().push(format!("delete {connector}"));
        Ok(())
    }

    async fn set_target_state(&self, connector: &str, state: TargetState) -> Result<(), HerderError> {
        self.changes.lock().unwrap().push(format!("{state:?} {connector}"));
        Ok(())
    }

    async fn put_task_configs(
        &self,
        connector: &str,
        configs: Vec<ConfigMap>,
        signature: Option<RequestSignature>,
    ) -> Result<(), HerderError> {
        let signed = signature.is_some();
        self.changes.lock().unwrap().push(format!("tasks {connector} {} signed={signed}", configs.len()));
        Ok(())
    }

    async fn fence_zombie_source_tasks(
        &self,
        connector: &str,
        signature: Option<RequestSignature>,
    ) -> Result<(), HerderError> {
        self.changes.lock().unwrap().push(format!("fence {connector} signed={}", signature.is_some()));
        Ok(())
    }

    async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        if self.stubborn {
            self.asked.notify_one();
            self.released.notified().await;
        }
        let mut names: BTreeSet<_> = self.connectors.lock().unwrap().keys().cloned().collect();
        names.extend(self.vanishing.lock().unwrap().iter().cloned());
        Ok(names.into_iter().collect())
    }

    async fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError> {
        assert!(!self.stubborn, "a herder's fault");
        let found = self.get(connector, format!("Connector {connector} not found"))?;
        let tasks = vec![TaskId { connector: connector.into(), task: 0 }];
        Ok(ConnectorInfo { name: connector.into(), config: found.config, tasks, kind: found.kind })
    }

    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError> {
        if self.stubborn {
            return Err(HerderError::Internal("broken".into()));
        }
        let missing = format!("No status found for connector {connector}");
        let found = self.get(connector, missing.clone())?;
        let state = ConnectorState {
            state: State::Running,
            worker_id: WORKER.into(),
            trace: None,
            version: "4.3.1".into(),
        };
        let tasks = vec![self.task(connector, 0, missing)?];
        Ok(ConnectorStatus { name: connector.into(), connector: state, tasks, kind: found.kind })
    }

    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError> {
        if self.stubborn {
            return Err(HerderError::Conflict("rebalance".into()));
        }
        let found = self.get(connector, format!("Connector {connector} not found"))?;
        let id = TaskId { connector: connector.into(), task: 0 };
        Ok(vec![TaskInfo { id, config: found.task_config }])
    }

    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError> {
        if self.stubborn {
            return Err(HerderError::BadRequest("bad".into()));
        }
        self.task(connector, task, format!("No status found for task {connector}-{task}"))
    }

    async fn connector_offsets(&self, connector: &str) -> Result<ConnectorOffsets, HerderError> {
        self.get(connector, format!("Connector {connector} not found"))?;
        let fields = |name: &str, value: i64| Some([(name.to_owned(), value.into())].into_iter().collect());
        let offset = ConnectorOffset { partition: fields("p", 1), offset: fields("o", 2) };
        Ok(ConnectorOffsets { offsets: vec![offset] })
    }

    async fn alter_connector_offsets(
        &self,
        connector: &str,
        offsets: Vec<ConnectorOffset>,
    ) -> Result<Message, HerderError> {
        self.get(connector, format!("Connector {connector} not found"))?;
        Ok(Message { message: format!("altered {}", offsets.len()) })
    }

    async fn reset_connector_offsets(&self, connector: &str) -> Result<Message, HerderError> {
        self.get(connector, format!("Connector {connector} not found"))?;
        Ok(Message { message: "reset".into() })
    }

    async fn active_topics(&self, connector: &str) -> Result<Vec<String>, HerderError> {
        Ok(vec![format!("topic-of-{connector}")])
    }

    async fn reset_active_topics(&self, connector: &str) -> Result<(), HerderError> {
        Err(HerderError::Forbidden(format!("not of {connector}")))
    }

    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        self.task(connector, task, format!("Task {connector}-{task} not found"))?;
        self.restarts.lock().unwrap().push(format!("{connector}-{task}"));
        Ok(())
    }

    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError> {
        self.get(connector, format!("Connector {connector} not found"))?;
        let RestartRequest { include_tasks, only_failed } = request;
        self.restarts.lock().unwrap().push(format!("{connector} tasks={include_tasks} failed={only_failed}"));
        Ok(())
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// Sends a request as it stands here, percent-encoding included, on a connection of its own.
pub async fn send(
    to: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if method == "POST" || !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    send_raw(to, &format!("{head}\r\n{body}")).await
}

/// Sends bytes and reads until the server closes.
pub async fn send_raw(to: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    parse(&String::from_utf8(bytes).unwrap())
}

pub fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}
