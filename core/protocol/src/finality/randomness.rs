//! Public randomness commitments: building, signing and checking them (`crypto.md` 6, `chain.md` 10.1).
//!
//! A commitment fixes the randomness of consecutive heights. It can never be replaced or removed, so a wrong one costs its
//! finality provider those heights. The signature is plain BIP-340 over a hash; no signing context exists on v4 networks.

use crate::{
    height::{Epoch, PosHeight},
    keys::FinalityProviderPublicKey,
};
use bitcoin::{
    hashes::{Hash, HashEngine, sha256},
    secp256k1::{Message, SECP256K1, schnorr},
};
use btc_staking_crypto::key::SigningKey;
use thiserror::Error;

/// How far ahead of the chain a commitment may start, exclusive.
pub const MAX_START_OFFSET: u64 = 160_000;

/// A signed commitment to the public randomness of consecutive heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomnessCommitment {
    /// Who will vote with it.
    pub finality_provider: FinalityProviderPublicKey,
    /// First height.
    pub start_height: PosHeight,
    /// Number of heights.
    pub count: u64,
    /// Merkle root over the public randomness in height order.
    pub root: [u8; 32],
    /// BIP-340 signature over the commitment hash.
    pub signature: schnorr::Signature,
}

/// What a commitment says, whoever made it: heights and the Merkle root over their public randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommittedRandomness {
    /// First height.
    pub start_height: PosHeight,
    /// Number of heights.
    pub count: u64,
    /// Merkle root over the public randomness in height order.
    pub root: [u8; 32],
}

/// Why a commitment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommitmentRefused {
    /// No heights, or heights beyond the last one there is.
    #[error("{count} heights from {start} are none or end above the largest height")]
    Range {
        /// First height.
        start: PosHeight,
        /// Number of heights.
        count: u64,
    },
    /// Starts too far ahead.
    #[error("commitment starts at {start}, it must start below {limit}")]
    TooFarAhead {
        /// First height.
        start: PosHeight,
        /// First height that is too far.
        limit: PosHeight,
    },
    /// Starts before votes exist.
    #[error("commitment starts at {start}, below the finality activation height {activation}")]
    BeforeActivation {
        /// First height.
        start: PosHeight,
        /// First height with votes.
        activation: PosHeight,
    },
    /// Covers too few heights.
    #[error("commitment covers {count} heights, it must cover at least {min}")]
    TooFew {
        /// Number of heights.
        count: u64,
        /// Least number.
        min: u64,
    },
    /// The signature is not by the finality provider over this commitment.
    #[error("commitment is not signed by finality provider {0}")]
    Signature(FinalityProviderPublicKey),
    /// Overlaps the provider's last commitment.
    #[error("commitment starts at {start}, it must start above {last_end}, where the last one ends")]
    Overlap {
        /// First height.
        start: PosHeight,
        /// Last height of the last commitment.
        last_end: PosHeight,
    },
}

impl CommittedRandomness {
    /// The signed hash: `SHA256(BE64(start) ‖ BE64(count) ‖ root)`.
    pub fn hash(&self) -> [u8; 32] {
        let mut engine = sha256::Hash::engine();
        engine.input(&self.start_height.to_u64().to_be_bytes());
        engine.input(&self.count.to_be_bytes());
        engine.input(&self.root);
        sha256::Hash::from_engine(engine).to_byte_array()
    }

    /// The last height; `None` when there is none or it would not fit 64 bits.
    pub fn end_height(&self) -> Option<PosHeight> {
        // The end of the range, exclusive, must fit too: the chain computes `start + count`.
        self.start_height.checked_add(self.count)?;
        self.start_height.checked_add(self.count.checked_sub(1)?)
    }

    /// Whether the commitment holds the randomness of a height.
    pub fn covers(&self, height: PosHeight) -> bool {
        self.end_height().is_some_and(|end| (self.start_height..=end).contains(&height))
    }

    /// Signs as the provider with this key, with auxiliary randomness `aux`.
    pub fn sign(self, key: &SigningKey, aux: &[u8; 32]) -> RandomnessCommitment {
        let finality_provider = FinalityProviderPublicKey::new(*key.public_key());
        self.signed(finality_provider, key.sign_schnorr(&self.hash(), aux))
    }

    /// Attaches a signature over [`CommittedRandomness::hash`] that was made elsewhere.
    pub fn signed(
        self,
        finality_provider: FinalityProviderPublicKey,
        signature: schnorr::Signature,
    ) -> RandomnessCommitment {
        let Self { start_height, count, root } = self;
        RandomnessCommitment { finality_provider, start_height, count, root, signature }
    }

    /// Demands at least one height, and that all fit 64 bits (`crypto.md` 6.4 row 1).
    ///
    /// # Errors
    /// [`CommitmentRefused::Range`].
    pub fn check_range(&self) -> Result<(), CommitmentRefused> {
        match self.end_height() {
            Some(_) => Ok(()),
            None => Err(CommitmentRefused::Range { start: self.start_height, count: self.count }),
        }
    }

    /// Demands a start below `current` + 160,000 (row 2).
    ///
    /// # Errors
    /// [`CommitmentRefused::TooFarAhead`].
    pub fn check_not_too_far_ahead(&self, current: PosHeight) -> Result<(), CommitmentRefused> {
        let limit = PosHeight::new(current.to_u64().saturating_add(MAX_START_OFFSET));
        if self.start_height < limit {
            return Ok(());
        }
        Err(CommitmentRefused::TooFarAhead { start: self.start_height, limit })
    }

    /// Demands a start at or above the height at which votes begin (row 3).
    ///
    /// # Errors
    /// [`CommitmentRefused::BeforeActivation`].
    pub fn check_activated(&self, activation: PosHeight) -> Result<(), CommitmentRefused> {
        if self.start_height >= activation {
            return Ok(());
        }
        Err(CommitmentRefused::BeforeActivation { start: self.start_height, activation })
    }

    /// Demands at least `min` heights (row 4).
    ///
    /// # Errors
    /// [`CommitmentRefused::TooFew`].
    pub fn check_count(&self, min: u64) -> Result<(), CommitmentRefused> {
        if self.count >= min {
            return Ok(());
        }
        Err(CommitmentRefused::TooFew { count: self.count, min })
    }

    /// Demands a start above the end of the provider's last commitment, if there is one; gaps are allowed (row 7).
    ///
    /// # Errors
    /// [`CommitmentRefused::Overlap`].
    pub fn check_follows(&self, last_end: Option<PosHeight>) -> Result<(), CommitmentRefused> {
        match last_end {
            Some(last_end) if self.start_height <= last_end => {
                Err(CommitmentRefused::Overlap { start: self.start_height, last_end })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl RandomnessCommitment {
    /// What the commitment says, without signer and signature.
    pub fn content(&self) -> CommittedRandomness {
        CommittedRandomness { start_height: self.start_height, count: self.count, root: self.root }
    }

    /// Verifies the finality provider's signature (row 6).
    ///
    /// # Errors
    /// [`CommitmentRefused::Signature`].
    pub fn verify_signature(&self) -> Result<(), CommitmentRefused> {
        let message = Message::from_digest(self.content().hash());
        SECP256K1
            .verify_schnorr(&self.signature, &message, self.finality_provider.x_only())
            .map_err(|_| CommitmentRefused::Signature(self.finality_provider))
    }
}

/// Whether a commitment made in an epoch is usable: the chain's last final epoch is not 0 and not before it.
pub fn is_usable(committed_in: Epoch, last_finalised: Epoch) -> bool {
    last_finalised > Epoch::new(0) && last_finalised >= committed_in
}
