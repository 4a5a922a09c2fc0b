//! Fees, keys and the bytes of a transaction.

use super::*;
use crate::proto::incentive::MsgWithdrawReward;

fn key() -> AccountKey {
    AccountKey::from_secret(&[7; 32]).unwrap()
}
fn price(text: &str) -> GasPrice {
    GasPrice::new(text.parse().unwrap()).unwrap()
}
fn message() -> Any {
    let message = MsgWithdrawReward { r#type: "btc_staker".into(), address: "bbn1x".into() };
    Any { type_url: MsgWithdrawReward::type_url(), value: message.encode_to_vec() }
}

#[test]
fn the_floor_and_rounding_up_of_fees() {
    // wire.md 9: at least 400 ubbn for 200,000 gas.
    assert_eq!(price("0.002").fee(200_000), 400);
    assert_eq!(price("0.002").fee(200_001), 401);
    assert_eq!(price("0.01").fee(1), 1);
    assert_eq!(price("0.01").fee(0), 0);
    let low = "0.001999999999999999".parse().unwrap();
    assert_eq!(GasPrice::new(low), Err(GasPriceTooLow(low)));
    assert_eq!(price("1000000").fee(u64::MAX) / 1_000_000, u128::from(u64::MAX));
}

#[test]
fn the_lowest_fee_is_rounded_half_to_even_and_no_fee_is_below_it() {
    // 0.002 of the gas: 0.5 and 2.5 go down, 1.5 goes up.
    let table =
        [(0, 0), (250, 0), (251, 1), (500, 1), (749, 1), (750, 2), (1_249, 2), (1_250, 2), (1_251, 3)];
    for (gas, fee) in table {
        assert_eq!(GasPrice::lowest_fee(gas), fee, "{gas}");
    }
    for gas in (0..3_000).chain([u64::MAX - 1, u64::MAX]) {
        assert!(price("0.002").fee(gas) >= GasPrice::lowest_fee(gas), "{gas}");
    }
}

#[test]
fn a_signed_transaction_reads_back_and_other_bytes_do_not() {
    let state = AccountState { number: 3, sequence: 5 };
    let gas = GasAndFee { limit: 200_000, fee: 2_000 };
    let signed = sign_tx_until(&key(), "bbn-test", state, vec![message()], gas, PosHeight::new(77)).unwrap();
    let read = read_tx(&signed.bytes).unwrap();
    assert_eq!(read.messages, vec![message()]);
    assert_eq!((read.public_key.as_slice(), read.sequence), (key().public_key(), 5));
    let raw = TxRaw::decode(signed.bytes.as_slice()).unwrap();
    assert_eq!(TxBody::decode(raw.body_bytes.as_slice()).unwrap().timeout_height, 77);
    for length in 0..signed.bytes.len() {
        assert_ne!(read_tx(&signed.bytes[..length]).ok().as_ref(), Some(&read), "{length}");
    }
}

#[test]
fn an_account_is_the_hash_of_its_key() {
    let key = key();
    assert_eq!(key.public_key().len(), 33);
    assert_eq!(key.account().prefix(), "bbn");
    assert_eq!(key.account().bytes().len(), 20);
    use bitcoin::hashes::{Hash, hash160};
    assert_eq!(key.account().bytes(), hash160::Hash::hash(key.public_key()).as_byte_array());
    assert_eq!(AccountKey::from_secret(&[0; 32]).err(), Some(InvalidAccountKey::OutOfRange));
    assert_eq!(AccountKey::from_secret(&[0xff; 32]).err(), Some(InvalidAccountKey::OutOfRange));
}

#[test]
fn a_signature_is_ecdsa_with_low_s_over_the_encoded_document() {
    use bitcoin::secp256k1::{Message as Digested, PublicKey, Secp256k1, ecdsa::Signature};
    let state = AccountState { number: 3, sequence: 5 };
    let gas = GasAndFee { limit: 200_000, fee: 2_000 };
    let signed = sign_tx_until(&key(), "bbn-test", state, vec![message()], gas, PosHeight::new(77)).unwrap();
    let raw = TxRaw::decode(signed.bytes.as_slice()).unwrap();
    let document = SignDoc {
        body_bytes: raw.body_bytes.clone(),
        auth_info_bytes: raw.auth_info_bytes.clone(),
        chain_id: "bbn-test".into(),
        account_number: 3,
    };
    let digest: [u8; 32] = Sha256::digest(document.encode_to_vec()).into();
    let signature = Signature::from_compact(&raw.signatures[0]).unwrap();
    let mut low = signature;
    low.normalize_s();
    assert_eq!(signature, low);
    let public = PublicKey::from_slice(key().public_key()).unwrap();
    Secp256k1::verification_only().verify_ecdsa(&Digested::from_digest(digest), &signature, &public).unwrap();
    assert_eq!(signed.hash, <[u8; 32]>::from(Sha256::digest(&signed.bytes)));
    assert_eq!(signed.hash_text().len(), 64);
}

#[test]
fn the_parts_of_a_transaction_have_their_golden_encoding() {
    let state = AccountState { number: 3, sequence: 5 };
    let gas = GasAndFee { limit: 200_000, fee: 400 };
    let auth = auth_info(&key(), state.sequence, gas).encode_to_vec();
    let key_hex = hex::encode(key().public_key());
    // AuthInfo { 1 SignerInfo { 1 Any { 1 type_url, 2 PubKey { 1 key } }, 2 ModeInfo { 1 Single { 1: 1 } }, 3 sequence },
    // 2 Fee { 1 Coin { 1 denom, 2 amount }, 2 gas_limit } }
    let url = hex::encode("/cosmos.crypto.secp256k1.PubKey");
    let expected =
        format!("0a500a460a1f{url}12230a21{key_hex}12040a020801180512110a0b0a047562626e120334303010c09a0c");
    assert_eq!(hex::encode(auth), expected);
}

#[test]
fn a_simulated_transaction_has_one_empty_signature_and_the_smallest_fee() {
    let request = build_simulation(&key(), AccountState { number: 3, sequence: 5 }, vec![message()]);
    let raw = TxRaw::decode(request.tx_bytes.as_slice()).unwrap();
    assert_eq!(raw.signatures, vec![Vec::<u8>::new()]);
    let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).unwrap();
    assert_eq!(auth.signer_infos[0].sequence, 5);
    let coin = Coin { denom: "ubbn".into(), amount: "1".into() };
    assert_eq!(auth.fee.unwrap().amount, [coin]);
}
