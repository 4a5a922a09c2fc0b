//! Stands before the node and reads every transaction that is sent to it: two votes of a key for one height that differ end
//! the test.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_babylon::proto::{TxBody, TxRaw, finality::MsgAddFinalitySig};
use prost::{Message, Name};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::task::JoinHandle;

/// App hash and signature by key and height.
type Votes = BTreeMap<(Vec<u8>, u64), (Vec<u8>, Vec<u8>)>;

pub struct Witness {
    pub url: String,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

struct Seen {
    client: reqwest::Client,
    target: String,
    votes: Mutex<Votes>,
    conflicts: Mutex<Vec<String>>,
}

impl Witness {
    pub async fn start(target: String) -> Self {
        let seen = Arc::new(Seen {
            client: reqwest::Client::new(),
            target,
            votes: Mutex::default(),
            conflicts: Mutex::default(),
        });
        let router = Router::new().route("/", post(serve)).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    /// How many heights were voted on; there was no conflict.
    pub fn votes(&self) -> usize {
        let conflicts = self.seen.conflicts.lock().unwrap();
        assert!(conflicts.is_empty(), "{conflicts:?}");
        self.seen.votes.lock().unwrap().len()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(seen): State<Arc<Seen>>, body: Bytes) -> Response {
    if let Ok(call) = serde_json::from_slice::<Value>(&body)
        && call["method"].as_str().is_some_and(|method| method.starts_with("broadcast_tx"))
    {
        seen.look_at(&call);
    }
    let request = seen.client.post(&seen.target).header("content-type", "application/json").body(body);
    let answer = async { request.send().await.ok()?.bytes().await.ok() };
    match answer.await {
        Some(answer) => ([("content-type", "application/json")], answer).into_response(),
        None => (StatusCode::BAD_GATEWAY, "no node").into_response(),
    }
}

impl Seen {
    fn look_at(&self, call: &Value) {
        let tx = STANDARD.decode(call["params"]["tx"].as_str().unwrap()).unwrap();
        let body = TxRaw::decode(tx.as_slice()).unwrap().body_bytes;
        for message in TxBody::decode(body.as_slice()).unwrap().messages {
            if message.type_url != MsgAddFinalitySig::type_url() {
                continue;
            }
            let vote = MsgAddFinalitySig::decode(message.value.as_slice()).unwrap();
            let new = (vote.block_app_hash.to_vec(), vote.finality_sig.to_vec());
            let place = (vote.fp_btc_pk.to_vec(), vote.block_height);
            let mut votes = self.votes.lock().unwrap();
            let before = votes.entry(place).or_insert_with(|| new.clone());
            if *before != new {
                let conflict = format!("height {}: {before:?} and {new:?}", vote.block_height);
                self.conflicts.lock().unwrap().push(conflict);
            }
        }
    }
}
