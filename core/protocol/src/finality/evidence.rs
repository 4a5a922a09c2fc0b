//! Evidence of a double sign and the key that falls out of it (`crypto.md` 5.3 and 5.4, `chain.md` 10.3).
//!
//! The chain keeps at most one evidence per finality provider and height. A vote for another block that comes before the
//! provider's vote for the chain's own makes it incomplete: it does not slash, and a second such vote replaces it.
//! [`judge_vote`] is that table. Off chain any two votes for different blocks give the key away, [`Evidence::of_conflict`].

use super::vote::{SignedVote, VoteMessage};
use crate::{height::PosHeight, keys::FinalityProviderPublicKey};
use btc_staking_crypto::eots::{self, EotsSignature, PublicRandomness, VerifyError};
use thiserror::Error;

pub use btc_staking_crypto::eots::{ExtractError, FinalityProviderSecret};

/// Two votes of one finality provider for different blocks at one height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Who double-signed.
    pub finality_provider: FinalityProviderPublicKey,
    /// At which height.
    pub height: PosHeight,
    /// The one public randomness both votes used.
    pub public_randomness: PublicRandomness,
    /// App hash of the chain's own block.
    pub canonical_app_hash: [u8; 32],
    /// App hash of the other block.
    pub fork_app_hash: [u8; 32],
    /// Vote for the chain's own block.
    pub canonical_signature: EotsSignature,
    /// Vote for the other block.
    pub fork_signature: EotsSignature,
}

/// A vote for a block that is not the chain's own, whose counterpart is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteEvidence {
    /// Who voted.
    pub finality_provider: FinalityProviderPublicKey,
    /// At which height.
    pub height: PosHeight,
    /// Public randomness of the vote.
    pub public_randomness: PublicRandomness,
    /// App hash of the chain's own block.
    pub canonical_app_hash: [u8; 32],
    /// App hash of the other block.
    pub fork_app_hash: [u8; 32],
    /// Vote for the other block.
    pub fork_signature: EotsSignature,
}

/// What a valid vote does to the chain's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoteEffect {
    /// Stored as the vote for the chain's block.
    Vote,
    /// Stored as incomplete evidence, in place of an earlier one; nobody is slashed yet.
    Incomplete(IncompleteEvidence),
    /// A vote for another block after one for the chain's: slashes.
    Equivocation(Evidence),
    /// Stored as the vote for the chain's block, and completes the stored evidence: slashes.
    VoteAndEquivocation(Evidence),
}

/// Why two votes are no double sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoConflict {
    /// By different finality providers.
    #[error("votes are by different finality providers")]
    Providers,
    /// At different heights.
    #[error("votes are for heights {0} and {1}")]
    Heights(PosHeight, PosHeight),
    /// For the same block.
    #[error("votes are for the same block")]
    SameBlock,
    /// With different public randomness, so no key falls out.
    #[error("votes use different public randomness")]
    Randomness,
}

/// Why evidence proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidEvidence {
    /// Both votes are for one block.
    #[error("both votes of the evidence are for the same block")]
    SameBlock,
    /// The vote for the chain's block is not valid.
    #[error("signature on the canonical block is not valid")]
    Canonical(#[source] VerifyError),
    /// The vote for the other block is not valid.
    #[error("signature on the fork block is not valid")]
    Fork(#[source] VerifyError),
}

impl Evidence {
    /// Makes evidence of two conflicting votes; the first is taken for the one on the chain's block.
    ///
    /// # Errors
    /// [`NoConflict`] when they do not conflict.
    pub fn of_conflict(canonical: &SignedVote, fork: &SignedVote) -> Result<Self, NoConflict> {
        if canonical.finality_provider != fork.finality_provider {
            return Err(NoConflict::Providers);
        }
        if canonical.message.height != fork.message.height {
            return Err(NoConflict::Heights(canonical.message.height, fork.message.height));
        }
        if canonical.message.app_hash == fork.message.app_hash {
            return Err(NoConflict::SameBlock);
        }
        if canonical.public_randomness != fork.public_randomness {
            return Err(NoConflict::Randomness);
        }
        Ok(IncompleteEvidence::of(fork, canonical.message.app_hash).complete(canonical.signature))
    }

    /// Verifies that both votes are the finality provider's and for different blocks.
    ///
    /// # Errors
    /// [`InvalidEvidence`] with the vote that does not hold.
    pub fn verify(&self) -> Result<(), InvalidEvidence> {
        if self.canonical_app_hash == self.fork_app_hash {
            return Err(InvalidEvidence::SameBlock);
        }
        self.verify_vote(self.canonical_app_hash, &self.canonical_signature)
            .map_err(InvalidEvidence::Canonical)?;
        self.verify_vote(self.fork_app_hash, &self.fork_signature).map_err(InvalidEvidence::Fork)
    }

    /// Extracts the finality provider's secret key. Checked against its public key, so unverified evidence does no harm.
    ///
    /// # Errors
    /// [`ExtractError`] when the votes are not both valid and different.
    pub fn extract_secret(&self) -> Result<FinalityProviderSecret, ExtractError> {
        eots::extract(
            self.finality_provider.x_only(),
            &self.public_randomness,
            &self.message(self.canonical_app_hash),
            &self.canonical_signature,
            &self.message(self.fork_app_hash),
            &self.fork_signature,
        )
    }

    fn verify_vote(&self, app_hash: [u8; 32], signature: &EotsSignature) -> Result<(), VerifyError> {
        let key = self.finality_provider.x_only();
        eots::verify(key, &self.public_randomness, &self.message(app_hash), signature)
    }

    fn message(&self, app_hash: [u8; 32]) -> [u8; 40] {
        VoteMessage { height: self.height, app_hash }.to_bytes()
    }
}

impl IncompleteEvidence {
    /// Adds the vote for the chain's own block.
    pub fn complete(self, canonical_signature: EotsSignature) -> Evidence {
        Evidence {
            finality_provider: self.finality_provider,
            height: self.height,
            public_randomness: self.public_randomness,
            canonical_app_hash: self.canonical_app_hash,
            fork_app_hash: self.fork_app_hash,
            canonical_signature,
            fork_signature: self.fork_signature,
        }
    }

    fn of(fork: &SignedVote, canonical_app_hash: [u8; 32]) -> Self {
        Self {
            finality_provider: fork.finality_provider,
            height: fork.message.height,
            public_randomness: fork.public_randomness,
            canonical_app_hash,
            fork_app_hash: fork.message.app_hash,
            fork_signature: fork.signature,
        }
    }
}

/// Decides what a vote does, given the app hash of the chain's block and what is stored of this provider at this height.
///
/// The vote has passed [`SignedVote::check`]; here only blocks are compared.
///
/// | block | canonical vote stored | incomplete evidence stored | effect |
/// |---|---|---|---|
/// | the chain's | any | no | [`VoteEffect::Vote`] |
/// | the chain's | any | yes | [`VoteEffect::VoteAndEquivocation`] |
/// | another | no | any | [`VoteEffect::Incomplete`], replaces what is stored |
/// | another | yes | any | [`VoteEffect::Equivocation`] |
pub fn judge_vote(
    vote: &SignedVote,
    canonical_app_hash: [u8; 32],
    stored_vote: Option<EotsSignature>,
    stored_evidence: Option<IncompleteEvidence>,
) -> VoteEffect {
    if vote.message.app_hash == canonical_app_hash {
        return match stored_evidence {
            None => VoteEffect::Vote,
            Some(evidence) => VoteEffect::VoteAndEquivocation(evidence.complete(vote.signature)),
        };
    }
    let incomplete = IncompleteEvidence::of(vote, canonical_app_hash);
    match stored_vote {
        None => VoteEffect::Incomplete(incomplete),
        Some(signature) => VoteEffect::Equivocation(incomplete.complete(signature)),
    }
}
