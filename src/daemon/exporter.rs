//! The listener that gives the metrics to those who ask. It answers nothing else.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{debug, error, info, warn};

use super::metrics::Metrics;
use crate::clock::Clock;
use crate::store::Store;

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 8;
/// How long the head of a request may take, and the whole connection.
const HEAD_TIME: Duration = Duration::from_secs(5);
const WHOLE_TIME: Duration = Duration::from_secs(15);
/// The head of a request, at most: bytes, and headers.
const LARGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// How long to wait when the system can give no connection.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// What Prometheus and others know the text by.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Exporter {
    configured: SocketAddr,
    listening: SocketAddr,
    task: JoinHandle<()>,
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Source {
    metrics: Arc<Metrics>,
    store: Arc<Store>,
    clock: Clock,
    /// Only names of this machine are answered: a web page must not read what its own name was
    /// pointed at.
    local: bool,
}

impl Exporter {
    /// Listens at `address`.
    pub(super) async fn start(
        address: SocketAddr,
        metrics: &Arc<Metrics>,
        store: &Arc<Store>,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let failed = || format!("metrics.listen: failed to listen at {address}");
        let listener = TcpListener::bind(address).await.with_context(failed)?;
        let listening = listener.local_addr().with_context(failed)?;
        let source = Source {
            metrics: metrics.clone(),
            store: store.clone(),
            clock: clock.clone(),
            local: address.ip().is_loopback(),
        };
        info!(%listening, "metrics at http://{listening}/metrics");
        let task = tokio::spawn(accept(listener, source));
        Ok(Self { configured: address, listening, task })
    }

    /// The address that the configuration named.
    pub(super) fn configured(&self) -> SocketAddr {
        self.configured
    }

    /// The address that it listens at: with the port that the system chose, where 0 was asked for.
    pub(super) fn listening(&self) -> SocketAddr {
        self.listening
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, source: Source) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                warn!("metrics: no connection can be taken: {error}");
                tokio::time::sleep(AFTER_REFUSAL).await;
                continue;
            }
        };
        let source = source.clone();
        tokio::spawn(async move {
            if tokio::time::timeout(WHOLE_TIME, serve(connection, source)).await.is_err() {
                debug!("metrics: a connection took too long");
            }
            drop(place);
        });
    }
}

async fn serve(connection: TcpStream, source: Source) {
    let service = service_fn(move |request| answer(request, source.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        debug!("metrics: {error}");
    }
}

async fn answer(
    request: Request<Incoming>,
    source: Source,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if source.local && !names_this_machine(&request) {
        return Ok(plain(StatusCode::MISDIRECTED_REQUEST, "ask for localhost or an address\n"));
    }
    if request.uri().path() != "/metrics" {
        return Ok(plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET it\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let work = tokio::task::spawn_blocking(move || {
        let now = source.clock.now();
        source.store.read(|reader| source.metrics.text(reader, now))
    });
    let why = match work.await {
        Ok(Ok(text)) => {
            let mut response = Response::new(Full::new(Bytes::from(text)));
            let kind = HeaderValue::from_static(OPEN_METRICS);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            return Ok(response);
        }
        Ok(Err(error)) => format!("{:#}", anyhow::Error::from(error)),
        Err(panic) => panic.to_string(),
    };
    error!("metrics: failed to count: {why}");
    Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "the database cannot be read; see the log\n"))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Whether a request asks for an address or for `localhost`, as nobody else's name can.
fn names_this_machine(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<hyper::http::uri::Authority>().ok())
    else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}
