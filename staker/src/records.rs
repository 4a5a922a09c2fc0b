//! What the staker must remember: its identity, its stakes, the wallet, and what Bitcoin showed up to which block.
//!
//! Rows that must agree are one commit: a stake with the locks on its coins, blocks with the wallet's changes and the
//! facts about stakes. Stakes are never deleted. Database keys stay here.

use crate::{
    keys::WalletDescriptors,
    stake::{Stake, Step},
};
use bdk_wallet::{ChangeSet, chain::Merge};
use bitcoin::{Network, OutPoint, Transaction, Txid, hashes::Hash, hex::FromHex};
use btc_staking_bitcoin_node::{
    follower::Cursor,
    watch::{Confirmation, Spend, WatchFact},
};
use btc_staking_protocol::keys::{AccountAddress, StakerPublicKey};
use btc_staking_store::{Batch, OpenError, Schema, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::Path};
use thiserror::Error;

/// Whose tables these are.
pub const SCHEMA: Schema = Schema::new("staker", 1);

/// Rows of the wallet that are merged into one when the records are opened.
const WALLET_ROWS: usize = 256;

type TxidKey = [u8; 32];
type OutPointKey = ([u8; 32], u32);

/// Whose records these are: public, fixed at the first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Bitcoin network.
    pub network: Network,
    /// Chain id of the staking chain.
    pub chain_id: String,
    /// The holder's staking key.
    pub staker: StakerPublicKey,
    /// Account that registers stakes.
    pub account: AccountAddress,
    /// The wallet.
    pub descriptors: WalletDescriptors,
}

/// The records of one holder on one network.
#[derive(Clone)]
pub struct Records {
    store: Store,
    identity: Table<(), Identity>,
    stakes: Table<TxidKey, Stake>,
    withdrawals: Table<TxidKey, Transaction>,
    wallet: Table<u64, ChangeSet>,
    cursor: Table<(), Cursor>,
    confirmations: Table<TxidKey, Confirmation>,
    spends: Table<OutPointKey, Spend>,
}

/// What Bitcoin had shown before a restart.
#[derive(Debug)]
pub struct Known {
    /// Where the follower stood; `None` at the very first start.
    pub cursor: Option<Cursor>,
    /// Watched transactions in blocks.
    pub confirmations: Vec<Confirmation>,
    /// Spends of watched outputs.
    pub spends: Vec<(OutPoint, Spend)>,
}

/// Why the records could not be opened.
#[derive(Debug, Error)]
pub enum OpenRecordsError {
    /// The folder or the store in it.
    #[error("opening the staker's records")]
    Open(#[from] OpenError),
    /// A table.
    #[error("reading the staker's records")]
    Table(#[from] StoreError),
}

impl OpenRecordsError {
    /// Whether another process has the records open.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Open(OpenError::Locked { .. }))
    }
}

impl Records {
    /// Opens the records in a folder, creating them if needed.
    ///
    /// # Errors
    /// [`OpenRecordsError`], for instance when another process has them open.
    pub fn open(folder: &Path) -> Result<Self, OpenRecordsError> {
        Self::over(Store::open(folder, SCHEMA)?)
    }

    /// Takes an open store; for tests that crash it.
    ///
    /// # Errors
    /// [`OpenRecordsError::Table`].
    pub fn over(store: Store) -> Result<Self, OpenRecordsError> {
        let records = Self {
            identity: store.table("identity")?,
            stakes: store.table("stakes")?,
            withdrawals: store.table("withdrawals")?,
            wallet: store.table("wallet")?,
            cursor: store.table("cursor")?,
            confirmations: store.table("confirmations")?,
            spends: store.table("spends")?,
            store,
        };
        records.merge_wallet_rows()?;
        Ok(records)
    }

    /// Reads whose records these are; `None` at the very first start.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.identity.get(&())
    }

    /// Stores whose records these are, together with an empty wallet. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_identity(&self, identity: &Identity, wallet: Option<ChangeSet>) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            batch.put(&self.identity, &(), identity)?;
            self.put_wallet(batch, wallet)
        })
    }

    /// Reads every stake that can be read, in no particular order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stakes(&self) -> Result<Vec<Stake>, StoreError> {
        let is_readable = |entry: &Result<_, StoreError>| !matches!(entry, Err(StoreError::Damaged { key, .. }) if key_of(key).is_some());
        self.stakes.iter().filter(is_readable).map(|entry| entry.map(|(_, stake)| stake)).collect()
    }

    /// Names the stakes whose records cannot be read, with what is wrong; [`Records::stakes`] leaves them out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unreadable_stakes(&self) -> Result<Vec<(Txid, String)>, StoreError> {
        let mut unreadable = Vec::new();
        for entry in self.stakes.iter() {
            match entry {
                Ok(_) => {}
                Err(StoreError::Damaged { key, reason, .. }) if key_of(&key).is_some() => {
                    unreadable.extend(key_of(&key).map(|txid| (txid, reason)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(unreadable)
    }

    /// Reads one stake.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stake(&self, txid: &Txid) -> Result<Option<Stake>, StoreError> {
        self.stakes.get(&txid.to_byte_array())
    }

    /// Stores a stake together with the wallet's changes, such as the locks on its coins. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_stake(&self, stake: &Stake, wallet: Option<ChangeSet>) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            batch.put(&self.stakes, &stake.txid().to_byte_array(), stake)?;
            self.put_wallet(batch, wallet)
        })
    }

    /// Stores how far a stake is, together with the wallet's changes. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_step(&self, txid: &Txid, step: &Step, wallet: Option<ChangeSet>) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            let key = txid.to_byte_array();
            if let Some(mut stake) = batch.get(&self.stakes, &key)? {
                stake.step = step.clone();
                batch.put(&self.stakes, &key, &stake)?;
            }
            self.put_wallet(batch, wallet)
        })
    }

    /// Stores the signed unbonding transaction of a stake. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_unbonding(&self, txid: &Txid, unbonding: &Transaction) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            let key = txid.to_byte_array();
            if let Some(mut stake) = batch.get(&self.stakes, &key)? {
                stake.unbonding = Some(unbonding.clone());
                batch.put(&self.stakes, &key, &stake)?;
            }
            Ok(())
        })
    }

    /// Stores a signed withdrawal, together with the wallet's changes. Earlier ones that spend any of its outputs are
    /// forgotten in the same commit: only the last order of the holder is ever sent again. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_withdrawal(&self, tx: &Transaction, wallet: Option<ChangeSet>) -> Result<(), StoreError> {
        let spent: HashSet<OutPoint> = tx.input.iter().map(|input| input.previous_output).collect();
        let is_superseded =
            |earlier: &Transaction| earlier.input.iter().any(|input| spent.contains(&input.previous_output));
        self.store.commit(|batch| {
            for earlier in self.withdrawals()?.iter().filter(|earlier| is_superseded(earlier)) {
                batch.delete(&self.withdrawals, &earlier.compute_txid().to_byte_array())?;
            }
            batch.put(&self.withdrawals, &tx.compute_txid().to_byte_array(), tx)?;
            self.put_wallet(batch, wallet)
        })
    }

    /// Reads every withdrawal made that no later one superseded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn withdrawals(&self) -> Result<Vec<Transaction>, StoreError> {
        self.withdrawals.iter().map(|entry| entry.map(|(_, tx)| tx)).collect()
    }

    /// Reads the wallet's change sets, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn wallet(&self) -> Result<Vec<ChangeSet>, StoreError> {
        self.wallet.iter().map(|entry| entry.map(|(_, changes)| changes)).collect()
    }

    /// Stores changes of the wallet alone. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_wallet(&self, changes: Option<ChangeSet>) -> Result<(), StoreError> {
        self.store.commit(|batch| self.put_wallet(batch, changes))
    }

    /// Reads what Bitcoin had shown before a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn known(&self) -> Result<Known, StoreError> {
        let confirmations =
            self.confirmations.iter().map(|entry| entry.map(|(_, found)| found)).collect::<Result<_, _>>()?;
        let spends = self
            .spends
            .iter()
            .map(|entry| {
                let ((txid, vout), spend) = entry?;
                Ok((OutPoint { txid: Txid::from_byte_array(txid), vout }, spend))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Known { cursor: self.cursor.get(&())?, confirmations, spends })
    }

    /// Stores what blocks showed, together with the place of the follower that brought them. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_blocks(
        &self,
        cursor: &Cursor,
        facts: &[WatchFact],
        wallet: Option<ChangeSet>,
    ) -> Result<(), StoreError> {
        self.store.commit(|batch| {
            batch.put(&self.cursor, &(), cursor)?;
            facts.iter().try_for_each(|fact| self.put_fact(batch, fact))?;
            self.put_wallet(batch, wallet)
        })
    }

    fn put_fact(&self, batch: &mut Batch, fact: &WatchFact) -> Result<(), StoreError> {
        let outpoint_key = |outpoint: &OutPoint| (outpoint.txid.to_byte_array(), outpoint.vout);
        match fact {
            WatchFact::Confirmed { txid, confirmation } => {
                batch.put(&self.confirmations, &txid.to_byte_array(), confirmation)
            }
            WatchFact::Unconfirmed { txid, .. } => batch.delete(&self.confirmations, &txid.to_byte_array()),
            WatchFact::Spent { outpoint, spend } => batch.put(&self.spends, &outpoint_key(outpoint), spend),
            WatchFact::Unspent { outpoint, .. } => batch.delete(&self.spends, &outpoint_key(outpoint)),
        }
    }

    fn put_wallet(&self, batch: &mut Batch, changes: Option<ChangeSet>) -> Result<(), StoreError> {
        let Some(changes) = changes else { return Ok(()) };
        // Commits run one at a time, so nobody takes this number in between.
        let next = self.wallet.last()?.map_or(0, |(number, _)| number.saturating_add(1));
        batch.put(&self.wallet, &next, &changes)
    }

    fn merge_wallet_rows(&self) -> Result<(), StoreError> {
        let rows = self.wallet.iter().collect::<Result<Vec<_>, _>>()?;
        if rows.len() < WALLET_ROWS {
            return Ok(());
        }
        let mut merged = ChangeSet::default();
        self.store.commit(|batch| {
            for (number, changes) in rows {
                batch.delete(&self.wallet, &number)?;
                merged.merge(changes);
            }
            batch.put(&self.wallet, &0, &merged)
        })
    }
}

/// The stake whose record has a key in hexadecimal.
fn key_of(key: &str) -> Option<Txid> {
    <TxidKey as FromHex>::from_hex(key).ok().map(Txid::from_byte_array)
}

#[cfg(test)]
mod tests;
