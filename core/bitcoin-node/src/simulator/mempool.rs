//! Unconfirmed transactions: acceptance, conflicts, replacement by fee.

use super::{
    chain::{Chain, Coin},
    policy,
    rejection::Rejection,
    rules,
};
use bitcoin::{Amount, OutPoint, Transaction, Txid};
use std::collections::{HashMap, HashSet};

/// Most transactions one replacement may drop.
const MAX_REPLACED: usize = 100;

/// An unconfirmed transaction.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) tx: Transaction,
    pub(super) txid: Txid,
    pub(super) fee: Amount,
}

/// Whether a transaction's scripts have to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scripts {
    /// They have not been run.
    Verify,
    /// They were run when the transaction came first; what it spends is fixed by its bytes.
    Verified,
}

/// What a transaction would do to the mempool.
#[derive(Debug)]
pub(super) struct Acceptance {
    pub(super) entry: Entry,
    /// Transactions it replaces, with their descendants.
    replaced: HashSet<Txid>,
}

/// Unconfirmed transactions, parents before children.
#[derive(Debug, Default)]
pub(super) struct Mempool {
    entries: Vec<Entry>,
    by_txid: HashMap<Txid, Transaction>,
    spends: HashMap<OutPoint, Txid>,
}

impl Mempool {
    pub(super) fn get(&self, txid: &Txid) -> Option<&Transaction> {
        self.by_txid.get(txid)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The transaction that spends an output.
    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<&Txid> {
        self.spends.get(outpoint)
    }

    /// An output of an unconfirmed transaction, spent or not.
    pub(super) fn coin(&self, outpoint: &OutPoint, chain: &Chain) -> Option<Coin> {
        let tx = self.by_txid.get(&outpoint.txid)?;
        let output = tx.output.get(usize::try_from(outpoint.vout).ok()?)?.clone();
        Some(Coin { output, height: rules::next_height(chain), coinbase: false })
    }

    /// Checks whether a transaction would be accepted, in the order of Bitcoin Core.
    pub(super) fn check(
        &self,
        tx: &Transaction,
        chain: &Chain,
        scripts: Scripts,
    ) -> Result<Acceptance, Rejection> {
        rules::check_form(tx)?;
        policy::check_standard(tx)?;
        rules::check_final(tx, chain)?;
        let txid = tx.compute_txid();
        self.check_unknown(tx, &txid)?;
        let coins =
            find_coins(tx, |outpoint| chain.coin(outpoint).cloned().or_else(|| self.coin(outpoint, chain)))
                .map_err(
                |missing| if is_in_chain(tx, &txid, chain) { Rejection::already_in_chain() } else { missing },
            )?;
        rules::check_sequence_locks(tx, &coins, chain)?;
        let fee = rules::check_values(tx, &coins, chain)?;
        policy::check_relay_fee(tx, fee)?;
        let replaced = self.check_replacement(tx, fee)?;
        if scripts == Scripts::Verify {
            rules::verify_scripts(tx, &coins)?;
        }
        Ok(Acceptance { entry: Entry { tx: tx.clone(), txid, fee }, replaced })
    }

    /// Puts a checked transaction in. Nothing may have changed since the check.
    pub(super) fn accept(&mut self, acceptance: Acceptance) {
        let Acceptance { entry, replaced } = acceptance;
        self.remove_all(&replaced);
        for input in &entry.tx.input {
            self.spends.insert(input.previous_output, entry.txid);
        }
        self.by_txid.insert(entry.txid, entry.tx.clone());
        self.entries.push(entry);
    }

    /// Takes a transaction and its descendants out; returns whether it was there.
    pub(super) fn evict(&mut self, txid: &Txid) -> bool {
        let known = self.by_txid.contains_key(txid);
        let family = self.with_descendants(HashSet::from([*txid]));
        self.remove_all(&family);
        known
    }

    /// Starts over on a changed chain: keeps of `returned` and of what was here before all that still fits.
    pub(super) fn rebuild(&mut self, returned: Vec<Transaction>, chain: &Chain) {
        let before = std::mem::take(self);
        for tx in returned.into_iter().chain(before.entries.into_iter().map(|entry| entry.tx)) {
            if let Ok(acceptance) = self.check(&tx, chain, Scripts::Verified) {
                self.accept(acceptance);
            }
        }
    }

    fn check_unknown(&self, tx: &Transaction, txid: &Txid) -> Result<(), Rejection> {
        match self.by_txid.get(txid) {
            None => Ok(()),
            Some(known) if known == tx => Err(Rejection::rejected("txn-already-in-mempool")),
            Some(_) => Err(Rejection::rejected("txn-same-nonwitness-data-in-mempool")),
        }
    }

    /// Checks that a transaction pays enough to push its rivals out; returns those with their descendants.
    fn check_replacement(&self, tx: &Transaction, fee: Amount) -> Result<HashSet<Txid>, Rejection> {
        let rivals: HashSet<Txid> =
            tx.input.iter().filter_map(|input| self.spends.get(&input.previous_output)).copied().collect();
        if rivals.is_empty() {
            return Ok(rivals);
        }
        let dropped = self.with_descendants(rivals.clone());
        if tx.input.iter().any(|input| dropped.contains(&input.previous_output.txid)) {
            return Err(Rejection::rejected("bad-txns-spends-conflicting-tx"));
        }
        if dropped.len() > MAX_REPLACED {
            return Err(Rejection::rejected("too many potential replacements"));
        }
        let insufficient = |why: &str| {
            Err(Rejection::rejected(format!(
                "insufficient fee, rejecting replacement {}; {why}",
                tx.compute_txid()
            )))
        };
        if self.among(&rivals).any(|rival| !pays_higher_rate(tx, fee, rival)) {
            return insufficient("new feerate <= old feerate");
        }
        let dropped_fees = self.among(&dropped).map(|entry| entry.fee).sum::<Amount>();
        if fee.checked_sub(dropped_fees).is_none_or(|more| more < policy::least_fee(tx)) {
            return insufficient("not enough additional fees to relay");
        }
        Ok(dropped)
    }

    fn among<'a>(&'a self, txids: &'a HashSet<Txid>) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| txids.contains(&entry.txid))
    }

    /// Adds everything that spends the given transactions. Parents come first, so one pass is enough.
    fn with_descendants(&self, mut family: HashSet<Txid>) -> HashSet<Txid> {
        for entry in &self.entries {
            if entry.tx.input.iter().any(|input| family.contains(&input.previous_output.txid)) {
                family.insert(entry.txid);
            }
        }
        family
    }

    fn remove_all(&mut self, txids: &HashSet<Txid>) {
        if txids.is_empty() {
            return;
        }
        self.entries.retain(|entry| !txids.contains(&entry.txid));
        self.by_txid.retain(|txid, _| !txids.contains(txid));
        self.spends.retain(|_, spender| !txids.contains(spender));
    }
}

/// Looks up what a transaction spends, in input order.
pub(super) fn find_coins(
    tx: &Transaction,
    find: impl Fn(&OutPoint) -> Option<Coin>,
) -> Result<Vec<Coin>, Rejection> {
    tx.input.iter().map(|input| find(&input.previous_output).ok_or_else(Rejection::missing_inputs)).collect()
}

/// Whether an output of the transaction is unspent in the chain: the only sign a node without an index has.
fn is_in_chain(tx: &Transaction, txid: &Txid, chain: &Chain) -> bool {
    (0..).zip(&tx.output).any(|(vout, _)| chain.coin(&OutPoint { txid: *txid, vout }).is_some())
}

/// Whether a fee per virtual byte is higher than a rival's, compared without division.
fn pays_higher_rate(tx: &Transaction, fee: Amount, rival: &Entry) -> bool {
    let product = |fee: Amount, other: &Transaction| {
        u128::from(fee.to_sat()) * u128::try_from(other.vsize()).unwrap_or(u128::MAX >> 64)
    };
    product(fee, &rival.tx) > product(rival.fee, tx)
}
