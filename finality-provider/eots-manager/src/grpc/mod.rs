//! gRPC over HTTP/2, in both directions.
//!
//! Messages are at most 16 MiB, a call takes at most a minute, and [`MAX_CALLS`] are worked on at a time over all doors:
//! the next waits for a place, inside its minute. A call that was begun is finished even if its caller is gone, and keeps
//! its place until then. There is no reflection and no compression.

// tonic's status is large, and its traits want it as it is.
#![allow(clippy::result_large_err)]

pub mod client;

use crate::{
    channel::{Door, Guard, Listener},
    service::{Call, Method, Refusal, Service},
};
use axum::{
    Router,
    body::Body,
    extract::{Request as HttpRequest, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response as HttpResponse},
};
use btc_staking_daemon::{
    clock::Clock,
    grpc::RawCodec,
    tasks::{Stop, TaskError},
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};
use tonic::{
    Request, Response, Status,
    metadata::{MetadataMap, MetadataValue},
    server::UnaryService,
};
use zeroize::Zeroizing;

/// Largest message, in both directions.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Calls worked on at a time, over all doors.
pub const MAX_CALLS: usize = 32;
/// Longest time for a call, waiting included.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The service and what limits it, shared by all doors.
pub struct Server {
    service: Arc<Service>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    /// The first reason to stop.
    fatal: watch::Sender<Option<String>>,
}

#[derive(Clone)]
struct Entrance {
    server: Arc<Server>,
    guard: Guard,
}

impl Server {
    /// Offers a service.
    pub fn new(service: Arc<Service>, clock: Arc<dyn Clock>) -> Self {
        let places = Arc::new(Semaphore::new(MAX_CALLS));
        Self { service, clock, places, fatal: watch::Sender::new(None) }
    }

    /// Serves at a door until told to stop.
    ///
    /// # Errors
    /// [`TaskError::Fatal`] when a sign record could not be made durable or the machine computes wrongly: the process
    /// must end.
    pub async fn serve(self: Arc<Self>, door: Door, mut stop: Stop) -> Result<(), TaskError> {
        let mut fatal = self.fatal.subscribe();
        let router = Router::new()
            .fallback(answer)
            .with_state(Entrance { server: Arc::clone(&self), guard: door.guard });
        let until = async move { stop.stopped().await };
        let serving = async {
            match door.listener {
                Listener::Unix(socket) => axum::serve(socket, router).with_graceful_shutdown(until).await,
                Listener::Tls(listener) => axum::serve(listener, router).with_graceful_shutdown(until).await,
                Listener::Tcp(listener) => axum::serve(listener, router).with_graceful_shutdown(until).await,
            }
        };
        tokio::select! {
            served = serving => served.map_err(TaskError::fatal),
            reason = fatal.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                Err(TaskError::fatal(reason))
            }
        }
    }
}

async fn answer(State(entrance): State<Entrance>, request: HttpRequest) -> HttpResponse {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/grpc") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "this door speaks gRPC").into_response();
    }
    let late =
        || Status::deadline_exceeded("the signer is too busy, or the request took too long").into_http();
    let announcement = entrance.guard.announcement();
    let path = request.uri().path().to_owned();
    let handled = async {
        // The semaphore is never closed; a place is held from before the body is read.
        let Ok(place) = Arc::clone(&entrance.server.places).acquire_owned().await else { return late() };
        let handler = Handler { entrance, path, place: Some(Arc::new(place)) };
        let mut grpc = tonic::server::Grpc::new(RawCodec)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        grpc.unary(handler, request).await.map(Body::new)
    };
    let mut response = tokio::time::timeout(DEADLINE, handled).await.unwrap_or_else(|_| late());
    if let Some((name, value)) = announcement.and_then(|(name, text)| Some((name, text.parse().ok()?))) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// One call.
struct Handler {
    entrance: Entrance,
    path: String,
    place: Option<Arc<tokio::sync::OwnedSemaphorePermit>>,
}

impl UnaryService<Vec<u8>> for Handler {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let (entrance, path) = (self.entrance.clone(), std::mem::take(&mut self.path));
        let place = self.place.clone();
        let (metadata, _, body) = request.into_parts();
        // It may hold a passphrase.
        let body = Zeroizing::new(body);
        // Off the async threads, since it computes and waits for the disk.
        let work = tokio::task::spawn_blocking(move || {
            let answer = entrance.run(&path, &metadata, &body);
            drop(place);
            answer
        });
        Box::pin(async move {
            match work.await {
                Ok(answer) => Ok(Response::new(answer?)),
                // The records refuse to go on after a panic that may have left them half written.
                Err(_) => Err(Status::internal("the signer failed, see its log")),
            }
        })
    }
}

impl Entrance {
    fn run(&self, path: &str, metadata: &MetadataMap, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let server = &self.server;
        let method = Method::of_path(path)?;
        let call = Call::decode(method, body)?;
        self.guard.check(method, metadata, body, &call, server.clock.as_ref()).inspect_err(|refusal| {
            tracing::warn!(?method, reason = %refusal.message, "caller not known");
        })?;
        server.service.answer(&call, self.guard.origin()).inspect_err(|refusal| {
            if refusal.fatal {
                tracing::error!(?method, reason = %refusal.message, "the signer must stop");
                server.fatal.send_replace(Some(refusal.message.clone()));
            } else {
                tracing::warn!(?method, code = ?refusal.code, reason = %refusal.message, "call refused");
            }
        })
    }
}

/// Metadata from text that is known to be ASCII; anything else is a bug that shows as a missing header.
fn ascii(text: &str) -> Option<MetadataValue<tonic::metadata::Ascii>> {
    text.parse().ok()
}
