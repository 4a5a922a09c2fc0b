//! The shapes of the answers, as Bitcoin Core documents them.

use crate::{
    ports::BlockRef,
    simulator::{
        chain::{Coin, Stored},
        mempool::{Acceptance, Entry},
        node::Node,
        policy,
        rejection::Rejection,
    },
};
use bitcoin::{Address, Amount, FeeRate, Network, Script, Transaction, consensus::encode};
use serde_json::{Value, json};

/// Our version in Bitcoin Core's notation, for clients that compare: the first with every method we serve.
const VERSION: u32 = 290_000;
const DEFAULT_MAX_MEMPOOL: u32 = 300_000_000;

pub(super) fn blockchain_info(node: &Node) -> Value {
    let tip = node.chain().tip();
    let time = node.chain().block(&tip.hash).map(|stored| stored.block.header.time);
    json!({
        "chain": "regtest",
        "blocks": tip.height,
        "headers": tip.height,
        "bestblockhash": tip.hash,
        "time": time,
        "mediantime": node.chain().median_time_past(),
        "verificationprogress": 1.0,
        "initialblockdownload": false,
        "pruned": false,
        "warnings": [],
    })
}

pub(super) fn network_info() -> Value {
    json!({
        "version": VERSION,
        "subversion": format!("/btc-staking-simulator:{}/", env!("CARGO_PKG_VERSION")),
        "protocolversion": 70_016,
        "localrelay": true,
        "networkactive": false,
        "connections": 0,
        "networks": [],
        "relayfee": feerate(policy::MIN_RELAY_FEERATE),
        "incrementalfee": feerate(policy::MIN_RELAY_FEERATE),
        "localaddresses": [],
        "warnings": [],
    })
}

pub(super) fn mempool_info(node: &Node) -> Value {
    let entries = node.mempool().entries();
    json!({
        "loaded": true,
        "size": entries.len(),
        "bytes": entries.iter().map(|entry| entry.tx.vsize()).sum::<usize>(),
        "total_fee": btc(entries.iter().map(|entry| entry.fee).sum()),
        "maxmempool": DEFAULT_MAX_MEMPOOL,
        "mempoolminfee": feerate(policy::MIN_RELAY_FEERATE),
        "minrelaytxfee": feerate(policy::MIN_RELAY_FEERATE),
        "incrementalrelayfee": feerate(policy::MIN_RELAY_FEERATE),
        "unbroadcastcount": 0,
        "fullrbf": true,
    })
}

pub(super) fn header(node: &Node, block: BlockRef, stored: &Stored) -> Value {
    let header = &stored.block.header;
    let mut answer = json!({
        "hash": block.hash,
        "confirmations": confirmations(node, block),
        "height": block.height,
        "version": header.version.to_consensus(),
        "versionHex": format!("{:08x}", header.version.to_consensus()),
        "merkleroot": header.merkle_root,
        "time": header.time,
        "mediantime": node.chain().median_time_at(block.height),
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "nTx": stored.block.txdata.len(),
    });
    if block.height.to_u32() > 0 {
        set(&mut answer, "previousblockhash", json!(header.prev_blockhash));
    }
    let next = block.height.checked_add(1).filter(|_| node.chain().is_best(&block));
    if let Some(next) = next.and_then(|height| node.chain().hash_at(height)) {
        set(&mut answer, "nextblockhash", json!(next));
    }
    answer
}

pub(super) fn block(
    node: &Node,
    block: BlockRef,
    stored: &Stored,
    show: impl Fn(&Transaction) -> Value,
) -> Value {
    let mut answer = header(node, block, stored);
    set(&mut answer, "size", json!(stored.block.total_size()));
    set(&mut answer, "weight", json!(stored.block.weight()));
    set(&mut answer, "tx", stored.block.txdata.iter().map(show).collect());
    answer
}

pub(super) fn transaction(tx: &Transaction) -> Value {
    let input = |input: &bitcoin::TxIn| {
        let mut answer = if tx.is_coinbase() {
            json!({"coinbase": input.script_sig.to_hex_string()})
        } else {
            json!({
                "txid": input.previous_output.txid,
                "vout": input.previous_output.vout,
                "scriptSig": {"asm": input.script_sig.to_asm_string(), "hex": input.script_sig.to_hex_string()},
            })
        };
        set(&mut answer, "sequence", json!(input.sequence));
        if !input.witness.is_empty() {
            set(
                &mut answer,
                "txinwitness",
                input.witness.iter().map(|item| json!(hex::encode(item))).collect(),
            );
        }
        answer
    };
    let output = |(n, output): (usize, &bitcoin::TxOut)| json!({"value": btc(output.value), "n": n, "scriptPubKey": script(&output.script_pubkey)});
    json!({
        "txid": tx.compute_txid(),
        "hash": tx.compute_wtxid(),
        "version": tx.version,
        "size": tx.total_size(),
        "vsize": tx.vsize(),
        "weight": tx.weight(),
        "locktime": tx.lock_time,
        "vin": tx.input.iter().map(input).collect::<Vec<_>>(),
        "vout": tx.output.iter().enumerate().map(output).collect::<Vec<_>>(),
        "hex": encode::serialize_hex(tx),
    })
}

/// Adds where a confirmed transaction is.
pub(super) fn add_place(answer: &mut Value, node: &Node, block: BlockRef) {
    set(answer, "blockhash", json!(block.hash));
    set(answer, "confirmations", json!(confirmations(node, block)));
    if let Some(stored) = node.chain().block(&block.hash) {
        set(answer, "time", json!(stored.block.header.time));
        set(answer, "blocktime", json!(stored.block.header.time));
    }
}

pub(super) fn coin(node: &Node, coin: &Coin) -> Value {
    let tip = node.chain().tip();
    let confirmations = coin.height.depth_under(tip.height).map_or(0, |depth| u64::from(depth.to_u32()) + 1);
    json!({
        "bestblock": tip.hash,
        "confirmations": confirmations,
        "value": btc(coin.output.value),
        "scriptPubKey": script(&coin.output.script_pubkey),
        "coinbase": coin.coinbase,
    })
}

pub(super) fn mempool_entry(node: &Node, entry: &Entry) -> Value {
    let fee = btc(entry.fee);
    let parents = entry
        .tx
        .input
        .iter()
        .map(|input| input.previous_output.txid)
        .filter(|txid| node.mempool().get(txid).is_some());
    json!({
        "vsize": entry.tx.vsize(),
        "weight": entry.tx.weight(),
        "height": node.chain().tip().height,
        "wtxid": entry.tx.compute_wtxid(),
        "fees": {"base": fee, "modified": fee},
        "depends": parents.collect::<std::collections::BTreeSet<_>>(),
        "bip125-replaceable": true,
        "unbroadcast": false,
    })
}

pub(super) fn test_accept(tx: &Transaction, outcome: Result<Acceptance, Rejection>) -> Value {
    let mut answer = json!({"txid": tx.compute_txid(), "wtxid": tx.compute_wtxid()});
    match outcome {
        Ok(acceptance) => {
            set(&mut answer, "allowed", json!(true));
            set(&mut answer, "vsize", json!(tx.vsize()));
            set(&mut answer, "fees", json!({"base": btc(acceptance.entry.fee)}));
        }
        Err(rejection) => {
            // Here, unlike when sending, Bitcoin Core names missing inputs by their short word.
            let missing = rejection == Rejection::missing_inputs();
            let reason = if missing { "missing-inputs".to_owned() } else { rejection.reason };
            set(&mut answer, "allowed", json!(false));
            set(&mut answer, "reject-reason", json!(reason));
        }
    }
    answer
}

/// How many blocks confirm a block, itself included; -1 off the best chain.
fn confirmations(node: &Node, block: BlockRef) -> i64 {
    let depth = block.height.depth_under(node.chain().tip().height).filter(|_| node.chain().is_best(&block));
    depth.map_or(-1, |depth| i64::from(depth.to_u32()) + 1)
}

fn script(script: &Script) -> Value {
    let mut answer = json!({
        "asm": script.to_asm_string(),
        "hex": script.to_hex_string(),
        "type": script_type(script),
    });
    if let Ok(address) = Address::from_script(script, Network::Regtest) {
        set(&mut answer, "address", json!(address));
    }
    answer
}

fn script_type(script: &Script) -> &'static str {
    match script {
        s if s.is_p2tr() => "witness_v1_taproot",
        s if s.is_p2wpkh() => "witness_v0_keyhash",
        s if s.is_p2wsh() => "witness_v0_scripthash",
        s if s.is_witness_program() => "witness_unknown",
        s if s.is_p2pkh() => "pubkeyhash",
        s if s.is_p2sh() => "scripthash",
        s if s.is_p2pk() => "pubkey",
        s if s.is_multisig() => "multisig",
        s if s.is_op_return() => "nulldata",
        _ => "nonstandard",
    }
}

fn btc(amount: Amount) -> Value {
    json!(amount.to_btc())
}

/// A feerate in BTC per 1,000 virtual bytes.
fn feerate(rate: FeeRate) -> Value {
    btc(Amount::from_sat(rate.to_sat_per_kwu().saturating_mul(4)))
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value);
    }
}
