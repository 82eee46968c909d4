//! `crossdock dev`: an embedded broker and a worker in one process, for trying things out.
//!
//! Everything lies in the data folder: the broker's log, source offsets, and what connectors write to
//! `${data-dir}`. Started again, it goes on where it stopped.

use super::connectors;
use super::live::Live;
use super::logging;
use super::signals::Signals;
use anyhow::{Context, ensure};
use clap::Args;
use crossdock::Engine;
use crossdock::api::ConfigMap;
use crossdock_broker::Broker;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Stands for the data folder in the values of a connector's configuration.
const DATA_DIR: &str = "${data-dir}";

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// Connectors: .properties or .json files, or folders of them. ${data-dir} in a value stands for
    /// the data folder.
    #[arg(required = true)]
    connectors: Vec<PathBuf>,
    /// Folder for the broker's log, source offsets and results; it is made if it is not there.
    #[arg(long, default_value = "crossdock-data")]
    data_dir: PathBuf,
    /// Host and port of the embedded broker; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:9092", value_parser = resolve)]
    broker: SocketAddr,
    /// Host and port of the REST API; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:8083", value_parser = resolve)]
    rest: SocketAddr,
    /// Further keys of the worker, as key=value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs broker and worker until a signal comes.
pub(crate) async fn run(
    arguments: DevArguments,
    log: Option<&str>,
    format: logging::LogFormat,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let live = Live::new();
    // The live line tells what happens, so that logs only say what is wrong unless asked.
    let levels = logging::init(log.unwrap_or("warn"), format, live.bar())?;
    let data_dir = make_data_dir(&arguments.data_dir)?;
    let connectors = read_connectors(&arguments.connectors, &data_dir)?;
    let broker = Broker::builder()
        .listen(arguments.broker)
        .data_dir(data_dir.join("broker"))
        .start()
        .await
        .context("the embedded broker cannot be started")?;
    let builder = Engine::builder().config(worker_config(&arguments, &broker, &data_dir)?);
    let engine = builder.rest(true).log_levels(levels).start().await?;
    let started = connectors::start(&engine, &connectors, &mut signals).await;
    if let Ok(true) = started {
        introduce(&engine, &broker, &connectors, &data_dir).await?;
        let signal = live.watch(&engine, &mut signals).await;
        eprintln!("{signal}: stopping; a second one ends the process at once");
    }
    connectors::stop(engine, &mut signals).await?;
    broker.shutdown().await;
    started?;
    eprintln!("stopped; start the same command again to go on from here");
    Ok(())
}

fn resolve(address: &str) -> Result<SocketAddr, String> {
    let mut found = address.to_socket_addrs().map_err(|error| format!("{error}; expected host:port"))?;
    found.next().ok_or_else(|| "the host has no address".to_owned())
}

fn make_data_dir(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path)
        .with_context(|| format!("cannot make the data folder {}", path.display()))?;
    path.canonicalize().with_context(|| format!("cannot use the data folder {}", path.display()))
}

fn read_connectors(paths: &[PathBuf], data_dir: &Path) -> anyhow::Result<Vec<ConfigMap>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries =
                std::fs::read_dir(path).with_context(|| format!("cannot read folder {}", path.display()))?;
            let is_config = |p: &PathBuf| p.extension().is_some_and(|e| e == "json" || e == "properties");
            let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_config).collect();
            ensure!(!found.is_empty(), "folder {} has no .json or .properties files", path.display());
            found.sort();
            files.append(&mut found);
        } else {
            files.push(path.clone());
        }
    }
    let data_dir = data_dir.display().to_string();
    let mut configs = connectors::read(&files)?;
    for value in configs.iter_mut().flat_map(ConfigMap::values_mut) {
        *value = value.replace(DATA_DIR, &data_dir);
    }
    Ok(configs)
}

fn worker_config(arguments: &DevArguments, broker: &Broker, data_dir: &Path) -> anyhow::Result<ConfigMap> {
    let offsets = data_dir.join("connect.offsets");
    let mut config = ConfigMap::new();
    let mut set = |key: &str, value: String| config.insert(key.to_owned(), value);
    set("bootstrap.servers", broker.bootstrap());
    set("key.converter", "org.apache.kafka.connect.storage.StringConverter".to_owned());
    set("value.converter", "org.apache.kafka.connect.storage.StringConverter".to_owned());
    set("offset.storage.file.filename", offsets.display().to_string());
    set("offset.flush.interval.ms", "1000".to_owned());
    set("listeners", format!("http://{}", arguments.rest));
    for setting in &arguments.settings {
        let pair = setting.split_once('=').with_context(|| format!("--set {setting} is not KEY=VALUE"))?;
        set(pair.0, pair.1.to_owned());
    }
    Ok(config)
}

async fn introduce(
    engine: &Engine,
    broker: &Broker,
    connectors: &[ConfigMap],
    data_dir: &Path,
) -> anyhow::Result<()> {
    let running = engine.herder().connectors().await?;
    eprintln!("broker    {}   (any Kafka client can connect)", broker.bootstrap());
    for address in engine.rest_addresses() {
        eprintln!("REST API  http://{address}/connectors");
    }
    eprintln!("data      {}", data_dir.display());
    for config in connectors {
        let field = |key: &str| config.get(key).map_or("", String::as_str);
        let (name, file) = (field("name"), field("file"));
        if !running.iter().any(|known| known == name) {
            continue;
        }
        match (config.get("topics"), file) {
            (Some(topics), file) if !file.is_empty() => eprintln!("{name}: topic {topics} -> {file}"),
            (None, file) if !file.is_empty() => eprintln!("{name}: {file} -> topic {}", field("topic")),
            _ => eprintln!("{name}: {}", field("connector.class")),
        }
    }
    Ok(())
}
