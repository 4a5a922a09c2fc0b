//! A regtest Bitcoin node in memory: blocks with real proof of work, a mempool, timelocks and reorgs.
//!
//! Every spend goes through Bitcoin Core's script interpreter (`bitcoinconsensus`) with taproot rules and the spent
//! outputs; relative and absolute timelocks, coinbase maturity, fees, dust, burn limits and replacement by fee are
//! checked as a node does. Refusals carry Bitcoin Core's codes and words.
//!
//! | module | holds |
//! |---|---|
//! | `chain` | blocks, the best chain, unspent outputs, connecting and disconnecting |
//! | `rules` | what consensus asks of a transaction |
//! | `policy` | what a mempool asks on top |
//! | `mempool` | unconfirmed transactions and their conflicts |
//! | `mining` | block templates and proof of work |
//! | [`rpc`] | the same node served over bitcoind's JSON-RPC |
//!
//! What it is not: a validator of foreign blocks (it only holds blocks it mined), a peer, or a wallet. Policy that
//! lives inside Core's interpreter (upgradable opcodes, minimal `IF`) is not applied.

use crate::{
    bitcoind::classify_refusal,
    dev::DevNode,
    ports::{
        BlockRef, BlockSource, BroadcastOutcome, Broadcaster, BurnLimit, NodeError, NodeErrorKind,
        OutputSource, Result, TxPlace, UnspentOutput, UtxoView,
    },
};
use async_trait::async_trait;
use bitcoin::{Block, BlockHash, FeeRate, Network, OutPoint, Script, Transaction, Txid, block::Header};
use btc_staking_protocol::height::BtcHeight;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod chain;
mod mempool;
mod mining;
mod node;
mod policy;
mod rejection;
pub mod rpc;
mod rules;

pub use rejection::Rejection;

use node::Node;

/// Seconds since 1970 as the simulator's blocks show them.
pub type Clock = Box<dyn Fn() -> u32 + Send + Sync>;

/// A simulated regtest node. Calls are atomic; share it by `Arc`.
pub struct Simulator {
    node: Mutex<Node>,
}

impl Simulator {
    /// A node that knows the genesis block. `clock` gives the time of blocks; tests give a fixed one.
    pub fn new(clock: Clock) -> Self {
        Self { node: Mutex::new(Node::new(clock)) }
    }

    /// A node with the machine's clock.
    pub fn with_system_clock() -> Self {
        Self::new(Box::new(|| {
            let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since_1970.ok().and_then(|time| u32::try_from(time.as_secs()).ok()).unwrap_or(u32::MAX)
        }))
    }

    /// Puts the node's clock forward.
    pub fn advance_clock(&self, seconds: u32) {
        self.lock().advance_clock(seconds);
    }

    /// Drops a transaction and what spends it from the mempool, as a node does that restarts or runs full. Returns
    /// whether it was there.
    pub fn evict(&self, txid: &Txid) -> bool {
        self.lock().evict(txid)
    }

    fn lock(&self) -> MutexGuard<'_, Node> {
        // A panic under the lock is a bug already reported; later callers still get an answer.
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlockSource for Simulator {
    async fn fetch_tip(&self) -> Result<BlockRef> {
        Ok(self.lock().chain().tip())
    }

    async fn fetch_block_hash(&self, height: BtcHeight) -> Result<Option<BlockHash>> {
        Ok(self.lock().chain().hash_at(height))
    }

    async fn fetch_header(&self, hash: &BlockHash) -> Result<Option<(Header, BtcHeight)>> {
        Ok(self.lock().chain().block(hash).map(|stored| (stored.block.header, stored.height)))
    }

    async fn fetch_block(&self, hash: &BlockHash) -> Result<Option<Block>> {
        Ok(self.lock().chain().block(hash).map(|stored| stored.block.clone()))
    }

    async fn fetch_network(&self) -> Result<Network> {
        Ok(Network::Regtest)
    }
}

#[async_trait]
impl OutputSource for Simulator {
    async fn fetch_unspent(&self, outpoint: &OutPoint, view: UtxoView) -> Result<Option<UnspentOutput>> {
        let node = self.lock();
        let tip = node.chain().tip().height;
        Ok(node.coin(outpoint, view).map(|coin| UnspentOutput {
            depth: coin.height.depth_under(tip),
            coinbase: coin.coinbase,
            output: coin.output,
        }))
    }
}

#[async_trait]
impl Broadcaster for Simulator {
    async fn broadcast(&self, tx: &Transaction, burn: BurnLimit) -> Result<BroadcastOutcome> {
        Ok(match self.lock().submit(tx, burn, None) {
            Ok(_) => BroadcastOutcome::Accepted,
            Err(rejection) => classify_refusal(rejection.code, &rejection.reason),
        })
    }

    async fn locate(&self, txid: &Txid) -> Result<TxPlace> {
        Ok(self.lock().locate(txid))
    }

    async fn estimate_feerate(&self, _blocks: u16) -> Result<Option<FeeRate>> {
        // Nothing competes for the simulator's blocks, so there is nothing to estimate from; regtest nodes say the same.
        Ok(None)
    }

    async fn mempool_min_feerate(&self) -> Result<FeeRate> {
        Ok(policy::MIN_RELAY_FEERATE)
    }
}

#[async_trait]
impl DevNode for Simulator {
    async fn mine(&self, blocks: u32, script: &Script) -> Result<Vec<BlockRef>> {
        let mut mined = Vec::new();
        for _ in 0..blocks {
            mined.push(self.lock().mine(script));
        }
        Ok(mined)
    }

    async fn invalidate(&self, hash: &BlockHash) -> Result<()> {
        self.lock().invalidate(hash).map_err(|error| NodeError::new(NodeErrorKind::Misconfigured, error))
    }

    async fn reconsider(&self, hash: &BlockHash) -> Result<()> {
        self.lock().reconsider(hash).map_err(|error| NodeError::new(NodeErrorKind::Misconfigured, error))
    }
}

#[cfg(test)]
mod tests;
