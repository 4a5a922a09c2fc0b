//! Who signs for which chain, and what is asked to be signed.

use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
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

/// A range of heights whose public randomness was committed to, with the Merkle root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedRange {
    /// First height.
    pub start: PosHeight,
    /// Number of heights.
    pub count: u64,
    /// Root over the public randomness in height order.
    pub root: [u8; 32],
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

impl CommittedRange {
    /// Position of `height` in the range, `None` outside it.
    pub fn index_of(&self, height: PosHeight) -> Option<u64> {
        height.to_u64().checked_sub(self.start.to_u64()).filter(|index| *index < self.count)
    }
    /// The last height, `None` if the range is empty or passes the end of `u64`.
    pub fn end(&self) -> Option<PosHeight> {
        self.start.checked_add(self.count.checked_sub(1)?)
    }
}
