//! Keys of the adaptor scheme: a finality provider's key pair, normalised to even Y (`crypto.md` 3.1).

use crate::{eots::FinalityProviderSecret, key::SigningKey, scalar::Scalar};
use secp256k1::{Parity, PublicKey, XOnlyPublicKey};

/// The point an adaptor signature is encrypted to: a finality provider's public key. Always has even Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncryptionKey(PublicKey);

/// Why bytes are not an encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEncryptionKey {
    /// Not 33 bytes.
    #[error("encryption key has {0} bytes, must have 33")]
    Length(usize),
    /// The first byte is 00, which stands for infinity.
    #[error("encryption key is the point at infinity")]
    Infinity,
    /// The first byte is neither 02 nor 03.
    #[error("encryption key starts with {0:02x}, must start with 02 or 03")]
    Prefix(u8),
    /// No point of the curve has this x-coordinate.
    #[error("encryption key is not a point of the curve")]
    NotOnCurve,
}

/// The secret that completes adaptor signatures: a finality provider's secret key. No `Debug`, no `Clone`; wiped on drop.
///
/// ```compile_fail,E0277
/// fn cannot_be_printed(key: btc_staking_crypto::adaptor::DecryptionKey) {
///     println!("{key:?}");
/// }
/// ```
pub struct DecryptionKey(SigningKey);

/// Why bytes are not a decryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDecryptionKey {
    /// Not 32 bytes.
    #[error("decryption key has {0} bytes, must have 32")]
    Length(usize),
    /// Zero modulo the group order.
    #[error("decryption key is zero")]
    Zero,
}

impl EncryptionKey {
    /// Returns the encryption key of the finality provider with this public key.
    pub fn from_x_only(key: &XOnlyPublicKey) -> Self {
        Self(key.public_key(Parity::Even))
    }

    /// Parses a compressed point; one with odd Y is negated.
    ///
    /// # Errors
    /// If these are not the 33 bytes of a point other than infinity.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, InvalidEncryptionKey> {
        let bytes: &[u8; 33] = bytes.try_into().map_err(|_| InvalidEncryptionKey::Length(bytes.len()))?;
        match bytes[0] {
            0 => Err(InvalidEncryptionKey::Infinity),
            2 | 3 => XOnlyPublicKey::from_slice(&bytes[1..])
                .map(|key| Self::from_x_only(&key))
                .map_err(|_| InvalidEncryptionKey::NotOnCurve),
            prefix => Err(InvalidEncryptionKey::Prefix(prefix)),
        }
    }

    /// Returns the x-only public key.
    pub fn to_x_only(&self) -> XOnlyPublicKey {
        self.0.x_only_public_key().0
    }

    /// Returns the compressed point, which starts with 02.
    pub fn to_compressed(&self) -> [u8; 33] {
        self.0.serialize()
    }

    /// Returns the point.
    pub const fn point(&self) -> &PublicKey {
        &self.0
    }
}

impl DecryptionKey {
    /// Takes 32 big-endian bytes, reduced modulo the group order and negated if the public key would have odd Y.
    ///
    /// # Errors
    /// If there are not 32 bytes, or they are zero modulo the group order.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidDecryptionKey> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| InvalidDecryptionKey::Length(bytes.len()))?;
        let raw = Self::from_scalar(&Scalar::reduced(bytes)).ok_or(InvalidDecryptionKey::Zero)?;
        Ok(Self::normalized(&raw.0))
    }

    /// The decryption key of a finality provider's secret key.
    pub(crate) fn normalized(key: &SigningKey) -> Self {
        Self::from_scalar(&key.even_secret()).expect("a secret key is not zero, nor is its negative")
    }

    /// The scalar as it stands, not normalised; `None` if zero.
    pub(crate) fn from_scalar(scalar: &Scalar) -> Option<Self> {
        SigningKey::from_bytes(&scalar.to_bytes()).ok().map(Self)
    }

    pub(crate) fn scalar(&self) -> Scalar {
        Scalar::reduced(&self.0.to_secret_bytes())
    }

    /// Returns the x-only public key: that of the finality provider, if this is its secret.
    pub const fn public(&self) -> &XOnlyPublicKey {
        self.0.public_key()
    }

    /// Returns the encryption key this decrypts for.
    pub fn encryption_key(&self) -> EncryptionKey {
        EncryptionKey::from_x_only(self.0.public_key())
    }

    /// Turns it into the finality provider's secret that it is.
    pub fn into_secret(self) -> FinalityProviderSecret {
        FinalityProviderSecret::from_key(self.0)
    }
}
