//! Chain and mempool together: everything a simulated node can be told.

use super::{
    Clock,
    chain::{Chain, Coin},
    mempool::{Acceptance, Mempool, Scripts},
    mining, policy,
    rejection::Rejection,
};
use crate::ports::{BlockRef, BurnLimit, TxPlace, UtxoView};
use bitcoin::{BlockHash, FeeRate, OutPoint, Script, Transaction, Txid};

pub(super) struct Node {
    chain: Chain,
    mempool: Mempool,
    clock: Clock,
    /// Seconds the clock was put forward.
    ahead: u32,
    blocks_mined: u64,
}

impl Node {
    pub(super) fn new(clock: Clock) -> Self {
        Self { chain: Chain::genesis(), mempool: Mempool::default(), clock, ahead: 0, blocks_mined: 0 }
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(super) fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    pub(super) fn advance_clock(&mut self, seconds: u32) {
        self.ahead = self.ahead.saturating_add(seconds);
    }

    /// Takes a transaction into the mempool. One that is there already is accepted again, as by Bitcoin Core, even
    /// with another witness. `max_feerate` is the sender's own guard.
    pub(super) fn submit(
        &mut self,
        tx: &Transaction,
        burn: BurnLimit,
        max_feerate: Option<FeeRate>,
    ) -> Result<Txid, Rejection> {
        policy::check_burn(tx, burn)?;
        let txid = tx.compute_txid();
        if self.mempool.get(&txid).is_some() {
            return Ok(txid);
        }
        let acceptance = self.check(tx)?;
        let vsize = u64::try_from(tx.vsize()).unwrap_or(u64::MAX);
        let most = max_feerate.map(|rate| rate.fee_vb(vsize).unwrap_or(bitcoin::Amount::MAX_MONEY));
        if most.is_some_and(|most| acceptance.entry.fee > most) {
            return Err(Rejection::fee_exceeded());
        }
        self.mempool.accept(acceptance);
        Ok(txid)
    }

    /// Says what would come of submitting a transaction.
    pub(super) fn check(&self, tx: &Transaction) -> Result<Acceptance, Rejection> {
        self.mempool.check(tx, &self.chain, Scripts::Verify)
    }

    /// An unspent output.
    pub(super) fn coin(&self, outpoint: &OutPoint, view: UtxoView) -> Option<Coin> {
        match view {
            UtxoView::Chain => self.chain.coin(outpoint).cloned(),
            UtxoView::ChainAndMempool if self.mempool.spender(outpoint).is_some() => None,
            UtxoView::ChainAndMempool => {
                self.chain.coin(outpoint).cloned().or_else(|| self.mempool.coin(outpoint, &self.chain))
            }
        }
    }

    pub(super) fn locate(&self, txid: &Txid) -> TxPlace {
        match self.chain.block_of(txid) {
            Some(block) => TxPlace::Confirmed(block),
            None if self.mempool.get(txid).is_some() => TxPlace::Mempool,
            None => TxPlace::Unknown,
        }
    }

    /// Mines one block on the tip with what the mempool holds.
    pub(super) fn mine(&mut self, script: &Script) -> BlockRef {
        let time = (self.clock)().saturating_add(self.ahead);
        self.blocks_mined += 1;
        let block = mining::mine(&self.chain, self.mempool.entries(), script, time, self.blocks_mined);
        let mined = self.chain.extend(block).expect("a block of accepted transactions on the tip is valid");
        self.mempool.rebuild(Vec::new(), &self.chain);
        mined
    }

    pub(super) fn invalidate(&mut self, hash: &BlockHash) -> Result<(), String> {
        let orphaned = self.chain.invalidate(hash)?;
        self.mempool.rebuild(orphaned, &self.chain);
        Ok(())
    }

    pub(super) fn reconsider(&mut self, hash: &BlockHash) -> Result<(), String> {
        let orphaned = self.chain.reconsider(hash)?;
        self.mempool.rebuild(orphaned, &self.chain);
        Ok(())
    }

    pub(super) fn evict(&mut self, txid: &Txid) -> bool {
        self.mempool.evict(txid)
    }
}
