//! The simulator's JSON-RPC answers look like a real node's: every field it gives exists there and has the same type.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute,
    consensus::encode, opcodes, script::Builder, transaction,
};
use btc_staking_bitcoin_node::{
    BlockSource, BroadcastOutcome, Broadcaster, BurnLimit,
    bitcoind::{Bitcoind, BitcoindConfig},
    dev::DevNode,
    regtest::{self, RunningBitcoind},
    simulator::{
        Simulator,
        rpc::{Credentials, RpcServer},
    },
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Asks one node everything the simulator serves, in one order, after the same events.
async fn answers(node: &Bitcoind) -> Vec<(String, Value)> {
    let anyone = Builder::new().push_opcode(opcodes::OP_TRUE).into_script();
    let first = node.mine(1, &anyone.to_p2wsh()).await.unwrap()[0];
    node.mine(100, &anyone.to_p2wsh()).await.unwrap();
    let coinbase = node.fetch_block(&first.hash).await.unwrap().unwrap().txdata.remove(0);
    let parent = spend(&coinbase, &anyone);
    let child = spend(&parent, &anyone);
    let grandchild = spend(&child, &anyone);
    assert_eq!(node.broadcast(&parent, BurnLimit::NONE).await.unwrap(), BroadcastOutcome::Accepted);
    let block = node.mine(1, &anyone.to_p2wsh()).await.unwrap()[0];
    assert_eq!(node.broadcast(&child, BurnLimit::NONE).await.unwrap(), BroadcastOutcome::Accepted);
    let (parent_txid, child_txid) = (parent.compute_txid(), child.compute_txid());
    let nowhere: Txid = "ab".repeat(32).parse().unwrap();
    let raw = encode::serialize_hex(&grandchild);
    let spent = encode::serialize_hex(&spend(&coinbase, &anyone));
    let questions = [
        ("getblockchaininfo", json!([])),
        ("getnetworkinfo", json!([])),
        ("getmempoolinfo", json!([])),
        ("getblockcount", json!([])),
        ("getbestblockhash", json!([])),
        ("getblockhash", json!([5])),
        ("getblockhash", json!([5_000])),
        ("getblockheader", json!([first.hash])),
        ("getblockheader", json!([first.hash, false])),
        ("getblock", json!([block.hash, 0])),
        ("getblock", json!([block.hash, 1])),
        ("getblock", json!([block.hash, 2])),
        ("getblock", json!([nowhere])),
        ("getrawtransaction", json!([parent_txid])),
        ("getrawtransaction", json!([parent_txid, true])),
        ("getrawtransaction", json!([child_txid, true])),
        ("getrawtransaction", json!([nowhere, true])),
        ("gettxout", json!([child_txid, 0])),
        ("gettxout", json!([child_txid, 0, false])),
        ("gettxout", json!([parent_txid, 0, false])),
        ("gettxout", json!([nowhere, 0])),
        ("testmempoolaccept", json!([[raw]])),
        ("testmempoolaccept", json!([[spent]])),
        ("sendrawtransaction", json!([spent])),
        ("sendrawtransaction", json!(["zz"])),
        ("sendrawtransaction", json!([raw, 0.000_000_01])),
        ("sendrawtransaction", json!([raw, 0, 0])),
        ("getrawmempool", json!([])),
        ("getrawmempool", json!([true])),
        ("getmempoolentry", json!([child_txid])),
        ("getmempoolentry", json!([nowhere])),
        ("estimatesmartfee", json!([6])),
        ("invalidateblock", json!([nowhere])),
        ("nosuchmethod", json!([])),
    ];
    let mut answers = Vec::new();
    for (method, params) in questions {
        let answer = match node.call(method, params.as_array().unwrap()).await {
            Ok(answer) => answer,
            // The code is what clients go by; words are free.
            Err(error) => json!(format!("code {}", error.detail.rsplit("(code ").next().unwrap())),
        };
        answers.push((format!("{method} {params}"), answer));
    }
    answers
}

fn spend(tx: &Transaction, script: &ScriptBuf) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: tx.compute_txid(), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[script.as_bytes()]),
        }],
        output: vec![TxOut {
            value: tx.output[0].value - Amount::from_sat(10_000),
            script_pubkey: script.to_p2wsh(),
        }],
    }
}

/// Whether everything `ours` says could have been said by the node that says `theirs`.
fn assert_alike(at: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) if is_map_by_txid(theirs) => {
            let (ours, theirs) = (ours.values().next(), theirs.values().next());
            assert_alike(at, ours.unwrap(), theirs.unwrap());
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                let there =
                    theirs.get(key).unwrap_or_else(|| panic!("{at}: a real node has no {key}: {theirs:?}"));
                assert_alike(&format!("{at}.{key}"), value, there);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert_alike(at, ours, theirs);
            }
        }
        (Value::String(ours), Value::String(theirs))
            if ours.starts_with("code ") || theirs.starts_with("code ") =>
        {
            assert_eq!(ours, theirs, "{at}");
        }
        (ours, theirs) => {
            let same = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
            assert!(same, "{at}: {ours} where a real node says {theirs}");
        }
    }
}

fn is_map_by_txid(object: &serde_json::Map<String, Value>) -> bool {
    object.keys().next().is_some_and(|key| key.len() == 64)
}

#[tokio::test]
async fn simulator_answers_in_the_shapes_of_a_real_node() {
    let credentials = Credentials::cookie("0123456789abcdef");
    let simulator = Arc::new(Simulator::with_system_clock());
    let server = RpcServer::start(simulator, ([127, 0, 0, 1], 0).into(), &credentials).await.unwrap();
    let ours =
        answers(&Bitcoind::new(BitcoindConfig::new(server.url(), credentials.to_auth())).unwrap()).await;
    let Some(found) = regtest::find(None).unwrap() else {
        assert!(
            std::env::var_os("REQUIRE_REAL_BITCOIND").is_none_or(|value| value != "1"),
            "REQUIRE_REAL_BITCOIND=1 is set and there is no bitcoind: run `devnet bitcoind install`"
        );
        println!("SKIPPED: no bitcoind on PATH, in BITCOIND_EXE or in the cache folder");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = RunningBitcoind::start(&found.exe, folder.path()).await.unwrap();
    let theirs = answers(&node.client().unwrap()).await;
    node.stop().await.unwrap();
    for ((question, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        assert_alike(question, ours, theirs);
    }
}
