//! Levels of loggers, seen and changed while the worker runs (`org.apache.kafka.connect.runtime.Loggers`, KIP-495).
//!
//! ```text
//! REST API ─▶ LogLevels ─▶ Loggers: what was set, by name ─▶ directives ─▶ the program's log filter
//! ```
//!
//! A library does not own the program's logs, so that what is set here takes effect by a function that the program
//! gives. Names are targets of `tracing` (`crossdock_client::connection`) or those of Java's loggers, which stand for the
//! targets that do the same here (`names`).

mod names;
mod tree;

pub use tree::Loggers;

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Down to what is logged. Java's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ends the process; there is no such level here, so nothing.
    Fatal,
    /// Errors.
    Error,
    /// Warnings too.
    Warn,
    /// What happens, too.
    Info,
    /// Details too.
    Debug,
    /// All details too.
    Trace,
    /// Everything.
    All,
}

impl LogLevel {
    const ALL: [(&'static str, Self); 8] = [
        ("OFF", Self::Off),
        ("FATAL", Self::Fatal),
        ("ERROR", Self::Error),
        ("WARN", Self::Warn),
        ("INFO", Self::Info),
        ("DEBUG", Self::Debug),
        ("TRACE", Self::Trace),
        ("ALL", Self::All),
    ];

    /// The level of that name, in any case; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        known.map(|(_, level)| *level)
    }

    /// As a filter of `tracing` has it.
    pub fn directive(self) -> &'static str {
        match self {
            Self::Off | Self::Fatal => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace | Self::All => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, level)| level == self).map_or("OFF", |(name, _)| name);
        f.write_str(name)
    }
}

/// The level of a logger, as the REST API shows it (`LoggerLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoggerLevel {
    /// The level, perhaps that of a parent.
    pub level: LogLevel,
    /// When it was changed, in milliseconds since the epoch; null if it never was.
    pub last_modified: Option<u64>,
}

/// What the REST API can do with the levels of loggers.
pub trait LogLevels: fmt::Debug + Send + Sync {
    /// The level of a logger; `None` if nobody knows it. The root is `root`.
    fn level(&self, logger: &str) -> Option<LoggerLevel>;

    /// All loggers that are known and not off.
    fn levels(&self) -> BTreeMap<String, LoggerLevel>;

    /// Sets the level of a logger, and of all that are known and whose names begin like it. Gives those whose level has
    /// changed, sorted.
    fn set(&self, logger: &str, level: LogLevel) -> Vec<String>;
}
