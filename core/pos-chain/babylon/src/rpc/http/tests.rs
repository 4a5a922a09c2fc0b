//! The client against small servers that answer what a node would.

mod agreement;
mod failover;
mod hostile;
mod reports;

use super::*;
use crate::rpc::{
    RawEvent,
    server::{Node as Server, error, query, status},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn client_of(nodes: &[&Server]) -> HttpRpc {
    let urls: Vec<_> = nodes.iter().map(|node| node.url.clone()).collect();
    HttpRpc::new(&urls, Duration::from_secs(5)).unwrap()
}

fn healthy(call: &Value) -> Value {
    match call["method"].as_str().unwrap() {
        "status" => status("bbn-test", 12),
        "abci_query" => query(&[8, 5], 11),
        "broadcast_tx_sync" => json!({"result": {
            "code": 32, "data": "", "log": "account sequence mismatch, expected 2, got 1", "codespace": "sdk", "hash": "AB",
        }}),
        "tx" => json!({"result": {
            "hash": "07".repeat(32), "height": "9", "index": 0, "tx": "",
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
        "header" => json!({"result": {"header": {
            "chain_id": "bbn-test", "height": "9", "time": "2025-04-10T10:00:00.5Z", "app_hash": "AB".repeat(32),
            "last_block_id": {"hash": "x"},
        }}}),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_call_reads_what_it_needs_and_nothing_else() {
    let node = Server::answer(healthy).await;
    let rpc = client_of(&[&node]);
    let expected = NodeStatus { network: "bbn-test".into(), latest_height: 12, catching_up: false };
    assert_eq!(rpc.status().await, Ok(expected));
    let answer = rpc.abci_query("/p", vec![1, 0xab]).await.unwrap();
    assert_eq!((answer.value, answer.height), (vec![8, 5], 11));
    let result = rpc.broadcast_tx_sync(vec![1, 2, 3]).await.unwrap();
    assert_eq!((result.codespace.as_str(), result.code), ("sdk", 32));
    let included = rpc.tx([7; 32]).await.unwrap().unwrap();
    assert_eq!((included.height, included.result.code), (9, 1106));
    let results = rpc.block_results(9).await.unwrap();
    assert_eq!(results.tx_events[0].attributes, [("k".to_owned(), "\"v\"".to_owned())]);
    let nothing = RawEvent { kind: "b".into(), attributes: vec![("k".into(), String::new())] };
    assert_eq!(results.block_events, [nothing]);
    let header = rpc.header(9).await.unwrap();
    assert_eq!((header.app_hash, header.time_s), (vec![0xab; 32], 1_744_279_200));
    let calls = node.calls.lock().unwrap();
    // Data in hex, transactions and hashes in base64 (wire.md 5, 7.2). The status was asked once for all.
    assert_eq!(calls[1]["params"], json!({"path": "/p", "data": "01ab", "height": "0", "prove": false}));
    assert_eq!(calls[2]["params"], json!({"tx": "AQID"}));
    assert_eq!(calls[3]["params"], json!({"hash": STANDARD.encode([7; 32]), "prove": false}));
    assert_eq!(calls[4]["params"], json!({"height": "9"}));
}

#[tokio::test]
async fn a_block_without_transactions_has_null_results() {
    let node = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("c", 9),
        _ => json!({"result": {"height": "9", "txs_results": null, "app_hash": ""}}),
    })
    .await;
    assert_eq!(client_of(&[&node]).block_results(9).await, Ok(BlockResults::default()));
}

/// A node that answers its status and one error to all else.
async fn refusing(data: &'static str) -> Server {
    Server::answer(move |call| match call["method"].as_str() {
        Some("status") => status("bbn-test", 12),
        _ => error(data),
    })
    .await
}

#[tokio::test]
async fn a_transaction_that_is_not_found_is_none_and_other_refusals_are_errors() {
    let node = refusing("tx (AB) not found, err: %!w(<nil>)").await;
    assert_eq!(client_of(&[&node]).tx([1; 32]).await, Ok(None));
    let node = refusing("transaction indexing is disabled").await;
    let no_index = RpcError::NoIndex { indexed: 0, wanted: 1 };
    assert_eq!(client_of(&[&node]).tx([1; 32]).await, Err(no_index));
    let node = refusing("disk full").await;
    assert!(matches!(client_of(&[&node]).tx([1; 32]).await, Err(RpcError::Refused { code: -32603, .. })));
}

#[test]
fn endpoints_are_checked_before_use() {
    let new = |urls: &[&str]| {
        let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
        HttpRpc::new(&urls, Duration::from_secs(1))
    };
    assert!(matches!(new(&[]), Err(InvalidEndpoints::None)));
    assert!(matches!(new(&["what"]), Err(InvalidEndpoints::Url { url, .. }) if url == "what"));
    assert!(matches!(new(&["tcp://127.0.0.1:1"]), Err(InvalidEndpoints::Url { .. })));
    let twice = new(&["http://a", "http://b", "http://a"]);
    assert!(matches!(twice, Err(InvalidEndpoints::Twice(url)) if url == "http://a"));
    for spelling in ["http://A:80", "http://a/", "http://a.", "http://me:secret@a"] {
        let error = new(&["http://a", spelling]).err().unwrap();
        assert!(matches!(error, InvalidEndpoints::Twice(_)), "{spelling}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(matches!(new(&["http://a/rpc", "http://a/rpc/"]), Err(InvalidEndpoints::Twice(_))));
    assert!(new(&["http://a/one", "http://a/two", "https://a/one", "http://a:81/one"]).is_ok());
    for (wanted, holds) in [(0, false), (1, true), (2, true), (3, false)] {
        assert_eq!(new(&["http://a", "http://b"]).unwrap().with_agreement(wanted).is_ok(), holds, "{wanted}");
    }
}
