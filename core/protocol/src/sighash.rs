//! What is signed: the BIP-342 script-path sighash, and the plain check of a signature over it.
//!
//! Spec: `bitcoin.md` 3. Everything we sign uses SIGHASH_DEFAULT and commits to the previous outputs of *all* inputs;
//! the caller passes one per input, in input order.

use crate::output::Leaf;
use bitcoin::{
    TapSighash, TapSighashType, Transaction, TxOut, XOnlyPublicKey,
    hashes::Hash,
    secp256k1::{Message, SECP256K1, schnorr},
    sighash::{Prevouts, SighashCache},
};
use thiserror::Error;

/// Why there is nothing to sign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SighashError {
    /// One previous output is needed for every input.
    #[error("{given} previous outputs are given for {inputs} inputs, every input needs its own")]
    PrevoutCount {
        /// Inputs of the transaction.
        inputs: usize,
        /// Previous outputs given.
        given: usize,
    },
    /// The transaction has no such input.
    #[error("input {index} is out of range, the transaction has {inputs}")]
    InputOutOfRange {
        /// Index asked for.
        index: usize,
        /// Inputs of the transaction.
        inputs: usize,
    },
}

/// Returns the hash that a spend of input `input_index` through `leaf` signs, SIGHASH_DEFAULT.
///
/// # Errors
/// [`SighashError`] when the number of previous outputs or the input index does not fit the transaction.
pub fn leaf_sighash(
    tx: &Transaction,
    input_index: usize,
    prevouts: &[TxOut],
    leaf: &Leaf,
) -> Result<TapSighash, SighashError> {
    let inputs = tx.input.len();
    if prevouts.len() != inputs {
        return Err(SighashError::PrevoutCount { inputs, given: prevouts.len() });
    }
    if input_index >= inputs {
        return Err(SighashError::InputOutOfRange { index: input_index, inputs });
    }
    let sighash = SighashCache::new(tx).taproot_script_spend_signature_hash(
        input_index,
        &Prevouts::All(prevouts),
        leaf.hash(),
        TapSighashType::Default,
    );
    Ok(sighash.expect("input index and number of previous outputs were checked above"))
}

/// Returns the hash that the only input of `tx` signs when it spends `prevout` through `leaf`.
///
/// # Errors
/// [`SighashError::PrevoutCount`] unless `tx` has exactly one input.
pub fn single_input_sighash(
    tx: &Transaction,
    prevout: &TxOut,
    leaf: &Leaf,
) -> Result<TapSighash, SighashError> {
    leaf_sighash(tx, 0, std::slice::from_ref(prevout), leaf)
}

/// Whether `signature` is a BIP-340 signature of `key` over `sighash`.
#[must_use]
pub fn signature_is_valid(signature: &schnorr::Signature, key: &XOnlyPublicKey, sighash: TapSighash) -> bool {
    let message = Message::from_digest(sighash.to_byte_array());
    SECP256K1.verify_schnorr(signature, &message, key).is_ok()
}
