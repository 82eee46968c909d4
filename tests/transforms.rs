//! Chains of transforms with predicates, in `crossdock standalone`: on a source, and on a sink.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock_broker::Broker;
use support::{Worker, await_that, sink, source, topic};

const TRANSFORMS: &str = "org.apache.kafka.connect.transforms";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// A connector with `chain` as its transforms: `<name>.<key>=<value>` a line, classes without their package.
fn with_chain(connector: String, names: &str, chain: &str) -> String {
    let mut text = connector + &format!("transforms={names}\n");
    for line in chain.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = match line.split_once(".type=") {
            Some((name, class)) => format!("{name}.type={TRANSFORMS}.{class}"),
            None => line.to_owned(),
        };
        text += &format!("transforms.{line}\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_with_predicates_on_a_source_and_a_sink() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().start().await.unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    std::fs::write(&input, "1\n2\n300\n-4\n").unwrap();
    let topic = topic("chained");
    // Lines become structs with a number, and a header says so.
    let named = "predicates=named\n\
                 predicates.named.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches\n\
                 predicates.named.pattern=chained-.*\n";
    let source = with_chain(
        source("in", &input, &topic) + &format!("value.converter={JSON}\n") + named,
        "hoist,cast,insert,mark,none",
        "hoist.type=HoistField$Value
         hoist.field=number
         cast.type=Cast$Value
         cast.spec=number:int16
         cast.predicate=named
         insert.predicate=named
         insert.type=InsertField$Value
         insert.topic.field=from
         insert.static.field=by
         insert.static.value=hand
         mark.type=InsertHeader
         mark.header=marked
         mark.value.literal=true
         none.type=Filter
         none.predicate=named
         none.negate=true",
    );
    // What is marked loses its mark and a field; what is not would be dropped.
    let predicates = "predicates=marked\n\
                      predicates.marked.type=org.apache.kafka.connect.transforms.predicates.HasHeaderKey\n\
                      predicates.marked.name=marked\n";
    let sink = with_chain(
        sink("out", &output, &topic) + &format!("value.converter={JSON}\n") + predicates,
        "unmarked,names,fields,unmark,gone",
        "unmarked.type=Filter
         unmarked.predicate=marked
         unmarked.negate=true
         names.type=ReplaceField$Value
         names.renames=number:n
         names.exclude=from
         names.predicate=marked
         fields.type=MaskField$Value
         fields.fields=by
         fields.replacement=x
         fields.predicates=misspelt
         unmark.type=DropHeaders
         unmark.headers=marked
         gone.type=Filter
         gone.predicate=marked",
    );
    let mut worker = Worker::start(dir.path(), &broker.bootstrap(), &[], &[&source, &sink]);
    let expected = "Struct{n=1,by=x}\nStruct{n=2,by=x}\nStruct{n=300,by=x}\nStruct{n=-4,by=x}\n";
    await_that("the records to be written", || {
        worker.assert_alive();
        std::fs::read_to_string(&output).unwrap_or_default().len() >= expected.len()
    });
    let log = worker.log();
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(std::fs::read_to_string(&output).unwrap(), expected);
    assert!(log.contains("the key transforms.fields.predicates is not known to"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workers_compatibility_mode_reaches_transforms() {
    let broker = Broker::builder().start().await.unwrap();
    for (mode, expected) in [("strict", Some("44\n")), ("safe", None)] {
        let dir = tempfile::tempdir().unwrap();
        let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
        std::fs::write(&input, "300\n").unwrap();
        let topic = topic(mode);
        let cast = "wide.type=Cast$Value
                    wide.spec=int32
                    narrow.type=Cast$Value
                    narrow.spec=int8";
        let source = with_chain(source("in", &input, &topic), "wide,narrow", cast);
        let connectors = [source, sink("out", &output, &topic)];
        let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
        let settings = [("crossdock.compatibility", mode)];
        let mut worker = Worker::start(dir.path(), &broker.bootstrap(), &settings, &connectors);
        match expected {
            Some(expected) => await_that("the number to be written", || {
                worker.assert_alive();
                std::fs::read_to_string(&output).unwrap_or_default() == expected
            }),
            None => {
                let status = worker.await_status("in", |status| status["tasks"][0]["state"] == "FAILED");
                let trace = status["tasks"][0]["trace"].to_string();
                assert!(trace.contains("Value (300) does not fit the type int8"), "{trace}");
                assert!(trace.contains("narrow"), "{trace}");
            }
        }
        assert_eq!(worker.terminate(), Some(0));
    }
}
