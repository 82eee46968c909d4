//! What a cluster will look like: the builder's choices with the ports that were found for them.

use super::error::KafkaError;
use super::{KAFKA_VERSION, jvm, ports};
use std::collections::BTreeMap;

/// Everything that the nodes of one cluster agree on.
#[derive(Debug, Clone)]
pub(crate) struct ClusterPlan {
    /// The cluster's id, new for each cluster.
    pub(crate) cluster_id: String,
    /// The version of Kafka, for those that run it by version.
    pub(crate) version: String,
    /// Each node's port for clients.
    pub(crate) brokers: Vec<u16>,
    /// Each node's port for the other controllers.
    pub(crate) controllers: Vec<u16>,
    /// Listeners of the caller's own.
    pub(crate) listeners: Vec<Listener>,
    /// The caller's properties, which win over ours.
    pub(crate) properties: BTreeMap<String, String>,
    /// Those of single nodes, which win over the others.
    pub(crate) node_properties: BTreeMap<usize, BTreeMap<String, String>>,
    /// Maximum heap of each node in MiB.
    pub(crate) heap_mb: u32,
    /// Whether the JVM compiles quickly and never thoroughly.
    pub(crate) quick_compiler: bool,
    /// One more option for the JVM.
    pub(crate) extra_option: Option<String>,
}

/// One more way to reach the nodes.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    /// Such as `SASL_SSL`.
    pub(crate) protocol: String,
    /// Each node's port.
    pub(crate) ports: Vec<u16>,
}

impl ClusterPlan {
    /// Chooses ports: `first_port` and the following for clients if it is given, free ones otherwise.
    pub(crate) fn new(
        nodes: usize,
        first_port: Option<u16>,
        properties: BTreeMap<String, String>,
    ) -> Result<Self, KafkaError> {
        let mut free = ports::free(2 * nodes)?;
        let controllers = free.split_off(nodes);
        let brokers = match first_port {
            None => free,
            Some(first) => fixed(first, nodes)?,
        };
        Ok(Self {
            cluster_id: jvm::random_id(),
            version: KAFKA_VERSION.to_owned(),
            brokers,
            controllers,
            listeners: Vec::new(),
            properties,
            node_properties: BTreeMap::new(),
            heap_mb: 512,
            quick_compiler: false,
            extra_option: None,
        })
    }

    /// Adds listeners of these names and protocols, on free ports.
    pub(crate) fn listen(&mut self, wanted: &[(String, String)]) -> Result<(), KafkaError> {
        let mut free = ports::free(wanted.len() * self.nodes())?;
        for (name, protocol) in wanted {
            let ports = free.split_off(free.len() - self.nodes());
            self.listeners.push(Listener { name: name.clone(), protocol: protocol.clone(), ports });
        }
        Ok(())
    }

    /// `,NAME://host:port` for each listener of the caller's own.
    pub(crate) fn own_listeners(&self, node: usize, host: &str) -> String {
        let each = self.listeners.iter().map(|l| format!(",{}://{host}:{}", l.name, l.ports[node - 1]));
        each.collect()
    }

    /// `,NAME:PROTOCOL` for each listener of the caller's own.
    pub(crate) fn own_protocols(&self) -> String {
        self.listeners.iter().map(|l| format!(",{}:{}", l.name, l.protocol)).collect()
    }

    pub(crate) fn nodes(&self) -> usize {
        self.brokers.len()
    }

    /// The caller's properties of one node.
    pub(crate) fn properties_of(&self, node: usize) -> BTreeMap<String, String> {
        let own = self.node_properties.get(&node).into_iter().flatten();
        let all = self.properties.iter().chain(own);
        all.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(crate) fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.brokers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    pub(crate) fn jvm_options(&self) -> Vec<String> {
        let mut options = vec![format!("-Xmx{}m", self.heap_mb)];
        if self.quick_compiler {
            options.push("-XX:TieredStopAtLevel=1".to_owned());
        }
        options.extend(self.extra_option.clone());
        options
    }
}

fn fixed(first: u16, nodes: usize) -> Result<Vec<u16>, KafkaError> {
    let ports: Option<Vec<u16>> =
        (0..nodes).map(|i| u16::try_from(i).ok().and_then(|i| first.checked_add(i))).collect();
    ports.filter(|_| first != 0).ok_or(KafkaError::Option {
        name: "port",
        value: first.to_string(),
        expected: "from 1 to 65535, with room for one port a node above it",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_ports_follow_each_other() {
        assert_eq!(fixed(9000, 3).unwrap(), [9000, 9001, 9002]);
        assert!(fixed(65_535, 2).is_err() && fixed(0, 1).is_err());
    }

    #[test]
    fn a_nodes_own_properties_win() {
        let of = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let mut plan = ClusterPlan::new(2, None, of(&[("a", "1"), ("b", "1")])).unwrap();
        plan.node_properties.insert(2, of(&[("b", "2")]));
        assert_eq!(plan.properties_of(1), of(&[("a", "1"), ("b", "1")]));
        assert_eq!(plan.properties_of(2), of(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn all_ports_of_a_plan_differ() {
        let plan = ClusterPlan::new(5, None, BTreeMap::new()).unwrap();
        let mut ports = [plan.brokers, plan.controllers].concat();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 10);
    }
}
