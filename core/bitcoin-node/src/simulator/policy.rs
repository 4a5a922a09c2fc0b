//! What a mempool asks of a transaction beyond consensus, with Bitcoin Core's default settings.

use super::rejection::Rejection;
use crate::ports::BurnLimit;
use bitcoin::{Amount, FeeRate, Script, Transaction, TxOut};

/// Lowest feerate relayed: 1 sat/vB.
pub(super) const MIN_RELAY_FEERATE: FeeRate = FeeRate::BROADCAST_MIN;

const MAX_STANDARD_WEIGHT: u64 = 400_000;
const MIN_STANDARD_STRIPPED_SIZE: usize = 65;
const MAX_STANDARD_SCRIPT_SIG: usize = 1_650;
/// Longest OP_RETURN script, 80 bytes of data with their opcodes.
const MAX_OP_RETURN: usize = 83;
/// Longest script the interpreter runs.
const MAX_SCRIPT: usize = 10_000;

/// Checks that a transaction is standard.
pub(super) fn check_standard(tx: &Transaction) -> Result<(), Rejection> {
    let refuse = |reason: &str| Err(Rejection::rejected(reason));
    if !(1..=3).contains(&tx.version.0) {
        return refuse("version");
    }
    if tx.weight().to_wu() > MAX_STANDARD_WEIGHT {
        return refuse("tx-size");
    }
    if tx.base_size() < MIN_STANDARD_STRIPPED_SIZE {
        return refuse("tx-size-small");
    }
    for input in &tx.input {
        if input.script_sig.len() > MAX_STANDARD_SCRIPT_SIG {
            return refuse("scriptsig-size");
        }
        if !input.script_sig.is_push_only() {
            return refuse("scriptsig-not-pushonly");
        }
    }
    if !tx.output.iter().all(|output| is_standard_script(&output.script_pubkey)) {
        return refuse("scriptpubkey");
    }
    if tx.output.iter().filter(|output| output.script_pubkey.is_op_return()).count() > 1 {
        return refuse("multi-op-return");
    }
    if tx.output.iter().any(is_dust) {
        return refuse("dust");
    }
    Ok(())
}

/// Checks that no unspendable output burns more than the sender allows.
pub(super) fn check_burn(tx: &Transaction, burn: BurnLimit) -> Result<(), Rejection> {
    let burns_more = |output: &TxOut| is_unspendable(&output.script_pubkey) && output.value > burn.0;
    if tx.output.iter().any(burns_more) { Err(Rejection::burn_exceeded()) } else { Ok(()) }
}

/// Checks that the fee reaches the lowest feerate relayed.
pub(super) fn check_relay_fee(tx: &Transaction, fee: Amount) -> Result<(), Rejection> {
    let least = least_fee(tx);
    if fee < least {
        return Err(Rejection::rejected(format!(
            "min relay fee not met, {} < {}",
            fee.to_sat(),
            least.to_sat()
        )));
    }
    Ok(())
}

/// The fee at the lowest feerate relayed.
pub(super) fn least_fee(tx: &Transaction) -> Amount {
    MIN_RELAY_FEERATE.fee_vb(u64::try_from(tx.vsize()).unwrap_or(u64::MAX)).unwrap_or(Amount::MAX_MONEY)
}

/// Whether no one can ever spend an output of this script, so that it needs no place among the unspent.
pub(super) fn is_unspendable(script: &Script) -> bool {
    script.is_op_return() || script.len() > MAX_SCRIPT
}

fn is_standard_script(script: &Script) -> bool {
    script.is_p2pkh()
        || script.is_p2sh()
        || script.is_witness_program()
        || script.is_p2pk()
        || script.is_multisig()
        || (script.is_op_return() && script.len() <= MAX_OP_RETURN)
}

fn is_dust(output: &TxOut) -> bool {
    !is_unspendable(&output.script_pubkey) && output.value < output.script_pubkey.minimal_non_dust()
}
