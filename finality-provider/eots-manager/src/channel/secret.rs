//! The secret that callers and the signer share.

use btc_staking_daemon::passphrase::{Asking, PassphraseError, PassphraseSource};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// Fewest bytes of a secret for the MAC of version 2.
pub const MIN_BYTES: usize = 16;

/// A shared secret. Wiped on drop, never shown.
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why there is no secret. The start ends then; it never goes on without authentication.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The source gives nothing, or is none: a reference to a cloud store, for example.
    #[error("the secret of the channel cannot be read; name its source as file:PATH, env:NAME or fd:NUMBER")]
    Source(#[from] PassphraseError),
    /// A daemon has nobody to ask.
    #[error(
        "the secret of the channel cannot be prompted for; name its source as file:PATH, env:NAME or fd:NUMBER"
    )]
    Prompt,
    /// Too short to resist guessing.
    #[error("the secret of the channel has {0} bytes, it must have at least {MIN_BYTES}")]
    TooShort(usize),
}

impl Secret {
    /// Reads a secret from where the text says: `file:PATH`, `env:NAME` or `fd:NUMBER`.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(source: &str) -> Result<Self, SecretError> {
        match source.parse()? {
            PassphraseSource::Prompt => Err(SecretError::Prompt),
            source => Ok(Self::from_bytes(source.read(Asking::Once)?.bytes())),
        }
    }

    /// Takes the bytes of a secret.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Refuses a secret that could be guessed.
    ///
    /// # Errors
    /// [`SecretError::TooShort`].
    pub fn long_enough(self) -> Result<Self, SecretError> {
        if self.0.len() < MIN_BYTES { Err(SecretError::TooShort(self.0.len())) } else { Ok(self) }
    }

    /// HMAC-SHA256 keyed with the secret's bytes as they are.
    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes a key of any length")
    }
}
