//! The configuration of one node, as `server.properties` or as the environment of Kafka's image.

use std::collections::BTreeMap;

/// What differs between running locally and in a container.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    /// `listeners`.
    pub(crate) listeners: String,
    /// `advertised.listeners`.
    pub(crate) advertised: String,
    /// `controller.quorum.voters`.
    pub(crate) voters: String,
    /// What is added to `listener.security.protocol.map`.
    pub(crate) protocols: String,
    /// `inter.broker.listener.name`.
    pub(crate) inter_broker: &'static str,
}

/// All properties of a node that is both broker and controller. `overrides` come last and win.
pub(crate) fn of_node(
    node: usize,
    nodes: usize,
    wiring: &Wiring,
    overrides: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let copies = nodes.min(3).to_string();
    let in_sync = if nodes < 3 { "1" } else { "2" };
    let mut properties = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        properties.insert(key.to_owned(), value.to_owned());
    };
    set("process.roles", "broker,controller");
    set("node.id", &node.to_string());
    set("listeners", &wiring.listeners);
    set("advertised.listeners", &wiring.advertised);
    set("controller.quorum.voters", &wiring.voters);
    set("inter.broker.listener.name", wiring.inter_broker);
    set("controller.listener.names", "CONTROLLER");
    let protocols = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT";
    set("listener.security.protocol.map", &format!("{protocols}{}", wiring.protocols));
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{topic}.replication.factor"), &copies);
        // Few partitions: a broker of one test process has few groups, and creating fifty takes time.
        set(&format!("{topic}.num.partitions"), "4");
    }
    for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{topic}.min.isr"), in_sync);
    }
    // Groups form at once instead of waiting three seconds for more members.
    set("group.initial.rebalance.delay.ms", "0");
    // After SIGKILL a node may come back only when its old session has ended; the default is nine seconds.
    set("broker.session.timeout.ms", "3000");
    set("broker.heartbeat.interval.ms", "500");
    // The default takes 128 MiB of the heap.
    set("log.cleaner.dedupe.buffer.size", "8388608");
    for (key, value) in overrides {
        set(key, value);
    }
    properties
}

/// The name under which Kafka's image takes a property from the environment.
pub(crate) fn environment_name(property: &str) -> String {
    let mut name = String::from("KAFKA_");
    for letter in property.chars() {
        match letter {
            '.' => name.push('_'),
            '_' => name.push_str("__"),
            '-' => name.push_str("___"),
            other => name.push(other.to_ascii_uppercase()),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring() -> Wiring {
        Wiring {
            listeners: "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2".into(),
            advertised: "PLAINTEXT://127.0.0.1:1".into(),
            voters: "1@127.0.0.1:2".into(),
            protocols: String::new(),
            inter_broker: "PLAINTEXT",
        }
    }

    #[test]
    fn replication_follows_the_number_of_nodes() {
        for (nodes, copies, in_sync) in [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")] {
            let properties = of_node(1, nodes, &wiring(), &BTreeMap::new());
            assert_eq!(properties["offsets.topic.replication.factor"], copies);
            assert_eq!(properties["transaction.state.log.min.isr"], in_sync);
        }
    }

    #[test]
    fn the_callers_properties_win() {
        let own = BTreeMap::from([("broker.session.timeout.ms".to_owned(), "9000".to_owned())]);
        assert_eq!(of_node(1, 1, &wiring(), &own)["broker.session.timeout.ms"], "9000");
    }

    #[test]
    fn environment_names_follow_the_image() {
        assert_eq!(environment_name("auto.create.topics.enable"), "KAFKA_AUTO_CREATE_TOPICS_ENABLE");
        assert_eq!(environment_name("a_b-c.d"), "KAFKA_A__B___C_D");
    }
}
