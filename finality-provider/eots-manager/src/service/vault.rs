//! The key files a signer may open while it runs, by the public key that each says it holds.

use crate::{
    keyfiles::{KeyStoreError, load_key, peek_key},
    keys::EotsKey,
};
use btc_staking_daemon::{
    keyfile::Strength,
    passphrase::{Passphrase, PassphraseError},
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use std::{collections::BTreeMap, path::PathBuf};
use thiserror::Error;

/// Why a key was not opened, or the files not taken.
#[derive(Debug, Error)]
pub enum VaultError {
    /// No file says it holds the key.
    #[error("no key file of {0} is configured")]
    NotHeld(FinalityProviderPublicKey),
    /// Two files say they hold one key.
    #[error("two key files hold the key {0}")]
    Twice(FinalityProviderPublicKey),
    /// The passphrase cannot be one.
    #[error("the passphrase cannot be used")]
    Passphrase(#[from] PassphraseError),
    /// The file was not opened.
    #[error("the key file {path} was not opened: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyStoreError,
    },
}

/// Key files, closed.
pub struct Vault {
    files: BTreeMap<FinalityProviderPublicKey, PathBuf>,
    strength: Strength,
}

impl Vault {
    /// Reads the labels of key files.
    ///
    /// # Errors
    /// [`VaultError::File`] and [`VaultError::Twice`].
    pub fn new(paths: impl IntoIterator<Item = PathBuf>, strength: Strength) -> Result<Self, VaultError> {
        let mut files = BTreeMap::new();
        for path in paths {
            let key = peek_key(&path).map_err(|source| VaultError::File { path: path.clone(), source })?;
            if files.insert(key, path).is_some() {
                return Err(VaultError::Twice(key));
            }
        }
        Ok(Self { files, strength })
    }

    /// The keys held, ascending.
    pub fn keys(&self) -> Vec<FinalityProviderPublicKey> {
        self.files.keys().copied().collect()
    }

    /// Whether there is a file of this key.
    pub fn holds(&self, key: &FinalityProviderPublicKey) -> bool {
        self.files.contains_key(key)
    }

    /// Opens the file of a key; what comes out is that key.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(&self, key: &FinalityProviderPublicKey, passphrase: &str) -> Result<EotsKey, VaultError> {
        self.open_with(key, &Passphrase::new(passphrase.to_owned())?)
    }

    /// As [`open`](Self::open), with a passphrase read elsewhere.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_with(
        &self,
        key: &FinalityProviderPublicKey,
        passphrase: &Passphrase,
    ) -> Result<EotsKey, VaultError> {
        let path = self.files.get(key).ok_or(VaultError::NotHeld(*key))?;
        load_key(path, passphrase, self.strength)
            .and_then(|loaded| Ok(loaded.require(key)?))
            .map_err(|source| VaultError::File { path: path.clone(), source })
    }
}
