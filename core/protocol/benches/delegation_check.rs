//! What a delegation costs: the whole check, and what a covenant member signs for it.

#![allow(clippy::unwrap_used, missing_docs)] // a bench stops where something fails, and exports nothing but its group

use bitcoin::{
    Amount, ScriptBuf, Transaction, TxIn,
    absolute::LockTime,
    hashes::{Hash, sha256},
    key::TapTweak,
    secp256k1::{Message, SECP256K1},
    transaction::Version,
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{DelegationRequest, plan_stake},
    height::{BtcHeight, Timelock},
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey, StakerSecret},
    output::{StakeOutputs, internal_key},
    params::{ParamsFields, ParamsVersion, StakingParams},
    possession::ProofOfPossession,
    rate::Decimal,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn secret(label: &str) -> [u8; 32] {
    sha256::Hash::hash(label.as_bytes()).to_byte_array()
}
fn member(number: u8) -> CovenantSecret {
    CovenantSecret::from_bytes(&secret(&format!("member {number}"))).unwrap()
}
fn blocks(number: u32) -> Timelock {
    Timelock::from_blocks(number).unwrap()
}

/// A committee of nine with quorum six, as on mainnet.
fn params() -> StakingParams {
    let members = (0..9).map(|number| member(number).public_key()).collect();
    StakingParams::new(ParamsFields {
        version: ParamsVersion(0),
        btc_activation_height: BtcHeight::new(0),
        covenant_committee: CovenantCommittee::new(6, members).unwrap(),
        min_staking_value: Amount::from_sat(500_000),
        max_staking_value: Amount::from_sat(5_000_000),
        min_staking_time: blocks(64_000),
        max_staking_time: blocks(64_000),
        slashing_script: ScriptBuf::from_hex("6a07626162796c6f6e").unwrap(),
        min_slashing_fee: Amount::from_sat(100_000),
        slashing_rate: "0.001".parse().unwrap(),
        unbonding_time: blocks(1008),
        unbonding_fee: Amount::from_sat(64_000),
        min_commission_rate: Decimal::ZERO,
        delegation_creation_base_gas_fee: 0,
        allow_list_expiration_height: 0,
    })
    .unwrap()
}

fn request(params: &StakingParams) -> DelegationRequest {
    let staker = StakerSecret::from_bytes(&secret("staker")).unwrap();
    let provider = StakerSecret::from_bytes(&secret("provider")).unwrap();
    let provider = FinalityProviderPublicKey::new(*provider.public_key().x_only());
    let amount = Amount::from_sat(1_000_000);
    let plan = plan_stake(params, staker.public_key(), &[provider], amount, blocks(64_000)).unwrap();
    let staking_tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: bitcoin::OutPoint::new(bitcoin::Txid::from_byte_array([1; 32]), 0),
            ..TxIn::default()
        }],
        output: vec![plan.staking_output()],
    };
    let staker_account = AccountAddress::from_bytes("bbn", &[7; 20]).unwrap();
    let digest = sha256::Hash::hash(staker_account.bytes()).to_byte_array();
    DelegationRequest {
        possession: ProofOfPossession::Bip340(staker.signing_key().sign_schnorr(&digest, &[0; 32])),
        staker_account,
        terms: plan.with_funded(staking_tx).unwrap().sign(&staker, &[0; 32]).unwrap(),
        inclusion: None,
        expansion: None,
    }
}

fn delegation(criterion: &mut Criterion) {
    let params = params();
    let request = request(&params);
    let checked = request.check(&params).unwrap();
    let set = checked.sign_covenant(&member(0), &[0; 32]).unwrap();
    let message = Message::from_digest(checked.sighashes().slashing.to_byte_array());
    let staker = *checked.terms().staker.x_only();
    criterion.bench_function("libsecp256k1 Schnorr verification, for comparison", |bench| {
        let signature = &checked.terms().staker_slashing_signature;
        bench.iter(|| SECP256K1.verify_schnorr(black_box(signature), &message, &staker).unwrap());
    });
    criterion.bench_function("taproot tweak, for comparison", |bench| {
        let root = checked.outputs().staking.merkle_root();
        bench.iter(|| internal_key().tap_tweak(SECP256K1, Some(black_box(root))));
    });
    criterion.bench_function("StakeOutputs::new, 9 covenant keys", |bench| {
        let keys = checked.outputs().keys();
        bench.iter(|| StakeOutputs::new(black_box(keys).clone(), blocks(64_000), blocks(1008)));
    });
    criterion.bench_function("DelegationRequest::check, 9 covenant keys", |bench| {
        bench.iter(|| black_box(&request).check(black_box(&params)).unwrap());
    });
    criterion.bench_function("CheckedDelegation::sign_covenant", |bench| {
        bench.iter(|| checked.sign_covenant(&member(0), black_box(&[0; 32])).unwrap());
    });
    criterion.bench_function("CheckedDelegation::verify_covenant", |bench| {
        bench.iter(|| checked.verify_covenant(black_box(&set)).unwrap());
    });
}

criterion_group!(benches, delegation);
criterion_main!(benches);
