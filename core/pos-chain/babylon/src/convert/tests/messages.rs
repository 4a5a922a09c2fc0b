//! Every message to the wire and back, and back again to the same bytes.

use super::samples::*;
use crate::{
    convert::{
        Problem,
        message::{decode_message, encode_message, is_refundable},
    },
    proto::{Any, btcstaking::MsgAddCovenantSigs},
};
use btc_staking_pos_chain::message::{
    ChainMessage, CommissionRates, Description, FinalityProviderRegistration, RecoveredSecret, RewardKind,
    UndelegationReport,
};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, DelegationRequest},
    finality::{
        evidence::FinalityProviderSecret,
        randomness::RandomnessCommitment,
        vote::{EotsSignature, MerkleProof, PublicRandomness, SignedVote, VoteMessage},
    },
    height::PosHeight,
    keys::AccountAddress,
    possession::ProofOfPossession,
    rate::Decimal,
};
use prost::Message;
use std::sync::Arc;

fn description() -> Description {
    Description { moniker: "one".into(), website: "https://one.example".into(), ..Description::default() }
}
fn signature_set() -> CovenantSignatureSet {
    CovenantSignatureSet {
        covenant: covenant(),
        staking_txid: tx(1, 2).compute_txid(),
        slashing: vec![adaptor(1)],
        unbonding: schnorr(4),
        unbonding_slashing: vec![adaptor(2)],
        expansion: None,
    }
}
fn vote() -> SignedVote {
    SignedVote {
        finality_provider: provider(),
        message: VoteMessage { height: PosHeight::new(12), app_hash: [7; 32] },
        public_randomness: PublicRandomness::from_bytes([1; 32]),
        proof: MerkleProof { total: 100, index: 2, leaf_hash: [2; 32], aunts: vec![[3; 32], [4; 32]] },
        signature: EotsSignature::from_bytes([5; 32]),
    }
}

/// One or more of every kind, with its full name and whether its fee is refunded.
fn every_message() -> Vec<(&'static str, bool, ChainMessage)> {
    let secret = FinalityProviderSecret::from_bytes(&[9; 32]).unwrap();
    let expand = DelegationRequest { expansion: Some(expansion()), ..request() };
    let proven = DelegationRequest { inclusion: Some(inclusion()), ..request() };
    let signed_expansion = CovenantSignatureSet { expansion: Some(schnorr(6)), ..signature_set() };
    let rates = CommissionRates {
        rate: "0.03".parse().unwrap(),
        max_rate: Decimal::ONE,
        max_change_rate: Decimal::ZERO,
    };
    let registration = FinalityProviderRegistration {
        account: account(),
        finality_provider: provider(),
        possession: ProofOfPossession::Bip322 { address: "bc1q".into(), witness: vec![2, 1, 1] },
        description: description(),
        commission: rates,
    };
    let edit = |commission| ChainMessage::EditFinalityProvider {
        finality_provider: provider(),
        description: description(),
        commission,
    };
    let report = UndelegationReport {
        staking_txid: tx(1, 2).compute_txid(),
        spending_tx: tx_with_witness(),
        proof: inclusion(),
        funding_txs: vec![tx(1, 2)],
    };
    let commitment = RandomnessCommitment {
        finality_provider: provider(),
        start_height: PosHeight::new(100),
        count: 8_192,
        root: [3; 32],
        signature: schnorr(7),
    };
    let proof = ChainMessage::AddInclusionProof { staking_txid: tx(1, 2).compute_txid(), proof: inclusion() };
    use ChainMessage as M;
    vec![
        ("btcstaking.v1.MsgCreateFinalityProvider", false, M::CreateFinalityProvider(Box::new(registration))),
        ("btcstaking.v1.MsgEditFinalityProvider", false, edit(Some("0.03".parse().unwrap()))),
        ("btcstaking.v1.MsgEditFinalityProvider", false, edit(None)),
        ("finality.v1.MsgUnjailFinalityProvider", false, M::UnjailFinalityProvider(provider())),
        ("btcstaking.v1.MsgCreateBTCDelegation", false, M::RegisterDelegation(Box::new(request()))),
        ("btcstaking.v1.MsgCreateBTCDelegation", false, M::RegisterDelegation(Box::new(proven))),
        ("btcstaking.v1.MsgBtcStakeExpand", false, M::RegisterDelegation(Box::new(expand))),
        ("btcstaking.v1.MsgAddCovenantSigs", true, M::AddCovenantSignatures(Box::new(signature_set()))),
        ("btcstaking.v1.MsgAddCovenantSigs", true, M::AddCovenantSignatures(Box::new(signed_expansion))),
        ("btcstaking.v1.MsgAddBTCDelegationInclusionProof", true, proof),
        ("btcstaking.v1.MsgBTCUndelegate", true, M::ReportUndelegation(Box::new(report))),
        (
            "btcstaking.v1.MsgSelectiveSlashingEvidence",
            true,
            M::SelectiveSlashingEvidence(RecoveredSecret(Arc::new(secret))),
        ),
        ("finality.v1.MsgCommitPubRandList", false, M::CommitRandomness(commitment)),
        ("finality.v1.MsgAddFinalitySig", true, M::AddFinalitySignature(Box::new(vote()))),
        ("btclightclient.v1.MsgInsertHeaders", true, M::InsertHeaders(vec![header(), header()])),
        ("incentive.MsgWithdrawReward", false, M::WithdrawReward(RewardKind::Costaker)),
        ("incentive.MsgSetWithdrawAddress", false, M::SetWithdrawAddress(account())),
    ]
}

#[test]
fn every_message_survives_the_wire_with_its_signer() {
    for (name, _, message) in every_message() {
        let any = encode_message(&message, &account()).unwrap();
        assert_eq!(any.type_url, format!("/babylon.{name}"));
        let (signer, decoded) = decode_message(&any).unwrap();
        assert_eq!(signer, account(), "{name}");
        assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
        assert_eq!(encode_message(&decoded, &signer).unwrap(), any, "{name}");
    }
}

#[test]
fn refunds_follow_the_chains_list() {
    for (name, refundable, message) in every_message() {
        assert_eq!(is_refundable(&message), refundable, "{name}");
    }
}

#[test]
fn every_truncation_of_a_message_is_an_error_or_a_smaller_message_but_never_a_panic() {
    for (_, _, message) in every_message() {
        let any = encode_message(&message, &account()).unwrap();
        for length in 0..any.value.len() {
            let cut = Any { value: any.value[..length].to_vec(), ..any.clone() };
            if let Ok((signer, decoded)) = decode_message(&cut) {
                assert!(encode_message(&decoded, &signer).is_ok());
            }
        }
    }
}

#[test]
fn unknown_kinds_and_foreign_bytes_are_refused_by_name() {
    let unknown = Any { type_url: "/cosmos.bank.v1beta1.MsgSend".into(), value: Vec::new() };
    assert!(matches!(decode_message(&unknown).unwrap_err().problem, Problem::UnknownMessage(_)));
    let garbage = Any { type_url: "/babylon.btcstaking.v1.MsgAddCovenantSigs".into(), value: vec![0xff; 3] };
    let error = decode_message(&garbage).unwrap_err();
    assert_eq!(error.path, "MsgAddCovenantSigs.value");
    assert!(matches!(error.problem, Problem::Protobuf { .. }));
}

#[test]
fn a_message_that_names_its_account_is_not_sent_from_another() {
    let other = AccountAddress::from_bytes("bbn", &[6; 20]).unwrap();
    for (name, _, message) in every_message() {
        let named = name.contains("MsgCreate") || name.contains("StakeExpand");
        assert_eq!(encode_message(&message, &other).is_err(), named, "{name}");
    }
}

#[test]
fn an_expansion_cannot_carry_an_inclusion_proof() {
    let both = DelegationRequest { inclusion: Some(inclusion()), expansion: Some(expansion()), ..request() };
    let error = encode_message(&ChainMessage::RegisterDelegation(Box::new(both)), &account()).unwrap_err();
    assert_eq!(error.path, "staking_tx_inclusion_proof");
}

#[test]
fn an_ordinary_delegation_never_carries_an_empty_expansion_signature() {
    // wire.md 1.6: present and empty counts as present.
    let message = ChainMessage::AddCovenantSignatures(Box::new(signature_set()));
    let any = encode_message(&message, &account()).unwrap();
    let decoded = MsgAddCovenantSigs::decode(any.value.as_slice()).unwrap();
    assert_eq!(decoded.stake_expansion_tx_sig, None);
    let empty = MsgAddCovenantSigs { stake_expansion_tx_sig: Some(Vec::new()), ..decoded };
    let empty = Any { value: empty.encode_to_vec(), ..any };
    let error = decode_message(&empty).unwrap_err();
    assert_eq!(error.path, "MsgAddCovenantSigs.stake_expansion_tx_sig");
    assert_eq!(error.problem, Problem::Length { found: 0, expected: 64 });
}

#[test]
fn the_secret_is_not_printed() {
    for (name, _, message) in every_message() {
        if name.contains("Selective") {
            let any = encode_message(&message, &account()).unwrap();
            let wire =
                crate::proto::btcstaking::MsgSelectiveSlashingEvidence::decode(any.value.as_slice()).unwrap();
            assert!(!format!("{message:?}{wire:?}").contains("9, 9, 9"));
        }
    }
}
