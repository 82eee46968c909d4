//! Client credentials, exchanged for a token at the identity provider (RFC 6749, section 4.4), as Kafka's
//! `ClientCredentialsJwtRetriever` does.

use super::super::super::Secret;
use super::super::super::jaas::Jaas;
use super::super::super::tls::{HandshakeError, TlsClient};
use super::{LoginError, OAuthSettings, URL_KEY, endpoint_tls};
use crate::backoff::Backoff;
use crate::config::invalid;
use crate::error::ConfigError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A token has a few kilobytes.
const MAX_BODY_LEN: usize = 1 << 20;
/// What `java.net.URLEncoder` leaves as it is, beside letters and digits.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'*').remove(b'_').remove(b'-');

/// Where to ask, and with what.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    /// An IPv6 address is without its brackets.
    host: String,
    port: u16,
    target: Uri,
    authorization: Secret,
    body: String,
    tls: Option<TlsClient>,
    connect_timeout: Duration,
    read_timeout: Duration,
    retry_backoff: Duration,
    retry_for: Duration,
}

/// Why one request failed, and whether another may succeed.
struct Failed {
    reason: String,
    is_transient: bool,
}

fn transient(reason: impl Into<String>) -> Failed {
    Failed { reason: reason.into(), is_transient: true }
}

impl Endpoint {
    pub(super) fn new(url: &str, settings: &OAuthSettings, jaas: &Jaas) -> Result<Self, ConfigError> {
        if has_user(url) {
            // Java ignores them; and they would be shown with the URL.
            let reason = "a user and password in the URL are not sent; remove them, and set \
                          sasl.oauthbearer.client.credentials.client.id and client.secret";
            return Err(invalid(URL_KEY, "[hidden]", reason));
        }
        let uri: Uri = url.parse().map_err(|_| invalid(URL_KEY, url, "it is no URL"))?;
        let (is_tls, default_port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => {
                let reason = "only \"http\", \"https\", and \"file\" protocol are supported";
                return Err(invalid(URL_KEY, url, reason));
            }
        };
        let host = uri.host().ok_or_else(|| invalid(URL_KEY, url, "it has no host"))?;
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let target = path.parse().map_err(|_| invalid(URL_KEY, url, "its path cannot be read"))?;
        let encodes = match settings.url_encodes_header.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let reason = "Expected value to be either true or false";
                return Err(invalid("sasl.oauthbearer.header.urlencode", other, reason));
            }
        };
        Ok(Self {
            url: url.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(default_port),
            target,
            authorization: authorization(settings, jaas, encodes)?,
            body: body(settings, jaas),
            tls: if is_tls { Some(endpoint_tls(jaas).load()?) } else { None },
            connect_timeout: settings.millis("sasl.login.connect.timeout.ms"),
            read_timeout: settings.millis("sasl.login.read.timeout.ms"),
            retry_backoff: settings.millis("sasl.login.retry.backoff.ms"),
            retry_for: settings.millis("sasl.login.retry.backoff.max.ms"),
        })
    }

    /// The value of the header `Host`.
    pub(super) fn host_header(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks until there is a token, the endpoint refuses, or `sasl.login.retry.backoff.max.ms` are over.
    pub(super) async fn token(&self) -> Result<String, LoginError> {
        let end = Instant::now() + self.retry_for;
        let mut backoff = Backoff::new(self.retry_backoff, self.retry_for);
        loop {
            let failed = match self.ask().await {
                Ok(token) => return Ok(token),
                Err(failed) => failed,
            };
            let next = Instant::now() + backoff.next();
            if !failed.is_transient || next >= end {
                let Failed { reason, is_transient } = failed;
                return Err(LoginError { origin: self.url.clone(), reason, is_transient });
            }
            tracing::debug!(url = self.url, reason = failed.reason, "no token yet; it is asked for again");
            tokio::time::sleep_until(next).await;
        }
    }

    async fn ask(&self) -> Result<String, Failed> {
        let late = |after: Duration| transient(format!("no answer within {} ms", after.as_millis()));
        let socket = timeout(self.connect_timeout, TcpStream::connect((self.host.as_str(), self.port)))
            .await
            .map_err(|_| late(self.connect_timeout))?
            .map_err(|error| transient(error.to_string()))?;
        let asked = async {
            match &self.tls {
                None => self.post(socket).await,
                Some(tls) => {
                    let stream = tls.handshake(&self.host, socket).await.map_err(|error| match error {
                        HandshakeError::Refused(reason) => Failed { reason, is_transient: false },
                        HandshakeError::Io(error) => transient(error.to_string()),
                    })?;
                    self.post(stream).await
                }
            }
        };
        timeout(self.read_timeout, asked).await.map_err(|_| late(self.read_timeout))?
    }

    async fn post<S>(&self, stream: S) -> Result<String, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| transient(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut authorization = header::HeaderValue::from_str(self.authorization.expose()).map_err(|_| {
            Failed { reason: "the credentials fit no header".to_owned(), is_transient: false }
        })?;
        authorization.set_sensitive(true);
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.target.clone())
            .header(header::HOST, self.host_header())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, authorization)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(self.body.clone())))
            .map_err(|error| Failed { reason: error.to_string(), is_transient: false })?;
        let answered = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BODY_LEN).collect().await;
            let body = body.map_err(|error| transient(error.to_string()))?.to_bytes();
            read_answer(status, &body)
        };
        tokio::select! {
            answer = answered => answer,
            Err(error) = connection => Err(broken(error)),
        }
    }
}

/// Whether something stands before the host; also in what is no URL.
fn has_user(url: &str) -> bool {
    let after_scheme = url.split_once("//").map_or(url, |(_, rest)| rest);
    after_scheme.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

fn read_answer(status: StatusCode, body: &[u8]) -> Result<String, Failed> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
        // Error answers hold no secrets (RFC 6749, section 5.2), but what is no error answer might.
        let error = text("error").or(text("errorCode")).unwrap_or("no error code");
        let description = text("error_description").or(text("errorSummary")).unwrap_or_default();
        let is_transient = match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => false,
            other => !other.is_client_error(),
        };
        let reason = format!(
            "the token endpoint answered {} ({error} {description}); check the client id and secret, the \
             scope, and {URL_KEY}",
            status.as_u16()
        );
        return Err(Failed { reason, is_transient });
    }
    match text("access_token").map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.to_owned()),
        None => {
            let reason = "the token endpoint's answer has no access_token".to_owned();
            Err(Failed { reason, is_transient: false })
        }
    }
}

/// Keys first, then options of `sasl.jaas.config` (deprecated in Kafka 4.1, and what most have).
fn authorization(settings: &OAuthSettings, jaas: &Jaas, encodes: bool) -> Result<Secret, ConfigError> {
    let option = |name| jaas.option(name).map(|v| v.expose().to_owned());
    let required = |key: &str, value: Option<String>, name: &str| {
        let value = value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        value.ok_or_else(|| {
            ConfigError::Invalid(format!("{key} (or {name} in sasl.jaas.config) is needed for {URL_KEY}"))
        })
    };
    let id = required(
        "sasl.oauthbearer.client.credentials.client.id",
        settings.client_id.clone().or_else(|| option("clientId")),
        "clientId",
    )?;
    let secret = required(
        "sasl.oauthbearer.client.credentials.client.secret",
        settings.client_secret.as_ref().map(|s| s.expose().to_owned()).or_else(|| option("clientSecret")),
        "clientSecret",
    )?;
    let pair = if encodes { format!("{}:{}", form(&id), form(&secret)) } else { format!("{id}:{secret}") };
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

fn body(settings: &OAuthSettings, jaas: &Jaas) -> String {
    let scope = settings.scope.as_deref().or_else(|| jaas.option("scope").map(Secret::expose));
    match scope.map(str::trim).filter(|scope| !scope.is_empty()) {
        Some(scope) => format!("grant_type=client_credentials&scope={}", form(scope)),
        None => "grant_type=client_credentials".to_owned(),
    }
}

fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace("%20", "+")
}
