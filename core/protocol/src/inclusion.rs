//! Bitcoin Merkle inclusion proofs, and how deep a proven transaction must lie (`bitcoin.md` 11.3, `chain.md` 2.4).
//!
//! This is Bitcoin's tree: double SHA-256, and at a level with an odd number of nodes the last one is its own sibling.
//! The tree of randomness commitments is another one (`crypto.md` 6.3).
//!
//! A proof does not tell how many transactions the block has, so bits of the index above the height of the tree are
//! checked by nobody, and an index is never a unique position.

use crate::height::{BtcDepth, BtcHeight, Timelock};
use bitcoin::{
    BlockHash, TxMerkleNode, Txid,
    hashes::{Hash, HashEngine, sha256d},
};
use thiserror::Error;

/// Most siblings a proof can have: an index has 32 bits, and no block has that many transactions by far.
pub const MAX_SIBLINGS: usize = 32;

/// Proof that a transaction is in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Block that holds the transaction.
    pub block_hash: BlockHash,
    /// Position of the transaction in the block. Bits above the tree height are not checked by anyone.
    pub index: u32,
    /// Sibling hashes, internal byte order, leaf level first, root excluded.
    pub siblings: Vec<[u8; 32]>,
}

/// Why no proof can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CannotProve {
    /// No transaction stands at the position.
    #[error("position {position} is outside a block of {transactions} transactions")]
    NoSuchTransaction {
        /// The position.
        position: usize,
        /// Number of transactions of the block.
        transactions: usize,
    },
    /// The block has more transactions than any block can hold.
    #[error("position {0} does not fit a proof")]
    TooManyTransactions(usize),
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidInclusion {
    /// Without siblings a transaction must be the root itself, at index 0.
    #[error("inclusion proof of index {index} has no siblings")]
    NoSiblings {
        /// The claimed index.
        index: u32,
    },
    /// More siblings than a tree can be high.
    #[error("inclusion proof has {0} siblings, at most {MAX_SIBLINGS} are possible")]
    TooManySiblings(usize),
    /// The siblings lead to another root.
    #[error("inclusion proof leads to merkle root {computed}, the block has {expected}")]
    WrongRoot {
        /// Root the proof leads to.
        computed: TxMerkleNode,
        /// Root of the block.
        expected: TxMerkleNode,
    },
}

impl InclusionProof {
    /// Builds the proof for the transaction at `position` of a block whose transactions are `txids`.
    ///
    /// # Errors
    /// [`CannotProve`] when the position is outside the block.
    pub fn build(block_hash: BlockHash, txids: &[Txid], position: usize) -> Result<Self, CannotProve> {
        if position >= txids.len() {
            return Err(CannotProve::NoSuchTransaction { position, transactions: txids.len() });
        }
        let index = u32::try_from(position).map_err(|_| CannotProve::TooManyTransactions(position))?;
        let mut siblings = Vec::new();
        let mut level: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_byte_array()).collect();
        let mut at = position;
        while level.len() > 1 {
            let last = level[level.len() - 1];
            siblings.push(level.get(at ^ 1).copied().unwrap_or(last));
            level = level.chunks(2).map(|pair| hash_pair(&pair[0], pair.last().unwrap_or(&last))).collect();
            at /= 2;
        }
        Ok(Self { block_hash, index, siblings })
    }

    /// Verifies that the block with `merkle_root` holds the transaction.
    ///
    /// That the root is the one of [`InclusionProof::block_hash`] is for the caller to look up.
    ///
    /// # Errors
    /// [`InvalidInclusion`] when the siblings do not lead to the root.
    pub fn verify(&self, txid: &Txid, merkle_root: &TxMerkleNode) -> Result<(), InvalidInclusion> {
        if self.siblings.len() > MAX_SIBLINGS {
            return Err(InvalidInclusion::TooManySiblings(self.siblings.len()));
        }
        if self.siblings.is_empty() && self.index != 0 {
            return Err(InvalidInclusion::NoSiblings { index: self.index });
        }
        let computed = self.root_for(txid);
        if computed != *merkle_root {
            return Err(InvalidInclusion::WrongRoot { computed, expected: *merkle_root });
        }
        Ok(())
    }

    /// The root to which the siblings lead.
    fn root_for(&self, txid: &Txid) -> TxMerkleNode {
        let mut node = txid.to_byte_array();
        let mut index = self.index;
        for sibling in &self.siblings {
            node = if index & 1 == 1 { hash_pair(sibling, &node) } else { hash_pair(&node, sibling) };
            index >>= 1;
        }
        TxMerkleNode::from_byte_array(node)
    }
}

fn hash_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut engine = sha256d::Hash::engine();
    engine.input(left);
    engine.input(right);
    sha256d::Hash::from_engine(engine).to_byte_array()
}

/// Why a proven staking transaction does not make a stake active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotActivatable {
    /// A coinbase is not a staking transaction.
    #[error("staking transaction stands at index 0, where only a coinbase is")]
    Coinbase,
    /// The block lies above the tip.
    #[error("inclusion height {inclusion} is above the tip at {tip}")]
    AboveTip {
        /// Height of the block.
        inclusion: BtcHeight,
        /// Tip of the light client.
        tip: BtcHeight,
    },
    /// Too few blocks on top; waiting helps.
    #[error("staking transaction is {depth} deep, it must be {required}")]
    NotDeepEnough {
        /// Blocks on top.
        depth: BtcDepth,
        /// `k` of the chain.
        required: BtcDepth,
    },
    /// What is left of the timelock is not longer than unbonding takes.
    #[error(
        "staking timelock ends at {end}, which must be more than {unbonding_time} blocks above the tip at {tip}"
    )]
    TooLittleTimeLeft {
        /// Height at which the timelock ends.
        end: u64,
        /// Unbonding time of the stake.
        unbonding_time: Timelock,
        /// Tip of the light client.
        tip: BtcHeight,
    },
    /// The block is older than the registration.
    #[error("staking transaction was included at {inclusion}, before the registration at {registered}")]
    IncludedTooEarly {
        /// Height of the block.
        inclusion: BtcHeight,
        /// Tip at the time of the registration.
        registered: BtcHeight,
    },
}

/// Refuses the position of a coinbase (rule 3).
///
/// # Errors
/// [`NotActivatable::Coinbase`] for index 0.
pub fn check_not_coinbase(index: u32) -> Result<(), NotActivatable> {
    if index == 0 {
        return Err(NotActivatable::Coinbase);
    }
    Ok(())
}

/// Demands `k` blocks on top of the block with the transaction (rule 4). At the tip the depth is 0.
///
/// # Errors
/// [`NotActivatable::NotDeepEnough`], or [`NotActivatable::AboveTip`].
pub fn check_depth(inclusion: BtcHeight, tip: BtcHeight, required: BtcDepth) -> Result<(), NotActivatable> {
    let depth = inclusion.depth_under(tip).ok_or(NotActivatable::AboveTip { inclusion, tip })?;
    if depth < required {
        return Err(NotActivatable::NotDeepEnough { depth, required });
    }
    Ok(())
}

/// Demands that more of the timelock is left than unbonding takes: `tip + unbonding < inclusion + staking` (rule 5).
///
/// # Errors
/// [`NotActivatable::TooLittleTimeLeft`].
pub fn check_time_left(
    inclusion: BtcHeight,
    tip: BtcHeight,
    staking_time: Timelock,
    unbonding_time: Timelock,
) -> Result<(), NotActivatable> {
    let end = u64::from(inclusion.to_u32()) + u64::from(staking_time.blocks());
    if u64::from(tip.to_u32()) + u64::from(unbonding_time.blocks()) < end {
        return Ok(());
    }
    Err(NotActivatable::TooLittleTimeLeft { end, unbonding_time, tip })
}

/// Demands that a stake which asked for approval first was included no earlier than that (rule 6).
///
/// # Errors
/// [`NotActivatable::IncludedTooEarly`].
pub fn check_not_too_early(inclusion: BtcHeight, registered: BtcHeight) -> Result<(), NotActivatable> {
    if inclusion < registered {
        return Err(NotActivatable::IncludedTooEarly { inclusion, registered });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
