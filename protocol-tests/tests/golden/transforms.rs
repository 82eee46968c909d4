//! Transforms and predicates against what Connect's do.
//!
//! In strict mode every case must come out as in Java. In safe mode, the default, it may differ where
//! [`deviation`] says why.

use super::Verdict;
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{Column, ConfigError, ConfigMap, ConnectError, Failures, Plugins, RecordBatch};
use protocol_tests::golden::{self, Case, Expected, record};

fn plugins() -> Plugins {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    plugins
}

/// The configuration of a case, as the worker hands it to a plugin.
fn config(case: &Case, strict: bool) -> ConfigMap {
    let mut config = case.config();
    if strict {
        config.insert("crossdock.compatibility".to_owned(), "strict".to_owned());
    }
    config
}

fn plugin(kind: PluginKind, case: &Case) -> Option<Plugin> {
    plugins().of_kind(kind, case.full_class()).ok().cloned()
}

/// What a transform made of a case.
enum Ran {
    Misconfigured(ConfigError),
    Failed(ConnectError),
    /// A batch of one record, or of none if it was dropped.
    Record(RecordBatch),
}

fn ran(plugin: &Plugin, case: &Case, strict: bool) -> Option<Ran> {
    let Factory::Transform(make) = plugin.factory() else { return None };
    let mut transform = make();
    if let Err(error) = transform.configure(&config(case, strict)) {
        return Some(Ran::Misconfigured(error));
    }
    let mut batch = record::batch_of(case.input());
    let mut failures = Failures::new();
    transform.apply(&mut batch, &[], &mut failures);
    if let Some((_, error)) = failures.take().pop() {
        let left = batch.get(0).and_then(|left| record::difference(case.input(), left));
        assert_eq!(left, None, "a record that failed must be left as it was");
        return Some(Ran::Failed(error));
    }
    Some(Ran::Record(batch))
}

/// In what a case did not come out as in Java.
fn difference(case: &Case, ran: &Ran) -> Option<String> {
    match (case.expected(), ran) {
        (expected, Ran::Misconfigured(error)) => {
            let same = case.phase() == Some("configure") && expected.is_config_error(error);
            (!same).then(|| format!("configure failed: {error}"))
        }
        (expected @ Expected::Error { .. }, Ran::Failed(error)) => {
            let same = case.phase() == Some("apply") && expected.is_error(error);
            (!same).then(|| format!("failed with {}: {error}", error.exception().class_name()))
        }
        (Expected::Output(_), Ran::Failed(error)) => Some(format!("failed: {error}")),
        (expected, Ran::Record(batch)) => match (expected, batch.get(0)) {
            (Expected::Error { .. }, record) => Some(format!("gave {record:?} instead of an error")),
            (_, None) if case.is_dropped() => None,
            (_, None) => Some("was dropped".to_owned()),
            (Expected::Output(_), Some(_)) if case.is_dropped() => Some("was not dropped".to_owned()),
            (Expected::Output(output), Some(ours)) => record::difference(output, ours),
        },
    }
}

/// What is known not to be as in Java.
fn known_gap(case: &Case) -> Option<&'static str> {
    let foreign = case.input().to_string().contains("\"java\":");
    foreign.then_some("a java.math.BigInteger, which is no value of Connect's data model")
}

/// Runs a case of a transform in both modes; `None` if there is none of its class.
pub(crate) fn run_transform(case: &Case) -> Option<Verdict> {
    let plugin = plugin(PluginKind::Transform, case)?;
    if let Some(gap) = known_gap(case) {
        return Some(Verdict::KnownGap(gap));
    }
    if let Some(difference) = difference(case, &ran(&plugin, case, true)?) {
        return Some(Verdict::Failed(difference));
    }
    let safe = ran(&plugin, case, false)?;
    Some(match difference(case, &safe) {
        Some(difference) => deviation(case, &safe)
            .map_or_else(|| Verdict::Failed(format!("in safe mode: {difference}")), Verdict::Deviates),
        None => Verdict::Passed,
    })
}

/// Why the safe mode differs from Java in a case, if it may.
fn deviation(case: &Case, ran: &Ran) -> Option<&'static str> {
    match (case.op(), ran) {
        (_, Ran::Failed(error)) if error.message().contains("set crossdock.compatibility=strict to") => {
            Some("a value that would be lost or changed is an error")
        }
        ("Cast", Ran::Record(batch)) => {
            let column = if case.class().ends_with("$Key") { Column::Key } else { Column::Value };
            let Expected::Output(output) = case.expected() else { return None };
            let (member, ours) = (if column == Column::Key { "key" } else { "value" }, batch.get(0)?);
            let expected = golden::schema(&output[format!("{member}_schema")])?;
            let same =
                golden::same(&golden::value(&output[member], Some(&expected)), &ours.value_owned(column));
            let unnamed = ours.schema(column)?.name().is_none();
            let was_logical = expected.name()?.starts_with("org.apache.kafka.connect.data.");
            (same && unnamed && was_logical)
                .then_some("a logical type's name does not stay when the whole key or value is cast")
        }
        ("HeaderFrom", Ran::Failed(error)) if error.message().starts_with("Field does not exist: ") => {
            let by_java = case.error_class() == Some("java.lang.NullPointerException");
            by_java.then_some("a field that the schema does not have is named in the error")
        }
        ("InsertField", Ran::Misconfigured(error)) => {
            let about = "configuration static.value: No value specified for static field: ";
            error.to_string().contains(about).then_some("the field is named in the error")
        }
        ("MaskField", Ran::Record(batch)) if format!("{batch:?}").contains("connect.data.Decimal") => {
            Some("a decimal stands in with the scale of its schema")
        }
        _ => None,
    }
}

/// Runs a case of a predicate; `None` if there is none of its class.
pub(crate) fn run_predicate(case: &Case) -> Option<Verdict> {
    let plugin = plugin(PluginKind::Predicate, case)?;
    let Factory::Predicate(make) = plugin.factory() else { return None };
    let mut predicate = make();
    if let Err(error) = predicate.configure(&config(case, true)) {
        let expected = case.expected().is_config_error(&error);
        return Some(Verdict::of((!expected).then(|| format!("configure failed: {error}"))));
    }
    let batch = record::batch_of(case.input());
    let ours = batch.get(0).and_then(|record| predicate.test(record).ok());
    Some(Verdict::of(match case.expected() {
        Expected::Output(output) if output.as_bool() == ours => None,
        expected => Some(format!("gave {ours:?} instead of {expected:?}")),
    }))
}

/// Runs a case of a transform or a predicate.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    run_transform(case).or_else(|| run_predicate(case))
}

/// Runs a case of a transform of Debezium in both modes: that a configuration is refused must be the same, not how
/// it is said, as Debezium only says that it cannot be validated.
pub(crate) fn run_debezium(case: &Case) -> Option<Verdict> {
    let plugin = plugin(PluginKind::Transform, case)?;
    for strict in [true, false] {
        let difference = match (ran(&plugin, case, strict)?, case.phase()) {
            (Ran::Misconfigured(_), Some("configure")) => None,
            (ran, _) => difference(case, &ran),
        };
        if difference.is_some() {
            return Some(Verdict::of(difference));
        }
    }
    Some(Verdict::Passed)
}
