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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::BitcoinNode;
    use bitcoin::{ScriptBuf, Transaction, TxIn, TxOut, absolute::LockTime, transaction::Version};
    use btc_staking_bitcoin_node::{
        BroadcastOutcome, Broadcaster as _, BurnLimit, dev::DevNode as _, dev::reorg,
    };

    fn anyone(byte: u8) -> (ScriptBuf, ScriptBuf) {
        let program = ScriptBuf::from_bytes(vec![byte]);
        (program.to_p2wsh(), program)
    }

    async fn coinbase_of(node: &Bitcoind, height: u32) -> Transaction {
        let hash = node.fetch_block_hash(BtcHeight::new(height)).await.unwrap().unwrap();
        node.fetch_block(&hash).await.unwrap().unwrap().txdata.remove(0)
    }

    #[tokio::test]
    async fn transactions_and_spends_are_known_once_they_are_in_a_block_and_forgotten_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let served = BitcoinNode::start_simulator(folder.path()).await.unwrap();
        let node = Arc::new(served.client().unwrap());
        let ledger = Ledger::new(Arc::clone(&node));
        let (script, program) = anyone(0x51);
        node.mine(101, &script).await.unwrap();
        let coinbase = coinbase_of(&node, 1).await;
        let outpoint = OutPoint::new(coinbase.compute_txid(), 0);
        let mut input = TxIn { previous_output: outpoint, ..TxIn::default() };
        input.witness.push(program.as_bytes());
        let value = coinbase.output[0].value - bitcoin::Amount::from_sat(1_000);
        let output = vec![TxOut { value, script_pubkey: script.clone() }];
        let tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
        assert_eq!(node.broadcast(&tx, BurnLimit::NONE).await.unwrap(), BroadcastOutcome::Accepted);
        assert!(ledger.fetch_spender(&outpoint).await.unwrap().is_none(), "it is in no block");

        node.mine(3, &script).await.unwrap();
        let spender = ledger.fetch_spender(&outpoint).await.unwrap().unwrap();
        assert_eq!((spender.txid, spender.depth), (tx.compute_txid(), BtcDepth::new(2)));
        assert!(ledger.fetch_confirmed(&outpoint.txid).await.unwrap().is_some());

        let replaced = coinbase_of(&node, 104).await.compute_txid();
        assert!(ledger.fetch_confirmed(&replaced).await.unwrap().is_some());
        reorg(&*node, 1, &anyone(0x52).0).await.unwrap();
        assert!(ledger.fetch_confirmed(&replaced).await.unwrap().is_none());
        assert!(ledger.fetch_spender(&outpoint).await.unwrap().is_some());
        served.stop().await.unwrap();
    }
}
