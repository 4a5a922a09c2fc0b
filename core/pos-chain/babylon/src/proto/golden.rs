//! Encodings written by hand from the tables of `wire.md` 3: tag byte, length, content, field by field.

use super::{btcstaking::*, finality::*, *};
use prost::{Message, Name};

fn b(byte: u8) -> Vec<u8> {
    vec![byte]
}
fn check(message: &impl Message, fields: &[&str]) {
    assert_eq!(hex::encode(message.encode_to_vec()), fields.concat(), "{message:?}");
}
fn proof() -> InclusionProof {
    let key = btclightclient::TransactionKey { index: 3, hash: b(0xaa) };
    InclusionProof { key: Some(key), proof: b(0xbb) }
}
/// `InclusionProof` of [`proof`]: 1 key { 1 index, 2 hash }, 2 proof.
const PROOF: &str = "0a05080312" /* key, index, hash */;
const PROOF_END: &str = "01aa1201bb";
fn pop() -> ProofOfPossessionBTC {
    ProofOfPossessionBTC { btc_sig_type: 1, btc_sig: b(0xbb) }
}

#[test]
fn messages_of_finality_providers() {
    let description = Description { moniker: "m".into(), ..Description::default() };
    let rates = CommissionRates { rate: "1".into(), max_rate: "2".into(), max_change_rate: "3".into() };
    let create = MsgCreateFinalityProvider {
        addr: "a".into(),
        description: Some(description.clone()),
        btc_pk: b(0xaa),
        pop: Some(pop()),
        commission: Some(rates),
    };
    let fields = ["0a0161", "12030a016d", "2201aa", "2a0508011201bb", "3a090a01311201321a0133"];
    check(&create, &fields);
    let edit = MsgEditFinalityProvider {
        addr: "a".into(),
        btc_pk: b(0xaa),
        description: Some(description),
        commission: Some("30000000000000000".into()),
    };
    // wire.md 9: the decimal 0.03 in field 4 is 22 11 and 17 digits.
    let commission = format!("2211{}", hex::encode("30000000000000000"));
    check(&edit, &["0a0161", "1201aa", "1a030a016d", &commission]);
    check(&MsgEditFinalityProvider { commission: None, ..edit }, &["0a0161", "1201aa", "1a030a016d"]);
    // wire.md 9: tag 0a signer, tag 12 length 20 key.
    let unjail = MsgUnjailFinalityProvider { signer: "a".into(), fp_btc_pk: vec![0xaa; 32] };
    check(&unjail, &["0a0161", "1220", &"aa".repeat(32)]);
}

#[test]
fn registration_and_expansion_differ_by_one_from_the_slashing_transaction_on() {
    let create = MsgCreateBTCDelegation {
        staker_addr: "a".into(),
        pop: Some(pop()),
        btc_pk: b(1),
        fp_btc_pk_list: vec![b(2)],
        staking_time: 300,
        staking_value: 6,
        staking_tx: b(7),
        staking_tx_inclusion_proof: Some(proof()),
        slashing_tx: b(9),
        delegator_slashing_sig: b(10),
        unbonding_time: 11,
        unbonding_tx: b(12),
        unbonding_value: 13,
        unbonding_slashing_tx: b(14),
        delegator_unbonding_slashing_sig: b(15),
    };
    let common = ["0a0161", "12050801", "1201bb", "1a0101", "220102", "28ac02", "3006", "3a0107"].concat();
    let inclusion = format!("420a{PROOF}{PROOF_END}");
    let tail = ["4a0109", "52010a", "580b", "62010c", "680d", "72010e", "7a010f"].concat();
    check(&create, &[&common, &inclusion, &tail]);
    let approval = MsgCreateBTCDelegation { staking_tx_inclusion_proof: None, ..create };
    check(&approval, &[&common, &tail]);
    let expand = MsgBtcStakeExpand {
        staker_addr: "a".into(),
        pop: Some(pop()),
        btc_pk: b(1),
        fp_btc_pk_list: vec![b(2)],
        staking_time: 300,
        staking_value: 6,
        staking_tx: b(7),
        slashing_tx: b(9),
        delegator_slashing_sig: b(10),
        unbonding_time: 11,
        unbonding_tx: b(12),
        unbonding_value: 13,
        unbonding_slashing_tx: b(14),
        delegator_unbonding_slashing_sig: b(15),
        previous_staking_tx_hash: "h".into(),
        funding_tx: b(16),
    };
    let tail =
        ["420109", "4a010a", "500b", "5a010c", "600d", "6a010e", "72010f", "7a0168", "82010110"].concat();
    check(&expand, &[&common, &tail]);
}

#[test]
fn messages_about_a_delegation() {
    let included = MsgAddBTCDelegationInclusionProof {
        signer: "a".into(),
        staking_tx_hash: "h".into(),
        staking_tx_inclusion_proof: Some(proof()),
    };
    check(&included, &["0a0161", "120168", "1a0a", PROOF, PROOF_END]);
    let signed = MsgAddCovenantSigs {
        signer: "a".into(),
        pk: b(2),
        staking_tx_hash: "h".into(),
        slashing_tx_sigs: vec![b(4), b(5)],
        unbonding_tx_sig: b(6),
        slashing_unbonding_tx_sigs: vec![b(7)],
        stake_expansion_tx_sig: None,
    };
    let fields = ["0a0161", "120102", "1a0168", "220104220105", "2a0106", "320107"];
    check(&signed, &fields);
    let signed = MsgAddCovenantSigs { stake_expansion_tx_sig: Some(b(8)), ..signed };
    check(&signed, &[&fields.concat(), "3a0108"]);
    let report = MsgBTCUndelegate {
        signer: "a".into(),
        staking_tx_hash: "h".into(),
        stake_spending_tx: b(3),
        stake_spending_tx_inclusion_proof: Some(proof()),
        funding_transactions: vec![b(5), b(6)],
    };
    check(&report, &["0a0161", "120168", "1a0103", "220a", PROOF, PROOF_END, "2a01052a0106"]);
    let evidence = MsgSelectiveSlashingEvidence { signer: "a".into(), recovered_fp_btc_sk: b(3) };
    check(&evidence, &["0a0161", "1a0103"]);
}

#[test]
fn messages_of_finality() {
    let commit = MsgCommitPubRandList {
        signer: "a".into(),
        fp_btc_pk: b(2),
        start_height: 300,
        num_pub_rand: 4,
        commitment: b(5),
        sig: b(6),
    };
    check(&commit, &["0a0161", "120102", "18ac02", "2004", "2a0105", "320106"]);
    let vote = MsgAddFinalitySig {
        signer: "a".into(),
        fp_btc_pk: b(2),
        block_height: 3,
        pub_rand: b(4),
        proof: Some(Proof { total: 9, index: 8, leaf_hash: b(7), aunts: vec![b(6), b(5)] }),
        block_app_hash: b(6),
        finality_sig: b(7),
    };
    let proof = "2a0d080910081a0107220106220105";
    check(&vote, &["0a0161", "120102", "1803", "220104", proof, "320106", "3a0107"]);
    let resume = MsgResumeFinalityProposal {
        authority: "a".into(),
        fp_pks_hex: vec!["b".into(), "c".into()],
        halting_height: 3,
    };
    check(&resume, &["0a0161", "120162120163", "1803"]);
}

#[test]
fn messages_of_headers_checkpoints_and_rewards() {
    let headers = btclightclient::MsgInsertHeaders { signer: "a".into(), headers: vec![b(1), b(2)] };
    check(&headers, &["0a0161", "120101120102"]);
    let spv = btccheckpoint::BTCSpvProof {
        btc_transaction: b(1),
        btc_transaction_index: 2,
        merkle_nodes: b(3),
        confirming_btc_header: b(4),
    };
    let checkpoint = btccheckpoint::MsgInsertBTCSpvProof { submitter: "a".into(), proofs: vec![spv] };
    check(&checkpoint, &["0a0161", "120b", "0a0101", "1002", "1a0103", "220104"]);
    let withdraw = incentive::MsgWithdrawReward { r#type: "t".into(), address: "a".into() };
    check(&withdraw, &["0a0174", "120161"]);
    let set =
        incentive::MsgSetWithdrawAddress { delegator_address: "a".into(), withdraw_address: "w".into() };
    check(&set, &["0a0161", "120177"]);
}

#[test]
fn params_have_their_numbers() {
    let params = btcstaking::Params {
        covenant_pks: vec![b(1)],
        covenant_quorum: 2,
        min_staking_value_sat: 3,
        max_staking_value_sat: 4,
        min_staking_time_blocks: 5,
        max_staking_time_blocks: 6,
        slashing_pk_script: b(7),
        min_slashing_tx_fee_sat: 8,
        slashing_rate: "9".into(),
        unbonding_time_blocks: 10,
        unbonding_fee_sat: 11,
        min_commission_rate: "c".into(),
        delegation_creation_base_gas_fee: 13,
        allow_list_expiration_height: 14,
        btc_activation_height: 15,
    };
    let fields = "0a010110021803200428053006\
                  3a010740084a0139500a580b62016368\
                  0d700e780f";
    check(&params, &[fields]);
    let update =
        btcstaking::MsgUpdateParams { authority: "a".into(), params: Some(btcstaking::Params::default()) };
    // Held by value: on the wire although empty.
    check(&update, &["0a0161", "1200"]);
    let finality = finality::Params {
        max_active_finality_providers: 1,
        signed_blocks_window: 2,
        finality_sig_timeout: 3,
        min_signed_per_window: b"4".to_vec(),
        min_pub_rand: 5,
        jail_duration: Some(Duration { seconds: 600, nanos: 0 }),
        finality_activation_height: 7,
    };
    check(&finality, &["0801", "1002", "1803", "220134", "2805", "320308d804", "3807"]);
}

#[test]
fn present_and_empty_is_on_the_wire() {
    // wire.md 9: `32 00`
    let info = Some(DelegatorUnbondingInfo::default());
    check(&BTCUndelegation { delegator_unbonding_info: info, ..BTCUndelegation::default() }, &["3200"]);
    check(&BTCUndelegation::default(), &[]);
    let answer = BTCUndelegationResponse {
        delegator_unbonding_info_response: Some(DelegatorUnbondingInfoResponse::default()),
        ..BTCUndelegationResponse::default()
    };
    check(&answer, &["3200"]);
}

#[test]
fn a_raw_key_in_a_field_declared_as_text_decodes() {
    // wire.md 1.7: 32 bytes that are no UTF-8.
    let mut bytes = vec![0x0a, 0x20];
    bytes.extend([0xff; 32]);
    bytes.extend([0x10, 0x05, 0x18, 0x07]);
    let entry = ActiveFinalityProvidersAtHeightResponse::decode(bytes.as_slice()).unwrap();
    assert_eq!((entry.btc_pk_hex, entry.height, entry.voting_power), (vec![0xff; 32], 5, 7));
}

#[test]
fn maps_are_repeated_entries_of_key_and_value() {
    let response = QueryListPubRandCommitResponse {
        pub_rand_commit_map: [(5, PubRandCommitResponse { num_pub_rand: 6, commitment: b(7), epoch_num: 8 })]
            .into(),
        pagination: None,
    };
    check(&response, &["0a0b", "0805", "1207", "0806", "120107", "1808"]);
}

#[test]
fn reserved_numbers_are_left_out() {
    let provider = btcstaking::FinalityProvider {
        highest_voted_height: 9,
        commission_info: Some(CommissionInfo::default()),
        ..btcstaking::FinalityProvider::default()
    };
    check(&provider, &["4809", "5a00"]);
    let answer = FinalityProviderResponse { soft_deleted: true, ..FinalityProviderResponse::default() };
    check(&answer, &["6801"]);
    check(&SelectiveSlashingEvidence { fp_btc_pk: b(2), recovered_fp_btc_sk: b(3) }, &["120102", "1a0103"]);
}

#[test]
fn type_urls_and_query_paths_are_the_full_names() {
    assert_eq!(incentive::MsgWithdrawReward::type_url(), "/babylon.incentive.MsgWithdrawReward");
    assert_eq!(MsgBtcStakeExpand::type_url(), "/babylon.btcstaking.v1.MsgBtcStakeExpand");
    assert_eq!(MsgAddFinalitySig::type_url(), "/babylon.finality.v1.MsgAddFinalitySig");
    assert_eq!(<QueryBlockRequest as Query>::PATH, "/babylon.finality.v1.Query/Block");
    assert_eq!(<QueryBTCDelegationRequest as Query>::PATH, "/babylon.btcstaking.v1.Query/BTCDelegation");
    assert_eq!(<incentive::QueryRewardGaugesRequest as Query>::PATH, "/babylon.incentive.Query/RewardGauges");
    assert_eq!(<SimulateRequest as Query>::PATH, "/cosmos.tx.v1beta1.Service/Simulate");
}

#[test]
fn enum_values_follow_the_table_and_unknown_ones_are_no_default() {
    assert_eq!(BTCDelegationStatus::try_from(5), Ok(BTCDelegationStatus::Any));
    assert!(BTCDelegationStatus::try_from(6).is_err());
    assert_eq!(i32::from(checkpointing::CheckpointStatus::Finalized), 4);
    assert_eq!(i32::from(QueriedBlockStatus::Finalized), 1);
}

#[test]
fn the_vote_message_has_forty_bytes() {
    // wire.md 9
    use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
    let message = VoteMessage { height: PosHeight::new(1), app_hash: [0xcc; 32] };
    assert_eq!(hex::encode(message.to_bytes()), format!("0000000000000001{}", "cc".repeat(32)));
}
