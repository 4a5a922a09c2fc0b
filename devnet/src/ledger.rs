//! What Bitcoin says: every confirmed transaction and every spend, read from the node's blocks and from nothing else.
//!
//! It keeps the whole chain in memory, which suits a regtest of a few hundred blocks, and starts again when the node
//! replaces a block it has seen.

use bitcoin::{BlockHash, OutPoint, Transaction, Txid};
use btc_staking_bitcoin_node::{BlockSource as _, NodeError, bitcoind::Bitcoind};
use btc_staking_protocol::height::{BtcDepth, BtcHeight};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Mutex;

/// The confirmed part of Bitcoin.
pub struct Ledger {
    node: Arc<Bitcoind>,
    seen: Mutex<Seen>,
}

/// A confirmed transaction.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// The transaction.
    pub tx: Transaction,
    /// Its id.
    pub txid: Txid,
    /// Height of its block.
    pub height: BtcHeight,
    /// Depth of its block.
    pub depth: BtcDepth,
}

#[derive(Default)]
struct Seen {
    blocks: Vec<BlockHash>,
    transactions: HashMap<Txid, (Transaction, BtcHeight)>,
    spenders: HashMap<OutPoint, Txid>,
}

impl Ledger {
    /// Reads from `node`.
    pub fn new(node: Arc<Bitcoind>) -> Self {
        Self { node, seen: Mutex::default() }
    }

    /// The node it reads from.
    pub fn node(&self) -> &Bitcoind {
        &self.node
    }

    /// Returns the height of the tip.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn fetch_height(&self) -> Result<BtcHeight, NodeError> {
        Ok(self.node.fetch_tip().await?.height)
    }

    /// Returns a transaction if it is in a block.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn fetch_confirmed(&self, txid: &Txid) -> Result<Option<Confirmed>, NodeError> {
        let mut seen = self.seen.lock().await;
        let tip = seen.catch_up(&self.node).await?;
        Ok(seen.confirmed(txid, tip))
    }

    /// Returns the confirmed transaction that spends an output.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn fetch_spender(&self, outpoint: &OutPoint) -> Result<Option<Confirmed>, NodeError> {
        let mut seen = self.seen.lock().await;
        let tip = seen.catch_up(&self.node).await?;
        Ok(seen.spenders.get(outpoint).and_then(|txid| seen.confirmed(txid, tip)))
    }
}

impl Seen {
    async fn catch_up(&mut self, node: &Bitcoind) -> Result<BtcHeight, NodeError> {
        let tip = node.fetch_tip().await?;
        let height = self.next_height().and_then(|next| next.checked_sub(1));
        if let (Some(height), Some(last)) = (height, self.blocks.last())
            && node.fetch_block_hash(height).await? != Some(*last)
        {
            *self = Self::default();
        }
        while let Some(next) = self.next_height().filter(|next| *next <= tip.height) {
            let Some(hash) = node.fetch_block_hash(next).await? else { break };
            let Some(block) = node.fetch_block(&hash).await? else { break };
            for tx in block.txdata {
                let txid = tx.compute_txid();
                self.spenders.extend(tx.input.iter().map(|input| (input.previous_output, txid)));
                self.transactions.insert(txid, (tx, next));
            }
            self.blocks.push(hash);
        }
        Ok(tip.height)
    }

    fn next_height(&self) -> Option<BtcHeight> {
        u32::try_from(self.blocks.len()).ok().map(BtcHeight::new)
    }

    fn confirmed(&self, txid: &Txid, tip: BtcHeight) -> Option<Confirmed> {
        let (tx, height) = self.transactions.get(txid)?;
        Some(Confirmed { tx: tx.clone(), txid: *txid, height: *height, depth: height.depth_under(tip)? })
    }
}
