//! Choice of free ports.

use super::error::KafkaError;
use std::net::{Ipv4Addr, TcpListener};

/// The range to choose from lies below the ephemeral ports of Linux (from 32768) and macOS (from
/// 49152). Binding port 0 would give an ephemeral one, and then a client's outgoing connection could
/// take the port of a node while it is down between kill and restart, or even connect to itself.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// `count` different ports that are free on loopback at this moment. Another process may take one
/// before it is used; the caller then chooses again.
pub(crate) fn free(count: usize) -> Result<Vec<u16>, KafkaError> {
    let mut held: Vec<(u16, TcpListener)> = Vec::with_capacity(count);
    for _ in 0..1000 {
        if held.len() == count {
            break;
        }
        let port = FIRST + (uuid::Uuid::new_v4().as_u128() % u128::from(COUNT)) as u16;
        // Held until all are found, so that none is chosen twice.
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        return Err(KafkaError::Io {
            doing: format!("find {count} free ports between {FIRST} and {}", FIRST + COUNT),
            source: std::io::ErrorKind::AddrInUse.into(),
        });
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let ports = free(6).unwrap();
        let listeners: Vec<_> =
            ports.iter().map(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
        assert_eq!(listeners.len(), 6);
    }
}
