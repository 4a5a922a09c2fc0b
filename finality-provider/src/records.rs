//! What the daemon remembers over a restart: how far it voted, what it announced, what is on its way to the chain, and
//! whether another signer was seen.
//!
//! What may be signed is the sign records' to say. Losing this store costs a few questions to the chain, perhaps one
//! refused commitment, and the memory of another signer, which is then found out a second time.

use crate::{
    machine::{planner::Range, reason::OtherSigner},
    outbox::StoredOutbox,
    standby::seen::Sighting,
};
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::{height::PosHeight, keys::AccountAddress};
use btc_staking_store::{OpenError, Schema, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::path::Path;

const SCHEMA: Schema = Schema::new("finality-provider", 1);

/// Key and chain id, as a table key.
type Whom = ([u8; 32], String);

/// The daemon's store.
#[derive(Debug, Clone)]
pub struct Records {
    store: Store,
    votes: Table<Whom, LastVote>,
    announcements: Table<Whom, Announcement>,
    commitments: Table<Whom, u64>,
    other_signer: Table<(), OtherSigner>,
    unjailings: Table<Whom, Vec<u64>>,
    sightings: Table<(), Sighting>,
}

/// The highest vote that is known to be on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastVote {
    /// Its height.
    pub height: PosHeight,
    /// Seconds since 1970 when that became known.
    pub at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Announcement {
    start: PosHeight,
    count: u64,
}

impl Records {
    /// Opens or creates the store below a data directory.
    ///
    /// # Errors
    /// [`OpenError`], also when another process has it open.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let store = Store::open(&data_dir.join("store"), SCHEMA)?;
        Ok(Self {
            votes: store.table("last_votes").map_err(OpenError::Create)?,
            announcements: store.table("announcements").map_err(OpenError::Create)?,
            commitments: store.table("last_commitments").map_err(OpenError::Create)?,
            other_signer: store.table("other_signer").map_err(OpenError::Create)?,
            unjailings: store.table("unjailings").map_err(OpenError::Create)?,
            sightings: store.table("standby_sightings").map_err(OpenError::Create)?,
            store,
        })
    }

    /// The transactions of an account that are on their way to a chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outbox(&self, chain_id: &str, account: &AccountAddress) -> Result<StoredOutbox, StoreError> {
        StoredOutbox::new(&self.store, chain_id, account)
    }

    /// Records the highest vote of a provider, durable on return. It never falls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_vote(&self, subject: &Subject, vote: LastVote) -> Result<(), StoreError> {
        if self.last_vote(subject)?.is_some_and(|last| last.height >= vote.height) {
            return Ok(());
        }
        self.store.commit(|batch| batch.put(&self.votes, &whom(subject), &vote))
    }

    /// The highest vote of a provider.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_vote(&self, subject: &Subject) -> Result<Option<LastVote>, StoreError> {
        self.votes.get(&whom(subject))
    }

    /// Records that a commitment to a range is about to be submitted, durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_announcement(&self, subject: &Subject, range: Range) -> Result<(), StoreError> {
        let announcement = Announcement { start: range.start, count: range.count };
        if self.announcements.get(&whom(subject))? == Some(announcement) {
            return Ok(());
        }
        self.store.commit(|batch| batch.put(&self.announcements, &whom(subject), &announcement))
    }

    /// Records when the chain last took a commitment, in seconds since 1970; durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_commitment(&self, subject: &Subject, at: u64) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.put(&self.commitments, &whom(subject), &at))
    }

    /// When the chain last took a commitment, in seconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_commitment(&self, subject: &Subject) -> Result<Option<u64>, StoreError> {
        self.commitments.get(&whom(subject))
    }

    /// Records what was seen of the engine of a standby pair, durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_sighting(&self, sighting: Sighting) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.put(&self.sightings, &(), &sighting))
    }

    /// What was seen of the engine of a standby pair.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sighting(&self) -> Result<Option<Sighting>, StoreError> {
        self.sightings.get(&())
    }

    /// The range announced last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_announcement(&self, subject: &Subject) -> Result<Option<Range>, StoreError> {
        let announcement = self.announcements.get(&whom(subject))?;
        Ok(announcement.map(|Announcement { start, count }| Range { start, count }))
    }

    /// Records when a provider was unjailed without its operator, in seconds since 1970, durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_unjailings(&self, subject: &Subject, at: &[u64]) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.put(&self.unjailings, &whom(subject), &at.to_vec()))
    }

    /// When a provider was unjailed without its operator of late.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unjailings(&self, subject: &Subject) -> Result<Vec<u64>, StoreError> {
        Ok(self.unjailings.get(&whom(subject))?.unwrap_or_default())
    }

    /// Records that another signer was seen, durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_other_signer(&self, other: &OtherSigner) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.put(&self.other_signer, &(), other))
    }

    /// Another signer that was seen, if one was and the operator did not say that it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn other_signer(&self) -> Result<Option<OtherSigner>, StoreError> {
        self.other_signer.get(&())
    }

    /// Forgets another signer that is gone, durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_other_signer(&self) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.delete(&self.other_signer, &()))
    }
}

fn whom(subject: &Subject) -> Whom {
    (subject.finality_provider.to_bytes(), subject.chain_id.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_only_rise_and_everything_comes_back_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let key = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".parse().unwrap();
        let subject = Subject { finality_provider: key, chain_id: "bbn-1".parse().unwrap() };
        let other = Subject { chain_id: "bbn-test-6".parse().unwrap(), ..subject.clone() };
        let records = Records::open(directory.path()).unwrap();
        let vote = |height| LastVote { height: PosHeight::new(height), at: 7 };
        let range = Range { start: PosHeight::new(3), count: 9 };
        for height in [5, 4] {
            records.record_vote(&subject, vote(height)).unwrap();
        }
        records.record_announcement(&subject, range).unwrap();
        records.record_commitment(&subject, 8).unwrap();
        drop(records);
        let records = Records::open(directory.path()).unwrap();
        assert_eq!(records.last_vote(&subject).unwrap(), Some(vote(5)));
        assert_eq!(records.last_announcement(&subject).unwrap(), Some(range));
        assert_eq!(records.last_commitment(&subject).unwrap(), Some(8));
        assert_eq!(records.last_vote(&other).unwrap(), None);
    }
}
