//! Bitcoin Core's script interpreter with taproot rules, asked about one input at a time.

use bitcoin::{Transaction, TxOut, consensus::encode::serialize};
use bitcoinconsensus::Utxo;

/// Whether Bitcoin accepts input `index`, given the outputs that all inputs spend.
pub fn is_accepted(tx: &Transaction, index: usize, prevouts: &[TxOut]) -> bool {
    is_accepted_serialised(&serialize(tx), index, prevouts)
}

pub fn is_accepted_serialised(tx: &[u8], index: usize, prevouts: &[TxOut]) -> bool {
    let spent: Vec<Utxo> = prevouts
        .iter()
        .map(|output| Utxo {
            script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: u32::try_from(output.script_pubkey.len()).unwrap(),
            value: i64::try_from(output.value.to_sat()).unwrap(),
        })
        .collect();
    let own = &prevouts[index];
    bitcoinconsensus::verify(own.script_pubkey.as_bytes(), own.value.to_sat(), tx, Some(&spent), index)
        .is_ok()
}

#[track_caller]
pub fn accepts(tx: &Transaction, index: usize, prevouts: &[TxOut]) {
    assert!(is_accepted(tx, index, prevouts), "bitcoin refuses input {index} of {tx:?}");
}

#[track_caller]
pub fn refuses(tx: &Transaction, index: usize, prevouts: &[TxOut], what: &str) {
    assert!(!is_accepted(tx, index, prevouts), "bitcoin accepts input {index} with {what}: {tx:?}");
}
