//! Evidence of a double sign and the key that falls out of it (`crypto.md` 5.3, 5.4).

use crate::{height::PosHeight, keys::FinalityProviderPublicKey};
use btc_staking_crypto::eots::{EotsSignature, PublicRandomness};

pub use btc_staking_crypto::eots::FinalityProviderSecret;

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
