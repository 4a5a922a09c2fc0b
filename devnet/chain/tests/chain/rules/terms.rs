//! Section 6.6: the Bitcoin data against the params.
//!
//! Most cases plan the stake under params that differ in one field from the chain's: everything is then right but that.

use super::{
    Outcome,
    fixture::{Fixture, altered},
    refuse,
};
use crate::support::{
    World,
    stake::{AMOUNT, Stake, funding_tx, possession},
};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Transaction, Txid,
    consensus::serialize,
    hashes::{Hash, sha256},
    transaction::Version,
};
use btc_staking_babylon::{
    convert::possession::encode_possession, proto::btcstaking::MsgCreateBTCDelegation,
};
use btc_staking_crypto::key::SigningKey;
use btc_staking_protocol::{
    height::Timelock,
    keys::FinalityProviderPublicKey,
    params::ParamsFields,
    sighash::single_input_sighash,
    tx::slashing::{SlashingRules, SlashingTxVersion, build_slashing_tx},
};

/// A registration planned under other params than the chain's.
fn planned(
    w: &World,
    f: &Fixture,
    time: u32,
    change: impl FnOnce(&mut ParamsFields),
) -> MsgCreateBTCDelegation {
    let params = altered(&w.params, change);
    Stake::new(&params, "terms", f.one.public(), time).registration(None)
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World, f: &Fixture) -> Option<Outcome> {
    let message = by_params(case, w, f).or_else(|| by_hand(case, w, f))?;
    Some(refuse(w, "staker", &message).await)
}

fn by_params(case: &str, w: &World, f: &Fixture) -> Option<MsgCreateBTCDelegation> {
    let sat = Amount::from_sat;
    Some(match case {
        "terms_unbonding_time" => {
            planned(w, f, 1000, |p| p.unbonding_time = Timelock::from_blocks(6).unwrap())
        }
        "terms_staking_time" => planned(w, f, 9, |p| p.min_staking_time = Timelock::from_blocks(9).unwrap()),
        "terms_small_value" => {
            let smaller = altered(&w.params, |p| p.min_staking_value = sat(9_999));
            let stake = Stake::of("staker", &smaller, "terms", f.one.public(), (9_999, 1000));
            stake.registration(None)
        }
        "terms_slashing_script" => planned(w, f, 1000, |p| {
            p.slashing_script = ScriptBuf::from_bytes(vec![0x6a, 0x01, 0x01]);
        }),
        "terms_slashing_rate" => planned(w, f, 1000, |p| p.slashing_rate = "0.09".parse().unwrap()),
        "terms_slashing_fee" => planned(w, f, 1000, |p| p.min_slashing_fee = sat(999)),
        "terms_unbonding_fee" => planned(w, f, 1000, |p| p.unbonding_fee = sat(1001)),
        _ => return None,
    })
}

fn by_hand(case: &str, w: &World, f: &Fixture) -> Option<MsgCreateBTCDelegation> {
    let stake = Stake::new(&w.params, "terms", f.one.public(), 1000);
    let good = stake.registration(None);
    let output = stake.checked.staking_prevout();
    Some(match case {
        "terms_staker_is_provider" => {
            // The staker's key named as its provider: registered under that key nowhere, so the key of provider 1 stakes.
            let key = f.one.public();
            let btc_pk = key.to_bytes().to_vec();
            let pop = Some(encode_possession(&possession(f.one.key.signing_key(), "staker")));
            MsgCreateBTCDelegation { btc_pk, pop, ..good }
        }
        "terms_staker_is_member" => {
            let first = sha256::Hash::hash(&[0]).to_byte_array();
            let member = SigningKey::from_bytes(&first).unwrap();
            let pop = Some(encode_possession(&possession(&member, "staker")));
            let btc_pk = member.public_key().serialize().to_vec();
            assert!(w.params.covenant_committee.keys().iter().any(|key| key.to_bytes()[..] == btc_pk));
            MsgCreateBTCDelegation { btc_pk, pop, ..good }
        }
        "terms_no_staking_output" => {
            let mut tx = stake.tx().clone();
            tx.output[0].value = Amount::from_sat(AMOUNT + 1);
            MsgCreateBTCDelegation { staking_tx: serialize(&tx), ..good }
        }
        "terms_two_staking_outputs" => {
            let tx = funding_tx("twice", vec![output.clone(), output]);
            MsgCreateBTCDelegation { staking_tx: serialize(&tx), ..good }
        }
        "terms_staking_value" => {
            let params = altered(&w.params, |p| p.min_staking_value = Amount::from_sat(AMOUNT + 1));
            // The chain's own minimum is far below; a value above its maximum is as good.
            assert!(params.min_staking_value > w.params.min_staking_value);
            return Some(too_large(w, f));
        }
        "terms_insane_staking_tx" => {
            let mut tx = stake.tx().clone();
            tx.input.push(tx.input[0].clone());
            MsgCreateBTCDelegation { staking_tx: serialize(&tx), ..good }
        }
        "terms_slashing_input" => {
            MsgCreateBTCDelegation { slashing_tx: respent(&stake.terms.slashing_tx), ..good }
        }
        "terms_slashing_signature" => {
            let other = good.delegator_unbonding_slashing_sig.clone();
            MsgCreateBTCDelegation { delegator_slashing_sig: other, ..good }
        }
        "terms_unbonding_version" => {
            let mut tx = stake.terms.unbonding_tx.clone();
            tx.version = Version::ONE;
            MsgCreateBTCDelegation { unbonding_tx: serialize(&tx), ..good }
        }
        "terms_unbonding_two_outputs" => {
            let mut tx = stake.terms.unbonding_tx.clone();
            tx.output.push(tx.output[0].clone());
            MsgCreateBTCDelegation { unbonding_tx: serialize(&tx), ..good }
        }
        "terms_unbonding_script" => {
            let mut tx = stake.terms.unbonding_tx.clone();
            tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51]);
            MsgCreateBTCDelegation { unbonding_tx: serialize(&tx), ..good }
        }
        "terms_unbonding_declared" => {
            MsgCreateBTCDelegation { unbonding_value: good.unbonding_value - 1, ..good }
        }
        "terms_unbonding_slashing" => {
            let tx = respent(&stake.terms.unbonding_slashing_tx);
            MsgCreateBTCDelegation { unbonding_slashing_tx: tx, ..good }
        }
        "terms_unbonding_slashing_signature" => {
            let other = good.delegator_slashing_sig.clone();
            MsgCreateBTCDelegation { delegator_unbonding_slashing_sig: other, ..good }
        }
        "terms_unbonding_input" => {
            let mut tx = stake.terms.unbonding_tx.clone();
            tx.input[0].previous_output = OutPoint::new(Txid::hash(b"elsewhere"), 0);
            with_unbonding(&stake, &tx, good)
        }
        "terms_unbonding_pays_more" => {
            let mut tx = stake.terms.unbonding_tx.clone();
            tx.output[0].value = Amount::from_sat(AMOUNT);
            with_unbonding(&stake, &tx, good)
        }
        _ => return None,
    })
}

/// A stake above the largest the params allow.
fn too_large(w: &World, f: &Fixture) -> MsgCreateBTCDelegation {
    use crate::support::{address, secret};
    use btc_staking_protocol::{delegation::plan_stake, keys::StakerSecret};
    let amount = w.params.max_staking_value + Amount::from_sat(1);
    let params = altered(&w.params, |p| p.max_staking_value = amount);
    let staker = StakerSecret::from_bytes(&secret("terms")).unwrap();
    let provider: FinalityProviderPublicKey = f.one.public();
    let time = Timelock::from_blocks(1000).unwrap();
    let plan = plan_stake(&params, staker.public_key(), &[provider], amount, time).unwrap();
    let tx = funding_tx("too large", vec![plan.staking_output()]);
    let terms = plan.with_funded(tx).unwrap().sign(&staker, &[0; 32]).unwrap();
    let sat = |amount: Amount| i64::try_from(amount.to_sat()).unwrap();
    MsgCreateBTCDelegation {
        staker_addr: address("staker"),
        staking_value: sat(terms.staking_value),
        staking_tx: serialize(&terms.staking_tx),
        slashing_tx: serialize(&terms.slashing_tx),
        delegator_slashing_sig: terms.staker_slashing_signature.serialize().to_vec(),
        unbonding_tx: serialize(&terms.unbonding_tx),
        unbonding_value: sat(terms.unbonding_value),
        unbonding_slashing_tx: serialize(&terms.unbonding_slashing_tx),
        delegator_unbonding_slashing_sig: terms.staker_unbonding_slashing_signature.serialize().to_vec(),
        ..Stake::new(&w.params, "terms", provider, 1000).registration(None)
    }
}

/// The same transaction over another outpoint.
fn respent(tx: &Transaction) -> Vec<u8> {
    let mut tx = tx.clone();
    tx.input[0].previous_output = OutPoint::new(Txid::hash(b"elsewhere"), 0);
    serialize(&tx)
}

/// The registration with another unbonding transaction, its slashing rebuilt and signed.
fn with_unbonding(
    stake: &Stake,
    unbonding: &Transaction,
    good: MsgCreateBTCDelegation,
) -> MsgCreateBTCDelegation {
    let params = stake.params();
    let outpoint = OutPoint::new(unbonding.compute_txid(), 0);
    let outputs = stake.checked.outputs();
    let slashing = build_slashing_tx(
        outpoint,
        &unbonding.output[0],
        &outputs.refund,
        SlashingRules::from(&**params),
        SlashingTxVersion::default(),
    )
    .unwrap();
    let leaf = outputs.unbonding.slashing_leaf();
    let sighash = single_input_sighash(&slashing, &unbonding.output[0], leaf).unwrap();
    MsgCreateBTCDelegation {
        unbonding_tx: serialize(unbonding),
        unbonding_value: i64::try_from(unbonding.output[0].value.to_sat()).unwrap(),
        unbonding_slashing_tx: serialize(&slashing),
        delegator_unbonding_slashing_sig: stake.staker().sign(sighash, &[0; 32]).serialize().to_vec(),
        ..good
    }
}
