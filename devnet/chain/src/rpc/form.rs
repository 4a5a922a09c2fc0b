//! The JSON forms of blocks and results, as CometBFT 0.38 prints them.

use super::proof;
use crate::{
    app::{TxResult, tx_hash},
    error::Broken,
    event::Event,
    node::ledger::BlockRecord,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Upper-case hex.
pub(crate) fn hex_upper(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

/// Result of one transaction.
pub(crate) fn tx_result(result: &TxResult) -> Value {
    json!({
        "code": result.code,
        "data": if result.data.is_empty() { Value::Null } else { STANDARD.encode(&result.data).into() },
        "log": result.log,
        "info": "",
        "gas_wanted": result.gas_wanted.to_string(),
        "gas_used": result.gas_used.to_string(),
        "events": events(&result.events),
        "codespace": result.codespace,
    })
}

/// A list of events.
pub(crate) fn events(events: &[Event]) -> Value {
    events.iter().map(Event::to_json).collect()
}

/// A transaction with its place and result, as `tx` and `tx_search` answer.
pub(crate) fn tx(height: u64, index: usize, record: &BlockRecord, prove: bool) -> Option<Value> {
    let (bytes, result) = (record.txs.get(index)?, record.results.get(index)?);
    let mut tx = json!({
        "hash": hex_upper(&tx_hash(bytes)),
        "height": height.to_string(),
        "index": index,
        "tx_result": tx_result(result),
        "tx": STANDARD.encode(bytes),
    });
    if prove {
        tx["proof"] = proof::of_tx(&record.txs, index)?;
    }
    Some(tx)
}

/// Identity of a block.
pub(crate) fn block_id(record: &BlockRecord) -> Result<Value, Broken> {
    to_json(&record.commit()?.block_id)
}

/// The header. CometBFT leaves out the application's version while it is 0, and shows the block before the first as one
/// without a hash.
pub(crate) fn header(record: &BlockRecord) -> Result<Value, Broken> {
    let header = record.header()?;
    let mut json = to_json(&header)?;
    if let (0, Some(version)) = (header.version.app, json["version"].as_object_mut()) {
        version.remove("app");
    }
    if header.last_block_id.is_none() {
        json["last_block_id"] = no_block_id();
    }
    Ok(json)
}

/// Identity of no block.
pub(crate) fn no_block_id() -> Value {
    json!({"hash": "", "parts": {"total": 0, "hash": ""}})
}

/// A block with its transactions and the commit of the one before.
pub(crate) fn block(record: &BlockRecord, previous: Option<&BlockRecord>) -> Result<Value, Broken> {
    let last_commit = match previous {
        Some(previous) => to_json(&previous.commit()?)?,
        None => json!({
            "height": "0",
            "round": 0,
            "block_id": no_block_id(),
            "signatures": [],
        }),
    };
    let txs: Vec<String> = record.txs.iter().map(|tx| STANDARD.encode(tx)).collect();
    Ok(json!({
        "header": header(record)?,
        "data": {"txs": txs},
        "evidence": {"evidence": []},
        "last_commit": last_commit,
    }))
}

/// Header with identity and sizes, as `blockchain` lists it.
pub(crate) fn block_meta(record: &BlockRecord, previous: Option<&BlockRecord>) -> Result<Value, Broken> {
    Ok(json!({
        "block_id": block_id(record)?,
        "block_size": record.to_proto(previous)?.encoded_len().to_string(),
        "header": header(record)?,
        "num_txs": record.txs.len().to_string(),
    }))
}

/// Results of a block's execution, as an event tells them.
pub(crate) fn finalize_block(record: &BlockRecord) -> Value {
    let mut results = without_defaults(json!({
        "events": events(&record.events),
        "tx_results": record.results.iter().map(tx_result).collect::<Vec<_>>(),
        "app_hash": STANDARD.encode(&record.app_hash),
    }));
    results["validator_updates"] = Value::Null;
    results
}

/// An object without what CometBFT leaves out of events: members that are 0, empty or absent.
pub(crate) fn without_defaults(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| match value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_u64() != Some(0),
            Value::String(text) => !text.is_empty() && text != "0",
            Value::Array(items) => !items.is_empty(),
            Value::Object(_) => true,
        });
    }
    object
}

/// JSON of a CometBFT type.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<Value, Broken> {
    serde_json::to_value(value).map_err(|err| Broken::Corrupt { table: "blocks", reason: err.to_string() })
}

/// Attributes by composite key, as queries see them: `type.key` to every value.
pub(crate) type Tags = BTreeMap<String, Vec<String>>;

/// Tags of events.
pub(crate) fn tags<'a>(events: impl IntoIterator<Item = &'a Event>) -> Tags {
    let mut tags = Tags::new();
    for event in events {
        for attribute in &event.attributes {
            let key = format!("{}.{}", event.kind, attribute.key);
            tags.entry(key).or_default().push(attribute.value.clone());
        }
    }
    tags
}

/// Tags of a transaction of a block.
pub(crate) fn tx_tags(height: u64, index: usize, record: &BlockRecord) -> Tags {
    let result = record.results.get(index);
    let mut tags = tags(result.into_iter().flat_map(|result| &result.events));
    let hash = record.txs.get(index).map(|tx| hex_upper(&tx_hash(tx))).unwrap_or_default();
    tags.insert("tm.event".into(), vec!["Tx".into()]);
    tags.insert("tx.height".into(), vec![height.to_string()]);
    tags.insert("tx.hash".into(), vec![hash]);
    tags
}
