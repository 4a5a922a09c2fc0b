//! Transactions on their way to the chain, kept over a restart (`Outbox` of `pos-chain`).
//!
//! A vote or a commitment that a daemon signed and sent before it died is followed to its end by the next one, instead
//! of being sent a second time. Losing this table costs fees and refusals, never a second signature: what may be signed
//! is the sign records' to say.

use btc_staking_pos_chain::outbox::{Outbox, OutboxEntry, OutboxError, TxHash};
use btc_staking_protocol::{height::PosHeight, keys::AccountAddress};
use btc_staking_store::{Store, StoreError, Table};
use serde::{Deserialize, Serialize};

/// Chain id and account: transactions of another account or chain are none of ours.
type Whose = (String, String);

/// The outbox of one account on one chain.
#[derive(Debug, Clone)]
pub struct StoredOutbox {
    store: Store,
    table: Table<(String, String, TxHash), Stored>,
    whose: Whose,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    sequence: u64,
    last_height: PosHeight,
    /// Hex.
    tx: String,
    included: Option<PosHeight>,
}

impl StoredOutbox {
    pub(crate) fn new(store: &Store, chain_id: &str, account: &AccountAddress) -> Result<Self, StoreError> {
        let table = store.table("outbox")?;
        Ok(Self { store: store.clone(), table, whose: (chain_id.to_owned(), account.bech32().to_owned()) })
    }

    fn key(&self, hash: TxHash) -> (String, String, TxHash) {
        let (chain_id, account) = self.whose.clone();
        (chain_id, account, hash)
    }
}

impl Outbox for StoredOutbox {
    fn entries(&self) -> Result<Vec<OutboxEntry>, OutboxError> {
        let entry = |record: Result<((String, String, TxHash), Stored), StoreError>| {
            let ((_, _, hash), stored) = record.map_err(failed)?;
            let tx = hex::decode(&stored.tx).map_err(|error| OutboxError(error.to_string()))?;
            let Stored { sequence, last_height, included, .. } = stored;
            Ok(OutboxEntry { hash, sequence, last_height, tx, included })
        };
        self.table.prefix(&self.whose).map(entry).collect()
    }

    fn record(&self, entry: &OutboxEntry) -> Result<(), OutboxError> {
        let stored = Stored {
            sequence: entry.sequence,
            last_height: entry.last_height,
            tx: hex::encode(&entry.tx),
            included: entry.included,
        };
        let key = self.key(entry.hash);
        self.store.commit(|batch| batch.put(&self.table, &key, &stored)).map_err(failed)
    }

    fn forget(&self, hashes: &[TxHash]) -> Result<(), OutboxError> {
        self.store
            .commit(|batch| hashes.iter().try_for_each(|hash| batch.delete(&self.table, &self.key(*hash))))
            .map_err(failed)
    }
}

fn failed(error: StoreError) -> OutboxError {
    OutboxError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;
    use btc_staking_pos_chain::outbox::check_outbox;

    fn account(byte: u8) -> AccountAddress {
        AccountAddress::from_bytes("bbn", &[byte; 20]).unwrap()
    }

    #[test]
    fn what_is_recorded_comes_back_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        check_outbox(|| Records::open(directory.path()).unwrap().outbox("bbn-1", &account(1)).unwrap());
    }

    #[test]
    fn accounts_and_chains_do_not_see_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::open(directory.path()).unwrap();
        let ours = records.outbox("bbn-1", &account(1)).unwrap();
        let entry = OutboxEntry {
            hash: [1; 32],
            sequence: 1,
            last_height: PosHeight::new(9),
            tx: vec![1],
            included: None,
        };
        ours.record(&entry).unwrap();
        for (chain, byte) in [("bbn-1", 2), ("bbn-test-6", 1), ("bbn", 1)] {
            assert_eq!(records.outbox(chain, &account(byte)).unwrap().entries(), Ok(Vec::new()));
        }
        assert_eq!(ours.entries(), Ok(vec![entry]));
    }
}
