//! Connectors come, change and go.

use super::connector::{AnyConnector, Definition, RunningConnector, is_source};
use super::host::Host;
use super::slot::Slot;
use super::{StandaloneHerder, StartError, missing};
use crate::config::definition::topic_groups;
use crate::config::providers::Resolved;
use crate::config::{ConnectorConfig, clients};
use crate::context;
use crate::guard::caught;
use crate::herder::{ConnectorInfo, HerderError, TargetState};
use crate::lent::Lent;
use crate::task::pipeline::Pipeline;
use crossdock_api::config::{ConfigType, NullableConfig};
use crossdock_api::registry::Plugin;
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ConnectorContext};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;

/// How long a connector's own validation may take.
const VALIDATION: Duration = Duration::from_secs(60);

impl StandaloneHerder {
    /// Adds a connector and starts it with its tasks. That it or a task fails after its configuration
    /// was found valid is no error here: it shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, with the key; a name that is taken.
    pub async fn add_connector(&self, given: ConfigMap) -> Result<(), StartError> {
        let resolved = self.worker.config.providers().resolve(&given)?;
        self.add_resolved(resolved.clone()).await.map_err(|error| hidden(error, &resolved))
    }

    async fn add_resolved(&self, resolved: Resolved) -> Result<(), StartError> {
        let raw = resolved.config().clone();
        let class = ConnectorConfig::class_of(&raw)?;
        let found = self.worker.plugins.connector(class);
        let plugin = found.map_err(|e| ConfigError::Other(e.to_string()))?.clone();
        let made = AnyConnector::make(&plugin).map_err(StartError::Plugin)?;
        let mut connector = made.ok_or_else(|| ConfigError::Other(format!("{class} is not a connector")))?;
        let config = ConnectorConfig::parse(&raw, plugin.kind())?.resolved_from(resolved);
        let config = Arc::new(config);
        let own = caught(|| connector.as_connector().config_def()).map_err(StartError::Plugin)?;
        own.parse(&raw)?;
        self.validate(&mut connector, &own, &raw).await?;
        // Also made by each task; here to refuse what cannot work at once.
        let pipeline = Pipeline::build(&self.worker.plugins, &self.worker.config, &config)?;
        self.warn(&config, &plugin, &own, Some(&pipeline));
        let name = config.name().to_owned();
        let version = version_of(&mut connector).map_err(StartError::Plugin)?;
        let definition = Definition { plugin, config, connector, version };
        let slot = self.insert(&name, definition, TargetState::Started);
        let slot = slot.ok_or(StartError::Exists(name))?;
        // How it goes shows in its status.
        let _ = self.begin(&slot).await;
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

    pub(super) async fn create_connector(
        &self,
        name: &str,
        config: NullableConfig,
        initial_state: TargetState,
    ) -> Result<ConnectorInfo, HerderError> {
        let name = name.to_owned();
        self.detached(&name.clone(), |this| async move {
            let definition = this.definition(&name, config, true).await?;
            let slot = this.insert(&name, definition, initial_state).ok_or_else(|| exists(&name))?;
            this.begin(&slot).await.map_err(|trace| not_started(&name, &trace))?;
            this.connector_info(&name)
        })
        .await
    }

    pub(super) async fn put_connector_config(
        &self,
        name: &str,
        config: NullableConfig,
    ) -> Result<(bool, ConnectorInfo), HerderError> {
        let name = name.to_owned();
        self.detached(&name.clone(), |this| async move {
            let definition = this.definition(&name, config, false).await?;
            let created = this.put(&name, definition).await?;
            Ok((created, this.connector_info(&name)?))
        })
        .await
    }

    pub(super) async fn patch_connector_config(
        &self,
        name: &str,
        patch: NullableConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        let mut config: NullableConfig =
            self.connector_info(name)?.config.into_iter().map(|(key, value)| (key, Some(value))).collect();
        for (key, value) in patch {
            match value {
                Some(value) => config.insert(key, Some(value)),
                None => config.remove(&key),
            };
        }
        let included = config.get("name").cloned().flatten();
        if let Some(included) = included.filter(|included| included != name)
            && !self.worker.config.is_strict()
        {
            return Err(HerderError::BadRequest(format!(
                "Connector name configuration ({included}) doesn't match connector name in the URL ({name})"
            )));
        }
        Ok(self.put_connector_config(name, config).await?.1)
    }

    pub(super) async fn delete_connector(&self, connector: &str) -> Result<(), HerderError> {
        let slot = self.find(connector)?;
        let name = connector.to_owned();
        self.detached(connector, |this| async move {
            let mut running = slot.seize_to("being deleted", this.patience()).await;
            if running.is_deleted {
                return Err(missing(&name));
            }
            running.stop_tasks().await;
            running.stop_connector().await;
            running.is_deleted = true;
            this.connectors().remove(&name);
            this.worker.board.remove(&name);
            Ok(())
        })
        .await
    }

    /// What a configuration says, if it is valid: as the worker is strict, also if tasks cannot be made of it.
    async fn definition(
        &self,
        name: &str,
        config: NullableConfig,
        is_new: bool,
    ) -> Result<Definition, HerderError> {
        self.validated(&config).await?.accepted()?;
        if is_new && self.find(name).is_ok() {
            return Err(exists(name));
        }
        let given: ConfigMap = config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let resolved = self.worker.config.providers().resolve(&given);
        let resolved = resolved.map_err(|error| HerderError::BadRequest(error.to_string()))?;
        let raw = resolved.config().clone();
        let refused = |reason: String| HerderError::BadRequest(resolved.hide(&reason));
        let class = ConnectorConfig::class_of(&raw).map_err(|error| refused(error.to_string()))?;
        let plugin =
            self.worker.plugins.connector(class).map_err(|error| refused(error.to_string()))?.clone();
        let made = AnyConnector::make(&plugin).map_err(HerderError::Internal)?;
        let mut connector = made.ok_or_else(|| refused(format!("{class} is not a connector")))?;
        if self.worker.config.is_strict()
            && is_source(plugin.kind())
            && let Err(error) = topic_groups(&raw)
        {
            return Err(HerderError::Internal(resolved.hide(&error.to_string())));
        }
        let config = ConnectorConfig::lenient(name, &raw, plugin.kind()).resolved_from(resolved.clone());
        let pipeline = match config.defect() {
            Some(defect) => Err(defect.clone()),
            None => Pipeline::build(&self.worker.plugins, &self.worker.config, &config),
        };
        let pipeline = match pipeline {
            Ok(pipeline) => Some(pipeline),
            Err(_) if self.worker.config.is_strict() => None,
            Err(error) => {
                return Err(refused(format!(
                    "Connector configuration is invalid and contains the following 1 error(s):\n{error}"
                )));
            }
        };
        let own = caught(|| connector.as_connector().config_def()).map_err(HerderError::Internal)?;
        self.warn(&config, &plugin, &own, pipeline.as_ref());
        let version = version_of(&mut connector).map_err(HerderError::Internal)?;
        Ok(Definition { plugin, config: Arc::new(config), connector, version })
    }

    fn warn(&self, config: &ConnectorConfig, plugin: &Plugin, own: &ConfigDef, pipeline: Option<&Pipeline>) {
        let mut warnings = config.warnings(plugin.kind(), own);
        warnings.extend(pipeline.into_iter().flat_map(|pipeline| pipeline.warnings().iter().cloned()));
        warnings.extend(clients::warnings(&self.worker.config, config, is_source(plugin.kind())));
        for warning in warnings {
            tracing::warn!(connector = config.name(), "{}", config.hide(&warning));
        }
    }

    /// Gives a connector another definition, or adds one: `true` if it was added.
    async fn put(&self, name: &str, mut definition: Definition) -> Result<bool, HerderError> {
        loop {
            let existing = self.connectors().get(name).cloned();
            let Some(slot) = existing else {
                // Given back if another request was faster.
                match self.insert_or_back(name, definition, TargetState::Started) {
                    Ok(slot) => {
                        self.begin(&slot).await.map_err(|trace| not_started(name, &trace))?;
                        return Ok(true);
                    }
                    Err(back) => definition = back,
                }
                continue;
            };
            let mut running = slot.seize_to("being reconfigured", self.patience()).await;
            if running.is_deleted {
                continue;
            }
            running.redefine(definition).await.map_err(|trace| not_started(name, &trace))?;
            running.update_tasks().await.map_err(HerderError::Internal)?;
            return Ok(false);
        }
    }

    /// Adds a connector that is not started yet; `None` if its name is taken.
    fn insert(&self, name: &str, definition: Definition, target: TargetState) -> Option<Arc<Slot>> {
        self.insert_or_back(name, definition, target).ok()
    }

    /// As [`Self::insert`], but gives the definition back if the name is taken.
    fn insert_or_back(
        &self,
        name: &str,
        definition: Definition,
        target: TargetState,
    ) -> Result<Arc<Slot>, Definition> {
        let mut connectors = self.connectors();
        if connectors.contains_key(name) {
            return Err(definition);
        }
        let Definition { plugin, config, connector, version } = definition;
        let host =
            Host { asked: Arc::clone(&self.asked), worker: Arc::clone(&self.worker), name: name.to_owned() };
        let (interruptions, interrupted) = watch::channel(0);
        let running = RunningConnector {
            worker: Arc::clone(&self.worker),
            guard: self.guard.interrupted_by(interrupted),
            plugin,
            config,
            connector: Lent::new(connector),
            version,
            context: ConnectorContext::new(name, Arc::new(host)),
            target,
            is_started: false,
            is_fresh: true,
            is_deleted: false,
            task_configs: Vec::new(),
            applied: None,
            tasks: Vec::new(),
        };
        running.publish();
        let slot = Arc::new(Slot::new(running, interruptions));
        connectors.insert(name.to_owned(), Arc::clone(&slot));
        Ok(slot)
    }

    /// Brings a new connector to its target state, with its tasks.
    async fn begin(&self, slot: &Slot) -> Result<(), String> {
        let mut running = slot.lock_to("being started").await;
        let span = context::of_connector(running.config.name());
        let beginning = async {
            running.enter_target().await?;
            running.update_tasks().await
        };
        beginning.instrument(span).await
    }
}

/// That a name is taken.
fn exists(name: &str) -> HerderError {
    HerderError::Conflict(format!("Connector {name} already exists"))
}

fn version_of(connector: &mut AnyConnector) -> Result<String, String> {
    caught(|| connector.as_connector().version().to_owned())
}

/// That a connector is there, but could not be started.
fn not_started(name: &str, trace: &str) -> HerderError {
    HerderError::Internal(format!("Failed to transition connector {name} to state STARTED: {trace}"))
}

/// An error that shows no value of a configuration provider.
fn hidden(error: StartError, resolved: &Resolved) -> StartError {
    match error {
        StartError::Config(error) => StartError::Config(resolved.hide_in(error)),
        StartError::Plugin(text) => StartError::Plugin(resolved.hide(&text)),
        error => error,
    }
}
