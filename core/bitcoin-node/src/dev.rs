//! What tests and the devnet ask of a regtest node beyond the ports: mine, and take blocks back.

use crate::{
    bitcoind::Bitcoind,
    ports::{BlockRef, BlockSource, Broadcaster, NodeError, NodeErrorKind, OutputSource, Result},
};
use async_trait::async_trait;
use bitcoin::{Address, BlockHash, Network, Script};
use btc_staking_protocol::height::BtcHeight;
use serde_json::json;

/// Mines and reorganises on regtest.
#[async_trait]
pub trait DevNode: Send + Sync {
    /// Mines `blocks` blocks on the tip, each with what the mempool holds, paying to `script`; returns them, lowest
    /// first.
    async fn mine(&self, blocks: u32, script: &Script) -> Result<Vec<BlockRef>>;
    /// Takes a block and all that build on it off the best chain. Their transactions go back to the mempool.
    async fn invalidate(&self, hash: &BlockHash) -> Result<()>;
    /// Lifts an invalidation.
    async fn reconsider(&self, hash: &BlockHash) -> Result<()>;
}

/// Everything a regtest node can be asked.
pub trait RegtestNode: BlockSource + OutputSource + Broadcaster + DevNode {}
impl<T: BlockSource + OutputSource + Broadcaster + DevNode> RegtestNode for T {}

/// Replaces the `depth` topmost blocks by `depth + 1` others paying to `script`; returns the new blocks, lowest first.
///
/// `script` must differ from what the replaced blocks pay to: a bitcoind that mines the same block again within one
/// second finds it to be the one it was told to reject.
///
/// # Errors
/// [`NodeError`]; [`NodeErrorKind::Misconfigured`] when the chain is not that deep.
pub async fn reorg<N: RegtestNode + ?Sized>(node: &N, depth: u32, script: &Script) -> Result<Vec<BlockRef>> {
    let tip = node.fetch_tip().await?;
    let lowest = tip.height.checked_add(1).and_then(|next| next.checked_sub(depth));
    let too_deep = || {
        NodeError::new(
            NodeErrorKind::Misconfigured,
            format!("a chain of height {} has no {depth} blocks to replace", tip.height),
        )
    };
    let lowest = lowest.filter(|height| *height > BtcHeight::new(0)).ok_or_else(too_deep)?;
    if depth > 0 {
        let hash = node.fetch_block_hash(lowest).await?.ok_or_else(too_deep)?;
        node.invalidate(&hash).await?;
    }
    node.mine(depth.saturating_add(1), script).await
}

#[async_trait]
impl DevNode for Bitcoind {
    async fn mine(&self, blocks: u32, script: &Script) -> Result<Vec<BlockRef>> {
        let address = Address::from_script(script, Network::Regtest).map_err(|error| {
            NodeError::new(NodeErrorKind::Misconfigured, format!("cannot mine to {script}: {error}"))
        })?;
        let answer = self.call("generatetoaddress", &[json!(blocks), json!(address)]).await?;
        let hashes: Vec<BlockHash> = serde_json::from_value(answer)
            .map_err(|error| NodeError::new(NodeErrorKind::Broken, format!("generatetoaddress: {error}")))?;
        let mut mined = Vec::new();
        for hash in hashes {
            let (_, height) = self.fetch_header(&hash).await?.ok_or_else(|| {
                NodeError::new(NodeErrorKind::Broken, format!("the node forgot block {hash} it just mined"))
            })?;
            mined.push(BlockRef { height, hash });
        }
        Ok(mined)
    }

    async fn invalidate(&self, hash: &BlockHash) -> Result<()> {
        self.call("invalidateblock", &[json!(hash)]).await.map(drop)
    }

    async fn reconsider(&self, hash: &BlockHash) -> Result<()> {
        self.call("reconsiderblock", &[json!(hash)]).await.map(drop)
    }
}
