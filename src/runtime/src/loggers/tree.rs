//! What was set, and what follows from it for every logger that is known.

use super::names::{parent, targets};
use super::{LogLevel, LogLevels, LoggerLevel};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const ROOT: &str = "root";
/// Most loggers that callers can make known: they are never forgotten.
const MOST: usize = 10_000;

/// Levels by logger, and what makes them effective. Mirrors log4j as `Loggers.Log4jLoggers` uses it.
pub struct Loggers {
    state: Mutex<State>,
    apply: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Debug)]
struct State {
    root: LogLevel,
    /// What was set, and the number of the change that did it.
    set: BTreeMap<String, (LogLevel, u64)>,
    /// Names that somebody has asked to set, or that are there from the beginning.
    known: BTreeSet<String>,
    modified: BTreeMap<String, u64>,
    /// Directives of the first filter that are about more than a target.
    others: Vec<String>,
    changes: u64,
}

impl Loggers {
    /// Loggers with the levels of a filter (`info,crossdock_client=debug`), and some that are known. `apply` gets the
    /// filter whenever a level is set.
    pub fn new(filter: &str, known: &[&str], apply: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let mut state = State {
            root: LogLevel::Error,
            set: BTreeMap::new(),
            known: known.iter().map(|name| (*name).to_owned()).collect(),
            modified: BTreeMap::new(),
            others: Vec::new(),
            changes: 0,
        };
        for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            state.begin_with(directive);
        }
        Self { state: Mutex::new(state), apply: Box::new(apply) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loggers").field("state", &*self.state()).finish_non_exhaustive()
    }
}

impl LogLevels for Loggers {
    fn level(&self, logger: &str) -> Option<LoggerLevel> {
        let state = self.state();
        let name = root_or(logger);
        (name == ROOT || state.known.contains(name)).then(|| state.shown(name))
    }

    fn levels(&self) -> BTreeMap<String, LoggerLevel> {
        let state = self.state();
        let shown = state.names("").into_iter().map(|name| {
            let level = state.shown(&name);
            (name, level)
        });
        shown.filter(|(_, shown)| shown.level != LogLevel::Off).collect()
    }

    fn set(&self, logger: &str, level: LogLevel) -> Vec<String> {
        let mut state = self.state();
        let name = root_or(logger);
        if name != ROOT && !state.known.contains(name) {
            if state.known.len() >= MOST {
                return Vec::new();
            }
            state.known.insert(name.to_owned());
        }
        let namespace = if name == ROOT { "" } else { name };
        let before: Vec<(String, LogLevel)> =
            state.names(namespace).into_iter().map(|name| (name.clone(), state.effective(&name))).collect();
        state.change(namespace, level);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let mut changed: Vec<String> = Vec::new();
        for (name, before) in before {
            if state.effective(&name) != before {
                state.modified.insert(name.clone(), now);
                changed.push(name);
            }
        }
        (self.apply)(&state.filter());
        changed.sort();
        changed
    }
}

fn root_or(logger: &str) -> &str {
    if logger.is_empty() || logger.eq_ignore_ascii_case(ROOT) { ROOT } else { logger }
}

impl State {
    fn begin_with(&mut self, directive: &str) {
        let (target, level) = match directive.split_once('=') {
            Some((target, level)) => (Some(target), LogLevel::named(level)),
            None => (None, LogLevel::named(directive)),
        };
        match (target, level) {
            (None, Some(level)) => self.root = level,
            (Some(target), Some(level)) if !target.contains(['[', '{']) => {
                self.known.insert(target.to_owned());
                self.set.insert(target.to_owned(), (level, 0));
            }
            _ => self.others.push(directive.to_owned()),
        }
    }

    /// All known names that begin so; the root is in the empty one.
    fn names(&self, namespace: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.known.iter().filter(|name| name.starts_with(namespace)).cloned().collect();
        if namespace.is_empty() {
            names.push(ROOT.to_owned());
        }
        names
    }

    /// As log4j does it: what was set below goes along, by the beginning of the name.
    fn change(&mut self, namespace: &str, level: LogLevel) {
        self.changes += 1;
        let change = (level, self.changes);
        for (_, set) in self.set.iter_mut().filter(|(name, _)| name.starts_with(namespace)) {
            *set = change;
        }
        if namespace.is_empty() {
            self.root = level;
        } else {
            self.set.insert(namespace.to_owned(), change);
        }
    }

    fn effective(&self, name: &str) -> LogLevel {
        let mut at = Some(name).filter(|name| *name != ROOT);
        while let Some(name) = at {
            if let Some((level, _)) = self.set.get(name) {
                return *level;
            }
            at = parent(name);
        }
        self.root
    }

    fn shown(&self, name: &str) -> LoggerLevel {
        LoggerLevel { level: self.effective(name), last_modified: self.modified.get(name).copied() }
    }

    /// The filter: of two loggers that stand for one target, that which was set last counts.
    fn filter(&self) -> String {
        let mut set: Vec<(&String, &(LogLevel, u64))> = self.set.iter().collect();
        set.sort_by_key(|(name, (_, change))| (*change, name.len()));
        let mut by_target = BTreeMap::new();
        for (name, (level, _)) in set {
            for target in targets(name) {
                by_target.insert(target, level.directive());
            }
        }
        let mut directives = vec![self.root.directive().to_owned()];
        directives.extend(self.others.iter().cloned());
        directives.extend(
            by_target
                .into_iter()
                // A target that is none, as a name with blanks, is in no filter.
                .filter(|(target, _)| target.chars().all(|c| c.is_alphanumeric() || "_:.-".contains(c)))
                .map(|(target, level)| format!("{target}={level}")),
        );
        directives.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn loggers(filter: &str, known: &[&str]) -> (Loggers, Arc<Mutex<String>>) {
        let applied = Arc::<Mutex<String>>::default();
        let seen = Arc::clone(&applied);
        (Loggers::new(filter, known, move |filter| *seen.lock().unwrap() = filter.to_owned()), applied)
    }

    fn level(loggers: &Loggers, name: &str) -> Option<LogLevel> {
        loggers.level(name).map(|shown| shown.level)
    }

    #[test]
    fn levels_go_down_to_what_is_below() {
        let (loggers, _) = loggers("info", &[]);
        assert_eq!(level(&loggers, "ROOT"), Some(LogLevel::Info));
        assert_eq!(level(&loggers, "demo"), None);
        assert_eq!(loggers.set("demo.x", LogLevel::Debug), ["demo.x"]);
        assert_eq!(loggers.set("demo.x", LogLevel::Debug), [""; 0]);
        assert_eq!(level(&loggers, "demo"), None);
        // The level that it has from the root already.
        assert_eq!(loggers.set("demo sp", LogLevel::Info), [""; 0]);
        // By the beginning of the name, not by its parts.
        assert_eq!(loggers.set("demo", LogLevel::Trace), ["demo", "demo sp", "demo.x"]);
        assert_eq!(loggers.set("root", LogLevel::Info), ["demo", "demo sp", "demo.x"]);
        assert_eq!(loggers.set("root", LogLevel::Warn), ["demo", "demo sp", "demo.x", "root"]);
        assert!(loggers.level("demo.x").unwrap().last_modified.is_some());
        loggers.set("demo", LogLevel::Off);
        assert_eq!(loggers.levels().keys().collect::<Vec<_>>(), ["root"]);
    }

    #[test]
    fn the_filter_follows() {
        let (loggers, applied) =
            loggers("warn,crossdock_client=debug,[task]=trace,hyper=error", &["crossdock_rest"]);
        assert_eq!(level(&loggers, "crossdock_client"), Some(LogLevel::Debug));
        assert_eq!(level(&loggers, "crossdock_rest"), Some(LogLevel::Warn));
        loggers.set("org.apache.kafka.connect.runtime.rest", LogLevel::Debug);
        let filter = "warn,[task]=trace,crossdock_client=debug,crossdock_rest=debug,hyper=error";
        assert_eq!(*applied.lock().unwrap(), filter);
        loggers.set("crossdock_rest", LogLevel::Error);
        assert!(applied.lock().unwrap().contains("crossdock_rest=error"));
        loggers.set("org.apache.kafka.clients", LogLevel::Off);
        assert!(applied.lock().unwrap().contains("crossdock_client=off"));
        loggers.set("no target", LogLevel::Trace);
        assert!(!applied.lock().unwrap().contains("no target"));
        loggers.set("root", LogLevel::Info);
        let filter = applied.lock().unwrap().clone();
        assert!(filter.starts_with("info,[task]=trace,") && !filter.contains("debug"), "{filter}");
    }

    #[test]
    fn levels_by_name() {
        assert_eq!(LogLevel::named(" trace"), Some(LogLevel::Trace));
        assert_eq!(LogLevel::named("verbose"), None);
        assert_eq!(LogLevel::Fatal.to_string(), "FATAL");
    }
}
