//! The traps of `wire.md` 1, one by one.

use super::samples::*;
use crate::{
    convert::{
        InvalidField, Problem,
        bytes::*,
        decimal::*,
        possession::decode_possession,
        proof::{decode_inclusion, decode_randomness_proof, encode_inclusion, encode_randomness_proof},
    },
    proto::{Coin, Proof, btcstaking::ProofOfPossessionBTC},
};
use bitcoin::{Amount, BlockHash, Txid, consensus::serialize, hashes::Hash};
use btc_staking_protocol::{finality::vote::MerkleProof, inclusion::InclusionProof, rate::Decimal};
use proptest::prelude::*;

fn problem<T: std::fmt::Debug>(result: Result<T, InvalidField>) -> Problem {
    result.unwrap_err().problem
}

#[test]
fn a_decimal_on_the_wire_is_its_scaled_integer() {
    // wire.md 9
    assert_eq!(encode_decimal("0.03".parse().unwrap()), "30000000000000000");
    assert_eq!(encode_decimal(Decimal::ONE), "1000000000000000000");
    assert_eq!(encode_decimal(Decimal::ZERO), "0");
    assert_eq!(decode_decimal("rate", "30000000000000000"), Ok("0.03".parse().unwrap()));
    assert_eq!(decode_decimal_bytes("rate", b"0"), Ok(Decimal::ZERO));
    assert_eq!(problem(decode_decimal("rate", "")), Problem::Missing);
    assert_eq!(problem(decode_decimal_bytes("rate", &[0xff])), Problem::NotText);
    for text in ["0.03", "-1", "+1", "01", " 1", "1e17", "0x1", "340282366920938463463374607431768211456"] {
        assert_eq!(problem(decode_decimal("rate", text)), Problem::ScaledDecimal(text.into()), "{text}");
    }
}

#[test]
fn a_block_hash_travels_in_internal_order() {
    // wire.md 9: shown as 00000000...abcd, the bytes start with cd ab and end with zeros.
    let shown = format!("{}abcd", "0".repeat(60));
    let block_hash: BlockHash = shown.parse().unwrap();
    let wire = encode_inclusion(&InclusionProof { block_hash, index: 7, siblings: vec![[1; 32]] });
    let hash = wire.key.as_ref().unwrap().hash.clone();
    assert_eq!(hash[..2], [0xcd, 0xab]);
    assert_eq!(hash[2..], [0; 30]);
    assert_eq!(decode_inclusion(&wire).unwrap().block_hash, block_hash);
}

#[test]
fn a_transaction_id_travels_reversed_and_with_all_its_digits() {
    let txid = Txid::from_byte_array(std::array::from_fn(|n| u8::try_from(n).unwrap()));
    let text = txid.to_string();
    assert!(text.starts_with("1f1e1d"));
    assert_eq!(decode_txid_text("staking_tx_hash", &text), Ok(txid));
    let short = problem(decode_txid_text("staking_tx_hash", &text[2..]));
    assert_eq!(short, Problem::Length { found: 31, expected: 32 });
    assert_eq!(problem(decode_txid_text("staking_tx_hash", "zz")), Problem::NotHex);
}

#[test]
fn an_inclusion_proof_has_whole_siblings_and_at_least_one() {
    let good = encode_inclusion(&inclusion());
    assert_eq!(good.proof.len(), 64);
    let mut wrong = good.clone();
    wrong.proof.pop();
    assert_eq!(problem(decode_inclusion(&wrong)), Problem::NotWhole { found: 63, unit: 32 });
    wrong.proof.clear();
    assert_eq!(problem(decode_inclusion(&wrong)), Problem::Missing);
    let mut wrong = good.clone();
    wrong.key = None;
    assert_eq!(decode_inclusion(&wrong), Err(InvalidField::new("key", Problem::Missing)));
    let mut wrong = good;
    wrong.key.as_mut().unwrap().hash.push(0);
    assert_eq!(decode_inclusion(&wrong).unwrap_err().path, "key.hash");
}

#[test]
fn a_randomness_proof_has_numbers_that_fit_and_whole_hashes() {
    let proof = MerkleProof { total: 9, index: 1, leaf_hash: [1; 32], aunts: vec![[2; 32]] };
    let wire = encode_randomness_proof(&proof).unwrap();
    assert_eq!(decode_randomness_proof(&wire), Ok(proof.clone()));
    let huge = MerkleProof { total: u64::MAX, ..proof };
    assert_eq!(encode_randomness_proof(&huge).unwrap_err().path, "total");
    let negative = Proof { index: -1, ..wire.clone() };
    assert_eq!(decode_randomness_proof(&negative).unwrap_err().path, "index");
    let short = Proof { aunts: vec![vec![2; 31]], ..wire.clone() };
    assert_eq!(decode_randomness_proof(&short).unwrap_err().path, "aunts[0]");
    let unfilled = Proof { leaf_hash: Vec::new(), ..wire };
    assert_eq!(decode_randomness_proof(&unfilled).unwrap_err().path, "leaf_hash");
}

#[test]
fn a_transaction_is_all_its_bytes_and_encodes_to_them_again() {
    for tx in [tx(1, 2), tx_with_witness()] {
        let bytes = serialize(&tx);
        assert_eq!(decode_tx("staking_tx", &bytes), Ok(tx));
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(problem(decode_tx("staking_tx", &longer)), Problem::Consensus { .. }));
        for length in 1..bytes.len() {
            assert!(decode_tx("staking_tx", &bytes[..length]).is_err());
        }
    }
    assert_eq!(problem(decode_tx("staking_tx", &[])), Problem::Missing);
}

#[test]
fn keys_signatures_and_arrays_of_a_wrong_length_are_refused() {
    assert!(matches!(problem(decode_staker_key("btc_pk", &[1; 33])), Problem::Key(_)));
    assert!(matches!(problem(decode_provider_key("fp_btc_pk", &[0xff; 32])), Problem::Key(_)));
    assert!(matches!(problem(decode_covenant_key("pk", &[])), Problem::Key(_)));
    let keys = [provider().to_bytes().to_vec(), vec![1; 31]];
    assert_eq!(decode_provider_keys("fp_btc_pk_list", &keys).unwrap_err().path, "fp_btc_pk_list[1]");
    for length in [0, 63, 65] {
        let expected = Problem::Length { found: length, expected: 64 };
        assert_eq!(problem(decode_schnorr("sig", &vec![1; length])), expected);
    }
    assert!(matches!(
        problem(decode_header("headers", &[0; 81])),
        Problem::Length { found: 81, expected: 80 }
    ));
}

#[test]
fn adaptor_signatures_are_accepted_in_their_legacy_form_and_sent_in_the_new_one() {
    let new = adaptor(1).to_bytes().to_vec();
    let again =
        |bytes: &[u8]| encode_adaptors(&decode_adaptors("sigs", &[bytes.to_vec()]).unwrap()).remove(0);
    assert_eq!(again(&new), new);
    // wire.md 1.1: the first byte is 02, the last one is the parity.
    let mut legacy = new.clone();
    legacy.push(0);
    assert_eq!(again(&legacy), new);
    let error = decode_adaptors("sigs", &[new, vec![2; 64]]).unwrap_err();
    assert_eq!(error.path, "sigs[1]");
    assert!(matches!(error.problem, Problem::Signature(_)));
}

#[test]
fn accounts_of_other_networks_are_refused() {
    assert_eq!(decode_account("signer", account().bech32()), Ok(account()));
    let foreign = "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu";
    for text in ["", "bbn1", foreign, "bbn1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5gua0e8"] {
        assert!(matches!(problem(decode_account("signer", text)), Problem::Account(_)), "{text}");
    }
}

#[test]
fn amounts_are_satoshis_within_all_bitcoin() {
    assert_eq!(decode_amount("staking_value", 5), Ok(Amount::from_sat(5)));
    for sat in [-1, i64::MIN, i64::MAX, 2_100_000_000_000_001] {
        assert!(matches!(problem(decode_amount("staking_value", sat)), Problem::OutOfRange { .. }), "{sat}");
    }
    assert!(decode_total("total_sat", u64::MAX).is_err());
    assert!(encode_amount("staking_value", Amount::MAX).is_err());
}

#[test]
fn unknown_kinds_of_possession_and_wrong_signatures_are_refused() {
    let pop =
        |btc_sig_type, btc_sig: Vec<u8>| decode_possession(&ProofOfPossessionBTC { btc_sig_type, btc_sig });
    assert_eq!(problem(pop(3, vec![1; 64])), Problem::UnknownValue(3));
    assert_eq!(problem(pop(-1, vec![1; 64])), Problem::UnknownValue(-1));
    assert_eq!(problem(pop(0, vec![1; 65])), Problem::Length { found: 65, expected: 64 });
    assert_eq!(problem(pop(2, vec![1; 64])), Problem::Length { found: 64, expected: 65 });
    assert!(matches!(problem(pop(1, vec![0xff])), Problem::Protobuf { .. }));
    assert_eq!(pop(1, Vec::new()).unwrap_err().path, "btc_sig.address");
    // Address only: 0a 02 "bc"
    assert_eq!(pop(1, vec![0x0a, 2, b'b', b'c']).unwrap_err().path, "btc_sig.sig");
}

#[test]
fn coins_are_looked_up_by_denomination() {
    let coins = [Coin { denom: "ubbn".into(), amount: "12".into() }];
    assert_eq!(decode_coins("coins", &coins, "ubbn"), Ok(12));
    assert_eq!(decode_coins("coins", &coins, "uatom"), Ok(0));
    let wrong = [Coin { denom: "ubbn".into(), amount: "1.2".into() }];
    assert_eq!(problem(decode_coins("coins", &wrong, "ubbn")), Problem::Integer("1.2".into()));
}

#[test]
fn an_error_names_the_whole_path() {
    let error =
        InvalidField::new("hash", Problem::Missing).within("key").within("staking_tx_inclusion_proof");
    assert_eq!(error.to_string(), "field staking_tx_inclusion_proof.key.hash: is missing");
}

proptest! {
    #[test]
    fn decimals_survive_the_wire(scaled: u128) {
        let value = Decimal::from_scaled(scaled);
        prop_assert_eq!(decode_decimal("rate", &encode_decimal(value)), Ok(value));
    }

    #[test]
    fn transaction_ids_survive_text(bytes: [u8; 32]) {
        let txid = Txid::from_byte_array(bytes);
        prop_assert_eq!(decode_txid_text("hash", &txid.to_string()), Ok(txid));
    }

    #[test]
    fn inclusion_proofs_survive_the_wire(
        hash: [u8; 32], index: u32, siblings in prop::collection::vec(any::<[u8; 32]>(), 1..20),
    ) {
        let proof = InclusionProof { block_hash: BlockHash::from_byte_array(hash), index, siblings };
        prop_assert_eq!(decode_inclusion(&encode_inclusion(&proof)), Ok(proof));
    }

    #[test]
    fn bytes_that_are_no_transaction_are_refused_and_those_that_are_stay_the_same(bytes: Vec<u8>) {
        if let Ok(tx) = decode_tx("tx", &bytes) {
            prop_assert_eq!(serialize(&tx), bytes);
        }
    }
}
