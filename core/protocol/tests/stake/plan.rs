//! Planning a stake: nothing is funded that could not be unbonded, slashed and registered.

use crate::example::*;
use bitcoin::TxOut;
use btc_staking_protocol::{
    delegation::{NotTheStaker, PlanRefusal, StakePlan, plan_stake},
    keys::{FinalityProviderPublicKey, StakerSecret},
    params::{ParamsFields, StakingParams},
    script::InvalidStakeKeys,
    tx::{
        slashing::{CannotSlash, SlashingTxVersion},
        staking::StakingTxRefusal,
    },
};

fn plan_under(fields: ParamsFields, amount: u64, time: u32) -> Result<StakePlan, PlanRefusal> {
    let params = StakingParams::new(fields).unwrap();
    plan_stake(&params, staker().public_key(), &[provider_key()], sat(amount), blocks(time))
}
fn plan(amount: u64, time: u32) -> Result<StakePlan, PlanRefusal> {
    plan_under(fields(), amount, time)
}

#[test]
fn a_planned_funded_and_signed_stake_passes_the_check() {
    for version in [SlashingTxVersion::One, SlashingTxVersion::Two] {
        let plan = plan(200_000, 700).unwrap();
        let staking_tx = tx_paying(vec![
            TxOut { value: sat(7), script_pubkey: plan.outputs().refund.script_pubkey() },
            plan.staking_output(),
        ]);
        let funded = plan.with_funded_version(staking_tx, version).unwrap();
        assert_eq!(funded.staking_outpoint().vout, 1);
        let terms = funded.sign(&staker(), &AUX).unwrap();
        let checked = terms.check(&params()).unwrap();
        assert_eq!(checked.staking_outpoint().vout, 1);
    }
}

#[test]
fn amounts_and_times_out_of_bounds_are_not_planned() {
    assert!(matches!(plan(49_999, 700), Err(PlanRefusal::Amount { .. })));
    assert!(matches!(plan(1_000_001, 700), Err(PlanRefusal::Amount { .. })));
    assert!(matches!(plan(100_000, 499), Err(PlanRefusal::StakingTime { .. })));
    assert!(matches!(plan(100_000, 64_001), Err(PlanRefusal::StakingTime { .. })));
}

#[test]
fn a_key_in_two_roles_is_not_planned() {
    let as_provider = FinalityProviderPublicKey::new(*staker().public_key().x_only());
    let refused = plan_stake(&params(), staker().public_key(), &[as_provider], sat(100_000), blocks(700));
    assert!(matches!(refused, Err(PlanRefusal::Keys(InvalidStakeKeys::Duplicate { .. }))));
}

#[test]
fn a_stake_too_small_to_be_slashed_is_not_planned() {
    let mut narrow = fields();
    narrow.min_staking_value = sat(1001);
    assert!(matches!(
        plan_under(narrow.clone(), 2200, 700),
        Err(PlanRefusal::Slashing(CannotSlash::NoChange { .. }))
    ));
    // 2600 less 260 slashed and 2000 fee leaves 340, 1600 after unbonding leaves nothing.
    assert!(matches!(
        plan_under(narrow.clone(), 2600, 700),
        Err(PlanRefusal::UnbondingSlashing(CannotSlash::NoChange { .. }))
    ));
    assert!(matches!(
        plan_under(narrow, 2500, 700),
        Err(PlanRefusal::Slashing(CannotSlash::Dust { index: 1, .. }))
    ));
}

#[test]
fn a_funded_transaction_must_hold_the_planned_output_exactly_once() {
    let output = plan(100_000, 700).unwrap().staking_output();
    let off_by_one = TxOut { value: output.value - sat(1), ..output.clone() };
    let funded = plan(100_000, 700).unwrap().with_funded(tx_paying(vec![off_by_one]));
    assert!(matches!(funded, Err(PlanRefusal::StakingTx(StakingTxRefusal::NoStakingOutput { .. }))));
    let funded = plan(100_000, 700).unwrap().with_funded(tx_paying(vec![output.clone(), output]));
    assert!(matches!(
        funded,
        Err(PlanRefusal::StakingTx(StakingTxRefusal::Ambiguous { first: 0, second: 1 }))
    ));
}

#[test]
fn only_the_stakers_signatures_make_terms() {
    let funded = || {
        let plan = plan(100_000, 1000).unwrap();
        plan.with_funded(staking_tx()).unwrap()
    };
    let other = StakerSecret::from_bytes(&secret_bytes(b"somebody else")).unwrap();
    assert_eq!(
        funded().sign(&other, &AUX),
        Err(NotTheStaker::Secret { found: other.public_key(), required: staker().public_key() })
    );
    let slashing = staker().sign(funded().slashing_sighash(), &AUX);
    let unbonding_slashing = staker().sign(funded().unbonding_slashing_sighash(), &AUX);
    assert_eq!(funded().with_signatures(slashing, unbonding_slashing).unwrap(), terms());
    let swapped = funded().with_signatures(unbonding_slashing, slashing);
    assert_eq!(swapped, Err(NotTheStaker::Slashing));
    assert_eq!(funded().with_signatures(slashing, slashing), Err(NotTheStaker::UnbondingSlashing));
}

#[test]
fn zero_and_order_are_no_secret_keys() {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order: [u8; 32] = hex::decode(order).unwrap().try_into().unwrap();
    for bytes in [[0; 32], [0xff; 32], order] {
        assert!(StakerSecret::from_bytes(&bytes).is_err());
        assert!(btc_staking_protocol::keys::CovenantSecret::from_bytes(&bytes).is_err());
    }
}
