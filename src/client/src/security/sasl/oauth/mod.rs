//! OAUTHBEARER: where tokens come from, and how long they are used.
//!
//! # Layout
//!
//! - [`OAuthSettings`]: the keys `sasl.oauthbearer.*` and `sasl.login.*`.
//! - [`TokenSource`]: the current token, got anew in time.
//! - `token`: what a token says of itself; `refresh`: when it is due for another.
//! - `unsecured`: tokens without a signature, made here, for tests and development.
//! - `endpoint`: client credentials, exchanged for a token over HTTP (RFC 6749, 4.4).
//!
//! A token is got when a connection needs one and none is at hand, or the one at hand is due. If no other
//! can be had then, the old one is used as long as it lives.
//!
//! # What it must never do
//!
//! Show a token or a secret in an error; ask an endpoint twice for connections that come at once.

mod endpoint;
mod refresh;
mod token;
mod unsecured;

use super::super::Secret;
use super::super::jaas::Jaas;
use super::super::tls::TlsSettings;
use crate::backoff::Rng;
use crate::config::invalid;
use crate::error::{ClientError, ConfigError};
use endpoint::Endpoint;
use refresh::Window;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use token::{ClaimNames, Token};
use unsecured::Unsecured;

const PACKAGE: &str = "org.apache.kafka.common.security.oauthbearer.";
const URL_KEY: &str = "sasl.oauthbearer.token.endpoint.url";

/// The keys of `SaslConfigs` that are about tokens, with its defaults; not acted upon yet.
#[derive(Debug, Clone)]
pub(crate) struct OAuthSettings {
    /// Hidden until it is known to hold no password.
    url: Option<Secret>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scope: Option<String>,
    retriever: Option<String>,
    assertion: Option<&'static str>,
    url_encodes_header: Option<String>,
    scope_claim: String,
    subject_claim: String,
    numbers: [f64; NUMBERS.len()],
}

/// Number keys and their defaults. Their ranges are checked by their definitions.
const NUMBERS: [(&str, f64); 8] = [
    ("sasl.login.refresh.window.factor", 0.8),
    ("sasl.login.refresh.window.jitter", 0.05),
    ("sasl.login.refresh.min.period.seconds", 60.0),
    ("sasl.login.refresh.buffer.seconds", 300.0),
    // Java waits for ever.
    ("sasl.login.connect.timeout.ms", 10_000.0),
    ("sasl.login.read.timeout.ms", 10_000.0),
    ("sasl.login.retry.backoff.ms", 100.0),
    ("sasl.login.retry.backoff.max.ms", 10_000.0),
];

impl OAuthSettings {
    pub(super) fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let text = |key| get(key).filter(|v| !v.is_empty()).map(str::to_owned);
        let assertions = ["sasl.oauthbearer.assertion.file", "sasl.oauthbearer.assertion.private.key.file"];
        Self {
            url: get(URL_KEY).filter(|v| !v.is_empty()).map(Secret::new),
            client_id: text("sasl.oauthbearer.client.credentials.client.id"),
            client_secret: get("sasl.oauthbearer.client.credentials.client.secret").map(Secret::new),
            scope: text("sasl.oauthbearer.scope"),
            retriever: text("sasl.oauthbearer.jwt.retriever.class"),
            assertion: assertions.into_iter().rfind(|key| get(key).is_some()),
            url_encodes_header: text("sasl.oauthbearer.header.urlencode"),
            scope_claim: text("sasl.oauthbearer.scope.claim.name").unwrap_or_else(|| "scope".to_owned()),
            subject_claim: text("sasl.oauthbearer.sub.claim.name").unwrap_or_else(|| "sub".to_owned()),
            numbers: NUMBERS.map(|(key, default)| get(key).and_then(|v| v.parse().ok()).unwrap_or(default)),
        }
    }

    fn number(&self, key: &str) -> f64 {
        NUMBERS.iter().zip(self.numbers).find(|((name, _), _)| *name == key).map_or(0.0, |(_, value)| value)
    }

    fn millis(&self, key: &str) -> Duration {
        Duration::from_millis(self.number(key) as u64)
    }

    fn window(&self) -> Window {
        Window {
            factor: self.number("sasl.login.refresh.window.factor"),
            jitter: self.number("sasl.login.refresh.window.jitter"),
            min_period_ms: self.number("sasl.login.refresh.min.period.seconds") as i64 * 1000,
            buffer_ms: self.number("sasl.login.refresh.buffer.seconds") as i64 * 1000,
        }
    }
}

#[derive(Debug)]
enum Origin {
    Unsecured(Unsecured),
    File(String),
    Endpoint(Box<Endpoint>),
}

/// Gives tokens; one is under way at a time.
#[derive(Debug)]
pub(super) struct TokenSource {
    origin: Origin,
    claims: ClaimNames,
    window: Window,
    extensions: Vec<(String, String)>,
    current: tokio::sync::Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    token: Arc<Token>,
    /// Milliseconds since 1970.
    refresh_at: i64,
}

/// Why there is no token.
#[derive(Debug)]
struct LoginError {
    /// Where it was looked for.
    origin: String,
    reason: String,
    /// Whether trying again may help.
    is_transient: bool,
}

impl From<LoginError> for ClientError {
    fn from(error: LoginError) -> Self {
        let LoginError { origin, reason, is_transient } = error;
        let broker = origin.into();
        if is_transient {
            let reason = format!("no token for OAUTHBEARER could be had: {reason}");
            Self::Connect { broker, source: Arc::new(io::Error::other(reason)) }
        } else {
            Self::Authentication { broker, mechanism: "OAUTHBEARER", reason }
        }
    }
}

impl TokenSource {
    /// By the settings and `sasl.jaas.config`, as Kafka's login callback handlers choose.
    pub(super) fn new(
        settings: &OAuthSettings,
        handler: Option<&str>,
        jaas: &Jaas,
    ) -> Result<Self, ConfigError> {
        let origin = origin(settings, handler, jaas)?;
        let prefix = match origin {
            Origin::Unsecured(_) => "unsecuredLoginExtension_",
            Origin::File(_) | Origin::Endpoint(_) => "extension_",
        };
        let claims = match &origin {
            Origin::Unsecured(unsecured) => unsecured.claim_names(),
            _ => ClaimNames { subject: settings.subject_claim.clone(), scope: settings.scope_claim.clone() },
        };
        let extensions = extensions(jaas, prefix)?;
        let window = settings.window();
        Ok(Self { origin, claims, window, extensions, current: tokio::sync::Mutex::default() })
    }

    /// What is sent beside the token.
    pub(super) fn extensions(&self) -> &[(String, String)] {
        &self.extensions
    }

    /// A token that is not due for another, unless one is being got at present.
    pub(super) fn at_hand(&self) -> Option<Arc<Token>> {
        let current = self.current.try_lock().ok()?;
        current.as_ref().filter(|c| now_ms() < c.refresh_at).map(|c| c.token.clone())
    }

    /// A token that is not expired. Cancel-safe.
    pub(super) async fn token(&self) -> Result<Arc<Token>, ClientError> {
        let mut current = self.current.lock().await;
        let now = now_ms();
        if let Some(known) = current.as_ref().filter(|c| now < c.refresh_at) {
            return Ok(known.token.clone());
        }
        match self.retrieve().await {
            Ok(token) => {
                let token = Arc::new(token);
                let refresh_at = self.window.refresh_at(&token, now_ms(), &mut Rng::random());
                *current = Some(Current { token: token.clone(), refresh_at });
                Ok(token)
            }
            Err(error) => match current.as_mut().filter(|c| now < c.token.expires_at()) {
                Some(known) => {
                    tracing::warn!(
                        origin = error.origin,
                        reason = error.reason,
                        "no new token could be had; the old one is used until it expires"
                    );
                    known.refresh_at = now + self.window.min_period_ms.max(1000);
                    Ok(known.token.clone())
                }
                None => Err(error.into()),
            },
        }
    }

    async fn retrieve(&self) -> Result<Token, LoginError> {
        // Whoever rotates a file may be just about to write it.
        let is_transient = matches!(self.origin, Origin::File(_));
        let failed = |origin: &str, reason| LoginError { origin: origin.to_owned(), reason, is_transient };
        let (origin, text) = match &self.origin {
            Origin::Unsecured(unsecured) => ("sasl.jaas.config", unsecured.token(now_ms())),
            Origin::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| failed(path, error.to_string()))?;
                (path.as_str(), text.trim().to_owned())
            }
            Origin::Endpoint(endpoint) => (endpoint.url(), endpoint.token().await?),
        };
        let token = Token::parse(&text, &self.claims).map_err(|reason| failed(origin, reason))?;
        if token.expires_at() <= now_ms() {
            let reason = "the token has expired already; check this host's clock, and that tokens are renewed \
                          where they come from";
            // What comes next may be newer.
            return Err(LoginError { is_transient: true, ..failed(origin, reason.to_owned()) });
        }
        Ok(token)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Kafka's own classes, by their place in its package, are known; others are Java code that cannot run here.
fn origin(settings: &OAuthSettings, handler: Option<&str>, jaas: &Jaas) -> Result<Origin, ConfigError> {
    let known =
        |class: &str, names: &[&str]| class.strip_prefix(PACKAGE).is_some_and(|name| names.contains(&name));
    let is_unsecured = match handler {
        None => settings.url.is_none() || jaas.options().any(|(name, _)| name.starts_with("unsecuredLogin")),
        Some(class) if known(class, &["internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"]) => {
            true
        }
        Some(class)
            if known(
                class,
                &["OAuthBearerLoginCallbackHandler", "secured.OAuthBearerLoginCallbackHandler"],
            ) =>
        {
            false
        }
        Some(class) => {
            let reason = "a Java class cannot be used here, except Kafka's own \
                          OAuthBearerLoginCallbackHandler and OAuthBearerUnsecuredLoginCallbackHandler";
            return Err(invalid("sasl.login.callback.handler.class", class, reason));
        }
    };
    if is_unsecured {
        return Unsecured::new(jaas).map(Origin::Unsecured);
    }
    let retrievers = ["DefaultJwtRetriever", "ClientCredentialsJwtRetriever", "FileJwtRetriever"];
    if let Some(class) = settings.retriever.as_deref().filter(|class| !known(class, &retrievers)) {
        let reason =
            "supported are Kafka's DefaultJwtRetriever, ClientCredentialsJwtRetriever and FileJwtRetriever";
        return Err(invalid("sasl.oauthbearer.jwt.retriever.class", class, reason));
    }
    if let Some(key) = settings.assertion {
        return Err(ConfigError::Invalid(format!(
            "{key}: assertions are not supported; use sasl.oauthbearer.client.credentials.client.id and \
             client.secret"
        )));
    }
    let Some(url) = settings.url.as_ref().map(Secret::expose) else {
        return Err(ConfigError::Missing { key: URL_KEY.to_owned() });
    };
    match url.strip_prefix("file:") {
        Some(path) => file(url, path),
        None => Endpoint::new(url, settings, jaas).map(|endpoint| Origin::Endpoint(Box::new(endpoint))),
    }
}

fn file(url: &str, path: &str) -> Result<Origin, ConfigError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let failed = |reason: String| ConfigError::File { key: URL_KEY.to_owned(), path: url.to_owned(), reason };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(Origin::File(path)),
        Ok(_) => Err(failed("it is not a file".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Options with the prefix, checked as `OAuthBearerClientInitialResponse.validateExtensions`.
fn extensions(jaas: &Jaas, prefix: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in jaas.options() {
        let Some(name) = name.strip_prefix(prefix) else { continue };
        let value = value.expose();
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()) && name != "auth";
        let is_value =
            !value.is_empty() && value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
        if !is_name {
            return Err(ConfigError::Invalid(format!("sasl.jaas.config: Extension name {name} is invalid")));
        }
        if !is_value {
            let text = format!("sasl.jaas.config: the value of extension {name} is invalid");
            return Err(ConfigError::Invalid(text));
        }
        found.push((name.to_owned(), value.to_owned()));
    }
    Ok(found)
}

/// TLS for an endpoint: the options `ssl.*` of `sasl.jaas.config`, as in Java.
fn endpoint_tls(jaas: &Jaas) -> TlsSettings {
    TlsSettings::read(|key| jaas.option(key).map(Secret::expose))
}

/// Reads a token of an identity provider. It is sent as it came, and an error does not quote it.
#[cfg(feature = "unstable-fuzzing")]
pub fn read_token(text: &str) {
    let names = ClaimNames { subject: "sub".to_owned(), scope: "scope".to_owned() };
    match Token::parse(text, &names) {
        Ok(token) => assert_eq!(token.value(), text),
        // A short text may stand in any sentence.
        Err(reason) => assert!(text.len() < 16 || !reason.contains(text), "{reason}"),
    }
}

#[cfg(test)]
mod tests;
