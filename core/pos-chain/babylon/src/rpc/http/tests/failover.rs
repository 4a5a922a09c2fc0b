//! Which node is asked, and what becomes of nodes that know less than others.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A node at a height that a test may move; state is as of the same height.
async fn node_at(height: &Arc<AtomicU64>) -> Server {
    let height = Arc::clone(height);
    Server::answer(move |call| {
        let height = height.load(Ordering::Relaxed);
        match call["method"].as_str() {
            Some("status") => status("c", height),
            Some("abci_query") => query(&[1], height),
            _ => error("tx (AB) not found"),
        }
    })
    .await
}
fn height(at: u64) -> Arc<AtomicU64> {
    Arc::new(AtomicU64::new(at))
}
/// Looks at every node again before each use.
fn watchful(rpc: HttpRpc) -> HttpRpc {
    rpc.with_policy(HealthPolicy { recheck: Duration::ZERO, ..HealthPolicy::default() })
}

#[tokio::test]
async fn a_silent_malformed_or_troubled_node_is_passed_over() {
    let silent = "http://127.0.0.1:1".to_owned();
    let garbled = Server::answer(|_| json!({"result": {"nothing": "of use"}})).await;
    let good = Server::answer(healthy).await;
    let urls = [silent.clone(), garbled.url.clone(), good.url.clone()];
    let rpc = HttpRpc::new(&urls, Duration::from_secs(5)).unwrap();
    assert_eq!(rpc.status().await.unwrap().latest_height, 12);
    rpc.abci_query("/p", vec![]).await.unwrap();
    assert_eq!((garbled.count("abci_query"), good.count("abci_query")), (0, 1));

    // Trouble of its own, or a call that it does not offer.
    let (troubled, other) = (refusing("disk full").await, Server::answer(healthy).await);
    let rpc = client_of(&[&troubled, &other]);
    rpc.block_results(9).await.unwrap();
    rpc.block_results(9).await.unwrap();
    assert_eq!((troubled.count("block_results"), other.count("block_results")), (1, 2));
    let (closed, other) = (refusing_with(-32601, "").await, Server::answer(healthy).await);
    client_of(&[&closed, &other]).block_results(9).await.unwrap();
    // A call that is wrong is refused alike everywhere.
    let (strict, other) = (refusing_with(-32602, "invalid height").await, Server::answer(healthy).await);
    let error = client_of(&[&strict, &other]).block_results(9).await.unwrap_err();
    assert!(matches!(error, RpcError::Refused { code: -32602, .. }), "{error}");
    assert_eq!(other.count("block_results"), 0);

    let nobody = HttpRpc::new(&[silent], Duration::from_secs(5)).unwrap();
    assert!(matches!(nobody.status().await, Err(RpcError::Unreachable(_))));
}

/// A node that answers its status and one code to all else.
async fn refusing_with(code: i64, data: &'static str) -> Server {
    Server::answer(move |call| match call["method"].as_str() {
        Some("status") => status("bbn-test", 12),
        _ => json!({"error": {"code": code, "message": "no", "data": data}}),
    })
    .await
}

#[tokio::test]
async fn a_full_mempool_is_passed_over_and_told_only_when_all_are_full() {
    let full = refusing("mempool is full: number of txs 5000").await;
    let taking = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("bbn-test", 12),
        _ => json!({"result": {"code": 0, "log": "", "codespace": "", "hash": "AB"}}),
    })
    .await;
    assert_eq!(client_of(&[&full, &taking]).broadcast_tx_sync(vec![1]).await.unwrap().code, 0);
    let error = client_of(&[&full]).broadcast_tx_sync(vec![1]).await.unwrap_err();
    assert!(error.is_busy_mempool() && !error.may_have_arrived(), "{error}");
}

#[tokio::test]
async fn a_node_without_an_index_is_not_asked_for_transactions() {
    let silent_about = |index: &'static str| {
        Server::answer(move |call| match call["method"].as_str() {
            Some("status") => {
                let mut answer = status("bbn-test", 12);
                answer["result"]["node_info"]["other"]["tx_index"] = json!(index);
                answer
            }
            Some("tx") => error("transaction indexing is disabled"),
            _ => healthy(call),
        })
    };
    let (off, on) = (silent_about("off").await, Server::answer(healthy).await);
    let rpc = client_of(&[&off, &on]);
    assert!(rpc.tx([7; 32]).await.unwrap().is_some());
    assert_eq!((off.count("tx"), rpc.check_index().await), (0, Ok(())));
    // One that only tells when it is asked.
    let late = silent_about("on").await;
    let rpc = client_of(&[&late, &on]);
    assert!(rpc.tx([7; 32]).await.unwrap().is_some());
    let none = Err(RpcError::NoIndex { indexed: 0, wanted: 1 });
    assert_eq!(client_of(&[&off]).check_index().await, none);
    let text = client_of(&[&off]).tx([7; 32]).await.unwrap_err().to_string();
    assert!(text.contains("keep an index of transactions"), "{text}");
    let both = client_of(&[&off, &on]).with_agreement(2).unwrap();
    assert_eq!(both.check_index().await, Err(RpcError::NoIndex { indexed: 1, wanted: 2 }));
}

#[tokio::test]
async fn what_one_node_does_not_know_yet_or_any_more_another_is_asked_for() {
    for lack in ["could not find results for height #9", "height 9 is not available, lowest height is 10"] {
        let (lacking, other) = (refusing(lack).await, Server::answer(healthy).await);
        let rpc = client_of(&[&lacking, &other]);
        rpc.block_results(9).await.unwrap();
        assert_eq!(rpc.block_results(9).await.unwrap().block_events.len(), 1);
        let alone = client_of(&[&lacking]).block_results(9).await.unwrap_err();
        assert!(alone.is_lack(), "{alone}");
    }
    let (lacking, other) = (refusing("tx (07) not found").await, Server::answer(healthy).await);
    assert!(client_of(&[&lacking, &other]).tx([7; 32]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_node_of_another_network_is_never_used() {
    let foreign = Server::answer(healthy).await;
    let rpc = client_of(&[&foreign]).for_network("bbn-1");
    let error = rpc.broadcast_tx_sync(vec![1]).await.unwrap_err();
    assert_eq!(error, RpcError::WrongChain { expected: "bbn-1".into(), found: "bbn-test".into() });
    assert!(!error.may_have_arrived());
    assert!(rpc.abci_query("/p", vec![]).await.is_err());
    assert_eq!(foreign.methods(), ["status", "status"]);
    let rpc = client_of(&[&foreign]).for_network("bbn-test");
    rpc.broadcast_tx_sync(vec![1]).await.unwrap();
    rpc.broadcast_tx_sync(vec![1]).await.unwrap();
    assert_eq!(foreign.methods()[2..], ["status", "broadcast_tx_sync", "broadcast_tx_sync"]);
    // A header carries its chain id with it.
    let header = client_of(&[&foreign]).for_network("bbn-test").header(9).await;
    assert!(header.is_ok());
}

#[tokio::test]
async fn the_node_that_lags_behind_is_used_only_when_the_others_are_gone() {
    let (slow, fast) = (height(10), height(100));
    let (lagging, leading) = (node_at(&slow).await, node_at(&fast).await);
    let rpc = watchful(client_of(&[&lagging, &leading]));
    assert_eq!(rpc.abci_query("/p", vec![]).await.unwrap().height, 100);
    assert_eq!(lagging.count("abci_query"), 0);
    drop(leading);
    // Its state is older than what was read: an unknown, not an answer.
    let behind = rpc.abci_query("/p", vec![]).await.unwrap_err();
    assert_eq!(behind, RpcError::Behind { at: 10, needed: 100 });
    slow.store(100, Ordering::Relaxed);
    assert_eq!(rpc.abci_query("/p", vec![]).await.unwrap().height, 100);
}

#[tokio::test]
async fn a_tip_once_told_is_never_taken_back() {
    let at = height(100);
    let node = node_at(&at).await;
    let rpc = watchful(client_of(&[&node]));
    assert_eq!(rpc.status().await.unwrap().latest_height, 100);
    at.store(99, Ordering::Relaxed);
    assert_eq!(rpc.status().await, Err(RpcError::Behind { at: 99, needed: 100 }));
    at.store(50, Ordering::Relaxed);
    let back = RpcError::WentBack { from: 100, to: 50 };
    assert_eq!(rpc.status().await, Err(back.clone()));
    assert_eq!(rpc.abci_query("/p", vec![]).await, Err(back));
    assert_eq!(node.count("abci_query"), 0);
    at.store(101, Ordering::Relaxed);
    assert_eq!(rpc.status().await.unwrap().latest_height, 101);
}

#[tokio::test]
async fn a_syncing_node_answers_nothing_about_state() {
    let node = Server::answer(|call| {
        let mut syncing = status("c", 5);
        syncing["result"]["sync_info"]["catching_up"] = json!(true);
        match call["method"].as_str() {
            Some("status") => syncing,
            Some("block_results") => json!({"result": {"height": "3"}}),
            _ => query(&[], 5),
        }
    })
    .await;
    let rpc = client_of(&[&node]);
    assert!(rpc.status().await.unwrap().catching_up);
    assert_eq!(rpc.abci_query("/p", vec![]).await, Err(RpcError::CatchingUp));
    assert_eq!(rpc.tx([7; 32]).await, Err(RpcError::CatchingUp));
    let unsent = rpc.broadcast_tx_sync(vec![1]).await.unwrap_err();
    assert!(!unsent.may_have_arrived() && unsent.kind() == btc_staking_pos_chain::ErrorKind::NotYet);
    // A block it has is the block it is.
    rpc.block_results(3).await.unwrap();
    assert_eq!((node.count("abci_query"), node.count("broadcast_tx_sync")), (0, 0));
}

#[tokio::test]
async fn a_refusal_after_a_lost_broadcast_says_nothing() {
    // The first node may have the transaction; the second then refuses its sequence, which proves nothing.
    let deaf = Server::serve(|call| match call["method"].as_str() {
        Some("status") => crate::rpc::server::Reply::Json(status("bbn-test", 12)),
        _ => crate::rpc::server::Reply::Raw(Vec::new()),
    })
    .await;
    let other = Server::answer(healthy).await;
    let rpc = client_of(&[&deaf, &other]);
    let error = rpc.broadcast_tx_sync(vec![1]).await.unwrap_err();
    assert!(matches!(error, RpcError::Unreachable(_)) && error.may_have_arrived(), "{error}");
    assert_eq!(other.count("broadcast_tx_sync"), 1);
    // Where nothing was lost, the refusal counts.
    assert_eq!(client_of(&[&other]).broadcast_tx_sync(vec![1]).await.unwrap().code, 32);
}
