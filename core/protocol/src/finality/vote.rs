//! Finality votes: the message that is signed and the vote that travels (`crypto.md` 5.1).

use crate::{height::PosHeight, keys::FinalityProviderPublicKey};
pub use btc_staking_crypto::{
    eots::{EotsSignature, PublicRandomness},
    merkle::MerkleProof,
};

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

impl VoteMessage {
    /// The 40 signed bytes: height big-endian, then the app hash.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.height.to_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.app_hash);
        bytes
    }
}
