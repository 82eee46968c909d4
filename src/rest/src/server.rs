//! The HTTP server: binds first, serves once there is a herder, and ends in time.
//!
//! A connection is a task of its own. It ends when the client does not send a request's head in time, and
//! at shutdown: idle ones at once, those with a request under way when it is answered or
//! [`RestConfig::shutdown_timeout`] is over. hyper holds the limit on the size of a head.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::DefaultBodyLimit;
use axum::http::header::ALLOW;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use crossdock_client::security::TlsServer;
use crossdock_runtime::Herder;
use crossdock_runtime::loggers::LogLevels;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::basic_auth::BasicAuth;
use crate::config::RestConfig;
use crate::cors::Cors;
use crate::errors::{ApiError, bare, bare_because};
use crate::listeners::{self, Advertised, Listener, Scheme};
use crate::response_headers::ResponseHeaders;
use crate::{
    RestError, connectors, internal, jetty, loggers, metrics, offsets, openapi, path, plugins, root, tasks,
    topics,
};

/// Largest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// How long a client may take for the TLS handshake, to send the head of a request, and may leave a connection idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections open at the same time, of all listeners; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1000;
/// Pause after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) herder: Arc<dyn Herder>,
    /// Whether the herder has ever passed a health check.
    pub(crate) has_answered: Arc<AtomicBool>,
    /// See [`RestConfig::as_connect`].
    pub(crate) as_connect: bool,
    /// See [`RestConfig::log_levels`].
    pub(crate) log_levels: Option<Arc<dyn LogLevels>>,
}

/// Ports that are open but not served yet. Clients that connect wait.
#[derive(Debug)]
pub struct BoundRest {
    sockets: Vec<Bound>,
    admin: Vec<Bound>,
    advertised: Advertised,
    config: RestConfig,
}

/// An open port.
#[derive(Debug)]
struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsServer>,
}

impl BoundRest {
    /// The addresses that are listened on, in the order of the listeners.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|bound| bound.address).collect()
    }

    /// The addresses of `admin.listeners`, in their order.
    pub fn admin_addrs(&self) -> Vec<SocketAddr> {
        self.admin.iter().map(|bound| bound.address).collect()
    }

    /// The address to tell others; its [`worker_id`](Advertised::worker_id) goes into statuses.
    pub fn advertised(&self) -> &Advertised {
        &self.advertised
    }

    /// Answers requests from now on, by what `herder` says. Must be called in a Tokio runtime.
    pub fn serve(self, herder: Arc<dyn Herder>) -> RestServer {
        let Self { sockets, admin, advertised, config } = self;
        let local_addrs = sockets.iter().map(|bound| bound.address).collect();
        let admin_addrs = admin.iter().map(|bound| bound.address).collect();
        let log_levels = config.log_levels.clone();
        let app = App { herder, has_answered: Arc::default(), as_connect: config.as_connect, log_levels };
        let (stop, stopped) = watch::channel(false);
        let as_connect = config.as_connect;
        let connection = |routes, filters| Connection {
            service: Service { router: finished(routes, app.clone(), config.max_body), filters, as_connect },
            stopped: stopped.clone(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            shutdown_timeout: config.shutdown_timeout,
        };
        let max_body = config.max_body;
        let (auth, cors, headers) = (config.auth.clone(), config.cors.clone(), config.headers.clone());
        let filters = Arc::new(Filters { auth, cors, headers, max_body });
        let routes = match config.admin_listeners {
            None => routes().merge(admin_routes()),
            Some(_) => routes(),
        };
        let main = connection(routes, filters);
        // As Connect: neither extensions nor rules for headers apply there.
        let bare = Filters { auth: None, cors: None, headers: ResponseHeaders::default(), max_body };
        let of_admin = connection(admin_routes(), Arc::new(bare));
        let mut acceptors = JoinSet::new();
        for (sockets, connection) in [(sockets, main), (admin, of_admin)] {
            for bound in sockets {
                acceptors.spawn(accept(bound, connection.clone()));
            }
        }
        tracing::info!(url = %advertised.url(), addresses = ?local_addrs, "REST server started");
        RestServer { local_addrs, admin_addrs, advertised, stop, acceptors }
    }
}

/// A running REST server. Dropping it closes all connections at once; [`shutdown`](Self::shutdown) lets
/// requests under way end.
#[derive(Debug)]
pub struct RestServer {
    local_addrs: Vec<SocketAddr>,
    admin_addrs: Vec<SocketAddr>,
    advertised: Advertised,
    stop: watch::Sender<bool>,
    acceptors: JoinSet<()>,
}

impl RestServer {
    /// Opens the ports without serving them yet, so that they are known before there is a herder.
    ///
    /// # Errors
    /// No listener, or one whose port cannot be opened.
    pub async fn bind(config: RestConfig) -> Result<BoundRest, RestError> {
        let sockets = open(&config.listeners, config.tls.as_ref()).await?;
        let admin = config.admin_listeners.as_deref().unwrap_or_default();
        let admin = open(admin, config.admin_tls.as_ref()).await?;
        let has = |scheme: Scheme| config.listeners.iter().any(|listener| listener.scheme() == scheme);
        let default = if has(Scheme::Http) { Scheme::Http } else { Scheme::Https };
        let scheme = config.advertised_scheme.unwrap_or(default);
        let mut pairs = config.listeners.iter().zip(&sockets);
        let told = pairs.clone().find(|(listener, _)| listener.scheme() == scheme).or_else(|| pairs.next());
        let (listener, bound) = told.ok_or(RestError::NoListener)?;
        let (host, port) = (config.advertised_host.as_deref(), config.advertised_port);
        let advertised = Advertised { scheme, ..listeners::advertised(listener, bound.address, host, port) };
        Ok(BoundRest { sockets, admin, advertised, config })
    }

    /// [`bind`](Self::bind) and [`serve`](BoundRest::serve).
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn start(config: RestConfig, herder: Arc<dyn Herder>) -> Result<Self, RestError> {
        Ok(Self::bind(config).await?.serve(herder))
    }

    /// The addresses that are listened on, in the order of the listeners.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The addresses of `admin.listeners`, in their order.
    pub fn admin_addrs(&self) -> &[SocketAddr] {
        &self.admin_addrs
    }

    /// The URL to tell others, `http://host:port/`.
    pub fn advertised_url(&self) -> String {
        self.advertised.url()
    }

    /// Stops listening, lets requests under way end for at most the shutdown timeout, then closes their
    /// connections. Cancelling this closes all at once.
    pub async fn shutdown(mut self) {
        // No receiver is left if every acceptor has ended; then there is nothing to tell.
        let _ = self.stop.send(true);
        while self.acceptors.join_next().await.is_some() {}
        tracing::info!("REST server stopped");
    }
}

async fn open(listeners: &[Listener], tls: Option<&TlsServer>) -> Result<Vec<Bound>, RestError> {
    let mut opened = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let tls = match (listener.scheme(), tls) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Some(tls)) => Some(tls.clone()),
            (Scheme::Https, None) => return Err(RestError::NoTls { listener: listener.clone() }),
        };
        let socket = listener.bind().await?;
        let address = socket.local_addr().map_err(|source| RestError::Bind {
            listener: listener.clone(),
            advice: "check host and port in listeners",
            source,
        })?;
        opened.push(Bound { socket, address, tls });
    }
    Ok(opened)
}

/// What everybody may ask.
fn routes() -> Router<App> {
    Router::new()
        .merge(root::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(connectors::routes())
        .merge(tasks::routes())
        .merge(internal::routes())
        .merge(plugins::routes())
        .merge(offsets::routes())
        .merge(topics::routes())
}

/// What is for operators: below `/admin`.
fn admin_routes() -> Router<App> {
    Router::new().merge(loggers::routes())
}

/// All that there is.
#[cfg(test)]
pub(crate) fn all_routes() -> Router<App> {
    routes().merge(admin_routes())
}

fn finished(routes: Router<App>, app: App, max_body: u64) -> Router {
    routes
        .fallback(|| async { bare(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(usize::try_from(max_body).unwrap_or(usize::MAX)))
        .with_state(app)
}

/// Marks requests that are to be answered as Connect does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsConnect;

/// Answers requests.
#[derive(Clone)]
struct Service {
    router: Router,
    filters: Arc<Filters>,
    as_connect: bool,
}

/// What is done before and after the router.
struct Filters {
    auth: Option<BasicAuth>,
    cors: Option<Cors>,
    headers: ResponseHeaders,
    max_body: u64,
}

/// What each connection needs.
#[derive(Clone)]
struct Connection {
    service: Service,
    stopped: watch::Receiver<bool>,
    permits: Arc<Semaphore>,
    shutdown_timeout: Duration,
}

async fn accept(bound: Bound, connection: Connection) {
    let Bound { socket, address, tls } = bound;
    let mut stopped = connection.stopped.clone();
    let mut open = JoinSet::new();
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = connection.permits.clone().acquire_owned().await.ok();
            (socket.accept().await, permit)
        };
        tokio::select! {
            () = told_to_stop(&mut stopped) => break,
            Some(_) = open.join_next() => {}
            (accepted, permit) = next => match accepted {
                Ok((stream, _)) => {
                    let (connection, tls) = (connection.clone(), tls.clone());
                    open.spawn(async move {
                        match tls {
                            None => connection.run(stream).await,
                            Some(tls) => connection.run_tls(&tls, stream).await,
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%address, %error, "cannot accept a REST connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    while open.join_next().await.is_some() {}
}

/// Ends when the server is shut down or dropped.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

impl Connection {
    async fn run_tls(mut self, tls: &TlsServer, stream: TcpStream) {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)) => shaken,
            () = told_to_stop(&mut self.stopped) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.run(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a REST client could not agree on TLS"),
            Err(_) => tracing::debug!("a REST client took too long for the TLS handshake"),
        }
    }

    async fn run(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = self.service;
        let service = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(handle(service, request.map(Body::new)).await) }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = told_to_stop(&mut self.stopped) => {
                serving.as_mut().graceful_shutdown();
                match tokio::time::timeout(self.shutdown_timeout, serving).await {
                    Ok(ended) => ended,
                    Err(_) => return tracing::warn!("closed a REST connection with a request under way"),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a REST connection ended early");
        }
    }
}

/// One request, whatever happens.
async fn handle(service: Service, request: Request<Body>) -> Response {
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let answered = AssertUnwindSafe(route(service, request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!(%method, path = uri.path(), "a REST request made its handler panic; please report it");
        ApiError::internal("Internal error of the worker; its log says more").into_response()
    });
    let millis = started.elapsed().as_millis() as u64;
    tracing::debug!(%method, path = uri.path(), status = response.status().as_u16(), millis, "REST request");
    response
}

async fn route(service: Service, mut request: Request<Body>) -> Response {
    let Service { router, filters, as_connect } = service;
    if as_connect {
        // Before all filters, as there.
        if let Some(refusal) = jetty::refusal(&request) {
            return refusal;
        }
        request.extensions_mut().insert(AsConnect);
    }
    let cross = filters.cors.as_ref().map(|cors| cors.answer(request.method(), request.headers()));
    let mut response = match filters.refusal(&mut request) {
        Some(refusal) => refusal,
        None => routed(router, request).await,
    };
    filters.headers.apply(response.headers_mut());
    response.headers_mut().extend(cross.unwrap_or_default());
    response
}

impl Filters {
    /// Makes a request ready; gives the answer to one that goes no further.
    fn refusal(&self, request: &mut Request<Body>) -> Option<Response> {
        let max_body = self.max_body;
        if request.body().size_hint().lower() > max_body {
            let message = format!("The body of a request may have at most {max_body} bytes");
            return Some(bare_because(StatusCode::PAYLOAD_TOO_LARGE, &message));
        }
        match path::normalized(request.uri()) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(message) => return Some(bare_because(StatusCode::BAD_REQUEST, message)),
        }
        self.auth.as_ref()?.refusal(request.method(), request.uri().path(), request.headers())
    }
}

async fn routed(router: Router, request: Request<Body>) -> Response {
    let mut response = match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // axum lists the methods; Connect does not, and only OPTIONS has an order to keep.
        response.headers_mut().remove(ALLOW);
    }
    response
}
