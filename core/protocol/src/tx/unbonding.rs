//! The unbonding transaction: the staking output to the unbonding output, with a fixed fee.
//!
//! Spec: `bitcoin.md` 6. It is signed by the covenant long before it is needed, so its bytes are fixed by the staking
//! output and the params: version 2, one final input, one output, lock time 0.

use super::sanity::{NotPresignable, PresignedShape, check_presigned};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
    transaction::Version,
};
use thiserror::Error;

/// Why no unbonding transaction can be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("staking value {staking_value} does not cover the unbonding fee of {fee}")]
pub struct FeeNotCovered {
    /// Value of the staking output.
    pub staking_value: Amount,
    /// Fee asked for.
    pub fee: Amount,
}

/// Builds the unbonding transaction, unsigned.
///
/// # Errors
/// [`FeeNotCovered`] when nothing would be left.
pub fn build_unbonding_tx(
    staking_outpoint: OutPoint,
    staking_value: Amount,
    unbonding_script: ScriptBuf,
    fee: Amount,
) -> Result<Transaction, FeeNotCovered> {
    let value = staking_value
        .checked_sub(fee)
        .filter(|value| *value > Amount::ZERO)
        .ok_or(FeeNotCovered { staking_value, fee })?;
    Ok(Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![presigned_input(staking_outpoint)],
        output: vec![TxOut { value, script_pubkey: unbonding_script }],
    })
}

/// The input of every pre-signed transaction: final, nothing signed yet.
pub(crate) fn presigned_input(previous_output: OutPoint) -> TxIn {
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness: Witness::new() }
}

/// Checks the shape of an unbonding transaction: one input, one output, version exactly 2, nothing that delays it.
///
/// # Errors
/// [`NotPresignable`].
pub fn check_unbonding_shape(tx: &Transaction) -> Result<(), NotPresignable> {
    check_presigned(tx, &PresignedShape { outputs: 1, versions: 2..=2 })
}
