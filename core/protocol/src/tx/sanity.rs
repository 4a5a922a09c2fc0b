//! Rules that hold for every transaction: strict parsing, context-free sanity, pre-signed shape.
//!
//! Spec: `bitcoin.md` 12; dust is [`crate::dust`]'s.

use bitcoin::{
    Amount, OutPoint, Script, Sequence, Transaction, Weight, absolute::LockTime, consensus::encode,
    transaction::Version,
};
use std::{collections::HashSet, ops::RangeInclusive};
use thiserror::Error;

/// Most bytes a serialised transaction may have: a block's weight limit, all of it witness.
pub const MAX_TX_BYTES: usize = 4_000_000;
/// Most bytes of a transaction without its witness.
pub const MAX_STRIPPED_BYTES: usize = 1_000_000;
/// Most weight of a pre-signed transaction; above it nodes do not relay.
pub const MAX_PRESIGNED_WEIGHT: Weight = Weight::from_wu(400_000);

/// What to do with bytes behind the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailingBytes {
    /// The bytes must be exactly one transaction, as it encodes again. For whatever is hashed, signed or stored.
    Refuse,
    /// Ignore them, as the chain does for messages (`bitcoin.md` 12.3).
    Ignore,
}

/// Bytes that are no transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTransaction {
    /// Larger than a block.
    #[error("transaction has {0} bytes, at most {MAX_TX_BYTES} are possible")]
    TooLarge(usize),
    /// The consensus encoding is broken.
    #[error("bytes are not a consensus-encoded transaction: {0}")]
    Encoding(String),
    /// There is something behind the transaction.
    #[error("{0} bytes follow the transaction, there must be none")]
    TrailingBytes(usize),
    /// The transaction encodes to other bytes than it was read from.
    #[error("transaction is not encoded canonically")]
    NotCanonical,
}

/// Parses a consensus-encoded transaction, segwit or legacy.
///
/// # Errors
/// [`InvalidTransaction`]; see [`TrailingBytes`] for the one choice there is.
pub fn parse_transaction(bytes: &[u8], trailing: TrailingBytes) -> Result<Transaction, InvalidTransaction> {
    if bytes.len() > MAX_TX_BYTES {
        return Err(InvalidTransaction::TooLarge(bytes.len()));
    }
    let (tx, used): (Transaction, usize) = encode::deserialize_partial(bytes)
        .map_err(|error| InvalidTransaction::Encoding(error.to_string()))?;
    // Behind a segwit marker even no inputs would decode; all of its no witnesses are empty, which is refused.
    if tx.input.is_empty() {
        return Err(InvalidTransaction::Encoding("segwit encoding without inputs".to_owned()));
    }
    match trailing {
        TrailingBytes::Ignore => Ok(tx),
        TrailingBytes::Refuse if used != bytes.len() => {
            Err(InvalidTransaction::TrailingBytes(bytes.len() - used))
        }
        TrailingBytes::Refuse if encode::serialize(&tx) != bytes => Err(InvalidTransaction::NotCanonical),
        TrailingBytes::Refuse => Ok(tx),
    }
}

/// Why a transaction can never be valid, whatever the chain looks like (`bitcoin.md` 12.1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Insane {
    /// Spends nothing.
    #[error("transaction has no inputs")]
    NoInputs,
    /// Pays nobody.
    #[error("transaction has no outputs")]
    NoOutputs,
    /// Does not fit a block.
    #[error("transaction has {0} bytes without witness, at most {MAX_STRIPPED_BYTES} are allowed")]
    TooLarge(usize),
    /// One output is worth more than all coins.
    #[error("output {index} is worth {value}, more than all coins there can be")]
    OutputValue {
        /// Index of the output.
        index: usize,
        /// Its value.
        value: Amount,
    },
    /// All outputs together are worth more than all coins.
    #[error("outputs are worth more than all coins there can be")]
    OutputSum,
    /// The same output is spent twice.
    #[error("output {0} is spent twice")]
    DuplicateInput(OutPoint),
    /// A coinbase with a wrong scriptSig.
    #[error("coinbase has a scriptSig of {0} bytes, it must have 2 to 100")]
    CoinbaseScript(usize),
    /// An ordinary transaction spends the null outpoint.
    #[error("input {0} spends the null outpoint")]
    NullInput(usize),
}

/// Checks the rules of a transaction that need no context.
///
/// # Errors
/// The first rule broken, in the order of [`Insane`].
pub fn check_sanity(tx: &Transaction) -> Result<(), Insane> {
    if tx.input.is_empty() {
        return Err(Insane::NoInputs);
    }
    if tx.output.is_empty() {
        return Err(Insane::NoOutputs);
    }
    if tx.base_size() > MAX_STRIPPED_BYTES {
        return Err(Insane::TooLarge(tx.base_size()));
    }
    check_output_values(tx)?;
    check_inputs_distinct(tx)?;
    check_null_outpoints(tx)
}

fn check_output_values(tx: &Transaction) -> Result<(), Insane> {
    let mut sum = Amount::ZERO;
    for (index, output) in tx.output.iter().enumerate() {
        if output.value > Amount::MAX_MONEY {
            return Err(Insane::OutputValue { index, value: output.value });
        }
        sum = sum.checked_add(output.value).ok_or(Insane::OutputSum)?;
        if sum > Amount::MAX_MONEY {
            return Err(Insane::OutputSum);
        }
    }
    Ok(())
}

fn check_inputs_distinct(tx: &Transaction) -> Result<(), Insane> {
    let mut seen = HashSet::with_capacity(tx.input.len());
    match tx.input.iter().find(|input| !seen.insert(input.previous_output)) {
        Some(input) => Err(Insane::DuplicateInput(input.previous_output)),
        None => Ok(()),
    }
}

fn check_null_outpoints(tx: &Transaction) -> Result<(), Insane> {
    if tx.is_coinbase() {
        let length = tx.input[0].script_sig.len();
        return if (2..=100).contains(&length) { Ok(()) } else { Err(Insane::CoinbaseScript(length)) };
    }
    match tx.input.iter().position(|input| input.previous_output.is_null()) {
        Some(index) => Err(Insane::NullInput(index)),
        None => Ok(()),
    }
}

/// The shape a pre-signed transaction must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedShape {
    /// Exact number of outputs. There is always exactly one input.
    pub outputs: usize,
    /// Versions accepted.
    pub versions: RangeInclusive<i32>,
}

/// Why a transaction cannot be pre-signed (`bitcoin.md` 12.1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotPresignable {
    /// Breaks a rule of every transaction.
    #[error("transaction is not sane")]
    Insane(#[from] Insane),
    /// Wrong number of inputs.
    #[error("transaction has {0} inputs, it must have exactly 1")]
    InputCount(usize),
    /// Wrong number of outputs.
    #[error("transaction has {found} outputs, it must have exactly {expected}")]
    OutputCount {
        /// Number found.
        found: usize,
        /// Number required.
        expected: usize,
    },
    /// An absolute lock would let it be held back.
    #[error("transaction has lock time {0}, it must be 0")]
    LockTime(LockTime),
    /// Wrong version.
    #[error("transaction has version {found}, it must be {} to {}", allowed.start(), allowed.end())]
    Version {
        /// Version found.
        found: i32,
        /// Versions allowed.
        allowed: RangeInclusive<i32>,
    },
    /// Too heavy to be relayed.
    #[error("transaction weighs {0} wu, at most {MAX_PRESIGNED_WEIGHT} are relayed")]
    Weight(Weight),
    /// A relative lock or replacement signal.
    #[error("input has sequence {0}, it must be final (0xffffffff)")]
    Sequence(Sequence),
    /// A scriptSig would change the txid later.
    #[error("input has a scriptSig of {0} bytes, it must be empty")]
    ScriptSig(usize),
}

/// Checks that a transaction can be signed ahead of time: one input, nothing that delays or changes it.
///
/// # Errors
/// The first rule broken, in the order of [`NotPresignable`].
pub fn check_presigned(tx: &Transaction, shape: &PresignedShape) -> Result<(), NotPresignable> {
    check_sanity(tx)?;
    let [input] = tx.input.as_slice() else {
        return Err(NotPresignable::InputCount(tx.input.len()));
    };
    if tx.output.len() != shape.outputs {
        return Err(NotPresignable::OutputCount { found: tx.output.len(), expected: shape.outputs });
    }
    if tx.lock_time != LockTime::ZERO {
        return Err(NotPresignable::LockTime(tx.lock_time));
    }
    let Version(version) = tx.version;
    if !shape.versions.contains(&version) {
        return Err(NotPresignable::Version { found: version, allowed: shape.versions.clone() });
    }
    if tx.weight() > MAX_PRESIGNED_WEIGHT {
        return Err(NotPresignable::Weight(tx.weight()));
    }
    if input.sequence != Sequence::MAX {
        return Err(NotPresignable::Sequence(input.sequence));
    }
    if !input.script_sig.is_empty() {
        return Err(NotPresignable::ScriptSig(input.script_sig.len()));
    }
    Ok(())
}

/// Whether a script burns what is sent to it: its first opcode is OP_RETURN.
#[must_use]
pub fn is_burn(script: &Script) -> bool {
    script.is_op_return()
}
