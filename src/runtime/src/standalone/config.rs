//! Connectors come and change.

use super::connector::{AnyConnector, RunningConnector, is_source};
use super::host::Host;
use super::{StandaloneHerder, StartError};
use crate::config::{ConnectorConfig, clients};
use crate::guard::caught;
use crate::herder::ConnectorKind;
use crate::task::pipeline::Pipeline;
use crossdock_api::config::ConfigType;
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ConnectorContext};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a connector's own validation may take.
const VALIDATION: Duration = Duration::from_secs(60);

impl StandaloneHerder {
    /// Adds a connector and starts it with its tasks. That it or a task fails after its configuration
    /// was found valid is no error here: it shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, with the key; a name that is taken.
    pub async fn add_connector(&self, raw: ConfigMap) -> Result<(), StartError> {
        let class = ConnectorConfig::class_of(&raw)?;
        let found = self.worker.plugins.connector(class);
        let plugin = found.map_err(|e| ConfigError::Other(e.to_string()))?.clone();
        let made = AnyConnector::make(&plugin).map_err(StartError::Plugin)?;
        let mut connector = made.ok_or_else(|| ConfigError::Other(format!("{class} is not a connector")))?;
        let config = Arc::new(ConnectorConfig::parse(&raw, plugin.kind())?);
        let own = caught(|| connector.as_connector().config_def()).map_err(StartError::Plugin)?;
        own.parse(&raw)?;
        self.validate(&mut connector, &own, &raw).await?;
        // Also made by each task; here to refuse what cannot work at once.
        let pipeline = Pipeline::build(&self.worker.plugins, &self.worker.config, &config)?;
        let mut warnings = config.warnings(plugin.kind(), &own);
        warnings.extend(pipeline.warnings().iter().cloned());
        warnings.extend(clients::warnings(&self.worker.config, &config, is_source(plugin.kind())));

        let name = config.name().to_owned();
        let version = caught(|| connector.as_connector().version().to_owned()).map_err(StartError::Plugin)?;
        let kind = if is_source(plugin.kind()) { ConnectorKind::Source } else { ConnectorKind::Sink };
        let host =
            Host { asked: Arc::clone(&self.asked), worker: Arc::clone(&self.worker), name: name.clone() };
        let running = Arc::new(Mutex::new(RunningConnector {
            worker: Arc::clone(&self.worker),
            guard: self.guard.clone(),
            plugin,
            config,
            connector,
            context: ConnectorContext::new(&name, Arc::new(host)),
            task_configs: Vec::new(),
            tasks: Vec::new(),
        }));
        // Nobody else knows of it yet, so this does not wait.
        let mut running_now = running.lock().await;
        {
            let mut connectors = self.connectors();
            if connectors.contains_key(&name) {
                return Err(StartError::Exists(name));
            }
            self.worker.board.add(&name, raw, kind, &version);
            connectors.insert(name.clone(), Arc::clone(&running));
        }
        for warning in warnings {
            tracing::warn!(connector = name, "{warning}");
        }
        if running_now.start().await {
            running_now.start_tasks();
        }
        Ok(())
    }

    /// The checks of the plugin itself.
    async fn validate(
        &self,
        connector: &mut AnyConnector,
        own: &ConfigDef,
        raw: &ConfigMap,
    ) -> Result<(), StartError> {
        let connector = connector.as_connector();
        let checking = self.guard.call(async move { Ok(connector.validate(raw).await) });
        let checked = tokio::time::timeout(VALIDATION, checking).await;
        let checked =
            checked.map_err(|_| StartError::Plugin("its validation took more than a minute".to_owned()))?;
        let Some((key, message)) = checked.map_err(StartError::Plugin)?.into_iter().next() else {
            return Ok(());
        };
        // A key that is not defined may be anything, so its value is not shown either.
        let shown = match own.key(&key).map(|k| k.kind()) {
            None | Some(ConfigType::Password) => "[hidden]",
            Some(_) => raw.get(&key).map_or("null", String::as_str),
        };
        Err(ConfigError::invalid(&key, shown, message).into())
    }
}
