//! Where logs go: to standard error, so that standard output belongs to connectors and results. Their levels can be
//! changed while the program runs, through what [`init`] gives.
//!
//! - `context`: which connector and task a line is about.
//! - `lines`: how a line looks.

mod context;
mod lines;

use anyhow::Context;
use context::KeepContext;
use crossdock::runtime::context::TARGET;
use crossdock::runtime::loggers::Loggers;
use indicatif::ProgressBar;
use lines::Lines;
pub(crate) use lines::LogFormat;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, reload};

/// The targets of this program, which are known to `/admin/loggers` before anything is set.
const TARGETS: &[&str] = &[
    "crossdock",
    "crossdock_broker",
    "crossdock_client",
    "crossdock_connector_file",
    "crossdock_converters",
    "crossdock_rest",
    "crossdock_runtime",
    "crossdock_transforms",
    "crossdock_wire",
];

/// Starts logging by `filter`. With a live line, log lines appear above it. Gives the levels, for the REST API.
pub(crate) fn init(
    filter: &str,
    format: LogFormat,
    live: Option<ProgressBar>,
) -> anyhow::Result<Arc<Loggers>> {
    let (subscriber, loggers) = subscriber(filter, format, AboveLive { live }, io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber).context("logging was started twice")?;
    Ok(loggers)
}

fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    writer: W,
    ansi: bool,
) -> anyhow::Result<(impl tracing::Subscriber + Send + Sync, Arc<Loggers>)>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let parsed = parse(filter).with_context(|| format!("--log {filter} is not a filter"))?;
    let (reloadable, handle) = reload::Layer::new(parsed);
    let lines = fmt::layer().with_ansi(ansi).with_writer(writer).event_format(Lines { format });
    let subscriber = tracing_subscriber::registry().with(reloadable).with(KeepContext).with(lines);
    let apply = move |filter: &str| {
        let reloaded = parse(filter).map_err(|e| e.to_string());
        if let Err(error) = reloaded.and_then(|filter| handle.reload(filter).map_err(|e| e.to_string())) {
            tracing::error!(filter, error, "the levels of loggers could not be changed");
        }
    };
    Ok((subscriber, Arc::new(Loggers::new(filter, TARGETS, apply))))
}

/// A filter that lets through what lines are about, whatever else it does.
fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    Ok(EnvFilter::try_new(filter)?.add_directive(format!("{TARGET}=error").parse()?))
}

/// Writes whole lines to standard error, above the live line if there is one.
#[derive(Debug, Clone)]
struct AboveLive {
    live: Option<ProgressBar>,
}

impl<'a> MakeWriter<'a> for AboveLive {
    type Writer = AboveLive;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl Write for AboveLive {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().write_all(line);
        match &self.live {
            Some(live) => live.suspend(write)?,
            None => write()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock::runtime::loggers::{LogLevel, LogLevels};
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_level_that_is_set_changes_what_is_logged() {
        let kept = Kept::default();
        let writer = kept.clone();
        let (subscriber, loggers) =
            subscriber("info", LogFormat::Text, move || writer.clone(), false).unwrap();
        let logged = || String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap();
        let log = || {
            tracing::debug!(target: "crossdock_client::connection", "client detail");
            tracing::debug!(target: "crossdock_rest", "rest detail");
            tracing::info!(target: "crossdock_rest", "rest event");
        };
        tracing::subscriber::with_default(subscriber, || {
            log();
            let lines = logged();
            assert!(lines.contains("rest event") && !lines.contains("detail"), "{lines}");
            loggers.set("org.apache.kafka.clients", LogLevel::Debug);
            log();
            let lines = logged();
            assert!(lines.contains("client detail") && !lines.contains("rest detail"), "{lines}");
            loggers.set("root", LogLevel::Off);
            log();
            assert_eq!(logged(), "");
            loggers.set("crossdock_rest", LogLevel::All);
            log();
            let lines = logged();
            assert!(lines.contains("rest detail") && !lines.contains("client detail"), "{lines}");
        });
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(subscriber("crossdock=loud=er", LogFormat::Text, io::stderr, false).is_err());
    }

    fn logged(format: LogFormat, filter: &str, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let (subscriber, _) = subscriber(filter, format, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap()
    }

    fn log_of_a_task() {
        let span =
            |scope| tracing::error_span!(target: TARGET, "task", connector = "src", task = 0u32, scope);
        let outer = tracing::error_span!(target: TARGET, "connector", connector = "src");
        outer.in_scope(|| tracing::warn!(target: "plugin", "of the connector"));
        span(None::<&str>).in_scope(|| {
            tracing::warn!(target: "plugin", topic = "t", text = "a b", "of {}", "the task");
            tracing::warn_span!("within").in_scope(|| tracing::warn!(target: "plugin", "deeper"));
            tracing::warn!(target: "plugin", connector = "other", "of another");
        });
        span(Some("offsets")).in_scope(|| tracing::warn!(target: "plugin", "of offsets"));
        tracing::warn!(target: "plugin", connector = "src", task = 3u32, "by itself");
        tracing::warn!(target: "plugin", "of nothing");
    }

    #[test]
    fn every_line_says_what_it_is_about() {
        for filter in ["warn", "off,plugin=warn"] {
            let log = logged(LogFormat::Text, filter, log_of_a_task);
            let lines: Vec<&str> = log.lines().map(|line| line.split_once("Z  WARN ").unwrap().1).collect();
            let expected = [
                "[src|worker] plugin: of the connector",
                "[src|task-0] plugin: of the task topic=t text=\"a b\"",
                "[src|task-0] plugin: deeper",
                "[other|worker] plugin: of another",
                "[src|task-0|offsets] plugin: of offsets",
                "[src|task-3] plugin: by itself",
                "plugin: of nothing",
            ];
            assert_eq!(lines, expected, "{filter}");
        }
    }

    #[test]
    fn lines_in_json_say_the_same() {
        let log = logged(LogFormat::Json, "warn", log_of_a_task);
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 7);
        let mut task = lines[1].clone();
        assert!(task["timestamp"].take().as_str().unwrap().ends_with('Z'));
        let expected = serde_json::json!({
            "timestamp": null, "level": "WARN", "logger": "plugin", "context": "[src|task-0]", "connector": "src", "task": 0,
            "message": "of the task", "fields": {"topic": "t", "text": "a b"},
        });
        assert_eq!(task, expected);
        assert!(lines[6].get("connector").is_none() && lines[6].get("fields").is_none());
    }
}
