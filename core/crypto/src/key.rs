//! The secret key of a staker, a covenant member or a finality provider, and every ordinary signature made with it.
//!
//! A [`SigningKey`] keeps the exact 32 bytes it was made from. Bitcoin does not care whether a holder uses `d` or `n - d`, but
//! nonce derivation does (`crypto.md` 1 and 6.1), so the bytes are never adjusted for parity; each signature does that for
//! itself. The scalar leaves this crate by [`SigningKey::to_secret_bytes`] only, for encrypted key files.

use crate::{
    adaptor::{self, AdaptorSignature, EncryptionKey},
    scalar::Scalar,
};
use bitcoin::{key::TapTweak, taproot::TapNodeHash};
use secp256k1::{
    Keypair, Message, Parity, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa, ecdsa::RecoveryId, schnorr,
};
use zeroize::Zeroizing;

/// A secret signing key with its public key. No `Debug`, no `Clone`; wiped on drop.
///
/// ```compile_fail,E0599
/// fn cannot_be_copied(key: btc_staking_crypto::key::SigningKey) {
///     let copy = key.clone();
/// }
/// ```
/// ```compile_fail,E0277
/// fn cannot_be_printed(key: btc_staking_crypto::key::SigningKey) {
///     println!("{key:?}");
/// }
/// ```
pub struct SigningKey {
    keypair: Keypair,
    public: XOnlyPublicKey,
    parity: Parity,
}

/// Why bytes are not a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretKey {
    /// Not 32 bytes.
    #[error("secret key has {0} bytes, must have 32")]
    Length(usize),
    /// Zero, or not below the group order.
    #[error("secret key is zero or not below the group order")]
    OutOfRange,
}

impl SigningKey {
    /// Takes a big-endian secret key, as it stands: parity is not adjusted.
    ///
    /// # Errors
    /// If it is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecretKey> {
        let keypair =
            Keypair::from_seckey_slice(SECP256K1, bytes).map_err(|_| InvalidSecretKey::OutOfRange)?;
        let (public, parity) = keypair.x_only_public_key();
        Ok(Self { keypair, public, parity })
    }

    /// As [`from_bytes`](Self::from_bytes), for bytes of unknown length.
    ///
    /// # Errors
    /// If there are not 32 bytes, or they are zero or not below the group order.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidSecretKey> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| InvalidSecretKey::Length(bytes.len()))?;
        Self::from_bytes(bytes)
    }

    /// Returns the x-only public key.
    pub const fn public_key(&self) -> &XOnlyPublicKey {
        &self.public
    }

    /// Returns the full public key, with the parity that belongs to the bytes as given.
    pub fn compressed_public_key(&self) -> PublicKey {
        self.keypair.public_key()
    }

    /// Returns whether the public key's Y is odd, so that Schnorr signatures are made with `n - d`.
    pub fn has_odd_y(&self) -> bool {
        self.parity == Parity::Odd
    }

    /// Signs a 32-byte digest by BIP-340 with auxiliary randomness `aux`.
    pub fn sign_schnorr(&self, digest: &[u8; 32], aux: &[u8; 32]) -> schnorr::Signature {
        SECP256K1.sign_schnorr_with_aux_rand(&Message::from_digest(*digest), &self.keypair, aux)
    }

    /// Signs a 32-byte digest by BIP-340 with the key tweaked for a taproot key spend (BIP-341): under `merkle_root`, or with
    /// no script tree (BIP-86).
    pub fn sign_schnorr_taproot_tweaked(
        &self,
        digest: &[u8; 32],
        aux: &[u8; 32],
        merkle_root: Option<TapNodeHash>,
    ) -> schnorr::Signature {
        let mut tweaked = self.keypair.tap_tweak(SECP256K1, merkle_root).to_keypair();
        let signature = SECP256K1.sign_schnorr_with_aux_rand(&Message::from_digest(*digest), &tweaked, aux);
        tweaked.non_secure_erase();
        signature
    }

    /// Signs a 32-byte digest by ECDSA with the RFC 6979 nonce; `s` is in the lower half.
    pub fn sign_ecdsa(&self, digest: &[u8; 32]) -> ecdsa::Signature {
        let mut secret = self.keypair.secret_key();
        let signature = SECP256K1.sign_ecdsa(&Message::from_digest(*digest), &secret);
        secret.non_secure_erase();
        signature
    }

    /// As [`sign_ecdsa`](Self::sign_ecdsa), with what recovers the public key: the recovery id, and `r ‖ s`.
    pub fn sign_ecdsa_recoverable(&self, digest: &[u8; 32]) -> (RecoveryId, [u8; 64]) {
        let mut secret = self.keypair.secret_key();
        let signature = SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(*digest), &secret);
        secret.non_secure_erase();
        signature.serialize_compact()
    }

    /// Signs a 32-byte digest so that only the holder of the decryption key can complete the signature, and verifies the
    /// result before returning it.
    ///
    /// Verifying takes nearly two thirds of the time. No cheaper check sees every fault: one in the multiplication `k*G` shows
    /// only when the nonce point is computed a second time. Like for like, it all costs at most 1.2 times a Schnorr signature
    /// that is verified after signing.
    ///
    /// # Errors
    /// See [`adaptor::SignError`]; none occurs on a sound machine.
    pub fn sign_adaptor(
        &self,
        encryption_key: &EncryptionKey,
        digest: &[u8; 32],
        aux: &[u8; 32],
    ) -> Result<AdaptorSignature, adaptor::SignError> {
        let signature = self.sign_adaptor_unverified(encryption_key, digest, aux)?;
        signature
            .verify(&self.public, encryption_key, digest)
            .map_err(adaptor::SignError::SelfVerification)?;
        Ok(signature)
    }

    /// As [`sign_adaptor`](Self::sign_adaptor) without verifying, at most 1.2 times the cost of a Schnorr signature: for a
    /// caller that verifies before the signature leaves the machine. A fault during signing can betray the key to whoever
    /// sees both the faulty and a sound signature.
    ///
    /// # Errors
    /// See [`adaptor::SignError`]; none occurs on a sound machine.
    pub fn sign_adaptor_unverified(
        &self,
        encryption_key: &EncryptionKey,
        digest: &[u8; 32],
        aux: &[u8; 32],
    ) -> Result<AdaptorSignature, adaptor::SignError> {
        adaptor::sign(self, encryption_key.point(), digest, aux)
    }

    /// Returns the secret key as given, 32 bytes big-endian. For encrypted key files only: everything else is done by the
    /// methods above.
    pub fn to_secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.keypair.secret_bytes())
    }

    /// The secret of the even-Y public key: `d` or `n - d`.
    pub(crate) fn even_secret(&self) -> Scalar {
        Scalar::reduced(&self.to_secret_bytes()).negate_if(self.has_odd_y())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.keypair.non_secure_erase();
    }
}

#[cfg(test)]
mod tests;
