//! The staking transaction: where its staking output is.
//!
//! Spec: `bitcoin.md` 5. A wallet builds it; what counts is that **exactly one** output has the expected script and
//! the expected value. A second one would be ambiguous and is refused, as is a coinbase, which no inclusion proof can
//! prove.

use super::sanity::{Insane, check_sanity};
use bitcoin::{Amount, OutPoint, Script, Transaction};
use thiserror::Error;

/// Why a transaction is no staking transaction for an expected output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StakingTxRefusal {
    /// Breaks a rule of every transaction.
    #[error("staking transaction is not sane")]
    Insane(#[from] Insane),
    /// A coinbase cannot be proven to be included.
    #[error("staking transaction is a coinbase")]
    Coinbase,
    /// No output matches.
    #[error("staking transaction does not contain the expected staking output of {expected}")]
    NoStakingOutput {
        /// Value looked for.
        expected: Amount,
    },
    /// Two outputs match.
    #[error("staking transaction contains the staking output twice, as outputs {first} and {second}")]
    Ambiguous {
        /// Index of the first match.
        first: u32,
        /// Index of the second match.
        second: u32,
    },
}

/// Checks a staking transaction and returns the outpoint of its staking output.
///
/// # Errors
/// [`StakingTxRefusal`].
pub fn check_staking_tx(
    tx: &Transaction,
    script_pubkey: &Script,
    value: Amount,
) -> Result<OutPoint, StakingTxRefusal> {
    check_staking_form(tx)?;
    let index = find_staking_output(tx, script_pubkey, value)?;
    Ok(OutPoint::new(tx.compute_txid(), index))
}

/// Checks what a staking transaction must be like whatever it locks: sane, and no coinbase.
///
/// # Errors
/// [`StakingTxRefusal::Insane`] or [`StakingTxRefusal::Coinbase`].
pub fn check_staking_form(tx: &Transaction) -> Result<(), StakingTxRefusal> {
    check_sanity(tx)?;
    if tx.is_coinbase() {
        return Err(StakingTxRefusal::Coinbase);
    }
    Ok(())
}

/// Returns the index of the only output with this script and value.
///
/// # Errors
/// [`StakingTxRefusal::NoStakingOutput`] or [`StakingTxRefusal::Ambiguous`].
pub fn find_staking_output(
    tx: &Transaction,
    script_pubkey: &Script,
    value: Amount,
) -> Result<u32, StakingTxRefusal> {
    let mut matches = (0u32..)
        .zip(&tx.output)
        .filter(|(_, output)| output.value == value && output.script_pubkey.as_script() == script_pubkey)
        .map(|(index, _)| index);
    let first = matches.next().ok_or(StakingTxRefusal::NoStakingOutput { expected: value })?;
    match matches.next() {
        None => Ok(first),
        Some(second) => Err(StakingTxRefusal::Ambiguous { first, second }),
    }
}
