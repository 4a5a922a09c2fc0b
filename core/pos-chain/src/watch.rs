//! Ports for watching: how a provider's presence is counted, how the nodes are, and when blocks were made.
//!
//! Nothing here is acted on by a machine. It is told to operators, who act before the chain does.

use crate::ports::Result;
use async_trait::async_trait;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use std::time::Duration;

/// What the chain counts of a provider's presence (`wire.md` 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningInfo {
    /// First height counted.
    pub start_height: PosHeight,
    /// Heights missed within the window.
    pub missed_blocks: u64,
    /// End of the jailing in seconds since 1970, if it was ever jailed.
    pub jailed_until: Option<u64>,
}

/// How one node of a chain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// Host and port; never a password.
    pub name: String,
    /// Why it is not used, if it is not: silent, of another chain, rewritten, and so on.
    pub trouble: Option<String>,
    /// What it tells about itself, if it answered.
    pub told: Option<NodeTold>,
}

/// What a node tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTold {
    /// Its chain.
    pub chain_id: String,
    /// Its latest block.
    pub height: PosHeight,
    /// Whether it is still syncing.
    pub catching_up: bool,
    /// Time of its latest block, in seconds since 1970.
    pub block_time: Option<u64>,
    /// Its own clock, in seconds since 1970, if it tells one.
    pub clock: Option<u64>,
    /// Whether it can tell what became of a transaction.
    pub has_tx_index: bool,
    /// How long the answer took.
    pub latency: Duration,
}

/// Reads what the chain counts of a provider's presence.
#[async_trait]
pub trait LivenessReader: Send + Sync {
    /// Returns the count of one provider; `None` for one that was never active.
    async fn fetch_signing_info(&self, key: &FinalityProviderPublicKey) -> Result<Option<SigningInfo>>;
}

/// Reads how the nodes are and how fast the chain goes.
#[async_trait]
pub trait NodeReader: Send + Sync {
    /// Asks every configured node how it is, at the same time. A node that does not answer is told so.
    async fn fetch_nodes(&self) -> Vec<NodeReport>;
    /// Returns the time of a block in seconds since 1970.
    async fn fetch_block_time(&self, height: PosHeight) -> Result<u64>;
}
