//! Withdrawals: an output whose timelock has passed back to its owner, at an exact feerate.
//!
//! Spec: `bitcoin.md` 8. Three kinds, one construction: each input goes through the timelock leaf of its output, with
//! the lock itself as its sequence. The fee is the feerate times the size the signed transaction will have; sizes are
//! predicted from the leaf that is really spent, never from a model. Several inputs may share one transaction.
//!
//! Refuses to sign for another staker, to pay dust, and to pay an address of another network.

use crate::{
    dust::{is_dust, smallest_non_dust},
    height::Timelock,
    keys::StakerPublicKey,
    output::{Leaf, SlashingRefundOutput, StakingOutput, UnbondingOutput},
    secret::StakerSecret,
    sighash::leaf_sighash,
    witness::{AssemblyError, LeafSpend, assemble_timelock_witness, predicted_timelock_witness},
};
use bitcoin::{
    Address, Amount, FeeRate, Network, OutPoint, ScriptBuf, TapSighash, Transaction, TxIn, TxOut, Weight,
    absolute::LockTime, address::NetworkUnchecked, secp256k1::schnorr, transaction::Version,
};
use thiserror::Error;

/// Most inputs of one withdrawal; keeps the transaction within what nodes relay.
pub const MAX_WITHDRAWAL_INPUTS: usize = 500;

/// Which of the three withdrawals an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WithdrawalKind {
    /// Of a staking output after the staking time.
    ExpiredStake,
    /// Of an unbonding output after the unbonding time.
    UnbondingOutput,
    /// Of the change of a slashing after the unbonding time.
    SlashingRefund,
}

/// One output to withdraw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawalInput {
    kind: WithdrawalKind,
    outpoint: OutPoint,
    prevout: TxOut,
    staker: StakerPublicKey,
    leaf: Leaf,
    timelock: Timelock,
}

impl WithdrawalInput {
    /// Withdraws the staking output at `outpoint`.
    pub fn expired_stake(output: &StakingOutput, outpoint: OutPoint, value: Amount) -> Self {
        Self {
            kind: WithdrawalKind::ExpiredStake,
            outpoint,
            prevout: TxOut { value, script_pubkey: output.script_pubkey() },
            staker: *output.keys().staker(),
            leaf: output.timelock_leaf().clone(),
            timelock: output.timelock(),
        }
    }
    /// Withdraws the unbonding output at `outpoint`.
    pub fn unbonding_output(output: &UnbondingOutput, outpoint: OutPoint, value: Amount) -> Self {
        Self {
            kind: WithdrawalKind::UnbondingOutput,
            outpoint,
            prevout: TxOut { value, script_pubkey: output.script_pubkey() },
            staker: *output.keys().staker(),
            leaf: output.timelock_leaf().clone(),
            timelock: output.timelock(),
        }
    }
    /// Withdraws the change of a slashing at `outpoint`.
    pub fn slashing_refund(output: &SlashingRefundOutput, outpoint: OutPoint, value: Amount) -> Self {
        Self {
            kind: WithdrawalKind::SlashingRefund,
            outpoint,
            prevout: TxOut { value, script_pubkey: output.script_pubkey() },
            staker: *output.staker(),
            leaf: output.timelock_leaf().clone(),
            timelock: output.timelock(),
        }
    }
    /// Which withdrawal this is.
    pub const fn kind(&self) -> WithdrawalKind {
        self.kind
    }
    /// The output withdrawn.
    pub const fn outpoint(&self) -> OutPoint {
        self.outpoint
    }
    /// Its value and script.
    pub const fn prevout(&self) -> &TxOut {
        &self.prevout
    }
    /// Blocks that must pass after the output confirmed.
    pub const fn timelock(&self) -> Timelock {
        self.timelock
    }
    /// Whose signature it needs.
    pub const fn staker(&self) -> &StakerPublicKey {
        &self.staker
    }
}

/// Why nothing can be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CannotWithdraw {
    /// Nothing was named.
    #[error("no output to withdraw is given")]
    NoInputs,
    /// More than one transaction can carry.
    #[error("{0} outputs are given, at most {MAX_WITHDRAWAL_INPUTS} fit one withdrawal")]
    TooManyInputs(usize),
    /// The same output twice.
    #[error("output {0} is given twice")]
    DuplicateInput(OutPoint),
    /// The inputs are worth more than all coins: their values cannot be true.
    #[error("outputs to withdraw are worth more than all coins there can be")]
    InputSum,
    /// The feerate is beyond all measure.
    #[error("feerate {0} sat/kwu is too large")]
    FeeRate(u64),
    /// After the fee too little is left to be relayed.
    #[error("{available} less a fee of {fee} leaves dust, at least {least} must be left")]
    Dust {
        /// Sum of the inputs.
        available: Amount,
        /// Fee at the feerate asked for.
        fee: Amount,
        /// Least value of the output.
        least: Amount,
    },
    /// The destination can never be spent from.
    #[error("destination script can never be spent from")]
    UnspendableDestination,
}

/// A withdrawal ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    tx: Transaction,
    inputs: Vec<WithdrawalInput>,
    fee: Amount,
}

/// Builds a withdrawal of `inputs` to one output, with the fee of `feerate` rounded up.
///
/// # Errors
/// [`CannotWithdraw`].
pub fn build_withdrawal(
    inputs: Vec<WithdrawalInput>,
    destination: ScriptBuf,
    feerate: FeeRate,
) -> Result<Withdrawal, CannotWithdraw> {
    let available = check_inputs(&inputs)?;
    if is_dust(Amount::MAX_MONEY, &destination) {
        return Err(CannotWithdraw::UnspendableDestination);
    }
    let least = smallest_non_dust(&destination);
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(unsigned_input).collect(),
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: destination }],
    };
    let fee = predicted_fee(&tx, &inputs, feerate)?;
    let left = available.checked_sub(fee).filter(|left| *left >= least);
    tx.output[0].value = left.ok_or(CannotWithdraw::Dust { available, fee, least })?;
    Ok(Withdrawal { tx, inputs, fee })
}

fn check_inputs(inputs: &[WithdrawalInput]) -> Result<Amount, CannotWithdraw> {
    if inputs.is_empty() {
        return Err(CannotWithdraw::NoInputs);
    }
    if inputs.len() > MAX_WITHDRAWAL_INPUTS {
        return Err(CannotWithdraw::TooManyInputs(inputs.len()));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = inputs.iter().find(|input| !seen.insert(input.outpoint)) {
        return Err(CannotWithdraw::DuplicateInput(twice.outpoint));
    }
    inputs
        .iter()
        .try_fold(Amount::ZERO, |sum, input| sum.checked_add(input.prevout.value))
        .filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or(CannotWithdraw::InputSum)
}

fn unsigned_input(input: &WithdrawalInput) -> TxIn {
    TxIn { previous_output: input.outpoint, sequence: input.timelock.to_sequence(), ..TxIn::default() }
}

fn predicted_fee(
    unsigned: &Transaction,
    inputs: &[WithdrawalInput],
    feerate: FeeRate,
) -> Result<Amount, CannotWithdraw> {
    let mut filled = unsigned.clone();
    for (txin, input) in filled.input.iter_mut().zip(inputs) {
        txin.witness = predicted_timelock_witness(&input.leaf);
    }
    let size = Weight::from_vb(u64::try_from(filled.vsize()).unwrap_or(u64::MAX)).unwrap_or(Weight::MAX);
    feerate.checked_mul_by_weight(size).ok_or(CannotWithdraw::FeeRate(feerate.to_sat_per_kwu()))
}

impl Withdrawal {
    /// The transaction without signatures. Its sequences carry the timelocks.
    pub const fn unsigned_tx(&self) -> &Transaction {
        &self.tx
    }
    /// What is withdrawn, in input order.
    pub fn inputs(&self) -> &[WithdrawalInput] {
        &self.inputs
    }
    /// The fee it pays.
    pub const fn fee(&self) -> Amount {
        self.fee
    }
    /// What arrives.
    pub fn amount(&self) -> Amount {
        self.tx.output[0].value
    }
    /// The outputs spent, in input order.
    pub fn prevouts(&self) -> Vec<TxOut> {
        self.inputs.iter().map(|input| input.prevout.clone()).collect()
    }
    /// The hashes the staker signs, in input order.
    pub fn sighashes(&self) -> Vec<TapSighash> {
        let prevouts = self.prevouts();
        let sighash = |(index, input): (usize, &WithdrawalInput)| {
            leaf_sighash(&self.tx, index, &prevouts, &input.leaf)
                .expect("one prevout per input, by construction")
        };
        self.inputs.iter().enumerate().map(sighash).collect()
    }
    /// Signs every input with the staker's key and returns the finished transaction.
    ///
    /// # Errors
    /// [`AssemblyError::StakerSignature`] when an input belongs to another staker.
    pub fn sign(self, secret: &StakerSecret, aux: &[u8; 32]) -> Result<Transaction, AssemblyError> {
        let signatures: Vec<_> = self.sighashes().iter().map(|sighash| secret.sign(*sighash, aux)).collect();
        self.assemble(&signatures)
    }
    /// Places signatures made elsewhere, in input order, and returns the finished transaction.
    ///
    /// # Errors
    /// [`AssemblyError`] when one is missing or not the staker's.
    pub fn assemble(mut self, signatures: &[schnorr::Signature]) -> Result<Transaction, AssemblyError> {
        if signatures.len() != self.inputs.len() {
            return Err(AssemblyError::SignatureCount {
                found: signatures.len(),
                required: self.inputs.len(),
            });
        }
        let prevouts = self.prevouts();
        for (index, (input, signature)) in self.inputs.iter().zip(signatures).enumerate() {
            let spend = LeafSpend::new(&self.tx, index, &prevouts, &input.leaf)?;
            let witness = assemble_timelock_witness(&spend, &input.staker, signature)?;
            self.tx.input[index].witness = witness;
        }
        Ok(self.tx)
    }
}

/// Why a text is no destination.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDestination {
    /// Not an address of any network.
    #[error("{0:?} is not a bitcoin address")]
    NotAnAddress(String),
    /// An address of another network: coins sent there are lost.
    #[error("{address} is not an address of {network}")]
    ForeignNetwork {
        /// The address.
        address: String,
        /// The network in use.
        network: Network,
    },
}

/// Parses an address of `network`.
///
/// # Errors
/// [`InvalidDestination`].
pub fn parse_destination(text: &str, network: Network) -> Result<Address, InvalidDestination> {
    let address: Address<NetworkUnchecked> =
        text.parse().map_err(|_| InvalidDestination::NotAnAddress(text.to_owned()))?;
    address
        .require_network(network)
        .map_err(|_| InvalidDestination::ForeignNetwork { address: text.to_owned(), network })
}
