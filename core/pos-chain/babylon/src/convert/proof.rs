//! Merkle proofs: of transactions in Bitcoin blocks and of public randomness in commitments (`wire.md` 1.1, 2.2).

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_array, decode_block_hash, fit, required},
};
use crate::proto::{self, Proof, btclightclient::TransactionKey};
use bitcoin::hashes::Hash;
use btc_staking_protocol::{finality::vote::MerkleProof, inclusion::InclusionProof};

/// Encodes the proof that a transaction is in a block.
pub fn encode_inclusion(proof: &InclusionProof) -> proto::btcstaking::InclusionProof {
    let key = TransactionKey { index: proof.index, hash: proof.block_hash.to_byte_array().to_vec() };
    proto::btcstaking::InclusionProof { key: Some(key), proof: proof.siblings.concat() }
}

/// Decodes the proof that a transaction is in a block; it is not verified.
///
/// # Errors
/// [`Problem::Missing`] for an absent key or empty siblings, [`Problem::Length`], [`Problem::NotWhole`].
pub fn decode_inclusion(proof: &proto::btcstaking::InclusionProof) -> Result<InclusionProof> {
    let key = required("key", proof.key.as_ref())?;
    let block_hash = decode_block_hash("hash", &key.hash).map_err(|error| error.within("key"))?;
    if proof.proof.is_empty() {
        return Err(InvalidField::new("proof", Problem::Missing));
    }
    let (siblings, rest) = proof.proof.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(InvalidField::new("proof", Problem::NotWhole { found: proof.proof.len(), unit: 32 }));
    }
    Ok(InclusionProof { block_hash, index: key.index, siblings: siblings.to_vec() })
}

/// Encodes the proof that public randomness was committed to.
///
/// # Errors
/// [`Problem::OutOfRange`] above `i64::MAX`.
pub fn encode_randomness_proof(proof: &MerkleProof) -> Result<Proof> {
    Ok(Proof {
        total: fit("total", proof.total, i64::MAX)?,
        index: fit("index", proof.index, i64::MAX)?,
        leaf_hash: proof.leaf_hash.to_vec(),
        aunts: proof.aunts.iter().map(|aunt| aunt.to_vec()).collect(),
    })
}

/// Decodes the proof that public randomness was committed to; it is not verified.
///
/// # Errors
/// [`Problem::OutOfRange`] for negative numbers, [`Problem::Length`] for hashes.
pub fn decode_randomness_proof(proof: &Proof) -> Result<MerkleProof> {
    let aunt = |(index, aunt): (usize, &Vec<u8>)| decode_array(&format!("aunts[{index}]"), aunt);
    Ok(MerkleProof {
        total: fit("total", proof.total, u64::MAX)?,
        index: fit("index", proof.index, u64::MAX)?,
        leaf_hash: decode_array("leaf_hash", &proof.leaf_hash)?,
        aunts: proof.aunts.iter().enumerate().map(aunt).collect::<Result<_>>()?,
    })
}
