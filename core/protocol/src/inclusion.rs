//! Bitcoin Merkle inclusion proofs and depth (`bitcoin.md` 11.3).

use bitcoin::BlockHash;

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
