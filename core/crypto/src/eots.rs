//! Extractable one-time signatures.

use crate::key::SigningKey;

/// Public randomness: the x-coordinate of a nonce point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicRandomness([u8; 32]);

/// An EOTS signature: the scalar `s`, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EotsSignature([u8; 32]);

/// A finality provider's secret recovered from two votes or from a slashing transaction.
pub struct FinalityProviderSecret(#[allow(dead_code)] SigningKey);

impl PublicRandomness {
    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The 32 bytes.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}
impl EotsSignature {
    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The 32 bytes.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}
