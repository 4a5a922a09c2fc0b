//! Between wire and protocol types, in one place and strictly.
//!
//! `decode_` goes from wire to protocol, `encode_` back. Wrong lengths, unknown enum values, decimals in the wrong form,
//! hashes in the wrong order and transactions that would not encode to the same bytes again are errors that name the
//! field; nothing is guessed or defaulted. Spec: `wire.md` 1.
//!
//! | module | converts |
//! |---|---|
//! | [`bytes`] | keys, signatures, hashes, transactions, accounts, amounts |
//! | [`decimal`] | the two decimal forms, big integers, coins |
//! | [`possession`] | proofs of possession |
//! | [`proof`] | Merkle proofs, of Bitcoin and of randomness |
//! | [`params`] | parameters of the three modules |
//! | [`provider`] | finality providers |
//! | [`request`], [`covenant`] | what holders and committee members send |
//! | [`delegation`] | delegations as the chain reports them |
//! | [`finality`] | votes, commitments, blocks, evidence |
//! | [`json`], [`event`] | values as JSON text, typed events |
//! | [`headers`] | the light client's headers |
//! | [`message`] | [`ChainMessage`](btc_staking_pos_chain::ChainMessage) as a whole |

pub mod bytes;
pub mod covenant;
pub mod decimal;
pub mod delegation;
mod error;
pub mod event;
pub mod finality;
pub mod headers;
pub mod json;
pub mod known;
pub mod message;
pub mod params;
pub mod possession;
pub mod proof;
pub mod provider;
pub mod request;

pub use error::{InvalidField, Problem};

#[cfg(test)]
mod tests;

/// Result of a conversion.
pub type Result<T> = std::result::Result<T, InvalidField>;

/// Prefix of accounts on every Babylon network.
pub const ACCOUNT_PREFIX: &str = "bbn";
