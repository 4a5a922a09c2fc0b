//! Transactions waiting for a block: bounded in number and bytes, refundable kinds first.

use std::collections::{HashSet, VecDeque};

/// Most transactions that wait.
const MAX_TXS: usize = 5_000;
/// Most bytes that wait.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Largest transaction.
pub(crate) const MAX_TX_BYTES: usize = 1_048_576;
/// Hashes remembered, so that the same bytes are not admitted twice.
const REMEMBERED: usize = 10_000;

/// A transaction that was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) hash: [u8; 32],
    pub(crate) bytes: Vec<u8>,
    pub(crate) gas_wanted: u64,
    /// Outranks all others.
    pub(crate) priority: bool,
    /// Accounts whose sequences fix its place among their transactions.
    pub(crate) signers: Vec<String>,
}

/// Why bytes are not even looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("tx already exists in cache")]
    Known,
    #[error(
        "mempool is full: number of txs {txs} (max: {MAX_TXS}), total txs bytes {bytes} (max: {MAX_BYTES})"
    )]
    Full { txs: usize, bytes: usize },
    #[error("Tx too large. Max size is {MAX_TX_BYTES}, but got {0}")]
    TooLarge(usize),
}

/// Transactions in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Mempool {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    known: HashSet<[u8; 32]>,
    known_order: VecDeque<[u8; 32]>,
}

impl Mempool {
    /// Checks that there is room for bytes that have not been seen, and remembers them.
    pub(crate) fn reserve(&mut self, hash: [u8; 32], size: usize) -> Result<(), NotAdmitted> {
        if size > MAX_TX_BYTES {
            return Err(NotAdmitted::TooLarge(size));
        }
        if self.waiting.len() >= MAX_TXS || self.bytes.saturating_add(size) > MAX_BYTES {
            return Err(NotAdmitted::Full { txs: self.waiting.len(), bytes: self.bytes });
        }
        if !self.known.insert(hash) {
            return Err(NotAdmitted::Known);
        }
        self.known_order.push_back(hash);
        if self.known_order.len() > REMEMBERED
            && let Some(oldest) = self.known_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Ok(())
    }

    /// Forgets bytes that were refused, so that they may come again.
    pub(crate) fn forget(&mut self, hash: &[u8; 32]) {
        if self.known.remove(hash) {
            self.known_order.retain(|known| known != hash);
        }
    }

    /// Adds a transaction behind the others.
    pub(crate) fn push(&mut self, tx: Waiting) {
        self.bytes += tx.bytes.len();
        self.waiting.push_back(tx);
    }

    /// Chooses transactions for a block.
    pub(crate) fn choose(&self, max_bytes: usize, max_gas: u64) -> Vec<&Waiting> {
        choose(&self.waiting, max_bytes, max_gas)
    }

    /// Takes everything out, in order of arrival.
    pub(crate) fn drain(&mut self) -> VecDeque<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Transactions that wait, in order of arrival.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Chooses transactions for a block: refundable kinds first, otherwise by arrival, the order of each account kept.
pub(crate) fn choose<'a>(
    waiting: impl IntoIterator<Item = &'a Waiting>,
    max_bytes: usize,
    max_gas: u64,
) -> Vec<&'a Waiting> {
    let mut room = Room { bytes: max_bytes, gas: max_gas };
    let mut chosen: Vec<&Waiting> = vec![];
    let mut held: HashSet<&str> = HashSet::new();
    let mut later: Vec<&Waiting> = vec![];
    for tx in waiting {
        let free = tx.signers.iter().all(|signer| !held.contains(signer.as_str()));
        if tx.priority && free && room.take(tx) {
            chosen.push(tx);
        } else {
            held.extend(tx.signers.iter().map(String::as_str));
            later.push(tx);
        }
    }
    chosen.extend(later.into_iter().map_while(|tx| room.take(tx).then_some(tx)));
    chosen
}

struct Room {
    bytes: usize,
    gas: u64,
}

impl Room {
    fn take(&mut self, tx: &Waiting) -> bool {
        match (self.bytes.checked_sub(tx.bytes.len()), self.gas.checked_sub(tx.gas_wanted)) {
            (Some(bytes), Some(gas)) => {
                *self = Self { bytes, gas };
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tx(id: u8, priority: bool, signer: &str) -> Waiting {
        Waiting {
            hash: [id; 32],
            bytes: vec![id; 10],
            gas_wanted: 1,
            priority,
            signers: vec![signer.to_owned()],
        }
    }

    fn order(mempool: &Mempool) -> Vec<u8> {
        mempool.choose(1_000, 1_000).iter().map(|tx| tx.hash[0]).collect()
    }

    #[test]
    fn refundable_kinds_come_first_but_never_overtake_their_own_account() {
        let mut mempool = Mempool::default();
        for waiting in
            [tx(1, false, "a"), tx(2, true, "b"), tx(3, true, "a"), tx(4, false, "b"), tx(5, true, "c")]
        {
            mempool.push(waiting);
        }
        assert_eq!(order(&mempool), [2, 5, 1, 3, 4]);
    }

    #[test]
    fn a_block_takes_no_more_bytes_and_gas_than_it_may() {
        let mut mempool = Mempool::default();
        (1..=5).for_each(|id| mempool.push(tx(id, false, "a")));
        assert_eq!(mempool.choose(25, 1_000).len(), 2);
        assert_eq!(mempool.choose(1_000, 3).len(), 3);
    }

    #[test]
    fn the_same_bytes_are_admitted_once_until_forgotten() {
        let mut mempool = Mempool::default();
        assert_eq!(mempool.reserve([1; 32], 10), Ok(()));
        assert_eq!(mempool.reserve([1; 32], 10), Err(NotAdmitted::Known));
        mempool.forget(&[1; 32]);
        assert_eq!(mempool.reserve([1; 32], 10), Ok(()));
        assert_eq!(mempool.reserve([2; 32], MAX_TX_BYTES + 1), Err(NotAdmitted::TooLarge(MAX_TX_BYTES + 1)));
    }
}
