//! What the watchtower must remember: what Bitcoin showed, up to which block, and the evidence of open cases.
//!
//! Keys are not stored: a case is stored as its evidence or as the slashing transaction that gave the key away, both
//! public, and the key falls out of it again. Facts and
//! the follower's cursor are one commit, so a restart neither misses nor repeats a block. Database keys stay here.

use bitcoin::{OutPoint, Transaction, Txid, hashes::Hash};
use btc_staking_bitcoin_node::{
    follower::Cursor,
    watch::{Confirmation, Spend, WatchFact},
};
use btc_staking_protocol::{
    finality::{
        evidence::Evidence,
        vote::{EotsSignature, PublicRandomness},
    },
    height::PosHeight,
    keys::FinalityProviderPublicKey,
};
use btc_staking_store::{OpenError, Schema, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::path::Path;
use thiserror::Error;

/// Whose tables a folder holds.
pub const SCHEMA: Schema = Schema::new("slasher", 1);

type TxidKey = [u8; 32];
type OutPointKey = ([u8; 32], u32);

/// The records of one watchtower.
pub struct Records {
    store: Store,
    cursor: Table<(), Cursor>,
    confirmations: Table<TxidKey, Confirmation>,
    spends: Table<OutPointKey, Spend>,
    evidence: Table<[u8; 32], StoredEvidence>,
    revealing: Table<TxidKey, Transaction>,
}

/// What was known before a restart.
pub struct Known {
    /// Where the follower stood; `None` at the very first start.
    pub cursor: Option<Cursor>,
    /// Watched transactions in blocks.
    pub confirmations: Vec<Confirmation>,
    /// Spends of watched outputs.
    pub spends: Vec<(OutPoint, Spend)>,
    /// Evidence of open cases.
    pub evidence: Vec<Evidence>,
    /// Slashing transactions that gave a key away, by the stake they slash.
    pub revealing: Vec<(Txid, Transaction)>,
}

/// Why the records could not be opened or read.
#[derive(Debug, Error)]
pub enum OpenRecordsError {
    /// The folder or the store in it.
    #[error("opening the watchtower's records")]
    Open(#[from] OpenError),
    /// A table.
    #[error("reading the watchtower's records")]
    Table(#[from] StoreError),
}

impl OpenRecordsError {
    /// Whether another process has the records open.
    pub fn is_locked(&self) -> bool {
        matches!(self, OpenRecordsError::Open(OpenError::Locked { .. }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEvidence {
    finality_provider: FinalityProviderPublicKey,
    height: PosHeight,
    #[serde(with = "hex::serde")]
    public_randomness: [u8; 32],
    #[serde(with = "hex::serde")]
    canonical_app_hash: [u8; 32],
    #[serde(with = "hex::serde")]
    fork_app_hash: [u8; 32],
    #[serde(with = "hex::serde")]
    canonical_signature: [u8; 32],
    #[serde(with = "hex::serde")]
    fork_signature: [u8; 32],
}

impl Records {
    /// Opens the records in a folder, creating them if needed.
    ///
    /// # Errors
    /// [`OpenRecordsError`], for instance when another process has them open.
    pub fn open(folder: &Path) -> Result<Self, OpenRecordsError> {
        Ok(Self::over(Store::open(folder, SCHEMA)?)?)
    }

    /// Keeps the records in an open store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn over(store: Store) -> Result<Self, StoreError> {
        Ok(Self {
            cursor: store.table("cursor")?,
            confirmations: store.table("confirmations")?,
            spends: store.table("spends")?,
            evidence: store.table("evidence")?,
            revealing: store.table("revealing")?,
            store,
        })
    }

    /// Reads everything that was known before a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(&self) -> Result<Known, StoreError> {
        let confirmations =
            self.confirmations.iter().map(|entry| entry.map(|(_, c)| c)).collect::<Result<_, _>>()?;
        let spends = self
            .spends
            .iter()
            .map(|entry| {
                entry.map(|((txid, vout), spend)| {
                    (OutPoint { txid: Txid::from_byte_array(txid), vout }, spend)
                })
            })
            .collect::<Result<_, _>>()?;
        let evidence =
            self.evidence.iter().map(|entry| entry.map(|(_, e)| e.into())).collect::<Result<_, _>>()?;
        let revealing = self
            .revealing
            .iter()
            .map(|entry| entry.map(|(txid, tx)| (Txid::from_byte_array(txid), tx)))
            .collect::<Result<_, _>>()?;
        Ok(Known { cursor: self.cursor.get(&())?, confirmations, spends, evidence, revealing })
    }

    /// Stores facts together with the place of the follower that brought them. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was stored.
    pub fn record_facts(&self, facts: &[WatchFact], cursor: &Cursor) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            for fact in facts {
                match fact {
                    WatchFact::Confirmed { txid, confirmation } => {
                        batch.put(&self.confirmations, &txid.to_byte_array(), confirmation)?;
                    }
                    WatchFact::Unconfirmed { txid, .. } => {
                        batch.delete(&self.confirmations, &txid.to_byte_array())?;
                    }
                    WatchFact::Spent { outpoint, spend } => {
                        batch.put(&self.spends, &outpoint_key(outpoint), spend)?;
                    }
                    WatchFact::Unspent { outpoint, .. } => {
                        batch.delete(&self.spends, &outpoint_key(outpoint))?;
                    }
                }
            }
            batch.put(&self.cursor, &(), cursor)
        })
    }

    /// Stores the evidence of a case. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was stored.
    pub fn record_case(&self, evidence: &Evidence) -> Result<(), StoreError> {
        let key = evidence.finality_provider.to_bytes();
        self.store.commit(|batch| batch.put(&self.evidence, &key, &StoredEvidence::from(evidence)))
    }

    /// Stores a slashing transaction that gave a key away. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was stored.
    pub fn record_revealing(&self, staking_txid: &Txid, tx: &Transaction) -> Result<(), StoreError> {
        self.store.commit(|batch| batch.put(&self.revealing, &staking_txid.to_byte_array(), tx))
    }
}

fn outpoint_key(outpoint: &OutPoint) -> OutPointKey {
    (outpoint.txid.to_byte_array(), outpoint.vout)
}

impl From<&Evidence> for StoredEvidence {
    fn from(evidence: &Evidence) -> Self {
        Self {
            finality_provider: evidence.finality_provider,
            height: evidence.height,
            public_randomness: evidence.public_randomness.to_bytes(),
            canonical_app_hash: evidence.canonical_app_hash,
            fork_app_hash: evidence.fork_app_hash,
            canonical_signature: evidence.canonical_signature.to_bytes(),
            fork_signature: evidence.fork_signature.to_bytes(),
        }
    }
}

impl From<StoredEvidence> for Evidence {
    fn from(stored: StoredEvidence) -> Self {
        Self {
            finality_provider: stored.finality_provider,
            height: stored.height,
            public_randomness: PublicRandomness::from_bytes(stored.public_randomness),
            canonical_app_hash: stored.canonical_app_hash,
            fork_app_hash: stored.fork_app_hash,
            canonical_signature: EotsSignature::from_bytes(stored.canonical_signature),
            fork_signature: EotsSignature::from_bytes(stored.fork_signature),
        }
    }
}
