//! Blocks, the best chain and what is unspent on it.

use super::{mempool, policy, rejection::Rejection, rules};
use crate::ports::BlockRef;
use bitcoin::{Block, BlockHash, Network, OutPoint, Transaction, TxOut, Txid, constants::genesis_block};
use btc_staking_protocol::height::BtcHeight;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

/// Blocks whose median time counts (BIP 113).
const MEDIAN_TIME_SPAN: u32 = 11;

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) output: TxOut,
    /// Height of the block that made it; for a mempool transaction's the height the next block will have.
    pub(super) height: BtcHeight,
    pub(super) coinbase: bool,
}

/// A block and where it belongs.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) block: Block,
    pub(super) height: BtcHeight,
    /// Order of arrival: of two branches of equal length the first wins.
    arrival: u64,
}

/// All blocks mined, and the state of the best chain.
#[derive(Debug)]
pub(super) struct Chain {
    blocks: HashMap<BlockHash, Stored>,
    /// The best chain; position is height.
    best: Vec<BlockHash>,
    coins: HashMap<OutPoint, Coin>,
    /// What each block of the best chain spent.
    undo: HashMap<BlockHash, Vec<(OutPoint, Coin)>>,
    tx_blocks: HashMap<Txid, BlockHash>,
    /// Blocks taken back by hand, and their descendants.
    invalid: HashSet<BlockHash>,
    arrivals: u64,
}

impl Chain {
    /// The chain that consists of regtest's genesis block, whose coinbase nobody can spend.
    pub(super) fn genesis() -> Self {
        let block = genesis_block(Network::Regtest);
        let hash = block.block_hash();
        let stored = Stored { block, height: BtcHeight::new(0), arrival: 0 };
        Self {
            blocks: HashMap::from([(hash, stored)]),
            best: vec![hash],
            coins: HashMap::new(),
            undo: HashMap::new(),
            tx_blocks: HashMap::new(),
            invalid: HashSet::new(),
            arrivals: 0,
        }
    }

    pub(super) fn tip(&self) -> BlockRef {
        let hash = *self.best.last().expect("the genesis block is never disconnected");
        BlockRef { height: self.blocks[&hash].height, hash }
    }

    pub(super) fn hash_at(&self, height: BtcHeight) -> Option<BlockHash> {
        self.best.get(usize::try_from(height.to_u32()).ok()?).copied()
    }

    pub(super) fn block(&self, hash: &BlockHash) -> Option<&Stored> {
        self.blocks.get(hash)
    }

    /// Whether a block is on the best chain.
    pub(super) fn is_best(&self, block: &BlockRef) -> bool {
        self.hash_at(block.height) == Some(block.hash)
    }

    pub(super) fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.get(outpoint)
    }

    /// The block of the best chain that holds a transaction.
    pub(super) fn block_of(&self, txid: &Txid) -> Option<BlockRef> {
        let hash = *self.tx_blocks.get(txid)?;
        Some(BlockRef { height: self.blocks.get(&hash)?.height, hash })
    }

    /// A transaction of the best chain.
    pub(super) fn transaction(&self, txid: &Txid) -> Option<&Transaction> {
        let stored = self.blocks.get(self.tx_blocks.get(txid)?)?;
        stored.block.txdata.iter().find(|tx| tx.compute_txid() == *txid)
    }

    /// Median time of the last blocks: what the next block's lock times are measured by.
    pub(super) fn median_time_past(&self) -> u32 {
        self.median_time_at(self.tip().height)
    }

    /// Median time of the blocks up to the one before `height`: where a relative time lock of its outputs begins.
    pub(super) fn median_time_before(&self, height: BtcHeight) -> u32 {
        self.median_time_at(height.checked_sub(1).unwrap_or(height))
    }

    /// Median time of the blocks up to and with the one at `height`.
    pub(super) fn median_time_at(&self, height: BtcHeight) -> u32 {
        let mut times: Vec<u32> = (0..MEDIAN_TIME_SPAN)
            .filter_map(|back| height.checked_sub(back))
            .filter_map(|height| self.hash_at(height))
            .filter_map(|hash| self.blocks.get(&hash))
            .map(|stored| stored.block.header.time)
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// Takes a block on the tip.
    pub(super) fn extend(&mut self, block: Block) -> Result<BlockRef, Rejection> {
        let tip = self.tip();
        if block.header.prev_blockhash != tip.hash {
            return Err(Rejection::rejected("bad-prevblk"));
        }
        let hash = block.block_hash();
        self.arrivals += 1;
        let height = rules::next_height(self);
        self.blocks.insert(hash, Stored { block, height, arrival: self.arrivals });
        self.connect(hash).inspect_err(|_| {
            self.blocks.remove(&hash);
        })?;
        Ok(BlockRef { height, hash })
    }

    /// Takes a block and its descendants off; returns the transactions that left the chain, oldest first.
    pub(super) fn invalidate(&mut self, hash: &BlockHash) -> Result<Vec<Transaction>, String> {
        let stored = self.blocks.get(hash).ok_or("Block not found")?;
        if stored.height == BtcHeight::new(0) {
            return Err("the genesis block cannot be invalidated".to_owned());
        }
        let family = self.descendants(*hash);
        self.invalid.extend(family);
        Ok(self.activate_best())
    }

    /// Allows a block, its ancestors and descendants again; returns the transactions that left the chain.
    pub(super) fn reconsider(&mut self, hash: &BlockHash) -> Result<Vec<Transaction>, String> {
        if !self.blocks.contains_key(hash) {
            return Err("Block not found".to_owned());
        }
        for descendant in self.descendants(*hash) {
            self.invalid.remove(&descendant);
        }
        let mut ancestor = Some(*hash);
        while let Some(stored) = ancestor.and_then(|hash| self.blocks.get(&hash)) {
            self.invalid.remove(&stored.block.block_hash());
            ancestor = Some(stored.block.header.prev_blockhash);
        }
        Ok(self.activate_best())
    }

    /// A block and everything built on it.
    fn descendants(&self, hash: BlockHash) -> HashSet<BlockHash> {
        let mut by_height: Vec<(&BlockHash, &Stored)> = self.blocks.iter().collect();
        by_height.sort_unstable_by_key(|(_, stored)| stored.height);
        let mut family = HashSet::from([hash]);
        for (hash, stored) in by_height {
            if family.contains(&stored.block.header.prev_blockhash) {
                family.insert(*hash);
            }
        }
        family
    }

    /// Moves to the longest allowed branch; returns the transactions that left the chain, oldest first.
    fn activate_best(&mut self) -> Vec<Transaction> {
        let mut orphaned = Vec::new();
        loop {
            let target = self.longest_allowed();
            let mut path = Vec::new();
            let mut at = target;
            while !self.is_best(&at) {
                path.push(at.hash);
                let prev = self.blocks[&at.hash].block.header.prev_blockhash;
                at = BlockRef { height: self.blocks[&prev].height, hash: prev };
            }
            while self.tip() != at {
                let disconnected = self.disconnect_tip();
                orphaned.splice(0..0, disconnected);
            }
            match path.iter().rev().find(|hash| self.connect(**hash).is_err()) {
                None => return orphaned,
                Some(bad) => {
                    let family = self.descendants(*bad);
                    self.invalid.extend(family);
                }
            }
        }
    }

    fn longest_allowed(&self) -> BlockRef {
        let (hash, stored) = self
            .blocks
            .iter()
            .filter(|(hash, _)| !self.invalid.contains(*hash))
            .max_by_key(|(_, stored)| (stored.height, Reverse(stored.arrival)))
            .expect("the genesis block cannot be invalidated");
        BlockRef { height: stored.height, hash: *hash }
    }

    /// Applies a stored child of the tip.
    fn connect(&mut self, hash: BlockHash) -> Result<(), Rejection> {
        let Stored { block, height, .. } = self.blocks.get(&hash).ok_or_else(Rejection::missing_inputs)?;
        let (block, height) = (block.clone(), *height);
        let mut spent = Vec::new();
        for tx in &block.txdata {
            if let Err(rejection) = self.apply(tx, height, &mut spent) {
                self.revert(&block, spent);
                return Err(rejection);
            }
        }
        for tx in &block.txdata {
            self.tx_blocks.insert(tx.compute_txid(), hash);
        }
        self.undo.insert(hash, spent);
        self.best.push(hash);
        Ok(())
    }

    /// Spends a transaction's inputs and adds its outputs. Scripts were run when it entered the mempool.
    fn apply(
        &mut self,
        tx: &Transaction,
        height: BtcHeight,
        spent: &mut Vec<(OutPoint, Coin)>,
    ) -> Result<(), Rejection> {
        if !tx.is_coinbase() {
            let coins = mempool::find_coins(tx, |outpoint| self.coins.get(outpoint).cloned())?;
            rules::check_final(tx, self)?;
            rules::check_sequence_locks(tx, &coins, self)?;
            rules::check_values(tx, &coins, self)?;
            for (input, coin) in tx.input.iter().zip(coins) {
                self.coins.remove(&input.previous_output);
                spent.push((input.previous_output, coin));
            }
        }
        let txid = tx.compute_txid();
        for (vout, output) in (0..).zip(&tx.output) {
            if !policy::is_unspendable(&output.script_pubkey) {
                let coin = Coin { output: output.clone(), height, coinbase: tx.is_coinbase() };
                self.coins.insert(OutPoint { txid, vout }, coin);
            }
        }
        Ok(())
    }

    /// Takes the tip off; returns its transactions without the coinbase.
    fn disconnect_tip(&mut self) -> Vec<Transaction> {
        let tip = self.tip();
        let Some(stored) = self.blocks.get(&tip.hash) else { return Vec::new() };
        let block = stored.block.clone();
        let spent = self.undo.remove(&tip.hash).unwrap_or_default();
        self.revert(&block, spent);
        self.best.pop();
        block.txdata.into_iter().skip(1).collect()
    }

    /// Restores what a block spent, then removes what it made: an output made and spent in it goes away.
    fn revert(&mut self, block: &Block, spent: Vec<(OutPoint, Coin)>) {
        self.coins.extend(spent);
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            self.tx_blocks.remove(&txid);
            for (vout, _) in (0..).zip(&tx.output) {
                self.coins.remove(&OutPoint { txid, vout });
            }
        }
    }
}

#[cfg(test)]
impl Chain {
    /// Plays the best chain on an empty set of outputs and compares.
    pub(super) fn check_against_replay(&self) {
        let mut coins: HashMap<OutPoint, Coin> = HashMap::new();
        let mut places: HashMap<Txid, BlockHash> = HashMap::new();
        let mut minted = bitcoin::Amount::ZERO;
        for hash in self.best.iter().skip(1) {
            let Stored { block, height, .. } = &self.blocks[hash];
            let mut fees = bitcoin::Amount::ZERO;
            for tx in &block.txdata {
                let txid = tx.compute_txid();
                places.insert(txid, *hash);
                if !tx.is_coinbase() {
                    let spent = tx.input.iter().map(|input| {
                        coins
                            .remove(&input.previous_output)
                            .expect("spent once, after it was made")
                            .output
                            .value
                    });
                    let paid_in: bitcoin::Amount = spent.sum();
                    fees += paid_in - tx.output.iter().map(|output| output.value).sum();
                }
                for (vout, output) in (0..).zip(&tx.output) {
                    if !output.script_pubkey.is_op_return() {
                        let coin =
                            Coin { output: output.clone(), height: *height, coinbase: tx.is_coinbase() };
                        coins.insert(OutPoint { txid, vout }, coin);
                    }
                }
            }
            minted += block.txdata[0].output[0].value - fees;
        }
        let unspent: bitcoin::Amount = coins.values().map(|coin| coin.output.value).sum();
        assert_eq!(unspent, minted);
        assert!(self.coins == coins, "the unspent outputs are not those of the best chain");
        assert!(self.tx_blocks == places, "the transaction index is not that of the best chain");
    }
}
