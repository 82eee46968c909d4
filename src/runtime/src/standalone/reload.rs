//! Connectors whose values from configuration providers have changed are restarted (`config.action.reload`).
//!
//! Only providers with a time to live are asked again; Kafka's have none unless the worker sets
//! `config.providers.<name>.param.crossdock.ttl.ms`.

use super::StandaloneHerder;
use crate::herder::RestartRequest;
use std::sync::Weak;
use std::time::Duration;

/// Looks every `interval` until the herder is gone.
pub(super) async fn watch(herder: Weak<StandaloneHerder>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(herder) = herder.upgrade() else { return };
        herder.reload_changed().await;
    }
}

impl StandaloneHerder {
    async fn reload_changed(&self) {
        for name in self.names() {
            let Ok(running) = self.find(&name) else { continue };
            // One that is busy is looked at the next time.
            let config = match running.try_lock() {
                Some(running) => running.config.clone(),
                None => continue,
            };
            if !config.reloads() {
                continue;
            }
            match self.worker.config.providers().resolve(config.given()) {
                Ok(resolved) if resolved.config() == config.raw() => {}
                Ok(_) => {
                    tracing::info!(
                        connector = name,
                        "values from configuration providers have changed: restarting"
                    );
                    let all = RestartRequest { include_tasks: true, only_failed: false };
                    if let Err(error) = self.restart_connector(&name, all).await {
                        tracing::error!(connector = name, %error, "the connector could not be restarted");
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        connector = name,
                        "configuration providers cannot be asked again: {error}"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::config::WorkerConfig;
    use crate::herder::{Herder, TargetState};
    use crate::standalone::StandaloneHerder;
    use crossdock_api::config::NullableConfig;
    use crossdock_api::{ConfigMap, Plugins};
    use std::sync::Arc;
    use std::time::Duration;

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    fn herder(ttl: &[(&str, &str)]) -> Arc<StandaloneHerder> {
        let mut plugins = Plugins::new();
        crossdock_converters::register(&mut plugins);
        crossdock_connector_file::register(&mut plugins);
        let provider = "org.apache.kafka.common.config.provider.FileConfigProvider";
        let mut worker = map(&[
            // Nobody listens there: the task waits for Kafka.
            ("bootstrap.servers", "127.0.0.1:1"),
            ("key.converter", "StringConverter"),
            ("value.converter", "StringConverter"),
            ("config.providers", "secret"),
            ("config.providers.secret.class", provider),
        ]);
        worker.extend(map(ttl));
        StandaloneHerder::start(WorkerConfig::parse(&worker).unwrap(), plugins, "w:1".to_owned()).unwrap()
    }

    fn connector(reference: &str) -> ConfigMap {
        let class = "org.apache.kafka.connect.file.FileStreamSourceConnector";
        map(&[("name", "c"), ("connector.class", class), ("file", reference), ("topic", "t")])
    }

    #[tokio::test]
    async fn values_are_used_references_are_shown_and_changes_restart() {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.properties");
        std::fs::write(&values, "path=/tmp/before.txt\n").unwrap();
        let reference = format!("${{secret:{}:path}}", values.display());
        let herder = herder(&[("config.providers.secret.param.crossdock.ttl.ms", "5")]);
        herder.add_connector(connector(&reference)).await.unwrap();

        let used = async || herder.find("c").unwrap().lock().await.config.raw()["file"].clone();
        assert_eq!(used().await, "/tmp/before.txt");
        assert_eq!(Herder::connector_info(&*herder, "c").await.unwrap().config["file"], reference);
        let tasks = Herder::task_configs(&*herder, "c").await.unwrap();
        assert_eq!(tasks[0].config["file"], reference);

        std::fs::write(&values, "path=/tmp/after.txt\n").unwrap();
        let changed = async {
            while used().await != "/tmp/after.txt" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), changed).await.unwrap();
        herder.stop().await;
    }

    #[tokio::test]
    async fn what_requests_bring_is_looked_up_too_and_again_when_a_task_is_restarted() {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.properties");
        std::fs::write(&values, "path=/tmp/before.txt\n").unwrap();
        let reference = format!("${{secret:{}:path}}", values.display());
        let herder = herder(&[]);
        let config: NullableConfig =
            connector(&reference).into_iter().map(|(key, value)| (key, Some(value))).collect();
        let created = Herder::create_connector(&*herder, "c", config.clone(), TargetState::Started).await;
        assert_eq!(created.unwrap().config["file"], reference);
        let used = async || herder.find("c").unwrap().lock().await.task_configs[0]["file"].clone();
        assert_eq!(used().await, "/tmp/before.txt");

        std::fs::write(&values, "path=/tmp/after.txt\n").unwrap();
        Herder::restart_task(&*herder, "c", 0).await.unwrap();
        assert_eq!(used().await, "/tmp/after.txt");
        let tasks = Herder::task_configs(&*herder, "c").await.unwrap();
        assert_eq!(tasks[0].config["file"], reference);
        let put = Herder::put_connector_config(&*herder, "c", config).await.unwrap();
        assert_eq!(put.1.config["file"], reference);
        herder.stop().await;
    }

    #[tokio::test]
    async fn neither_answers_nor_errors_show_values() {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.properties");
        std::fs::write(&values, "word=geheimnis\n").unwrap();
        let reference = format!("${{secret:{}:word}}", values.display());
        let herder = herder(&[]);
        let mut config = connector(&reference);
        let nullable = |config: &ConfigMap| -> NullableConfig {
            config.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
        };
        let infos = Herder::validate_config(&*herder, nullable(&config)).await.unwrap();
        let file = infos.configs.iter().find(|info| info.value.name == "file").unwrap();
        assert_eq!(file.value.value.as_deref(), Some(&*reference));

        config.insert("tasks.max".to_owned(), reference.clone());
        let infos = Herder::validate_config(&*herder, nullable(&config)).await.unwrap();
        assert!(infos.error_count > 0);
        assert!(!format!("{infos:?}").contains("geheimnis"), "{infos:?}");
        let refused = herder.add_connector(config.clone()).await.unwrap_err().to_string();
        assert!(refused.contains("tasks.max") && !refused.contains("geheimnis"), "{refused}");

        config.insert("tasks.max".to_owned(), "${secret:/no/such/file:n}".to_owned());
        let missing = herder.add_connector(config).await.unwrap_err().to_string();
        assert!(missing.contains("tasks.max") && missing.contains("config provider secret"), "{missing}");
        herder.stop().await;
    }
}
