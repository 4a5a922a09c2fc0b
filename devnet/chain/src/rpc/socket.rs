//! WebSocket: the same methods, and subscriptions.
//!
//! A subscription is a hint, as on a real node: a client that reads too slowly loses the connection and must re-read
//! blocks from where it stood.

use super::{
    answer,
    error::RpcError,
    form::{self, Tags},
    query::Query,
    reply, split,
};
use crate::{error::Broken, node::core::Core};
use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Subscriptions of one connection.
const MAX_SUBSCRIPTIONS: usize = 5;
/// Largest message of a client.
const MAX_MESSAGE: usize = 1_000_000;

/// What every connection gets.
#[derive(Clone)]
pub(crate) struct Sockets {
    pub(crate) core: Arc<Core>,
    pub(crate) stopped: watch::Receiver<bool>,
}

struct Subscription {
    id: Value,
    text: String,
    query: Query,
}

/// Turns a request into a connection.
pub(crate) async fn upgrade(upgrade: WebSocketUpgrade, State(sockets): State<Sockets>) -> Response {
    upgrade.max_message_size(MAX_MESSAGE).on_upgrade(|socket| converse(socket, sockets))
}

async fn converse(mut socket: WebSocket, mut sockets: Sockets) {
    let mut subscriptions: Vec<Subscription> = vec![];
    let mut blocks = sockets.core.subscribe();
    loop {
        let replies = tokio::select! {
            () = crate::node::told_to_stop(&mut sockets.stopped) => break,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    vec![respond(&sockets.core, &mut subscriptions, text.as_str()).await]
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            height = blocks.recv() => match height {
                Ok(height) => match events_of(&sockets.core, &subscriptions, height) {
                    Ok(events) => events,
                    Err(_) => break,
                },
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => break,
            },
        };
        for reply in replies {
            if socket.send(Message::text(reply.to_string())).await.is_err() {
                return;
            }
        }
    }
    // The peer may be gone already.
    let _ = socket.send(Message::Close(None)).await;
}

async fn respond(core: &Arc<Core>, subscriptions: &mut Vec<Subscription>, text: &str) -> Value {
    let request: Value = match serde_json::from_str(text) {
        Ok(request) => request,
        Err(err) => return reply(Value::Null, Err(RpcError::parse(err))),
    };
    let (id, method, params) = match split(request.clone()) {
        Ok(parts) => parts,
        Err((id, err)) => return reply(id, Err(err)),
    };
    let result = match method.as_str() {
        "subscribe" => params.text("query").and_then(|query| subscribe(subscriptions, &id, query)),
        "unsubscribe" => params.text("query").and_then(|query| unsubscribe(subscriptions, query)),
        "unsubscribe_all" => {
            subscriptions.clear();
            Ok(json!({}))
        }
        _ => return answer(core, request).await,
    };
    reply(id, result)
}

fn subscribe(
    subscriptions: &mut Vec<Subscription>,
    id: &Value,
    query: Option<String>,
) -> Result<Value, RpcError> {
    let text = query.ok_or_else(|| RpcError::invalid_params("query is missing"))?;
    if subscriptions.len() >= MAX_SUBSCRIPTIONS {
        return Err(RpcError::internal(format!("max_subscriptions_per_client {MAX_SUBSCRIPTIONS} reached")));
    }
    if subscriptions.iter().any(|known| known.text == text) {
        return Err(RpcError::internal("already subscribed"));
    }
    let query =
        Query::parse(&text).map_err(|err| RpcError::internal(format!("failed to parse query: {err}")))?;
    subscriptions.push(Subscription { id: id.clone(), text, query });
    Ok(json!({}))
}

fn unsubscribe(subscriptions: &mut Vec<Subscription>, query: Option<String>) -> Result<Value, RpcError> {
    let text = query.ok_or_else(|| RpcError::invalid_params("query is missing"))?;
    let before = subscriptions.len();
    subscriptions.retain(|known| known.text != text);
    if subscriptions.len() == before {
        return Err(RpcError::internal("subscription not found"));
    }
    Ok(json!({}))
}

/// What the subscriptions hear about a block: transactions first, then the block.
fn events_of(core: &Core, subscriptions: &[Subscription], height: u64) -> Result<Vec<Value>, Broken> {
    if subscriptions.is_empty() {
        return Ok(vec![]);
    }
    let Some(record) = core.block(height)? else { return Ok(vec![]) };
    let mut out = vec![];
    for (index, (tx, result)) in record.txs.iter().zip(&record.results).enumerate() {
        let tags = form::tx_tags(height, index, &record);
        let data = json!({"type": "tendermint/event/Tx", "value": {"TxResult": form::without_defaults(json!({
            "height": height.to_string(),
            "index": index,
            "tx": STANDARD.encode(tx),
            "result": form::without_defaults(form::tx_result(result)),
        }))}});
        notify(&mut out, subscriptions, &tags, &data);
    }
    let previous = core.block(height.saturating_sub(1))?;
    let mut tags = form::tags(&record.events);
    tags.insert("tm.event".into(), vec!["NewBlock".into()]);
    let data = json!({"type": "tendermint/event/NewBlock", "value": {
        "block": form::block(&record, previous.as_ref())?,
        "block_id": form::block_id(&record)?,
        "result_finalize_block": form::finalize_block(&record),
    }});
    notify(&mut out, subscriptions, &tags, &data);
    tags.insert("tm.event".into(), vec!["NewBlockEvents".into()]);
    let data = json!({"type": "tendermint/event/NewBlockEvents", "value": {
        "height": height.to_string(),
        "events": form::events(&record.events),
        "num_txs": record.txs.len().to_string(),
    }});
    notify(&mut out, subscriptions, &tags, &data);
    // A header comes without the events of its block.
    let tags = Tags::from([("tm.event".into(), vec!["NewBlockHeader".into()])]);
    let data =
        json!({"type": "tendermint/event/NewBlockHeader", "value": {"header": form::header(&record)?}});
    notify(&mut out, subscriptions, &tags, &data);
    Ok(out)
}

fn notify(out: &mut Vec<Value>, subscriptions: &[Subscription], tags: &Tags, data: &Value) {
    for subscription in subscriptions.iter().filter(|subscription| subscription.query.matches(tags)) {
        let result = json!({"query": subscription.text, "data": data, "events": tags});
        out.push(reply(subscription.id.clone(), Ok(result)));
    }
}
