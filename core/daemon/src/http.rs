//! The small HTTP server of a daemon: `/metrics`, `/healthz`, `/readyz`, and routes of the caller.
//!
//! It has no authentication and no TLS, so it listens on the loopback address unless the operator says otherwise.

use crate::{
    health::Health,
    metrics::Metrics,
    tasks::{Stop, Supervisor},
};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use thiserror::Error;
use tokio::net::TcpListener;

/// Where a daemon listens when nothing is configured: the loopback address, any free port.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server that is bound and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

/// Why the server could not listen.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the system answered.
    pub source: io::Error,
}

#[derive(Debug, Clone)]
struct Boards {
    metrics: Metrics,
    health: Health,
}

impl Server {
    /// Binds `address` (port 0 for any free one) and serves the boards and `extra` on it once [`Server::run`] runs.
    ///
    /// `extra` must not have a route of ours, or axum panics at this call.
    ///
    /// # Errors
    /// [`ListenError`] when the address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        metrics: Metrics,
        health: Health,
        extra: Router,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/metrics", get(show_metrics))
            .route("/healthz", get(show_alive))
            .route("/readyz", get(show_ready))
            .with_state(Boards { metrics, health })
            .merge(extra);
        Ok(Self { listener, address, router })
    }

    /// The address it is bound to, with the port chosen by the system.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests as a task of `tasks`; when told to stop, finishes those under way.
    pub fn supervise(self, tasks: &mut Supervisor) {
        let Self { listener, address, router } = self;
        let mut bound = Some(listener);
        tasks.spawn("http", move |stop| {
            let (bound, router) = (bound.take(), router.clone());
            async move {
                let listener = match bound {
                    Some(listener) => listener,
                    // An earlier run failed and took its listener along.
                    None => TcpListener::bind(address).await?,
                };
                Ok(serve(listener, router, stop).await?)
            }
        });
    }

    /// Answers requests until `stop`, then finishes those under way.
    ///
    /// # Errors
    /// [`io::Error`] when accepting connections fails for good.
    pub async fn run(self, stop: Stop) -> io::Result<()> {
        serve(self.listener, self.router, stop).await
    }
}

async fn serve(listener: TcpListener, router: Router, mut stop: Stop) -> io::Result<()> {
    let until = async move { stop.stopped().await };
    axum::serve(listener, router).with_graceful_shutdown(until).await
}

/// Why a running daemon could not be asked.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody answers there.
    #[error("no daemon answers on {url}; is it running, and is this its listen address?")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// What the connection said.
        source: bitreq::Error,
    },
    /// Somebody answers, but not with what a daemon of this workspace says.
    #[error("{url} answers something else than a daemon's status")]
    NotADaemon {
        /// What was asked.
        url: String,
    },
}

/// Asks a running daemon for one of its JSON pages, such as `/status`. Blocks for at most five seconds.
///
/// # Errors
/// [`AskError`].
pub fn fetch_json(address: SocketAddr, path: &str) -> Result<serde_json::Value, AskError> {
    const TIMEOUT: Duration = Duration::from_secs(5);
    const MAX_BODY: usize = 16 * 1024 * 1024;
    let url = format!("http://{address}{path}");
    let response = bitreq::get(&url)
        .with_timeout(TIMEOUT)
        .with_max_body_size(MAX_BODY)
        .send()
        .map_err(|source| AskError::NoAnswer { url: url.clone(), source })?;
    serde_json::from_slice(response.as_bytes()).map_err(|_| AskError::NotADaemon { url })
}

async fn show_metrics(State(boards): State<Boards>) -> Response {
    match boards.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn show_alive(State(boards): State<Boards>) -> Response {
    let report = boards.health.report();
    (status(report.alive), Json(report)).into_response()
}

async fn show_ready(State(boards): State<Boards>) -> Response {
    let report = boards.health.report();
    (status(report.ready), Json(report)).into_response()
}

fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entropy::SeededEntropy,
        tasks::{Ended, Outcome, StopSource},
    };
    use std::{sync::Arc, time::Duration};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    async fn fetch(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_health_and_the_callers_routes_are_served_until_stopped() {
        let (metrics, health, stop) = (Metrics::new("p"), Health::new(), StopSource::new());
        metrics.counter("votes_total", "Votes.").unwrap().inc();
        let check = health.check("chain");
        let extra = Router::new().route("/status", get(|| async { Json(serde_json::json!({"height": 7})) }));
        let server = Server::bind(DEFAULT_LISTEN, metrics, health.clone(), extra).await.unwrap();
        let address = server.address();
        assert!(address.ip().is_loopback() && address.port() != 0);
        let running = tokio::spawn(server.run(stop.stop()));

        assert!(fetch(address, "/metrics").await.contains("p_votes_total 1"));
        assert!(fetch(address, "/status").await.ends_with("{\"height\":7}"));
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        check.ok();
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        check.failed("given up");
        let answer = fetch(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("given up"), "{answer}");

        stop.trigger();
        running.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_supervised_server_ends_with_its_supervisor() {
        let health = Health::new();
        let mut tasks = Supervisor::new(health.clone(), Arc::new(SeededEntropy::new(1)));
        let server = Server::bind(DEFAULT_LISTEN, Metrics::new("p"), health, Router::new()).await.unwrap();
        let address = server.address();
        server.supervise(&mut tasks);
        let stop = tasks.stop_source();
        let running = tokio::spawn(tasks.run(Duration::from_secs(20)));
        assert!(fetch(address, "/readyz").await.contains("\"task.http\":{\"state\":\"ok\"}"));
        stop.trigger();
        let ended = running.await.unwrap().unwrap();
        assert_eq!(ended, Ended { outcome: Outcome::Stopped, cut_off: vec![] });
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = TcpListener::bind(DEFAULT_LISTEN).await.unwrap().local_addr().unwrap();
        let holder = TcpListener::bind(taken).await.unwrap();
        let bound = Server::bind(taken, Metrics::new("p"), Health::new(), Router::new()).await;
        assert!(bound.unwrap_err().to_string().contains(&taken.to_string()));
        drop(holder);
    }
}
