use super::*;
use crossdock_api::{ConnectError, ConnectorContext, SourceConnector, SourceTask, source::Connector};

/// A source with one key, that forbids a value and may panic when it is asked.
struct Picky;

#[async_trait::async_trait]
impl Connector for Picky {
    fn version(&self) -> &str {
        "1.2"
    }

    fn config_def(&self) -> ConfigDef {
        use crossdock_api::config::ConfigKey;
        ConfigDef::new()
            .define(ConfigKey::string("mode"))
            .define(ConfigKey::password("secret").default_null())
    }

    async fn validate(&mut self, config: &ConfigMap) -> Vec<(String, String)> {
        match config["mode"].as_str() {
            "panic" => panic!("too picky"),
            "bad" => {
                vec![("mode".to_owned(), "not this one".to_owned()), ("other".to_owned(), "why".to_owned())]
            }
            _ => Vec::new(),
        }
    }

    async fn start(&mut self, _: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(Vec::new())
    }
}

impl SourceConnector for Picky {
    fn task(&self) -> Box<dyn SourceTask> {
        unreachable!("no task is made")
    }
}

async fn check(worker: &[(&str, &str)], config: &[(&str, &str)]) -> Result<ConfigInfos, ValidationError> {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    crossdock_connector_file::register(&mut plugins);
    plugins.register(Plugin::source("org.example.PickyConnector", "1.2", || Box::new(Picky)));
    let base = [("key.converter", "JsonConverter"), ("value.converter", "JsonConverter")];
    let map = base.iter().chain(worker).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let worker = WorkerConfig::parse(&map).unwrap();
    let policy = OverridePolicy::of(&worker).unwrap();
    let (_running, guard) = Guard::new();
    let as_connect = worker.is_strict();
    let rules = Rules { plugins: &plugins, worker: &worker, policy: &policy, as_connect, guard: &guard };
    let config = config.iter().map(|(k, v)| (k.to_string(), Some(v.to_string()))).collect();
    validate(&rules, &config).await
}

fn value<'i>(infos: &'i ConfigInfos, key: &str) -> &'i crate::herder::plugins::ConfigValueInfo {
    &infos.configs.iter().find(|config| config.value.name == key).unwrap().value
}

const PICKY: [(&str, &str); 3] = [("name", "n"), ("connector.class", "Picky"), ("mode", "fine")];

fn picky<'c>(extra: &[(&'c str, &'c str)]) -> Vec<(&'c str, &'c str)> {
    PICKY.iter().chain(extra).copied().collect()
}

#[tokio::test]
async fn a_connector_has_its_say() {
    let infos = check(&[], &picky(&[("mode", "bad")])).await.unwrap();
    assert_eq!(infos.error_count, 2);
    let mode = value(&infos, "mode");
    assert_eq!((mode.value.as_deref(), &mode.errors[..]), (Some("bad"), &["not this one".to_owned()][..]));
    assert!(infos.configs.iter().any(|config| config.definition.is_none() && config.value.name == "other"));
    let error = infos.accepted().unwrap_err().to_string();
    assert!(
        error.starts_with("Connector configuration is invalid and contains the following 2 error(s):\nwhy\n")
    );
}

#[tokio::test]
async fn a_connector_that_panics_is_an_error() {
    let error = check(&[], &picky(&[("mode", "panic")])).await.unwrap_err().to_string();
    assert!(error.contains("too picky"), "{error}");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let infos = check(&[], &picky(&[("secret", "hunter2")])).await.unwrap();
    assert_eq!(value(&infos, "secret").value.as_deref(), Some("[hidden]"));
    let error = check(&[], &[("secret", "hunter2")]).await.unwrap_err().to_string();
    assert_eq!(error, "Connector config {secret} contains no connector type");
    let overridden = picky(&[("producer.override.sasl.jaas.config", "x hunter2;")]);
    let infos = check(&[("connector.client.config.override.policy", "None")], &overridden).await.unwrap();
    assert!(!format!("{infos:?}").contains("hunter2"));
}

#[tokio::test]
async fn converters_are_checked_under_any_of_their_names() {
    let named = picky(&[
        ("header.converter", "String"),
        ("key.converter", "Json"),
        ("key.converter.schemas.enable", "x"),
    ]);
    let infos = check(&[], &named).await.unwrap();
    assert_eq!(infos.error_count, 1);
    assert_eq!(
        value(&infos, "key.converter").value.as_deref(),
        Some("org.apache.kafka.connect.json.JsonConverter")
    );
    assert_eq!(value(&infos, "header.converter.converter.type").value.as_deref(), Some("header"));
    assert_eq!(value(&infos, "key.converter.schemas.enable").errors.len(), 1);
    let other = picky(&[("key.converter", "org.example.PickyConnector")]);
    let infos = check(&[], &other).await.unwrap();
    assert_eq!(
        value(&infos, "key.converter").errors,
        ["Class class org.example.PickyConnector does not implement the Converter interface"]
    );
}

#[tokio::test]
async fn versions_that_are_not_there() {
    let infos = check(&[], &picky(&[("connector.plugin.version", "[2,3)")])).await.unwrap();
    assert_eq!(infos.error_count, 2);
    let message = "Plugin org.example.PickyConnector not found that matches the version range [2,3), available versions: [1.2]";
    assert_eq!(value(&infos, "connector.class").errors, [message]);
    assert_eq!(value(&infos, "connector.plugin.version").recommended_values, ["1.2"]);
    let infos = check(&[], &picky(&[("connector.plugin.version", "1.2")])).await.unwrap();
    assert_eq!(infos.error_count, 0);
    assert!(check(&[], &picky(&[("connector.plugin.version", "[")])).await.is_err());
    let converter = picky(&[("value.converter", "Json"), ("value.converter.plugin.version", "0.1")]);
    assert_eq!(check(&[], &converter).await.unwrap().error_count, 2);
}

#[tokio::test]
async fn overrides_are_checked_by_policy_and_client() {
    let acks = picky(&[("producer.override.acks", "abc"), ("consumer.override.max.poll.records", "abc")]);
    // As Connect: only types are looked at, and only those of clients that are used.
    let strict = ("crossdock.compatibility", "strict");
    assert_eq!(check(&[strict], &acks).await.unwrap().error_count, 0);
    let infos = check(&[], &acks).await.unwrap();
    assert_eq!(infos.error_count, 1);
    assert!(value(&infos, "producer.override.acks").errors[0].contains("acks"));
    let size = picky(&[("producer.override.batch.size", "abc")]);
    let error = check(&[strict], &size).await.unwrap_err().to_string();
    assert_eq!(error, "Invalid value abc for configuration batch.size: Not a number of type INT");
    assert_eq!(check(&[], &size).await.unwrap().error_count, 1);

    let principal = ("connector.client.config.override.policy", "Principal");
    let infos = check(&[principal], &picky(&[("producer.override.linger.ms", "5")])).await.unwrap();
    assert_eq!(
        value(&infos, "producer.override.linger.ms").errors,
        [
            "The 'Principal' policy does not allow 'linger.ms' to be overridden in the connector configuration."
        ]
    );
}

#[tokio::test]
async fn sinks_have_topics_and_nulls_are_mistakes() {
    let sink = [("name", "n"), ("connector.class", "FileStreamSink")];
    let infos = check(&[], &sink).await.unwrap();
    assert_eq!(infos.error_count, 2);
    assert_eq!(value(&infos, "topics.regex").errors, ["Must configure one of topics or topics.regex"]);
}
