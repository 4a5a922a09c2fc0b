//! What has landed and was not told yet.
//!
//! Shared by the worker, which lands transactions, and by callers, who are told. A caller may be gone by the time its
//! transaction lands: it was told "unknown", it gave up waiting, or it belonged to the program before a restart. Then the
//! messages of that transaction are orphans, and whoever submits an identical message is told the orphan's outcome in
//! place of sending it once more. Each orphan is told once.

use crate::proto::Any;
use btc_staking_pos_chain::outbox::{Outbox, TxHash};
use btc_staking_protocol::height::PosHeight;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One call of `submit`.
pub(super) type RequestId = u64;

/// What makes two messages the same: type and content.
pub(super) type Digest = [u8; 32];

/// A message and who waits for its outcome, if anybody does.
pub(super) type Owned = (Option<RequestId>, Digest);

/// Digest of a message.
pub(super) fn digest(any: &Any) -> Digest {
    let mut hasher = Sha256::new();
    // Types hold no zero byte, so the separation is unambiguous.
    hasher.update(any.type_url.as_bytes());
    hasher.update([0]);
    hasher.update(&any.value);
    hasher.finalize().into()
}

/// Most transactions with untold messages; the oldest is forgotten beyond. Whoever was to be told of that one reads the
/// chain.
const MOST_UNTOLD: usize = 1_000;
/// Blocks for which orphans are kept, about a day. Whoever sends the same message later means it anew.
const KEPT_BLOCKS: u64 = 10_000;

/// See the module.
pub(super) struct Ledger {
    outbox: Arc<dyn Outbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: RequestId,
    waiting: BTreeSet<RequestId>,
    landed: BTreeMap<TxHash, Landed>,
}

impl State {
    /// Transactions that are not kept any longer when the chain is at `tip`.
    fn outdated(&self, tip: PosHeight) -> Vec<TxHash> {
        let is_old = |landed: &Landed| {
            landed.height.to_u64().saturating_add(KEPT_BLOCKS) < tip.to_u64()
                && landed.untold.iter().all(|untold| untold.owner.is_none())
        };
        let old = self.landed.iter().filter(|(_, landed)| is_old(landed)).map(|(hash, _)| *hash);
        let mut outdated: Vec<_> = old.collect();
        if outdated.is_empty() && self.landed.len() > MOST_UNTOLD {
            let by_height = self.landed.iter().min_by_key(|(_, landed)| landed.height);
            outdated.extend(by_height.map(|(hash, _)| *hash));
        }
        outdated
    }
}

struct Landed {
    height: PosHeight,
    untold: Vec<Untold>,
}

struct Untold {
    digest: Digest,
    /// Who will be told; nobody for an orphan.
    owner: Option<RequestId>,
}

impl Ledger {
    pub(super) fn new(outbox: Arc<dyn Outbox>) -> Arc<Self> {
        Arc::new(Self { outbox, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change leaves the state half done, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a request; it waits for its outcomes until the guard is told or dropped.
    pub(super) fn open(self: &Arc<Self>) -> Waiting {
        let mut state = self.lock();
        let request = state.next;
        state.next = state.next.wrapping_add(1);
        state.waiting.insert(request);
        Waiting { ledger: Arc::clone(self), request }
    }

    /// Notes a transaction that is in a block with all its messages executed.
    pub(super) fn land(&self, hash: TxHash, height: PosHeight, messages: impl IntoIterator<Item = Owned>) {
        let mut state = self.lock();
        let owner = |owner: Option<RequestId>| owner.filter(|request| state.waiting.contains(request));
        let untold: Vec<_> =
            messages.into_iter().map(|(request, digest)| Untold { digest, owner: owner(request) }).collect();
        state.landed.insert(hash, Landed { height, untold });
        let outdated = state.outdated(height);
        for hash in &outdated {
            state.landed.remove(hash);
        }
        self.forget(&outdated);
    }

    /// Whether anything landed for nobody.
    pub(super) fn has_orphans(&self) -> bool {
        let state = self.lock();
        state.landed.values().flat_map(|landed| &landed.untold).any(|untold| untold.owner.is_none())
    }

    /// What lands for this request from now on is an orphan; what landed before is told yet.
    pub(super) fn close(&self, request: RequestId) {
        self.lock().waiting.remove(&request);
    }

    /// Gives an orphan with this digest to a request.
    pub(super) fn claim(&self, digest: &Digest, request: RequestId) -> Option<(TxHash, PosHeight)> {
        let mut state = self.lock();
        state.landed.iter_mut().find_map(|(hash, landed)| {
            let orphan = |untold: &&mut Untold| untold.owner.is_none() && untold.digest == *digest;
            let untold = landed.untold.iter_mut().find(orphan)?;
            untold.owner = Some(request);
            Some((*hash, landed.height))
        })
    }

    /// Removes what `request` was told, and transactions of which everything is told.
    fn tell(&self, request: RequestId) {
        let mut state = self.lock();
        for landed in state.landed.values_mut() {
            landed.untold.retain(|untold| untold.owner != Some(request));
        }
        let told: Vec<_> = state
            .landed
            .iter()
            .filter(|(_, landed)| landed.untold.is_empty())
            .map(|(hash, _)| *hash)
            .collect();
        for hash in &told {
            state.landed.remove(hash);
        }
        self.forget(&told);
    }

    fn orphan(&self, request: RequestId) {
        let mut state = self.lock();
        state.waiting.remove(&request);
        let untold = state.landed.values_mut().flat_map(|landed| &mut landed.untold);
        for untold in untold.filter(|untold| untold.owner == Some(request)) {
            untold.owner = None;
        }
    }

    /// Removes entries of transactions that are over. A failure is not the caller's: it costs a look at the chain after
    /// the next start.
    pub(super) fn forget(&self, hashes: &[TxHash]) {
        if hashes.is_empty() {
            return;
        }
        if let Err(error) = self.outbox.forget(hashes) {
            tracing::warn!(%error, "transactions that are over stay recorded");
        }
    }
}

/// A request that waits for outcomes. Dropping it makes orphans of what lands for it.
pub(super) struct Waiting {
    ledger: Arc<Ledger>,
    /// The request.
    pub(super) request: RequestId,
}

impl Waiting {
    /// The outcomes are about to reach the caller: nothing is awaited between this and returning them.
    pub(super) fn tell(self) {
        self.ledger.tell(self.request);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ledger.orphan(self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_pos_chain::outbox::{MemoryOutbox, OutboxEntry};

    fn ledger() -> (Arc<MemoryOutbox>, Arc<Ledger>) {
        let outbox = Arc::new(MemoryOutbox::default());
        (Arc::clone(&outbox), Ledger::new(outbox))
    }

    fn record(outbox: &MemoryOutbox, hash: TxHash) {
        let last_height = PosHeight::new(9);
        outbox.record(&OutboxEntry { hash, sequence: 1, last_height, tx: vec![1], included: None }).unwrap();
    }

    fn left(outbox: &MemoryOutbox) -> usize {
        outbox.entries().unwrap().len()
    }

    #[test]
    fn a_transaction_is_forgotten_when_all_its_messages_are_told() {
        let (outbox, ledger) = ledger();
        record(&outbox, [1; 32]);
        let (one, two) = (ledger.open(), ledger.open());
        let messages = [(Some(one.request), [7; 32]), (Some(two.request), [8; 32])];
        ledger.land([1; 32], PosHeight::new(5), messages);
        one.tell();
        assert_eq!(left(&outbox), 1);
        two.tell();
        assert_eq!(left(&outbox), 0);
    }

    #[test]
    fn who_waits_is_told_and_nobody_else() {
        let (_, ledger) = ledger();
        let (one, two) = (ledger.open(), ledger.open());
        ledger.land([1; 32], PosHeight::new(5), [(Some(one.request), [7; 32])]);
        assert_eq!(ledger.claim(&[7; 32], two.request), None);
    }

    #[test]
    fn an_orphan_is_told_once_to_whoever_sends_the_same() {
        for gone_before_landing in [true, false] {
            let (outbox, ledger) = ledger();
            record(&outbox, [1; 32]);
            let gone = ledger.open();
            let request = gone.request;
            let mut gone = Some(gone);
            if gone_before_landing {
                gone = None;
            }
            ledger.land([1; 32], PosHeight::new(5), [(Some(request), [7; 32])]);
            drop(gone);
            let (one, two) = (ledger.open(), ledger.open());
            assert_eq!(ledger.claim(&[9; 32], one.request), None);
            assert_eq!(ledger.claim(&[7; 32], one.request), Some(([1; 32], PosHeight::new(5))));
            assert_eq!(ledger.claim(&[7; 32], two.request), None);
            one.tell();
            assert_eq!(left(&outbox), 0);
        }
    }

    #[test]
    fn what_lands_after_a_caller_was_told_unknown_is_an_orphan_even_before_it_hears_that() {
        let (_, ledger) = ledger();
        let waiting = ledger.open();
        let request = waiting.request;
        ledger.land([1; 32], PosHeight::new(5), [(Some(request), [7; 32])]);
        ledger.close(request);
        ledger.land([2; 32], PosHeight::new(6), [(Some(request), [8; 32])]);
        waiting.tell();
        let again = ledger.open();
        assert_eq!(ledger.claim(&[7; 32], again.request), None);
        assert_eq!(ledger.claim(&[8; 32], again.request), Some(([2; 32], PosHeight::new(6))));
    }

    #[test]
    fn a_claim_that_did_not_reach_its_caller_is_an_orphan_again() {
        let (_, ledger) = ledger();
        ledger.land([1; 32], PosHeight::new(5), [(None, [7; 32])]);
        let one = ledger.open();
        assert!(ledger.claim(&[7; 32], one.request).is_some());
        drop(one);
        assert!(ledger.claim(&[7; 32], ledger.open().request).is_some());
    }

    #[test]
    fn orphans_are_kept_for_a_day_and_what_somebody_waits_for_longer() {
        let (outbox, ledger) = ledger();
        let waiting = ledger.open();
        for number in [1, 2] {
            record(&outbox, [number; 32]);
        }
        ledger.land([1; 32], PosHeight::new(5), [(None, [7; 32])]);
        ledger.land([2; 32], PosHeight::new(5), [(Some(waiting.request), [8; 32])]);
        ledger.land([3; 32], PosHeight::new(5 + KEPT_BLOCKS), [(None, [9; 32])]);
        assert_eq!(left(&outbox), 2);
        ledger.land([4; 32], PosHeight::new(6 + KEPT_BLOCKS), [(None, [9; 32])]);
        assert_eq!(outbox.entries().unwrap()[0].hash, [2; 32]);
        assert_eq!(left(&outbox), 1);
    }

    #[test]
    fn untold_transactions_are_bounded_and_the_oldest_goes_first() {
        let (outbox, ledger) = ledger();
        for number in 0..=MOST_UNTOLD {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
            record(&outbox, hash);
            ledger.land(hash, PosHeight::new(u64::try_from(number).unwrap()), [(None, hash)]);
        }
        assert_eq!(left(&outbox), MOST_UNTOLD);
        assert_eq!(ledger.claim(&[0; 32], 9), None);
    }
}
