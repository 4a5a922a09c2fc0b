//! Secrets tagged with the role they play, so that a role signs what is its own to sign and nothing else.
//!
//! Neither printable nor copyable, and wiped when dropped: they hold a [`SigningKey`], which guarantees it. A covenant
//! secret has no public way to sign a bare hash: what it signs goes through
//! [`CheckedDelegation`](crate::delegation::CheckedDelegation). A plain signature on a slashing transaction, which would
//! defeat key extraction, cannot be asked of it at all.

use crate::keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey};
use bitcoin::{TapSighash, hashes::Hash, secp256k1::schnorr};
use btc_staking_crypto::{
    adaptor::{AdaptorSignature, EncryptionKey},
    key::SigningKey,
};
use thiserror::Error;

/// Bytes that are no secret key: zero, or not below the group order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("secret key is out of range, it must be from 1 to the group order less 1")]
pub struct InvalidSecret;

/// The holder's secret key.
pub struct StakerSecret(SigningKey);

impl StakerSecret {
    /// Takes the 32-byte big-endian secret. The caller wipes its own copy.
    ///
    /// # Errors
    /// [`InvalidSecret`] when the bytes are no secret key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecret> {
        SigningKey::from_bytes(bytes).map(Self).map_err(|_| InvalidSecret)
    }
    /// The public key.
    pub fn public_key(&self) -> StakerPublicKey {
        StakerPublicKey::new(*self.0.public_key())
    }
    /// Signs the hash of a spend. `aux` is fresh entropy, or zeros for a deterministic signature.
    pub fn sign(&self, sighash: TapSighash, aux: &[u8; 32]) -> schnorr::Signature {
        self.0.sign_schnorr(&sighash.to_byte_array(), aux)
    }
    /// The key without its role, for proofs of possession.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

/// The secret key of a covenant member.
pub struct CovenantSecret(SigningKey);

impl CovenantSecret {
    /// Takes the 32-byte big-endian secret. The caller wipes its own copy.
    ///
    /// # Errors
    /// [`InvalidSecret`] when the bytes are no secret key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecret> {
        SigningKey::from_bytes(bytes).map(Self).map_err(|_| InvalidSecret)
    }
    /// The public key.
    pub fn public_key(&self) -> CovenantPublicKey {
        CovenantPublicKey::new(*self.0.public_key())
    }
    /// Signs the spend of a staking output through its unbonding leaf.
    pub(crate) fn sign_unbonding(&self, sighash: TapSighash, aux: &[u8; 32]) -> schnorr::Signature {
        self.0.sign_schnorr(&sighash.to_byte_array(), aux)
    }
    /// Signs a slashing so that only the finality provider's secret makes the signature usable.
    pub(crate) fn sign_slashing(
        &self,
        finality_provider: &FinalityProviderPublicKey,
        sighash: TapSighash,
        aux: &[u8; 32],
    ) -> Option<AdaptorSignature> {
        let encryption_key = EncryptionKey::from_x_only(finality_provider.x_only());
        self.0.sign_adaptor(&encryption_key, &sighash.to_byte_array(), aux).ok()
    }
}
