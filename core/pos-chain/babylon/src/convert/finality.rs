//! Votes, randomness commitments, indexed blocks and evidence.

use super::{
    Result,
    bytes::{decode_array, decode_provider_key, decode_provider_key_text, decode_schnorr, required},
    proof::{decode_randomness_proof, encode_randomness_proof},
};
use crate::proto::finality::{
    self as wire, EvidenceResponse, MsgAddFinalitySig, MsgCommitPubRandList, PubRandCommitResponse,
};
use btc_staking_pos_chain::{IndexedBlock, StoredCommitment};
use btc_staking_protocol::{
    finality::{
        evidence::Evidence,
        randomness::RandomnessCommitment,
        vote::{EotsSignature, PublicRandomness, SignedVote, VoteMessage},
    },
    height::{Epoch, PosHeight},
};

/// Encodes a vote.
///
/// # Errors
/// [`Problem::OutOfRange`](super::Problem::OutOfRange) for a proof above `i64::MAX`.
pub fn encode_vote(vote: &SignedVote, signer: &str) -> Result<MsgAddFinalitySig> {
    Ok(MsgAddFinalitySig {
        signer: signer.to_owned(),
        fp_btc_pk: vote.finality_provider.to_bytes().to_vec(),
        block_height: vote.message.height.to_u64(),
        pub_rand: vote.public_randomness.to_bytes().to_vec(),
        proof: Some(encode_randomness_proof(&vote.proof).map_err(|error| error.within("proof"))?),
        block_app_hash: vote.message.app_hash.to_vec(),
        finality_sig: vote.signature.to_bytes().to_vec(),
    })
}

/// Decodes a vote; it is not verified.
///
/// # Errors
/// An [`InvalidField`](super::InvalidField) for any field.
pub fn decode_vote(message: &MsgAddFinalitySig) -> Result<SignedVote> {
    let proof = required("proof", message.proof.as_ref())?;
    Ok(SignedVote {
        finality_provider: decode_provider_key("fp_btc_pk", &message.fp_btc_pk)?,
        message: VoteMessage {
            height: PosHeight::new(message.block_height),
            app_hash: decode_array("block_app_hash", &message.block_app_hash)?,
        },
        public_randomness: PublicRandomness::from_bytes(decode_array("pub_rand", &message.pub_rand)?),
        proof: decode_randomness_proof(proof).map_err(|error| error.within("proof"))?,
        signature: decode_eots("finality_sig", &message.finality_sig)?,
    })
}

fn decode_eots(field: &str, bytes: &[u8]) -> Result<EotsSignature> {
    decode_array(field, bytes).map(EotsSignature::from_bytes)
}

/// Encodes a randomness commitment.
pub fn encode_commitment(commitment: &RandomnessCommitment, signer: &str) -> MsgCommitPubRandList {
    MsgCommitPubRandList {
        signer: signer.to_owned(),
        fp_btc_pk: commitment.finality_provider.to_bytes().to_vec(),
        start_height: commitment.start_height.to_u64(),
        num_pub_rand: commitment.count,
        commitment: commitment.root.to_vec(),
        sig: commitment.signature.serialize().to_vec(),
    }
}

/// Decodes a randomness commitment; its signature is not verified.
///
/// # Errors
/// An [`InvalidField`](super::InvalidField) for any field.
pub fn decode_commitment(message: &MsgCommitPubRandList) -> Result<RandomnessCommitment> {
    Ok(RandomnessCommitment {
        finality_provider: decode_provider_key("fp_btc_pk", &message.fp_btc_pk)?,
        start_height: PosHeight::new(message.start_height),
        count: message.num_pub_rand,
        root: decode_array("commitment", &message.commitment)?,
        signature: decode_schnorr("sig", &message.sig)?,
    })
}

/// Encodes a stored commitment; its first height is the key of the map it is in.
pub fn encode_stored_commitment(stored: &StoredCommitment) -> (u64, PubRandCommitResponse) {
    let response = PubRandCommitResponse {
        num_pub_rand: stored.count,
        commitment: stored.root.to_vec(),
        epoch_num: stored.epoch.to_u64(),
    };
    (stored.start_height.to_u64(), response)
}

/// Decodes a stored commitment from the map it is in.
///
/// # Errors
/// [`Problem::Length`](super::Problem::Length).
pub fn decode_stored_commitment(
    start_height: u64,
    stored: &PubRandCommitResponse,
) -> Result<StoredCommitment> {
    Ok(StoredCommitment {
        start_height: PosHeight::new(start_height),
        count: stored.num_pub_rand,
        root: decode_array("commitment", &stored.commitment)?,
        epoch: Epoch::new(stored.epoch_num),
    })
}

/// Encodes an indexed block.
pub fn encode_block(block: &IndexedBlock) -> wire::IndexedBlock {
    wire::IndexedBlock {
        height: block.height.to_u64(),
        app_hash: block.app_hash.to_vec(),
        finalized: block.finalised,
    }
}

/// Decodes an indexed block.
///
/// # Errors
/// [`Problem::Length`](super::Problem::Length).
pub fn decode_block(block: &wire::IndexedBlock) -> Result<IndexedBlock> {
    Ok(IndexedBlock {
        height: PosHeight::new(block.height),
        app_hash: decode_array("app_hash", &block.app_hash)?,
        finalised: block.finalized,
    })
}

/// Encodes evidence as the chain answers it.
pub fn encode_evidence(evidence: &Evidence) -> EvidenceResponse {
    EvidenceResponse {
        fp_btc_pk_hex: evidence.finality_provider.to_string(),
        block_height: evidence.height.to_u64(),
        pub_rand: evidence.public_randomness.to_bytes().to_vec(),
        canonical_app_hash: evidence.canonical_app_hash.to_vec(),
        fork_app_hash: evidence.fork_app_hash.to_vec(),
        canonical_finality_sig: Some(evidence.canonical_signature.to_bytes().to_vec()),
        fork_finality_sig: evidence.fork_signature.to_bytes().to_vec(),
    }
}

/// Decodes evidence from an answer; it is not verified.
///
/// # Errors
/// An [`InvalidField`](super::InvalidField) for any field; incomplete evidence lacks `canonical_finality_sig`.
pub fn decode_evidence(evidence: &EvidenceResponse) -> Result<Evidence> {
    let canonical = required("canonical_finality_sig", evidence.canonical_finality_sig.as_ref())?;
    Ok(Evidence {
        finality_provider: decode_provider_key_text("fp_btc_pk_hex", &evidence.fp_btc_pk_hex)?,
        height: PosHeight::new(evidence.block_height),
        public_randomness: PublicRandomness::from_bytes(decode_array("pub_rand", &evidence.pub_rand)?),
        canonical_app_hash: decode_array("canonical_app_hash", &evidence.canonical_app_hash)?,
        fork_app_hash: decode_array("fork_app_hash", &evidence.fork_app_hash)?,
        canonical_signature: decode_eots("canonical_finality_sig", canonical)?,
        fork_signature: decode_eots("fork_finality_sig", &evidence.fork_finality_sig)?,
    })
}

/// Encodes evidence as events and genesis files hold it.
pub fn encode_stored_evidence(evidence: &Evidence) -> wire::Evidence {
    let answer = encode_evidence(evidence);
    wire::Evidence {
        fp_btc_pk: evidence.finality_provider.to_bytes().to_vec(),
        block_height: answer.block_height,
        pub_rand: answer.pub_rand,
        canonical_app_hash: answer.canonical_app_hash,
        fork_app_hash: answer.fork_app_hash,
        canonical_finality_sig: answer.canonical_finality_sig,
        fork_finality_sig: answer.fork_finality_sig,
    }
}

/// Decodes evidence as events and genesis files hold it; it is not verified.
///
/// # Errors
/// As [`decode_evidence`].
pub fn decode_stored_evidence(evidence: &wire::Evidence) -> Result<Evidence> {
    let finality_provider = decode_provider_key("fp_btc_pk", &evidence.fp_btc_pk)?;
    decode_evidence(&EvidenceResponse {
        fp_btc_pk_hex: finality_provider.to_string(),
        block_height: evidence.block_height,
        pub_rand: evidence.pub_rand.clone(),
        canonical_app_hash: evidence.canonical_app_hash.clone(),
        fork_app_hash: evidence.fork_app_hash.clone(),
        canonical_finality_sig: evidence.canonical_finality_sig.clone(),
        fork_finality_sig: evidence.fork_finality_sig.clone(),
    })
}
