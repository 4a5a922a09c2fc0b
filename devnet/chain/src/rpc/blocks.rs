//! Blocks and what belongs to a height: headers, commits, results, validators, parameters.

use super::{error::RpcError, form, methods::Answer, params::Params, search::asked_page};
use crate::node::{assemble::consensus_params, core::Core, ledger::BlockRecord};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Most headers in one answer of `blockchain`.
const MAX_METAS: u64 = 20;

/// The height asked for, at most `latest`, which it is when none is asked for.
fn asked_height(params: &Params, latest: u64) -> Result<u64, RpcError> {
    let Some(asked) = params.signed("height")? else { return Ok(latest) };
    let height = u64::try_from(asked).ok().filter(|height| *height > 0);
    let height = height
        .ok_or_else(|| RpcError::internal(format!("height must be greater than 0, but got {asked}")))?;
    if height > latest {
        return Err(RpcError::internal(format!(
            "height {height} must be less than or equal to the current blockchain height {latest}"
        )));
    }
    Ok(height)
}

/// The block at the height asked for, the latest when none is.
fn block_at(core: &Core, params: &Params) -> Result<(u64, BlockRecord), RpcError> {
    let height = asked_height(params, core.height())?;
    let record = core.block(height)?;
    let record = record
        .ok_or_else(|| RpcError::internal(format!("height {height} is not available, lowest height is 1")))?;
    Ok((height, record))
}

/// The block whose hash is asked for, if there is one.
fn block_with_hash(core: &Core, hash: &[u8]) -> Result<Option<(u64, BlockRecord)>, RpcError> {
    let Some(height) = core.height_of(hash)? else { return Ok(None) };
    Ok(core.block(height)?.map(|record| (height, record)))
}

fn whole_block(core: &Core, height: u64, record: &BlockRecord) -> Answer {
    let previous = core.block(height.saturating_sub(1))?;
    Ok(json!({"block_id": form::block_id(record)?, "block": form::block(record, previous.as_ref())?}))
}

/// Answers `block`.
pub(super) fn block(core: &Core, params: &Params) -> Answer {
    let (height, record) = block_at(core, params)?;
    whole_block(core, height, &record)
}

/// Answers `block_by_hash`.
pub(super) fn block_by_hash(core: &Core, params: &Params) -> Answer {
    match block_with_hash(core, &params.bytes("hash")?)? {
        Some((height, record)) => whole_block(core, height, &record),
        None => Ok(json!({"block_id": form::no_block_id(), "block": null})),
    }
}

/// Answers `header`.
pub(super) fn header(core: &Core, params: &Params) -> Answer {
    let (_, record) = block_at(core, params)?;
    Ok(json!({"header": form::header(&record)?}))
}

/// Answers `header_by_hash`, whose hash is hex in JSON too, unlike that of `block_by_hash`.
pub(super) fn header_by_hash(core: &Core, params: &Params) -> Answer {
    let header = match block_with_hash(core, &params.hex("hash")?)? {
        Some((_, record)) => form::header(&record)?,
        None => Value::Null,
    };
    Ok(json!({"header": header}))
}

/// Answers `commit`. As in CometBFT, the newest one is not called canonical: no block holds it yet.
pub(super) fn commit(core: &Core, params: &Params) -> Answer {
    let latest = core.height();
    let (height, record) = block_at(core, params)?;
    Ok(json!({
        "signed_header": {"header": form::header(&record)?, "commit": form::to_json(&record.commit()?)?},
        "canonical": height < latest,
    }))
}

/// Answers `block_results`.
pub(super) fn block_results(core: &Core, params: &Params) -> Answer {
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

/// Answers `blockchain`.
pub(super) fn blockchain(core: &Core, params: &Params) -> Answer {
    let latest = core.height();
    let bound = |name| match params.signed(name)? {
        None | Some(0) => Ok(None),
        Some(height) => match u64::try_from(height) {
            Ok(height) => Ok(Some(height)),
            Err(_) => Err(RpcError::internal("heights must be non-negative")),
        },
    };
    let max = bound("maxHeight")?.unwrap_or(latest).min(latest);
    let min = bound("minHeight")?.unwrap_or(1).max(max.saturating_sub(MAX_METAS - 1));
    if min > max {
        return Err(RpcError::internal(format!("min height {min} can't be greater than max height {max}")));
    }
    let mut metas = vec![];
    for height in (min..=max).rev() {
        if let Some(record) = core.block(height)? {
            let previous = core.block(height.saturating_sub(1))?;
            metas.push(form::block_meta(&record, previous.as_ref())?);
        }
    }
    Ok(json!({"last_height": latest.to_string(), "block_metas": metas}))
}

/// Answers `validators`, which are known one height ahead.
pub(super) fn validators(core: &Core, params: &Params) -> Answer {
    let height = asked_height(params, core.height().saturating_add(1))?;
    asked_page(params, 1)?;
    let validator = &core.validator.info;
    Ok(json!({
        "block_height": height.to_string(),
        "validators": [{
            "address": form::to_json(&validator.address)?,
            "pub_key": form::to_json(&validator.pub_key)?,
            "voting_power": validator.power().to_string(),
            "proposer_priority": "0",
        }],
        "count": "1",
        "total": "1",
    }))
}

/// Answers `consensus_params`, which are known one height ahead.
pub(super) fn consensus_params_at(core: &Core, params: &Params) -> Answer {
    let height = asked_height(params, core.height().saturating_add(1))?;
    Ok(json!({"block_height": height.to_string(), "consensus_params": consensus_params()}))
}
