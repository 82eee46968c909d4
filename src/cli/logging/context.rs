//! Which connector and task a log line is about: from the spans that it is in, or from its own fields.

use crossdock::runtime::context::TARGET;
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A connector, and what of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) connector: Option<String>,
    pub(super) task: Option<u64>,
    pub(super) scope: Option<String>,
}

impl fmt::Display for About {
    /// As Connect's `connector.context`, with a space at its end; nothing without a connector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(connector) = &self.connector else { return Ok(()) };
        write!(f, "[{connector}|")?;
        match self.task {
            Some(task) => write!(f, "task-{task}")?,
            None => f.write_str("worker")?,
        }
        if let Some(scope) = &self.scope {
            write!(f, "|{scope}")?;
        }
        f.write_str("] ")
    }
}

impl Visit for About {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "connector" => self.connector = Some(value.to_owned()),
            "scope" => self.scope = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "task" {
            self.task = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Keeps what spans are about, for the lines inside.
pub(super) struct KeepContext;

impl<S> Layer<S> for KeepContext
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() == TARGET
            && let Some(span) = context.span(id)
        {
            let mut about = About::default();
            attributes.record(&mut about);
            span.extensions_mut().insert(about);
        }
    }
}
