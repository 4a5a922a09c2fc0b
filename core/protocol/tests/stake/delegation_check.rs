//! Every predicate of the delegation check, broken alone: the stake is consistent and signed in all other respects.

use crate::example::*;
use bitcoin::{
    Amount, ScriptBuf, Sequence, TxOut,
    absolute::LockTime,
    hashes::{Hash, sha256},
    transaction::Version,
};
use btc_staking_protocol::{
    delegation::{
        Delegation, DelegationRefusal as Refusal, DelegationRequest, DelegationStatus, ExpansionRequest,
        RequestRefusal, Untrue,
    },
    inclusion::InclusionProof,
    keys::{AccountAddress, StakerSecret},
    params::{ParamsFields, ParamsVersion},
    possession::ProofOfPossession,
    script::{InvalidStakeKeys, KeyRole},
    tx::{
        expansion::ExpansionTxRefusal,
        sanity::{Insane, NotPresignable},
        slashing::SlashingTxRefusal,
        staking::StakingTxRefusal,
    },
};

fn refusal(forge: &Forge) -> Refusal {
    forge.make().check(&params()).unwrap_err()
}

fn with_params(edit: impl Fn(&mut ParamsFields)) -> Forge {
    let mut forge = Forge::default();
    edit(&mut forge.params);
    forge
}

macro_rules! assert_refused {
    ($forge:expr, $pattern:pat $(if $guard:expr)?) => {
        let refusal = refusal(&$forge);
        assert!(matches!(&refusal, $pattern $(if $guard)?), "{refusal:?}");
    };
}

#[test]
fn the_unbroken_stake_passes_with_either_slashing_version() {
    let checked = Forge::default().make().check(&params()).unwrap();
    assert_eq!(checked, checked_again());
    let version_2 = Forge {
        slashing: Box::new(|tx| tx.version = Version::TWO),
        unbonding_slashing: Box::new(|tx| tx.version = Version::TWO),
        ..Forge::default()
    };
    version_2.make().check(&params()).unwrap();
}

fn checked_again() -> btc_staking_protocol::delegation::CheckedDelegation {
    Forge::default().make().check(&params()).unwrap()
}

#[test]
fn an_unbonding_time_other_than_the_params_is_refused() {
    for time in [100, 102] {
        let forge = with_params(|params| params.unbonding_time = blocks(time));
        assert_refused!(forge, Refusal::UnbondingTime { found, .. } if *found == blocks(time));
    }
}

#[test]
fn a_key_in_two_roles_is_refused() {
    let as_provider =
        |key: [u8; 32]| btc_staking_protocol::keys::FinalityProviderPublicKey::from_slice(&key).unwrap();
    let staker = staker().public_key().to_bytes();
    let member = member_key(2).to_bytes();
    for (providers, first, second) in [
        (vec![as_provider(staker)], KeyRole::Staker, KeyRole::FinalityProvider),
        (vec![as_provider(member)], KeyRole::FinalityProvider, KeyRole::Covenant),
        (vec![provider_key(), provider_key()], KeyRole::FinalityProvider, KeyRole::FinalityProvider),
    ] {
        let forge = Forge {
            terms: Box::new(move |terms| terms.finality_providers = providers.clone()),
            ..Forge::default()
        };
        assert_refused!(
            forge,
            Refusal::Keys(InvalidStakeKeys::Duplicate { first: f, second: s, .. }) if (*f, *s) == (first, second)
        );
    }
    let staker_is_member = Forge {
        terms: Box::new(|terms| {
            terms.staker = btc_staking_protocol::keys::StakerPublicKey::new(*member_key(0).x_only());
        }),
        ..Forge::default()
    };
    assert_refused!(
        staker_is_member,
        Refusal::Keys(InvalidStakeKeys::Duplicate { first: KeyRole::Staker, second: KeyRole::Covenant, .. })
    );
}

#[test]
fn a_stake_to_nobody_is_refused() {
    let forge = Forge { terms: Box::new(|terms| terms.finality_providers.clear()), ..Forge::default() };
    assert_refused!(forge, Refusal::Keys(InvalidStakeKeys::NoFinalityProvider));
}

#[test]
fn a_staking_transaction_without_exactly_one_staking_output_is_refused() {
    let none = StakingTxRefusal::NoStakingOutput { expected: sat(100_000) };
    let wrong_value = Forge { staking: Box::new(|tx| tx.output[0].value += sat(1)), ..Forge::default() };
    assert_refused!(wrong_value, Refusal::StakingTx(reason) if *reason == none);
    let wrong_script = Forge {
        staking: Box::new(|tx| tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x51])),
        ..Forge::default()
    };
    assert_refused!(wrong_script, Refusal::StakingTx(reason) if *reason == none);
    let twice = Forge { staking: Box::new(|tx| tx.output.push(tx.output[0].clone())), ..Forge::default() };
    assert_refused!(twice, Refusal::StakingTx(StakingTxRefusal::Ambiguous { first: 0, second: 1 }));
}

#[test]
fn another_committee_or_quorum_is_refused() {
    for other in [committee(1..6, 3), committee(0..5, 4), committee(0..4, 3)] {
        let forge = with_params(|params| params.covenant_committee = other.clone());
        assert_refused!(forge, Refusal::StakingTx(StakingTxRefusal::NoStakingOutput { .. }));
    }
}

#[test]
fn a_staking_time_out_of_bounds_is_refused() {
    for (time, accepted) in [(499, false), (500, true), (64_000, true), (64_001, false)] {
        let forge = Forge { time: blocks(time), ..Forge::default() };
        if accepted {
            forge.make().check(&params()).unwrap();
            continue;
        }
        assert_refused!(forge, Refusal::StakingTime { found, .. } if *found == blocks(time));
    }
}

#[test]
fn a_staking_value_out_of_bounds_is_refused() {
    for (value, accepted) in [(49_999, false), (50_000, true), (1_000_000, true), (1_000_001, false)] {
        let forge = Forge { value: sat(value), ..Forge::default() };
        if accepted {
            forge.make().check(&params()).unwrap();
            continue;
        }
        assert_refused!(forge, Refusal::StakingValue { found, .. } if *found == sat(value));
    }
}

#[test]
fn an_insane_staking_transaction_and_a_coinbase_are_refused() {
    let twice = Forge { staking: Box::new(|tx| tx.input.push(tx.input[0].clone())), ..Forge::default() };
    assert_refused!(twice, Refusal::StakingTx(StakingTxRefusal::Insane(Insane::DuplicateInput(_))));
    let coinbase = Forge {
        staking: Box::new(|tx| {
            tx.input[0].previous_output = bitcoin::OutPoint::null();
            tx.input[0].script_sig = ScriptBuf::from_bytes(vec![1, 2]);
        }),
        ..Forge::default()
    };
    assert_refused!(coinbase, Refusal::StakingTx(StakingTxRefusal::Coinbase));
}

#[test]
fn a_slashing_transaction_that_slashes_too_little_is_refused() {
    // The rules themselves are tested one by one in `slashing_tx`.
    let forge = Forge { slashing: Box::new(|tx| tx.output[0].value -= sat(1)), ..Forge::default() };
    assert_refused!(
        forge,
        Refusal::SlashingTx(SlashingTxRefusal::TooLittle { found, required })
            if (*found, *required) == (sat(9999), sat(10_000))
    );
}

#[test]
fn a_slashing_transaction_the_staker_did_not_sign_is_refused() {
    let other = StakerSecret::from_bytes(&secret_bytes(b"somebody else")).unwrap();
    let sighash = checked().sighashes().slashing;
    let by_other = other.sign(sighash, &AUX);
    let by_staker_over_other = Forge::default().make().staker_unbonding_slashing_signature;
    for signature in [by_other, by_staker_over_other] {
        let forge = Forge {
            terms: Box::new(move |terms| terms.staker_slashing_signature = signature),
            ..Forge::default()
        };
        assert_refused!(forge, Refusal::StakerSlashingSignature);
    }
}

#[test]
fn an_unbonding_transaction_of_another_shape_is_refused() {
    type Row = (fn(&mut bitcoin::Transaction), fn(&NotPresignable) -> bool);
    let rows: [Row; 9] = [
        (|tx| tx.version = Version::ONE, |r| matches!(r, NotPresignable::Version { found: 1, .. })),
        (|tx| tx.version = Version(3), |r| matches!(r, NotPresignable::Version { found: 3, .. })),
        (|tx| tx.lock_time = LockTime::from_consensus(1), |r| matches!(r, NotPresignable::LockTime(_))),
        (|tx| tx.input[0].sequence = Sequence(0xffff_fffe), |r| matches!(r, NotPresignable::Sequence(_))),
        (
            |tx| tx.input[0].script_sig = ScriptBuf::from_bytes(vec![0x51]),
            |r| matches!(r, NotPresignable::ScriptSig(1)),
        ),
        (
            |tx| {
                let mut second = tx.input[0].clone();
                second.previous_output.vout += 1;
                tx.input.push(second);
            },
            |r| matches!(r, NotPresignable::InputCount(2)),
        ),
        (
            |tx| tx.output.push(TxOut { value: sat(0), script_pubkey: ScriptBuf::new() }),
            |r| matches!(r, NotPresignable::OutputCount { found: 2, expected: 1 }),
        ),
        (
            |tx| tx.input[0].witness = bitcoin::Witness::from_slice(&[vec![0; 400_000]]),
            |r| matches!(r, NotPresignable::Weight(_)),
        ),
        (
            |tx| tx.input[0].previous_output = bitcoin::OutPoint { vout: 0, ..bitcoin::OutPoint::null() },
            |_| false,
        ),
    ];
    for (index, (edit, expected)) in rows.into_iter().enumerate() {
        let forge = Forge { unbonding: Box::new(edit), ..Forge::default() };
        let refusal = refusal(&forge);
        match &refusal {
            Refusal::UnbondingShape(reason) => assert!(expected(reason), "{index}: {refusal:?}"),
            // The last row has a fine shape and spends another outpoint.
            other => assert!(index == 8 && matches!(other, Refusal::UnbondingInput { .. }), "{refusal:?}"),
        }
    }
}

#[test]
fn an_unbonding_transaction_to_another_script_is_refused() {
    let forge = Forge {
        unbonding: Box::new(|tx| {
            let mut script = tx.output[0].script_pubkey.to_bytes();
            script[10] ^= 1;
            tx.output[0].script_pubkey = ScriptBuf::from_bytes(script);
        }),
        ..Forge::default()
    };
    assert_refused!(forge, Refusal::UnbondingScript { .. });
}

#[test]
fn a_declared_unbonding_value_other_than_the_output_is_refused() {
    for difference in [1u64, 1000] {
        let forge = Forge {
            terms: Box::new(move |terms| terms.unbonding_value -= sat(difference)),
            ..Forge::default()
        };
        assert_refused!(forge, Refusal::UnbondingValue { .. });
    }
}

#[test]
fn an_unbonding_slashing_transaction_against_the_rules_is_refused() {
    let over_staking = Forge::default().make().slashing_tx.input[0].previous_output;
    let forge = Forge {
        unbonding_slashing: Box::new(move |tx| tx.input[0].previous_output = over_staking),
        ..Forge::default()
    };
    assert_refused!(forge, Refusal::UnbondingSlashingTx(SlashingTxRefusal::WrongInput { .. }));
}

#[test]
fn an_unbonding_slashing_transaction_the_staker_did_not_sign_is_refused() {
    let signature = Forge::default().make().staker_slashing_signature;
    let forge = Forge {
        terms: Box::new(move |terms| terms.staker_unbonding_slashing_signature = signature),
        ..Forge::default()
    };
    assert_refused!(forge, Refusal::StakerUnbondingSlashingSignature);
}

#[test]
fn an_unbonding_transaction_that_spends_something_else_is_refused() {
    let other_index = Forge {
        staking: Box::new(|tx| tx.output.push(TxOut { value: sat(1), script_pubkey: ScriptBuf::new() })),
        unbonding: Box::new(|tx| tx.input[0].previous_output.vout = 1),
        ..Forge::default()
    };
    assert_refused!(other_index, Refusal::UnbondingInput { found, required } if found.vout == 1 && required.vout == 0);
    let other_txid = Forge {
        unbonding: Box::new(|tx| tx.input[0].previous_output.txid = bitcoin::Txid::from_byte_array([7; 32])),
        ..Forge::default()
    };
    assert_refused!(other_txid, Refusal::UnbondingInput { .. });
}

#[test]
fn an_unbonding_fee_other_than_the_params_is_refused() {
    for (value, refused_as_fee) in [(98_999u64, true), (99_001, true), (100_000, false), (100_001, false)] {
        let forge =
            Forge { unbonding: Box::new(move |tx| tx.output[0].value = sat(value)), ..Forge::default() };
        let refusal = refusal(&forge);
        let expected = if refused_as_fee {
            Refusal::UnbondingFee { found: sat(100_000 - value), required: sat(1000) }
        } else {
            Refusal::UnbondingNotBelowStaking { unbonding: sat(value), staking: sat(100_000) }
        };
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_refusal_says_what_was_wrong_and_what_would_be_right() {
    let forge = Forge { value: sat(49_999), ..Forge::default() };
    assert_eq!(
        refusal(&forge).to_string(),
        "staking value is 0.00049999 BTC, the params allow 0.00050000 BTC to 0.01000000 BTC"
    );
}

// Requests

fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[7; 20]).unwrap()
}

fn request() -> DelegationRequest {
    let digest = sha256::Hash::hash(account().bytes()).to_byte_array();
    let signature = staker().signing_key().sign_schnorr(&digest, &AUX);
    DelegationRequest {
        staker_account: account(),
        possession: ProofOfPossession::Bip340(signature),
        terms: terms(),
        inclusion: None,
        expansion: None,
    }
}

#[test]
fn a_request_passes_with_everything_in_place() {
    let checked = request().check(&params()).unwrap();
    assert_eq!(checked.terms(), &terms());
    assert_eq!(checked.params_version(), ParamsVersion(3));
}

#[test]
fn a_request_by_an_account_the_key_did_not_agree_to_is_refused() {
    let mut request = request();
    request.staker_account = AccountAddress::from_bytes("bbn", &[8; 20]).unwrap();
    assert!(matches!(request.check(&params()), Err(RequestRefusal::Possession(_))));
}

#[test]
fn a_request_to_more_or_fewer_than_one_provider_is_refused() {
    let mut request = request();
    request.terms.finality_providers.clear();
    assert_eq!(request.check(&params()), Err(RequestRefusal::FinalityProviderCount(0)));
    let second = btc_staking_protocol::keys::FinalityProviderPublicKey::new(*other_provider(1).public_key());
    request.terms.finality_providers = vec![provider_key(), second];
    assert_eq!(request.check(&params()), Err(RequestRefusal::FinalityProviderCount(2)));
    request.terms.finality_providers = vec![provider_key(), provider_key()];
    assert_eq!(request.check(&params()), Err(RequestRefusal::DuplicateFinalityProvider(provider_key())));
}

#[test]
fn a_request_with_refused_terms_is_refused() {
    let mut request = request();
    request.terms.unbonding_value = Amount::ZERO;
    assert!(matches!(request.check(&params()), Err(RequestRefusal::Terms(Refusal::UnbondingValue { .. }))));
}

#[test]
fn an_expansion_request_must_fit_its_transaction_and_come_without_proof() {
    let funding_tx = funding_tx(1000);
    let mut request = request();
    let previous_staking_txid = request.terms.staking_tx.input[0].previous_output.txid;
    request.expansion = Some(ExpansionRequest { previous_staking_txid, funding_tx });
    assert_eq!(request.check(&params()), Err(RequestRefusal::Expansion(ExpansionTxRefusal::InputCount(1))));
    request.inclusion =
        Some(InclusionProof { block_hash: bitcoin::BlockHash::all_zeros(), index: 1, siblings: vec![] });
    assert_eq!(request.check(&params()), Err(RequestRefusal::ExpansionWithProof));
}

// Delegations told by the chain

fn told() -> Delegation {
    Delegation {
        staker_account: account(),
        terms: terms(),
        staking_output_index: 0,
        params_version: ParamsVersion(3),
        inclusion: None,
        covenant: signed_by(&checked(), 0..3),
        unbonded: None,
        expansion: None,
        status: DelegationStatus::Verified,
    }
}

#[test]
fn a_told_delegation_is_rebuilt_only_if_its_bytes_agree() {
    assert_eq!(told().rebuild(&params()).unwrap(), checked());
    let mut other_index = told();
    other_index.staking_output_index = 1;
    assert_eq!(other_index.rebuild(&params()), Err(Untrue::StakingOutputIndex { told: 1, found: 0 }));
    let mut other_params = told();
    other_params.params_version = ParamsVersion(2);
    assert_eq!(
        other_params.rebuild(&params()),
        Err(Untrue::ParamsVersion { found: ParamsVersion(3), required: ParamsVersion(2) })
    );
    let mut other_value = told();
    other_value.terms.staking_value += sat(1);
    assert!(matches!(other_value.rebuild(&params()), Err(Untrue::Terms(_))));
}
