//! The `listeners` key, binding to it, and the address under which others reach the worker
//! (`org.apache.kafka.connect.runtime.rest.RestServer`).

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::RestError;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// How a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// By TLS.
    Https,
}

impl Scheme {
    /// As in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// One URL of the `listeners` key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    scheme: Scheme,
    host: Option<String>,
    port: u16,
}

impl Listener {
    /// A listener on `host`, or on all interfaces. Port 0 takes any free port.
    pub fn new(host: Option<&str>, port: u16) -> Self {
        Self { scheme: Scheme::Http, host: host.map(str::to_owned), port }
    }

    /// The same place, spoken to by https.
    pub fn https(self) -> Self {
        Self { scheme: Scheme::Https, ..self }
    }

    /// How it speaks.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Reads the value of `listeners`: URLs with commas between, as `http://:8083` (all interfaces),
    /// `http://127.0.0.1:0` (a free port), `https://[::1]:8443`.
    ///
    /// # Errors
    /// No URL, an empty one, one that is neither `http://host:port` nor `https://host:port`.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, RestError> {
        if text.trim().is_empty() {
            return Err(RestError::NoListener);
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, RestError> {
        let text = text.trim();
        let malformed = |reason| RestError::Malformed { listener: text.to_owned(), reason };
        if text.is_empty() {
            return Err(RestError::EmptyListener);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| malformed("it has no protocol"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(malformed("its protocol is neither http nor https")),
        };
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| malformed("it has no port"))?;
        let port = port.parse().map_err(|_| malformed("its port is not a number from 0 to 65535"))?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c)) {
            return Err(malformed("its host has characters that no host has"));
        }
        Ok(Self { scheme, host: Some(host.to_owned()).filter(|h| !h.is_empty()), port })
    }

    /// Opens the port.
    pub(crate) async fn bind(&self) -> Result<TcpListener, RestError> {
        let opened = match &self.host {
            None => all_interfaces(self.port),
            Some(host) => TcpListener::bind((host.as_str(), self.port)).await,
        };
        opened.map_err(|source| self.bind_error(source))
    }

    fn bind_error(&self, source: io::Error) -> RestError {
        let advice = match source.kind() {
            ErrorKind::AddrInUse => {
                return RestError::PortInUse { listener: self.clone(), port: self.port };
            }
            ErrorKind::AddrNotAvailable => "the host in listeners must be an address of this machine",
            ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege; set a higher port in listeners"
            }
            _ => "check host and port in listeners",
        };
        RestError::Bind { listener: self.clone(), advice, source }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name();
        write!(f, "{scheme}://{}:{}", bracketed(self.host.as_deref().unwrap_or_default()), self.port)
    }
}

/// All IPv6 and IPv4 addresses, as Java listens; only IPv4 where there is no IPv6.
fn all_interfaces(port: u16) -> io::Result<TcpListener> {
    let both = open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    match both {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(_) => open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        Ok(listener) => Ok(listener),
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // On Windows this option would let a second process share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Where others reach this worker's REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Advertised {
    /// `http://host:port/`.
    pub fn url(&self) -> String {
        format!("{}://{}:{}/", self.scheme.name(), bracketed(&self.host), self.port)
    }

    /// `host:port`, the `worker_id` in statuses.
    pub fn worker_id(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

/// The address to tell others: `rest.advertised.host.name` and `rest.advertised.port` where they are
/// set, else the host of the listener and the port that it got. A listener on all interfaces is known by
/// the address that this machine uses towards others.
pub fn advertised(
    listener: &Listener,
    local: SocketAddr,
    host_override: Option<&str>,
    port_override: Option<u16>,
) -> Advertised {
    let given = |host: &&str| !host.is_empty();
    let of_listener = |host: &&str| host.parse::<IpAddr>().map_or(true, |ip| !ip.is_unspecified());
    let host = host_override
        .filter(given)
        .or_else(|| listener.host.as_deref().filter(of_listener))
        .map_or_else(|| own_address().to_string(), str::to_owned);
    Advertised { scheme: listener.scheme, host, port: port_override.unwrap_or_else(|| local.port()) }
}

/// The address that packets to the outside would have as sender; none is sent. Loopback without network.
fn own_address() -> IpAddr {
    // 192.0.2.0/24 is reserved for documentation: it is routed as any other address, and nobody is there.
    let probe = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    probe().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address: SocketAddr| address.ip())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_connect_reads_them() {
        let list =
            Listener::parse_list("http://:8083, http://127.0.0.1:0,HTTP://[::1]:1,https://a-b.c:2").unwrap();
        let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://:8083", "http://127.0.0.1:0", "http://[::1]:1", "https://a-b.c:2"]);
        assert_eq!(list[0], Listener::new(None, 8083));
        assert_eq!(list[2], Listener::new(Some("::1"), 1));
    }

    #[test]
    fn wrong_lists_say_what_is_wrong() {
        let error = |text: &str| Listener::parse_list(text).unwrap_err().to_string();
        assert_eq!(
            error(""),
            "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443."
        );
        assert_eq!(error(","), "Empty URL found when parsing listeners list.");
        assert_eq!(error("http://a:1, "), "Empty URL found when parsing listeners list.");
        assert!(error("localhost:8083").contains("has no protocol"), "{}", error("localhost:8083"));
        assert!(error("ftp://x:1").contains("neither http nor https"));
        assert!(error("http://x").contains("no port"));
        assert!(error("http://x:70000").contains("0 to 65535"));
        assert!(error("http://x:-1").contains("0 to 65535"));
        assert!(error("http://x:8083/").contains("0 to 65535"));
        assert!(error("http://a b:1").contains("characters"));
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let first = Listener::new(None, 0).bind().await.unwrap();
        let port = first.local_addr().unwrap().port();
        for host in [None, Some("127.0.0.1")] {
            let error = Listener::new(host, port).bind().await.unwrap_err().to_string();
            assert!(error.contains(&format!("port {port} is in use")), "{error}");
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        let error = Listener::new(Some("192.0.2.7"), 0).bind().await.unwrap_err().to_string();
        assert!(error.contains("http://192.0.2.7:0"), "{error}");
        assert!(error.contains("address of this machine"), "{error}");
    }

    #[test]
    fn advertised_prefers_what_is_set() {
        let local = SocketAddr::from(([127, 0, 0, 1], 4711));
        let named = Listener::new(Some("connect-1"), 0);
        let all = Listener::new(Some("0.0.0.0"), 0);
        assert_eq!(advertised(&named, local, None, None).worker_id(), "connect-1:4711");
        assert_eq!(advertised(&named, local, Some(""), None).worker_id(), "connect-1:4711");
        assert_eq!(advertised(&named, local, Some("::1"), Some(80)).url(), "http://[::1]:80/");
        let own = advertised(&all, local, None, None);
        assert!(!own.host.parse::<IpAddr>().unwrap().is_unspecified());
        assert_eq!(own.port, 4711);
    }
}
