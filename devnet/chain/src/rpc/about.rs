//! What the node says of itself: status, genesis, peers, application.

use super::{
    error::RpcError,
    form::{self, hex_upper},
    methods::Answer,
    params::Params,
};
use crate::node::{assemble::consensus_params, core::Core, ledger::BlockRecord};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tendermint::Time;

/// The release whose forms the answers have.
pub(crate) const COMETBFT_VERSION: &str = "0.38.22";
/// Bytes of a genesis document in one chunk.
const GENESIS_CHUNK: usize = 16 * 1024 * 1024;

/// Answers `status`.
pub(super) fn status(core: &Core) -> Answer {
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
    let validator = &core.validator.info;
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
        "validator_info": {
            "address": form::to_json(&validator.address)?,
            "pub_key": form::to_json(&validator.pub_key)?,
            "voting_power": validator.power().to_string(),
        },
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

/// Answers `net_info`: there are no peers.
pub(super) fn net_info() -> Value {
    json!({"listening": true, "listeners": ["Listener(@)"], "n_peers": "0", "peers": []})
}

fn genesis_document(core: &Core) -> Answer {
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

/// Answers `genesis`; one of several chunks must be asked for chunk by chunk.
pub(super) fn genesis(core: &Core) -> Answer {
    let document = genesis_document(core)?;
    if document.to_string().len() > GENESIS_CHUNK {
        let why = "genesis response is large, please use the genesis_chunked API instead";
        return Err(RpcError::internal(why));
    }
    Ok(json!({"genesis": document}))
}

/// Answers `genesis_chunked`.
pub(super) fn genesis_chunked(core: &Core, params: &Params) -> Answer {
    let document = genesis_document(core)?.to_string();
    let chunks: Vec<&[u8]> = document.as_bytes().chunks(GENESIS_CHUNK).collect();
    let asked = params.number("chunk")?.unwrap_or(0);
    let chunk = usize::try_from(asked).ok().and_then(|asked| chunks.get(asked)).ok_or_else(|| {
        RpcError::internal(format!("there are {} chunks, {asked} is invalid", chunks.len().saturating_sub(1)))
    })?;
    Ok(json!({
        "chunk": asked.to_string(),
        "total": chunks.len().to_string(),
        "data": STANDARD.encode(chunk),
    }))
}

/// Answers `abci_info`.
pub(super) fn abci_info(core: &Core) -> Value {
    json!({"response": {
        "data": crate::app::NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "last_block_height": core.height().to_string(),
        "last_block_app_hash": STANDARD.encode(core.app_hash()),
    }})
}
