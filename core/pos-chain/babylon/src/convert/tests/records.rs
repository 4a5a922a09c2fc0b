//! What the chain answers, to protocol types and back.

use super::samples::*;
use crate::{
    convert::{
        Problem,
        bytes::encode_text,
        delegation::{decode_delegation, decode_status_name, encode_delegation, status_name},
        finality::{
            decode_block, decode_evidence, decode_stored_commitment, decode_stored_evidence, encode_block,
            encode_evidence, encode_stored_commitment, encode_stored_evidence,
        },
        headers::{
            decode_header_info, decode_light_client_header, encode_header_info, encode_light_client_header,
        },
        params::{
            decode_checkpoint_params, decode_finality_params, decode_staking_params,
            encode_checkpoint_params, encode_finality_params, encode_staking_params,
        },
        possession::{decode_possession, encode_possession},
        provider::{decode_finality_provider, encode_finality_provider},
    },
    proto::Timestamp,
};
use bitcoin::{Amount, ScriptBuf, TxOut, Txid, hashes::Hash};
use btc_staking_pos_chain::{
    CheckpointParams, FinalityParams, FinalityProvider, IndexedBlock, LightClientHeader, SlashedAt,
    StoredCommitment,
    message::{CommissionRates, Description},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{
        CovenantSignatures, Delegation, DelegationStatus, ExpansionRecord, InclusionHeights, ReportedSpend,
    },
    finality::{
        evidence::Evidence,
        vote::{EotsSignature, PublicRandomness},
    },
    height::{BtcDepth, BtcHeight, Epoch, PosHeight, Timelock},
    params::{ParamsFields, ParamsVersion, StakingParams},
    possession::ProofOfPossession,
    rate::{Decimal, SlashingRate},
};

fn delegation() -> Delegation {
    Delegation {
        staker_account: account(),
        terms: terms(),
        staking_output_index: 1,
        params_version: ParamsVersion(2),
        inclusion: Some(InclusionHeights { start: BtcHeight::new(100), end: BtcHeight::new(1_100) }),
        covenant: CovenantSignatures {
            slashing: vec![(covenant(), vec![adaptor(1)])],
            unbonding: vec![(covenant(), schnorr(4))],
            unbonding_slashing: vec![(covenant(), vec![adaptor(2)])],
        },
        unbonded: None,
        expansion: None,
        status: DelegationStatus::Active,
    }
}

#[test]
fn bytes_behind_a_holders_transactions_hide_no_stake() {
    // The chain takes and keeps such bytes (`bitcoin.md` 12.3). Whoever slashes must find the same stake as without them.
    let record = ExpansionRecord {
        previous_staking_txid: Txid::from_byte_array([4; 32]),
        other_funding_output: TxOut { value: Amount::from_sat(7), script_pubkey: ScriptBuf::new() },
        previous_covenant: vec![(covenant(), schnorr(5))],
    };
    let honest = Delegation {
        unbonded: Some(ReportedSpend::Other(Box::new(tx_with_witness()))),
        status: DelegationStatus::Unbonded,
        expansion: Some(record),
        ..delegation()
    };
    for behind in ["00", "ffff", &encode_text(&tx(1, 2))] {
        let mut told = encode_delegation(&honest);
        let undelegation = told.undelegation_response.as_mut().unwrap();
        let spend = undelegation.delegator_unbonding_info_response.as_mut().unwrap();
        for field in [
            &mut told.staking_tx_hex,
            &mut told.slashing_tx_hex,
            &mut undelegation.unbonding_tx_hex,
            &mut undelegation.slashing_tx_hex,
            &mut spend.spend_stake_tx_hex,
            &mut told.stk_exp.as_mut().unwrap().other_funding_tx_out_hex,
        ] {
            field.push_str(behind);
        }
        assert_eq!(decode_delegation(&told).as_ref(), Ok(&honest), "{behind}");
        told.slashing_tx_hex.truncate(20);
        assert_eq!(decode_delegation(&told).unwrap_err().path, "slashing_tx_hex");
    }
}

#[test]
fn delegations_in_every_state_survive_the_wire() {
    let record = ExpansionRecord {
        previous_staking_txid: Txid::from_byte_array([4; 32]),
        other_funding_output: TxOut { value: Amount::from_sat(7), script_pubkey: ScriptBuf::new() },
        previous_covenant: vec![(covenant(), schnorr(5))],
    };
    let pending = Delegation {
        inclusion: None,
        covenant: CovenantSignatures::default(),
        status: DelegationStatus::Pending,
        ..delegation()
    };
    let left =
        |spend| Delegation { unbonded: Some(spend), status: DelegationStatus::Unbonded, ..delegation() };
    let states = [
        delegation(),
        pending,
        left(ReportedSpend::RegisteredUnbonding),
        left(ReportedSpend::Other(Box::new(tx_with_witness()))),
        Delegation { expansion: Some(record), ..delegation() },
    ];
    for state in states {
        assert_eq!(decode_delegation(&encode_delegation(&state)), Ok(state));
    }
}

#[test]
fn unbonded_by_the_registered_transaction_is_present_and_empty() {
    let unbonded = Some(ReportedSpend::RegisteredUnbonding);
    let encoded =
        encode_delegation(&Delegation { unbonded, status: DelegationStatus::Unbonded, ..delegation() });
    let info = encoded.undelegation_response.unwrap().delegator_unbonding_info_response;
    assert_eq!(info.unwrap().spend_stake_tx_hex, "");
    let none = encode_delegation(&delegation()).undelegation_response.unwrap();
    assert_eq!(none.delegator_unbonding_info_response, None);
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let good = encode_delegation(&delegation());
    let mut wrong = good.clone();
    wrong.active = false;
    assert_eq!(decode_delegation(&wrong).unwrap_err().problem, Problem::Contradicts("status_desc"));
    let mut wrong = good.clone();
    wrong.end_height = 0;
    assert_eq!(decode_delegation(&wrong).unwrap_err().problem, Problem::Contradicts("end_height"));
    let mut wrong = good.clone();
    wrong.status_desc = "active".into();
    assert_eq!(decode_delegation(&wrong).unwrap_err().problem, Problem::UnknownName("active".into()));
    let mut wrong = good;
    wrong.undelegation_response = None;
    assert_eq!(decode_delegation(&wrong).unwrap_err().problem, Problem::Missing);
}

#[test]
fn status_names_are_their_own_inverse() {
    for name in ["PENDING", "VERIFIED", "ACTIVE", "UNBONDED", "EXPIRED"] {
        assert_eq!(status_name(decode_status_name("new_state", name).unwrap()), name);
    }
    assert!(decode_status_name("new_state", "ANY").is_err());
}

#[test]
fn proofs_of_possession_of_every_kind_survive_the_wire() {
    let kinds = [
        ProofOfPossession::Bip340(schnorr(1)),
        ProofOfPossession::Bip322 { address: "bc1qx".into(), witness: vec![1, 2, 3] },
        ProofOfPossession::Ecdsa([31; 65]),
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let wire = encode_possession(&kind);
        assert_eq!(usize::try_from(wire.btc_sig_type), Ok(number));
        assert_eq!(decode_possession(&wire), Ok(kind));
    }
}

fn staking_params() -> StakingParams {
    let sat = Amount::from_sat;
    let blocks = |n| Timelock::from_blocks(n).unwrap();
    StakingParams::new(ParamsFields {
        version: ParamsVersion(3),
        btc_activation_height: BtcHeight::new(857_910),
        covenant_committee: CovenantCommittee::new(1, vec![covenant()]).unwrap(),
        min_staking_value: sat(500_000),
        max_staking_value: sat(500_000_000_000),
        min_staking_time: blocks(10_000),
        max_staking_time: blocks(64_000),
        slashing_script: ScriptBuf::from_bytes(hex::decode("6a07626162796c6f6e").unwrap()),
        min_slashing_fee: sat(100_000),
        slashing_rate: SlashingRate::from_basis_points(10).unwrap(),
        unbonding_time: blocks(1_008),
        unbonding_fee: sat(32_000),
        min_commission_rate: "0.03".parse().unwrap(),
        delegation_creation_base_gas_fee: 1_095_000,
        allow_list_expiration_height: 26_124,
    })
    .unwrap()
}

#[test]
fn params_survive_the_wire() {
    let params = staking_params();
    let wire = encode_staking_params(&params).unwrap();
    assert_eq!(wire.slashing_rate, "1000000000000000");
    assert_eq!(wire.min_commission_rate, "30000000000000000");
    assert_eq!(decode_staking_params(ParamsVersion(3), &wire), Ok(params));

    let depths =
        CheckpointParams { confirmation_depth: BtcDepth::new(30), finalization_timeout: BtcDepth::new(300) };
    assert_eq!(decode_checkpoint_params(&encode_checkpoint_params(&depths)), Ok(depths));

    let finality = FinalityParams {
        max_active_finality_providers: 60,
        signed_blocks_window: 10_000,
        finality_sig_timeout: 3,
        min_signed_per_window: "0.2".parse().unwrap(),
        min_pub_rand: 8_192,
        jail_duration_s: 600,
        activation_height: PosHeight::new(27_600),
    };
    let wire = encode_finality_params(&finality).unwrap();
    assert_eq!(wire.min_signed_per_window, b"200000000000000000");
    assert_eq!(decode_finality_params(&wire), Ok(finality));
}

#[test]
fn params_that_break_a_rule_are_refused_by_field() {
    let wire = encode_staking_params(&staking_params()).unwrap();
    let version = ParamsVersion(3);
    let path = |change: &dyn Fn(&mut crate::proto::btcstaking::Params)| {
        let mut wrong = wire.clone();
        change(&mut wrong);
        decode_staking_params(version, &wrong).unwrap_err().path
    };
    assert_eq!(path(&|p| p.slashing_rate = "0.001".into()), "slashing_rate");
    assert_eq!(path(&|p| p.slashing_rate = String::new()), "slashing_rate");
    assert_eq!(path(&|p| p.slashing_rate = "1000000000000000000".into()), "slashing_rate");
    assert_eq!(path(&|p| p.covenant_quorum = 0), "covenant_pks");
    assert_eq!(path(&|p| p.covenant_pks.push(vec![1; 31])), "covenant_pks[1]");
    assert_eq!(path(&|p| p.min_staking_value_sat = -1), "min_staking_value_sat");
    assert_eq!(path(&|p| p.unbonding_time_blocks = 70_000), "unbonding_time_blocks");
    assert_eq!(path(&|p| p.unbonding_fee_sat = 600_000), "params");
}

#[test]
fn finality_providers_survive_the_wire() {
    let provider = FinalityProvider {
        key: provider(),
        account: account(),
        description: Description { moniker: "one".into(), ..Description::default() },
        commission: CommissionRates {
            rate: "0.03".parse().unwrap(),
            max_rate: Decimal::ONE,
            max_change_rate: "0.01".parse().unwrap(),
        },
        commission_set_at: Some(1),
        slashed: Some(SlashedAt { pos_height: PosHeight::new(9), btc_height: BtcHeight::new(8) }),
        jailed: true,
        highest_voted_height: PosHeight::new(7),
    };
    let pop = ProofOfPossession::Bip340(schnorr(1));
    let at = PosHeight::new(20);
    let time = Timestamp { seconds: 1, nanos: 0 };
    let wire = encode_finality_provider(&provider, &pop, time, at).unwrap();
    assert_eq!(decode_finality_provider(&wire), Ok(provider.clone()));
    let sound = FinalityProvider { slashed: None, jailed: false, ..provider.clone() };
    let wire = encode_finality_provider(&sound, &pop, time, at).unwrap();
    assert_eq!(decode_finality_provider(&wire), Ok(sound));
    let far = FinalityProvider { highest_voted_height: PosHeight::new(1 << 32), ..provider };
    assert_eq!(encode_finality_provider(&far, &pop, time, at).unwrap_err().path, "highest_voted_height");
}

#[test]
fn votes_blocks_commitments_and_evidence_survive_the_wire() {
    let block = IndexedBlock { height: PosHeight::new(5), app_hash: [1; 32], finalised: true };
    assert_eq!(decode_block(&encode_block(&block)), Ok(block));
    let stored =
        StoredCommitment { start_height: PosHeight::new(5), count: 9, root: [2; 32], epoch: Epoch::new(3) };
    let (start, wire) = encode_stored_commitment(&stored);
    assert_eq!(decode_stored_commitment(start, &wire), Ok(stored));
    let evidence = Evidence {
        finality_provider: provider(),
        height: PosHeight::new(5),
        public_randomness: PublicRandomness::from_bytes([1; 32]),
        canonical_app_hash: [2; 32],
        fork_app_hash: [3; 32],
        canonical_signature: EotsSignature::from_bytes([4; 32]),
        fork_signature: EotsSignature::from_bytes([5; 32]),
    };
    let stored = encode_stored_evidence(&evidence);
    assert_eq!(decode_stored_evidence(&stored), Ok(evidence.clone()));
    let short = crate::proto::finality::Evidence { fp_btc_pk: vec![1; 31], ..stored.clone() };
    assert_eq!(decode_stored_evidence(&short).unwrap_err().path, "fp_btc_pk");
    let incomplete = crate::proto::finality::Evidence { canonical_finality_sig: None, ..stored };
    assert_eq!(decode_stored_evidence(&incomplete).unwrap_err().path, "canonical_finality_sig");
    let wire = encode_evidence(&evidence);
    assert_eq!(decode_evidence(&wire), Ok(evidence));
    let incomplete = crate::proto::finality::EvidenceResponse { canonical_finality_sig: None, ..wire };
    assert_eq!(decode_evidence(&incomplete).unwrap_err().path, "canonical_finality_sig");
}

#[test]
fn a_header_is_held_to_its_hash() {
    let header =
        LightClientHeader { header: header(), hash: header().block_hash(), height: BtcHeight::new(0) };
    let wire = encode_light_client_header(&header, "2");
    assert_eq!(decode_light_client_header(&wire), Ok(header));
    let mut reversed = wire.clone();
    reversed.hash_hex = hex::encode(header.hash.to_byte_array());
    assert_eq!(decode_light_client_header(&reversed).unwrap_err().problem, Problem::Reversed);
    let mut other = wire.clone();
    other.hash_hex = "ab".repeat(32);
    assert_eq!(decode_light_client_header(&other).unwrap_err().problem, Problem::Contradicts("header_hex"));
    let stored = encode_header_info(&header, "2");
    assert_eq!(decode_header_info(&stored), Ok(header));
    let mut shown = stored.clone();
    shown.hash.reverse();
    assert_eq!(decode_header_info(&shown).unwrap_err().problem, Problem::Reversed);
    let worked = crate::proto::btclightclient::BTCHeaderInfo { work: b"0x2".to_vec(), ..stored };
    assert_eq!(decode_header_info(&worked).unwrap_err().path, "work");
    let mut short = wire;
    short.header_hex.truncate(158);
    assert_eq!(
        decode_light_client_header(&short).unwrap_err().problem,
        Problem::Length { found: 79, expected: 80 }
    );
}
