//! Transactions on their way and in blocks, and the application's queries.

use super::{
    error::RpcError,
    form::{self, hex_upper},
    methods::Answer,
    params::Params,
    search::per_page,
};
use crate::{
    app::{Checked, QueryInput, tx_hash},
    error::Refusal,
    node::core::Core,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Answers `abci_query`.
pub(super) fn abci_query(core: &Core, params: &Params) -> Answer {
    let path = params.text("path")?.unwrap_or_default();
    let data = params.hex("data")?;
    let height = params.number("height")?.unwrap_or(0);
    let output = core.query(QueryInput { path: &path, data: &data, height })?;
    let (value, refusal) = match output.answer {
        Ok(value) => (value, Refusal::none()),
        Err(refusal) => (vec![], refusal.in_query()),
    };
    Ok(json!({"response": {
        "code": refusal.code,
        "log": refusal.log,
        "info": "",
        "index": "0",
        "key": null,
        "value": bytes_or_null(&value),
        "proofOps": null,
        "height": output.height.to_string(),
        "codespace": refusal.codespace,
    }}))
}

fn bytes_or_null(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { STANDARD.encode(bytes).into() }
}

/// Answers `broadcast_tx_sync`.
pub(super) fn broadcast_sync(core: &Core, params: &Params) -> Answer {
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
pub(super) fn broadcast_async(core: &Core, params: &Params) -> Answer {
    let bytes = params.bytes("tx")?;
    let hash = tx_hash(&bytes);
    if let Err(why) = core.take_over(bytes) {
        tracing::debug!(%why, "transaction not taken over");
    }
    Ok(json!({"code": 0, "data": "", "log": "", "codespace": "", "hash": hex_upper(&hash)}))
}

/// Answers `check_tx`: the checks of the mempool, which keeps nothing of it.
pub(super) fn check_tx(core: &Core, params: &Params) -> Answer {
    let checked = core.look_at(&params.bytes("tx")?)?;
    Ok(form::tx_result(&checked.result))
}

/// Answers `unconfirmed_txs`.
pub(super) fn unconfirmed_txs(core: &Core, params: &Params) -> Answer {
    let (total, bytes, first) = core.waiting(per_page(params, "limit")?);
    let txs: Vec<String> = first.iter().map(|tx| STANDARD.encode(tx)).collect();
    Ok(json!({
        "n_txs": txs.len().to_string(),
        "total": total.to_string(),
        "total_bytes": bytes.to_string(),
        "txs": txs,
    }))
}

/// Answers `num_unconfirmed_txs`.
pub(super) fn num_unconfirmed_txs(core: &Core) -> Value {
    let (total, bytes, _) = core.waiting(0);
    json!({"n_txs": total.to_string(), "total": total.to_string(), "total_bytes": bytes.to_string(), "txs": null})
}

/// Answers `tx`.
pub(super) fn tx(core: &Core, params: &Params) -> Answer {
    let hash = params.bytes("hash")?;
    let not_found = || RpcError::internal(format!("tx ({}) not found", hex_upper(&hash)));
    let place = core.place(&hash)?.ok_or_else(not_found)?;
    let record = core.block(place.height)?.ok_or_else(not_found)?;
    let index = usize::try_from(place.index).map_err(RpcError::internal)?;
    form::tx(place.height, index, &record, params.flag("prove")?).ok_or_else(not_found)
}
