//! Test keys: every secret of a devnet follows from its seed and is therefore public. Never for real coins.

use bip39::Mnemonic;
use bitcoin::{Address, CompressedPublicKey, Network, PrivateKey, secp256k1};
use btc_staking_pos_chain::connect::AccountSecret;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What all keys of a devnet follow from. Printed at every start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Seed {
    /// A new one: six digits, easy to type again.
    ///
    /// # Errors
    /// What the system says when it gives no randomness.
    pub fn draw() -> std::io::Result<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(u64::from_be_bytes(bytes) % 1_000_000))
    }

    /// The secret called `name`: SHA-256 of a tag, the seed and the name. It is a secp256k1 secret but for a chance of
    /// 2^-128.
    pub fn secret(self, name: &str) -> Zeroizing<[u8; 32]> {
        let hash = Sha256::new()
            .chain_update("btc-staking devnet test key\0")
            .chain_update(self.0.to_be_bytes())
            .chain_update(name);
        Zeroizing::new(hash.finalize().into())
    }

    /// The account called `name`.
    pub fn account(self, name: &str) -> AccountSecret {
        AccountSecret(self.secret(&format!("account of {name}")))
    }

    /// The phrase of twelve words of the holder called `name`.
    pub fn phrase(self, name: &str) -> Mnemonic {
        let secret = self.secret(&format!("phrase of {name}"));
        Mnemonic::from_entropy(&secret[..16]).expect("16 bytes make a phrase of twelve words")
    }

    /// Where the miner's coins go.
    pub fn miner_address(self) -> Address {
        let secret = secp256k1::SecretKey::from_slice(&*self.secret("miner"))
            .expect("a SHA-256 is a secret key but for a chance of 2^-128");
        let public = CompressedPublicKey::from_private_key(
            secp256k1::SECP256K1,
            &PrivateKey::new(secret, Network::Regtest),
        );
        let public = public.expect("private keys are made for compressed public keys");
        Address::p2wpkh(&public, Network::Regtest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_the_seed_and_the_name() {
        let [one, two] = [Seed(1), Seed(2)];
        assert_eq!(*one.secret("a"), *one.secret("a"));
        assert_ne!(*one.secret("a"), *one.secret("b"));
        assert_ne!(*one.secret("a"), *two.secret("a"));
        assert_eq!(one.phrase("a").to_string(), one.phrase("a").to_string());
        assert_eq!(one.phrase("a").word_count(), 12);
    }
}
