//! The metrics over HTTP: `/metrics`, and `/healthz` and `/readyz` for kubelet.

use core::convert::Infallible;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Observer;
use crate::output::{Exit, Failure};

/// What Prometheus asks for by this name.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long a client has for the header of a request, and how long a connection may be idle between two.
const HEADER: Duration = Duration::from_secs(10);
/// How long a connection may live. Prometheus scrapes for 10 s by default, and opens a new one where its old one is closed.
const CONNECTION: Duration = Duration::from_mins(1);
/// How many connections there are at once. More wait. Prometheus and kubelet need three.
const CONNECTIONS: usize = 64;
/// How much of a header is kept.
const HEADER_BYTES: usize = 16 * 1024;
/// The pause after a connection that could not be accepted, for example because too many files are open.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes the address. The error is one line.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure {
        line: format!("--metrics-address {address} cannot be used: {error}. Name another address, such as 0.0.0.0:9091"),
        exit: Exit::Usage,
    })
}

/// Answers, for good. `is_ready` is the answer of `/readyz`. `now` is the time by the cluster's clock.
pub async fn serve(
    listener: TcpListener,
    observer: Arc<Observer>,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
    now: impl Fn() -> Timestamp + Clone + Send + Sync + 'static,
) -> Infallible {
    let metrics = move || {
        let text = observer.text(now());
        async { ([(CONTENT_TYPE, OPEN_METRICS)], text) }
    };
    let ready = move || {
        let answer = if is_ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") };
        async move { answer }
    };
    let router =
        Router::new().route("/metrics", get(metrics)).route("/healthz", get(async || "ok\n")).route("/readyz", get(ready));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let place = places.clone().acquire_owned().await.ok();
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADER).max_buf_size(HEADER_BYTES);
            // What goes wrong on a connection is the client's matter.
            let _ = timeout(CONNECTION, server.serve_connection(TokioIo::new(stream), service)).await;
            drop(place);
        });
    }
}
