//! The node without its tasks: application, mempool and ledger, and how a block comes about.
//!
//! Lock order: application, then mempool. A failure of storage, or a halt that the rules demand, is kept; from then on no
//! block is made and nothing is admitted, while reads go on. A halt is recorded before it is announced and holds after a
//! restart too: the block that led to it is not kept, so the state alone would not show it.

use super::{
    assemble::{self, Validator},
    clock::Clock,
    index::{self, Kind, Place, Wanted},
    ledger::{self, BlockRecord},
    mempool::{Mempool, NotAdmitted, Waiting},
};
use crate::{
    app::{App, BlockInput, BlockTime, Checked, Purpose, QueryInput, QueryOutput, tx_hash},
    error::Broken,
    genesis::Genesis,
    state::Backend,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{broadcast, watch};

/// Blocks that a slow subscriber may fall behind.
const EVENT_BACKLOG: usize = 256;
/// Blocks must be at least this far apart in time.
const TIME_STEP_NANOS: i64 = 1_000_000;

/// What all doors and tasks of one node share.
pub(crate) struct Core {
    pub(crate) genesis: Genesis,
    pub(crate) validator: Validator,
    app: RwLock<App>,
    mempool: Mutex<Mempool>,
    clock: Arc<dyn Clock>,
    committed: broadcast::Sender<u64>,
    halted: watch::Sender<Option<Broken>>,
}

/// Why a transaction was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    #[error("node has stopped: {0}")]
    Broken(#[from] Broken),
}

impl Core {
    /// Opens the node's state. A chain that halted stays halted.
    pub(crate) fn open(
        backend: Box<dyn Backend>,
        genesis: Genesis,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Broken> {
        let app = App::open(backend, &genesis)?;
        let halted = ledger::halt(app.backend())?.map(Broken::Halt);
        Ok(Self {
            validator: Validator::of_chain(&genesis.chain_id)?,
            genesis,
            app: RwLock::new(app),
            mempool: Mutex::default(),
            clock,
            committed: broadcast::channel(EVENT_BACKLOG).0,
            halted: watch::channel(halted).0,
        })
    }

    // A poisoned lock means a panic elsewhere; what the lock guards is replaced as a whole or not at all.
    fn app(&self) -> RwLockReadGuard<'_, App> {
        self.app.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn app_mut(&self) -> RwLockWriteGuard<'_, App> {
        self.app.write().unwrap_or_else(PoisonError::into_inner)
    }
    fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Height of the last committed block; 0 before the first.
    pub(crate) fn height(&self) -> u64 {
        self.app().height().to_u64()
    }
    /// Hash of the state after the last committed block.
    pub(crate) fn app_hash(&self) -> [u8; 32] {
        self.app().app_hash()
    }
    /// Hears the height of every block from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<u64> {
        self.committed.subscribe()
    }
    /// Why the node stopped, once it has.
    pub(crate) fn halted(&self) -> watch::Receiver<Option<Broken>> {
        self.halted.subscribe()
    }

    /// Keeps the first reason to stop and hands the failure on.
    fn stop_on<T>(&self, result: Result<T, Broken>) -> Result<T, Broken> {
        if let Err(broken) = &result {
            self.halted.send_if_modified(|halted| {
                let first = halted.is_none();
                halted.get_or_insert_with(|| broken.clone());
                first
            });
        }
        result
    }

    fn check_running(&self) -> Result<(), Broken> {
        self.halted.borrow().clone().map_or(Ok(()), Err)
    }

    /// A block with its results.
    pub(crate) fn block(&self, height: u64) -> Result<Option<BlockRecord>, Broken> {
        ledger::block(self.app().backend(), height)
    }
    /// Where a transaction is.
    pub(crate) fn place(&self, hash: &[u8]) -> Result<Option<ledger::TxPlace>, Broken> {
        ledger::place(self.app().backend(), hash)
    }
    /// Height of the block with a hash.
    pub(crate) fn height_of(&self, hash: &[u8]) -> Result<Option<u64>, Broken> {
        ledger::height_of(self.app().backend(), hash)
    }
    /// Where events have a key, in order.
    pub(crate) fn find(
        &self,
        kind: Kind,
        key: &str,
        wanted: Wanted<'_>,
        heights: (u64, u64),
    ) -> Result<BTreeSet<Place>, Broken> {
        index::find(self.app().backend(), kind, key, wanted, heights)
    }
    /// Every record of the event index up to a height, for tests of what a killed node left.
    #[cfg(test)]
    pub(crate) fn indexed_events(&self, up_to: u64) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        index::all(self.app().backend(), up_to).unwrap()
    }
    /// Answers a query.
    pub(crate) fn query(&self, input: QueryInput<'_>) -> Result<QueryOutput, Broken> {
        self.app().query(input)
    }
    /// Looks at transactions that wait: their number, their bytes, and the first `limit` of them.
    pub(crate) fn waiting(&self, limit: usize) -> (usize, usize, Vec<Vec<u8>>) {
        let mempool = self.mempool();
        let first = mempool.iter().take(limit).map(|tx| tx.bytes.clone()).collect();
        (mempool.len(), mempool.bytes(), first)
    }

    /// Checks a transaction as for the mempool and keeps nothing.
    pub(crate) fn look_at(&self, bytes: &[u8]) -> Result<Checked, Broken> {
        self.app().look_at(bytes)
    }

    /// Takes a transaction over if it passes its checks.
    pub(crate) fn take_over(&self, bytes: Vec<u8>) -> Result<Checked, NotTaken> {
        self.check_running()?;
        let hash = tx_hash(&bytes);
        self.mempool().reserve(hash, bytes.len())?;
        let mut app = self.app_mut();
        let checked = self.stop_on(app.check_tx(&bytes, Purpose::Check))?;
        let mut mempool = self.mempool();
        if checked.result.code == 0 {
            mempool.push(waiting(hash, bytes, &checked));
        } else {
            mempool.forget(&hash);
        }
        Ok(checked)
    }

    /// Makes, executes and commits the next block.
    pub(crate) fn produce_block(&self) -> Result<u64, Broken> {
        self.check_running()?;
        let height = self.stop_on(self.make_block().map_err(|broken| self.record_halt(broken)))?;
        // Nobody listening is fine.
        let _ = self.committed.send(height);
        Ok(height)
    }

    fn record_halt(&self, broken: Broken) -> Broken {
        let Broken::Halt(reason) = &broken else { return broken };
        match self.app_mut().keep(&ledger::halt_writes(reason)) {
            Ok(()) => broken,
            Err(err) => Broken::Halt(format!("{reason}; and that could not be recorded: {err}")),
        }
    }

    fn make_block(&self) -> Result<u64, Broken> {
        let (executed, record, hash) = {
            let app = self.app();
            let height = app.height().next();
            // The chain's single validator signed every block but the one before the first.
            let validators = usize::from(height.to_u64() > 1);
            let input = BlockInput { height, time: self.next_time(&app), txs: self.choose(), validators };
            let previous = ledger::block(app.backend(), app.height().to_u64())?;
            let block = self.validator.build_block(&input, app.app_hash(), previous.as_ref())?;
            let mut executed = app.finalize_block(&input)?;
            let results = std::mem::take(&mut executed.results);
            let events = std::mem::take(&mut executed.events);
            let record = BlockRecord::new(
                &block.header,
                &block.commit,
                input.txs,
                results,
                events,
                executed.app_hash,
            )?;
            (executed, record, block.commit.block_id.hash)
        };
        let height = executed.height.to_u64();
        let mut app = self.app_mut();
        app.commit(executed, &ledger::writes(height, &hash, &record))?;
        self.recheck(&mut app, &record)?;
        Ok(height)
    }

    fn choose(&self) -> Vec<Vec<u8>> {
        let max_bytes = usize::try_from(assemble::MAX_BLOCK_BYTES).unwrap_or(usize::MAX);
        let max_gas = u64::try_from(assemble::MAX_BLOCK_GAS).unwrap_or(u64::MAX);
        self.mempool().choose(max_bytes, max_gas).into_iter().map(|tx| tx.bytes.clone()).collect()
    }

    /// The clock's time, but always after the last block's.
    fn next_time(&self, app: &App) -> BlockTime {
        let (seconds, nanos) = self.clock.now();
        let now = BlockTime { seconds, nanos };
        now.max(app.time().plus_nanos(TIME_STEP_NANOS))
    }

    /// Drops what is in the block and looks again at the rest.
    fn recheck(&self, app: &mut App, record: &BlockRecord) -> Result<(), Broken> {
        let included: std::collections::HashMap<[u8; 32], u32> =
            record.txs.iter().map(|tx| tx_hash(tx)).zip(record.results.iter().map(|r| r.code)).collect();
        let mut mempool = self.mempool();
        for tx in mempool.drain() {
            match included.get(&tx.hash) {
                Some(0) => {}
                Some(_) => mempool.forget(&tx.hash),
                None => {
                    let checked = app.check_tx(&tx.bytes, Purpose::Recheck)?;
                    if checked.result.code == 0 {
                        mempool.push(tx);
                    } else {
                        mempool.forget(&tx.hash);
                    }
                }
            }
        }
        Ok(())
    }
}

fn waiting(hash: [u8; 32], bytes: Vec<u8>, checked: &Checked) -> Waiting {
    Waiting {
        hash,
        bytes,
        gas_wanted: checked.result.gas_wanted,
        priority: checked.priority,
        signers: checked.signers.clone(),
    }
}
