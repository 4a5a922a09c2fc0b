//! Parsing of transactions from outside, and the rules that hold for all of them (`bitcoin.md` 12).

use crate::example::*;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Transaction, TxOut, Witness,
    consensus::encode::{serialize, serialize_hex},
};
use btc_staking_protocol::tx::sanity::{
    Insane, InvalidTransaction as Invalid, MAX_TX_BYTES, TrailingBytes, check_sanity, parse_transaction,
};
use proptest::{collection::vec, prelude::*};

fn parse(bytes: &[u8]) -> Result<Transaction, Invalid> {
    parse_transaction(bytes, TrailingBytes::Refuse)
}

#[test]
fn transactions_parse_with_and_without_witness() {
    let mut tx = staking_tx();
    assert_eq!(parse(&serialize(&tx)), Ok(tx.clone()));
    tx.input[0].witness = Witness::from_slice(&[vec![1, 2, 3]]);
    assert_eq!(parse(&serialize(&tx)), Ok(tx));
}

#[test]
fn trailing_bytes_are_refused_or_ignored_as_asked() {
    let mut bytes = serialize(&staking_tx());
    bytes.extend([1, 2]);
    assert_eq!(parse(&bytes), Err(Invalid::TrailingBytes(2)));
    assert_eq!(parse_transaction(&bytes, TrailingBytes::Ignore), Ok(staking_tx()));
}

#[test]
fn broken_encodings_are_refused() {
    let hex = serialize_hex(&staking_tx());
    let (version, rest) = hex.split_at(8);
    let body = &rest[..rest.len() - 8];
    let segwit = |flag: &str, witness: &str| format!("{version}00{flag}{body}{witness}00000000");
    assert!(parse(&hex::decode(segwit("01", "0101ff")).unwrap()).is_ok());
    for (what, text) in [
        ("nothing", String::new()),
        ("cut short", hex[..hex.len() - 2].to_owned()),
        ("unknown segwit flag", segwit("02", "0101ff")),
        ("superfluous witness", segwit("01", "00")),
        ("input count not minimal", hex.replacen("0200000001aa", "02000000fd0100aa", 1)),
        ("no inputs reads as segwit marker", "02000000000000000000".to_owned()),
        ("segwit without inputs", "020000000001000000000000".to_owned()),
        ("count beyond the bytes", "02000000ffffffffffffffffffaa".to_owned()),
    ] {
        let refused = parse(&hex::decode(text).unwrap());
        assert!(matches!(refused, Err(Invalid::Encoding(_))), "{what}: {refused:?}");
    }
    assert_eq!(parse(&vec![0; MAX_TX_BYTES + 1]), Err(Invalid::TooLarge(MAX_TX_BYTES + 1)));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_refused_and_what_parses_encodes_again(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(tx) = parse(&bytes) {
            prop_assert_eq!(serialize(&tx), bytes);
        }
    }

    #[test]
    fn damaged_transactions_parse_strictly_or_are_refused(
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = serialize(&terms().slashing_tx);
        let position = position.index(bytes.len());
        bytes[position] = byte;
        if let Ok(tx) = parse(&bytes) {
            prop_assert_eq!(serialize(&tx), bytes);
        }
    }
}

type Row = (&'static str, fn(&mut Transaction), fn(&Insane) -> bool);

#[test]
fn every_rule_of_sanity_refuses_alone() {
    let all = Amount::MAX_MONEY;
    check_sanity(&staking_tx()).unwrap();
    let rows: [Row; 9] = [
        ("no inputs", |tx| tx.input.clear(), |r| matches!(r, Insane::NoInputs)),
        ("no outputs", |tx| tx.output.clear(), |r| matches!(r, Insane::NoOutputs)),
        (
            "too large without witness",
            |tx| tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; 1_000_000]),
            |r| matches!(r, Insane::TooLarge(_)),
        ),
        (
            "an output above all coins",
            |tx| tx.output[0].value = Amount::MAX_MONEY + sat(1),
            |r| matches!(r, Insane::OutputValue { index: 0, .. }),
        ),
        (
            "outputs above all coins",
            |tx| {
                tx.output[0].value = Amount::MAX_MONEY;
                tx.output.push(TxOut { value: sat(1), script_pubkey: ScriptBuf::new() });
            },
            |r| matches!(r, Insane::OutputSum),
        ),
        (
            "an input twice",
            |tx| tx.input.push(tx.input[0].clone()),
            |r| matches!(r, Insane::DuplicateInput(_)),
        ),
        ("a coinbase with a short script", |tx| coinbase(tx, 1), |r| matches!(r, Insane::CoinbaseScript(1))),
        (
            "a coinbase with a long script",
            |tx| coinbase(tx, 101),
            |r| matches!(r, Insane::CoinbaseScript(101)),
        ),
        (
            "a null outpoint among others",
            |tx| {
                let mut null = tx.input[0].clone();
                null.previous_output = OutPoint::null();
                tx.input.push(null);
            },
            |r| matches!(r, Insane::NullInput(1)),
        ),
    ];
    for (name, edit, expected) in rows {
        let mut tx = staking_tx();
        edit(&mut tx);
        let refused = check_sanity(&tx).unwrap_err();
        assert!(expected(&refused), "{name}: {refused:?}");
    }
    let mut richest = staking_tx();
    richest.output[0].value = all;
    check_sanity(&richest).unwrap();
    for length in [2, 100] {
        let mut tx = staking_tx();
        coinbase(&mut tx, length);
        check_sanity(&tx).unwrap();
    }
}

fn coinbase(tx: &mut Transaction, script_length: usize) {
    tx.input[0].previous_output = OutPoint::null();
    tx.input[0].script_sig = ScriptBuf::from_bytes(vec![1; script_length]);
}
