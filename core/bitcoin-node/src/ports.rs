//! The ports: what a role may ask of a Bitcoin node, no more.

use async_trait::async_trait;
use bitcoin::{Amount, Block, BlockHash, FeeRate, OutPoint, Transaction, TxOut, Txid, block::Header};
use btc_staking_protocol::height::{BtcDepth, BtcHeight};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Result of a port call.
pub type Result<T> = std::result::Result<T, NodeError>;

/// Why a port call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeError {
    /// What callers decide by.
    pub kind: NodeErrorKind,
    /// For people: what was asked and what came back.
    pub detail: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeErrorKind {
    /// Not reachable, warming up, timed out; trying again may help.
    Transient,
    /// Wrong credentials, wrong network, missing method; a person must act.
    Misconfigured,
    /// The node answered something that cannot be.
    Broken,
}

impl NodeError {
    /// Builds an error of `kind`.
    pub fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.kind == NodeErrorKind::Transient
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NodeErrorKind::Transient => "bitcoin node not reachable",
            NodeErrorKind::Misconfigured => "bitcoin node refuses us",
            NodeErrorKind::Broken => "bitcoin node gave a malformed answer",
        };
        write!(f, "{kind}: {}", self.detail)
    }
}
impl std::error::Error for NodeError {}

/// A block by height and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub height: BtcHeight,
    /// Hash.
    pub hash: BlockHash,
}

/// Reads the block chain.
#[async_trait]
pub trait BlockSource: Send + Sync {
    /// Returns the tip of the best chain.
    async fn fetch_tip(&self) -> Result<BlockRef>;
    /// Returns the hash of the best chain's block at a height; `None` above the tip.
    async fn fetch_block_hash(&self, height: BtcHeight) -> Result<Option<BlockHash>>;
    /// Returns a header and its height, on the best chain or off it; `None` if unknown.
    async fn fetch_header(&self, hash: &BlockHash) -> Result<Option<(Header, BtcHeight)>>;
    /// Returns a block; `None` if unknown or pruned.
    async fn fetch_block(&self, hash: &BlockHash) -> Result<Option<Block>>;
    /// Returns the network the node runs on.
    async fn fetch_network(&self) -> Result<bitcoin::Network>;
}

/// An unspent output as the node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnspentOutput {
    /// The output.
    pub output: TxOut,
    /// Depth of the block that created it; `None` while unconfirmed.
    pub depth: Option<BtcDepth>,
    /// Whether a coinbase made it.
    pub coinbase: bool,
}

/// Asks for single outputs, without any index.
#[async_trait]
pub trait OutputSource: Send + Sync {
    /// Returns an output if it is unspent on the best chain, and in the mempool too when `view` says so.
    async fn fetch_unspent(&self, outpoint: &OutPoint, view: UtxoView) -> Result<Option<UnspentOutput>>;
}

/// Which spends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UtxoView {
    /// Only those in blocks.
    Chain,
    /// Those in the mempool too.
    ChainAndMempool,
}

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxPlace {
    /// Neither in the mempool nor in a block this node can name.
    Unknown,
    /// In the mempool.
    Mempool,
    /// In a block of the best chain.
    Confirmed(BlockRef),
}

/// Broadcasts and finds transactions.
#[async_trait]
pub trait Broadcaster: Send + Sync {
    /// Hands a transaction to the network. `burn` bounds what unspendable outputs may burn, so that a slashing output
    /// passes and nothing else does.
    ///
    /// # Errors
    /// [`NodeError`] for trouble with the node. A refusal by policy or consensus is an [`Ok`] of
    /// [`BroadcastOutcome::Refused`].
    async fn broadcast(&self, tx: &Transaction, burn: BurnLimit) -> Result<BroadcastOutcome>;
    /// Returns where a transaction is. Without a transaction index a node finds confirmed ones only while one of their
    /// outputs is unspent; the follower's watch is the way to be sure.
    async fn locate(&self, txid: &Txid) -> Result<TxPlace>;
    /// Returns the feerate that should confirm within `blocks`; `None` when the node has no estimate.
    async fn estimate_feerate(&self, blocks: u16) -> Result<Option<FeeRate>>;
    /// Returns the lowest feerate the node's mempool accepts now.
    async fn mempool_min_feerate(&self) -> Result<FeeRate>;
}

/// Most satoshis a broadcast may burn in unspendable outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnLimit(pub Amount);

impl BurnLimit {
    /// Burns nothing.
    pub const NONE: BurnLimit = BurnLimit(Amount::ZERO);
}

/// What a node said to a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastOutcome {
    /// In the mempool now. Bitcoin Core says the same of a transaction that was there before.
    Accepted,
    /// The node had it already. For one in a block, Bitcoin Core notices that only while an output of it is unspent
    /// and answers [`RefusalKind::MissingOrSpent`] afterwards.
    AlreadyKnown,
    /// Refused.
    Refused(BroadcastRefusal),
}

/// Why a node refused a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastRefusal {
    /// What callers decide by.
    pub kind: RefusalKind,
    /// The node's own words.
    pub text: String,
}

/// Refusals that roles tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// An input is spent or unknown: find out who spent it.
    MissingOrSpent,
    /// Another unconfirmed transaction spends the same output and does not give way, because this one does not pay
    /// enough more. Look at the rival; the answer may change when it confirms or leaves.
    MempoolConflict,
    /// Fee below what the mempool takes now; try again later.
    FeeTooLow,
    /// Too many unconfirmed relatives in the mempool; wait for a block.
    TooManyRelatives,
    /// A relative or absolute timelock has not passed, or a coinbase is too young.
    NonFinal,
    /// Burns more than allowed.
    BurnExceeded,
    /// A script or signature is wrong; sending again cannot help.
    ScriptFailed,
    /// Not standard, too large, malformed or otherwise unacceptable.
    Other,
}
