//! JSON-RPC: what is asked and the part of an answer that is used (`wire.md` 7.2).
//!
//! Answers name only the fields that are used, so that a node may add others. Fields that every node sends are required
//! in members of lists, which also bounds what a body of a given size can grow to in memory.

use super::{
    AbciAnswer, BlockResults, Header, IncludedTx, NodeStatus, RawEvent, RpcError, TxResult, standing::Report,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A call: its method and parameters, and how much an answer may be.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    params: Value,
    pub(super) max_bytes: usize,
}

const MIB: usize = 1024 * 1024;

impl Call {
    fn new(method: &'static str, params: Value, max_bytes: usize) -> Self {
        Self { method, params, max_bytes }
    }
    pub(super) fn status() -> Self {
        Self::new("status", json!({}), MIB)
    }
    /// `height` 0 is the latest.
    pub(super) fn abci_query(path: &str, data: &[u8], height: u64, max_bytes: usize) -> Self {
        let (data, height) = (hex::encode(data), height.to_string());
        let params = json!({"path": path, "data": data, "height": height, "prove": false});
        // The value comes as base64, and the rest of the answer must fit too.
        let max_bytes = max_bytes.saturating_add(max_bytes.div_ceil(3)).saturating_add(64 * 1024);
        Self::new("abci_query", params, max_bytes)
    }
    pub(super) fn broadcast_tx_sync(tx: &[u8]) -> Self {
        Self::new("broadcast_tx_sync", json!({"tx": STANDARD.encode(tx)}), MIB)
    }
    /// The answer repeats the transaction, at most 1 MiB of it, and its events.
    pub(super) fn tx(hash: &[u8; 32]) -> Self {
        Self::new("tx", json!({"hash": STANDARD.encode(hash), "prove": false}), 16 * MIB)
    }
    pub(super) fn block_results(height: u64) -> Self {
        Self::new("block_results", json!({"height": height.to_string()}), 32 * MIB)
    }
    pub(super) fn header(height: u64) -> Self {
        Self::new("header", json!({"height": height.to_string()}), MIB)
    }

    /// The body to send.
    pub(super) fn body(&self, id: u64) -> Vec<u8> {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": self.method, "params": self.params});
        call.to_string().into_bytes()
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    id: Option<Value>,
    result: Option<T>,
    error: Option<ErrorAnswer>,
}
#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<Value>,
}

/// Reads the answer to the call with `id`.
pub(super) fn parse<T: DeserializeOwned>(id: u64, body: &[u8]) -> Result<T, RpcError> {
    let envelope: Envelope<T> =
        serde_json::from_slice(body).map_err(|error| RpcError::Malformed(error.to_string()))?;
    if let Some(error) = envelope.error {
        let data = match error.data {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        return Err(RpcError::Refused { code: error.code, message: error.message, data });
    }
    // One exchange has one answer, so another id is an answer that was mixed up on the way.
    if envelope.id.as_ref().and_then(Value::as_u64) != Some(id) {
        let found = envelope.id.unwrap_or(Value::Null);
        return Err(RpcError::Malformed(format!("answer has id {found}, the call has {id}")));
    }
    envelope.result.ok_or_else(|| RpcError::Malformed("answer has neither result nor error".to_owned()))
}

#[derive(Debug, Deserialize)]
pub(super) struct StatusAnswer {
    node_info: NodeInfo,
    sync_info: SyncInfo,
}
#[derive(Debug, Deserialize)]
struct NodeInfo {
    network: String,
    #[serde(default)]
    other: Option<OtherInfo>,
}
#[derive(Debug, Deserialize)]
struct OtherInfo {
    #[serde(default)]
    tx_index: Option<String>,
}
#[derive(Debug, Deserialize)]
struct SyncInfo {
    latest_block_height: String,
    catching_up: bool,
    #[serde(default)]
    latest_block_hash: String,
    #[serde(default)]
    latest_block_time: String,
}
#[derive(Debug, Deserialize)]
pub(super) struct QueryAnswer {
    response: QueryResponse,
}
#[derive(Debug, Deserialize)]
struct QueryResponse {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    height: Option<String>,
}
#[derive(Debug, Deserialize)]
pub(super) struct ResultAnswer {
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
    #[serde(default)]
    events: Option<Vec<EventAnswer>>,
}
#[derive(Debug, Deserialize)]
pub(super) struct TxAnswer {
    hash: String,
    height: String,
    tx_result: ResultAnswer,
}
#[derive(Debug, Deserialize)]
pub(super) struct BlockResultsAnswer {
    height: String,
    #[serde(default)]
    txs_results: Option<Vec<ResultAnswer>>,
    #[serde(default)]
    finalize_block_events: Option<Vec<EventAnswer>>,
}
#[derive(Debug, Deserialize)]
pub(super) struct EventAnswer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    attributes: Option<Vec<AttributeAnswer>>,
}
#[derive(Debug, Deserialize)]
struct AttributeAnswer {
    key: Option<String>,
    #[serde(default)]
    value: Option<String>,
}
#[derive(Debug, Deserialize)]
pub(super) struct HeaderAnswer {
    header: HeaderFields,
}
#[derive(Debug, Deserialize)]
struct HeaderFields {
    chain_id: String,
    height: String,
    app_hash: String,
    time: String,
}

impl StatusAnswer {
    pub(super) fn into_report(self) -> Result<Report, RpcError> {
        let sync = self.sync_info;
        let index = self.node_info.other.and_then(|other| other.tx_index);
        Ok(Report {
            status: NodeStatus {
                network: self.node_info.network,
                latest_height: parse_height("latest_block_height", &sync.latest_block_height)?,
                catching_up: sync.catching_up,
            },
            block_hash: sync.latest_block_hash,
            block_time: parse_seconds(&sync.latest_block_time),
            has_index: !index.is_some_and(|index| matches!(index.as_str(), "off" | "null")),
        })
    }
}

impl QueryAnswer {
    pub(super) fn into_answer(self, max_bytes: usize) -> Result<AbciAnswer, RpcError> {
        let response = self.response;
        let value = STANDARD
            .decode(response.value.unwrap_or_default())
            .map_err(|_| RpcError::Malformed("value of abci_query is not base64".to_owned()))?;
        if value.len() > max_bytes {
            return Err(RpcError::TooLarge { limit: max_bytes });
        }
        let height = response.height.as_deref().map_or(Ok(0), |text| parse_height("height", text))?;
        Ok(AbciAnswer {
            code: response.code,
            codespace: response.codespace,
            log: response.log,
            value,
            height,
        })
    }
}

impl TxAnswer {
    /// Refuses the answer to another hash.
    pub(super) fn into_included(self, asked: &[u8; 32]) -> Result<IncludedTx, RpcError> {
        if !self.hash.eq_ignore_ascii_case(&hex::encode(asked)) {
            let asked = hex::encode_upper(asked);
            return Err(RpcError::Malformed(format!("asked for tx {asked}, got {}", self.hash)));
        }
        let height = parse_height("height", &self.height)?;
        Ok(IncludedTx { height, result: self.tx_result.into() })
    }
}

impl BlockResultsAnswer {
    /// Refuses the answer for another height.
    pub(super) fn into_results(self, asked: u64) -> Result<BlockResults, RpcError> {
        check_height("block_results", asked, &self.height)?;
        let of_txs = self.txs_results.into_iter().flatten().flat_map(|tx| tx.events.unwrap_or_default());
        let of_block = self.finalize_block_events.unwrap_or_default();
        Ok(BlockResults {
            tx_events: of_txs.map(RawEvent::from).collect(),
            block_events: of_block.into_iter().map(RawEvent::from).collect(),
        })
    }
}

impl HeaderAnswer {
    /// Refuses the header of another height or, where the chain is known, of another chain.
    pub(super) fn into_header(self, asked: u64, chain: Option<&str>) -> Result<Header, RpcError> {
        let fields = self.header;
        check_height("header", asked, &fields.height)?;
        if let Some(expected) = chain.filter(|expected| *expected != fields.chain_id) {
            return Err(RpcError::WrongChain { expected: expected.to_owned(), found: fields.chain_id });
        }
        let app_hash = hex::decode(&fields.app_hash)
            .map_err(|_| RpcError::Malformed(format!("app_hash {:?} is not hex", fields.app_hash)))?;
        Ok(Header {
            chain_id: fields.chain_id,
            height: asked,
            app_hash,
            time_s: parse_seconds(&fields.time)
                .ok_or_else(|| RpcError::Malformed(format!("time {:?} is no time", fields.time)))?,
        })
    }
}

impl From<EventAnswer> for RawEvent {
    fn from(event: EventAnswer) -> Self {
        let attribute = |attribute: AttributeAnswer| {
            (attribute.key.unwrap_or_default(), attribute.value.unwrap_or_default())
        };
        let attributes = event.attributes.into_iter().flatten().map(attribute).collect();
        Self { kind: event.kind, attributes }
    }
}
impl From<ResultAnswer> for TxResult {
    fn from(result: ResultAnswer) -> Self {
        Self { code: result.code, codespace: result.codespace, log: result.log }
    }
}

fn check_height(call: &'static str, asked: u64, text: &str) -> Result<(), RpcError> {
    let answered = parse_height("height", text)?;
    if answered == asked {
        return Ok(());
    }
    Err(RpcError::WrongHeight { call, asked, answered })
}

/// Heights are signed 64-bit on the chain; above that nothing is a height.
fn parse_height(what: &str, text: &str) -> Result<u64, RpcError> {
    let parsed: Option<i64> = text.parse().ok();
    let height = parsed.and_then(|height| u64::try_from(height).ok());
    height.ok_or_else(|| RpcError::Malformed(format!("{what} {text:?} is no height")))
}

/// Seconds since 1970 of an RFC 3339 time; `None` for what is no time, such as that of a chain without blocks.
fn parse_seconds(text: &str) -> Option<u64> {
    let time: cosmrs::tendermint::Time = text.parse().ok()?;
    u64::try_from(time.unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_call_is_malformed() {
        let body = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":7}}"#).into_bytes();
        assert_eq!(parse::<u32>(3, &body("3")), Ok(7));
        for id in ["4", "\"3\"", "-1", "null"] {
            assert!(matches!(parse::<u32>(3, &body(id)), Err(RpcError::Malformed(_))), "{id}");
        }
        let neither = br#"{"jsonrpc":"2.0","id":3}"#;
        assert!(matches!(parse::<u32>(3, neither), Err(RpcError::Malformed(_))));
    }

    #[test]
    fn an_error_is_read_whatever_id_it_has() {
        let body =
            br#"{"id":-1,"error":{"code":-32603,"message":"Internal error","data":"tx (AB) not found"}}"#;
        let expected = RpcError::Refused {
            code: -32603,
            message: "Internal error".into(),
            data: "tx (AB) not found".into(),
        };
        assert_eq!(parse::<u32>(3, body), Err(expected));
    }

    #[test]
    fn heights_and_times_are_read_strictly() {
        assert_eq!(parse_height("h", "7"), Ok(7));
        for bad in ["-1", "", "x", "9223372036854775808", "1.0"] {
            assert!(parse_height("h", bad).is_err(), "{bad}");
        }
        assert_eq!(parse_seconds("2025-04-10T10:00:00.123456789Z"), Some(1_744_279_200));
        assert_eq!(parse_seconds("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse_seconds("soon"), None);
    }
}
