//! A node as its clients see it: it passes calls on to the chain, and fails them, is away, is behind or lies.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_babylon::proto::{
    Query,
    finality::{QueryBlockRequest, QueryBlockResponse, QueryListBlocksRequest, QueryListBlocksResponse},
};
use prost::Message;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Of so many calls one fails.
const FAILS_ONE_IN: u64 = 100;
/// Blocks by which a lagging node is behind.
const LAG: u64 = 5;

/// What is wrong with a node, beside the calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Nothing.
    Honest,
    /// It is away for two blocks out of forty.
    Restarting,
    /// It is behind for ten blocks out of forty, but not while the other is away.
    Lagging,
    /// It tells other app hashes.
    Lying,
}

pub struct Proxy {
    url: String,
    node: Arc<Faulty>,
    task: JoinHandle<()>,
}

struct Faulty {
    client: reqwest::Client,
    target: String,
    conduct: Conduct,
    begun: Instant,
    pace: Duration,
    random: AtomicU64,
    faults: AtomicU64,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub async fn start(target: String, conduct: Conduct, pace: Duration, seed: u64) -> Self {
        let node = Arc::new(Faulty {
            client: reqwest::Client::new(),
            target,
            conduct,
            begun: Instant::now(),
            pace,
            random: AtomicU64::new(seed),
            faults: AtomicU64::new(0),
        });
        let router = Router::new().route("/", post(serve)).with_state(Arc::clone(&node));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, node, task }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn faults(&self) -> u64 {
        self.node.faults.load(Ordering::Relaxed)
    }
}

async fn serve(State(node): State<Arc<Faulty>>, body: Bytes) -> Response {
    if node.is_away() || node.fails() {
        node.faults.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::BAD_GATEWAY, "no node").into_response();
    }
    let Ok(mut call) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if node.conduct == Conduct::Lagging && node.phase() >= 20 && node.phase() < 30 {
        match node.answer_from_behind(&mut call).await {
            Some(answer) => return axum::Json(answer).into_response(),
            None => return (StatusCode::BAD_GATEWAY, "no node").into_response(),
        }
    }
    match node.pass_on(&call).await {
        Some(answer) if node.conduct == Conduct::Lying => axum::Json(lie(&call, answer)).into_response(),
        Some(answer) => axum::Json(answer).into_response(),
        None => (StatusCode::BAD_GATEWAY, "no node").into_response(),
    }
}

impl Faulty {
    /// Where in a round of forty blocks the network is.
    fn phase(&self) -> u128 {
        self.begun.elapsed().as_millis() / self.pace.as_millis() % 40
    }

    fn is_away(&self) -> bool {
        self.conduct == Conduct::Restarting && self.phase() >= 10 && self.phase() < 12
    }

    fn fails(&self) -> bool {
        let next = |state: u64| {
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let state = self.random.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state)));
        (state.unwrap() >> 33).is_multiple_of(FAILS_ONE_IN)
    }

    async fn pass_on(&self, call: &Value) -> Option<Value> {
        let request = self.client.post(&self.target).header("content-type", "application/json");
        let answer = request.body(call.to_string()).send().await.ok()?.bytes().await.ok()?;
        serde_json::from_slice(&answer).ok()
    }

    /// Answers as a node that is some blocks behind.
    async fn answer_from_behind(&self, call: &mut Value) -> Option<Value> {
        self.faults.fetch_add(1, Ordering::Relaxed);
        let status = json!({"jsonrpc": "2.0", "id": 1, "method": "status", "params": {}});
        let mut status = self.pass_on(&status).await?;
        let tip: u64 = status["result"]["sync_info"]["latest_block_height"].as_str()?.parse().ok()?;
        let behind = tip.saturating_sub(LAG).max(1);
        match call["method"].as_str()? {
            "status" => {
                status["id"] = call["id"].clone();
                status["result"]["sync_info"]["latest_block_height"] = json!(behind.to_string());
                Some(status)
            }
            "abci_query" => {
                let asked = call["params"]["height"].as_str().map_or(0, |text| text.parse().unwrap_or(0));
                if asked > behind {
                    let log = "cannot query with height in the future; please provide a valid height";
                    let response =
                        json!({"code": 26, "codespace": "sdk", "log": log, "height": behind.to_string()});
                    return Some(
                        json!({"jsonrpc": "2.0", "id": call["id"], "result": {"response": response}}),
                    );
                }
                if asked == 0 {
                    call["params"]["height"] = json!(behind.to_string());
                }
                self.pass_on(call).await
            }
            _ => self.pass_on(call).await,
        }
    }
}

/// Another app hash in every block that is told.
fn lie(call: &Value, mut answer: Value) -> Value {
    let Some(path) = call["params"]["path"].as_str() else { return answer };
    let value = answer["result"]["response"]["value"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let Some(value) = value else { return answer };
    let turned = if path == QueryBlockRequest::PATH {
        QueryBlockResponse::decode(value.as_slice()).ok().map(|mut told| {
            told.block.iter_mut().for_each(|block| block.app_hash.reverse());
            told.encode_to_vec()
        })
    } else if path == QueryListBlocksRequest::PATH {
        QueryListBlocksResponse::decode(value.as_slice()).ok().map(|mut told| {
            told.blocks.iter_mut().for_each(|block| block.app_hash.reverse());
            told.encode_to_vec()
        })
    } else {
        None
    };
    if let Some(turned) = turned {
        answer["result"]["response"]["value"] = json!(STANDARD.encode(turned));
    }
    answer
}
