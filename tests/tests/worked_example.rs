//! The worked example from end to end, through public functions only: two votes at one height give a key away, the key
//! opens three covenant signatures, and Bitcoin accepts the slashing (`bitcoin.md` 15, `crypto.md` 3.7, 5.4 and 6.5).
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use bitcoin::{Transaction, TxOut, Txid, consensus::encode::serialize};
use btc_staking_protocol::delegation::SlashedOutput;
use btc_staking_tests::example;

const EXTRACTED: &str = "221153b3ba16b72c16406a5f0bd92c7f20306eea5508e728c5473c463a6a3125";
const CANONICAL_VOTE: &str = "5b14c08e638e6ff6a39a4b3acf6f099d5cd641fd53b0a4b6d0da705ec56cff06";
const FORK_VOTE: &str = "dad68929e04c2ea603a956f067bf0b9fc7cec531593b3cec181eca6532f5f08a";
/// Decrypted signatures of members 0 and 1 on the slashing transaction.
const SIGNED_BY_0: &str = "5d52089b2fef51b84bea50e4572b462de02cb652fcb7e6e8ec5cc92ce1c2278f7ae0a6f98a539ecdf3775e568762ed6e3c64550b91aa2bcdd3cebddea897444e";
const SIGNED_BY_1: &str = "3bd2b387a673e80195bca4c33cdc14ab656e8903dc6a416fabf1e58934642ef707427359b204ee107b912ec2e708d7bd0dcba872531493efe55e0a28d3eba76f";

fn bitcoin_accepts(tx: &Transaction, spent: &TxOut) -> bool {
    let script = spent.script_pubkey.as_bytes();
    let utxo = bitcoinconsensus::Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).unwrap(),
        value: i64::try_from(spent.value.to_sat()).unwrap(),
    };
    let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let raw = serialize(tx);
    bitcoinconsensus::verify_with_flags(script, spent.value.to_sat(), &raw, Some(&[utxo]), 0, flags).is_ok()
}
fn txid(text: &str) -> Txid {
    text.parse().unwrap()
}

#[test]
fn transactions_of_the_example_have_the_ids_of_the_specification() {
    let checked = example::checked();
    let terms = checked.terms();
    assert_eq!(
        checked.staking_txid(),
        txid("3bc2f0760e49285a120f4207c74c547838dede9e078dcae4b5581ab5870cb22a")
    );
    assert_eq!(
        terms.unbonding_tx.compute_txid(),
        txid("ad49652c664b630bfe051379cdfb40379d878123e220d091c357563796d78a5d")
    );
    for (tx, id) in [
        (&terms.slashing_tx, "40aa1e132c8887acff38b962f7ef91e4616ca6403ace475b5e5a463f921a3f83"),
        (&terms.unbonding_slashing_tx, "4c87d16969849eb10bcbb149073d0c985908f6d91297d2febe21279ecdc244de"),
    ] {
        assert_eq!(tx.compute_txid(), txid(id));
    }
}

#[test]
fn two_votes_open_the_signatures_of_three_members_and_bitcoin_accepts_the_slashing() {
    let evidence = example::evidence();
    assert_eq!(evidence.canonical_signature.to_string(), CANONICAL_VOTE);
    assert_eq!(evidence.fork_signature.to_string(), FORK_VOTE);
    let secret = evidence.extract_secret().unwrap();
    assert_eq!(hex::encode(secret.to_evidence_bytes()), EXTRACTED);

    let checked = example::checked();
    let covenant = example::signed_by(&[0, 1, 4]);
    checked.verified_quorum(&covenant).unwrap();
    let slashing = checked.assemble_slashing(&covenant, &secret, &example::AUX).unwrap();
    let witness: Vec<&[u8]> = slashing.input[0].witness.iter().collect();
    let [one, empty, four, also_empty, zero, provider, staker, _leaf, control_block] = witness[..] else {
        panic!("{} elements", witness.len());
    };
    assert!(empty.is_empty() && also_empty.is_empty());
    assert!([one, four, zero, provider, staker].iter().all(|signature| signature.len() == 64));
    assert_eq!((hex::encode(zero), hex::encode(one)), (SIGNED_BY_0.to_owned(), SIGNED_BY_1.to_owned()));
    assert_eq!(control_block.len(), 65);
    assert!(bitcoin_accepts(&slashing, &checked.staking_prevout()));

    let unbonding = checked.assemble_unbonding_slashing(&covenant, &secret, &example::AUX).unwrap();
    assert!(bitcoin_accepts(&unbonding, &checked.unbonding_prevout()));
    // Whoever publishes a slashing gives the key away again.
    let found = checked.recover_finality_provider_secret(&slashing, &covenant).unwrap();
    assert_eq!(found.public_key(), secret.public_key());
    assert_eq!(
        checked.slashing_tx(SlashedOutput::Staking).compute_txid(),
        slashing.compute_txid(),
        "a witness changes no id"
    );
}

#[test]
fn a_mutated_slashing_is_refused_by_bitcoin() {
    let checked = example::checked();
    let secret = example::evidence().extract_secret().unwrap();
    let covenant = example::signed_by(&[0, 1, 4]);
    let slashing = checked.assemble_slashing(&covenant, &secret, &example::AUX).unwrap();
    let mut richer = slashing.clone();
    richer.output[1].value += bitcoin::Amount::from_sat(1);
    assert!(!bitcoin_accepts(&richer, &checked.staking_prevout()));
    assert!(!bitcoin_accepts(checked.slashing_tx(SlashedOutput::Staking), &checked.staking_prevout()));
}
