//! Finality votes: the message that is signed and the vote that travels (`crypto.md` 5.1 and 5.2).

use super::randomness::CommittedRandomness;
use crate::{height::PosHeight, keys::FinalityProviderPublicKey};
use btc_staking_crypto::eots::{self, VerifyError};
pub use btc_staking_crypto::{
    eots::{EotsSignature, PublicRandomness},
    merkle::{MerkleProof, ProofError},
};
use thiserror::Error;

/// What a finality provider votes for: a height and the app hash in the header of that height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VoteMessage {
    /// Height voted on.
    pub height: PosHeight,
    /// App hash in the header of that height.
    pub app_hash: [u8; 32],
}

/// A vote with everything needed to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedVote {
    /// Who votes.
    pub finality_provider: FinalityProviderPublicKey,
    /// For what.
    pub message: VoteMessage,
    /// Public randomness of the height.
    pub public_randomness: PublicRandomness,
    /// Proof that it was committed to.
    pub proof: MerkleProof,
    /// EOTS signature over the message.
    pub signature: EotsSignature,
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidVote {
    /// The proof is for another height.
    #[error(
        "proof is for index {index} of a commitment that starts at {start}, which is not height {height}"
    )]
    WrongIndex {
        /// Index in the proof.
        index: u64,
        /// First height of the commitment.
        start: PosHeight,
        /// Height voted on.
        height: PosHeight,
    },
    /// The proof is for a commitment of another size.
    #[error("proof is for {total} values, the commitment has {count}")]
    WrongTotal {
        /// Number of values in the proof.
        total: u64,
        /// Number of values committed to.
        count: u64,
    },
    /// The public randomness is not what was committed to.
    #[error("public randomness is not the committed one")]
    Proof(#[from] ProofError),
    /// The signature is not by the finality provider over this message with this randomness.
    #[error("vote is not signed by its finality provider")]
    Signature(#[source] VerifyError),
}

impl VoteMessage {
    /// The 40 signed bytes: height big-endian, then the app hash.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.height.to_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.app_hash);
        bytes
    }
}

impl SignedVote {
    /// Checks the vote against the commitment that covers its height: place and total of the proof, the proof itself, the
    /// signature (`crypto.md` 5.2 rows 9 to 11).
    ///
    /// # Errors
    /// [`InvalidVote`] with the first that does not hold.
    pub fn check(&self, commitment: &CommittedRandomness) -> Result<(), InvalidVote> {
        self.check_place(commitment)?;
        self.proof.verify(&commitment.root, &self.public_randomness)?;
        self.verify_signature()
    }

    /// Verifies the EOTS signature alone.
    ///
    /// # Errors
    /// [`InvalidVote::Signature`].
    pub fn verify_signature(&self) -> Result<(), InvalidVote> {
        let key = self.finality_provider.x_only();
        eots::verify(key, &self.public_randomness, &self.message.to_bytes(), &self.signature)
            .map_err(InvalidVote::Signature)
    }

    fn check_place(&self, commitment: &CommittedRandomness) -> Result<(), InvalidVote> {
        let (index, total) = (self.proof.index, self.proof.total);
        if commitment.start_height.checked_add(index) != Some(self.message.height) {
            return Err(InvalidVote::WrongIndex {
                index,
                start: commitment.start_height,
                height: self.message.height,
            });
        }
        if total != commitment.count {
            return Err(InvalidVote::WrongTotal { total, count: commitment.count });
        }
        Ok(())
    }
}
