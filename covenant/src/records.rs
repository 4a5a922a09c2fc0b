//! What a committee member must remember: one unbonding transaction per staking output, ever.
//!
//! An unbonding signature cannot be recalled, so the member's own record of what it signed for an outpoint counts more
//! than the chain's view. The record is on disk before the signature exists. Database keys stay in this file.

use bitcoin::{OutPoint, Txid, hashes::Hash};
use btc_staking_store::{OpenError, Schema, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::path::Path;
use thiserror::Error;

/// What was signed for one staking output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The unbonding transaction.
    pub unbonding_txid: Txid,
    /// The slashing transaction of the staking output.
    pub slashing_txid: Txid,
    /// The slashing transaction of the unbonding output.
    pub unbonding_slashing_txid: Txid,
}

/// Proof that what is about to be signed is on disk. Signing consumes it; nothing else makes one.
pub struct Permit {
    outpoint: OutPoint,
    signed: Signed,
}

impl Permit {
    /// Whether it is for these transactions of this staking output. Consumes it.
    pub fn allows(self, outpoint: OutPoint, requested: Signed) -> bool {
        self.outpoint == outpoint && self.signed == requested
    }
}

/// Why there is no permit.
#[derive(Debug, Error)]
pub enum NotSafe {
    /// Other transactions were signed for this output. Signing these too would give the stake two ways out.
    #[error(
        "outpoint {outpoint}: unbonding transaction {} was signed before, {} is asked for now; refused",
        recorded.unbonding_txid, requested.unbonding_txid
    )]
    Conflict {
        /// The staking output.
        outpoint: OutPoint,
        /// What was signed.
        recorded: Box<Signed>,
        /// What is asked for.
        requested: Box<Signed>,
    },
    /// The record could not be made durable.
    #[error("the record could not be made durable, so nothing was signed")]
    Store(#[from] StoreError),
}

impl NotSafe {
    /// Whether the process has to stop: it can no longer record, so it must no longer sign.
    pub fn must_stop(&self) -> bool {
        match self {
            NotSafe::Conflict { .. } => false,
            NotSafe::Store(error) => error.must_stop(),
        }
    }
}

/// Whose tables a folder holds.
pub const SCHEMA: Schema = Schema::new("covenant-sign-log", 1);

/// Key of a record: txid in internal byte order, output index.
type OutPointKey = ([u8; 32], u32);

/// The sign log.
pub struct SignLog {
    store: Store,
    signed: Table<OutPointKey, Signed>,
}

impl SignLog {
    /// Opens the log in a folder, creating it if needed.
    ///
    /// # Errors
    /// [`OpenError`], for instance when another process has it open.
    pub fn open(folder: &Path) -> Result<Self, OpenLogError> {
        Ok(Self::over(Store::open(folder, SCHEMA)?)?)
    }

    /// Keeps the log in an open store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn over(store: Store) -> Result<Self, StoreError> {
        let signed = store.table("signed")?;
        Ok(Self { store, signed })
    }

    /// Records what is about to be signed and returns the permit, or the record that stands against it.
    ///
    /// The record is on disk when this returns. The same transactions again get a permit again: the signatures are
    /// deterministic, so the answer is the same.
    ///
    /// # Errors
    /// [`NotSafe`].
    pub fn check_and_record(&self, outpoint: OutPoint, requested: Signed) -> Result<Permit, NotSafe> {
        let key = (outpoint.txid.to_byte_array(), outpoint.vout);
        self.store.try_commit(|batch| {
            match batch.get(&self.signed, &key)? {
                Some(recorded) if recorded != requested => {
                    let (recorded, requested) = (Box::new(recorded), Box::new(requested));
                    return Err(NotSafe::Conflict { outpoint, recorded, requested });
                }
                Some(_) => {}
                None => batch.put(&self.signed, &key, &requested)?,
            }
            Ok(Permit { outpoint, signed: requested })
        })
    }

    /// Number of outputs signed for.
    pub fn count(&self) -> usize {
        self.signed.iter().count()
    }
}

/// Why the log could not be opened.
#[derive(Debug, Error)]
pub enum OpenLogError {
    /// The folder or the store in it.
    #[error("opening the sign log")]
    Open(#[from] OpenError),
    /// The table.
    #[error("reading the sign log")]
    Table(#[from] StoreError),
}

impl OpenLogError {
    /// Whether another process has the log open.
    pub fn is_locked(&self) -> bool {
        matches!(self, OpenLogError::Open(OpenError::Locked { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outpoint(n: u8) -> OutPoint {
        OutPoint { txid: Txid::from_byte_array([n; 32]), vout: 1 }
    }
    fn signed(n: u8) -> Signed {
        Signed {
            unbonding_txid: Txid::from_byte_array([n; 32]),
            slashing_txid: Txid::from_byte_array([n.wrapping_add(1); 32]),
            unbonding_slashing_txid: Txid::from_byte_array([n.wrapping_add(2); 32]),
        }
    }

    #[test]
    fn a_second_unbonding_transaction_for_an_output_is_refused_with_both_shown() {
        let dir = tempfile::tempdir().unwrap();
        let log = SignLog::open(dir.path()).unwrap();
        assert!(log.check_and_record(outpoint(1), signed(10)).is_ok());
        match log.check_and_record(outpoint(1), signed(20)) {
            Err(NotSafe::Conflict { recorded, requested, .. }) => {
                assert_eq!((*recorded, *requested), (signed(10), signed(20)));
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("a permit for a conflicting transaction"),
        }
        assert!(log.check_and_record(outpoint(2), signed(20)).is_ok());
    }

    #[test]
    fn the_record_outlives_the_process_and_the_same_request_is_answered_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = SignLog::open(dir.path()).unwrap();
        first.check_and_record(outpoint(1), signed(10)).unwrap();
        drop(first);
        let log = SignLog::open(dir.path()).unwrap();
        assert!(log.check_and_record(outpoint(1), signed(10)).is_ok());
        assert!(log.check_and_record(outpoint(1), signed(11)).is_err());
        assert_eq!(log.count(), 1);
    }

    #[test]
    fn a_second_process_cannot_open_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let _log = SignLog::open(dir.path()).unwrap();
        assert!(SignLog::open(dir.path()).is_err_and(|error| error.is_locked()));
    }
}
