//! The expansion transaction: an active stake and one more output into a new, at least as large stake.
//!
//! Spec: `bitcoin.md` 9.1. Input 0 spends the previous staking output through its unbonding leaf, input 1 any output of
//! the wallet. What the previous delegation must be like (active, same provider, overlapping committees) is judged where
//! delegations are known, not here.

use super::{
    sanity::{Insane, check_sanity},
    unbonding::presigned_input,
};
use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, absolute::LockTime, transaction::Version};
use thiserror::Error;

/// The staking output that is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousStake {
    /// Outpoint of its staking output.
    pub outpoint: OutPoint,
    /// Value of its staking output.
    pub value: Amount,
}

/// Builds an expansion transaction, unsigned: version 2, final inputs, the new staking output first.
pub fn build_expansion_tx(
    previous: OutPoint,
    funding: OutPoint,
    staking_output: TxOut,
    change: Option<TxOut>,
) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![presigned_input(previous), presigned_input(funding)],
        output: std::iter::once(staking_output).chain(change).collect(),
    }
}

/// Why a transaction is no expansion of a stake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpansionTxRefusal {
    /// Breaks a rule of every transaction.
    #[error("expansion transaction is not sane")]
    Insane(#[from] Insane),
    /// Wrong number of inputs.
    #[error("expansion transaction has {0} inputs, it must have exactly 2")]
    InputCount(usize),
    /// Input 0 spends something else.
    #[error("input 0 of the expansion spends {found}, it must spend the previous staking output {required}")]
    NotThePreviousStake {
        /// Outpoint it spends.
        found: OutPoint,
        /// Outpoint of the previous staking output.
        required: OutPoint,
    },
    /// Input 0 spends another transaction than the one named.
    #[error(
        "input 0 of the expansion spends {found}, it must spend an output of staking transaction {previous}"
    )]
    NotThePreviousTx {
        /// Outpoint it spends.
        found: OutPoint,
        /// The staking transaction named.
        previous: Txid,
    },
    /// Input 1 spends another transaction than the funding transaction shown.
    #[error(
        "input 1 of the expansion spends {found}, it must spend an output of funding transaction {funding}"
    )]
    NotTheFundingTx {
        /// Outpoint it spends.
        found: OutPoint,
        /// The funding transaction shown.
        funding: Txid,
    },
    /// The funding transaction has no such output.
    #[error("funding transaction has {outputs} outputs, there is no output {index}")]
    FundingIndex {
        /// Index asked for.
        index: u32,
        /// Outputs of the funding transaction.
        outputs: usize,
    },
    /// An empty output funds nothing.
    #[error("funding output has no value")]
    NoFundingValue,
    /// An expansion never makes a stake smaller.
    #[error("new stake of {new} is smaller than the previous one of {previous}")]
    Smaller {
        /// New staking value.
        new: Amount,
        /// Previous staking value.
        previous: Amount,
    },
    /// Nothing is left for the fee.
    #[error("outputs of the expansion are worth {paid}, its inputs {available}: nothing is left for a fee")]
    NoFee {
        /// Sum of the outputs.
        paid: Amount,
        /// Sum of the inputs.
        available: Amount,
    },
}

/// Checks an expansion transaction against the transaction that funds input 1 and returns the output spent by it.
///
/// # Errors
/// The first rule broken, in the order of [`ExpansionTxRefusal`].
pub fn check_expansion_tx(
    tx: &Transaction,
    previous: PreviousStake,
    funding_tx: &Transaction,
    staking_value: Amount,
) -> Result<TxOut, ExpansionTxRefusal> {
    check_sanity(tx)?;
    check_previous_input(tx, previous)?;
    let funding_output = funding_output(tx, funding_tx)?;
    check_expansion_values(tx, previous, funding_output, staking_value)?;
    Ok(funding_output.clone())
}

/// Checks an expansion transaction of which only the output spent by input 1 is known, as the chain stores it.
///
/// # Errors
/// The first rule broken, in the order of [`ExpansionTxRefusal`].
pub fn check_stored_expansion_tx(
    tx: &Transaction,
    previous: PreviousStake,
    funding_output: &TxOut,
    staking_value: Amount,
) -> Result<(), ExpansionTxRefusal> {
    check_sanity(tx)?;
    check_previous_input(tx, previous)?;
    check_expansion_values(tx, previous, funding_output, staking_value)
}

fn check_previous_input(tx: &Transaction, previous: PreviousStake) -> Result<(), ExpansionTxRefusal> {
    if tx.input.len() != 2 {
        return Err(ExpansionTxRefusal::InputCount(tx.input.len()));
    }
    let found = tx.input[0].previous_output;
    if found != previous.outpoint {
        return Err(ExpansionTxRefusal::NotThePreviousStake { found, required: previous.outpoint });
    }
    Ok(())
}

fn funding_output<'a>(
    tx: &Transaction,
    funding_tx: &'a Transaction,
) -> Result<&'a TxOut, ExpansionTxRefusal> {
    let found = tx.input[1].previous_output;
    let funding = funding_tx.compute_txid();
    if found.txid != funding {
        return Err(ExpansionTxRefusal::NotTheFundingTx { found, funding });
    }
    let (index, outputs) = (found.vout, funding_tx.output.len());
    let position = usize::try_from(index).ok();
    position
        .and_then(|position| funding_tx.output.get(position))
        .ok_or(ExpansionTxRefusal::FundingIndex { index, outputs })
}

fn check_expansion_values(
    tx: &Transaction,
    previous: PreviousStake,
    funding_output: &TxOut,
    staking_value: Amount,
) -> Result<(), ExpansionTxRefusal> {
    if funding_output.value == Amount::ZERO {
        return Err(ExpansionTxRefusal::NoFundingValue);
    }
    if staking_value < previous.value {
        return Err(ExpansionTxRefusal::Smaller { new: staking_value, previous: previous.value });
    }
    let available = previous.value.checked_add(funding_output.value).unwrap_or(Amount::MAX);
    // Sanity bounds the sum by all coins there can be.
    let paid = tx.output.iter().map(|output| output.value).sum();
    if paid >= available {
        return Err(ExpansionTxRefusal::NoFee { paid, available });
    }
    Ok(())
}
