//! gRPC over HTTP/2: every query of the application by its method path, and what the SDK's own services answer from
//! blocks and mempool (`wire.md` 5, 5.8).
//!
//! The application's queries are routed by path with their bytes as they are, so this door knows no message of theirs.
//! `x-cosmos-block-height` pins a height and comes back with the height that was read. There is no TLS, no reflection
//! and no compression. Requests are bounded in size and in how many are answered at a time.

// tonic's status is large, and its traits want it as it is.
#![allow(clippy::result_large_err)]

mod services;
mod status;

use crate::{
    app::{QueryInput, QueryOutput},
    node::{core::Core, told_to_stop},
};
use axum::{
    Router,
    body::Body,
    extract::{Request as HttpRequest, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response as HttpResponse},
};
use btc_staking_daemon::grpc::RawCodec;
use std::{pin::Pin, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tonic::{Request, Response, Status, metadata::MetadataMap, server::UnaryService};

/// Largest request; the largest transaction fits four times.
const MAX_REQUEST: usize = 4 * 1024 * 1024;
/// Largest answer.
const MAX_ANSWER: usize = 256 * 1024 * 1024;
/// Requests answered at a time.
const MAX_CALLS: usize = 64;
/// Metadata that pins a height.
const HEIGHT: &str = "x-cosmos-block-height";

#[derive(Clone)]
struct Door {
    core: Arc<Core>,
    places: Arc<Semaphore>,
}

/// Serves until told to stop.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let door = Door { core, places: Arc::new(Semaphore::new(MAX_CALLS)) };
    let router = Router::new().fallback(answer).with_state(door);
    let shutdown = async move { told_to_stop(&mut stopped).await };
    if let Err(err) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
        tracing::error!(%err, "grpc server ended badly");
    }
}

async fn answer(State(door): State<Door>, request: HttpRequest) -> HttpResponse {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/grpc") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "this port speaks gRPC").into_response();
    }
    // The semaphore is never closed.
    let _place = door.places.acquire().await;
    let call = Call { core: Arc::clone(&door.core), path: request.uri().path().to_owned() };
    let mut grpc = tonic::server::Grpc::new(RawCodec)
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(MAX_ANSWER);
    grpc.unary(call, request).await.map(Body::new)
}

/// One call of a method.
struct Call {
    core: Arc<Core>,
    path: String,
}

impl UnaryService<Vec<u8>> for Call {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let (core, path) = (Arc::clone(&self.core), std::mem::take(&mut self.path));
        let (metadata, _, data) = request.into_parts();
        // Off the async threads, since it may read the disk and wait for a block.
        let run = move || run(&core, &path, &metadata, &data);
        Box::pin(async move {
            tokio::task::spawn_blocking(run)
                .await
                .unwrap_or_else(|err| Err(Status::internal(err.to_string())))
        })
    }
}

fn run(core: &Core, path: &str, metadata: &MetadataMap, data: &[u8]) -> Result<Response<Vec<u8>>, Status> {
    if let Some(answer) = services::answer(core, path, data) {
        return answer.map(Response::new);
    }
    let height = asked_height(metadata)?;
    let QueryOutput { answer, height } = core
        .query(QueryInput { path, data, height })
        .map_err(|broken| Status::internal(broken.to_string()))?;
    let mut response = Response::new(answer.map_err(|refusal| status::of(refusal, path))?);
    response.metadata_mut().insert(HEIGHT, height.into());
    Ok(response)
}

/// The height the caller pins; 0 for the latest.
fn asked_height(metadata: &MetadataMap) -> Result<u64, Status> {
    let Some(value) = metadata.get(HEIGHT) else { return Ok(0) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| {
        Status::invalid_argument(format!("baseapp: invalid height header {HEIGHT:?}: {value:?}"))
    })
}
