//! A worker inside another program.

use crossdock_api::registry::Plugin;
use crossdock_api::{ConfigError, ConfigMap, Plugins};
use crossdock_rest::{BoundRest, RestConfig, RestError, RestServer};
use crossdock_runtime::loggers::LogLevels;
use crossdock_runtime::{Herder, StandaloneHerder, StartError, TaskProgress, WorkerConfig};
use std::net::SocketAddr;
use std::sync::Arc;

/// Why an engine could not be started. Each says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The worker's configuration.
    #[error("the worker cannot be started: {0}")]
    Worker(StartError),
    /// A connector's configuration. The engine was stopped again.
    #[error("connector {name} cannot be started: {reason}")]
    Connector {
        /// Its name, as far as it has one.
        name: String,
        /// What is wrong.
        reason: StartError,
    },
    /// The REST API.
    #[error(transparent)]
    Rest(#[from] RestError),
}

/// Settings of an engine that is to be started. See [`Engine::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing runs before start()"]
pub struct EngineBuilder {
    config: ConfigMap,
    plugins: Plugins,
    connectors: Vec<ConfigMap>,
    rest: bool,
    log_levels: Option<Arc<dyn LogLevels>>,
}

impl EngineBuilder {
    /// Sets a key of the worker's configuration, as in a worker's properties file.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets all keys of a worker's configuration, on top of those that are set.
    pub fn config(mut self, config: ConfigMap) -> Self {
        self.config.extend(config);
        self
    }

    /// Adds a plugin of the embedding program.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.register(plugin);
        self
    }

    /// Adds a connector that is started with the engine.
    pub fn connector<K: Into<String>, V: Into<String>>(
        mut self,
        config: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.connectors.push(config.into_iter().map(|(k, v)| (k.into(), v.into())).collect());
        self
    }

    /// Serves the REST API at the worker's `listeners` (default `http://:8083`). Off unless asked for.
    pub fn rest(mut self, serve: bool) -> Self {
        self.rest = serve;
        self
    }

    /// Lets the REST API show and change the levels of the program's loggers, at `/admin/loggers`. Without this it
    /// knows none.
    pub fn log_levels(mut self, levels: Arc<dyn LogLevels>) -> Self {
        self.log_levels = Some(levels);
        self
    }

    /// Starts the worker, the REST API and the connectors. Does not wait for Kafka: connectors wait for
    /// it by themselves.
    ///
    /// # Errors
    /// A configuration that is not valid, a listener that cannot be bound, a file of source offsets that
    /// cannot be used. Nothing is left running then.
    pub async fn start(self) -> Result<Engine, EngineError> {
        let config = WorkerConfig::parse(&self.config).map_err(worker_config)?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let bound = match self.rest {
            false => None,
            true => Some(bind(&config, self.log_levels.clone()).await?),
        };
        let worker_id =
            bound.as_ref().map_or_else(|| "embedded".to_owned(), |bound| bound.advertised().worker_id());
        let herder = StandaloneHerder::start(config, self.plugins, worker_id).map_err(EngineError::Worker)?;
        let rest = bound.map(|bound| bound.serve(Arc::clone(&herder) as Arc<dyn Herder>));
        let engine = Engine { herder, rest };
        for connector in self.connectors {
            let name = connector.get("name").cloned().unwrap_or_else(|| "without a name".to_owned());
            if let Err(reason) = engine.herder.add_connector(connector).await {
                engine.stop().await;
                return Err(EngineError::Connector { name, reason });
            }
        }
        Ok(engine)
    }
}

/// A running worker. Stop it with [`Engine::stop`]: a dropped engine ends too, but its tasks are not waited
/// for, so that what they had under way is done again at the next start.
#[must_use = "the worker ends when it is dropped"]
pub struct Engine {
    herder: Arc<StandaloneHerder>,
    rest: Option<RestServer>,
}

impl Engine {
    /// Settings with all built-in plugins, no connectors, and Connect's defaults.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            config: ConfigMap::new(),
            plugins: crate::builtin_plugins(),
            connectors: Vec::new(),
            rest: false,
            log_levels: None,
        }
    }

    /// Adds a connector to the running engine. That it fails later shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, or a name that is taken.
    pub async fn add_connector<K: Into<String>, V: Into<String>>(
        &self,
        config: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), StartError> {
        let config = config.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        self.herder.add_connector(config).await
    }

    /// What can be asked of the worker: connectors, states, restarts.
    pub fn herder(&self) -> Arc<dyn Herder> {
        Arc::clone(&self.herder) as _
    }

    /// State and counters of every task.
    pub fn progress(&self) -> Vec<TaskProgress> {
        self.herder.progress()
    }

    /// Addresses of the REST API; none if it is not served.
    pub fn rest_addresses(&self) -> Vec<SocketAddr> {
        self.rest.as_ref().map(|rest| rest.local_addrs().to_vec()).unwrap_or_default()
    }

    /// Stops the REST API, all tasks and connectors: what was polled is sent, what is safe is
    /// committed, within `task.shutdown.graceful.timeout.ms` each.
    pub async fn stop(self) {
        if let Some(rest) = self.rest {
            rest.shutdown().await;
        }
        self.herder.stop().await;
    }
}

fn worker_config(error: ConfigError) -> EngineError {
    EngineError::Worker(error.into())
}

async fn bind(config: &WorkerConfig, log_levels: Option<Arc<dyn LogLevels>>) -> Result<BoundRest, RestError> {
    let mut rest = RestConfig::of(config)?;
    rest.log_levels = log_levels;
    RestServer::bind(rest).await
}
