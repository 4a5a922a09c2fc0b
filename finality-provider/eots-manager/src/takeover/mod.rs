//! Takes keys and history over from the Go manager, so that an operator switches without ever signing a height twice.
//!
//! ```text
//! read    lock the old database, open every key, recompute every signature        nothing is written
//! check   compare with our own records; a contradiction ends here, with evidence  nothing is written
//! record  votes and the watermark, of each key and chain with one sync             durable on return
//! mark    the old database gets another name, and a note takes its place          the old daemon cannot start
//! (keys)  the caller seals the keys                                               the new one can
//! ```
//!
//! Each step may be cut short by a crash and the whole be run again: votes recorded are found recorded, a watermark
//! never falls, a sealed key is recognised, and a marked source is read under its new name. Recording only ever bars
//! more. What could not be recomputed is reported and barred all the same.
//!
//! Not done here: asking the chain for votes that the old database does not know. The daemon does that before its
//! first signature.
//!
//! Background: `finality-provider.md` 7.5.

mod history;
mod source;

pub use history::{HistoryReport, MAX_LISTED};
pub use source::{MarkError, Source, TAKEN_OVER_SUFFIX};

use crate::{
    keys::EotsKey,
    legacy::{
        eots_db::{EotsDatabase, LegacyDbError},
        keyring::{Keyring, KeyringError},
        provider_db::read_providers,
    },
    records::{ChainId, NotSafe, SignRecords, Subject},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight, keys::FinalityProviderPublicKey};
use history::History;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// What was read from the old software, while its database is locked.
pub struct Takeover {
    source: Source,
    // Holds the lock until the source is marked.
    _database: EotsDatabase,
    keys: BTreeMap<FinalityProviderPublicKey, (String, EotsKey)>,
    missing: Vec<(FinalityProviderPublicKey, String)>,
    unmapped: Vec<String>,
    histories: BTreeMap<Subject, History>,
}

/// Where to read from.
pub struct Reading<'a> {
    /// `eots.db` of the Go manager.
    pub database: &'a Path,
    /// The folder of its keyring.
    pub keyring: &'a Path,
    /// What opens the keyring.
    pub passphrase: &'a [u8],
    /// `finality-provider.db` of the Go vote daemon, if it is there.
    pub provider_database: Option<&'a Path>,
    /// The chain of records that name none (v0.13).
    pub chain_of_v0_13: Option<&'a ChainId>,
    /// Chains on which the keys are to vote. A key of which the old software holds nothing there is taken over with an
    /// empty history, and may sign.
    pub chains: &'a [ChainId],
}

/// Why nothing was taken over.
#[derive(Debug, Error)]
pub enum TakeoverError {
    /// A database.
    #[error(transparent)]
    Database(#[from] LegacyDbError),
    /// The source is not in a state that can be taken over.
    #[error(transparent)]
    Source(#[from] MarkError),
    /// The keyring or a key in it.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Two signers signed two blocks.
    #[error(
        "the old records and ours contradict each other for {key} on {chain} at height {height}: \
         the old one signed app hash {old}, ours {ours}; if both signatures were ever sent, the key is lost; \
         nothing was taken over",
        key = subject.finality_provider, chain = subject.chain_id, height = old.height.to_u64(),
        old = hex::encode(old.app_hash), ours = hex::encode(ours.app_hash)
    )]
    Conflict {
        /// Key and chain.
        subject: Box<Subject>,
        /// What the old manager signed.
        old: VoteMessage,
        /// What our records say was signed.
        ours: VoteMessage,
    },
    /// Our records refused.
    #[error("the sign records did not take over a vote")]
    Records(#[from] NotSafe),
}

impl Takeover {
    /// Locks and reads everything. Writes nothing.
    ///
    /// # Errors
    /// [`TakeoverError`]; a key that is not the one it is filed under ends it, a key whose secret is missing does not.
    pub fn read(reading: &Reading<'_>) -> Result<Self, TakeoverError> {
        let source = Source::locate(reading.database)?;
        let database = EotsDatabase::open(source.current())?;
        let keyring = Keyring::list(reading.keyring)?;
        let (mut keys, mut missing) = (BTreeMap::new(), Vec::new());
        for (public, name) in database.key_names()? {
            match keyring.load(&name, reading.passphrase, &public) {
                Ok(key) => drop(keys.insert(public, (name, key))),
                Err(KeyringError::NoSuchKey { .. }) => missing.push((public, name)),
                Err(error) => return Err(error.into()),
            }
        }
        let mut histories = empty_histories(keys.keys(), reading.chains);
        let known: BTreeSet<&str> = keys.values().map(|(name, _)| name.as_str()).collect();
        let unmapped = keyring.names().filter(|name| !known.contains(name)).map(str::to_owned).collect();
        database.for_each_record(reading.chain_of_v0_13, |record| {
            let key = keys.get(&record.subject.finality_provider).map(|(_, key)| key);
            histories.entry(record.subject.clone()).or_default().add(&record, key);
        })?;
        for provider in reading.provider_database.map(read_providers).transpose()?.unwrap_or_default() {
            if let Some(height) = provider.last_voted_height {
                histories.entry(provider.subject).or_default().bar(height);
            }
        }
        Ok(Self { source, _database: database, keys, missing, unmapped, histories })
    }

    /// Compares with our own records. Writes nothing.
    ///
    /// # Errors
    /// [`TakeoverError::Conflict`] with both votes.
    pub fn check(&self, records: &SignRecords) -> Result<(), TakeoverError> {
        for (subject, history) in &self.histories {
            for (old, _) in history.votes() {
                match records.vote_at(subject, old.height) {
                    Some(ours) if ours != old => {
                        return Err(TakeoverError::Conflict {
                            subject: Box::new(subject.clone()),
                            old,
                            ours,
                        });
                    }
                    Some(_) | None => {}
                }
            }
        }
        Ok(())
    }

    /// Records the votes and bars every height up to the highest known, durable on return.
    ///
    /// # Errors
    /// As [`check`](Self::check), before anything is written; [`TakeoverError::Records`] when a write fails.
    pub fn record(&self, records: &SignRecords) -> Result<(), TakeoverError> {
        self.check(records)?;
        for (subject, history) in &self.histories {
            history.record(subject, records)?;
        }
        Ok(())
    }

    /// Takes the old database out of the old daemon's way. Call it when the records are durable, and before a key is where
    /// a new daemon finds it: so there is no instant at which both could start.
    ///
    /// # Errors
    /// [`MarkError`].
    pub fn mark(&self) -> Result<PathBuf, MarkError> {
        self.source.mark()
    }

    /// The keys that were opened, with their old names, ascending by public key.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &EotsKey)> {
        self.keys.values().map(|(name, key)| (name.as_str(), key))
    }

    /// Keys that the old database names but whose secret is not in the keyring, with their old names.
    pub fn missing(&self) -> &[(FinalityProviderPublicKey, String)] {
        &self.missing
    }

    /// Names in the keyring that the old manager used for no key. They are not taken over.
    pub fn unmapped(&self) -> &[String] {
        &self.unmapped
    }

    /// What was found for each key and chain, ascending.
    pub fn histories(&self) -> Vec<HistoryReport> {
        self.histories.iter().map(|(subject, history)| history.report(subject)).collect()
    }

    /// The height up to which a key will be barred on a chain.
    pub fn watermark(&self, subject: &Subject) -> Option<PosHeight> {
        self.histories.get(subject)?.watermark()
    }
}

fn empty_histories<'a>(
    keys: impl Iterator<Item = &'a FinalityProviderPublicKey>,
    chains: &[ChainId],
) -> BTreeMap<Subject, History> {
    let subject =
        |finality_provider, chain_id: &ChainId| Subject { finality_provider, chain_id: chain_id.clone() };
    keys.flat_map(|key| chains.iter().map(move |chain| (subject(*key, chain), History::default()))).collect()
}
