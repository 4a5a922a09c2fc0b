//! What consensus asks of a transaction: form, inputs, timelocks (BIP 65, 68, 112, 113), scripts (BIP 141, 341, 342).

use super::{
    chain::{Chain, Coin},
    rejection::Rejection,
};
use bitcoin::{Amount, Transaction, TxOut, Weight, consensus::encode, relative, transaction};
use btc_staking_protocol::height::BtcHeight;
use std::collections::HashSet;

/// Confirmations a coinbase needs before it can be spent.
pub(super) const COINBASE_MATURITY: u32 = 100;

/// Lock times below this are heights (BIP 65).
const LOCKTIME_THRESHOLD: u32 = 500_000_000;

const SCRIPT_FLAGS: u32 = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;

/// Checks what can be checked without any context. Coinbases are refused: only mining makes them.
pub(super) fn check_form(tx: &Transaction) -> Result<(), Rejection> {
    let refuse = |reason: &str| Err(Rejection::rejected(reason));
    if tx.input.is_empty() {
        return refuse("bad-txns-vin-empty");
    }
    if tx.output.is_empty() {
        return refuse("bad-txns-vout-empty");
    }
    let stripped = u64::try_from(tx.base_size()).unwrap_or(u64::MAX);
    if stripped.saturating_mul(4) > Weight::MAX_BLOCK.to_wu() {
        return refuse("bad-txns-oversize");
    }
    if total(&tx.output).is_none() {
        return refuse("bad-txns-txouttotal-toolarge");
    }
    let mut seen = HashSet::new();
    if !tx.input.iter().all(|input| seen.insert(input.previous_output)) {
        return refuse("bad-txns-inputs-duplicate");
    }
    if tx.is_coinbase() {
        return refuse("coinbase");
    }
    if tx.input.iter().any(|input| input.previous_output.is_null()) {
        return refuse("bad-txns-prevout-null");
    }
    Ok(())
}

/// Checks that the absolute lock time allows the next block (BIP 113).
pub(super) fn check_final(tx: &Transaction, chain: &Chain) -> Result<(), Rejection> {
    let lock = tx.lock_time.to_consensus_u32();
    let reached =
        if lock < LOCKTIME_THRESHOLD { next_height(chain).to_u32() } else { chain.median_time_past() };
    if lock == 0 || lock < reached || tx.input.iter().all(|input| input.sequence.is_final()) {
        return Ok(());
    }
    Err(Rejection::rejected("non-final"))
}

/// Checks that every relative lock allows the next block (BIP 68). `spent` are the outputs spent, in input order.
pub(super) fn check_sequence_locks(tx: &Transaction, spent: &[Coin], chain: &Chain) -> Result<(), Rejection> {
    if tx.version.0.cast_unsigned() < transaction::Version::TWO.0.cast_unsigned() {
        return Ok(());
    }
    for (input, coin) in tx.input.iter().zip(spent) {
        let passed = match input.sequence.to_relative_lock_time() {
            None => true,
            Some(relative::LockTime::Blocks(lock)) => coin
                .height
                .checked_add(u32::from(lock.value()))
                .is_some_and(|open| open <= next_height(chain)),
            Some(relative::LockTime::Time(lock)) => {
                let since = chain.median_time_before(coin.height);
                since.saturating_add(u32::from(lock.value()) * 512) <= chain.median_time_past()
            }
        };
        if !passed {
            return Err(Rejection::rejected("non-BIP68-final"));
        }
    }
    Ok(())
}

/// Checks values and maturity; returns the fee.
pub(super) fn check_values(tx: &Transaction, spent: &[Coin], chain: &Chain) -> Result<Amount, Rejection> {
    let next = next_height(chain);
    for coin in spent.iter().filter(|coin| coin.coinbase) {
        let depth = next.to_u32().saturating_sub(coin.height.to_u32());
        if depth < COINBASE_MATURITY {
            return Err(Rejection::rejected(format!(
                "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth {depth}"
            )));
        }
    }
    let paid_in = total(spent.iter().map(|coin| &coin.output));
    let paid_out = total(&tx.output);
    match (paid_in, paid_out) {
        (Some(paid_in), Some(paid_out)) => {
            paid_in.checked_sub(paid_out).ok_or_else(|| Rejection::rejected("bad-txns-in-belowout"))
        }
        (None, _) | (_, None) => Err(Rejection::rejected("bad-txns-inputvalues-outofrange")),
    }
}

/// Runs every input's scripts through Bitcoin Core's interpreter.
pub(super) fn verify_scripts(tx: &Transaction, spent: &[Coin]) -> Result<(), Rejection> {
    let raw = encode::serialize(tx);
    let utxos: Vec<bitcoinconsensus::Utxo> = spent
        .iter()
        .map(|Coin { output, .. }| {
            Some(bitcoinconsensus::Utxo {
                script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
                script_pubkey_len: u32::try_from(output.script_pubkey.len()).ok()?,
                value: i64::try_from(output.value.to_sat()).ok()?,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| Rejection::rejected("bad-txns-inputvalues-outofrange"))?;
    for (index, Coin { output, .. }) in spent.iter().enumerate() {
        let script = output.script_pubkey.as_bytes();
        let amount = output.value.to_sat();
        bitcoinconsensus::verify_with_flags(script, amount, &raw, Some(&utxos), index, SCRIPT_FLAGS)
            .map_err(|_| {
                Rejection::rejected(format!(
                    "mandatory-script-verify-flag-failed (input {index} does not verify)"
                ))
            })?;
    }
    Ok(())
}

/// The height of the block being checked for.
pub(super) fn next_height(chain: &Chain) -> BtcHeight {
    let tip = chain.tip().height;
    tip.checked_add(1).unwrap_or(tip)
}

/// Sums outputs; `None` when one or all of them exceed what can exist.
fn total<'a>(outputs: impl IntoIterator<Item = &'a TxOut>) -> Option<Amount> {
    outputs
        .into_iter()
        .try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value))
        .filter(|sum| *sum <= Amount::MAX_MONEY)
}
