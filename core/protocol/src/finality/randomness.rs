//! Public randomness commitments: building, signing and checking them (`crypto.md` 6).

use crate::{height::PosHeight, keys::FinalityProviderPublicKey};
use bitcoin::secp256k1::schnorr;

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
