//! The methods: what each is asked and what it does.

use super::{RpcError, answers, params::Params};
use crate::{
    bitcoind::code,
    ports::{BlockRef, BurnLimit, TxPlace, UtxoView},
    simulator::{chain::Stored, mempool::Entry, node::Node, rejection::Rejection},
};
use bitcoin::{Address, Amount, BlockHash, FeeRate, Network, OutPoint, Transaction, Txid, consensus::encode};
use btc_staking_protocol::height::BtcHeight;
use serde_json::{Value, json};
use std::str::FromStr;

type Answer = Result<Value, RpcError>;

/// Most blocks one call mines.
const MAX_GENERATE: u32 = 100_000;
/// Bitcoin Core's own cap on a sender's feerate: 0.10 BTC per 1,000 virtual bytes.
const DEFAULT_MAX_FEERATE: Amount = Amount::from_sat(10_000_000);

/// Calls a method.
pub(super) fn call(node: &mut Node, method: &str, params: &Params<'_>) -> Answer {
    match method {
        "getblockchaininfo" => Ok(answers::blockchain_info(node)),
        "getnetworkinfo" => Ok(answers::network_info()),
        "getmempoolinfo" => Ok(answers::mempool_info(node)),
        "getblockcount" => Ok(json!(node.chain().tip().height)),
        "getbestblockhash" => Ok(json!(node.chain().tip().hash)),
        "getblockhash" => get_block_hash(node, params),
        "getblockheader" => get_block_header(node, params),
        "getblock" => get_block(node, params),
        "getrawtransaction" => get_raw_transaction(node, params),
        "gettxout" => get_tx_out(node, params),
        "sendrawtransaction" => send_raw_transaction(node, params),
        "testmempoolaccept" => test_mempool_accept(node, params),
        "getrawmempool" => get_raw_mempool(node, params),
        "getmempoolentry" => get_mempool_entry(node, params),
        "estimatesmartfee" => estimate_smart_fee(params),
        "generatetoaddress" => generate_to_address(node, params),
        "invalidateblock" => {
            let hash = params.hash(0, "blockhash")?;
            node.invalidate(&hash).map(|()| Value::Null).map_err(|why| RpcError::new(code::NOT_FOUND, why))
        }
        "reconsiderblock" => {
            let hash = params.hash(0, "blockhash")?;
            node.reconsider(&hash).map(|()| Value::Null).map_err(|why| RpcError::new(code::NOT_FOUND, why))
        }
        _ => Err(RpcError::new(code::METHOD_NOT_FOUND, "Method not found")),
    }
}

fn get_block_hash(node: &Node, params: &Params<'_>) -> Answer {
    let height = BtcHeight::new(params.number(0, "height")?);
    let hash = node.chain().hash_at(height);
    hash.map(|hash| json!(hash))
        .ok_or_else(|| RpcError::new(code::INVALID_PARAMETER, "Block height out of range"))
}

fn find_block<'a>(node: &'a Node, params: &Params<'_>) -> Result<(BlockRef, &'a Stored), RpcError> {
    let hash: BlockHash = params.hash(0, "blockhash")?;
    let stored =
        node.chain().block(&hash).ok_or_else(|| RpcError::new(code::NOT_FOUND, "Block not found"))?;
    Ok((BlockRef { height: stored.height, hash }, stored))
}

fn get_block_header(node: &Node, params: &Params<'_>) -> Answer {
    let verbose = params.level(1, "verbose", 1)?;
    let (block_ref, stored) = find_block(node, params)?;
    if verbose == 0 {
        return Ok(json!(encode::serialize_hex(&stored.block.header)));
    }
    Ok(answers::header(node, block_ref, stored))
}

fn get_block(node: &Node, params: &Params<'_>) -> Answer {
    let verbosity = params.level(1, "verbosity", 1)?;
    let (block_ref, stored) = find_block(node, params)?;
    match verbosity {
        0 => Ok(json!(encode::serialize_hex(&stored.block))),
        1 => Ok(answers::block(node, block_ref, stored, |tx| json!(tx.compute_txid()))),
        _ => Ok(answers::block(node, block_ref, stored, answers::transaction)),
    }
}

fn get_raw_transaction(node: &Node, params: &Params<'_>) -> Answer {
    let txid: Txid = params.hash(0, "txid")?;
    let place = node.locate(&txid);
    let tx = match place {
        TxPlace::Unknown => None,
        TxPlace::Mempool => node.mempool().get(&txid),
        TxPlace::Confirmed(_) => node.chain().transaction(&txid),
    };
    let tx = tx.ok_or_else(|| {
        RpcError::new(
            code::NOT_FOUND,
            "No such mempool or blockchain transaction. Use gettransaction for wallet transactions.",
        )
    })?;
    if params.level(1, "verbosity", 0)? == 0 {
        return Ok(json!(encode::serialize_hex(tx)));
    }
    let mut answer = answers::transaction(tx);
    if let TxPlace::Confirmed(block) = place {
        answers::add_place(&mut answer, node, block);
    }
    Ok(answer)
}

fn get_tx_out(node: &Node, params: &Params<'_>) -> Answer {
    let outpoint = OutPoint { txid: params.hash(0, "txid")?, vout: params.number(1, "n")? };
    let view =
        if params.level(2, "include_mempool", 1)? == 0 { UtxoView::Chain } else { UtxoView::ChainAndMempool };
    Ok(node.coin(&outpoint, view).map_or(Value::Null, |coin| answers::coin(node, &coin)))
}

fn send_raw_transaction(node: &mut Node, params: &Params<'_>) -> Answer {
    let tx = decode_transaction(params.text(0, "hexstring")?)?;
    let burn = BurnLimit(params.amount(2, "maxburnamount")?.unwrap_or(Amount::ZERO));
    let txid = node.submit(&tx, burn, max_feerate(params)?).map_err(refused)?;
    Ok(json!(txid))
}

fn test_mempool_accept(node: &Node, params: &Params<'_>) -> Answer {
    let raw = params.texts(0, "rawtxs")?;
    let [raw] = raw.as_slice() else {
        return Err(RpcError::new(code::INVALID_PARAMETER, "Array must contain exactly one transaction"));
    };
    let tx = decode_transaction(raw)?;
    Ok(json!([answers::test_accept(&tx, node.check(&tx))]))
}

fn get_raw_mempool(node: &Node, params: &Params<'_>) -> Answer {
    let entries = node.mempool().entries();
    if params.level(0, "verbose", 0)? == 0 {
        return Ok(entries.iter().map(|entry| json!(entry.txid)).collect());
    }
    let all = entries.iter().map(|entry| (entry.txid.to_string(), answers::mempool_entry(node, entry)));
    Ok(Value::Object(all.collect()))
}

fn get_mempool_entry(node: &Node, params: &Params<'_>) -> Answer {
    let txid: Txid = params.hash(0, "txid")?;
    let find = |entry: &&Entry| entry.txid == txid;
    let entry = node.mempool().entries().iter().find(find);
    entry
        .map(|entry| answers::mempool_entry(node, entry))
        .ok_or_else(|| RpcError::new(code::NOT_FOUND, "Transaction not in mempool"))
}

fn estimate_smart_fee(params: &Params<'_>) -> Answer {
    let blocks = params.number(0, "conf_target")?;
    Ok(json!({"errors": ["Insufficient data or no feerate found"], "blocks": blocks}))
}

fn generate_to_address(node: &mut Node, params: &Params<'_>) -> Answer {
    let blocks = params.number(0, "nblocks")?;
    if blocks > MAX_GENERATE {
        let message = format!("nblocks {blocks} is more than {MAX_GENERATE}");
        return Err(RpcError::new(code::INVALID_PARAMETER, message));
    }
    let address = Address::from_str(params.text(1, "address")?)
        .ok()
        .and_then(|address| address.require_network(Network::Regtest).ok())
        .ok_or_else(|| RpcError::new(code::NOT_FOUND, "Error: Invalid address"))?;
    let script = address.script_pubkey();
    Ok((0..blocks).map(|_| json!(node.mine(&script).hash)).collect())
}

fn decode_transaction(raw: &str) -> Result<Transaction, RpcError> {
    encode::deserialize_hex(raw).map_err(|_| {
        RpcError::new(code::DESERIALIZATION, "TX decode failed. Make sure the tx has at least one input.")
    })
}

/// The sender's feerate guard; 0 means none.
fn max_feerate(params: &Params<'_>) -> Result<Option<FeeRate>, RpcError> {
    let per_kvb = params.amount(1, "maxfeerate")?.unwrap_or(DEFAULT_MAX_FEERATE);
    if per_kvb == Amount::ZERO {
        return Ok(None);
    }
    Ok(Some(FeeRate::from_sat_per_kwu(per_kvb.to_sat() / 4)))
}

fn refused(rejection: Rejection) -> RpcError {
    RpcError::new(rejection.code, rejection.reason)
}
