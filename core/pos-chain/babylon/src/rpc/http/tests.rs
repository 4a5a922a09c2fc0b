//! The client against small servers that answer what a node would.

use super::*;
use btc_staking_pos_chain::ErrorKind;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A node that answers each call by method; it ends with the test.
struct Node {
    url: String,
    calls: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    async fn serve(answer: fn(&Value) -> Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve_one(stream, answer, &seen).await;
            }
        });
        Self { url, calls, task }
    }

    fn methods(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call["method"].as_str().unwrap().to_owned()).collect()
    }
}

async fn serve_one(mut stream: TcpStream, answer: fn(&Value) -> Value, seen: &Mutex<Vec<Value>>) {
    let mut bytes = Vec::new();
    let call: Value = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let body = bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|end| &bytes[end + 4..]);
        if let Some(call) = body.and_then(|body| serde_json::from_slice(body).ok()) {
            break call;
        }
        assert!(read > 0, "request ended early");
    };
    let mut reply = answer(&call);
    seen.lock().unwrap().push(call);
    reply["jsonrpc"] = json!("2.0");
    reply["id"] = json!(-1);
    let body = reply.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

fn client_of(nodes: &[&Node]) -> HttpRpc {
    let urls: Vec<_> = nodes.iter().map(|node| node.url.clone()).collect();
    HttpRpc::new(&urls, Duration::from_secs(5)).unwrap()
}

fn healthy(call: &Value) -> Value {
    match call["method"].as_str().unwrap() {
        "status" => json!({"result": {
            "node_info": {"network": "bbn-test", "other": {"tx_index": "on"}},
            "sync_info": {"latest_block_height": "12", "catching_up": false},
            "validator_info": {"pub_key": {"type": "unknown/kind"}},
        }}),
        "abci_query" => json!({"result": {"response": {
            "code": 0, "log": "", "index": "0", "key": null, "value": "CAU=", "proofOps": null, "height": "11", "codespace": "",
        }}}),
        "broadcast_tx_sync" => json!({"result": {
            "code": 32, "data": "", "log": "account sequence mismatch, expected 2, got 1", "codespace": "sdk", "hash": "AB",
        }}),
        "tx" => json!({"result": {
            "hash": "AB", "height": "9", "index": 0, "tx": "",
            "tx_result": {"code": 1106, "codespace": "btcstaking", "log": "used", "events": [], "gas_used": "5"},
        }}),
        "block_results" => json!({"result": {
            "height": "9",
            "txs_results": [
                {"code": 0, "events": [{"type": "a", "attributes": [{"key": "k", "value": "\"v\"", "index": true}]}]},
                {"code": 6},
            ],
            "finalize_block_events": [{"type": "b", "attributes": [{"key": "k", "value": null}]}],
            "validator_updates": null, "consensus_param_updates": {}, "app_hash": "q6urq6s=",
        }}),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_call_reads_what_it_needs_and_nothing_else() {
    let node = Node::serve(healthy).await;
    let rpc = client_of(&[&node]);
    let status = NodeStatus { network: "bbn-test".into(), latest_height: 12, catching_up: false };
    assert_eq!(rpc.status().await, Ok(status));
    let answer = rpc.abci_query("/p", vec![1, 0xab]).await.unwrap();
    assert_eq!((answer.value, answer.height), (vec![8, 5], 11));
    let result = rpc.broadcast_tx_sync(vec![1, 2, 3]).await.unwrap();
    assert_eq!((result.codespace.as_str(), result.code), ("sdk", 32));
    let included = rpc.tx([7; 32]).await.unwrap().unwrap();
    assert_eq!((included.height, included.result.code), (9, 1106));
    let results = rpc.block_results(9).await.unwrap();
    assert_eq!(results.tx_events[0].attributes, [("k".to_owned(), "\"v\"".to_owned())]);
    assert_eq!(results.block_events[0].attributes, [("k".to_owned(), String::new())]);
    let calls = node.calls.lock().unwrap();
    // Data in hex, transactions and hashes in base64 (wire.md 5, 7.2).
    assert_eq!(calls[1]["params"], json!({"path": "/p", "data": "01ab", "height": "0", "prove": false}));
    assert_eq!(calls[2]["params"], json!({"tx": "AQID"}));
    assert_eq!(calls[3]["params"], json!({"hash": STANDARD.encode([7; 32]), "prove": false}));
    assert_eq!(calls[4]["params"], json!({"height": "9"}));
}

#[tokio::test]
async fn a_block_without_transactions_has_null_results() {
    let node = Node::serve(|_| json!({"result": {"height": "9", "txs_results": null, "app_hash": ""}})).await;
    assert_eq!(client_of(&[&node]).block_results(9).await, Ok(BlockResults::default()));
}

#[tokio::test]
async fn a_transaction_that_is_not_found_is_none_and_other_refusals_are_errors() {
    let node = Node::serve(|_| {
        json!({"error": {"code": -32603, "message": "Internal error", "data": "tx (AB) not found, err: %!w(<nil>)"}})
    })
    .await;
    assert_eq!(client_of(&[&node]).tx([1; 32]).await, Ok(None));
    let node = Node::serve(|_| {
        json!({"error": {"code": -32603, "message": "Internal error", "data": "transaction indexing is disabled"}})
    })
    .await;
    assert!(matches!(client_of(&[&node]).tx([1; 32]).await, Err(RpcError::Refused { code: -32603, .. })));
}

#[tokio::test]
async fn a_silent_or_malformed_node_is_passed_over_and_a_refusing_one_is_not() {
    let silent = "http://127.0.0.1:1".to_owned();
    let garbled = Node::serve(|_| json!({"result": {"nothing": "of use"}})).await;
    let good = Node::serve(healthy).await;
    let urls = [silent.clone(), garbled.url.clone(), good.url.clone()];
    let rpc = HttpRpc::new(&urls, Duration::from_secs(5)).unwrap();
    assert_eq!(rpc.status().await.unwrap().latest_height, 12);
    // It stays with the node that answered.
    rpc.status().await.unwrap();
    assert_eq!((garbled.methods().len(), good.methods().len()), (1, 2));

    let refusing = Node::serve(|_| {
        json!({"error": {"code": -32603, "message": "Internal error", "data": "could not find results for height #9"}})
    })
    .await;
    let other = Node::serve(healthy).await;
    let error = client_of(&[&refusing, &other]).block_results(9).await.unwrap_err();
    assert_eq!(error.into_chain_error("block_results").kind, ErrorKind::NotYet);
    assert!(other.methods().is_empty());

    let nobody = HttpRpc::new(&[silent], Duration::from_secs(5)).unwrap();
    assert!(matches!(nobody.status().await, Err(RpcError::Unreachable(_))));
}

#[tokio::test]
async fn a_node_of_another_network_is_never_used() {
    let foreign = Node::serve(healthy).await;
    let rpc = client_of(&[&foreign]).for_network("bbn-1");
    let error = rpc.broadcast_tx_sync(vec![1]).await.unwrap_err();
    assert!(error.to_string().contains("bbn-test") && error.to_string().contains("bbn-1"), "{error}");
    assert_eq!(foreign.methods(), ["status"]);
    let rpc = client_of(&[&foreign]).for_network("bbn-test");
    rpc.broadcast_tx_sync(vec![1]).await.unwrap();
    rpc.broadcast_tx_sync(vec![1]).await.unwrap();
    assert_eq!(foreign.methods()[1..], ["status", "broadcast_tx_sync", "broadcast_tx_sync"]);
}

#[tokio::test]
async fn a_node_that_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rpc = HttpRpc::new(&[url], Duration::from_millis(50)).unwrap();
    assert!(matches!(rpc.status().await, Err(RpcError::Unreachable(_))));
}

#[test]
fn endpoints_are_checked_before_use() {
    assert!(matches!(HttpRpc::new(&[], Duration::from_secs(1)), Err(InvalidEndpoints::None)));
    let bad = HttpRpc::new(&["what".to_owned()], Duration::from_secs(1));
    assert!(matches!(bad, Err(InvalidEndpoints::Url { url, .. }) if url == "what"));
}

#[test]
fn an_error_is_told_in_one_line_without_source_paths() {
    let report = "HTTP error\n\nCaused by:\n    tcp connect error\n\nLocation:\n    /src/eyre.rs:10:9\n\nStack backtrace:\n 0: main\n";
    assert_eq!(words_of(report), "HTTP error: tcp connect error");
    assert_eq!(words_of("plain"), "plain");
}
