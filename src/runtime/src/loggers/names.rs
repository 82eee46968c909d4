//! Java's names of loggers, and the targets that log the same here.

/// A package of Java, and the targets that stand for it. What a package does not have to itself is in one that is above
/// it.
const PACKAGES: &[(&str, &[&str])] = &[
    ("org.apache.kafka.clients", &["crossdock_client"]),
    ("org.apache.kafka.common", &["crossdock_client", "crossdock_wire"]),
    ("org.apache.kafka.connect.converters", &["crossdock_converters"]),
    ("org.apache.kafka.connect.file", &["crossdock_connector_file"]),
    ("org.apache.kafka.connect.json", &["crossdock_converters::json"]),
    ("org.apache.kafka.connect.runtime", &["crossdock_runtime"]),
    ("org.apache.kafka.connect.runtime.WorkerSinkTask", &["crossdock_runtime::task::sink"]),
    ("org.apache.kafka.connect.runtime.WorkerSourceTask", &["crossdock_runtime::task::source"]),
    ("org.apache.kafka.connect.runtime.rest", &["crossdock_rest"]),
    ("org.apache.kafka.connect.runtime.standalone", &["crossdock_runtime::standalone"]),
    ("org.apache.kafka.connect.storage", &["crossdock_runtime::offsets"]),
    ("org.apache.kafka.connect.transforms", &["crossdock_transforms"]),
];

/// The targets that a logger stands for. A Java package stands for those of all packages in it; a class that is not in the
/// table, for none.
pub(super) fn targets(logger: &str) -> Vec<&str> {
    if !logger.starts_with("org.apache.kafka") {
        return vec![logger];
    }
    let is_in = |package: &str| {
        package.strip_prefix(logger).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let of = PACKAGES.iter().filter(|(package, _)| is_in(package));
    of.flat_map(|(_, targets)| targets.iter().copied()).collect()
}

/// The parent of a logger's name.
pub(super) fn parent(logger: &str) -> Option<&str> {
    logger.rfind(['.', ':']).map(|at| logger[..at].trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_stand_for_targets() {
        assert_eq!(targets("crossdock_rest"), ["crossdock_rest"]);
        assert_eq!(targets("org.apache.kafka.connect.runtime.rest"), ["crossdock_rest"]);
        assert!(targets("org.apache.kafka.connect").contains(&"crossdock_transforms"));
        assert!(!targets("org.apache.kafka.connect").contains(&"crossdock_client"));
        assert!(targets("org.apache.kafka").contains(&"crossdock_client"));
        assert!(targets("org.apache.kafka.connect.run").is_empty());
    }

    #[test]
    fn parents() {
        assert_eq!(parent("a.b.c"), Some("a.b"));
        assert_eq!(parent("crossdock_client::connection"), Some("crossdock_client"));
        assert_eq!(parent("a"), None);
    }
}
