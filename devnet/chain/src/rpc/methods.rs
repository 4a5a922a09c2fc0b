//! The methods of the RPC, each a function from parameters to JSON.

use super::{
    error::RpcError,
    form::{self, hex_upper},
    params::Params,
    search,
};
use crate::{
    app::{Checked, QueryInput, tx_hash},
    error::Refusal,
    node::{assemble::consensus_params, core::Core, ledger::BlockRecord},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tendermint::Time;

/// Most headers in one answer of `blockchain`.
const MAX_METAS: u64 = 20;
/// The release whose forms the answers have.
pub(crate) const COMETBFT_VERSION: &str = "0.38.22";

type Answer = Result<Value, RpcError>;

/// Runs a method.
pub(crate) fn call(core: &Core, method: &str, params: &Params) -> Answer {
    match method {
        "health" => Ok(json!({})),
        "status" => status(core),
        "net_info" => Ok(json!({"listening": true, "listeners": [], "n_peers": "0", "peers": []})),
        "genesis" => Ok(json!({"genesis": genesis(core)?})),
        "genesis_chunked" => genesis_chunked(core, params),
        "blockchain" => blockchain(core, params),
        "block" => block(core, params),
        "block_by_hash" => Err(RpcError::internal("blocks are found by height on this node")),
        "header" => {
            let (_, record) = block_at(core, params)?;
            Ok(json!({"header": form::to_json(&record.header()?)?}))
        }
        "commit" => commit(core, params),
        "block_results" => block_results(core, params),
        "validators" => validators(core, params),
        "consensus_params" => consensus_params_at(core, params),
        "abci_info" => abci_info(core),
        "abci_query" => abci_query(core, params),
        "broadcast_tx_sync" => broadcast_sync(core, params),
        "broadcast_tx_async" => broadcast_async(core, params),
        "check_tx" => Err(RpcError::internal("transactions are checked by broadcast_tx_sync on this node")),
        "unconfirmed_txs" => unconfirmed_txs(core, params),
        "num_unconfirmed_txs" => Ok(unconfirmed(core, 0, |_| Value::Null)),
        "tx" => tx(core, params),
        "tx_search" => search::tx_search(core, params),
        "block_search" => search::block_search(core, params),
        _ => Err(RpcError::method_not_found()),
    }
}

fn status(core: &Core) -> Answer {
    let height = core.height();
    let latest = core.block(height)?;
    let earliest = core.block(1)?;
    let genesis_time = Time::from_unix_timestamp(core.genesis.genesis_time, 0).map_err(RpcError::internal)?;
    let time = |record: &Option<BlockRecord>| -> Answer {
        Ok(match record {
            Some(record) => form::to_json(&record.header()?.time)?,
            None => form::to_json(&genesis_time)?,
        })
    };
    let hashes = |record: &Option<BlockRecord>| -> Result<(String, String), RpcError> {
        let Some(record) = record else { return Ok((String::new(), String::new())) };
        let header = record.header()?;
        Ok((hex_upper(header.hash().as_bytes()), hex_upper(header.app_hash.as_bytes())))
    };
    let (latest_hash, _) = hashes(&latest)?;
    let (earliest_hash, earliest_app_hash) = hashes(&earliest)?;
    Ok(json!({
        "node_info": node_info(core),
        "sync_info": {
            "latest_block_hash": latest_hash,
            "latest_app_hash": hex_upper(&core.app_hash()),
            "latest_block_height": height.to_string(),
            "latest_block_time": time(&latest)?,
            "earliest_block_hash": earliest_hash,
            "earliest_app_hash": earliest_app_hash,
            "earliest_block_height": "1",
            "earliest_block_time": time(&earliest)?,
            "catching_up": false,
        },
        "validator_info": form::to_json(&core.validator.info)?,
    }))
}

/// The node's id in the network of peers it does not have.
pub(crate) fn node_id(chain_id: &str) -> String {
    hex::encode(&Sha256::digest(format!("devnet node of {chain_id}"))[..20])
}

fn node_info(core: &Core) -> Value {
    let chain_id = core.genesis.chain_id.as_str();
    json!({
        "protocol_version": {"p2p": "8", "block": "11", "app": "0"},
        "id": node_id(chain_id),
        "listen_addr": "tcp://127.0.0.1:0",
        "network": chain_id,
        "version": COMETBFT_VERSION,
        "channels": "40202122233038606100",
        "moniker": "devnet",
        "other": {"tx_index": "on", "rpc_address": "tcp://127.0.0.1:0"},
    })
}

fn genesis(core: &Core) -> Answer {
    let time = Time::from_unix_timestamp(core.genesis.genesis_time, 0).map_err(RpcError::internal)?;
    let info = &core.validator.info;
    Ok(json!({
        "genesis_time": form::to_json(&time)?,
        "chain_id": core.genesis.chain_id,
        "initial_height": "1",
        "consensus_params": consensus_params(),
        "validators": [{
            "address": form::to_json(&info.address)?,
            "pub_key": form::to_json(&info.pub_key)?,
            "power": info.power().to_string(),
            "name": "devnet",
        }],
        "app_hash": "",
        "app_state": form::to_json(&core.genesis)?,
    }))
}

fn genesis_chunked(core: &Core, params: &Params) -> Answer {
    if params.number("chunk")?.unwrap_or(0) != 0 {
        return Err(RpcError::internal("there is only chunk 0"));
    }
    let data = STANDARD.encode(genesis(core)?.to_string());
    Ok(json!({"chunk": "0", "total": "1", "data": data}))
}

/// The block at the height asked for, the latest when none is.
fn block_at(core: &Core, params: &Params) -> Result<(u64, BlockRecord), RpcError> {
    let latest = core.height();
    let height = params.number("height")?.unwrap_or(latest);
    if height == 0 && latest > 0 {
        return Err(RpcError::internal("height must be greater than 0, but got 0"));
    }
    if height > latest {
        return Err(RpcError::internal(format!(
            "height {height} must be less than or equal to the current blockchain height {latest}"
        )));
    }
    let record = core.block(height)?;
    let record = record
        .ok_or_else(|| RpcError::internal(format!("height {height} is not available, lowest height is 1")))?;
    Ok((height, record))
}

fn block(core: &Core, params: &Params) -> Answer {
    let (height, record) = block_at(core, params)?;
    let previous = core.block(height.saturating_sub(1))?;
    Ok(json!({"block_id": form::block_id(&record)?, "block": form::block(&record, previous.as_ref())?}))
}

fn commit(core: &Core, params: &Params) -> Answer {
    let (_, record) = block_at(core, params)?;
    Ok(json!({
        "signed_header": {
            "header": form::to_json(&record.header()?)?,
            "commit": form::to_json(&record.commit()?)?,
        },
        "canonical": true,
    }))
}

fn block_results(core: &Core, params: &Params) -> Answer {
    let (height, record) = block_at(core, params)?;
    let results: Vec<Value> = record.results.iter().map(form::tx_result).collect();
    Ok(json!({
        "height": height.to_string(),
        "txs_results": if results.is_empty() { Value::Null } else { results.into() },
        "finalize_block_events": form::events(&record.events),
        "validator_updates": null,
        "consensus_param_updates": null,
        "app_hash": STANDARD.encode(&record.app_hash),
    }))
}

fn blockchain(core: &Core, params: &Params) -> Answer {
    let latest = core.height();
    let bound = |name| params.number(name).map(|height| height.filter(|height| *height > 0));
    let max = bound("maxHeight")?.unwrap_or(latest).min(latest);
    let min = bound("minHeight")?.unwrap_or(1).max(max.saturating_sub(MAX_METAS - 1));
    if min > max {
        return Err(RpcError::internal(format!("min height {min} can't be greater than max height {max}")));
    }
    let mut metas = vec![];
    for height in (min..=max).rev() {
        if let Some(record) = core.block(height)? {
            metas.push(form::block_meta(&record)?);
        }
    }
    Ok(json!({"last_height": latest.to_string(), "block_metas": metas}))
}

fn validators(core: &Core, params: &Params) -> Answer {
    let height = params.number("height")?.unwrap_or_else(|| core.height());
    Ok(json!({
        "block_height": height.to_string(),
        "validators": [form::to_json(&core.validator.info)?],
        "count": "1",
        "total": "1",
    }))
}

fn consensus_params_at(core: &Core, params: &Params) -> Answer {
    let height = params.number("height")?.unwrap_or_else(|| core.height());
    Ok(json!({"block_height": height.to_string(), "consensus_params": consensus_params()}))
}

fn abci_info(core: &Core) -> Answer {
    Ok(json!({"response": {
        "data": "btc-staking devnet chain",
        "version": env!("CARGO_PKG_VERSION"),
        "app_version": "0",
        "last_block_height": core.height().to_string(),
        "last_block_app_hash": STANDARD.encode(core.app_hash()),
    }}))
}

fn abci_query(core: &Core, params: &Params) -> Answer {
    let path = params.text("path")?.unwrap_or_default();
    let data = params.hex("data")?;
    let height = params.number("height")?.unwrap_or(0);
    let output = core.query(QueryInput { path: &path, data: &data, height })?;
    let (value, refusal) = match output.answer {
        Ok(value) => (value, None),
        Err(refusal) => (vec![], Some(refusal.in_query())),
    };
    let Refusal { codespace, code, log, .. } = refusal.unwrap_or_else(Refusal::none);
    let value = if value.is_empty() { Value::Null } else { STANDARD.encode(value).into() };
    Ok(json!({"response": {
        "code": code,
        "log": log,
        "info": "",
        "index": "0",
        "key": null,
        "value": value,
        "proofOps": null,
        "height": output.height.to_string(),
        "codespace": codespace,
    }}))
}

fn broadcast_sync(core: &Core, params: &Params) -> Answer {
    let bytes = params.bytes("tx")?;
    let hash = tx_hash(&bytes);
    let Checked { result, .. } = core.take_over(bytes)?;
    Ok(json!({
        "code": result.code,
        "data": "",
        "log": result.log,
        "codespace": result.codespace,
        "hash": hex_upper(&hash),
    }))
}

/// Answers before the checks count for anything; what they find is not told.
fn broadcast_async(core: &Core, params: &Params) -> Answer {
    let bytes = params.bytes("tx")?;
    let hash = tx_hash(&bytes);
    if let Err(why) = core.take_over(bytes) {
        tracing::debug!(%why, "transaction not taken over");
    }
    Ok(json!({"code": 0, "data": "", "log": "", "codespace": "", "hash": hex_upper(&hash)}))
}

fn unconfirmed_txs(core: &Core, params: &Params) -> Answer {
    let limit = params.number("limit")?.unwrap_or(30).clamp(1, 100);
    let limit = usize::try_from(limit).unwrap_or(100);
    Ok(unconfirmed(core, limit, |txs| txs.iter().map(|tx| STANDARD.encode(tx)).collect()))
}

fn unconfirmed(core: &Core, limit: usize, list: impl Fn(&[Vec<u8>]) -> Value) -> Value {
    let (total, bytes, first) = core.waiting(limit);
    let shown = if limit == 0 { total } else { first.len() };
    json!({
        "n_txs": shown.to_string(),
        "total": total.to_string(),
        "total_bytes": bytes.to_string(),
        "txs": list(&first),
    })
}

fn tx(core: &Core, params: &Params) -> Answer {
    let hash = params.bytes("hash")?;
    let not_found = || RpcError::internal(format!("tx ({}) not found", hex_upper(&hash)));
    let place = core.place(&hash)?.ok_or_else(not_found)?;
    let record = core.block(place.height)?.ok_or_else(not_found)?;
    let index = usize::try_from(place.index).map_err(RpcError::internal)?;
    form::tx(place.height, index, &record).ok_or_else(not_found)
}
