//! Where and how to serve: [`RestConfig`], and the worker's keys that it is read from.

use crate::RestError;
use crate::basic_auth::{self, BasicAuth};
use crate::cors::Cors;
use crate::listeners::{Listener, Scheme};
use crate::response_headers::ResponseHeaders;
use crossdock_client::security::TlsServer;
use crossdock_runtime::WorkerConfig;
use crossdock_runtime::config::worker::{LOGIN_CONFIG, MAX_REQUEST_BYTES};
use crossdock_runtime::loggers::LogLevels;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Largest body of a request unless the worker says something else.
const MAX_BODY: u64 = 1024 * 1024;
/// The same in strict mode: Connect takes what fits into its memory.
const MAX_BODY_AS_CONNECT: u64 = 64 * 1024 * 1024;

/// Where and how to serve.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestConfig {
    /// Where to listen (`listeners`); at least one.
    pub listeners: Vec<Listener>,
    /// Where the endpoints below `/admin` are (`admin.listeners`): with the others if it is not set, nowhere if it is
    /// empty.
    pub admin_listeners: Option<Vec<Listener>>,
    /// Host to tell others (`rest.advertised.host.name`).
    pub advertised_host: Option<String>,
    /// Port to tell others (`rest.advertised.port`).
    pub advertised_port: Option<u16>,
    /// Which listener to tell others (`rest.advertised.listener`); `http` if there is one.
    pub advertised_scheme: Option<Scheme>,
    /// TLS of https listeners (`listeners.https.*`, or `ssl.*` without any of these).
    pub tls: Option<TlsServer>,
    /// TLS of https listeners of `admin.listeners` (`admin.listeners.https.*`, or `ssl.*`).
    pub admin_tls: Option<TlsServer>,
    /// Largest body of a request, in bytes (`crossdock.rest.max.request.bytes`).
    pub max_body: u64,
    /// How long requests under way may take once the server is told to end.
    pub shutdown_timeout: Duration,
    /// Whether to answer as Connect also where it takes the caller's mistake for its own
    /// (`crossdock.compatibility=strict`).
    pub as_connect: bool,
    /// The levels of the program's loggers, if the REST API may change them.
    pub log_levels: Option<Arc<dyn LogLevels>>,
    pub(crate) auth: Option<BasicAuth>,
    pub(crate) cors: Option<Cors>,
    pub(crate) headers: ResponseHeaders,
}

impl RestConfig {
    /// Serves on these listeners, otherwise with the defaults.
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners,
            admin_listeners: None,
            advertised_host: None,
            advertised_port: None,
            advertised_scheme: None,
            tls: None,
            admin_tls: None,
            max_body: MAX_BODY,
            shutdown_timeout: Duration::from_secs(5),
            as_connect: false,
            log_levels: None,
            auth: None,
            cors: None,
            headers: ResponseHeaders::default(),
        }
    }

    /// What a worker's configuration says. Reads key stores and the files of credentials.
    ///
    /// # Errors
    /// A key that is wrong, or a file that cannot be used.
    pub fn of(worker: &WorkerConfig) -> Result<Self, RestError> {
        let raw = worker.raw();
        let text = |key: &str| raw.get(key).map_or("", |value| value.trim());
        let mut config = Self::new(Listener::parse_list(worker.listeners())?);
        config.as_connect = worker.is_strict();
        config.advertised_host = worker.advertised_host().map(str::to_owned);
        config.advertised_port = worker.advertised_port();
        config.advertised_scheme = match text("rest.advertised.listener").to_ascii_lowercase().as_str() {
            "" => None,
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            _ => return Err(RestError::AdvertisedListener),
        };
        config.admin_listeners = match raw.get("admin.listeners").map(|list| list.trim()) {
            None => None,
            Some("") => Some(Vec::new()),
            Some(list) => Some(Listener::parse_list(list)?),
        };
        config.tls = tls(raw, &config.listeners, "listeners.https.")?;
        let admin = config.admin_listeners.as_deref().unwrap_or_default();
        config.admin_tls = tls(raw, admin, "admin.listeners.https.")?;
        config.cors = Cors::new(text("access.control.allow.origin"), text("access.control.allow.methods"));
        config.headers = ResponseHeaders::parse(text("response.http.headers.config"))?;
        config.max_body = match text(MAX_REQUEST_BYTES) {
            "" if config.as_connect => MAX_BODY_AS_CONNECT,
            "" => MAX_BODY,
            given => given.parse().map_err(|_| RestError::MaxRequestBytes)?,
        };
        config.auth = extensions(raw, config.as_connect)?;
        Ok(config)
    }
}

/// The settings of a kind of listeners: those with the prefix if there is any, else the worker's own
/// (`AbstractConfig.valuesWithPrefixAllOrNothing`).
fn tls(
    worker: &BTreeMap<String, String>,
    listeners: &[Listener],
    prefix: &str,
) -> Result<Option<TlsServer>, RestError> {
    let Some(listener) = listeners.iter().find(|listener| listener.scheme() == Scheme::Https) else {
        return Ok(None);
    };
    let with = |prefix: &str| -> BTreeMap<String, String> {
        let keys = worker.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value)));
        let keys = keys.filter(|(key, _)| key.starts_with("ssl."));
        keys.map(|(key, value)| (key.to_owned(), value.clone())).collect()
    };
    let own = with(prefix);
    let settings = if own.is_empty() { with("") } else { own };
    match TlsServer::load(&settings) {
        Ok(server) => Ok(Some(server)),
        Err(error) => {
            let listener = listener.clone();
            Err(RestError::Tls { listener, prefix: prefix.to_owned(), reason: error.to_string() })
        }
    }
}

fn extensions(worker: &BTreeMap<String, String>, as_connect: bool) -> Result<Option<BasicAuth>, RestError> {
    let classes = worker.get("rest.extension.classes").map_or("", String::as_str).split(',').map(str::trim);
    let mut auth = None;
    for class in classes.filter(|class| !class.is_empty()) {
        if class != basic_auth::CLASS && class != "BasicAuthSecurityRestExtension" {
            return Err(RestError::Extension { class: class.to_owned() });
        }
        let file = worker.get(LOGIN_CONFIG).cloned().or_else(login_config_of_java);
        auth = Some(BasicAuth::load(file.as_deref(), as_connect)?);
    }
    Ok(auth)
}

/// The JAAS file as it is given to Java workers: in `KAFKA_OPTS`.
fn login_config_of_java() -> Option<String> {
    let options = std::env::var("KAFKA_OPTS").ok()?;
    let file =
        options.split_whitespace().find_map(|o| o.strip_prefix("-Djava.security.auth.login.config="))?;
    Some(file.trim_matches(['"', '\'']).trim_start_matches('=').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(extra: &[(&str, &str)]) -> Result<RestConfig, String> {
        let base = [("key.converter", "K"), ("value.converter", "V")];
        let raw = base.iter().chain(extra).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        RestConfig::of(&WorkerConfig::parse(&raw).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let config = of(&[]).unwrap();
        assert_eq!(config.listeners, [Listener::new(None, 8083)]);
        assert_eq!((config.admin_listeners, config.max_body), (None, 1024 * 1024));
        assert!(config.auth.is_none() && config.cors.is_none() && config.tls.is_none());
        assert_eq!(of(&[("admin.listeners", "")]).unwrap().admin_listeners, Some(Vec::new()));
        assert_eq!(of(&[(MAX_REQUEST_BYTES, "10")]).unwrap().max_body, 10);
    }

    #[test]
    fn mistakes_name_the_key() {
        for (extra, expected) in [
            (("listeners", "https://:0"), "listeners.https.ssl.keystore.location"),
            (("admin.listeners", "https://:0"), "admin.listeners.https."),
            (("rest.extension.classes", "org.example.Own"), "org.example.Own"),
            (("rest.advertised.listener", "ftp"), "rest.advertised.listener"),
        ] {
            let error = of(&[extra]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
