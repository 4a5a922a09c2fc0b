//! Proofs of possession: a Bitcoin key agrees to an account of the staking chain (`crypto.md` 4).
//!
//! Stakers and finality providers prove it by the same rules:
//!
//! | form | what is signed |
//! |---|---|
//! | BIP-340 | `SHA256(raw account bytes)` |
//! | BIP-322 "simple" | the bech32 text, as a Bitcoin transaction that can never confirm |
//! | ECDSA | the bech32 text, as a "Bitcoin Signed Message" |
//!
//! The first signs raw bytes, the others text; mixing them up is the classic mistake. The Bitcoin network of a BIP-322
//! address is not checked: only its witness program counts. BIP-137 headers of segwit addresses (35 to 42) are refused,
//! as are P2SH-wrapped and script-path addresses.

mod bip322;
mod sign;

pub use bip322::{Bip322Error, UnsupportedForm, WitnessError};

use crate::{keys::AccountAddress, signing_context::SigningContext};
use bitcoin::{
    XOnlyPublicKey,
    hashes::{Hash, HashEngine, sha256},
    secp256k1::{
        Message, SECP256K1,
        ecdsa::{RecoverableSignature, RecoveryId, Signature},
        schnorr,
    },
    sign_message::signed_msg_hash,
};
use thiserror::Error;

/// A proof of possession in one of the three accepted forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofOfPossession {
    /// Schnorr signature over the SHA-256 of the raw account bytes.
    Bip340(schnorr::Signature),
    /// BIP-322 "simple" over the bech32 text.
    Bip322 {
        /// Address whose key signs.
        address: String,
        /// Consensus-serialised witness stack.
        witness: Vec<u8>,
    },
    /// Legacy "Bitcoin Signed Message" over the bech32 text: header byte, r, s.
    Ecdsa([u8; 65]),
}

/// Why a proof is not even well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MalformedPossession {
    /// A BIP-322 proof without content is no proof on the wire.
    #[error("proof of possession has no signature")]
    Missing,
    /// `r` of a BIP-340 signature is not below the field prime.
    #[error("proof of possession has a BIP-340 signature whose r is not a field element")]
    NotAFieldElement,
}

/// Why a proof does not show that a key agrees to an account.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PossessionError {
    /// Not well formed.
    #[error(transparent)]
    Malformed(#[from] MalformedPossession),
    /// The BIP-340 signature is not by this key over this account.
    #[error("BIP-340 signature is not by key {key} over account {account}")]
    Bip340 {
        /// The key.
        key: XOnlyPublicKey,
        /// The account, bech32.
        account: String,
    },
    /// The BIP-322 proof does not hold.
    #[error("BIP-322 proof does not hold")]
    Bip322(#[from] Bip322Error),
    /// The ECDSA signature has a header of another kind.
    #[error("ECDSA signature has header {0}, it must be 27 to 34")]
    EcdsaHeader(u8),
    /// `r` or `s` is zero or not below the group order, or no key can be recovered.
    #[error("ECDSA signature does not lead to a public key")]
    EcdsaUnrecoverable,
    /// `s` is in the upper half of the group order.
    #[error("ECDSA signature has a high s, it must be in the lower half of the group order")]
    EcdsaHighS,
    /// The signature is by another key, or over another account.
    #[error("ECDSA signature leads to key {recovered}, expected {expected}")]
    EcdsaKey {
        /// Key the signature leads to.
        recovered: XOnlyPublicKey,
        /// Key that should have signed.
        expected: XOnlyPublicKey,
    },
}

impl ProofOfPossession {
    /// Checks what needs neither key nor account, as the chain does before anything else.
    ///
    /// # Errors
    /// [`MalformedPossession`].
    pub fn check_form(&self) -> Result<(), MalformedPossession> {
        match self {
            Self::Bip340(signature) if !has_field_element(signature) => {
                Err(MalformedPossession::NotAFieldElement)
            }
            Self::Bip322 { address, witness } if address.is_empty() && witness.is_empty() => {
                Err(MalformedPossession::Missing)
            }
            Self::Bip340(_) | Self::Bip322 { .. } | Self::Ecdsa(_) => Ok(()),
        }
    }

    /// Verifies that `key` agrees to `account`, on a network without signing contexts (all of v4).
    ///
    /// # Errors
    /// [`PossessionError`] with the first rule that does not hold.
    pub fn verify(&self, key: &XOnlyPublicKey, account: &AccountAddress) -> Result<(), PossessionError> {
        self.verify_in(&SigningContext::EMPTY, key, account)
    }

    /// Verifies that `key` agrees to `account` under a signing context.
    ///
    /// # Errors
    /// [`PossessionError`] with the first rule that does not hold.
    pub fn verify_in(
        &self,
        context: &SigningContext,
        key: &XOnlyPublicKey,
        account: &AccountAddress,
    ) -> Result<(), PossessionError> {
        self.check_form()?;
        match self {
            Self::Bip340(signature) => {
                let message = Message::from_digest(raw_digest(context, account));
                SECP256K1
                    .verify_schnorr(signature, &message, key)
                    .map_err(|_| PossessionError::Bip340 { key: *key, account: account.bech32().to_owned() })
            }
            Self::Bip322 { address, witness } => {
                Ok(bip322::verify(address, witness, text(context, account).as_bytes(), key)?)
            }
            Self::Ecdsa(signature) => verify_ecdsa(signature, &text(context, account), key),
        }
    }
}

/// What the BIP-340 form signs.
fn raw_digest(context: &SigningContext, account: &AccountAddress) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    engine.input(context.prefix());
    engine.input(account.bytes());
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// What the other forms sign.
fn text(context: &SigningContext, account: &AccountAddress) -> String {
    format!("{context}{}", account.bech32())
}

/// What the ECDSA form hashes its text to.
fn legacy_digest(text: &str) -> [u8; 32] {
    signed_msg_hash(text).to_byte_array()
}

fn verify_ecdsa(signature: &[u8; 65], text: &str, key: &XOnlyPublicKey) -> Result<(), PossessionError> {
    let [header, compact @ ..] = signature;
    check_low_s(compact)?;
    let signature = RecoverableSignature::from_compact(compact, recovery_id(*header)?)
        .map_err(|_| PossessionError::EcdsaUnrecoverable)?;
    let recovered = SECP256K1
        .recover_ecdsa(&Message::from_digest(legacy_digest(text)), &signature)
        .map_err(|_| PossessionError::EcdsaUnrecoverable)?;
    let (recovered, _parity) = recovered.x_only_public_key();
    if recovered != *key {
        return Err(PossessionError::EcdsaKey { recovered, expected: *key });
    }
    Ok(())
}

/// Bits 0 and 1 of the header are the recovery id; bit 2 says whether the key was compressed, which nobody asks.
fn recovery_id(header: u8) -> Result<RecoveryId, PossessionError> {
    if !(27..=34).contains(&header) {
        return Err(PossessionError::EcdsaHeader(header));
    }
    RecoveryId::from_i32(i32::from((header - 27) & 3)).map_err(|_| PossessionError::EcdsaHeader(header))
}

fn check_low_s(compact: &[u8; 64]) -> Result<(), PossessionError> {
    let signature = Signature::from_compact(compact).map_err(|_| PossessionError::EcdsaUnrecoverable)?;
    if is_high_s(&signature) {
        return Err(PossessionError::EcdsaHighS);
    }
    Ok(())
}

fn is_high_s(signature: &Signature) -> bool {
    let mut low = *signature;
    low.normalize_s();
    low != *signature
}

/// Whether `r` is below the prime of secp256k1's field.
fn has_field_element(signature: &schnorr::Signature) -> bool {
    const PRIME: [u8; 32] = {
        let mut prime = [0xff; 32];
        prime[27] = 0xfe;
        prime[30] = 0xfc;
        prime[31] = 0x2f;
        prime
    };
    signature.serialize()[..32] < PRIME[..]
}

#[cfg(test)]
mod tests;
