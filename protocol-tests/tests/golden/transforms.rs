//! Transforms and predicates against what Connect's do.

use super::Verdict;
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{ConfigMap, Failures, Plugins};
use protocol_tests::golden::{Case, Expected, record};

fn plugins() -> Plugins {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    plugins
}

/// The configuration of a case, as the worker hands it to a plugin in strict mode.
fn config(case: &Case) -> ConfigMap {
    let mut config = case.config();
    config.insert("crossdock.compatibility".to_owned(), "strict".to_owned());
    config
}

fn plugin(kind: PluginKind, case: &Case) -> Option<Plugin> {
    plugins().of_kind(kind, case.full_class()).ok().cloned()
}

/// Runs a case of a transform; `None` if there is none of its class.
pub(crate) fn run_transform(case: &Case) -> Option<Verdict> {
    let plugin = plugin(PluginKind::Transform, case)?;
    let Factory::Transform(make) = plugin.factory() else { return None };
    let mut transform = make();
    if let Err(error) = transform.configure(&config(case)) {
        let expected = case.phase() == Some("configure") && case.expected().is_config_error(&error);
        return Some(Verdict::of((!expected).then(|| format!("configure failed: {error}"))));
    }
    let mut batch = record::batch_of(case.input());
    let mut failures = Failures::new();
    transform.apply(&mut batch, &[], &mut failures);
    Some(Verdict::of(match (case.expected(), failures.take().pop(), batch.get(0)) {
        (expected @ Expected::Error { .. }, Some((_, error)), _) => {
            let same = case.phase() == Some("apply") && expected.is_error(&error);
            (!same).then(|| format!("failed with {}: {error}", error.exception().class_name()))
        }
        (Expected::Error { .. }, None, record) => Some(format!("gave {record:?} instead of an error")),
        (_, Some((_, error)), _) => Some(format!("failed: {error}")),
        (_, None, None) if case.is_dropped() => None,
        (_, None, None) => Some("was dropped".to_owned()),
        (Expected::Output(_), None, Some(_)) if case.is_dropped() => Some("was not dropped".to_owned()),
        (Expected::Output(output), None, Some(ours)) => record::difference(output, ours),
    }))
}

/// Runs a case of a predicate; `None` if there is none of its class.
pub(crate) fn run_predicate(case: &Case) -> Option<Verdict> {
    let plugin = plugin(PluginKind::Predicate, case)?;
    let Factory::Predicate(make) = plugin.factory() else { return None };
    let mut predicate = make();
    if let Err(error) = predicate.configure(&config(case)) {
        let expected = case.expected().is_config_error(&error);
        return Some(Verdict::of((!expected).then(|| format!("configure failed: {error}"))));
    }
    let batch = record::batch_of(case.input());
    let ours = batch.get(0).map(|record| predicate.test(record));
    Some(Verdict::of(match case.expected() {
        Expected::Output(output) if output.as_bool() == ours => None,
        expected => Some(format!("gave {ours:?} instead of {expected:?}")),
    }))
}
