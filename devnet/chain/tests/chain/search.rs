//! Searches over indexed events against a naive look at every block, and the rest of the RPC through a strict client.

use super::support::{World, address, any, provider::Provider};
use btc_staking_babylon::proto::incentive::MsgSetWithdrawAddress;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tendermint_rpc::{Client, Order, Paging, query::Query};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A few blocks with transactions of several kinds, alone and together.
async fn busy_world() -> World {
    let mut world = World::start().await;
    world.mine(3, &[]).await;
    let provider = Provider::new("provider-1", 1, 100);
    world.register(&provider).await;
    for label in ["other", "staker"] {
        let me = address(label);
        let message = any(&MsgSetWithdrawAddress { delegator_address: me.clone(), withdraw_address: me });
        world.send(label, vec![message.clone(), message]).await.unwrap();
    }
    world.next_block().await;
    world
}

type Places = Vec<(u64, u32)>;

/// Every composite key and value with the transactions that have it, by reading all blocks.
async fn naive(world: &World, until: u64) -> BTreeMap<(String, String), Places> {
    let mut found: BTreeMap<_, Places> = BTreeMap::new();
    for height in 1..=until {
        let results = world.client.block_results(u32::try_from(height).unwrap()).await.unwrap();
        for (index, result) in (0u32..).zip(results.txs_results.unwrap_or_default()) {
            for event in result.events {
                for attribute in &event.attributes {
                    let key = format!("{}.{}", event.kind, attribute.key_str().unwrap());
                    let places = found.entry((key, attribute.value_str().unwrap().to_owned())).or_default();
                    if places.last() != Some(&(height, index)) {
                        places.push((height, index));
                    }
                }
            }
        }
    }
    found
}

async fn search(world: &World, query: &str, order: Order) -> (Places, u32) {
    let query: Query = query.parse().unwrap();
    let (mut places, mut page) = (vec![], 1);
    loop {
        let found = world.client.tx_search(query.clone(), false, page, 2, order.clone()).await.unwrap();
        places.extend(found.txs.iter().map(|tx| (tx.height.value(), tx.index)));
        page += 1;
        if places.len() >= found.total_count as usize {
            return (places, found.total_count);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_is_what_reading_every_block_finds() {
    let world = busy_world().await;
    let until = world.node.height();
    let expected = naive(&world, until).await;
    assert!(expected.len() > 30, "{}", expected.len());
    for ((key, value), places) in &expected {
        if value.contains('\'') || value.len() > 300 {
            continue;
        }
        let query = format!("{key} = '{value}' AND tx.height <= {until}");
        let (mut found, total) = search(&world, &query, Order::Ascending).await;
        assert_eq!((&found, total as usize), (places, places.len()), "{query}");
        let (backwards, _) = search(&world, &query, Order::Descending).await;
        found.reverse();
        assert_eq!(backwards, found, "{query}");
    }
    world.stop().await;
}

#[derive(PartialEq)]
enum Then {
    Wait,
    HangUp,
}

/// The answer to a call by hand, since the strict client builds no query it would not send.
async fn found(world: &World, method: &str, query: &str) -> Value {
    let body = json!({"method": method, "id": 1, "params": {"query": query, "per_page": "100"}}).to_string();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer =
        raw(world, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes(), Then::Wait)
            .await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<Value>(body).unwrap()["result"]["total_count"].clone()
}

/// What comes back for bytes after which the client says nothing more, or waits for an answer.
async fn raw(world: &World, bytes: &[u8], then: Then) -> String {
    let mut stream = TcpStream::connect(world.node.rpc_addr()).await.unwrap();
    // The server may close before it has read or written everything.
    let _ = stream.write_all(bytes).await;
    if then == Then::HangUp {
        let _ = stream.shutdown().await;
    }
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operator_narrows_a_search_and_conditions_meet_in_one_event() {
    let world = busy_world().await;
    let set = "/babylon.incentive.MsgSetWithdrawAddress";
    let (one, other) = (address("other"), address("staker"));
    for (query, count) in [
        (format!("message.action='{set}'"), "2"),
        (format!("message.action='{set}' AND message.sender='{one}'"), "1"),
        (format!("message.action CONTAINS 'SetWithdraw' AND message.sender CONTAINS '{other}'"), "1"),
        (format!("message.action='{set}' AND message.sender EXISTS"), "2"),
        // Both values occur in the transaction, but never in one event.
        (format!("message.action='{set}' AND tx.fee='50000ubbn'"), "0"),
        (format!("message.action='{set}' AND message.msg_index=1"), "2"),
        (format!("message.action='{set}' AND message.msg_index>0.5 AND message.msg_index<=1"), "2"),
        (format!("message.action='{set}' AND message.msg_index>1"), "0"),
        (format!("message.action='{set}' AND tx.height>99999"), "0"),
        ("message.nothing EXISTS".to_owned(), "0"),
        ("tx.height<1".to_owned(), "0"),
    ] {
        assert_eq!(found(&world, "tx_search", &query).await, count, "{query}");
    }
    let until = world.node.height();
    assert_eq!(found(&world, "block_search", &format!("block.height<={until}")).await, until.to_string());
    assert_eq!(found(&world, "block_search", "block.height=2").await, "1");
    let mut with_events = 0;
    for height in 1..=until {
        let results = world.client.block_results(u32::try_from(height).unwrap()).await.unwrap();
        with_events += u64::from(!results.finalize_block_events.is_empty());
        for event in results.finalize_block_events {
            for attribute in
                event.attributes.iter().filter(|attribute| attribute.key_str().unwrap() != "mode")
            {
                let (key, value) = (attribute.key_str().unwrap(), attribute.value_str().unwrap());
                if !value.contains('\'') && value.len() < 300 {
                    let query = format!("{}.{key}='{value}' AND block.height={height}", event.kind);
                    assert_eq!(found(&world, "block_search", &query).await, "1", "{query}");
                }
            }
        }
    }
    assert!(with_events > 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_client_decodes_every_answer() {
    let world = busy_world().await;
    let client = &world.client;
    let until = u32::try_from(world.node.height()).unwrap();
    assert!(!client.status().await.unwrap().sync_info.catching_up);
    let genesis = client.genesis::<Value>().await.unwrap();
    assert_eq!(genesis.app_state["chain_id"], "chain-test");
    let block = client.block(until).await.unwrap();
    assert_eq!(client.block_by_hash(block.block_id.hash).await.unwrap().block, Some(block.block.clone()));
    assert_eq!(client.header(until).await.unwrap().header, block.block.header);
    assert_eq!(
        client.header_by_hash(block.block_id.hash).await.unwrap().header,
        Some(block.block.header.clone())
    );
    assert_eq!(block.block.header.hash(), block.block_id.hash);
    let commit = client.commit(until).await.unwrap().signed_header;
    assert_eq!((commit.header, commit.commit.block_id), (block.block.header, block.block_id));
    let listed = client.blockchain(1u32, 3u32).await.unwrap().block_metas;
    let listed: Vec<u64> = listed.iter().map(|meta| meta.header.height.value()).collect();
    assert_eq!(listed, [3, 2, 1]);
    let validators = client.validators(until, Paging::All).await.unwrap();
    assert_eq!((validators.total, validators.validators[0].power.value()), (1, 10));
    assert_eq!(client.consensus_params(until).await.unwrap().consensus_params.block.max_gas, 300_000_000);
    assert_eq!(client.net_info().await.unwrap().n_peers, 0);
    assert!(client.abci_info().await.unwrap().last_block_height.value() >= u64::from(until));
    client.health().await.unwrap();
    let blocks =
        client.block_search("block.height = 2".parse().unwrap(), 1, 1, Order::Ascending).await.unwrap();
    assert_eq!(blocks.blocks[0].block.header.height.value(), 2);
    let query: Query = "message.action = '/babylon.incentive.MsgSetWithdrawAddress'".parse().unwrap();
    let proven = client.tx_search(query, true, 1, 1, Order::Ascending).await.unwrap().txs.remove(0);
    let proof = proven.proof.unwrap();
    let header = client.header(proven.height).await.unwrap().header;
    assert_eq!((Some(proof.root_hash), proof.data), (header.data_hash, proven.tx));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_answered_or_ends_its_connection() {
    let world = World::start().await;
    let upgrade = "GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut seed = 7u64;
    let mut byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    for round in 0..60 {
        let noise: Vec<u8> = (0..200).map(|_| byte()).collect();
        let text = String::from_utf8_lossy(&noise).replace(['\r', '\n', ' '], "");
        let json =
            format!("{{\"id\":{round},\"method\":\"tx_search\",\"params\":{{\"query\":{}}}}}", json!(text));
        let post = |body: &[u8]| {
            let head = format!(
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        for bytes in [noise.clone(), [upgrade.as_bytes(), &noise].concat()] {
            raw(&world, &bytes, Then::HangUp).await;
        }
        for bytes in [
            post(&noise),
            post(json.as_bytes()),
            format!("GET /{text} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes(),
            format!("GET /tx?hash={text} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes(),
        ] {
            raw(&world, &bytes, Then::Wait).await;
        }
    }
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        nested.len()
    );
    raw(&world, format!("{head}{nested}").as_bytes(), Then::Wait).await;
    world.client.status().await.unwrap();
    let height = world.node.height();
    world.wait_for_height(height + 1).await;
    world.stop().await;
}
