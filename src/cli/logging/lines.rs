//! How a log line looks: text as people read it, or JSON as programs do. Both say which connector and task it is
//! about (KIP-449).

use super::context::About;
use clap::ValueEnum;
use serde_json::{Map, Value};
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Time, level, context, logger, message and fields.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes lines.
pub(super) struct Lines {
    pub(super) format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope().into_iter().flatten();
        let around = spans.filter_map(|span| span.extensions().get::<About>().cloned()).next();
        let about = fields.about(around.unwrap_or_default());
        match self.format {
            LogFormat::Text => text(&mut writer, event, &about, &fields),
            LogFormat::Json => json(&mut writer, event, &about, fields),
        }
    }
}

/// What an event brings.
#[derive(Default)]
struct Fields {
    about: About,
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// What the event is about: what it says itself counts more than where it is.
    fn about(&self, around: About) -> About {
        match &self.about.connector {
            Some(connector) if around.connector.as_ref() != Some(connector) => self.about.clone(),
            _ => About { task: self.about.task.or(around.task), ..around },
        }
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), &value) {
            ("message", Value::String(text)) => self.message.clone_from(text),
            ("connector", Value::String(connector)) => self.about.connector = Some(connector.clone()),
            ("task", Value::Number(task)) => self.about.task = task.as_u64(),
            (name, _) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

fn text(writer: &mut Writer<'_>, event: &Event<'_>, about: &About, fields: &Fields) -> fmt::Result {
    let (is_coloured, level) = (writer.has_ansi_escapes(), *event.metadata().level());
    let dimmed = |writer: &mut Writer<'_>, on: bool| match (is_coloured, on) {
        (false, _) => Ok(()),
        (true, true) => writer.write_str("\u{1b}[2m"),
        (true, false) => writer.write_str("\u{1b}[0m"),
    };
    dimmed(writer, true)?;
    SystemTime.format_time(writer)?;
    dimmed(writer, false)?;
    match colour(level) {
        colour if is_coloured => write!(writer, " \u{1b}[{colour}m{level:>5}\u{1b}[0m ")?,
        _ => write!(writer, " {level:>5} ")?,
    }
    write!(writer, "{about}")?;
    dimmed(writer, true)?;
    write!(writer, "{}:", event.metadata().target())?;
    dimmed(writer, false)?;
    write!(writer, " {}", fields.message)?;
    for (name, value) in &fields.others {
        // Text is quoted where it might be taken for more than one field.
        match value {
            Value::String(text) if !text.contains([' ', '"', '=']) => write!(writer, " {name}={text}")?,
            other => write!(writer, " {name}={other}")?,
        }
    }
    writeln!(writer)
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

fn json(writer: &mut Writer<'_>, event: &Event<'_>, about: &About, fields: Fields) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put("timestamp", time.into());
    put("level", event.metadata().level().as_str().into());
    put("logger", event.metadata().target().into());
    if let Some(connector) = &about.connector {
        put("context", about.to_string().trim_end().into());
        put("connector", connector.as_str().into());
    }
    if let Some(task) = about.task {
        put("task", task.into());
    }
    put("message", fields.message.into());
    if !fields.others.is_empty() {
        let others = fields.others.into_iter().map(|(name, value)| (name.to_owned(), value));
        put("fields", Value::Object(others.collect()));
    }
    writeln!(writer, "{}", Value::Object(line))
}
