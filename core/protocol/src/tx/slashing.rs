//! Slashing transactions: the slashed share to the network's slashing script, the rest back to the staker, locked.
//!
//! Spec: `bitcoin.md` 7. Two per delegation, one over the staking output and one over output 0 of the unbonding
//! transaction; format and rules are the same. Building and checking share the amount of
//! [`SlashingRate::amount_of`](crate::rate::SlashingRate::amount_of). The check is the chain's: it bounds what is
//! slashed and paid as fee from below only, since a staker may harm nobody but himself.

use super::{
    sanity::{Insane, NotPresignable, PresignedShape, check_presigned, check_sanity, is_burn},
    unbonding::presigned_input,
};
use crate::{dust::is_dust, output::SlashingRefundOutput, params::ParamsFields, rate::SlashingRate};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut, absolute::LockTime, transaction::Version};
use thiserror::Error;

/// What the params say about slashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlashingRules<'a> {
    /// Script that receives the slashed share.
    pub script: &'a ScriptBuf,
    /// The share.
    pub rate: SlashingRate,
    /// Least fee.
    pub min_fee: Amount,
}

impl<'a> From<&'a ParamsFields> for SlashingRules<'a> {
    fn from(params: &'a ParamsFields) -> Self {
        Self { script: &params.slashing_script, rate: params.slashing_rate, min_fee: params.min_slashing_fee }
    }
}

/// Version of a slashing transaction. Both are accepted everywhere; builders in the field differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlashingTxVersion {
    /// What the chain's own library emits.
    #[default]
    One,
    /// What the web wallet library emits.
    Two,
}

/// Why no slashing transaction can be built. Nothing may be locked then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotSlash {
    /// The funding output is not taproot.
    #[error("funding output is not a taproot output")]
    NotTaproot,
    /// The funding output is empty.
    #[error("funding output has no value")]
    NoValue,
    /// The params lack the script.
    #[error("slashing script is empty")]
    NoScript,
    /// The share rounds to nothing.
    #[error("insufficient slashing amount: {rate} of {funding} is nothing")]
    NothingToSlash {
        /// Value of the funding output.
        funding: Amount,
        /// The share.
        rate: SlashingRate,
    },
    /// Nothing would be left for the staker.
    #[error("insufficient change: {funding} less {slashed} slashed and {fee} fee leaves nothing")]
    NoChange {
        /// Value of the funding output.
        funding: Amount,
        /// What is slashed.
        slashed: Amount,
        /// The fee.
        fee: Amount,
    },
    /// An output too small to be relayed.
    #[error("output {index} of {value} is dust")]
    Dust {
        /// Index of the output.
        index: usize,
        /// Its value.
        value: Amount,
    },
}

/// Builds the slashing transaction over `funding`, unsigned, with the least fee the params allow.
///
/// # Errors
/// [`CannotSlash`] when the funding output cannot be slashed at these params.
pub fn build_slashing_tx(
    outpoint: OutPoint,
    funding: &TxOut,
    refund: &SlashingRefundOutput,
    rules: SlashingRules<'_>,
    version: SlashingTxVersion,
) -> Result<Transaction, CannotSlash> {
    if !funding.script_pubkey.is_p2tr() {
        return Err(CannotSlash::NotTaproot);
    }
    if funding.value == Amount::ZERO {
        return Err(CannotSlash::NoValue);
    }
    if rules.script.is_empty() {
        return Err(CannotSlash::NoScript);
    }
    let output = slashing_outputs(funding.value, refund, rules)?;
    Ok(Transaction {
        version: match version {
            SlashingTxVersion::One => Version::ONE,
            SlashingTxVersion::Two => Version::TWO,
        },
        lock_time: LockTime::ZERO,
        input: vec![presigned_input(outpoint)],
        output,
    })
}

fn slashing_outputs(
    funding: Amount,
    refund: &SlashingRefundOutput,
    rules: SlashingRules<'_>,
) -> Result<Vec<TxOut>, CannotSlash> {
    let slashed = rules.rate.amount_of(funding);
    if slashed == Amount::ZERO {
        return Err(CannotSlash::NothingToSlash { funding, rate: rules.rate });
    }
    let fee = rules.min_fee;
    let change = funding
        .checked_sub(slashed)
        .and_then(|rest| rest.checked_sub(fee))
        .filter(|change| *change > Amount::ZERO)
        .ok_or(CannotSlash::NoChange { funding, slashed, fee })?;
    let outputs = vec![
        TxOut { value: slashed, script_pubkey: rules.script.clone() },
        TxOut { value: change, script_pubkey: refund.script_pubkey() },
    ];
    match relay_dust(&outputs) {
        Some((index, value)) => Err(CannotSlash::Dust { index, value }),
        None => Ok(outputs),
    }
}

/// Finds an output that is dust and does not burn.
fn relay_dust(outputs: &[TxOut]) -> Option<(usize, Amount)> {
    let found = |(_, output): &(usize, &TxOut)| {
        !is_burn(&output.script_pubkey) && is_dust(output.value, &output.script_pubkey)
    };
    outputs.iter().enumerate().find(found).map(|(index, output)| (index, output.value))
}

/// Why a slashing transaction does not fit its funding output (`bitcoin.md` 7.4).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SlashingTxRefusal {
    /// The funding transaction breaks a rule of every transaction.
    #[error("funding transaction is not sane")]
    Funding(#[source] Insane),
    /// The params demand no fee.
    #[error("least slashing fee is zero, it must be positive")]
    NoMinFee,
    /// The funding transaction has no such output.
    #[error("funding transaction has {outputs} outputs, there is no output {index}")]
    FundingIndex {
        /// Index asked for.
        index: u32,
        /// Outputs of the funding transaction.
        outputs: usize,
    },
    /// Wrong shape.
    #[error("slashing transaction cannot be pre-signed")]
    Shape(#[from] NotPresignable),
    /// Slashes too little.
    #[error("slashing transaction slashes {found}, it must slash at least {required}")]
    TooLittle {
        /// Value of output 0.
        found: Amount,
        /// Least value.
        required: Amount,
    },
    /// Slashes to somewhere else.
    #[error("slashing transaction pays script {found:x}, the slashing script is {required:x}")]
    WrongScript {
        /// Script of output 0.
        found: ScriptBuf,
        /// The network's slashing script.
        required: ScriptBuf,
    },
    /// The change is not the staker's locked refund.
    #[error("change of the slashing transaction pays script {found:x}, the locked refund is {required:x}")]
    WrongRefund {
        /// Script of output 1.
        found: ScriptBuf,
        /// Script of the refund output.
        required: ScriptBuf,
    },
    /// An output too small to be relayed.
    #[error("output {index} of the slashing transaction is dust at {value}")]
    Dust {
        /// Index of the output.
        index: usize,
        /// Its value.
        value: Amount,
    },
    /// Nothing is slashed, or there is nothing to slash.
    #[error("slashed amount {slashed} and funding value {funding} must both be positive")]
    NoValue {
        /// Value of output 0.
        slashed: Amount,
        /// Value of the funding output.
        funding: Amount,
    },
    /// Pays out more than there is, or pays too small a fee.
    #[error("slashing transaction pays {paid} out of {funding}, a fee of at least {min_fee} must remain")]
    FeeTooLow {
        /// Sum of the outputs.
        paid: Amount,
        /// Value of the funding output.
        funding: Amount,
        /// Least fee.
        min_fee: Amount,
    },
    /// Spends another output.
    #[error("slashing transaction spends {found}, it must spend {required}")]
    WrongInput {
        /// Outpoint it spends.
        found: OutPoint,
        /// Outpoint of the funding output.
        required: OutPoint,
    },
}

/// Checks that `tx` slashes output `funding_index` of `funding_tx` by the rules.
///
/// # Errors
/// The first rule broken, in the order of `bitcoin.md` 7.4.
pub fn check_slashing_tx(
    tx: &Transaction,
    funding_tx: &Transaction,
    funding_index: u32,
    refund: &SlashingRefundOutput,
    rules: SlashingRules<'_>,
) -> Result<(), SlashingTxRefusal> {
    check_sanity(funding_tx).map_err(SlashingTxRefusal::Funding)?;
    if rules.min_fee == Amount::ZERO {
        return Err(SlashingTxRefusal::NoMinFee);
    }
    let funding = funding_output(funding_tx, funding_index)?;
    check_presigned(tx, &PresignedShape { outputs: 2, versions: 1..=2 })?;
    check_slashed_amount(tx, funding.value, rules)?;
    check_scripts(tx, refund, rules)?;
    if let Some((index, value)) = relay_dust(&tx.output) {
        return Err(SlashingTxRefusal::Dust { index, value });
    }
    check_values(tx, funding.value, rules)?;
    check_input(tx, OutPoint::new(funding_tx.compute_txid(), funding_index))
}

fn funding_output(funding_tx: &Transaction, index: u32) -> Result<&TxOut, SlashingTxRefusal> {
    let outputs = funding_tx.output.len();
    let position = usize::try_from(index).ok();
    position
        .and_then(|position| funding_tx.output.get(position))
        .ok_or(SlashingTxRefusal::FundingIndex { index, outputs })
}

fn check_slashed_amount(
    tx: &Transaction,
    funding: Amount,
    rules: SlashingRules<'_>,
) -> Result<(), SlashingTxRefusal> {
    let (found, required) = (tx.output[0].value, rules.rate.amount_of(funding));
    if found < required {
        return Err(SlashingTxRefusal::TooLittle { found, required });
    }
    Ok(())
}

fn check_scripts(
    tx: &Transaction,
    refund: &SlashingRefundOutput,
    rules: SlashingRules<'_>,
) -> Result<(), SlashingTxRefusal> {
    let [slashed, change] = [0, 1].map(|index| tx.output[index].script_pubkey.clone());
    if slashed != *rules.script {
        return Err(SlashingTxRefusal::WrongScript { found: slashed, required: rules.script.clone() });
    }
    if change != refund.script_pubkey() {
        return Err(SlashingTxRefusal::WrongRefund { found: change, required: refund.script_pubkey() });
    }
    Ok(())
}

fn check_values(
    tx: &Transaction,
    funding: Amount,
    rules: SlashingRules<'_>,
) -> Result<(), SlashingTxRefusal> {
    let slashed = tx.output[0].value;
    if slashed == Amount::ZERO || funding == Amount::ZERO {
        return Err(SlashingTxRefusal::NoValue { slashed, funding });
    }
    let paid = slashed.checked_add(tx.output[1].value).unwrap_or(Amount::MAX);
    // The least fee is positive, checked first, so paying out everything or more falls below it too.
    let fee = funding.checked_sub(paid).unwrap_or(Amount::ZERO);
    if fee < rules.min_fee {
        return Err(SlashingTxRefusal::FeeTooLow { paid, funding, min_fee: rules.min_fee });
    }
    Ok(())
}

fn check_input(tx: &Transaction, required: OutPoint) -> Result<(), SlashingTxRefusal> {
    let found = tx.input[0].previous_output;
    if found != required {
        return Err(SlashingTxRefusal::WrongInput { found, required });
    }
    Ok(())
}
