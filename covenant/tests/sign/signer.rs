//! The signer alone: what it refuses, what it remembers, and what a kill leaves.

use crate::bench::*;
use bitcoin::{Amount, Transaction};
use btc_staking_covenant::{
    records::{NotSafe, SCHEMA, SignLog},
    signer::{Signer, SignerRefusal},
};
use btc_staking_protocol::{
    delegation::{Delegation, ExpansionRecord, Untrue},
    params::{ParamsVersion, StakingParams},
};
use btc_staking_store::testing::{self, Cut};

/// Same staking transaction, another unbonding transaction: two ways out of one output.
fn other_way_out(holder: &str) -> (Delegation, StakingParams) {
    let mut fields = fields(0);
    fields.unbonding_fee = Amount::from_sat(2_000);
    let params = StakingParams::new(fields).unwrap();
    (pending_under(&params, holder, |_| ()), params)
}

#[test]
fn what_a_member_signs_the_chain_can_verify_and_asking_again_gives_the_same_bytes() {
    let bench = Bench::new();
    let delegation = pending("holder");
    let checked = delegation.rebuild(&params(0)).unwrap();
    let signer = bench.signer(0);
    let first = signer.sign(&delegation, &params(0)).unwrap();
    checked.verify_covenant(&first).unwrap();
    assert_eq!(first.covenant, member(0).public_key());
    assert_eq!(first.staking_txid, txid(&delegation));
    assert_eq!(signer.sign(&delegation, &params(0)).unwrap(), first);
    drop(signer);
    assert_eq!(bench.signer(0).sign(&delegation, &params(0)).unwrap(), first, "after a restart too");
}

#[test]
fn a_second_way_out_of_an_output_is_refused_for_ever() {
    let bench = Bench::new();
    let first = pending("holder");
    let (second, other_params) = other_way_out("holder");
    assert_eq!(txid(&first), txid(&second));
    let signer = bench.signer(0);
    signer.sign(&first, &params(0)).unwrap();
    let check = |signer: &Signer| match signer.sign(&second, &other_params).unwrap_err() {
        SignerRefusal::NotSafe(NotSafe::Conflict { recorded, requested, .. }) => {
            assert_eq!(recorded.unbonding_txid, first.terms.unbonding_tx.compute_txid());
            assert_eq!(requested.unbonding_txid, second.terms.unbonding_tx.compute_txid());
        }
        other => panic!("{other}"),
    };
    check(&signer);
    drop(signer);
    let signer = bench.signer(0);
    check(&signer);
    signer.sign(&first, &params(0)).unwrap();
}

#[test]
fn a_different_slashing_of_a_signed_output_is_refused_too() {
    let bench = Bench::new();
    let first = pending("holder");
    let mut fields = fields(0);
    fields.slashing_rate = "0.2".parse().unwrap();
    let other_params = StakingParams::new(fields).unwrap();
    let second = pending_under(&other_params, "holder", |_| ());
    assert_eq!(first.terms.unbonding_tx, second.terms.unbonding_tx);
    let signer = bench.signer(0);
    signer.sign(&first, &params(0)).unwrap();
    let refused = signer.sign(&second, &other_params).unwrap_err();
    assert!(matches!(refused, SignerRefusal::NotSafe(NotSafe::Conflict { .. })), "{refused}");
}

type Edit = fn(&mut Delegation);

#[test]
fn each_thing_that_is_wrong_is_refused_alone_and_leaves_no_record() {
    let rows: [(&str, Edit); 13] = [
        ("params version", |d| d.params_version = ParamsVersion(1)),
        ("staking output index", |d| d.staking_output_index = 1),
        ("staking value", |d| d.terms.staking_value += Amount::from_sat(1)),
        ("staking time", |d| d.terms.staking_time = blocks(STAKING_TIME + 1)),
        ("unbonding time", |d| d.terms.unbonding_time = blocks(UNBONDING_TIME + 1)),
        ("unbonding value", |d| d.terms.unbonding_value += Amount::from_sat(1)),
        ("staker", |d| d.terms.staker = pending("another").terms.staker),
        ("no finality provider", |d| d.terms.finality_providers.clear()),
        ("unbonding transaction", |d| d.terms.unbonding_tx.output[0].value -= Amount::from_sat(1)),
        ("slashing transaction", |d| d.terms.slashing_tx.output.swap(0, 1)),
        ("unbonding slashing transaction", |d| {
            d.terms.unbonding_slashing_tx.output[1].value -= Amount::from_sat(100_000);
        }),
        ("staker's signature on the slashing", |d| {
            d.terms.staker_slashing_signature = d.terms.staker_unbonding_slashing_signature;
        }),
        ("staker's signature on the unbonding slashing", |d| {
            d.terms.staker_unbonding_slashing_signature = d.terms.staker_slashing_signature;
        }),
    ];
    let bench = Bench::new();
    let signer = bench.signer(0);
    for (what, edit) in rows {
        let mut delegation = pending("holder");
        edit(&mut delegation);
        let refused = signer.sign(&delegation, &params(0));
        assert!(matches!(refused, Err(SignerRefusal::Delegation(_))), "{what}: {refused:?}");
    }
    drop(signer);
    assert_eq!(SignLog::open(bench.folder.path()).unwrap().count(), 0);
}

#[test]
fn the_params_of_another_version_are_refused() {
    let bench = Bench::new();
    let refused = bench.signer(0).sign(&pending("holder"), &params(1)).unwrap_err();
    assert!(matches!(refused, SignerRefusal::Delegation(Untrue::ParamsVersion { .. })), "{refused}");
}

#[test]
fn a_stranger_to_the_committee_signs_nothing() {
    let bench = Bench::new();
    let refused = bench.signer(9).sign(&pending("holder"), &params(0)).unwrap_err();
    assert!(matches!(refused, SignerRefusal::NotAMember { version: 0, .. }), "{refused}");
}

#[test]
fn an_expansion_is_refused() {
    let bench = Bench::new();
    let mut delegation = pending("holder");
    delegation.expansion = Some(ExpansionRecord {
        previous_staking_txid: txid(&pending("another")),
        other_funding_output: delegation.terms.staking_tx.output[0].clone(),
        previous_covenant: Vec::new(),
    });
    let refused = bench.signer(0).sign(&delegation, &params(0)).unwrap_err();
    assert!(matches!(refused, SignerRefusal::Expansion), "{refused}");
}

#[test]
fn a_kill_between_record_and_release_never_leads_to_a_second_way_out() {
    let (other, other_params) = other_way_out("holder");
    let delegation = pending("holder");
    let reference = Bench::new().signer(0).sign(&delegation, &params(0)).unwrap();
    for cut in Cut::ALL {
        let bench = Bench::new();
        let store = testing::open_crashing(bench.folder.path(), SCHEMA, 1, cut).unwrap();
        let signer = Signer::new(member(0), SignLog::over(store).unwrap());
        let refused = signer.sign(&delegation, &params(0)).unwrap_err();
        assert!(refused.must_stop(), "{cut:?}: {refused}");
        let again = signer.sign(&delegation, &params(0)).unwrap_err();
        assert!(again.must_stop(), "{cut:?}: nothing is signed after a record failed");
        let left = tempfile::tempdir().unwrap();
        testing::copy_directory(bench.folder.path(), left.path()).unwrap();
        let signer = signer_in(left.path(), 0);
        assert_eq!(signer.sign(&delegation, &params(0)).unwrap(), reference, "{cut:?}");
        assert!(signer.sign(&other, &other_params).is_err(), "{cut:?}");
    }
}

#[test]
fn two_stakes_in_one_transaction_are_told_apart_by_output() {
    let bench = Bench::new();
    let moved = pending_with("holder", |tx: &mut Transaction| {
        let extra = bitcoin::TxOut {
            value: Amount::from_sat(5_000),
            script_pubkey: tx.output[0].script_pubkey.clone(),
        };
        tx.output.insert(0, extra);
    });
    assert_eq!(moved.staking_output_index, 1);
    let set = bench.signer(0).sign(&moved, &params(0)).unwrap();
    moved.rebuild(&params(0)).unwrap().verify_covenant(&set).unwrap();
}
