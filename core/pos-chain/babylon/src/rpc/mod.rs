//! The five CometBFT calls this adapter makes, behind a trait that tests script (`wire.md` 7.2).
//!
//! [`HttpRpc`] speaks JSON-RPC over HTTP to a list of endpoints and moves on to the next when one does not answer. "Not
//! yet" and "no more" are told apart from trouble by the texts of the node, since it has no codes for them.

#[cfg(test)]
pub(crate) mod fake;
mod http;

use async_trait::async_trait;
use btc_staking_pos_chain::{ChainError, ErrorKind};
pub use http::{HttpRpc, InvalidEndpoints};
use thiserror::Error;

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Chain id.
    pub network: String,
    /// Latest block.
    pub latest_height: u64,
    /// Whether it still syncs.
    pub catching_up: bool,
}

/// Answer to an ABCI query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AbciAnswer {
    /// 0 for success.
    pub code: u32,
    /// Namespace of the code.
    pub codespace: String,
    /// The node's words.
    pub log: String,
    /// Encoded response.
    pub value: Vec<u8>,
    /// Height it was read at.
    pub height: u64,
}

/// Result of a transaction in `CheckTx` or in a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TxResult {
    /// 0 for success.
    pub code: u32,
    /// Namespace of the code.
    pub codespace: String,
    /// The node's words.
    pub log: String,
}

/// A transaction in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncludedTx {
    /// The block.
    pub height: u64,
    /// What became of it.
    pub result: TxResult,
}

/// An event as the node reports it: attributes are plain strings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawEvent {
    /// Event type.
    pub kind: String,
    /// Keys and values in order.
    pub attributes: Vec<(String, String)>,
}

/// What happened in a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockResults {
    /// Events of transactions, in order.
    pub tx_events: Vec<RawEvent>,
    /// Events of the block itself.
    pub block_events: Vec<RawEvent>,
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// No endpoint answered in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The node answered with an error.
    #[error("node refused: {message}: {data} (code {code})")]
    Refused {
        /// JSON-RPC code.
        code: i64,
        /// What the code means.
        message: String,
        /// The node's words.
        data: String,
    },
    /// The answer was no answer to the call.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

/// Calls to a node.
#[async_trait]
pub trait Rpc: Send + Sync {
    /// `status`
    async fn status(&self) -> Result<NodeStatus, RpcError>;
    /// `abci_query` at the latest height.
    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError>;
    /// `broadcast_tx_sync`
    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError>;
    /// `tx`; `None` when the node has not seen it in a block.
    async fn tx(&self, hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError>;
    /// `block_results`
    async fn block_results(&self, height: u64) -> Result<BlockResults, RpcError>;
}

/// Texts by which a node says "not yet", in lower case.
const NOT_YET: [&str; 4] = [
    "must be less than or equal to the current blockchain height",
    "could not find results for height",
    "please wait for first block",
    "cannot query with height in the future",
];
/// Texts by which a node says "no more", in lower case.
const PRUNED: [&str; 2] = ["is not available, lowest height is", "failed to load state at height"];

impl RpcError {
    /// The port's view of this error.
    pub fn into_chain_error(self, asked: &str) -> ChainError {
        ChainError::new(self.kind(), format!("{asked}: {self}"))
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable(_) => ErrorKind::Transient,
            Self::Malformed(_) => ErrorKind::Broken,
            Self::Refused { code, message, data } => {
                kind_of_text(message).or_else(|| kind_of_text(data)).unwrap_or(match code {
                    // Method not found, invalid params, invalid request: asking again cannot help.
                    -32602..=-32600 => ErrorKind::Broken,
                    _ => ErrorKind::Transient,
                })
            }
        }
    }

    /// Whether the node already holds the broadcast transaction.
    pub fn is_duplicate_tx(&self) -> bool {
        self.says("tx already exists in cache")
    }
    /// Whether the node cannot take transactions right now.
    pub fn is_busy_mempool(&self) -> bool {
        self.says("mempool is full") || self.says("mempool is still rechecking")
    }
    /// Whether the transaction is too large for the node.
    pub fn is_tx_too_large(&self) -> bool {
        self.says("tx too large")
    }

    fn says(&self, text: &str) -> bool {
        match self {
            Self::Refused { message, data, .. } => {
                data.to_lowercase().contains(text) || message.to_lowercase().contains(text)
            }
            Self::Unreachable(_) | Self::Malformed(_) => false,
        }
    }
}

/// Recognises "not yet" and "no more" in a node's words.
pub(crate) fn kind_of_text(text: &str) -> Option<ErrorKind> {
    let text = text.to_lowercase();
    if NOT_YET.iter().any(|known| text.contains(known)) {
        return Some(ErrorKind::NotYet);
    }
    PRUNED.iter().any(|known| text.contains(known)).then_some(ErrorKind::Pruned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(data: &str) -> RpcError {
        RpcError::Refused { code: -32603, message: "Internal error".into(), data: data.into() }
    }

    #[test]
    fn not_yet_and_no_more_are_told_apart_from_trouble() {
        let table = [
            ("height 9 must be less than or equal to the current blockchain height 8", ErrorKind::NotYet),
            ("could not find results for height #9", ErrorKind::NotYet),
            ("height 1 is not available, lowest height is 5", ErrorKind::Pruned),
            ("something else", ErrorKind::Transient),
        ];
        for (data, kind) in table {
            assert_eq!(refused(data).into_chain_error("block_results").kind, kind, "{data}");
        }
        assert_eq!(RpcError::Malformed("x".into()).into_chain_error("status").kind, ErrorKind::Broken);
        let unknown =
            RpcError::Refused { code: -32601, message: "Method not found".into(), data: String::new() };
        assert_eq!(unknown.into_chain_error("status").kind, ErrorKind::Broken);
    }

    #[test]
    fn refusals_of_the_mempool_are_known_by_their_data() {
        assert!(refused("tx already exists in cache").is_duplicate_tx());
        assert!(refused("mempool is full: number of txs 5000").is_busy_mempool());
        assert!(refused("mempool is still rechecking a previous committed block").is_busy_mempool());
        assert!(refused("Tx too large. Max size is 1048576, but got 2000000").is_tx_too_large());
        assert!(!refused("tx already exists in cache").is_busy_mempool());
    }
}
