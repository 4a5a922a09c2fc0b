//! The CometBFT calls this adapter makes, behind a trait that tests script (`wire.md` 7.2).
//!
//! [`HttpRpc`] speaks JSON-RPC over HTTP to a list of endpoints. No node is believed more than it must be: each answer is
//! bounded in bytes and time, must belong to the call, the height and the chain it was asked for, and is never older than
//! what was read before. "Not yet" and "no more" are told apart from trouble by the texts of the node, since it has no
//! codes for them, and are never read as "no".
//!
//! | file | what it is for |
//! |---|---|
//! | `transport` | one HTTP exchange, bounded |
//! | `calls` | JSON-RPC: requests and the used part of answers |
//! | `standing` | what is known about one node; pure |
//! | `http` | several nodes: health, order of use, failover |
//! | `agree` | what several nodes say alike |
//! | `broadcast` | handing a transaction to nodes |
//! | `hints` | word of new blocks, to look sooner |

mod agree;
mod broadcast;
mod calls;
#[cfg(test)]
pub(crate) mod fake;
mod hints;
mod http;
#[cfg(test)]
pub(crate) mod server;
mod standing;
mod transport;

use async_trait::async_trait;
use btc_staking_pos_chain::{
    ChainError, ErrorKind,
    event::{Hints, NoHints},
    watch::NodeReport,
};
pub use http::HttpRpc;
pub use standing::HealthPolicy;
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

impl TxResult {
    /// Whether the node cannot take transactions right now.
    pub fn is_busy_mempool(&self) -> bool {
        self.codespace == "sdk" && self.code == 20
    }
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

/// A block's header, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Chain id.
    pub chain_id: String,
    /// Height.
    pub height: u64,
    /// State after the block before: what a finality vote for this height signs.
    pub app_hash: Vec<u8>,
    /// Time of the block in seconds since 1970.
    pub time_s: u64,
}

/// A query whose answer will be acted on.
#[derive(Debug, Clone)]
pub struct Read<'a> {
    /// ABCI query path.
    pub path: &'a str,
    /// Encoded request.
    pub data: Vec<u8>,
    /// Most bytes of an encoded response.
    pub max_bytes: usize,
    /// Brings an encoded response into a form in which equal content has equal bytes; `None` if it does not decode.
    pub comparable: fn(&[u8]) -> Option<Vec<u8>>,
}

/// Why endpoints cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidEndpoints {
    /// No endpoint.
    #[error("no RPC endpoint is given, at least one is needed")]
    None,
    /// Not an address of a node.
    #[error("RPC endpoint {url:?} is invalid, it must look like http://127.0.0.1:26657: {reason}")]
    Url {
        /// What was given, without a password.
        url: String,
        /// Why it is refused.
        reason: String,
    },
    /// The same endpoint twice, which would agree with itself.
    #[error("RPC endpoint {0:?} is given twice")]
    Twice(String),
    /// An agreement that cannot be reached or means nothing.
    #[error("{wanted} endpoints must agree, it must be 1 to the {endpoints} that are given")]
    Agreement {
        /// How many were to agree.
        wanted: usize,
        /// How many endpoints there are.
        endpoints: usize,
    },
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// No endpoint answered in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The answer is larger than any answer to this call may be.
    #[error("answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// The node belongs to another chain.
    #[error("node is on chain {found:?}, not on {expected:?}")]
    WrongChain {
        /// What was configured.
        expected: String,
        /// What the node says.
        found: String,
    },
    /// The answer is about another height.
    #[error("{call} of height {asked} was answered for height {answered}")]
    WrongHeight {
        /// The call.
        call: &'static str,
        /// The height asked for.
        asked: u64,
        /// The height of the answer.
        answered: u64,
    },
    /// The node lost blocks it once had.
    #[error("node went back from height {from} to {to}")]
    WentBack {
        /// The highest block it told.
        from: u64,
        /// The block it tells now.
        to: u64,
    },
    /// The node tells another block at a height it told before.
    #[error("node replaced its block {height} by another, do not trust it")]
    Rewritten {
        /// The height.
        height: u64,
    },
    /// The node tells a height that cannot be.
    #[error("node tells height {told}, the chain is at about {known}")]
    Leap {
        /// About where the chain is.
        known: u64,
        /// What the node tells.
        told: u64,
    },
    /// The node's state is older than what was read already.
    #[error("node answers for height {at}, height {needed} was read already")]
    Behind {
        /// Height of its answer.
        at: u64,
        /// Height that was read already.
        needed: u64,
    },
    /// The node is still syncing: what it lacks may exist.
    #[error("node is still syncing")]
    CatchingUp,
    /// The node does not have the state asked for, yet or any more.
    #[error("node does not have this state: {}", .0.log)]
    Unknown(AbciAnswer),
    /// Nodes contradict each other about one height, and too few agree.
    #[error("endpoints contradict each other about {asked} at height {height}: {sides}")]
    Disagree {
        /// What was asked.
        asked: String,
        /// The height.
        height: u64,
        /// Who is of one opinion against whom.
        sides: String,
    },
    /// No node keeps an index of transactions, so none can tell what became of one.
    #[error(
        "too few nodes keep an index of transactions, without which the fate of one cannot be told: {indexed} of {wanted} \
         (indexer = \"kv\" in the node's config.toml)"
    )]
    NoIndex {
        /// Nodes that keep one.
        indexed: usize,
        /// Nodes that must.
        wanted: usize,
    },
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
    /// `header`
    async fn header(&self, height: u64) -> Result<Header, RpcError>;
    /// `abci_query` for something that will be acted on: by agreement of several nodes where that is configured.
    async fn read(&self, read: Read<'_>) -> Result<AbciAnswer, RpcError> {
        self.abci_query(read.path, read.data).await
    }
    /// How every node is, each asked for itself; none where there is no list of nodes.
    async fn node_reports(&self) -> Vec<NodeReport> {
        Vec::new()
    }
    /// Word of new blocks from now on; none comes unless the connection has any.
    fn block_hints(&self) -> Box<dyn Hints> {
        Box::new(NoHints)
    }
    /// Tells that the node in use, though it answers, is of no use, so that another is asked next.
    fn set_aside(&self, _why: &str) {}
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

    /// What callers decide by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable(_) => ErrorKind::Transient,
            Self::Behind { .. } | Self::CatchingUp => ErrorKind::NotYet,
            Self::Unknown(answer) => answer.is_unknown().unwrap_or(ErrorKind::Broken),
            Self::Malformed(_)
            | Self::TooLarge { .. }
            | Self::WrongChain { .. }
            | Self::WrongHeight { .. }
            | Self::WentBack { .. }
            | Self::Rewritten { .. }
            | Self::Leap { .. }
            | Self::NoIndex { .. }
            | Self::Disagree { .. } => ErrorKind::Broken,
            Self::Refused { code, message, data } => {
                kind_of_text(message).or_else(|| kind_of_text(data)).unwrap_or(match code {
                    // Method not found, invalid params, invalid request: asking again cannot help.
                    -32602..=-32600 => ErrorKind::Broken,
                    _ => ErrorKind::Transient,
                })
            }
        }
    }

    /// Whether the node answered and merely has not got what was asked for, yet or any more. Another may have it.
    pub fn is_lack(&self) -> bool {
        matches!(self.kind(), ErrorKind::NotYet | ErrorKind::Pruned) || self.is_tx_not_found()
    }
    /// Whether every other node would answer alike: the call itself is wrong. Trouble inside a node and a call that it
    /// does not offer are its own.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused { code: -32602 | -32600, .. }) && self.kind() == ErrorKind::Broken
    }
    /// Whether the node keeps no index of transactions.
    pub fn is_without_index(&self) -> bool {
        self.says("transaction indexing is disabled")
    }
    /// Whether the node has no such transaction in a block: `tx (HASH) not found`, with more words behind it.
    pub fn is_tx_not_found(&self) -> bool {
        let found = |text: &str| text.to_lowercase().starts_with("tx (") && text.contains("not found");
        matches!(self, Self::Refused { message, data, .. } if found(data) || found(message))
    }
    /// Whether a transaction whose broadcast failed so may have reached the node all the same.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Malformed(_) | Self::TooLarge { .. })
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
        matches!(self, Self::Refused { message, data, .. }
            if data.to_lowercase().contains(text) || message.to_lowercase().contains(text))
    }
}

impl AbciAnswer {
    /// Whether this says that the node has not got the state asked for: not yet, or no more.
    pub fn is_unknown(&self) -> Option<ErrorKind> {
        match (self.codespace.as_str(), self.code) {
            (_, 0) => None,
            ("sdk", 26) => Some(ErrorKind::NotYet),
            ("sdk", 38) => Some(ErrorKind::Pruned),
            _ => kind_of_text(&self.log),
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
        assert!(refused("transaction indexing is disabled").is_without_index());
    }

    #[test]
    fn only_a_call_that_is_wrong_is_refused_alike_everywhere() {
        let told = |code, data: &str| RpcError::Refused { code, message: "x".into(), data: data.into() };
        assert!(told(-32602, "bad params").is_answer() && told(-32600, "bad request").is_answer());
        for (code, data) in [(-32603, "disk full"), (-32601, ""), (0, "rate limit"), (-32603, "tx too large")]
        {
            assert!(!told(code, data).is_answer(), "{code} {data}");
        }
    }
}
