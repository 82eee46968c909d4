//! Chains of transforms with predicates, by the code that a task runs.

use super::Verdict;
use crossdock_api::registry::PluginKind;
use crossdock_api::{ConfigMap, Plugins};
use crossdock_runtime::testing;
use protocol_tests::golden::{Case, Expected, record};

/// Runs a case: the configuration of the case is that of a connector.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    crossdock_transforms::register(&mut plugins);
    let map = |pairs: &[(&str, &str)]| -> ConfigMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let converter = "org.apache.kafka.connect.json.JsonConverter";
    let worker = map(&[
        ("bootstrap.servers", "localhost:9092"),
        ("key.converter", converter),
        ("value.converter", converter),
        ("offset.storage.file.filename", "offsets"),
        ("crossdock.compatibility", "strict"),
    ]);
    let mut connector = map(&[("name", "c"), ("connector.class", "C"), ("topics", "t")]);
    connector.extend(case.config());
    let is_sink = case.input()["kind"] == "sink";
    let kind = if is_sink { PluginKind::Sink } else { PluginKind::Source };
    let mut batch = record::batch_of(case.input());
    let failed = match testing::transform(&plugins, &worker, &connector, kind, &mut batch) {
        Ok(failed) => failed,
        Err(error) => return Some(Verdict::Failed(format!("the configuration is refused: {error}"))),
    };
    Some(Verdict::of(match (case.expected(), failed, batch.get(0)) {
        (expected @ Expected::Error { .. }, Some(error), _) if expected.is_error(&error) => None,
        (Expected::Output(output), None, Some(ours)) if !case.is_dropped() => {
            record::difference(output, ours)
        }
        (Expected::Output(_), None, None) if case.is_dropped() => None,
        (expected, failed, ours) => Some(format!("gave {failed:?} and {ours:?} instead of {expected:?}")),
    }))
}
