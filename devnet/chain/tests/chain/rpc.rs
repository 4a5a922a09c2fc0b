//! The RPC as clients use it: subscriptions, searches, what is malformed.

use super::support::{World, address, provider::Provider};
use btc_staking_babylon::proto::incentive::MsgSetWithdrawAddress;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tendermint_rpc::{
    Client, Order, SubscriptionClient, WebSocketClient,
    event::EventData,
    query::{EventType, Query},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_of_blocks_and_of_the_transactions_they_ask_for() {
    let world = World::start().await;
    let url = format!("ws://{}/websocket", world.node.rpc_addr());
    let (client, driver) = WebSocketClient::new(url.as_str()).await.unwrap();
    let driving = tokio::spawn(driver.run());
    let mut blocks = client.subscribe(Query::from(EventType::NewBlock)).await.unwrap();
    let action = "/babylon.btcstaking.v1.MsgCreateFinalityProvider";
    let query = Query::from(EventType::Tx).and_eq("message.action", action);
    let mut txs = client.subscribe(query).await.unwrap();

    let me = address("other");
    let unheard = MsgSetWithdrawAddress { delegator_address: me.clone(), withdraw_address: me };
    world.must("other", &unheard).await;
    let provider = Provider::new("provider-1", 1, 100);
    let included = world.must("provider-1", &provider.registration()).await;

    let heard = tokio::time::timeout(Duration::from_secs(20), txs.next()).await.unwrap().unwrap().unwrap();
    let EventData::Tx { tx_result } = heard.data else { panic!("not a transaction") };
    assert_eq!(tx_result.height, i64::from(included.height));
    let mut heights = vec![];
    while heights.len() < 3 {
        let heard = tokio::time::timeout(Duration::from_secs(20), blocks.next()).await;
        let EventData::NewBlock { block, result_finalize_block, .. } = heard.unwrap().unwrap().unwrap().data
        else {
            panic!("not a block")
        };
        assert!(result_finalize_block.is_some());
        heights.push(block.unwrap().header.height.value());
    }
    assert!(heights.windows(2).all(|pair| pair[1] == pair[0] + 1), "{heights:?}");
    client.close().unwrap();
    driving.await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_found_by_hash_height_and_event() {
    let world = World::start().await;
    let provider = Provider::new("provider-1", 1, 100);
    let included = world.must("provider-1", &provider.registration()).await;
    for query in [
        Query::eq("tx.hash", included.hash.to_string()),
        Query::eq("tx.height", included.height.value()),
        Query::eq("message.action", "/babylon.btcstaking.v1.MsgCreateFinalityProvider"),
    ] {
        let found = world.client.tx_search(query.clone(), false, 1, 10, Order::Ascending).await.unwrap();
        assert_eq!(found.total_count, 1, "{query}");
        assert_eq!(found.txs[0].hash, included.hash);
    }
    let none = Query::eq("message.action", "/no.such.Msg");
    let none = world.client.tx_search(none, false, 1, 10, Order::Descending).await.unwrap();
    assert_eq!(none.total_count, 0);
    let block = world.client.block(included.height).await.unwrap();
    assert_eq!(block.block.data.len(), 1);
    let results = world.client.block_results(included.height).await.unwrap();
    assert_eq!(results.txs_results.unwrap()[0], included.tx_result);
    world.stop().await;
}

/// One HTTP exchange by hand; returns the body.
async fn exchange(world: &World, request: &str) -> Value {
    let mut stream = TcpStream::connect(world.node.rpc_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or(Value::Null)
}

async fn post(world: &World, body: &str) -> Value {
    let length = body.len();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    exchange(world, &format!("{head}Content-Length: {length}\r\n\r\n{body}")).await
}

async fn get(world: &World, path: &str) -> Value {
    exchange(world, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_calls_are_answered_and_the_uri_form_works() {
    let world = World::start().await;
    for (body, code) in [
        ("{", -32700),
        ("{}", -32600),
        (r#"{"method":"nothing","id":1}"#, -32601),
        (r#"{"method":"block","params":{"height":"x"},"id":1}"#, -32602),
        (r#"{"method":"tx","params":{"hash":5},"id":1}"#, -32602),
        (r#"{"method":"block","params":{"height":"99999"},"id":1}"#, -32603),
        (r#"{"method":"tx","params":{"hash":"AAAA"},"id":1}"#, -32603),
        (r#"{"method":"tx_search","params":{"query":"a=b"},"id":1}"#, -32603),
        (r#"{"method":"abci_query","params":{"path":"/x","data":"zz"},"id":1}"#, -32602),
    ] {
        assert_eq!(post(&world, body).await["error"]["code"], code, "{body}");
    }
    let batch = post(&world, r#"[{"method":"health","id":1},{"method":"nothing","id":2}]"#).await;
    assert_eq!(batch[0], json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    assert_eq!(batch[1]["id"], 2);

    assert_eq!(get(&world, "/status").await["result"]["node_info"]["network"], "chain-test");
    assert_eq!(get(&world, "/block?height=1").await["result"]["block"]["header"]["height"], "1");
    assert_eq!(get(&world, "/num_unconfirmed_txs").await["result"]["total"], "0");
    let unknown = get(&world, "/tx?hash=0xff").await;
    assert_eq!(unknown["error"]["data"], "tx (FF) not found");
    let path = "/abci_query?path=%22/babylon.btclightclient.v1.Query/Tip%22";
    assert_eq!(get(&world, path).await["result"]["response"]["code"], 0);
    let chain = get(&world, "/blockchain?minHeight=1&maxHeight=2").await;
    assert!(!chain["result"]["block_metas"].as_array().unwrap().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let mut config =
            btc_staking_devnet_chain::NodeConfig::new(super::support::genesis(), dir.path().join("chain"));
        config.block_time = Duration::from_millis(200);
        btc_staking_devnet_chain::Node::start(config)
    };
    let node = start().await.unwrap();
    let mut heights = vec![];
    for _ in 0..2 {
        let client = tendermint_rpc::HttpClient::new(format!("http://{}", node.rpc_addr()).as_str()).unwrap();
        heights.push(client.status().await.unwrap().sync_info.latest_block_height.value());
        tokio::time::timeout(Duration::from_secs(20), async {
            while node.height() < heights[0] + 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
    }
    let (height, hash) = (node.height(), node.app_hash());
    let rpc = node.rpc_addr();
    node.stop().await;
    assert!(TcpStream::connect(rpc).await.is_err(), "nothing listens any more");
    let node = start().await.unwrap();
    assert!(node.height() >= height);
    let client = tendermint_rpc::HttpClient::new(format!("http://{}", node.rpc_addr()).as_str()).unwrap();
    if node.height() == height {
        assert_eq!(node.app_hash(), hash);
    }
    let results = client.block_results(u32::try_from(height).unwrap()).await.unwrap();
    assert_eq!(results.height.value(), height);
    node.stop().await;
}
