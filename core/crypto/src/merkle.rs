//! The Merkle tree of randomness commitments.

/// Proof that a public randomness value is at an index of a committed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleProof {
    /// Number of values committed to.
    pub total: u64,
    /// Position of the value.
    pub index: u64,
    /// Hash of the leaf.
    pub leaf_hash: [u8; 32],
    /// Siblings from the leaf up.
    pub aunts: Vec<[u8; 32]>,
}
