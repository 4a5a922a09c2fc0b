//! The stop of every key of the process on every chain, once somebody else was seen signing with one of them.
//!
//! Whoever holds one key of ours most likely has a copy of all of them. The stop is durable: it outlives the process and
//! ends only when the operator says that the other signer is gone (`resume`). After that every key is compared with its
//! chain anew, as after a start.

use crate::{machine::reason::OtherSigner, records::Records};
use btc_staking_store::StoreError;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The brake of a process.
#[derive(Debug)]
pub struct Brake {
    records: Records,
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    pulled_by: Option<OtherSigner>,
    releases: u64,
}

impl Brake {
    /// Reads whether the process was stopped before it was restarted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(records: Records) -> Result<Self, StoreError> {
        let pulled_by = records.other_signer()?;
        Ok(Self { records, state: Mutex::new(State { pulled_by, releases: 0 }) })
    }

    /// Stops every key: at once in this process, and on return also after a restart. The first reason stays.
    ///
    /// # Errors
    /// [`StoreError`]; the keys of this process are stopped all the same.
    pub fn pull(&self, other: OtherSigner) -> Result<(), StoreError> {
        let first = self.lock().pulled_by.get_or_insert(other).clone();
        self.records.record_other_signer(&first)
    }

    /// Lets the keys go on, durably; returns what had stopped them, if anything had.
    ///
    /// # Errors
    /// [`StoreError`]; the keys stay stopped.
    pub fn release(&self) -> Result<Option<OtherSigner>, StoreError> {
        let mut state = self.lock();
        self.records.forget_other_signer()?;
        state.releases = state.releases.saturating_add(1);
        Ok(state.pulled_by.take())
    }

    /// The vote that stopped the keys, while they are stopped.
    pub fn pulled_by(&self) -> Option<OtherSigner> {
        self.lock().pulled_by.clone()
    }

    /// How often the keys were let go on: what was compared before the last time counts no more.
    pub(super) fn releases(&self) -> u64 {
        self.lock().releases
    }

    // The state changes in single steps, so a panic elsewhere cannot leave half of one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_protocol::height::PosHeight;

    fn other(chain: &str) -> OtherSigner {
        let finality_provider =
            "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".parse().unwrap();
        let (voted, recorded) = (PosHeight::new(9), PosHeight::new(7));
        OtherSigner { finality_provider, chain_id: chain.to_owned(), voted, recorded }
    }

    #[test]
    fn the_stop_outlives_the_process_and_ends_only_by_release() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Brake::open(Records::open(directory.path()).unwrap()).unwrap();
        let brake = open();
        assert_eq!(brake.pulled_by(), None);
        brake.pull(other("bbn-1")).unwrap();
        brake.pull(other("bbn-test-6")).unwrap();
        assert_eq!(brake.pulled_by(), Some(other("bbn-1")), "the first reason is the one that is told");
        drop(brake);
        let brake = open();
        assert_eq!(brake.pulled_by(), Some(other("bbn-1")));
        assert_eq!(brake.release().unwrap(), Some(other("bbn-1")));
        assert_eq!((brake.pulled_by(), brake.release().unwrap()), (None, None));
        drop(brake);
        assert_eq!(open().pulled_by(), None);
    }
}
