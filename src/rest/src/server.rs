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
use crossdock_runtime::Herder;
use crossdock_runtime::loggers::LogLevels;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::errors::{ApiError, bare, bare_because};
use crate::listeners::{self, Advertised, Listener};
use crate::{RestError, connectors, internal, jetty, loggers, offsets, path, plugins, root, tasks, topics};

/// Largest body of a request.
const MAX_BODY: u64 = 1024 * 1024;
/// The same in strict mode: Connect takes what fits into its memory.
const MAX_BODY_AS_CONNECT: u64 = 64 * 1024 * 1024;
/// Largest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// How long a client may take to send the head of a request, and may leave a connection idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections open at the same time, of all listeners; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1000;
/// Pause after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where and how to serve.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestConfig {
    /// Where to listen (`listeners`); at least one.
    pub listeners: Vec<Listener>,
    /// Host to tell others (`rest.advertised.host.name`).
    pub advertised_host: Option<String>,
    /// Port to tell others (`rest.advertised.port`).
    pub advertised_port: Option<u16>,
    /// How long requests under way may take once the server is told to end.
    pub shutdown_timeout: Duration,
    /// Whether to answer as Connect also where it takes the caller's mistake for its own
    /// (`crossdock.compatibility=strict`).
    pub as_connect: bool,
    /// The levels of the program's loggers, if the REST API may change them.
    pub log_levels: Option<Arc<dyn LogLevels>>,
}

impl RestConfig {
    /// Serves on these listeners, otherwise with the defaults.
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners,
            advertised_host: None,
            advertised_port: None,
            shutdown_timeout: Duration::from_secs(5),
            as_connect: false,
            log_levels: None,
        }
    }
}

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
    sockets: Vec<(TcpListener, SocketAddr)>,
    advertised: Advertised,
    shutdown_timeout: Duration,
    as_connect: bool,
    log_levels: Option<Arc<dyn LogLevels>>,
}

impl BoundRest {
    /// The addresses that are listened on, in the order of the listeners.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(_, address)| *address).collect()
    }

    /// The address to tell others; its [`worker_id`](Advertised::worker_id) goes into statuses.
    pub fn advertised(&self) -> &Advertised {
        &self.advertised
    }

    /// Answers requests from now on, by what `herder` says. Must be called in a Tokio runtime.
    pub fn serve(self, herder: Arc<dyn Herder>) -> RestServer {
        let local_addrs = self.local_addrs();
        let app = App {
            herder,
            has_answered: Arc::default(),
            as_connect: self.as_connect,
            log_levels: self.log_levels,
        };
        let (stop, stopped) = watch::channel(false);
        let as_connect = self.as_connect;
        let connection = Connection {
            service: Service { router: router(app), as_connect },
            stopped,
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            shutdown_timeout: self.shutdown_timeout,
        };
        let mut acceptors = JoinSet::new();
        for (socket, address) in self.sockets {
            acceptors.spawn(accept(socket, address, connection.clone()));
        }
        tracing::info!(url = %self.advertised.url(), addresses = ?local_addrs, "REST server started");
        RestServer { local_addrs, advertised: self.advertised, stop, acceptors }
    }
}

/// A running REST server. Dropping it closes all connections at once; [`shutdown`](Self::shutdown) lets
/// requests under way end.
#[derive(Debug)]
pub struct RestServer {
    local_addrs: Vec<SocketAddr>,
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
        let mut sockets = Vec::with_capacity(config.listeners.len());
        let mut first = None;
        for listener in &config.listeners {
            let socket = listener.bind().await?;
            let local = socket.local_addr().map_err(|source| RestError::Bind {
                listener: listener.clone(),
                advice: "check host and port in listeners",
                source,
            })?;
            first.get_or_insert((listener, local));
            sockets.push((socket, local));
        }
        let (listener, local) = first.ok_or(RestError::NoListener)?;
        let (host, port) = (config.advertised_host.as_deref(), config.advertised_port);
        let advertised = listeners::advertised(listener, local, host, port);
        Ok(BoundRest {
            sockets,
            advertised,
            shutdown_timeout: config.shutdown_timeout,
            as_connect: config.as_connect,
            log_levels: config.log_levels,
        })
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

fn router(app: App) -> Router {
    Router::new()
        .merge(root::routes())
        .merge(connectors::routes())
        .merge(tasks::routes())
        .merge(internal::routes())
        .merge(plugins::routes())
        .merge(offsets::routes())
        .merge(topics::routes())
        .merge(loggers::routes())
        .fallback(|| async { bare(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(max_body(app.as_connect) as usize))
        .with_state(app)
}

fn max_body(as_connect: bool) -> u64 {
    if as_connect { MAX_BODY_AS_CONNECT } else { MAX_BODY }
}

/// Marks requests that are to be answered as Connect does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsConnect;

/// What answers requests.
#[derive(Clone)]
struct Service {
    router: Router,
    as_connect: bool,
}

/// What each connection needs.
#[derive(Clone)]
struct Connection {
    service: Service,
    stopped: watch::Receiver<bool>,
    permits: Arc<Semaphore>,
    shutdown_timeout: Duration,
}

async fn accept(socket: TcpListener, address: SocketAddr, connection: Connection) {
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
                    let connection = connection.clone();
                    open.spawn(async move {
                        connection.run(stream).await;
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
    async fn run(mut self, stream: TcpStream) {
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
    let Service { router, as_connect } = service;
    let most = max_body(as_connect);
    if request.body().size_hint().lower() > most {
        let message = format!("The body of a request may have at most {most} bytes");
        return bare_because(StatusCode::PAYLOAD_TOO_LARGE, &message);
    }
    if as_connect {
        if let Some(refusal) = jetty::refusal(&request) {
            return refusal;
        }
        request.extensions_mut().insert(AsConnect);
    }
    match path::normalized(request.uri()) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(message) => return bare_because(StatusCode::BAD_REQUEST, message),
    }
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
