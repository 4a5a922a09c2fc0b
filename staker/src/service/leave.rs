//! Leaving: the unbonding transaction, and the three kinds of withdrawal.
//!
//! Both need Bitcoin, the key and our records, and nothing else: the staking chain may be gone. What can be withdrawn is
//! decided by blocks of Bitcoin, never by what a chain calls expired. Every transaction is recorded with its witness
//! before it is broadcast, and sent again, the very same one, when asked for again. A withdrawal to another address takes
//! the place of an earlier one of the same outputs: it pays enough to push it out, and the earlier one is forgotten.

use super::{CannotStake, Service, ServiceError};
use crate::{
    amount::display_feerate,
    keys::Keys,
    machine::Machine,
    position::{Position, Withdrawable},
    stake::Step,
    wallet::NextAddress,
};
use bitcoin::{Address, Amount, FeeRate, OutPoint, Script, ScriptBuf, Transaction, Txid};
use btc_staking_bitcoin_node::{BroadcastOutcome, BroadcastRefusal, BurnLimit, UtxoView};
use btc_staking_protocol::{
    delegation::CovenantSignatures,
    height::BtcHeight,
    tx::withdrawal::{CannotWithdraw, MAX_WITHDRAWAL_INPUTS, WithdrawalKind, build_withdrawal},
    witness::AssemblyError,
};
use std::collections::HashSet;
use thiserror::Error;

/// Why a stake cannot be unbonded.
#[derive(Debug, Error)]
pub enum CannotUnbond {
    /// Chains or records failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Nothing is on Bitcoin yet that could be unbonded.
    #[error("the stake is not on bitcoin yet; `staker abandon` gives it up while it is not signed")]
    NotStaked,
    /// Its staking transaction is broadcast but in no block yet.
    #[error("the staking transaction is in no block yet, unbond it once it is")]
    NotConfirmed,
    /// The coins are elsewhere already.
    #[error("the stake's coins have left the staking output already")]
    Gone(Position),
    /// The witness cannot be assembled.
    #[error("the unbonding transaction cannot be completed")]
    Assemble(#[from] AssemblyError),
    /// The node refuses.
    #[error("the bitcoin node refuses the unbonding transaction: {}", .0.text)]
    Refused(BroadcastRefusal),
}

/// An unbonding on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbonding {
    /// The stake.
    pub staking_txid: Txid,
    /// The unbonding transaction.
    pub unbonding_txid: Txid,
}

/// What a holder asks to take back.
#[derive(Debug, Clone)]
pub struct WithdrawalOrder {
    /// The stakes; all that have something to withdraw when absent.
    pub stakes: Option<Vec<Txid>>,
    /// Where the coins go; an address of the wallet when absent.
    pub destination: Option<Address>,
    /// Feerate; the node's estimate when absent.
    pub feerate: Option<FeeRate>,
    /// Largest fee.
    pub max_fee: Amount,
}

/// Why nothing is taken back.
#[derive(Debug, Error)]
pub enum CannotTakeBack {
    /// Chains or records failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The feerate is not known.
    #[error("choosing a feerate")]
    FeeRate(#[source] CannotStake),
    /// A timelock has not passed.
    #[error("{} of stake {staking_txid} can be withdrawn from bitcoin height {from_tip} on, {blocks_left} blocks from now", describe(*.kind))]
    NotYet {
        /// The stake.
        staking_txid: Txid,
        /// What waits.
        kind: WithdrawalKind,
        /// Height of the tip from which on nodes take the withdrawal.
        from_tip: BtcHeight,
        /// Blocks until then.
        blocks_left: u32,
    },
    /// Nothing of the stake is on Bitcoin.
    #[error("stake {0} has nothing on bitcoin that could be withdrawn")]
    Nothing(Txid),
    /// It came back already.
    #[error("stake {staking_txid} was withdrawn by transaction {txid}")]
    Already {
        /// The stake.
        staking_txid: Txid,
        /// The withdrawal.
        txid: Txid,
    },
    /// No stake has anything to withdraw.
    #[error("no stake has anything to withdraw")]
    NothingAtAll,
    /// A spend of the output is in the mempool already, and it is not one we know.
    #[error("output {0} is being spent by a transaction in the mempool, wait for it to confirm")]
    BeingSpent(OutPoint),
    /// The transaction cannot be built.
    #[error("the withdrawal cannot be built")]
    Build(#[from] CannotWithdraw),
    /// The fee is above what the holder allows.
    #[error("the fee would be {fee}, above the {max} allowed (--max-fee)")]
    FeeAbove {
        /// Fee at the feerate.
        fee: Amount,
        /// Largest fee allowed.
        max: Amount,
    },
    /// An earlier withdrawal of the same outputs is under way, and this one would not push it out.
    #[error(
        "withdrawal {earlier} of the same outputs is under way, only one of {} sat/vB or more (--fee-rate) takes its place",
        display_feerate(*least)
    )]
    TooCheapToReplace {
        /// The earlier withdrawal.
        earlier: Txid,
        /// Least feerate that takes its place.
        least: FeeRate,
    },
    /// It cannot be signed.
    #[error("the withdrawal cannot be signed")]
    Sign(#[from] AssemblyError),
    /// The node refuses.
    #[error("the bitcoin node refuses the withdrawal: {}", .0.text)]
    Refused(BroadcastRefusal),
}

/// A withdrawal on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// The transaction.
    pub txid: Txid,
    /// What arrives.
    pub amount: Amount,
    /// What it costs.
    pub fee: Amount,
    /// Where it goes; absent when the script has no address.
    pub destination: Option<Address>,
    /// What it takes back.
    pub inputs: Vec<WithdrawnInput>,
}

/// One output taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawnInput {
    /// The stake it belongs to.
    pub staking_txid: Txid,
    /// Which of the three kinds.
    pub kind: WithdrawalKind,
    /// The output.
    pub outpoint: OutPoint,
    /// Its value.
    pub amount: Amount,
}

fn describe(kind: WithdrawalKind) -> &'static str {
    match kind {
        WithdrawalKind::ExpiredStake => "the staking output",
        WithdrawalKind::UnbondingOutput => "the unbonding output",
        WithdrawalKind::SlashingRefund => "the slashing refund",
    }
}

impl Service {
    /// Completes the unbonding transaction of a stake with exactly a quorum, records it and broadcasts it. Asked again,
    /// it broadcasts the recorded one again.
    ///
    /// # Errors
    /// [`CannotUnbond`].
    pub async fn unbond(&mut self, staking_txid: &Txid, keys: &Keys) -> Result<Unbonding, CannotUnbond> {
        self.check_keys(keys)?;
        self.sync().await?;
        let position = self.position(self.stake(staking_txid)?);
        self.check_leavable(staking_txid, position)?;
        let machine = self.stake(staking_txid)?;
        let unbonding_txid = machine.checked().unbonding_outpoint().txid;
        let answer = Unbonding { staking_txid: *staking_txid, unbonding_txid };
        if let Position::Unbonding { .. } = position {
            return Ok(answer);
        }
        let tx = match machine.stake().unbonding.clone() {
            Some(tx) => tx,
            None => self.sign_unbonding(staking_txid, keys)?,
        };
        match self.bitcoin.broadcast(&tx, BurnLimit::NONE).await.map_err(ServiceError::Node)? {
            BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => Ok(answer),
            BroadcastOutcome::Refused(refusal) => Err(CannotUnbond::Refused(refusal)),
        }
    }

    fn check_leavable(&self, staking_txid: &Txid, position: Position) -> Result<(), CannotUnbond> {
        match position {
            Position::Staked { .. } | Position::Unbonding { .. } => Ok(()),
            Position::Absent => match self.stake(staking_txid)?.stake().step {
                Step::Signed { .. } => Err(CannotUnbond::NotConfirmed),
                Step::Planned | Step::Registered | Step::Verified { .. } | Step::Ended(_) => {
                    Err(CannotUnbond::NotStaked)
                }
            },
            Position::Slashed { .. } | Position::Withdrawn { .. } | Position::Elsewhere { .. } => {
                Err(CannotUnbond::Gone(position))
            }
        }
    }

    fn sign_unbonding(&mut self, staking_txid: &Txid, keys: &Keys) -> Result<Transaction, CannotUnbond> {
        let aux = self.fresh_entropy()?;
        let machine = self.stake(staking_txid)?;
        let (stake, checked) = (machine.stake(), machine.checked());
        let unbonding = stake.covenant().unwrap_or_default().to_vec();
        let covenant = CovenantSignatures { unbonding, ..CovenantSignatures::default() };
        let signature = keys.staker().sign(checked.sighashes().unbonding, &aux);
        let tx = checked.assemble_unbonding(&covenant, &signature)?;
        self.records.record_unbonding(staking_txid, &tx).map_err(ServiceError::Records)?;
        self.machine_mut(staking_txid)?.note_unbonding(tx.clone());
        Ok(tx)
    }

    /// Takes back what can be taken back, in one transaction: records it, broadcasts it. Asked again before it
    /// confirms, it broadcasts the recorded one again, unless another destination or a feerate is ordered: then a new
    /// one takes its place, which pays enough for that.
    ///
    /// # Errors
    /// [`CannotTakeBack`].
    pub async fn withdraw(
        &mut self,
        order: WithdrawalOrder,
        keys: &Keys,
    ) -> Result<Withdrawn, CannotTakeBack> {
        self.check_keys(keys)?;
        let tip = self.sync().await?.height;
        let ready = match &order.stakes {
            Some(txids) => self.require_ready(txids, tip)?,
            None => self.keep_unspent(self.list_ready(tip)?).await?,
        };
        let earlier = self.find_earlier(&ready)?;
        if let Some(earlier) = earlier.as_ref().filter(|earlier| is_same_order(&order, earlier)) {
            let outcome =
                self.bitcoin.broadcast(earlier, BurnLimit::NONE).await.map_err(ServiceError::Node)?;
            if !matches!(outcome, BroadcastOutcome::Refused(_)) {
                return Ok(self.describe_withdrawal(earlier, &ready));
            }
            // It does not fit any more, for instance because its fee is too low by now: make a new one.
        }
        if earlier.is_none() {
            self.check_unspent(&ready).await?;
        }
        let mut feerate = self.fetch_feerate(order.feerate).await.map_err(CannotTakeBack::FeeRate)?;
        let destination = self.choose_destination(order.destination, earlier.as_ref());
        if let Some(earlier) = &earlier {
            let least =
                least_replacing_feerate(earlier, self.describe_withdrawal(earlier, &ready).fee, &destination);
            if order.feerate.is_some_and(|asked| asked < least) {
                return Err(CannotTakeBack::TooCheapToReplace { earlier: earlier.compute_txid(), least });
            }
            feerate = feerate.max(least);
        }
        let inputs = ready.iter().map(|(_, withdrawable)| withdrawable.input.clone()).collect();
        let withdrawal = build_withdrawal(inputs, destination, feerate)?;
        let (fee, max) = (withdrawal.fee(), order.max_fee);
        if fee > max {
            return Err(CannotTakeBack::FeeAbove { fee, max });
        }
        let tx = withdrawal.sign(&keys.staker(), &self.fresh_entropy()?)?;
        let changes = self.wallet.take_changes();
        self.records.record_withdrawal(&tx, changes).map_err(ServiceError::Records)?;
        let outcome = self.bitcoin.broadcast(&tx, BurnLimit::NONE).await.map_err(ServiceError::Node)?;
        if let BroadcastOutcome::Refused(refusal) = outcome {
            return Err(CannotTakeBack::Refused(refusal));
        }
        self.note_if_taken(&tx, &outcome)?;
        Ok(self.describe_withdrawal(&tx, &ready))
    }

    /// The address asked for; else where an earlier withdrawal of the same outputs went; else one of the wallet.
    fn choose_destination(&mut self, asked: Option<Address>, earlier: Option<&Transaction>) -> ScriptBuf {
        let before = earlier.and_then(|tx| tx.output.first()).map(|output| output.script_pubkey.clone());
        match (asked, before) {
            (Some(address), _) => address.script_pubkey(),
            (None, Some(script)) => script,
            (None, None) => self.wallet.address(NextAddress::Unused).script_pubkey(),
        }
    }

    /// Leaves out what a transaction in the mempool spends already, unless that is everything.
    async fn keep_unspent(
        &self,
        ready: Vec<(Txid, Withdrawable)>,
    ) -> Result<Vec<(Txid, Withdrawable)>, ServiceError> {
        let mut unspent = Vec::new();
        for found in &ready {
            let outpoint = found.1.input.outpoint();
            if self.bitcoin.fetch_unspent(&outpoint, UtxoView::ChainAndMempool).await?.is_some() {
                unspent.push(found.clone());
            }
        }
        Ok(if unspent.is_empty() { ready } else { unspent })
    }

    /// Broadcasts again what was signed and is in no block: unbonding transactions and withdrawals. A node that refuses
    /// one is not an error here; the command that made it says why when it is run again.
    ///
    /// # Errors
    /// [`ServiceError`] when blocks or records cannot be read.
    pub async fn send_again(&mut self) -> Result<(), ServiceError> {
        self.sync().await?;
        for tx in self.list_unconfirmed()? {
            if let BroadcastOutcome::Refused(refusal) = self.bitcoin.broadcast(&tx, BurnLimit::NONE).await? {
                let txid = tx.compute_txid();
                tracing::warn!(%txid, reason = refusal.text, "the bitcoin node does not take a transaction");
            }
        }
        Ok(())
    }

    /// Unbonding transactions and withdrawals that were signed and whose inputs are unspent in blocks.
    fn list_unconfirmed(&self) -> Result<Vec<Transaction>, ServiceError> {
        let is_staked = |machine: &&Machine| matches!(self.position(machine), Position::Staked { .. });
        let leaving = self.machines.values().filter(is_staked);
        let unbonding = leaving.filter_map(|machine| machine.stake().unbonding.clone());
        let waiting: HashSet<OutPoint> = self
            .machines
            .values()
            .filter_map(|machine| self.position(machine).withdrawable(machine.checked()))
            .map(|found| found.input.outpoint())
            .collect();
        let is_waiting =
            |tx: &Transaction| tx.input.iter().all(|input| waiting.contains(&input.previous_output));
        let withdrawals = self.records.withdrawals()?.into_iter().filter(is_waiting);
        Ok(unbonding.chain(withdrawals).collect())
    }

    fn require_ready(
        &self,
        txids: &[Txid],
        tip: BtcHeight,
    ) -> Result<Vec<(Txid, Withdrawable)>, CannotTakeBack> {
        let mut ready = Vec::new();
        for txid in txids {
            let machine = self.stake(txid)?;
            let position = self.position(machine);
            let Some(found) = position.withdrawable(machine.checked()) else {
                return Err(match position.withdrawal_txid() {
                    Some(by) => CannotTakeBack::Already { staking_txid: *txid, txid: by },
                    None => CannotTakeBack::Nothing(*txid),
                });
            };
            match found.blocks_left(tip) {
                0 => ready.push((*txid, found)),
                _ => return Err(not_yet(*txid, &found, tip)),
            }
        }
        Ok(ready)
    }

    /// Everything whose timelock has passed; what waits decides the error when there is nothing.
    fn list_ready(&self, tip: BtcHeight) -> Result<Vec<(Txid, Withdrawable)>, CannotTakeBack> {
        let found = self.machines.iter().filter_map(|(txid, machine)| {
            Some((*txid, self.position(machine).withdrawable(machine.checked())?))
        });
        let (mut ready, waiting): (Vec<_>, Vec<_>) =
            found.partition(|(_, found)| found.blocks_left(tip) == 0);
        if ready.is_empty() {
            let next = waiting.iter().min_by_key(|(_, found)| found.blocks_left(tip));
            return Err(next.map_or(CannotTakeBack::NothingAtAll, |(txid, found)| not_yet(*txid, found, tip)));
        }
        ready.truncate(MAX_WITHDRAWAL_INPUTS);
        Ok(ready)
    }

    /// A recorded withdrawal of exactly these outputs.
    fn find_earlier(&self, ready: &[(Txid, Withdrawable)]) -> Result<Option<Transaction>, ServiceError> {
        let mut wanted: Vec<_> = ready.iter().map(|(_, found)| found.input.outpoint()).collect();
        wanted.sort_unstable();
        Ok(self.records.withdrawals()?.into_iter().find(|tx| {
            let mut spent: Vec<_> = tx.input.iter().map(|input| input.previous_output).collect();
            spent.sort_unstable();
            spent == wanted
        }))
    }

    async fn check_unspent(&self, ready: &[(Txid, Withdrawable)]) -> Result<(), CannotTakeBack> {
        for (_, found) in ready {
            let outpoint = found.input.outpoint();
            let unspent = self.bitcoin.fetch_unspent(&outpoint, UtxoView::ChainAndMempool).await;
            if unspent.map_err(ServiceError::Node)?.is_none() {
                return Err(CannotTakeBack::BeingSpent(outpoint));
            }
        }
        Ok(())
    }

    fn describe_withdrawal(&self, tx: &Transaction, ready: &[(Txid, Withdrawable)]) -> Withdrawn {
        let inputs: Vec<_> = ready
            .iter()
            .map(|(staking_txid, found)| WithdrawnInput {
                staking_txid: *staking_txid,
                kind: found.input.kind(),
                outpoint: found.input.outpoint(),
                amount: found.input.prevout().value,
            })
            .collect();
        let available: Amount = inputs.iter().map(|input| input.amount).sum();
        let amount: Amount = tx.output.iter().map(|output| output.value).sum();
        let script = tx.output.first().map(|output| &output.script_pubkey);
        Withdrawn {
            txid: tx.compute_txid(),
            amount,
            fee: available.checked_sub(amount).unwrap_or(Amount::ZERO),
            destination: script.and_then(|script| Address::from_script(script, self.identity.network).ok()),
            inputs,
        }
    }
}

/// Whether an order asks for nothing else than what an earlier withdrawal of the same outputs does.
fn is_same_order(order: &WithdrawalOrder, earlier: &Transaction) -> bool {
    let pays = |address: &Address| {
        earlier.output.iter().any(|output| output.script_pubkey == address.script_pubkey())
    };
    order.feerate.is_none() && order.destination.as_ref().is_none_or(pays)
}

/// Least feerate at which a withdrawal of the same outputs to another script takes the place of an earlier one: nodes
/// want a higher feerate, and the earlier fee plus 1 sat for each vbyte of the new one (BIP 125, rules 3, 4 and 6).
fn least_replacing_feerate(earlier: &Transaction, fee: Amount, destination: &Script) -> FeeRate {
    /// 1 sat/vB.
    const INCREMENT: u64 = 250;
    let paid = earlier.output.first().map_or(0, |output| output.script_pubkey.len());
    // The two differ in nothing but the script paid. The smaller size gives the higher feerate.
    let smaller = earlier.vsize().saturating_sub(paid.saturating_sub(destination.len())).max(1);
    let weight = u64::try_from(smaller).unwrap_or(u64::MAX).saturating_mul(4);
    let per_kwu = fee.to_sat().saturating_mul(1_000).div_ceil(weight);
    FeeRate::from_sat_per_kwu(per_kwu.saturating_add(INCREMENT))
}

fn not_yet(staking_txid: Txid, found: &Withdrawable, tip: BtcHeight) -> CannotTakeBack {
    CannotTakeBack::NotYet {
        staking_txid,
        kind: found.input.kind(),
        from_tip: found.from_tip(),
        blocks_left: found.blocks_left(tip),
    }
}
