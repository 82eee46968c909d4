//! Connect's REST API over the [`Herder`](crossdock_runtime::Herder) trait.
//!
//! # Layout
//!
//! - [`config`]: [`RestConfig`], and the worker's keys that it is read from.
//! - `basic_auth`, `jaas`: who is let in; `cors`: pages of other origins; `response_headers`: headers of all answers.
//! - [`listeners`]: the `listeners` key, binding, and the address that others are told.
//! - [`server`]: [`RestServer`], which accepts connections and ends them in time.
//! - `path`: what is done to a path before it is matched: matrix parameters, trailing slash.
//! - `negotiate`: which methods, content types and answers a resource takes (405, 415, 406, OPTIONS).
//! - `errors`: the two shapes of an error's answer, and how long a herder is waited for.
//! - `bodies`: what requests bring; `json` reads it.
//! - `jetty`: what Connect's HTTP server refuses, in strict mode.
//! - `metrics`: what the worker measures, for Prometheus; `openapi`: the document that describes the API.
//! - `root`, `connectors`, `tasks`, `plugins`, `offsets`, `topics`, `loggers`, `internal`: one file a resource.
//!
//! # How data flows
//!
//! ```text
//! socket ─▶ server (hyper) ─▶ path ─▶ axum router ─▶ negotiate ─▶ resource ─▶ Herder
//!                                         │ no route: 404, no method: 405
//! ```
//!
//! Bodies, status codes, headers and texts are those of Connect 4.3.1. Paths that its server refuses
//! although the name in them is fine (`%2F`, `%25`, `%5C`) are taken.
//!
//! # What it must never do
//!
//! Keep state of connectors, do what only a herder may decide, panic on any request, or wait without
//! a limit. A client that sends slowly or too much is cut off.

mod basic_auth;
mod bodies;
pub mod config;
mod connectors;
mod cors;
mod errors;
mod internal;
mod jaas;
mod jetty;
mod json;
pub mod listeners;
mod loggers;
mod metrics;
mod negotiate;
mod offsets;
mod openapi;
mod path;
mod plugins;
mod response_headers;
mod root;
pub mod server;
mod tasks;
mod topics;

pub use config::RestConfig;
pub use listeners::{Advertised, Listener, Scheme};
pub use server::{BoundRest, RestServer};

/// Why the REST server cannot start. All of these are for the operator to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// No URL at all.
    #[error(
        "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443."
    )]
    NoListener,
    /// A comma with nothing before or after it.
    #[error("Empty URL found when parsing listeners list.")]
    EmptyListener,
    /// Not `http://host:port`.
    #[error(
        "Invalid value {listener} for configuration listeners: {reason}; write http://host:port or https://host:port, without host for all interfaces"
    )]
    Malformed {
        /// The text.
        listener: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Keys, certificates or other settings of an https listener.
    #[error(
        "listener {listener}: {reason} (as {prefix}ssl.keystore.location and so on, or without {prefix})"
    )]
    Tls {
        /// The listener.
        listener: Listener,
        /// What the keys for it begin with.
        prefix: String,
        /// What is wrong.
        reason: String,
    },
    /// An https listener without keys.
    #[error("listener {listener}: https needs a key and a certificate: set RestConfig::tls")]
    NoTls {
        /// The listener.
        listener: Listener,
    },
    /// `rest.advertised.listener`.
    #[error("rest.advertised.listener must be http or https")]
    AdvertisedListener,
    /// `response.http.headers.config`.
    #[error("Invalid value {rule} for configuration response.http.headers.config: {reason}")]
    ResponseHeaders {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `crossdock.rest.max.request.bytes`.
    #[error("crossdock.rest.max.request.bytes must be a number of bytes")]
    MaxRequestBytes,
    /// `rest.extension.classes`.
    #[error(
        "rest.extension.classes names {class}, a Java class that cannot be loaded; BasicAuthSecurityRestExtension of \
         org.apache.kafka.connect.rest.basic.auth.extension is there"
    )]
    Extension {
        /// The class.
        class: String,
    },
    /// The files of names and passwords.
    #[error("basic authentication cannot be set up: {reason}")]
    BasicAuth {
        /// What is wrong.
        reason: String,
    },
    /// Another process has the port.
    #[error(
        "listener {listener}: port {port} is in use; stop the process that has it (`ss -ltnp 'sport = :{port}'` shows it) or set another port in listeners"
    )]
    PortInUse {
        /// The listener.
        listener: Listener,
        /// Its port.
        port: u16,
    },
    /// The host is not known, is not of this machine, or binding is not allowed.
    #[error("listener {listener}: cannot listen: {source}; {advice}")]
    Bind {
        /// The listener.
        listener: Listener,
        /// What to do about it.
        advice: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}
