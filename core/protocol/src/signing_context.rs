//! Signing contexts: a prefix that ties a signature to one chain, one module and one purpose (`crypto.md` 4.5).
//!
//! Babylon's v4 networks sign without one: [`SigningContext::EMPTY`] is a prefix of no bytes. Contexts of the v3 line
//! and of consumer chains are 64 ASCII characters of lower-case hex, *not* the 32 bytes they stand for.

use bitcoin::hashes::{Hash, sha256};
use std::fmt;

/// A prefix of what is signed; empty on v4 networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigningContext(Option<String>);

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningPurpose {
    /// A staker's proof of possession.
    StakerPossession,
    /// A finality provider's proof of possession.
    FinalityProviderPossession,
    /// A commitment to public randomness.
    RandomnessCommitment,
    /// A finality vote.
    FinalityVote,
}

impl SigningContext {
    /// The context of v4 networks: no bytes.
    pub const EMPTY: SigningContext = SigningContext(None);

    /// Builds the context of version 0 for one purpose, chain and module (or contract) address.
    pub fn new(purpose: SigningPurpose, chain_id: &str, module_address: &str) -> Self {
        let text = format!("btcstaking/0/{purpose}/{chain_id}/{module_address}");
        Self(Some(sha256::Hash::hash(text.as_bytes()).to_string()))
    }

    /// The bytes that precede what is signed: 64 ASCII hex characters, or none.
    pub fn prefix(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default().as_bytes()
    }
}

impl fmt::Display for SigningContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or_default())
    }
}
impl fmt::Display for SigningPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StakerPossession => "staker_pop",
            Self::FinalityProviderPossession => "fp_pop",
            Self::RandomnessCommitment => "fp_rand_commit",
            Self::FinalityVote => "fp_fin_vote",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_the_retired_testnet_are_reproduced() {
        // crypto.md 4.5
        let staking = "bbn13837feaxn8t0zvwcjwhw7lhpgdcx4s36eqteah";
        let finality = "bbn1lhf40qkva2f2n3snjjaglsx2yvwz7da9qa0tup";
        for (purpose, module, context) in [
            (
                SigningPurpose::StakerPossession,
                staking,
                "d89ed83fa7bfaefcad17838ffc92977fd1f9113fe07c59f3b71e2ac20e541e97",
            ),
            (
                SigningPurpose::FinalityVote,
                finality,
                "d52fb66cbac092277b9c104e9fd73126b79d318b7b04424c57f4825073d59175",
            ),
        ] {
            assert_eq!(SigningContext::new(purpose, "bbn-test-5", module).prefix(), context.as_bytes());
        }
        assert_eq!(SigningContext::EMPTY.prefix(), b"");
    }
}
