//! EOTS keys at rest: one sealed file per key, holding the 32 secret bytes unchanged.
//!
//! The label in the clear names the public key, so that keys can be listed without a passphrase. The label is never
//! believed: a key is loaded only if its secret gives exactly that public key.

use crate::keys::{EotsKey, KeyError};
use btc_staking_daemon::{
    entropy::Entropy,
    keyfile::{KdfParams, KeyFile, KeyFileError, Strength},
    passphrase::Passphrase,
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use std::path::Path;
use thiserror::Error;

const LABEL: &str = "EOTS key of finality provider ";

/// Why a key was not stored or loaded.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The file holds something else.
    #[error("the key file is no EOTS key file: its label is {0:?}")]
    NotAnEotsKey(String),
    /// The secret is no key, or not the one of the label.
    #[error("the key file does not hold the key its label names")]
    Key(#[from] KeyError),
    /// The secret has another length.
    #[error("the key file holds {0} secret bytes, an EOTS key has 32")]
    Length(usize),
}

/// Seals a key into a new file.
///
/// # Errors
/// [`KeyStoreError::File`]; a file of that name is never overwritten.
pub fn store_key(
    path: &Path,
    key: &EotsKey,
    passphrase: &Passphrase,
    params: KdfParams,
    entropy: &dyn Entropy,
) -> Result<(), KeyStoreError> {
    let label = format!("{LABEL}{}", key.public_key());
    let secret = key.secret_bytes();
    KeyFile::seal(secret.as_slice(), passphrase, &label, params, entropy)?.write(path)?;
    Ok(())
}

/// Opens a key file and checks that it holds the key it says.
///
/// # Errors
/// [`KeyStoreError`].
pub fn load_key(path: &Path, passphrase: &Passphrase, strength: Strength) -> Result<EotsKey, KeyStoreError> {
    let file = KeyFile::read(path)?;
    let expected = labelled_key(&file)?;
    let secret = file.open(passphrase, strength)?;
    let bytes: &[u8; 32] = secret.as_slice().try_into().map_err(|_| KeyStoreError::Length(secret.len()))?;
    Ok(EotsKey::from_secret_bytes(bytes)?.require(&expected)?)
}

/// The public key a file says it holds, without opening it. Good for listing, never for signing.
///
/// # Errors
/// [`KeyStoreError`] when the file cannot be read or is of another kind.
pub fn peek_key(path: &Path) -> Result<FinalityProviderPublicKey, KeyStoreError> {
    labelled_key(&KeyFile::read(path)?)
}

fn labelled_key(file: &KeyFile) -> Result<FinalityProviderPublicKey, KeyStoreError> {
    file.label()
        .strip_prefix(LABEL)
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| KeyStoreError::NotAnEotsKey(file.label().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::entropy::SeededEntropy;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned()).unwrap()
    }

    fn seal(path: &Path, secret: &[u8], label: &str) {
        let params = KdfParams::insecure_for_tests();
        KeyFile::seal(secret, &passphrase("p"), label, params, &SeededEntropy::new(1))
            .unwrap()
            .write(path)
            .unwrap();
    }

    #[test]
    fn a_key_comes_back_unchanged_and_only_with_its_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        let key = EotsKey::from_secret_bytes(&[3; 32]).unwrap();
        let params = KdfParams::insecure_for_tests();
        store_key(&path, &key, &passphrase("p"), params, &SeededEntropy::new(1)).unwrap();
        assert_eq!(peek_key(&path).unwrap(), key.public_key());
        let loaded = load_key(&path, &passphrase("p"), Strength::InsecureAllowed).unwrap();
        assert_eq!(*loaded.secret_bytes(), [3; 32]);
        let wrong = load_key(&path, &passphrase("q"), Strength::InsecureAllowed);
        assert!(matches!(wrong, Err(KeyStoreError::File(KeyFileError::WrongPassphrase))));
        let weak = load_key(&path, &passphrase("p"), Strength::Required);
        assert!(matches!(weak, Err(KeyStoreError::File(KeyFileError::TooWeak(_)))));
    }

    #[test]
    fn a_label_that_names_another_key_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let other = EotsKey::from_secret_bytes(&[4; 32]).unwrap().public_key();
        let cases: [(&[u8], String); 3] = [
            (&[3; 32], format!("{LABEL}{other}")),
            (&[4; 31], format!("{LABEL}{other}")),
            (&[4; 32], "x".to_owned()),
        ];
        for (case, (secret, label)) in cases.into_iter().enumerate() {
            let path = directory.path().join(case.to_string());
            seal(&path, secret, &label);
            assert!(load_key(&path, &passphrase("p"), Strength::InsecureAllowed).is_err(), "case {case}");
        }
    }
}
