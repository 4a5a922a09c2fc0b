//! Nodes that do their worst: each gives a typed error, within bounds of time and memory.

use super::*;
use crate::rpc::server::Reply;
use btc_staking_pos_chain::ErrorKind;
use std::sync::atomic::Ordering;

/// A node that is fine until it is asked for anything of use.
async fn hostile(worst: fn() -> Reply) -> Server {
    Server::serve(move |call| match call["method"].as_str() {
        Some("status") => Reply::Json(status("c", 12)),
        _ => worst(),
    })
    .await
}

/// What buffers of the two sockets and the client may hold beyond what was read.
const IN_FLIGHT: u64 = 12 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_measure_is_given_up_at_the_bound() {
    // 100 MB that are announced are not read at all; without an announcement reading ends at the bound.
    for (worst, most) in [(large as fn() -> Reply, 0), (endless, 9_000_000)] {
        let node = hostile(worst).await;
        let rpc = client_of(&[&node]);
        let calls = [
            rpc.abci_query("/p", vec![]).await.err(),
            rpc.header(9).await.err(),
            rpc.broadcast_tx_sync(vec![1]).await.err(),
        ];
        for error in calls {
            let told = error.expect("an answer beyond the bound is taken").to_string();
            assert!(told.contains("larger than"), "{told}");
        }
        let sent = node.sent.load(Ordering::Relaxed);
        assert!(sent <= most * 3 + IN_FLIGHT * 3, "{sent} bytes were taken");
    }
    let node = hostile(large).await;
    let too_large = client_of(&[&node]).abci_query("/p", vec![]).await.unwrap_err();
    assert!(matches!(too_large, RpcError::TooLarge { .. }));
    assert_eq!(too_large.kind(), ErrorKind::Broken);
}
fn large() -> Reply {
    Reply::Large(100_000_000)
}
fn endless() -> Reply {
    Reply::Endless
}

#[tokio::test]
async fn the_largest_answer_that_is_allowed_is_read() {
    let node = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("c", 12),
        _ => query(&vec![7; 1_000_000], 12),
    })
    .await;
    let rpc = client_of(&[&node]);
    let read = |max_bytes| Read { path: "/p", data: vec![], max_bytes, comparable: |b| Some(b.to_vec()) };
    assert_eq!(rpc.read(read(1_000_000)).await.unwrap().value.len(), 1_000_000);
    assert_eq!(rpc.read(read(999_999)).await, Err(RpcError::TooLarge { limit: 999_999 }));
}

#[tokio::test]
async fn a_node_that_never_finishes_times_out() {
    for worst in [|| Reply::Silence, || Reply::Trickle] {
        let node = hostile(worst).await;
        let urls = [node.url.clone()];
        let rpc = HttpRpc::new(&urls, Duration::from_millis(300)).unwrap();
        let begun = Instant::now();
        let error = rpc.abci_query("/p", vec![]).await.unwrap_err();
        assert!(matches!(&error, RpcError::Unreachable(text) if text.contains("not answered")), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    // Nobody even accepts the connection's bytes.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rpc = HttpRpc::new(&[url], Duration::from_millis(50)).unwrap();
    assert!(matches!(rpc.status().await, Err(RpcError::Unreachable(_))));
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let cases: [fn() -> Reply; 8] = [
        || Reply::Body(br#"{"jsonrpc":"2.0","id":2,"result":{"response":{"co"#.to_vec()),
        || Reply::Body(b"<html>welcome</html>".to_vec()),
        || Reply::Body(Vec::new()),
        || Reply::Body("[".repeat(100_000).into_bytes()),
        || Reply::Body(br#"{"jsonrpc":"2.0","id":-7,"result":{"response":{"code":0}}}"#.to_vec()),
        || Reply::Json(json!({"result": {"response": {"value": "no base64!"}}})),
        || Reply::Json(json!({"result": {"response": {"height": "-5"}}})),
        || Reply::Json(json!({"result": null})),
    ];
    for (number, worst) in cases.into_iter().enumerate() {
        let node = hostile(worst).await;
        let error = client_of(&[&node]).abci_query("/p", vec![]).await.unwrap_err();
        assert!(matches!(error, RpcError::Malformed(_)), "{number}: {error}");
        assert_eq!(error.kind(), ErrorKind::Broken);
    }
    for head in ["", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\"", "NONSENSE\r\n\r\n"] {
        let node = Server::serve(move |call| match call["method"].as_str() {
            Some("status") => Reply::Json(status("c", 12)),
            _ => Reply::Raw(head.as_bytes().to_vec()),
        })
        .await;
        let error = client_of(&[&node]).abci_query("/p", vec![]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    }
}

#[tokio::test]
async fn a_node_does_not_send_us_elsewhere() {
    let other = Server::answer(healthy).await;
    let location = other.url.clone();
    let node = Server::serve(move |_| {
        let head = format!("HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        Reply::Raw(head.into_bytes())
    })
    .await;
    assert!(matches!(client_of(&[&node]).status().await, Err(RpcError::Malformed(_))));
    assert_eq!(other.methods(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_about_something_else_is_refused_with_both() {
    let node = Server::answer(healthy).await;
    let rpc = client_of(&[&node]).for_network("bbn-test");
    let wrong = |call| RpcError::WrongHeight { call, asked: 10, answered: 9 };
    assert_eq!(rpc.block_results(10).await, Err(wrong("block_results")));
    assert_eq!(rpc.header(10).await, Err(wrong("header")));
    let other_tx = rpc.tx([8; 32]).await.unwrap_err();
    assert!(matches!(&other_tx, RpcError::Malformed(text) if text.contains("0707") && text.contains("0808")));
    let liar = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("bbn-test", 12),
        _ => json!({"result": {"header": {
            "chain_id": "elsewhere", "height": "9", "time": "2025-04-10T10:00:00Z", "app_hash": "AB",
        }}}),
    })
    .await;
    let foreign = client_of(&[&liar]).for_network("bbn-test").header(9).await;
    let expected = RpcError::WrongChain { expected: "bbn-test".into(), found: "elsewhere".into() };
    assert_eq!(foreign, Err(expected));
}

#[tokio::test]
async fn a_block_that_is_replaced_by_another_ends_the_trust_in_its_node() {
    let asked = AtomicU64::new(0);
    let node = Server::answer(move |call| match call["method"].as_str() {
        Some("status") => {
            let mut answer = status("c", 12);
            if asked.fetch_add(1, Ordering::Relaxed) > 0 {
                answer["result"]["sync_info"]["latest_block_hash"] = json!("AB".repeat(32));
            }
            answer
        }
        _ => query(&[], 12),
    })
    .await;
    let rpc = client_of(&[&node]);
    rpc.status().await.unwrap();
    assert_eq!(rpc.status().await, Err(RpcError::Rewritten { height: 12 }));
    assert_eq!(rpc.abci_query("/p", vec![]).await, Err(RpcError::Rewritten { height: 12 }));
}

#[tokio::test]
async fn a_height_out_of_the_blue_does_not_make_honest_answers_look_old() {
    let liar = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("c", 12),
        _ => query(&[], 1 << 60),
    })
    .await;
    let rpc = client_of(&[&liar]);
    let leap = RpcError::Leap { known: 12, told: 1 << 60 };
    assert_eq!(rpc.abci_query("/p", vec![]).await, Err(leap));
    let braggart = Server::answer(|call| match call["method"].as_str() {
        Some("status") => status("c", 1 << 60),
        _ => query(&[], 1 << 60),
    })
    .await;
    let honest = [Server::answer(healthy).await, Server::answer(healthy).await];
    let rpc = client_of(&[&braggart, &honest[0], &honest[1]]);
    assert_eq!(rpc.abci_query("/p", vec![]).await.unwrap().height, 11);
    assert_eq!(rpc.status().await.unwrap().latest_height, 12);
    assert_eq!(braggart.count("abci_query"), 0);
}

#[tokio::test]
async fn a_node_that_once_told_a_wild_height_poisons_nothing() {
    let told = std::sync::Arc::new(AtomicU64::new(100));
    let fickle = {
        let told = std::sync::Arc::clone(&told);
        Server::answer(move |call| match call["method"].as_str() {
            Some("status") => status("c", told.load(Ordering::Relaxed)),
            _ => query(&[], told.load(Ordering::Relaxed)),
        })
        .await
    };
    let steady = || {
        Server::answer(|call| match call["method"].as_str() {
            Some("status") => status("c", 100),
            _ => query(&[], 100),
        })
    };
    let others = [steady().await, steady().await];
    for nodes in [vec![&fickle, &others[0], &others[1]], vec![&fickle, &others[0]]] {
        told.store(100, Ordering::Relaxed);
        let policy = HealthPolicy { recheck: Duration::ZERO, ..HealthPolicy::default() };
        let rpc = client_of(&nodes).with_policy(policy);
        for height in [100, 1 << 62, 100, 101] {
            told.store(height, Ordering::Relaxed);
            let head = rpc.status().await.unwrap().latest_height;
            let state = rpc.abci_query("/p", vec![]).await.unwrap().height;
            assert!((100..=101).contains(&head) && (100..=101).contains(&state), "{height}: {head}, {state}");
        }
    }
    // Alone, it is refused while it says so and used again afterwards.
    told.store(100, Ordering::Relaxed);
    let rpc = client_of(&[&fickle]);
    rpc.status().await.unwrap();
    told.store(1 << 62, Ordering::Relaxed);
    assert_eq!(rpc.status().await, Err(RpcError::Leap { known: 100, told: 1 << 62 }));
    told.store(101, Ordering::Relaxed);
    assert_eq!(rpc.status().await.unwrap().latest_height, 101);
}
