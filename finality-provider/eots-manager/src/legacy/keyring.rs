//! The keyring of the Go manager: one encrypted file per key, under `keyring-test` or `keyring-file`.
//!
//! The `test` keyring is sealed with the word "test", so its keys lie in the clear. A key is taken only if its secret
//! gives the public key that the same file names and the one that the caller expects.

use super::{
    amino,
    fields::{FieldError, Fields},
    jwe::{self, JweError},
};
use crate::keys::{EotsKey, KeyError};
use base64::{Engine, engine::general_purpose::STANDARD};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use serde::Deserialize;
use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const SUFFIX: &str = ".info";
const PRIVATE_KEY: &[u8] = b"/cosmos.crypto.secp256k1.PrivKey";
const PUBLIC_KEY: &[u8] = b"/cosmos.crypto.secp256k1.PubKey";
/// The passphrase of every `test` keyring.
pub const TEST_PASSPHRASE: &[u8] = b"test";
/// Most files of one keyring that are listed.
const MAX_FILES: usize = 10_000;

/// Which of the two keyrings on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `keyring-test`, in effect in the clear.
    Test,
    /// `keyring-file`, with a passphrase.
    File,
}

/// A keyring's folder.
#[derive(Debug)]
pub struct Keyring {
    directory: PathBuf,
    /// Name and file, ascending by name.
    files: Vec<(String, PathBuf)>,
}

/// Why a key was not read from a keyring.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// A folder or file.
    #[error("{path} cannot be read")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// More files than any keyring has.
    #[error("{0} holds more than {MAX_FILES} files")]
    TooMany(PathBuf),
    /// No file of that name.
    #[error("{directory} holds no key named {name:?}")]
    NoSuchKey {
        /// Where it was looked for.
        directory: PathBuf,
        /// The name.
        name: String,
    },
    /// The file does not open or does not hold a key.
    #[error("the key in {path} was not taken")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SealedKeyError,
    },
}

/// Why one file gave no key.
#[derive(Debug, Error)]
pub enum SealedKeyError {
    /// It does not open.
    #[error(transparent)]
    Jwe(#[from] JweError),
    /// What was inside is not the JSON of a keyring.
    #[error("the decrypted file is not the JSON of a keyring item")]
    Item,
    /// The item is no record of a local secp256k1 key.
    #[error("the keyring item holds {0}")]
    NotALocalKey(&'static str),
    /// The record is malformed.
    #[error("the keyring record cannot be read")]
    Record(#[from] FieldError),
    /// The secret is none, or belongs to another public key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Backend {
    /// The folder's name.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Test => "keyring-test",
            Self::File => "keyring-file",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::File => "file",
        })
    }
}

impl Keyring {
    /// Lists the keys of a folder. Opens none of them.
    ///
    /// # Errors
    /// [`KeyringError::Io`] and [`KeyringError::TooMany`].
    pub fn list(directory: &Path) -> Result<Self, KeyringError> {
        let failed = |source| KeyringError::Io { path: directory.to_owned(), source };
        let mut files = Vec::new();
        for (seen, entry) in fs::read_dir(directory).map_err(failed)?.enumerate() {
            if seen >= MAX_FILES {
                return Err(KeyringError::TooMany(directory.to_owned()));
            }
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX));
            if let Some(name) = name.and_then(unescape) {
                files.push((name, path));
            }
        }
        files.sort();
        Ok(Self { directory: directory.to_owned(), files })
    }

    /// The names of the keys, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// Opens a key, which must be the expected one.
    ///
    /// # Errors
    /// [`KeyringError`]; [`KeyError::OtherKey`] inside when the name holds another key.
    pub fn load(
        &self,
        name: &str,
        passphrase: &[u8],
        expected: &FinalityProviderPublicKey,
    ) -> Result<EotsKey, KeyringError> {
        let (_, path) = self.files.iter().find(|(known, _)| known == name).ok_or_else(|| {
            KeyringError::NoSuchKey { directory: self.directory.clone(), name: name.to_owned() }
        })?;
        let text = read_bounded(path).map_err(|source| KeyringError::Io { path: path.clone(), source })?;
        open_key(&text, passphrase)
            .and_then(|key| Ok(key.require(expected)?))
            .map_err(|source| KeyringError::Key { path: path.clone(), source })
    }
}

/// Opens the content of one `.info` file. The caller knows which public key it expects; use
/// [`EotsKey::require`].
///
/// # Errors
/// [`SealedKeyError`].
pub fn open_key(text: &[u8], passphrase: &[u8]) -> Result<EotsKey, SealedKeyError> {
    open_item(&jwe::open(text, passphrase)?)
}

/// Takes the key out of what one `.info` file holds once it is decrypted.
///
/// # Errors
/// [`SealedKeyError`].
pub fn open_item(plain: &[u8]) -> Result<EotsKey, SealedKeyError> {
    let data = item_data(plain)?;
    if amino::is_info(&data) { amino::decode_info(&data) } else { decode_record(&data) }
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Data")]
    data: String,
}

fn item_data(plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedKeyError> {
    let mut item: Item = serde_json::from_slice(plain).map_err(|_| SealedKeyError::Item)?;
    let data = STANDARD.decode(&item.data).map(Zeroizing::new);
    item.data.zeroize();
    data.map_err(|_| SealedKeyError::Item)
}

/// The record: 1 name, 2 public key, 3 a key of this machine {1 secret key}. Keys are {1 type, 2 {1 bytes}}.
fn decode_record(data: &[u8]) -> Result<EotsKey, SealedKeyError> {
    let record = Fields::parse(data)?;
    let local = record.bytes(3)?;
    if local.is_empty() {
        let what = "no secret: a ledger, multisig or offline key, or a key of a release before 0.46 of the SDK; \
                    have the old software migrate or export it";
        return Err(SealedKeyError::NotALocalKey(what));
    }
    let secret = key_bytes(Fields::parse(local)?.bytes(1)?, PRIVATE_KEY)?;
    let secret =
        secret.try_into().map_err(|_| SealedKeyError::NotALocalKey("a secret that has not 32 bytes"))?;
    let public = key_bytes(record.bytes(2)?, PUBLIC_KEY)?;
    let x_only = public.split_first().and_then(|(_, x)| FinalityProviderPublicKey::from_slice(x).ok());
    let expected = x_only.ok_or(SealedKeyError::NotALocalKey("a public key that is none"))?;
    Ok(EotsKey::from_secret_bytes(secret)?.require(&expected)?)
}

fn key_bytes<'a>(any: &'a [u8], kind: &[u8]) -> Result<&'a [u8], SealedKeyError> {
    let any = Fields::parse(any)?;
    if any.bytes(1)? != kind {
        return Err(SealedKeyError::NotALocalKey("a key that is not of the curve secp256k1"));
    }
    Ok(Fields::parse(any.bytes(2)?)?.bytes(1)?)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = u64::try_from(jwe::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)?.take(limit).read_to_end(&mut text)?;
    Ok(text)
}

/// Undoes `%2F` and the like in a file's name.
fn unescape(name: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(*hex::decode(digits).ok()?.first()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}
