//! The secret key that falls out of two signatures with one nonce (`crypto.md` 2.5).

use super::{EotsSignature, PublicRandomness, digest, field_reduced};
use crate::{
    adaptor::DecryptionKey,
    challenge::challenge,
    key::{InvalidSecretKey, SigningKey},
    point::Point,
    scalar::Scalar,
};
use secp256k1::{XOnlyPublicKey, schnorr};
use zeroize::Zeroizing;

/// A finality provider's secret key, recovered from two votes or from a slashing transaction. No `Debug`, no `Clone`; wiped
/// on drop.
///
/// May be the original key or its negative; the two differ in nothing that slashing does.
///
/// ```compile_fail,E0277
/// fn cannot_be_printed(secret: btc_staking_crypto::eots::FinalityProviderSecret) {
///     println!("{secret:?}");
/// }
/// ```
pub struct FinalityProviderSecret(SigningKey);

/// Why two signatures do not give a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// Both signatures are the same number.
    #[error("both signatures are equal, must be over different messages")]
    SameSignature,
    /// Both messages are the same, or hash to the same challenge.
    #[error("both signatures are over the same message, must be over different ones")]
    SameMessage,
    /// A challenge hash is not below the group order.
    #[error("challenge hash is not below the group order")]
    ChallengeOverflow,
    /// What comes out is not the secret of the public key: a signature is not of this key with this randomness.
    #[error("extracted secret does not belong to the public key, one of the signatures is not valid")]
    WrongKey,
}

/// Extracts the secret of `key` from two signatures over different messages with the nonce behind `randomness`.
///
/// The signatures are not verified first; the result is checked against `key`. It is the secret of the even-Y point, which
/// may be the negative of the key that signed.
///
/// # Errors
/// If the signatures or messages are equal, or do not give the secret of `key`.
pub fn extract(
    key: &XOnlyPublicKey,
    randomness: &PublicRandomness,
    message_1: &[u8],
    signature_1: &EotsSignature,
    message_2: &[u8],
    signature_2: &EotsSignature,
) -> Result<FinalityProviderSecret, ExtractError> {
    let nonce_x = field_reduced(randomness);
    let challenge_of = |message: &[u8]| {
        Scalar::canonical(&challenge(&nonce_x, key, &digest(message))).ok_or(ExtractError::ChallengeOverflow)
    };
    let [s1, s2] = [signature_1, signature_2].map(|signature| Scalar::reduced(signature.as_bytes()));
    let signatures = s1.minus(&s2);
    if signatures.is_zero() {
        return Err(ExtractError::SameSignature);
    }
    let challenges = challenge_of(message_1)?.minus(&challenge_of(message_2)?);
    if challenges.is_zero() {
        return Err(ExtractError::SameMessage);
    }
    let secret = signatures.times(&challenges.invert());
    if Point::generator_times(&secret) != Point::from(key) {
        return Err(ExtractError::WrongKey);
    }
    FinalityProviderSecret::from_bytes(&secret.to_bytes()).map_err(|_| ExtractError::WrongKey)
}

impl FinalityProviderSecret {
    /// Takes a big-endian secret key.
    ///
    /// # Errors
    /// If it is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecretKey> {
        SigningKey::from_bytes(bytes).map(Self)
    }

    pub(crate) const fn from_key(key: SigningKey) -> Self {
        Self(key)
    }

    /// Returns the x-only public key it belongs to.
    pub const fn public_key(&self) -> &XOnlyPublicKey {
        self.0.public_key()
    }

    /// Signs a 32-byte digest by BIP-340: the finality provider's signature in a slashing transaction.
    pub fn sign_schnorr(&self, digest: &[u8; 32], aux: &[u8; 32]) -> schnorr::Signature {
        self.0.sign_schnorr(digest, aux)
    }

    /// Returns the key that completes the covenant's adaptor signatures to this finality provider.
    pub fn decryption_key(&self) -> DecryptionKey {
        DecryptionKey::normalized(&self.0)
    }

    /// Returns the 32 bytes, big-endian, that prove selective slashing to the chain. Publishing them is the purpose.
    pub fn to_evidence_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.to_secret_bytes()
    }
}
