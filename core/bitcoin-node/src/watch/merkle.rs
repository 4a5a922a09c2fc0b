//! Builds the Merkle path of a transaction (`bitcoin.md` 11.3).

use bitcoin::{
    Txid,
    hashes::{Hash, sha256d},
};

/// Returns the sibling hashes on the way from the transaction at `position` to the root, leaf level first; `None` when
/// the block has no such position.
pub(super) fn siblings_of(txids: &[Txid], position: usize) -> Option<Vec<[u8; 32]>> {
    if position >= txids.len() {
        return None;
    }
    let mut level: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_byte_array()).collect();
    let mut at = position;
    let mut siblings = Vec::new();
    while level.len() > 1 {
        // The last hash of an odd level is paired with itself.
        siblings.push(*level.get(at ^ 1).or(level.last())?);
        level = level.chunks(2).map(parent).collect();
        at /= 2;
    }
    Some(siblings)
}

fn parent(pair: &[[u8; 32]]) -> [u8; 32] {
    let left = pair.first().copied().unwrap_or_default();
    let right = pair.get(1).copied().unwrap_or(left);
    sha256d::Hash::hash(&[left, right].concat()).to_byte_array()
}
