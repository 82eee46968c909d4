//! Addresses of brokers.

use crate::error::ConfigError;
use std::fmt;
use std::sync::Arc;

/// Host and port of a broker, not resolved yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address, IPv6 without brackets.
    pub host: Arc<str>,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Reads `bootstrap.servers` as `org.apache.kafka.clients.ClientUtils` does: `host:port` each, IPv6 hosts
/// in brackets, empty items skipped, a prefix such as `PLAINTEXT://` ignored. Names are resolved when
/// connecting, not here.
pub(super) fn parse_bootstrap(items: &[&str]) -> Result<Vec<Address>, ConfigError> {
    let mut addresses = Vec::new();
    for item in items.iter().filter(|i| !i.is_empty()) {
        let address = parse(item)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ConfigError::Invalid(
            "No bootstrap urls given in bootstrap.servers: expected a list such as host1:9092,host2:9092"
                .to_owned(),
        ));
    }
    Ok(addresses)
}

fn parse(item: &str) -> Result<Address, ConfigError> {
    let invalid_url = || ConfigError::Invalid(format!("Invalid url in bootstrap.servers: {item}"));
    let (head, port) = item.rsplit_once(':').ok_or_else(invalid_url)?;
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid_url());
    }
    let host = match head.rsplit_once("://") {
        Some((_, host)) => host,
        None => head,
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-%._:".contains(&b);
    if host.is_empty() || !host.bytes().all(known) {
        return Err(invalid_url());
    }
    let port = port
        .parse()
        .map_err(|_| ConfigError::Invalid(format!("Invalid port in bootstrap.servers: {item}")))?;
    Ok(Address { host: host.into(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_names_and_brackets() {
        let texts = |items: &[&str]| {
            parse_bootstrap(items).map(|a| a.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            texts(&["a:1", "", "PLAINTEXT://b-1.c:9092", "[::1]:3", "a:1"]).unwrap(),
            ["a:1", "b-1.c:9092", "[::1]:3"]
        );
        for bad in ["a", "a:", ":1", "a:b", "a b:1", "a:70000", "a:-1"] {
            let error = texts(&[bad]).unwrap_err().to_string();
            assert!(error.contains("in bootstrap.servers") && error.ends_with(bad), "{error}");
        }
        assert!(texts(&["", ""]).is_err());
    }
}
