//! What a sender remembers over a restart: transactions it signed and whose fate it has not told yet.
//!
//! A transaction is recorded before a node sees it and forgotten once its messages' outcomes were handed to the caller.
//! In between the program may die anywhere: the next sender of the account finds the record, follows the transaction
//! to its end and hands its outcomes to whoever submits the same messages again. So nothing is lost and nothing is
//! sent twice.
//!
//! Whoever needs that brings an [`Outbox`] over its own store. [`MemoryOutbox`] serves where the chain is read anew
//! before every message anyway, and where the program ends with its one message:
//!
//! | program | outbox | why |
//! |---|---|---|
//! | finality provider, daemon | durable | a commitment costs a fee each time, and votes are many |
//! | covenant member, slasher | memory | what they send is refundable, and each round begins with reading the chain |
//! | command lines, devnet | memory | one message, told to a person |

use btc_staking_protocol::height::PosHeight;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;

/// Hash of a transaction: SHA-256 of its bytes.
pub type TxHash = [u8; 32];

/// A signed transaction on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Hash of `tx`.
    pub hash: TxHash,
    /// The account's sequence it uses.
    pub sequence: u64,
    /// Highest block it can be in.
    pub last_height: PosHeight,
    /// The signed bytes, as broadcast.
    pub tx: Vec<u8>,
    /// Block it was executed in successfully, once that is known; its messages' outcomes are still to be told.
    pub included: Option<PosHeight>,
}

/// The records could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("outbox: {0}")]
pub struct OutboxError(pub String);

/// Records of the transactions of **one** account on **one** chain. Whoever implements it keeps those of others apart.
pub trait Outbox: Send + Sync {
    /// Returns everything recorded and not forgotten, in any order.
    ///
    /// # Errors
    /// [`OutboxError`]; nothing is sent then.
    fn entries(&self) -> Result<Vec<OutboxEntry>, OutboxError>;

    /// Records an entry, in place of one with the same hash; durable on return where the outbox is durable at all.
    ///
    /// # Errors
    /// [`OutboxError`]; the transaction is not sent then.
    fn record(&self, entry: &OutboxEntry) -> Result<(), OutboxError>;

    /// Removes entries in one step; hashes without an entry are passed over.
    ///
    /// # Errors
    /// [`OutboxError`].
    fn forget(&self, hashes: &[TxHash]) -> Result<(), OutboxError>;
}

/// An outbox that lives as long as the program.
#[derive(Debug, Default)]
pub struct MemoryOutbox(Mutex<BTreeMap<TxHash, OutboxEntry>>);

impl MemoryOutbox {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TxHash, OutboxEntry>> {
        // Every change is one call on the map, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for MemoryOutbox {
    fn entries(&self) -> Result<Vec<OutboxEntry>, OutboxError> {
        Ok(self.lock().values().cloned().collect())
    }
    fn record(&self, entry: &OutboxEntry) -> Result<(), OutboxError> {
        self.lock().insert(entry.hash, entry.clone());
        Ok(())
    }
    fn forget(&self, hashes: &[TxHash]) -> Result<(), OutboxError> {
        let mut entries = self.lock();
        for hash in hashes {
            entries.remove(hash);
        }
        Ok(())
    }
}

/// Checks what every outbox promises, on an empty one; `reopen` returns it as a restarted program would find it.
///
/// # Panics
/// When a promise is broken.
pub fn check_outbox<O: Outbox>(reopen: impl Fn() -> O) {
    let entry = |number: u8| OutboxEntry {
        hash: [number; 32],
        sequence: number.into(),
        last_height: PosHeight::new(900),
        tx: vec![number; 3],
        included: None,
    };
    let sorted = |outbox: &O| {
        let mut entries = outbox.entries().expect("an outbox that works");
        entries.sort_by_key(|entry| entry.hash);
        entries
    };
    let outbox = reopen();
    assert_eq!(sorted(&outbox), Vec::new());
    for number in [1, 2, 3] {
        outbox.record(&entry(number)).expect("an outbox that works");
    }
    let landed = OutboxEntry { included: Some(PosHeight::new(7)), ..entry(2) };
    outbox.record(&landed).expect("an outbox that works");
    drop(outbox);
    let outbox = reopen();
    assert_eq!(sorted(&outbox), vec![entry(1), landed.clone(), entry(3)]);
    outbox.forget(&[[1; 32], [3; 32], [9; 32]]).expect("an outbox that works");
    drop(outbox);
    assert_eq!(sorted(&reopen()), vec![landed]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Shared(Arc<MemoryOutbox>);
    impl Outbox for Shared {
        fn entries(&self) -> Result<Vec<OutboxEntry>, OutboxError> {
            self.0.entries()
        }
        fn record(&self, entry: &OutboxEntry) -> Result<(), OutboxError> {
            self.0.record(entry)
        }
        fn forget(&self, hashes: &[TxHash]) -> Result<(), OutboxError> {
            self.0.forget(hashes)
        }
    }

    #[test]
    fn an_outbox_in_memory_keeps_what_is_recorded_until_it_is_forgotten() {
        let outbox = Arc::new(MemoryOutbox::default());
        check_outbox(|| Shared(Arc::clone(&outbox)));
    }
}
