//! Who signs for which chain, and what is asked to be signed.

use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    keys::FinalityProviderPublicKey,
};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Longest chain id in bytes that fits a record; Cosmos chains allow 50.
pub const MAX_CHAIN_ID_BYTES: usize = 62;

/// The identifier of a chain, byte for byte as it enters the nonce derivation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(String);

/// Text that is no chain id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("chain id {0:?} has {len} bytes, it must have 1 to {MAX_CHAIN_ID_BYTES}", len = .0.len())]
pub struct InvalidChainId(pub String);

/// A key and the chain it votes on: what a watermark belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The EOTS key.
    pub finality_provider: FinalityProviderPublicKey,
    /// The chain.
    pub chain_id: ChainId,
}

/// A vote somebody wants signed, with the public randomness the signature would use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRequest {
    /// By whom, for which chain.
    pub subject: Subject,
    /// The vote.
    pub message: VoteMessage,
    /// Of the nonce the vote would be signed with.
    pub public_randomness: PublicRandomness,
}

impl ChainId {
    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChainId {
    type Err = InvalidChainId;
    fn from_str(text: &str) -> Result<Self, InvalidChainId> {
        if text.is_empty() || text.len() > MAX_CHAIN_ID_BYTES {
            return Err(InvalidChainId(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}
impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
