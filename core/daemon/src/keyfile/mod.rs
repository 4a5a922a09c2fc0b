//! A secret in a file, sealed with a passphrase.
//!
//! The key is derived with Argon2id and the secret is encrypted with XChaCha20-Poly1305. The file is JSON:
//!
//! ```json
//! {
//!   "version": 1,
//!   "label": "what it is, for people",
//!   "kdf": {"name": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": "16 bytes in hex"},
//!   "cipher": {"name": "xchacha20-poly1305", "nonce": "24 bytes in hex", "ciphertext": "with the 16-byte tag, in hex"},
//!   "checksum": "SHA-256 of the fields above"
//! }
//! ```
//!
//! Version, label and `kdf` are authenticated as associated data. The checksum needs no passphrase and tells a damaged
//! file from a wrong passphrase; it protects from accidents only, the cipher's tag from everybody else.
//!
//! Refused: parameters weaker than [`KdfParams::MINIMUM`] (a file that somebody weakened), stronger than
//! [`KdfParams::MAXIMUM`] (a file made to exhaust the memory), files that others may read, and overwriting a file.

mod envelope;
mod file;
mod secret32;

pub use secret32::{
    KeySource, NotA32ByteSecret, create_secret32, import_secret32, open_secret32, read_hex_secret32,
    unseal_secret32,
};

use crate::{
    entropy::{Entropy, EntropyError},
    passphrase::Passphrase,
};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use envelope::{Cipher, Envelope, Header, Kdf};
use std::{io, path::PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest secret sealed.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;
/// Longest label.
pub const MAX_LABEL_BYTES: usize = 256;

const TAG_BYTES: usize = 16;

/// Cost of deriving the key from the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Which parameters are strong enough to be accepted when a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// At least [`KdfParams::MINIMUM`].
    Required,
    /// Also those of [`KdfParams::insecure_for_tests`]: for tests and throw-away networks.
    InsecureAllowed,
}

/// A sealed secret, in memory or in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    envelope: Envelope,
}

/// Why a secret could not be sealed, written, read or opened.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// There is a file already.
    #[error("key file {} exists already and is never overwritten", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} key file {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Group or others may access the file.
    #[error("key file {} has mode {mode:o}, others may access it; set it to 600", .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key file, or bytes of it have changed.
    #[error("key file is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// Written by a newer version.
    #[error("key file has version {0}, this program knows version 1")]
    Version(u32),
    /// The file is intact but the passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The parameters in the file are below the accepted minimum.
    #[error("key file was sealed with parameters too weak to be safe ({0}), the minimum is {min}", min = KdfParams::MINIMUM)]
    TooWeak(KdfParams),
    /// The parameters would take more memory or time than any honest file.
    #[error("key file asks for excessive parameters ({0}), the maximum is {max}", max = KdfParams::MAXIMUM)]
    Excessive(KdfParams),
    /// Argon2 does not accept the combination.
    #[error("key derivation parameters are invalid ({0})")]
    InvalidParams(KdfParams),
    /// Longer than [`MAX_SECRET_BYTES`].
    #[error("secret has {0} bytes, at most {MAX_SECRET_BYTES} can be sealed")]
    SecretTooLong(usize),
    /// Longer than [`MAX_LABEL_BYTES`].
    #[error("label has {0} bytes, at most {MAX_LABEL_BYTES} are allowed")]
    LabelTooLong(usize),
    /// No randomness for salt and nonce.
    #[error("cannot seal without randomness")]
    Entropy(#[from] EntropyError),
}

impl KdfParams {
    /// The weakest parameters accepted: 19 MiB, 2 passes (OWASP's first recommendation).
    pub const MINIMUM: KdfParams = KdfParams { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The strongest parameters accepted: 1 GiB, 16 passes, 16 lanes.
    pub const MAXIMUM: KdfParams = KdfParams { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

    /// What new files should be sealed with: 64 MiB, 3 passes, 1 lane; a few tenths of a second.
    pub const fn recommended() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }

    /// Parameters that protect nothing and take no time. Files sealed with them open only with
    /// [`Strength::InsecureAllowed`].
    pub const fn insecure_for_tests() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1 }
    }

    fn check(self, strength: Strength) -> Result<(), KeyFileError> {
        let (min, max) = (Self::MINIMUM, Self::MAXIMUM);
        if self.memory_kib > max.memory_kib || self.passes > max.passes || self.lanes > max.lanes {
            return Err(KeyFileError::Excessive(self));
        }
        match strength {
            Strength::Required if self.memory_kib < min.memory_kib || self.passes < min.passes => {
                Err(KeyFileError::TooWeak(self))
            }
            Strength::Required | Strength::InsecureAllowed => Ok(()),
        }
    }
}

impl KeyFile {
    /// Seals `secret`. `label` stays readable without the passphrase and cannot be changed without it.
    ///
    /// # Errors
    /// [`KeyFileError`] when the secret or label is too long, `params` are invalid or excessive, or there is no
    /// randomness.
    pub fn seal(
        secret: &[u8],
        passphrase: &Passphrase,
        label: &str,
        params: KdfParams,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyFileError> {
        if secret.len() > MAX_SECRET_BYTES {
            return Err(KeyFileError::SecretTooLong(secret.len()));
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(KeyFileError::LabelTooLong(label.len()));
        }
        params.check(Strength::InsecureAllowed)?;
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        entropy.fill(&mut salt)?;
        entropy.fill(&mut nonce)?;
        let header = Header::new(label, Kdf::new(params, salt));
        let key = derive_key(passphrase, params, &salt)?;
        let aad = header.authenticated_bytes();
        let ciphertext = XChaCha20Poly1305::new((&*key).into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: secret, aad: &aad })
            .map_err(|_| KeyFileError::SecretTooLong(secret.len()))?;
        Ok(Self { envelope: Envelope::new(header, Cipher::new(nonce, ciphertext)) })
    }

    /// Returns the secret, which is wiped when dropped.
    ///
    /// # Errors
    /// [`KeyFileError::WrongPassphrase`], or parameters outside the accepted range.
    pub fn open(
        &self,
        passphrase: &Passphrase,
        strength: Strength,
    ) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let params = self.params();
        params.check(strength)?;
        let key = derive_key(passphrase, params, self.envelope.salt())?;
        let aad = self.envelope.header().authenticated_bytes();
        let payload = Payload { msg: self.envelope.ciphertext(), aad: &aad };
        XChaCha20Poly1305::new((&*key).into())
            .decrypt(XNonce::from_slice(self.envelope.nonce()), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::WrongPassphrase)
    }

    /// What the secret is, for people.
    pub fn label(&self) -> &str {
        self.envelope.label()
    }

    /// The parameters it was sealed with.
    pub fn params(&self) -> KdfParams {
        self.envelope.header().params()
    }
}

fn derive_key(
    passphrase: &Passphrase,
    params: KdfParams,
    salt: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let invalid = |_| KeyFileError::InvalidParams(params);
    let costs = Params::new(params.memory_kib, params.passes, params.lanes, Some(32)).map_err(invalid)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, costs)
        .hash_password_into(passphrase.bytes(), salt, &mut *key)
        .map_err(invalid)?;
    Ok(key)
}

impl std::fmt::Display for KdfParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB, {} passes, {} lanes", self.memory_kib, self.passes, self.lanes)
    }
}

#[cfg(test)]
mod tests;
