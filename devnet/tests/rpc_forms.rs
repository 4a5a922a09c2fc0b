//! The single-process node's RPC answers in the forms of a real CometBFT 0.38: both are asked the same, and every answer
//! must have the same members with the same kinds of values. Skipped, and said so, without COMETBFT_EXE.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // Helpers beside the test unwrap as the test does.

#[allow(dead_code)] // shared with the tests that hold doors to the contract
mod one_account;

use async_tungstenite::{
    WebSocketStream,
    tokio::{ConnectStream, connect_async},
    tungstenite::Message,
};
use bitcoin::block::Header;
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_devnet::comet::{CometNetwork, CometOptions};
use btc_staking_devnet_chain::{Node, NodeConfig};
use btc_staking_pos_chain::{ChainMessage, MessageOutcome, connect::Connector as _};
use futures::{SinkExt as _, StreamExt as _};
use one_account::{DEADLINE, connected, endpoint, genesis, mine, secret};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

/// A chain under test with what is known of its one transaction.
struct Side {
    rpc: String,
    /// The newest Bitcoin header it knows.
    header: Header,
    tx_hash: String,
    tx_height: u64,
    block_hash: String,
}

/// One JSON-RPC call; the whole answer.
async fn call(rpc: &str, method: &str, params: &Value) -> Value {
    let host = rpc.strip_prefix("http://").unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, mut body) = answer.split_once("\r\n\r\n").unwrap();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        let mut whole = String::new();
        while let Some((length, rest)) = body.split_once("\r\n") {
            let length = usize::from_str_radix(length, 16).unwrap();
            whole.push_str(&rest[..length]);
            body = rest[length..].strip_prefix("\r\n").unwrap();
            if length == 0 {
                break;
            }
        }
        return serde_json::from_str(&whole).unwrap();
    }
    serde_json::from_str(body).unwrap_or_else(|err| panic!("{err}: {answer}"))
}

impl Side {
    /// Sends a transaction and waits until two blocks lie on top of it.
    async fn prepare(rpc: String) -> Self {
        let endpoint = endpoint(std::slice::from_ref(&rpc));
        let chain = connected(&endpoint, 2).await;
        let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
        let header = mine(&chain.fetch_light_client_base().await.unwrap().header);
        let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![header])]).await.unwrap();
        let MessageOutcome::Accepted { tx_hash, height } = &outcomes[0] else { panic!("{outcomes:?}") };
        let deadline = Instant::now() + DEADLINE;
        while chain.fetch_head().await.unwrap().height.to_u64() < height.to_u64() + 2 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let block = call(&rpc, "block", &json!({"height": height.to_u64().to_string()})).await;
        let block_hash = block["result"]["block_id"]["hash"].as_str().unwrap().to_owned();
        Self { rpc, header, tx_hash: tx_hash.clone(), tx_height: height.to_u64(), block_hash }
    }

    fn calls(&self) -> Vec<(&'static str, Value)> {
        let (height, base64) =
            (self.tx_height.to_string(), |hex: &str| base64_of(&hex::decode(hex).unwrap()));
        let (tx, hash) = (base64(&self.tx_hash), base64(&self.block_hash));
        let at = json!({"height": height});
        let search = |query: &str| json!({"query": query, "page": "1", "per_page": "5", "order_by": "asc"});
        let by_hash = format!("tx.hash='{}'", self.tx_hash);
        let by_height = format!("tx.height={height}");
        let by_event = "message.action='/babylon.btclightclient.v1.MsgInsertHeaders'";
        let many = format!("{by_event} AND tx.height>=1 AND message.sender EXISTS");
        let sender = "btc_staking_no.such EXISTS";
        let tip = "/babylon.btclightclient.v1.Query/Tip";
        vec![
            ("health", json!({})),
            ("status", json!({})),
            ("net_info", json!({})),
            ("genesis", json!({})),
            ("genesis_chunked", json!({"chunk": "0"})),
            ("genesis_chunked", json!({"chunk": "7"})),
            ("abci_info", json!({})),
            ("abci_query", json!({"path": tip, "data": "", "prove": false})),
            ("abci_query", json!({"path": tip, "data": "ff"})),
            ("abci_query", json!({"path": tip, "data": "", "height": "1"})),
            ("abci_query", json!({"path": "/nothing"})),
            ("blockchain", json!({"minHeight": "1", "maxHeight": "3"})),
            ("blockchain", json!({"minHeight": "0", "maxHeight": "0"})),
            ("blockchain", json!({"minHeight": "3", "maxHeight": "1"})),
            ("blockchain", json!({"minHeight": "-1", "maxHeight": "1"})),
            ("block", at.clone()),
            ("block", json!({"height": "1"})),
            ("block", json!({})),
            ("block", json!({"height": "0"})),
            ("block", json!({"height": "-3"})),
            ("block_by_hash", json!({"hash": hash})),
            ("block_by_hash", json!({"hash": tx})),
            ("header", at.clone()),
            ("header_by_hash", json!({"hash": self.block_hash})),
            ("header_by_hash", json!({"hash": self.tx_hash})),
            ("consensus_params", json!({"height": "99999999"})),
            ("abci_query", json!({"path": tip, "height": "99999999"})),
            ("tx_search", json!({"query": "tx.hash='zz'"})),
            ("block_search", json!({"query": "block.height>0", "per_page": "3", "order_by": "asc"})),
            ("block_search", json!({"query": "block.height>0", "per_page": "-1"})),
            ("commit", at.clone()),
            ("commit", json!({})),
            ("block_results", at.clone()),
            ("block_results", json!({"height": "1"})),
            ("validators", at.clone()),
            ("validators", json!({"page": "1", "per_page": "1"})),
            ("validators", json!({"page": "2", "per_page": "1"})),
            ("consensus_params", at),
            ("consensus_params", json!({})),
            ("unconfirmed_txs", json!({"limit": "5"})),
            ("num_unconfirmed_txs", json!({})),
            ("check_tx", json!({"tx": tx})),
            ("broadcast_tx_sync", json!({"tx": hash})),
            ("broadcast_tx_async", json!({"tx": tx})),
            ("tx", json!({"hash": tx})),
            ("tx", json!({"hash": tx, "prove": true})),
            ("tx", json!({"hash": hash})),
            ("tx_search", search(&by_hash)),
            ("tx_search", search(&by_height)),
            ("tx_search", search(by_event)),
            ("tx_search", search(&many)),
            ("tx_search", search(sender)),
            ("tx_search", json!({"query": by_event, "prove": true, "page": "9"})),
            ("tx_search", json!({"query": by_event, "prove": true, "per_page": "1"})),
            ("tx_search", json!({"query": by_event, "order_by": "up"})),
            ("tx_search", json!({"query": "nonsense"})),
            ("block_search", search("block.height=2")),
            ("block_search", search("block.height>1 AND block.height<=3")),
            ("block_search", search(sender)),
            ("no_such_method", json!({})),
        ]
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn kind_of_text(text: &str) -> &'static str {
    let is_hex = |digits: fn(&u8) -> bool| text.len() >= 40 && text.as_bytes().iter().all(digits);
    if text.is_empty() {
        "empty text"
    } else if text.parse::<i128>().is_ok() {
        "integer in quotes"
    } else if is_hex(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte)) {
        "upper-case hex"
    } else if is_hex(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)) {
        "lower-case hex"
    } else if text.contains('T') && text.ends_with('Z') && text.starts_with("20") {
        "time"
    } else {
        "text"
    }
}

/// Every way to a value with the kind of value there; the members of a list count together.
fn form(at: &str, value: &Value, into: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        // What attributes say and what errors and logs say is the application's and the author's.
        Value::String(_) if at.ends_with("attributes[].value") || at.ends_with(".log") => "text",
        Value::String(_) if at.ends_with("error.data") || at.contains("app_state") => "text",
        Value::String(_) if at.starts_with(".result.events.") => "text",
        Value::String(text) => kind_of_text(text),
        Value::Array(items) if items.is_empty() => "empty list",
        Value::Array(items) => return items.iter().for_each(|item| form(&format!("{at}[]"), item, into)),
        Value::Object(members) if members.is_empty() => "empty object",
        Value::Object(members) => {
            return members.iter().for_each(|(name, value)| form(&format!("{at}.{name}"), value, into));
        }
    };
    into.insert(format!("{at}: {kind}"));
}

/// A subscription: what was answered to it, and the connection on which its events come.
struct Subscription {
    answer: Value,
    socket: WebSocketStream<ConnectStream>,
}

impl Subscription {
    async fn open(side: &Side, query: &str) -> Self {
        let url = format!("ws://{}/websocket", side.rpc.strip_prefix("http://").unwrap());
        let (socket, _) = connect_async(url.as_str()).await.unwrap();
        let mut subscription = Self { answer: Value::Null, socket };
        let request = json!({"jsonrpc": "2.0", "id": 3, "method": "subscribe", "params": {"query": query}});
        subscription.socket.send(Message::Text(request.to_string())).await.unwrap();
        subscription.answer = subscription.next().await;
        subscription
    }

    async fn next(&mut self) -> Value {
        loop {
            match tokio::time::timeout(DEADLINE, self.socket.next()).await.unwrap().unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                _ => continue,
            }
        }
    }
}

/// Subscribes to every kind of event on both sides and compares the first of each.
async fn compare_events(real: &Side, ours: &Side) -> Vec<String> {
    let mut differences = vec![];
    for kind in ["NewBlock", "NewBlockHeader", "NewBlockEvents", "Tx"] {
        let mut forms = vec![];
        for side in [real, ours] {
            let mut subscription = Subscription::open(side, &format!("tm.event='{kind}'")).await;
            if kind == "Tx" {
                let sender = BabylonConnector
                    .open_account(&endpoint(std::slice::from_ref(&side.rpc)), secret())
                    .await
                    .unwrap();
                let message = ChainMessage::InsertHeaders(vec![mine(&side.header)]);
                sender.submit(vec![message]).await.unwrap();
            }
            let mut found = BTreeSet::new();
            form("answer", &subscription.answer, &mut found);
            let mut event = subscription.next().await;
            // Which modules spoke depends on the height.
            event["result"]["events"].as_object_mut().unwrap().retain(|key, _| key.starts_with('t'));
            form("", &event, &mut found);
            forms.push(found);
        }
        let missing: Vec<_> = forms[0].difference(&forms[1]).collect();
        let extra: Vec<_> = forms[1].difference(&forms[0]).collect();
        if !missing.is_empty() || !extra.is_empty() {
            differences.push(format!("event {kind}\n  missing {missing:#?}\n  extra {extra:#?}"));
        }
    }
    differences
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_forms_of_a_real_cometbft() {
    let Some(cometbft) = std::env::var_os("COMETBFT_EXE") else {
        println!("skipped: COMETBFT_EXE names no CometBFT");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let devnet = env!("CARGO_BIN_EXE_devnet");
    let network = CometNetwork::start(CometOptions {
        cometbft: cometbft.into(),
        devnet: devnet.into(),
        leash: [devnet, "leash", &std::process::id().to_string(), "--"].map(Into::into).to_vec(),
        folder: dir.path().join("homes"),
        logs: dir.path().join("logs"),
        genesis: genesis(),
        validators: 1,
        block_time: Duration::from_millis(300),
    });
    let network = network.await.unwrap();
    let mut config = NodeConfig::new(network.genesis().clone(), dir.path().join("chain"));
    config.block_time = Duration::from_millis(300);
    let node = Node::start(config).await.unwrap();
    let real = Side::prepare(network.rpc()[0].clone()).await;
    let ours = Side::prepare(format!("http://{}", node.rpc_addr())).await;
    let mut differences = vec![];
    for ((method, theirs), (_, mine)) in real.calls().into_iter().zip(ours.calls()) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let (theirs, answer) = loop {
            let theirs = call(&real.rpc, method, &theirs).await;
            let answer = call(&ours.rpc, method, &mine).await;
            // CometBFT names a height a moment before it has that height's state.
            let alike = theirs.get("error").is_some() == answer.get("error").is_some();
            if alike || Instant::now() > deadline {
                break (theirs, answer);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let [expected, found] = [&theirs, &answer].map(|answer| {
            let mut forms = BTreeSet::new();
            form("", answer, &mut forms);
            forms
        });
        let missing: Vec<_> = expected.difference(&found).collect();
        let extra: Vec<_> = found.difference(&expected).collect();
        if !missing.is_empty() || !extra.is_empty() {
            differences.push(format!("{method} {mine}\n  missing {missing:#?}\n  extra {extra:#?}"));
        } else if theirs["error"] != Value::Null {
            // Texts differ where they name hashes and heights; people compare the rest by eye.
            println!("{method} {mine}\n  theirs {}\n  ours   {}", theirs["error"], answer["error"]);
        }
    }
    differences.extend(compare_events(&real, &ours).await);
    node.stop().await;
    network.stop();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
