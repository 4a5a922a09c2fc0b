//! Withdrawals and sizes: predicted equals final, to the weight unit.

use crate::{example::*, interpreter::accepts};
use bitcoin::{Amount, FeeRate, Network, OutPoint, ScriptBuf, Transaction};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, SlashedOutput},
    keys::StakerSecret,
    params::StakingParams,
    tx::withdrawal::{
        CannotWithdraw, InvalidDestination, Withdrawal, WithdrawalInput, WithdrawalKind, build_withdrawal,
        parse_destination,
    },
    witness::{AssemblyError, predicted_slashing_witness, predicted_unbonding_witness},
};
use proptest::prelude::*;

fn p2tr() -> ScriptBuf {
    checked().outputs().refund.script_pubkey()
}
fn p2wpkh() -> ScriptBuf {
    ScriptBuf::from_hex("00140202020202020202020202020202020202020202").unwrap()
}
fn feerate(sat_per_vb: u64) -> FeeRate {
    FeeRate::from_sat_per_vb(sat_per_vb).unwrap()
}

/// A stake of 64,000 blocks under a committee of this size, as the sizes of `staker.md` 2.3 assume.
fn stake(members: u8, quorum: u32, unbonding_time: u32) -> CheckedDelegation {
    let mut params = fields();
    params.covenant_committee = committee(0..members, quorum);
    params.unbonding_time = blocks(unbonding_time);
    let forge = Forge { params: params.clone(), time: blocks(64_000), ..Forge::default() };
    forge.make().check(&StakingParams::new(params).unwrap()).unwrap()
}

fn signed(inputs: Vec<WithdrawalInput>, destination: ScriptBuf, feerate: FeeRate) -> (Amount, Transaction) {
    let withdrawal = build_withdrawal(inputs, destination, feerate).unwrap();
    (withdrawal.fee(), withdrawal.sign(&staker(), &AUX).unwrap())
}

#[test]
fn withdrawal_sizes_are_the_known_ones() {
    // background: exact sizes of each withdrawal, weight units to P2TR and P2WPKH
    for unbonding_time in [301, 1008] {
        let stake = stake(9, 6, unbonding_time);
        for (input, to_p2tr, to_p2wpkh) in [
            (stake.withdraw_expired_stake(), 582, 534),
            (stake.withdraw_unbonding_output(), 549, 501),
            (stake.withdraw_slashing_refund(SlashedOutput::Staking), 517, 469),
            (stake.withdraw_slashing_refund(SlashedOutput::Unbonding), 517, 469),
        ] {
            for (destination, weight) in [(p2tr(), to_p2tr), (p2wpkh(), to_p2wpkh)] {
                let (fee, tx) = signed(vec![input.clone()], destination, feerate(3));
                assert_eq!(tx.weight().to_wu(), weight, "{:?}", input.kind());
                assert_eq!(fee.to_sat(), 3 * u64::try_from(tx.vsize()).unwrap());
            }
        }
    }
}

#[test]
fn batches_of_withdrawals_have_the_known_sizes() {
    let stake = stake(9, 6, 1008);
    for (count, vsize) in [(2u32, 238usize), (5, 514), (10, 974)] {
        let inputs: Vec<_> = (0..count)
            .map(|vout| {
                let outpoint = OutPoint { vout, ..stake.staking_outpoint() };
                WithdrawalInput::expired_stake(&stake.outputs().staking, outpoint, sat(100_000))
            })
            .collect();
        let prevouts: Vec<_> = inputs.iter().map(|input| input.prevout().clone()).collect();
        let (_, tx) = signed(inputs, p2tr(), feerate(1));
        assert_eq!(tx.vsize(), vsize);
        assert_eq!(tx.weight().to_wu(), 214 + 368 * u64::from(count));
        for index in 0..prevouts.len() {
            accepts(&tx, index, &prevouts);
        }
    }
}

#[test]
fn unbonding_and_slashing_sizes_are_the_known_ones_and_predicted_exactly() {
    for (members, quorum, unbonding, slashing) in [(9, 6, 1280, 1419), (5, 3, 946, 1085), (1, 1, 676, 815)] {
        let stake = stake(members, quorum, 1008);
        let signatures = signed_by(&stake, 0..members);
        let staker_signature = staker().sign(stake.sighashes().unbonding, &AUX);
        let tx = stake.assemble_unbonding(&signatures, &staker_signature).unwrap();
        assert_eq!(tx.weight().to_wu(), unbonding);
        let keys = stake.outputs().keys();
        let predicted = predicted_unbonding_witness(stake.outputs().staking.unbonding_leaf(), keys);
        assert_eq!(predicted.size(), tx.input[0].witness.size());
        // Input alone: 4 x 41 bytes and the witness.
        let input_alone = 164 + predicted.size();
        assert_eq!(input_alone, [1066, 732, 462][usize::from(members != 9) + usize::from(members == 1)]);
        let tx = stake.assemble_slashing(&signatures, &provider(), &AUX).unwrap();
        assert_eq!(tx.weight().to_wu(), slashing);
        let predicted = predicted_slashing_witness(stake.outputs().staking.slashing_leaf(), keys);
        assert_eq!(predicted.size(), tx.input[0].witness.size());
    }
}

proptest! {
    #[test]
    fn no_satoshi_is_lost_and_the_fee_is_the_feerate_rounded_up(
        rate in 250..200_000u64,
        value in 50_000..1_000_000_000u64,
    ) {
        let stake = checked();
        let input = WithdrawalInput::expired_stake(&stake.outputs().staking, stake.staking_outpoint(), sat(value));
        let (fee, tx) = match build_withdrawal(vec![input], p2tr(), FeeRate::from_sat_per_kwu(rate)) {
            Ok(withdrawal) => (withdrawal.fee(), withdrawal.sign(&staker(), &AUX).unwrap()),
            Err(refused) => {
                prop_assert!(matches!(refused, CannotWithdraw::Dust { .. }), "{refused:?}");
                return Ok(());
            }
        };
        prop_assert_eq!(tx.output[0].value + fee, sat(value));
        let wanted = rate * 4 * u64::try_from(tx.vsize()).unwrap();
        prop_assert_eq!(fee.to_sat(), wanted.div_ceil(1000));
    }
}

fn one_input() -> WithdrawalInput {
    checked().withdraw_expired_stake()
}

#[test]
fn withdrawals_that_cannot_work_are_refused_with_the_reason() {
    let build = |inputs: Vec<WithdrawalInput>, destination: ScriptBuf, rate: FeeRate| {
        build_withdrawal(inputs, destination, rate).unwrap_err()
    };
    assert_eq!(build(vec![], p2tr(), feerate(1)), CannotWithdraw::NoInputs);
    assert_eq!(
        build(vec![one_input(), one_input()], p2tr(), feerate(1)),
        CannotWithdraw::DuplicateInput(one_input().outpoint())
    );
    assert_eq!(build(vec![one_input(); 501], p2tr(), feerate(1)), CannotWithdraw::TooManyInputs(501));
    assert_eq!(
        build(vec![one_input()], fields().slashing_script, feerate(1)),
        CannotWithdraw::UnspendableDestination
    );
    assert!(matches!(build(vec![one_input()], p2tr(), FeeRate::MAX), CannotWithdraw::FeeRate(_)));
    assert!(matches!(build(vec![one_input()], p2tr(), feerate(10_000)), CannotWithdraw::Dust { .. }));
    let stake = checked();
    let rich = |vout| {
        let outpoint = OutPoint { vout, ..stake.staking_outpoint() };
        WithdrawalInput::expired_stake(&stake.outputs().staking, outpoint, Amount::MAX_MONEY)
    };
    assert_eq!(build(vec![rich(0), rich(1)], p2tr(), feerate(1)), CannotWithdraw::InputSum);
}

#[test]
fn what_is_left_may_be_the_dust_limit_and_not_below() {
    let stake = checked();
    let input = |value| {
        WithdrawalInput::expired_stake(&stake.outputs().staking, stake.staking_outpoint(), sat(value))
    };
    let fee = build_withdrawal(vec![input(100_000)], p2tr(), feerate(1)).unwrap().fee();
    let withdrawal = build_withdrawal(vec![input(330 + fee.to_sat())], p2tr(), feerate(1)).unwrap();
    assert_eq!(withdrawal.amount(), sat(330));
    assert_eq!(
        build_withdrawal(vec![input(329 + fee.to_sat())], p2tr(), feerate(1)),
        Err(CannotWithdraw::Dust { available: fee + sat(329), fee, least: sat(330) })
    );
}

#[test]
fn a_withdrawal_is_signed_by_its_owner_only_and_completely() {
    let other = StakerSecret::from_bytes(&secret_bytes(b"somebody else")).unwrap();
    let build = || -> Withdrawal { build_withdrawal(vec![one_input()], p2tr(), feerate(2)).unwrap() };
    let owner = AssemblyError::StakerSignature(staker().public_key());
    assert_eq!(build().sign(&other, &AUX), Err(owner));
    assert_eq!(build().assemble(&[]), Err(AssemblyError::SignatureCount { found: 0, required: 1 }));
    assert_eq!(build().inputs()[0].kind(), WithdrawalKind::ExpiredStake);
    assert_eq!(build().inputs()[0].timelock(), blocks(1000));
}

#[test]
fn a_destination_must_be_an_address_of_the_network() {
    let mainnet = "bc1paef7jqp44p3df85739sygc2g9jmeg4tu3ey7z6ghjdt605hmffsqclncpw";
    parse_destination(mainnet, Network::Bitcoin).unwrap();
    for network in [Network::Testnet, Network::Signet, Network::Regtest] {
        let foreign = InvalidDestination::ForeignNetwork { address: mainnet.to_owned(), network };
        assert_eq!(parse_destination(mainnet, network), Err(foreign));
    }
    for text in ["", "bc1q", &mainnet.replace("clncpw", "clncpq")] {
        assert_eq!(
            parse_destination(text, Network::Bitcoin),
            Err(InvalidDestination::NotAnAddress(text.to_owned()))
        );
    }
}
