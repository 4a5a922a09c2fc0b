//! What counts only when several nodes say it alike.

use super::*;

/// A node at a height that answers a pinned query with one byte.
async fn node(height: u64, byte: u8) -> Server {
    Server::answer(move |call| {
        let asked: u64 = match call["params"]["height"].as_str() {
            Some("0") => height,
            Some(text) => text.parse().unwrap(),
            None => 0,
        };
        match call["method"].as_str() {
            Some("status") => status("c", height),
            _ if asked > height => json!({"result": {"response": {
                "code": 26, "codespace": "sdk", "log": "cannot query with height in the future", "height": "0",
            }}}),
            _ => query(&[byte], asked),
        }
    })
    .await
}
fn read() -> Read<'static> {
    Read { path: "/p", data: vec![], max_bytes: 1_000, comparable: |bytes| Some(bytes.to_vec()) }
}

#[tokio::test]
async fn two_of_three_decide_at_a_height_both_have() {
    let (a, b, c) = (node(100, 1).await, node(98, 1).await, node(99, 2).await);
    let rpc = client_of(&[&a, &b, &c]).with_agreement(2).unwrap();
    // The second highest tip: 99. Node b is not there yet, so nobody agrees.
    let open = rpc.read(read()).await.unwrap_err();
    assert!(matches!(&open, RpcError::Disagree { height: 99, .. }), "{open}");
    let rpc = client_of(&[&a, &b]).with_agreement(2).unwrap();
    let agreed = rpc.read(read()).await.unwrap();
    assert_eq!((agreed.value, agreed.height), (vec![1], 98));
    assert_eq!(rpc.status().await.unwrap().latest_height, 98);
}

#[tokio::test]
async fn a_contradiction_names_both_sides_and_a_majority_outvotes_one() {
    let (a, b, liar) = (node(50, 1).await, node(50, 1).await, node(50, 9).await);
    let rpc = client_of(&[&liar, &a]).with_agreement(2).unwrap();
    let error = rpc.read(read()).await.unwrap_err();
    let RpcError::Disagree { height: 50, sides, .. } = &error else { panic!("{error}") };
    for node in [&a, &liar] {
        assert!(sides.contains(node.url.trim_start_matches("http://")), "{sides}");
    }
    assert_eq!(error.kind(), btc_staking_pos_chain::ErrorKind::Broken);
    let rpc = client_of(&[&liar, &a, &b]).with_agreement(2).unwrap();
    assert_eq!(rpc.read(read()).await.unwrap().value, [1]);
}

#[tokio::test]
async fn too_few_voices_are_no_answer() {
    let a = node(50, 1).await;
    let urls = [a.url.clone(), "http://127.0.0.1:1".to_owned()];
    let rpc = HttpRpc::new(&urls, Duration::from_secs(5)).unwrap().with_agreement(2).unwrap();
    let error = rpc.read(read()).await.unwrap_err();
    assert!(matches!(&error, RpcError::Unreachable(text) if text.contains("1 of 2")), "{error}");
    assert!(matches!(rpc.status().await, Err(RpcError::Unreachable(_))));
}

#[tokio::test]
async fn order_and_other_writing_of_the_same_content_do_not_count() {
    let (a, b) = (node(50, 3).await, node(50, 4).await);
    let rpc = client_of(&[&a, &b]).with_agreement(2).unwrap();
    let blind = Read { comparable: |_| Some(Vec::new()), ..read() };
    assert!(rpc.read(blind).await.is_ok());
    let undecodable = Read { comparable: |_| None, ..read() };
    assert!(matches!(rpc.read(undecodable).await, Err(RpcError::Malformed(_))));
}

/// A node at height 50 that answers a simulation, a transaction and a broadcast so.
async fn sender_node(simulation: Value, tx: Value, broadcast: Value) -> Server {
    Server::answer(move |call| match call["method"].as_str() {
        Some("status") => status("c", 50),
        Some("abci_query") => simulation.clone(),
        Some("tx") => tx.clone(),
        _ => broadcast.clone(),
    })
    .await
}
fn refusal(text: &str) -> Value {
    let log = format!(
        "failed to execute message; message index: 0: {text} with gas used: '57041': unknown request"
    );
    json!({"result": {"response": {"code": 6, "codespace": "sdk", "log": log, "height": "50"}}})
}
fn included(height: u64) -> Value {
    json!({"result": {"hash": "07".repeat(32), "height": height.to_string(), "tx_result": {"code": 0}}})
}
fn taken(code: u32) -> Value {
    json!({"result": {"code": code, "log": "no", "codespace": "sdk"}})
}

#[tokio::test]
async fn one_liar_cannot_refuse_a_message_or_tell_the_fate_of_its_transaction() {
    let liar = sender_node(refusal("the BTC delegation is not found"), included(9), taken(4)).await;
    let found = || sender_node(query(&[7], 50), included(40), taken(0));
    let (a, b) = (found().await, found().await);
    let rpc = client_of(&[&liar, &a, &b]).with_agreement(2).unwrap();
    assert_eq!(rpc.abci_query("/p", vec![]).await.unwrap().value, [7]);
    assert_eq!(rpc.tx([7; 32]).await.unwrap().unwrap().height, 40);
    assert_eq!(rpc.broadcast_tx_sync(vec![1]).await.unwrap().code, 0);
    // Each of two got it, so that one that only pretends does not hide it.
    assert_eq!((a.count("broadcast_tx_sync"), b.count("broadcast_tx_sync")), (1, 1));
    // Against one alone the liar decides nothing either.
    let rpc = client_of(&[&liar, &a]).with_agreement(2).unwrap();
    let open = rpc.tx([7; 32]).await.unwrap_err();
    assert!(matches!(open, RpcError::Unreachable(_)), "{open}");
    assert_eq!(rpc.broadcast_tx_sync(vec![1]).await.unwrap().code, 0);
}

#[tokio::test]
async fn what_enough_nodes_refuse_for_the_same_reason_is_refused() {
    let not_found = || error("tx (07) not found");
    let says = |text: &str| sender_node(refusal(text), not_found(), taken(4));
    let text = "the BTC delegation is not found";
    let (a, b, other) =
        (says(text).await, says(text).await, says("the finality provider is not found").await);
    let rpc = client_of(&[&other, &a, &b]).with_agreement(2).unwrap();
    assert!(rpc.abci_query("/p", vec![]).await.unwrap().log.contains(text));
    assert_eq!(rpc.tx([7; 32]).await, Ok(None));
    assert_eq!(rpc.broadcast_tx_sync(vec![1]).await.unwrap().code, 4);
    let rpc = client_of(&[&other, &a]).with_agreement(2).unwrap();
    let open = rpc.abci_query("/p", vec![]).await.unwrap_err();
    assert!(matches!(open, RpcError::Unreachable(_)), "{open}");
}
