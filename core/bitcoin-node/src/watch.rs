//! Watches chosen transactions and outputs on the best chain.
//!
//! A pure index over the follower's events: a watched transaction is confirmed or not, a watched output is spent or
//! not, and a disconnected block takes back exactly what it brought. Facts carry what a report to the staking chain
//! needs: the transaction itself, its place, and the Merkle proof (`bitcoin.md` 11.3).
//!
//! It learns only from the events it is fed. What was on the chain before something was watched has to be looked up
//! with [`find_in_block`] or by following again from a lower height.

use crate::{follower::ChainEvent, ports::BlockRef};
use bitcoin::{Block, BlockHash, OutPoint, Transaction, Txid};
use btc_staking_protocol::inclusion::InclusionProof;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// A transaction in a block of the best chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The block.
    pub block: BlockRef,
    /// Position of the transaction in the block; the coinbase is 0.
    pub index: u32,
    /// The transaction, with its witness.
    pub tx: Transaction,
    /// Sibling hashes of its Merkle proof, internal byte order, leaf level first.
    #[serde(with = "hex_hashes")]
    pub siblings: Vec<[u8; 32]>,
}

impl Confirmation {
    /// The proof that the transaction is in the block.
    pub fn inclusion_proof(&self) -> InclusionProof {
        InclusionProof { block_hash: self.block.hash, index: self.index, siblings: self.siblings.clone() }
    }
}

/// A spend of an output in a block of the best chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// The spending transaction and where it is.
    pub spender: Confirmation,
    /// Which of its inputs spends the output.
    pub input_index: u32,
}

/// Something that became true or stopped being true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchFact {
    /// A watched transaction is in a block.
    Confirmed {
        /// The transaction's id.
        txid: Txid,
        /// Where it is.
        confirmation: Confirmation,
    },
    /// The block that held a watched transaction left the best chain.
    Unconfirmed {
        /// The transaction's id.
        txid: Txid,
        /// The block it was in.
        block: BlockRef,
    },
    /// A watched output is spent in a block.
    Spent {
        /// The output.
        outpoint: OutPoint,
        /// Who spent it.
        spend: Spend,
    },
    /// The block that held the spend of a watched output left the best chain.
    Unspent {
        /// The output.
        outpoint: OutPoint,
        /// The block the spend was in.
        block: BlockRef,
    },
}

/// The index. Memory grows with what is watched, not with the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    txids: BTreeMap<Txid, Option<Confirmation>>,
    outpoints: BTreeMap<OutPoint, Option<Spend>>,
    /// What each block brought, so that its disconnection finds it.
    by_block: HashMap<BlockHash, Brought>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Brought {
    txids: Vec<Txid>,
    outpoints: Vec<OutPoint>,
}

impl Watch {
    /// An index that watches nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches for the confirmation of a transaction. Watching it already changes nothing.
    pub fn watch_txid(&mut self, txid: Txid) {
        self.txids.entry(txid).or_default();
    }

    /// Watches for the spend of an output. Watching it already changes nothing.
    pub fn watch_outpoint(&mut self, outpoint: OutPoint) {
        self.outpoints.entry(outpoint).or_default();
    }

    /// Stops watching a transaction.
    pub fn unwatch_txid(&mut self, txid: &Txid) {
        if let Some(Some(known)) = self.txids.remove(txid)
            && let Some(brought) = self.by_block.get_mut(&known.block.hash)
        {
            brought.txids.retain(|other| other != txid);
            self.drop_if_empty(&known.block.hash);
        }
    }

    /// Stops watching an output.
    pub fn unwatch_outpoint(&mut self, outpoint: &OutPoint) {
        if let Some(Some(known)) = self.outpoints.remove(outpoint)
            && let Some(brought) = self.by_block.get_mut(&known.spender.block.hash)
        {
            brought.outpoints.retain(|other| other != outpoint);
            self.drop_if_empty(&known.spender.block.hash);
        }
    }

    /// Watches a transaction that is known to be in a block, after a restart or a look-up.
    pub fn restore_confirmation(&mut self, confirmation: Confirmation) {
        let txid = confirmation.tx.compute_txid();
        self.unwatch_txid(&txid);
        self.by_block.entry(confirmation.block.hash).or_default().txids.push(txid);
        self.txids.insert(txid, Some(confirmation));
    }

    /// Watches an output that is known to be spent in a block. Returns whether the spend really spends it; otherwise
    /// nothing changes.
    pub fn restore_spend(&mut self, outpoint: OutPoint, spend: Spend) -> bool {
        let spends = usize::try_from(spend.input_index)
            .ok()
            .and_then(|index| spend.spender.tx.input.get(index))
            .is_some_and(|input| input.previous_output == outpoint);
        if spends {
            self.unwatch_outpoint(&outpoint);
            self.by_block.entry(spend.spender.block.hash).or_default().outpoints.push(outpoint);
            self.outpoints.insert(outpoint, Some(spend));
        }
        spends
    }

    /// Where a watched transaction is; `None` while it is in no block, or not watched.
    pub fn confirmation(&self, txid: &Txid) -> Option<&Confirmation> {
        self.txids.get(txid)?.as_ref()
    }

    /// Who spent a watched output; `None` while nobody did in a block, or when it is not watched.
    pub fn spend(&self, outpoint: &OutPoint) -> Option<&Spend> {
        self.outpoints.get(outpoint)?.as_ref()
    }

    /// Takes the next event of the follower and returns the facts it changes.
    pub fn on_event(&mut self, event: &ChainEvent) -> Vec<WatchFact> {
        match event {
            ChainEvent::Connected { block_ref, block } => self.on_connected(*block_ref, block),
            ChainEvent::Disconnected { block_ref } => self.on_disconnected(*block_ref),
        }
    }

    fn on_connected(&mut self, block_ref: BlockRef, block: &Block) -> Vec<WatchFact> {
        let mut facts = Vec::new();
        let mut txids = None;
        for (position, tx) in block.txdata.iter().enumerate() {
            let txid = if self.txids.is_empty() { None } else { Some(tx.compute_txid()) };
            let confirmed = txid.filter(|txid| self.awaits_confirmation(txid, &block_ref));
            let spent = self.spent_by(tx, &block_ref);
            if confirmed.is_none() && spent.is_empty() {
                continue;
            }
            let txids: &Vec<Txid> = txids.get_or_insert_with(|| txids_of(block));
            let Some(found) = confirmation_at(block_ref, tx, position, txids) else { continue };
            let brought = self.by_block.entry(block_ref.hash).or_default();
            if let Some(txid) = confirmed {
                brought.txids.push(txid);
                self.txids.insert(txid, Some(found.clone()));
                facts.push(WatchFact::Confirmed { txid, confirmation: found.clone() });
            }
            for (outpoint, input_index) in spent {
                let spend = Spend { spender: found.clone(), input_index };
                brought.outpoints.push(outpoint);
                self.outpoints.insert(outpoint, Some(spend.clone()));
                facts.push(WatchFact::Spent { outpoint, spend });
            }
        }
        facts
    }

    fn on_disconnected(&mut self, block: BlockRef) -> Vec<WatchFact> {
        let brought = self.by_block.remove(&block.hash).unwrap_or_default();
        let mut facts = Vec::new();
        for outpoint in brought.outpoints.into_iter().rev() {
            self.outpoints.insert(outpoint, None);
            facts.push(WatchFact::Unspent { outpoint, block });
        }
        for txid in brought.txids.into_iter().rev() {
            self.txids.insert(txid, None);
            facts.push(WatchFact::Unconfirmed { txid, block });
        }
        facts
    }

    /// Whether a transaction is watched and not already known to be in this very block.
    fn awaits_confirmation(&self, txid: &Txid, block: &BlockRef) -> bool {
        self.txids.get(txid).is_some_and(|known| known.as_ref().is_none_or(|c| c.block != *block))
    }

    /// The same for an output's spend.
    fn awaits_spend(&self, outpoint: &OutPoint, block: &BlockRef) -> bool {
        self.outpoints
            .get(outpoint)
            .is_some_and(|known| known.as_ref().is_none_or(|s| s.spender.block != *block))
    }

    /// The watched outputs a transaction spends, each with the input that does.
    fn spent_by(&self, tx: &Transaction, block: &BlockRef) -> Vec<(OutPoint, u32)> {
        if self.outpoints.is_empty() {
            return Vec::new();
        }
        (0..)
            .zip(&tx.input)
            .filter(|(_, input)| self.awaits_spend(&input.previous_output, block))
            .map(|(index, input)| (input.previous_output, index))
            .collect()
    }

    fn drop_if_empty(&mut self, block: &BlockHash) {
        if self.by_block.get(block).is_some_and(|b| b.txids.is_empty() && b.outpoints.is_empty()) {
            self.by_block.remove(block);
        }
    }
}

/// Finds a transaction in a block; `None` when it is not there.
pub fn find_in_block(block_ref: BlockRef, block: &Block, txid: &Txid) -> Option<Confirmation> {
    let txids = txids_of(block);
    let position = txids.iter().position(|other| other == txid)?;
    confirmation_at(block_ref, block.txdata.get(position)?, position, &txids)
}

fn txids_of(block: &Block) -> Vec<Txid> {
    block.txdata.iter().map(Transaction::compute_txid).collect()
}

fn confirmation_at(
    block: BlockRef,
    tx: &Transaction,
    position: usize,
    txids: &[Txid],
) -> Option<Confirmation> {
    let InclusionProof { index, siblings, .. } = InclusionProof::build(block.hash, txids, position).ok()?;
    Some(Confirmation { block, index, tx: tx.clone(), siblings })
}

/// Hashes as hex text in human-readable formats.
mod hex_hashes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(hashes: &[[u8; 32]], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(hashes.iter().map(hex::encode))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<[u8; 32]>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|text| {
                let mut hash = [0; 32];
                hex::decode_to_slice(text, &mut hash)
                    .map_err(|_| D::Error::custom("a Merkle sibling must be 64 hex digits"))?;
                Ok(hash)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
