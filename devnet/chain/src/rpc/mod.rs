//! CometBFT 0.38's RPC over HTTP: JSON-RPC by POST, URI calls by GET, WebSocket subscriptions.

mod about;
mod blocks;
mod error;
pub(crate) mod form;
mod methods;
mod params;
mod proof;
mod query;
mod search;
mod socket;
mod txs;

use crate::node::core::Core;
pub(crate) use about::{COMETBFT_VERSION, node_id};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
pub(crate) use form::hex_upper;

use error::RpcError;
use params::Params;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

/// Largest request body, as CometBFT's default.
const MAX_BODY: usize = 1_000_000;
/// Most calls in one batch.
const MAX_BATCH: usize = 100;

/// Serves until told to stop.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let sockets = socket::Sockets { core: Arc::clone(&core), stopped: stopped.clone() };
    let router = Router::new()
        .route("/", post(by_post))
        .route("/{method}", get(by_get))
        .with_state(core)
        .merge(Router::new().route("/websocket", get(socket::upgrade)).with_state(sockets))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    let shutdown = async move { crate::node::told_to_stop(&mut stopped).await };
    if let Err(err) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
        tracing::error!(%err, "rpc server ended badly");
    }
}

async fn by_post(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(err) => return Json(reply(Value::Null, Err(RpcError::parse(err)))).into_response(),
    };
    match request {
        Value::Array(calls) if calls.len() > MAX_BATCH => {
            let err =
                RpcError::invalid_request(format!("batch of {} calls, at most {MAX_BATCH}", calls.len()));
            Json(reply(Value::Null, Err(err))).into_response()
        }
        Value::Array(calls) => {
            let mut replies = vec![];
            for request in calls {
                replies.push(answer(&core, request).await);
            }
            Json(replies).into_response()
        }
        request => Json(answer(&core, request).await).into_response(),
    }
}

async fn by_get(
    State(core): State<Arc<Core>>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::from_uri(query.as_deref().unwrap_or_default());
    let result = call(&core, method, params).await;
    let status = if result.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, Json(reply(json!(-1), result))).into_response()
}

/// Answers one JSON-RPC request.
pub(crate) async fn answer(core: &Arc<Core>, request: Value) -> Value {
    let (id, method, params) = match split(request) {
        Ok(parts) => parts,
        Err((id, err)) => return reply(id, Err(err)),
    };
    let result = call(core, method, params).await;
    reply(id, result)
}

/// Takes a request apart into id, method and parameters.
pub(crate) fn split(mut request: Value) -> Result<(Value, String, Params), (Value, RpcError)> {
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let Some(method) = request.get("method").and_then(Value::as_str).map(str::to_owned) else {
        return Err((id, RpcError::invalid_request("request has no method")));
    };
    let params = request.get_mut("params").map(Value::take).unwrap_or(Value::Null);
    match Params::from_json(params) {
        Ok(params) => Ok((id, method, params)),
        Err(err) => Err((id, err)),
    }
}

/// Runs a method off the async threads, since it may read the disk and wait for a block.
async fn call(core: &Arc<Core>, method: String, params: Params) -> Result<Value, RpcError> {
    let core = Arc::clone(core);
    let run = move || methods::call(&core, &method, &params);
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|err| Err(RpcError::internal(err)))
}

/// The JSON-RPC envelope of an answer.
pub(crate) fn reply(id: Value, result: Result<Value, RpcError>) -> Value {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(err) => json!({"jsonrpc": "2.0", "id": id, "error": err.to_json()}),
    }
}
