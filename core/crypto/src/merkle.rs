//! The Merkle tree of randomness commitments: RFC 6962 as CometBFT has it (`crypto.md` 6.3).
//!
//! | Node | Hash |
//! |---|---|
//! | leaf | `SHA256(00 ‖ public randomness)` |
//! | inner | `SHA256(01 ‖ left ‖ right)` |
//! | nothing | `SHA256("")` |
//!
//! The left subtree takes the largest power of two below the number of leaves. That is the same tree as pairing neighbours
//! level by level and lifting an odd last node unchanged, which is how it is built here.

use crate::eots::PublicRandomness;
use sha2::{Digest, Sha256};

/// More siblings than this are refused before anything is hashed.
pub const MAX_AUNTS: usize = 100;

/// Proof that a public randomness value is at an index of a committed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleProof {
    /// Number of values committed to.
    pub total: u64,
    /// Position of the value, from 0.
    pub index: u64,
    /// Hash of the leaf.
    pub leaf_hash: [u8; 32],
    /// Siblings on the way from the leaf to the root, the leaf's first.
    pub aunts: Vec<[u8; 32]>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The total does not fit the signed 64-bit field it travels in.
    #[error("proof total is {0}, must be at most 2^63 - 1")]
    TotalTooLarge(u64),
    /// The index is outside the list.
    #[error("proof index is {index}, must be below the total {total}")]
    IndexOutOfRange {
        /// Position claimed.
        index: u64,
        /// Number of values claimed.
        total: u64,
    },
    /// More than [`MAX_AUNTS`] siblings.
    #[error("proof has {0} aunts, at most {MAX_AUNTS} are accepted")]
    TooManyAunts(usize),
    /// The leaf hash is not the hash of the value.
    #[error("proof is for another value: its leaf hash is not that of the public randomness")]
    WrongLeaf,
    /// The number of siblings is not that of this position in a tree of this size.
    #[error("proof has {aunts} aunts, index {index} of {total} needs {needed}")]
    WrongShape {
        /// Siblings given.
        aunts: usize,
        /// Siblings the position has.
        needed: usize,
        /// Position.
        index: u64,
        /// Number of values.
        total: u64,
    },
    /// The root computed is not the one committed to.
    #[error("proof leads to another root than the one committed to")]
    WrongRoot,
}

/// Computes the root over a list of values. The root of an empty list is the hash of nothing, which no chain accepts.
pub fn root(values: &[PublicRandomness]) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> = values.iter().map(leaf_hash).collect();
    while level.len() > 1 {
        level = next_level(&level);
    }
    level.first().copied().unwrap_or_else(empty_hash)
}

/// A whole tree, which gives the proof of any position at once. Takes 64 bytes per value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Leaves first, root last; empty for an empty list.
    levels: Vec<Vec<[u8; 32]>>,
}

impl Tree {
    /// Builds the tree over a list of values.
    pub fn build(values: &[PublicRandomness]) -> Self {
        let mut levels = Vec::new();
        let mut level: Vec<[u8; 32]> = values.iter().map(leaf_hash).collect();
        while level.len() > 1 {
            let next = next_level(&level);
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        Self { levels }
    }

    /// Returns the root.
    pub fn root(&self) -> [u8; 32] {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(empty_hash)
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the proof for the value at `index`; `None` if there is no such value.
    pub fn proof(&self, index: usize) -> Option<MerkleProof> {
        let leaf_hash = *self.levels.first()?.get(index)?;
        let sibling = |(depth, level): (usize, &Vec<[u8; 32]>)| level.get((index >> depth) ^ 1).copied();
        let aunts = self.levels.iter().enumerate().filter_map(sibling).collect();
        Some(MerkleProof {
            total: u64::try_from(self.len()).ok()?,
            index: u64::try_from(index).ok()?,
            leaf_hash,
            aunts,
        })
    }
}

impl MerkleProof {
    /// Verifies that `value` stands at this proof's index in the list that `root` commits to.
    ///
    /// The total is bound only as far as it shapes the way to this leaf: index 0 goes the same way in a list of five as in
    /// one of six. Compare it with the number of values committed to.
    ///
    /// # Errors
    /// If it does not, with the first rule of `crypto.md` 6.3 that is broken.
    pub fn verify(&self, root: &[u8; 32], value: &PublicRandomness) -> Result<(), ProofError> {
        self.check_bounds()?;
        if self.leaf_hash != leaf_hash(value) {
            return Err(ProofError::WrongLeaf);
        }
        if self.computed_root()? != *root {
            return Err(ProofError::WrongRoot);
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), ProofError> {
        let Self { total, index, .. } = *self;
        if i64::try_from(total).is_err() {
            return Err(ProofError::TotalTooLarge(total));
        }
        if index >= total {
            return Err(ProofError::IndexOutOfRange { index, total });
        }
        if self.aunts.len() > MAX_AUNTS {
            return Err(ProofError::TooManyAunts(self.aunts.len()));
        }
        Ok(())
    }

    fn computed_root(&self) -> Result<[u8; 32], ProofError> {
        let sides = sides(self.index, self.total);
        if sides.len() != self.aunts.len() {
            return Err(ProofError::WrongShape {
                aunts: self.aunts.len(),
                needed: sides.len(),
                index: self.index,
                total: self.total,
            });
        }
        let climb = |node: [u8; 32], (side, aunt): (&Side, &[u8; 32])| match side {
            Side::Left => inner_hash(&node, aunt),
            Side::Right => inner_hash(aunt, &node),
        };
        Ok(sides.iter().zip(&self.aunts).fold(self.leaf_hash, climb))
    }
}

/// Which child of its parent a node is.
enum Side {
    Left,
    Right,
}

/// The sides of the nodes from the leaf at `index` up to below the root, in a tree of `total` leaves; `index < total`.
fn sides(mut index: u64, mut total: u64) -> Vec<Side> {
    let mut from_root = Vec::new();
    while total > 1 {
        let left = left_size(total);
        if index < left {
            from_root.push(Side::Left);
            total = left;
        } else {
            from_root.push(Side::Right);
            index -= left;
            total -= left;
        }
    }
    from_root.reverse();
    from_root
}

/// The largest power of two below `total`, which is at least 2.
fn left_size(total: u64) -> u64 {
    1 << (total - 1).ilog2()
}

fn next_level(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let parent = |pair: &[[u8; 32]]| match pair {
        [left, right] => inner_hash(left, right),
        lifted => lifted[0],
    };
    level.chunks(2).map(parent).collect()
}

fn leaf_hash(value: &PublicRandomness) -> [u8; 32] {
    let mut bytes = [0; 33];
    bytes[1..].copy_from_slice(value.as_bytes());
    hash(&bytes)
}

fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    hash(&bytes)
}

fn empty_hash() -> [u8; 32] {
    hash(&[])
}

/// By `sha2`, which is the faster of our two SHA-256 on inputs this short.
fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
