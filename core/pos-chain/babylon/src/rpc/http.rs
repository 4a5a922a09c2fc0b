//! JSON-RPC over HTTP to one of several endpoints.

use super::{AbciAnswer, BlockResults, IncludedTx, NodeStatus, RawEvent, Rpc, RpcError, TxResult};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};
use tendermint_rpc::{
    Client, HttpClient, HttpClientUrl, Method, Url, client::CompatMode, error::ErrorDetail,
    request::RequestMessage,
};
use thiserror::Error;

/// Talks to the first endpoint that answers, and stays with it until it stops answering.
///
/// Only silence and malformed answers move on to the next endpoint; a refusal is an answer. A broadcast that timed out
/// may be repeated at another endpoint: it is the same transaction there. The size of an answer is not bounded here,
/// since the HTTP client below reads it whole: the nodes an operator chooses are trusted that far.
pub struct HttpRpc {
    nodes: Vec<Node>,
    current: AtomicUsize,
    network: Option<String>,
}

struct Node {
    /// Host and port, for the log; an address may hold a password.
    name: String,
    client: HttpClient,
    /// Whether the node named the expected chain id.
    checked: AtomicBool,
}

/// Why the endpoints cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidEndpoints {
    /// No endpoint.
    #[error("no RPC endpoint is given, at least one is needed")]
    None,
    /// Not an address of a node.
    #[error("RPC endpoint {url:?} is invalid, it must look like http://127.0.0.1:26657: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// Why it is refused.
        reason: String,
    },
}

impl HttpRpc {
    /// Prepares clients; nothing is sent yet. `timeout` bounds each call at each endpoint.
    ///
    /// # Errors
    /// [`InvalidEndpoints`].
    pub fn new(urls: &[String], timeout: Duration) -> Result<Self, InvalidEndpoints> {
        if urls.is_empty() {
            return Err(InvalidEndpoints::None);
        }
        let nodes = urls.iter().map(|url| node(url, timeout)).collect::<Result<_, _>>()?;
        Ok(Self { nodes, current: AtomicUsize::new(0), network: None })
    }

    /// Uses only nodes that name this chain id; each is asked before its first use.
    #[must_use]
    pub fn for_network(mut self, chain_id: &str) -> Self {
        self.network = Some(chain_id.to_owned());
        self
    }

    async fn perform<R>(&self, request: R) -> Result<R::Output, RpcError>
    where
        R: tendermint_rpc::SimpleRequest + Clone,
        R::Output: Send,
    {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = RpcError::Unreachable("no endpoint".to_owned());
        for attempt in 0..self.nodes.len() {
            let index = first.wrapping_add(attempt) % self.nodes.len();
            match self.perform_at(&self.nodes[index], request.clone()).await {
                // A refusal is an answer: another node would refuse alike.
                answer @ (Ok(_) | Err(RpcError::Refused { .. })) => {
                    self.current.store(index, Ordering::Relaxed);
                    return answer;
                }
                Err(error) => {
                    if self.nodes.len() > 1 {
                        tracing::warn!(endpoint = self.nodes[index].name, %error, "endpoint passed over");
                    }
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn perform_at<R>(&self, node: &Node, request: R) -> Result<R::Output, RpcError>
    where
        R: tendermint_rpc::SimpleRequest,
        R::Output: Send,
    {
        self.check_node(node).await?;
        node.client.perform(request).await.map_err(|error| failure(&error))
    }

    async fn check_node(&self, node: &Node) -> Result<(), RpcError> {
        let Some(expected) = &self.network else { return Ok(()) };
        if node.checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Answer(status) = node.client.perform(StatusCall {}).await.map_err(|error| failure(&error))?;
        let found = status.node_info.network;
        if found != *expected {
            return Err(RpcError::Malformed(format!("node is on chain {found:?}, not on {expected:?}")));
        }
        node.checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn node(url: &str, timeout: Duration) -> Result<Node, InvalidEndpoints> {
    let invalid = |error: tendermint_rpc::Error| InvalidEndpoints::Url {
        url: url.to_owned(),
        reason: words_of(&error.to_string()),
    };
    let parsed: Url = url.parse().map_err(invalid)?;
    let name = format!("{}:{}", parsed.host(), parsed.port());
    let http: HttpClientUrl = parsed.try_into().map_err(invalid)?;
    let client =
        HttpClient::builder(http).compat_mode(CompatMode::V0_38).timeout(timeout).build().map_err(invalid)?;
    Ok(Node { name, client, checked: AtomicBool::new(false) })
}

/// What the client says and why, in one line. Its own text goes on with source paths and, where the environment asks for
/// one, a backtrace, which say nothing to operators.
fn words_of(report: &str) -> String {
    let lines = report.lines().map(str::trim);
    let told = lines.take_while(|line| *line != "Location:" && *line != "Stack backtrace:");
    told.filter(|line| !line.is_empty() && *line != "Caused by:").collect::<Vec<_>>().join(": ")
}

fn failure(error: &tendermint_rpc::Error) -> RpcError {
    match error.detail() {
        ErrorDetail::Response(response) => RpcError::Refused {
            code: i64::from(response.source.code().value()),
            message: response.source.message().to_owned(),
            data: response.source.data().unwrap_or_default().to_owned(),
        },
        ErrorDetail::Http(_)
        | ErrorDetail::HttpRequestFailed(_)
        | ErrorDetail::Io(_)
        | ErrorDetail::Timeout(_) => RpcError::Unreachable(words_of(&error.to_string())),
        // The enum is foreign and long; whatever else the client reports, the answer was not understood.
        _ => RpcError::Malformed(words_of(&error.to_string())),
    }
}

/// Declares a call: its parameters, its method and the answer it is parsed into. Answers name only the fields that are
/// used, so that a node may add others.
macro_rules! call {
    ($request:ident { $($field:ident: $kind:ty),* } => $answer:ident, $method:expr) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct $request { $($field: $kind),* }
        impl RequestMessage for $request {
            fn method(&self) -> Method {
                $method
            }
        }
        impl tendermint_rpc::Request for $request {
            type Response = Answer<$answer>;
        }
        impl tendermint_rpc::SimpleRequest for $request {
            type Output = Answer<$answer>;
        }
    };
}

/// An answer of any shape; the client asks for a type that says it is one.
#[derive(Debug, Deserialize)]
#[serde(transparent, bound = "T: DeserializeOwned")]
struct Answer<T>(T);
impl<T: DeserializeOwned> tendermint_rpc::Response for Answer<T> {}

call!(StatusCall {} => StatusAnswer, Method::Status);
call!(QueryCall { path: String, data: String, height: String, prove: bool } => QueryAnswer, Method::AbciQuery);
call!(BroadcastCall { tx: String } => ResultAnswer, Method::BroadcastTxSync);
call!(TxCall { hash: String, prove: bool } => TxAnswer, Method::Tx);
call!(BlockResultsCall { height: String } => BlockResultsAnswer, Method::BlockResults);

#[derive(Debug, Deserialize)]
struct StatusAnswer {
    node_info: NodeInfo,
    sync_info: SyncInfo,
}
#[derive(Debug, Deserialize)]
struct NodeInfo {
    network: String,
}
#[derive(Debug, Deserialize)]
struct SyncInfo {
    latest_block_height: String,
    catching_up: bool,
}
#[derive(Debug, Deserialize)]
struct QueryAnswer {
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
struct ResultAnswer {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
    #[serde(default)]
    events: Option<Vec<EventAnswer>>,
}
#[derive(Debug, Deserialize)]
struct TxAnswer {
    height: String,
    tx_result: ResultAnswer,
}
#[derive(Debug, Deserialize)]
struct BlockResultsAnswer {
    #[serde(default)]
    txs_results: Option<Vec<ResultAnswer>>,
    #[serde(default)]
    finalize_block_events: Option<Vec<EventAnswer>>,
}
#[derive(Debug, Deserialize)]
struct EventAnswer {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    attributes: Option<Vec<AttributeAnswer>>,
}
#[derive(Debug, Deserialize)]
struct AttributeAnswer {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<String>,
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

fn parse_height(what: &str, text: &str) -> Result<u64, RpcError> {
    text.parse().map_err(|_| RpcError::Malformed(format!("{what} {text:?} is no height")))
}

#[async_trait]
impl Rpc for HttpRpc {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        let Answer(status) = self.perform(StatusCall {}).await?;
        Ok(NodeStatus {
            network: status.node_info.network,
            latest_height: parse_height("latest_block_height", &status.sync_info.latest_block_height)?,
            catching_up: status.sync_info.catching_up,
        })
    }

    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        let latest = "0".to_owned();
        let call = QueryCall { path: path.to_owned(), data: hex::encode(data), height: latest, prove: false };
        let Answer(QueryAnswer { response }) = self.perform(call).await?;
        let value = STANDARD
            .decode(response.value.unwrap_or_default())
            .map_err(|_| RpcError::Malformed("value of abci_query is not base64".to_owned()))?;
        let height = response.height.as_deref().map_or(Ok(0), |text| parse_height("height", text))?;
        Ok(AbciAnswer {
            code: response.code,
            codespace: response.codespace,
            log: response.log,
            value,
            height,
        })
    }

    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        let Answer(result) = self.perform(BroadcastCall { tx: STANDARD.encode(tx) }).await?;
        Ok(result.into())
    }

    async fn tx(&self, hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        match self.perform(TxCall { hash: STANDARD.encode(hash), prove: false }).await {
            Ok(Answer(tx)) => {
                let height = parse_height("height", &tx.height)?;
                Ok(Some(IncludedTx { height, result: tx.tx_result.into() }))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn block_results(&self, height: u64) -> Result<BlockResults, RpcError> {
        let Answer(results) = self.perform(BlockResultsCall { height: height.to_string() }).await?;
        let of_txs = results.txs_results.into_iter().flatten().flat_map(|tx| tx.events.unwrap_or_default());
        let of_block = results.finalize_block_events.unwrap_or_default();
        Ok(BlockResults {
            tx_events: of_txs.map(RawEvent::from).collect(),
            block_events: of_block.into_iter().map(RawEvent::from).collect(),
        })
    }
}

/// `tx (HASH) not found`, with more words behind it.
fn is_not_found(error: &RpcError) -> bool {
    match error {
        RpcError::Refused { data, message, .. } => {
            let found = |text: &str| text.to_lowercase().starts_with("tx (") && text.contains("not found");
            found(data) || found(message)
        }
        RpcError::Unreachable(_) | RpcError::Malformed(_) => false,
    }
}

#[cfg(test)]
mod tests;
