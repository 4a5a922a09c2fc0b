//! Slashing transactions: the amount, the builder's refusals and every rule of the check.

use crate::example::*;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxOut, absolute::LockTime, transaction::Version,
};
use btc_staking_protocol::{
    height::Timelock,
    output::SlashingRefundOutput,
    rate::SlashingRate,
    tx::{
        sanity::{Insane, NotPresignable},
        slashing::{
            CannotSlash, SlashingRules, SlashingTxRefusal as Refusal, SlashingTxVersion, build_slashing_tx,
            check_slashing_tx,
        },
    },
};
use proptest::prelude::*;

fn refund() -> SlashingRefundOutput {
    SlashingRefundOutput::new(staker().public_key(), Timelock::from_blocks(101).unwrap())
}
fn burn() -> ScriptBuf {
    fields().slashing_script
}
fn p2wpkh() -> ScriptBuf {
    ScriptBuf::from_hex("00140202020202020202020202020202020202020202").unwrap()
}
fn rules<'a>(script: &'a ScriptBuf, rate: &str, min_fee: u64) -> SlashingRules<'a> {
    SlashingRules { script, rate: rate.parse().unwrap(), min_fee: sat(min_fee) }
}
fn funding(value: u64) -> TxOut {
    TxOut { value: sat(value), script_pubkey: checked().outputs().staking.script_pubkey() }
}
fn build(funding: &TxOut, rules: SlashingRules<'_>) -> Result<Transaction, CannotSlash> {
    build_slashing_tx(OutPoint::null(), funding, &refund(), rules, SlashingTxVersion::One)
}

/// The formula of `bitcoin.md` 7.2 from the decimal text, written down a second time.
fn reference_amount(value: u64, points: u16) -> u64 {
    let text = format!("0.{points:04}00000000000000");
    let rate: f64 = text.parse().unwrap();
    // As the reference computes it; values are far below 2^51.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let amount = (value as f64 * rate + 0.5).trunc() as u64;
    amount
}

#[test]
fn slashed_amounts_equal_the_reference_formula_for_every_rate() {
    for points in 1..10_000u16 {
        let rate = SlashingRate::from_basis_points(points).unwrap();
        for value in [0, 1, 2, 333, 2500, 5000, 12_345, 15_000, 99_999, 100_000_001, 2_100_000_000_000_000] {
            let amount = rate.amount_of(sat(value)).to_sat();
            assert_eq!(amount, reference_amount(value, points), "{value} at {rate}");
            assert!(amount <= value);
        }
    }
}

proptest! {
    #[test]
    fn slashed_amounts_equal_the_reference_formula_and_lose_no_satoshi(
        points in 1..10_000u16,
        value in 0..=2_100_000_000_000_000u64,
    ) {
        let rate = SlashingRate::from_basis_points(points).unwrap();
        let slashed = rate.amount_of(sat(value));
        prop_assert_eq!(slashed.to_sat(), reference_amount(value, points));
        // Half a satoshi for rounding, and below one more for three roundings of doubles near 2^51.
        let exact = u128::from(value) * u128::from(points);
        let off = (u128::from(slashed.to_sat()) * 10_000).abs_diff(exact);
        prop_assert!(off <= 5000 + 7500, "{off} ten-thousandths of a satoshi");
        let fee = sat(1000);
        let left = sat(value).checked_sub(slashed).and_then(|rest| rest.checked_sub(fee));
        if slashed > Amount::ZERO && left.is_some_and(|change| change >= sat(330)) {
            let script = burn();
            let tx = build(&funding(value), SlashingRules { script: &script, rate, min_fee: fee }).unwrap();
            prop_assert_eq!(tx.output[0].value + tx.output[1].value + fee, sat(value));
        }
    }
}

#[test]
fn an_output_that_cannot_be_slashed_is_refused_by_the_builder() {
    let (burn, pays, empty) = (burn(), p2wpkh(), ScriptBuf::new());
    let legacy = TxOut { script_pubkey: p2wpkh(), ..funding(100_000) };
    assert_eq!(build(&legacy, rules(&burn, "0.1", 2000)), Err(CannotSlash::NotTaproot));
    assert_eq!(build(&funding(0), rules(&burn, "0.1", 2000)), Err(CannotSlash::NoValue));
    assert_eq!(build(&funding(100_000), rules(&empty, "0.1", 2000)), Err(CannotSlash::NoScript));
    assert!(matches!(
        build(&funding(1000), rules(&burn, "0.0001", 1)),
        Err(CannotSlash::NothingToSlash { .. })
    ));
    assert!(matches!(build(&funding(2222), rules(&burn, "0.1", 2000)), Err(CannotSlash::NoChange { .. })));
    // Change of 329 sat is dust, 330 is not; 9000 sat at 0.9 would leave 900 before the fee.
    assert_eq!(
        build(&funding(10_000), rules(&burn, "0.9", 671)),
        Err(CannotSlash::Dust { index: 1, value: sat(329) })
    );
    build(&funding(10_000), rules(&burn, "0.9", 670)).unwrap();
    // A slashing output that is no burn must not be dust: 294 sat for P2WPKH.
    assert_eq!(
        build(&funding(2930), rules(&pays, "0.1", 100)),
        Err(CannotSlash::Dust { index: 0, value: sat(293) })
    );
    build(&funding(2940), rules(&pays, "0.1", 100)).unwrap();
}

struct Setting {
    funding: Transaction,
    tx: Transaction,
    rate: &'static str,
    min_fee: u64,
    script: ScriptBuf,
    index: u32,
}

fn setting() -> Setting {
    let terms = terms();
    Setting {
        funding: terms.staking_tx,
        tx: terms.slashing_tx,
        rate: "0.1",
        min_fee: 2000,
        script: burn(),
        index: 0,
    }
}

fn check(setting: &Setting) -> Result<(), Refusal> {
    let rules = rules(&setting.script, setting.rate, setting.min_fee);
    check_slashing_tx(&setting.tx, &setting.funding, setting.index, &refund(), rules)
}

#[test]
fn what_the_builder_builds_the_check_accepts() {
    check(&setting()).unwrap();
}

#[test]
fn over_slashing_and_over_paying_are_the_stakers_own_business() {
    let mut more = setting();
    more.tx.output[0].value += sat(5000);
    more.tx.output[1].value -= sat(40_000);
    check(&more).unwrap();
}

#[test]
fn every_rule_of_the_check_refuses_alone() {
    type Row = (&'static str, fn(&mut Setting), fn(&Refusal) -> bool);
    let rows: [Row; 20] = [
        (
            "insane funding transaction",
            |s| s.funding.input.push(s.funding.input[0].clone()),
            |r| matches!(r, Refusal::Funding(Insane::DuplicateInput(_))),
        ),
        ("no least fee", |s| s.min_fee = 0, |r| matches!(r, Refusal::NoMinFee)),
        ("funding index", |s| s.index = 1, |r| matches!(r, Refusal::FundingIndex { index: 1, outputs: 1 })),
        (
            "version 0",
            |s| s.tx.version = Version(0),
            |r| matches!(r, Refusal::Shape(NotPresignable::Version { found: 0, .. })),
        ),
        (
            "version 3",
            |s| s.tx.version = Version(3),
            |r| matches!(r, Refusal::Shape(NotPresignable::Version { found: 3, .. })),
        ),
        (
            "lock time",
            |s| s.tx.lock_time = LockTime::from_consensus(1),
            |r| matches!(r, Refusal::Shape(NotPresignable::LockTime(_))),
        ),
        (
            "sequence",
            |s| s.tx.input[0].sequence = Sequence::ENABLE_RBF_NO_LOCKTIME,
            |r| matches!(r, Refusal::Shape(NotPresignable::Sequence(_))),
        ),
        (
            "scriptSig",
            |s| s.tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0x51]),
            |r| matches!(r, Refusal::Shape(NotPresignable::ScriptSig(1))),
        ),
        (
            "two inputs",
            |s| {
                let mut second = s.tx.input[0].clone();
                second.previous_output.vout += 1;
                s.tx.input.push(second);
            },
            |r| matches!(r, Refusal::Shape(NotPresignable::InputCount(2))),
        ),
        (
            "one output",
            |s| s.tx.output.truncate(1),
            |r| matches!(r, Refusal::Shape(NotPresignable::OutputCount { found: 1, expected: 2 })),
        ),
        (
            "three outputs",
            |s| s.tx.output.push(s.tx.output[0].clone()),
            |r| matches!(r, Refusal::Shape(NotPresignable::OutputCount { found: 3, expected: 2 })),
        ),
        (
            "one satoshi too little",
            |s| s.tx.output[0].value -= sat(1),
            |r| matches!(r, Refusal::TooLittle { .. }),
        ),
        (
            "another slashing script",
            |s| s.tx.output[0].script_pubkey = p2wpkh(),
            |r| matches!(r, Refusal::WrongScript { .. }),
        ),
        (
            "another refund script",
            |s| s.tx.output[1].script_pubkey = p2wpkh(),
            |r| matches!(r, Refusal::WrongRefund { .. }),
        ),
        ("dust change", |s| s.tx.output[1].value = sat(329), |r| matches!(r, Refusal::Dust { index: 1, .. })),
        (
            "outputs equal the funding value",
            |s| s.tx.output[1].value = sat(90_000),
            |r| matches!(r, Refusal::FeeTooLow { .. }),
        ),
        (
            "outputs above the funding value",
            |s| s.tx.output[1].value = sat(190_000),
            |r| matches!(r, Refusal::FeeTooLow { .. }),
        ),
        (
            "fee one satoshi too low",
            |s| s.tx.output[1].value += sat(1),
            |r| matches!(r, Refusal::FeeTooLow { .. }),
        ),
        (
            "another outpoint index",
            |s| s.tx.input[0].previous_output.vout = 1,
            |r| matches!(r, Refusal::WrongInput { .. }),
        ),
        (
            "another outpoint txid",
            |s| s.tx.input[0].previous_output.txid = s.tx.compute_txid(),
            |r| matches!(r, Refusal::WrongInput { .. }),
        ),
    ];
    for (name, edit, expected) in rows {
        let mut setting = setting();
        edit(&mut setting);
        let refusal = check(&setting).unwrap_err();
        assert!(expected(&refusal), "{name}: {refusal:?}");
    }
}

#[test]
fn a_slashed_amount_that_rounds_to_nothing_is_refused() {
    let mut tiny = setting();
    tiny.rate = "0.0001";
    tiny.min_fee = 1;
    tiny.funding.output[0].value = sat(4000);
    tiny.tx.input[0].previous_output.txid = tiny.funding.compute_txid();
    tiny.tx.output[0].value = Amount::ZERO;
    tiny.tx.output[1].value = sat(3000);
    assert_eq!(check(&tiny), Err(Refusal::NoValue { slashed: Amount::ZERO, funding: sat(4000) }));
}

#[test]
fn a_dust_slashing_output_is_refused_unless_it_burns() {
    let mut small = setting();
    small.script = p2wpkh();
    small.rate = "0.0001";
    small.tx.output[0] = TxOut { value: sat(293), script_pubkey: p2wpkh() };
    assert_eq!(check(&small), Err(Refusal::Dust { index: 0, value: sat(293) }));
    small.tx.output[0].value = sat(294);
    check(&small).unwrap();
}
