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
