//! The methods of the RPC, each a function from parameters to JSON.

use super::{about, blocks, error::RpcError, params::Params, search, txs};
use crate::node::core::Core;
use serde_json::{Value, json};

pub(super) type Answer = Result<Value, RpcError>;

/// Runs a method.
pub(crate) fn call(core: &Core, method: &str, params: &Params) -> Answer {
    match method {
        "health" => Ok(json!({})),
        "status" => about::status(core),
        "net_info" => Ok(about::net_info()),
        "genesis" => about::genesis(core),
        "genesis_chunked" => about::genesis_chunked(core, params),
        "abci_info" => Ok(about::abci_info(core)),
        "blockchain" => blocks::blockchain(core, params),
        "block" => blocks::block(core, params),
        "block_by_hash" => blocks::block_by_hash(core, params),
        "header" => blocks::header(core, params),
        "header_by_hash" => blocks::header_by_hash(core, params),
        "commit" => blocks::commit(core, params),
        "block_results" => blocks::block_results(core, params),
        "validators" => blocks::validators(core, params),
        "consensus_params" => blocks::consensus_params_at(core, params),
        "abci_query" => txs::abci_query(core, params),
        "broadcast_tx_sync" => txs::broadcast_sync(core, params),
        "broadcast_tx_async" => txs::broadcast_async(core, params),
        "check_tx" => txs::check_tx(core, params),
        "unconfirmed_txs" => txs::unconfirmed_txs(core, params),
        "num_unconfirmed_txs" => Ok(txs::num_unconfirmed_txs(core)),
        "tx" => txs::tx(core, params),
        "tx_search" => search::tx_search(core, params),
        "block_search" => search::block_search(core, params),
        _ => Err(RpcError::method_not_found()),
    }
}
