//! Between the messages of the channel and the types that decide: every length and presence is checked here.

use super::{History, Refused, RefusedReason, VoteAnswer, proto, proto::reason};
use crate::{
    manager::BatchAnswer,
    records::{ChainId, InvalidChainId, Subject},
};
use bitcoin::secp256k1::schnorr;
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{EotsSignature, MerkleProof, PublicRandomness, SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::{FinalityProviderPublicKey, InvalidKey},
};
use thiserror::Error;

/// A message that says nothing that could be acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A part is missing, or one too many is there.
    #[error("{0} is missing, or does not fit the rest")]
    Missing(&'static str),
    /// Bytes of a wrong length.
    #[error("{what} has {found} bytes, it must have {expected}")]
    Length {
        /// Of what.
        what: &'static str,
        /// As given.
        found: usize,
        /// As it must be.
        expected: usize,
    },
    /// No point of the curve.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// No chain id.
    #[error(transparent)]
    ChainId(#[from] InvalidChainId),
}

pub(crate) fn bytes<const N: usize>(what: &'static str, given: &[u8]) -> Result<[u8; N], Malformed> {
    given.try_into().map_err(|_| Malformed::Length { what, found: given.len(), expected: N })
}

/// 64 bytes; whether they verify is for whoever uses them.
pub(crate) fn schnorr_signature(given: &[u8]) -> Result<schnorr::Signature, Malformed> {
    let bytes = bytes::<64>("a BIP-340 signature", given)?;
    schnorr::Signature::from_slice(&bytes).map_err(|_| Malformed::Missing("a BIP-340 signature"))
}

impl From<&Subject> for proto::Subject {
    fn from(subject: &Subject) -> Self {
        Self {
            key: subject.finality_provider.to_bytes().to_vec(),
            chain_id: subject.chain_id.as_str().to_owned(),
        }
    }
}

pub(crate) fn subject(given: Option<&proto::Subject>) -> Result<Subject, Malformed> {
    let given = given.ok_or(Malformed::Missing("the key and chain"))?;
    let chain_id: ChainId = given.chain_id.parse()?;
    Ok(Subject { finality_provider: FinalityProviderPublicKey::from_slice(&given.key)?, chain_id })
}

impl From<&CommittedRandomness> for proto::Range {
    fn from(range: &CommittedRandomness) -> Self {
        Self { start_height: range.start_height.to_u64(), count: range.count, root: range.root.to_vec() }
    }
}

pub(crate) fn range(given: Option<&proto::Range>) -> Result<CommittedRandomness, Malformed> {
    let given = given.ok_or(Malformed::Missing("the commitment"))?;
    Ok(CommittedRandomness {
        start_height: PosHeight::new(given.start_height),
        count: given.count,
        root: bytes("a root", &given.root)?,
    })
}

impl From<&VoteMessage> for proto::Vote {
    fn from(vote: &VoteMessage) -> Self {
        Self { height: vote.height.to_u64(), app_hash: vote.app_hash.to_vec() }
    }
}

impl TryFrom<&proto::Vote> for VoteMessage {
    type Error = Malformed;
    fn try_from(given: &proto::Vote) -> Result<Self, Malformed> {
        let app_hash = bytes("an app hash", &given.app_hash)?;
        Ok(Self { height: PosHeight::new(given.height), app_hash })
    }
}

impl From<History> for proto::History {
    fn from(history: History) -> Self {
        let height = |height: Option<PosHeight>| height.map(PosHeight::to_u64);
        Self {
            initialised: history.initialised,
            highest: height(history.highest),
            low_watermark: height(history.low_watermark),
            high_watermark: height(history.high_watermark),
        }
    }
}

impl From<proto::History> for History {
    fn from(given: proto::History) -> Self {
        Self {
            initialised: given.initialised,
            highest: given.highest.map(PosHeight::new),
            low_watermark: given.low_watermark.map(PosHeight::new),
            high_watermark: given.high_watermark.map(PosHeight::new),
        }
    }
}

impl From<&Refused> for proto::Refused {
    fn from(refused: &Refused) -> Self {
        let mut told = Self { text: refused.text.clone(), ..Self::default() };
        told.reason = match &refused.reason {
            RefusedReason::DoubleSign { recorded, requested } => {
                told.recorded = Some(recorded.into());
                told.requested = Some(requested.into());
                reason::DOUBLE_SIGN
            }
            RefusedReason::OtherRandomness => reason::OTHER_RANDOMNESS,
            RefusedReason::BelowWatermark(watermark) => {
                told.watermark = Some(watermark.to_u64());
                reason::BELOW_WATERMARK
            }
            RefusedReason::AboveWatermark(watermark) => {
                told.watermark = Some(watermark.to_u64());
                reason::ABOVE_WATERMARK
            }
            RefusedReason::NoHistory => reason::NO_HISTORY,
            RefusedReason::UnknownKey => reason::UNKNOWN_KEY,
            RefusedReason::Randomness => reason::RANDOMNESS,
            RefusedReason::Other => reason::OTHER,
        };
        told
    }
}

impl TryFrom<proto::Refused> for Refused {
    type Error = Malformed;
    fn try_from(given: proto::Refused) -> Result<Self, Malformed> {
        let vote =
            |vote: &Option<proto::Vote>| vote.as_ref().ok_or(Malformed::Missing("the evidence"))?.try_into();
        let watermark = || given.watermark.map(PosHeight::new).ok_or(Malformed::Missing("the watermark"));
        let reason = match given.reason {
            reason::DOUBLE_SIGN => RefusedReason::DoubleSign {
                recorded: vote(&given.recorded)?,
                requested: vote(&given.requested)?,
            },
            reason::OTHER_RANDOMNESS => RefusedReason::OtherRandomness,
            reason::BELOW_WATERMARK => RefusedReason::BelowWatermark(watermark()?),
            reason::ABOVE_WATERMARK => RefusedReason::AboveWatermark(watermark()?),
            reason::NO_HISTORY => RefusedReason::NoHistory,
            reason::UNKNOWN_KEY => RefusedReason::UnknownKey,
            reason::RANDOMNESS => RefusedReason::Randomness,
            // Of a newer signer, perhaps: no height is given up for a reason that is not understood.
            _ => RefusedReason::Other,
        };
        Ok(Self { reason, text: given.text })
    }
}

impl From<VoteAnswer> for proto::VoteAnswer {
    fn from(answer: VoteAnswer) -> Self {
        let (signed, refused) = match &answer.result {
            Ok(vote) => (Some(vote.into()), None),
            Err(refused) => (None, Some(refused.into())),
        };
        Self { height: answer.height.to_u64(), signed, refused }
    }
}

impl From<&SignedVote> for proto::Signed {
    fn from(vote: &SignedVote) -> Self {
        Self {
            public_randomness: vote.public_randomness.to_bytes().to_vec(),
            signature: vote.signature.to_bytes().to_vec(),
            proof_total: vote.proof.total,
            proof_index: vote.proof.index,
            proof_leaf: vote.proof.leaf_hash.to_vec(),
            proof_aunts: vote.proof.aunts.iter().map(|aunt| aunt.to_vec()).collect(),
        }
    }
}

/// Joins an answer to the vote that was asked for in its place.
pub(super) fn answer(
    key: FinalityProviderPublicKey,
    asked: VoteMessage,
    given: proto::VoteAnswer,
) -> Result<VoteAnswer, Malformed> {
    let result = match (given.signed, given.refused) {
        _ if given.height != asked.height.to_u64() => {
            return Err(Malformed::Missing("the answer to a height that was asked for"));
        }
        (Some(signed), None) => Ok(signed_vote(key, asked, &signed)?),
        (None, Some(refused)) => Err(refused.try_into()?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Malformed::Missing("either a signature or a refusal"));
        }
    };
    Ok(BatchAnswer { height: asked.height, result })
}

fn signed_vote(
    finality_provider: FinalityProviderPublicKey,
    message: VoteMessage,
    given: &proto::Signed,
) -> Result<SignedVote, Malformed> {
    let aunts = given.proof_aunts.iter().map(|aunt| bytes("a hash of a proof", aunt));
    Ok(SignedVote {
        finality_provider,
        message,
        public_randomness: PublicRandomness::from_bytes(bytes(
            "public randomness",
            &given.public_randomness,
        )?),
        proof: MerkleProof {
            total: given.proof_total,
            index: given.proof_index,
            leaf_hash: bytes("a leaf", &given.proof_leaf)?,
            aunts: aunts.collect::<Result<_, _>>()?,
        },
        signature: EotsSignature::from_bytes(bytes("a signature", &given.signature)?),
    })
}
