//! The keys of a generated state.

use crate::genesis::presets::default_committee_secrets;
use btc_staking_babylon::tx::AccountKey;
use btc_staking_crypto::eots::EotsSecretKey;
use btc_staking_protocol::keys::{CovenantSecret, StakerSecret};
use sha2::{Digest, Sha256};

/// Every key of a generated state, by seed and number. They are public knowledge: nothing of value may ever be theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadKeys {
    seed: u64,
}

impl LoadKeys {
    /// The keys of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The bytes that a label and a number stand for.
    pub(crate) fn bytes(self, label: &str, number: u64) -> [u8; 32] {
        let hash = Sha256::new()
            .chain_update("btc-staking/load/1")
            .chain_update(self.seed.to_be_bytes())
            .chain_update(label)
            .chain_update(number.to_be_bytes());
        hash.finalize().into()
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) fn number(self, label: &str, number: u64, bound: u64) -> u64 {
        let bytes = self.bytes(label, number);
        let eight = bytes.first_chunk::<8>().expect("a hash has more than 8 bytes");
        u64::from_be_bytes(*eight) % bound
    }

    /// The EOTS key of a finality provider.
    pub fn provider(self, number: u32) -> EotsSecretKey {
        EotsSecretKey::from_bytes(&self.bytes("provider", number.into())).expect("a hash is a secret key")
    }
    /// The account of a finality provider.
    pub fn provider_account(self, number: u32) -> AccountKey {
        AccountKey::from_secret(&self.bytes("provider account", number.into()))
            .expect("a hash is a secret key")
    }
    /// The Bitcoin key of a staker.
    pub fn staker(self, number: u64) -> StakerSecret {
        StakerSecret::from_bytes(&self.bytes("staker", number)).expect("a hash is a secret key")
    }
    /// The account of a staker.
    pub fn staker_account(self, number: u64) -> AccountKey {
        AccountKey::from_secret(&self.bytes("staker account", number)).expect("a hash is a secret key")
    }
    /// An account that only pays: for headers, reports and covenant signatures.
    pub fn reporter(self, number: u64) -> AccountKey {
        AccountKey::from_secret(&self.bytes("reporter", number)).expect("a hash is a secret key")
    }
    /// The committee of the presets, whose keys do not depend on the seed.
    pub fn committee(self) -> Vec<CovenantSecret> {
        default_committee_secrets()
    }
}
