//! `eots.db`, the database of the Go manager: which key has which name, and what was signed.
//!
//! | bucket | key | value |
//! |---|---|---|
//! | `fpKeyNames` | x-only public key | name in the keyring |
//! | `signRecord`, since v0.14 | chain id ‖ public key ‖ height | {1 message, 2 signature, 3 time} |
//! | `signRecord`, v0.13 | height | {1 app hash, 2 public key, 3 signature, 4 time} |
//!
//! Heights are 8 bytes, big-endian. A record of v0.13 does not say for which chain it was signed, so the caller must.
//! A record that cannot be attributed to key, chain and height is an error: the height it bars would stay open.

use super::{
    bolt::{BoltError, Database, ReadAt},
    fields::{FieldError, Fields},
};
use crate::records::{ChainId, Subject};
use btc_staking_protocol::{
    finality::vote::{EotsSignature, VoteMessage},
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

const KEY_NAMES: &[u8] = b"fpKeyNames";
const SIGN_RECORDS: &[u8] = b"signRecord";
const HEIGHT: usize = 8;
const PUBLIC_KEY: usize = 32;
/// Most key names of one database.
const MAX_KEYS: usize = 10_000;

/// The database, locked so that the Go manager cannot have it open.
pub struct EotsDatabase<R = File> {
    database: Database<R>,
}

/// The two layouts of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Height only.
    V0_13,
    /// Chain, key and height.
    V0_14,
}

/// Something that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRecord {
    /// How it was stored.
    pub layout: Layout,
    /// By whom, for which chain.
    pub subject: Subject,
    /// The height, by the record's key.
    pub height: PosHeight,
    /// What was signed, when it was a vote for this height.
    pub vote: Option<VoteMessage>,
    /// The signature, when there is a whole one.
    pub signature: Option<EotsSignature>,
}

/// Why a database was not read.
#[derive(Debug, Error)]
pub enum LegacyDbError {
    /// The file.
    #[error("{path} cannot be opened")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The Go program runs.
    #[error("{0} is in use by another process: stop the old daemon and keep it stopped")]
    InUse(PathBuf),
    /// The file's structure.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// A key or value is not what it should be.
    #[error("the entry with key {key} in bucket {bucket} cannot be attributed: {what}")]
    Entry {
        /// The bucket.
        bucket: &'static str,
        /// The entry's key in hex.
        key: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A value is no message.
    #[error("the entry with key {key} in bucket {bucket} cannot be read")]
    Value {
        /// The bucket.
        bucket: &'static str,
        /// The entry's key in hex.
        key: String,
        /// What is wrong.
        #[source]
        source: FieldError,
    },
    /// More entries than there can be.
    #[error("bucket {bucket} holds more than {most} entries")]
    TooMany {
        /// The bucket.
        bucket: &'static str,
        /// The bound.
        most: usize,
    },
}

/// Opens a file of the Go software with the lock that the Go software takes itself.
pub(super) fn open_locked(path: &Path) -> Result<Database<File>, LegacyDbError> {
    let failed = |source| LegacyDbError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Database::open(file)?),
        Err(error) if error == rustix::io::Errno::WOULDBLOCK => Err(LegacyDbError::InUse(path.to_owned())),
        Err(error) => Err(failed(error.into())),
    }
}

pub(super) fn entry_error(bucket: &'static str, key: &[u8], what: &'static str) -> LegacyDbError {
    LegacyDbError::Entry { bucket, key: hex_prefix(key), what }
}

pub(super) fn value_error(bucket: &'static str, key: &[u8], source: FieldError) -> LegacyDbError {
    LegacyDbError::Value { bucket, key: hex_prefix(key), source }
}

fn hex_prefix(key: &[u8]) -> String {
    hex::encode(key.get(..128).unwrap_or(key))
}

impl EotsDatabase {
    /// Opens the database and keeps the Go manager out while it is open.
    ///
    /// # Errors
    /// [`LegacyDbError::InUse`] when the Go manager runs.
    pub fn open(path: &Path) -> Result<Self, LegacyDbError> {
        Ok(Self { database: open_locked(path)? })
    }
}

impl<R: ReadAt> EotsDatabase<R> {
    /// Reads a database that nobody can be writing, such as one in memory.
    ///
    /// # Errors
    /// [`LegacyDbError::Bolt`].
    pub fn over(source: R) -> Result<Self, LegacyDbError> {
        Ok(Self { database: Database::open(source)? })
    }

    /// The keys and their names in the keyring, ascending by key.
    ///
    /// # Errors
    /// [`LegacyDbError`].
    pub fn key_names(&self) -> Result<Vec<(FinalityProviderPublicKey, String)>, LegacyDbError> {
        let mut names = Vec::new();
        let Some(bucket) = self.database.bucket(KEY_NAMES)? else {
            return Ok(names);
        };
        self.database.for_each(&bucket, |key, value| {
            if names.len() >= MAX_KEYS {
                return Err(LegacyDbError::TooMany { bucket: "fpKeyNames", most: MAX_KEYS });
            }
            let public = FinalityProviderPublicKey::from_slice(key)
                .map_err(|_| entry_error("fpKeyNames", key, "the key is no x-only public key"))?;
            let name = std::str::from_utf8(value)
                .map_err(|_| entry_error("fpKeyNames", key, "the name is not UTF-8"))?;
            names.push((public, name.to_owned()));
            Ok(())
        })?;
        Ok(names)
    }

    /// Calls `each` with every sign record. Those of one subject come in ascending order of heights.
    ///
    /// # Errors
    /// [`LegacyDbError`]; in particular for a record of v0.13 when `chain_of_v0_13` is not given.
    pub fn for_each_record(
        &self,
        chain_of_v0_13: Option<&ChainId>,
        mut each: impl FnMut(LegacyRecord),
    ) -> Result<(), LegacyDbError> {
        let Some(bucket) = self.database.bucket(SIGN_RECORDS)? else {
            return Ok(());
        };
        self.database.for_each(&bucket, |key, value| {
            each(decode_record(key, value, chain_of_v0_13)?);
            Ok(())
        })
    }
}

fn decode_record(
    key: &[u8],
    value: &[u8],
    chain_of_v0_13: Option<&ChainId>,
) -> Result<LegacyRecord, LegacyDbError> {
    let wrong = |what| entry_error("signRecord", key, what);
    let (before, height) = key.split_last_chunk::<HEIGHT>().ok_or(wrong("the key is too short"))?;
    let height = PosHeight::new(u64::from_be_bytes(*height));
    if before.is_empty() {
        let fields = Fields::parse(value).map_err(|error| value_error("signRecord", key, error))?;
        return decode_v0_13(key, height, &fields, chain_of_v0_13);
    }
    let (chain, public) = before.split_last_chunk::<PUBLIC_KEY>().ok_or(wrong("the key is too short"))?;
    let subject = Subject {
        finality_provider: public_key(public).ok_or(wrong("it names no x-only public key"))?,
        chain_id: std::str::from_utf8(chain)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(wrong("it names no chain id"))?,
    };
    // What was signed may be unreadable; that something was is enough to bar the height.
    let fields = Fields::parse(value).ok();
    let field = |number| fields.and_then(|fields| fields.bytes(number).ok()).unwrap_or(&[]);
    Ok(LegacyRecord {
        layout: Layout::V0_14,
        subject,
        height,
        vote: decode_vote(field(1)).filter(|vote| vote.height == height),
        signature: field(2).try_into().ok().map(EotsSignature::from_bytes),
    })
}

fn decode_v0_13(
    key: &[u8],
    height: PosHeight,
    fields: &Fields<'_>,
    chain: Option<&ChainId>,
) -> Result<LegacyRecord, LegacyDbError> {
    let wrong = |what| entry_error("signRecord", key, what);
    let field = |number| fields.bytes(number).map_err(|error| value_error("signRecord", key, error));
    let chain =
        chain.ok_or(wrong("it has the layout of v0.13, which names no chain: say which chain it was"))?;
    let public = field(2)?;
    // With or without the byte that tells the parity.
    let x_only = if public.len() == PUBLIC_KEY + 1 { &public[1..] } else { public };
    let finality_provider = public_key(x_only).ok_or(wrong("it names no public key"))?;
    let app_hash: Option<[u8; 32]> = field(1)?.try_into().ok();
    Ok(LegacyRecord {
        layout: Layout::V0_13,
        subject: Subject { finality_provider, chain_id: chain.clone() },
        height,
        vote: app_hash.map(|app_hash| VoteMessage { height, app_hash }),
        signature: field(3)?.try_into().ok().map(EotsSignature::from_bytes),
    })
}

fn public_key(bytes: &[u8]) -> Option<FinalityProviderPublicKey> {
    FinalityProviderPublicKey::from_slice(bytes).ok()
}

fn decode_vote(message: &[u8]) -> Option<VoteMessage> {
    let (height, app_hash) = message.split_first_chunk::<HEIGHT>()?;
    let height = PosHeight::new(u64::from_be_bytes(*height));
    Some(VoteMessage { height, app_hash: app_hash.try_into().ok()? })
}
