//! The reader against a scripted node.

mod pages;
mod queries;
mod watch;

use super::*;
use crate::{
    proto::{
        self, Coin, PageRequest, PageResponse, QueryBalanceRequest, QueryBalanceResponse,
        btcstaking::*,
        checkpointing::{
            QueryLastCheckpointWithStatusRequest, QueryLastCheckpointWithStatusResponse,
            RawCheckpointResponse,
        },
        finality::{self, *},
        incentive::{QueryRewardGaugesRequest, QueryRewardGaugesResponse, RewardGaugesResponse},
    },
    rpc::{
        AbciAnswer, NodeStatus, RawEvent,
        fake::{FakeRpc, answered, node_error, refused},
    },
};
use bitcoin::{Txid, hashes::Hash};
use btc_staking_pos_chain::{
    AccountReader, DelegationReader, EventReader, EvidenceReader, FinalityProviderReader, FinalityReader,
    IndexedBlock, ParamsReader, VotingPower, message::RewardKind,
};
use btc_staking_protocol::{
    height::Epoch,
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::ParamsVersion,
};
use prost::Message;
use std::collections::BTreeMap;

fn reader() -> (Arc<FakeRpc>, BabylonReader) {
    let rpc = Arc::new(FakeRpc::default());
    let reader = BabylonReader::new(Arc::<FakeRpc>::clone(&rpc)).with_limits(Limits {
        page: 2,
        page_bytes: 1_000_000,
        total: 6,
        bytes: 10_000,
        duration: Duration::from_secs(60),
    });
    (rpc, reader)
}
fn provider() -> FinalityProviderPublicKey {
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap()
}
/// Three keys; the first is [`provider`].
fn provider_of(number: usize) -> FinalityProviderPublicKey {
    let others = [
        "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
        "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
    ];
    if number == 1 { provider() } else { others[number - 2].parse().unwrap() }
}
fn module_error(text: &str) -> AbciAnswer {
    refused("sdk", 6, &format!("{text}: unknown request"))
}
fn page(next: &[u8]) -> Option<PageResponse> {
    Some(PageResponse { next_key: next.to_vec(), total: 0 })
}

#[tokio::test]
async fn another_network_is_refused_with_both_ids() {
    let (rpc, reader) = reader();
    assert!(reader.check_network("bbn-1").await.unwrap_err().is_transient());
    rpc.script().status =
        Some(NodeStatus { network: "bbn-test-6".into(), latest_height: 9, catching_up: false });
    let error = reader.check_network("bbn-1").await.unwrap_err();
    assert_eq!(error, WrongNetwork::ChainId { found: "bbn-test-6".into(), expected: "bbn-1".into() });
    assert!(error.to_string().contains("bbn-test-6") && error.to_string().contains("bbn-1"));
    assert_eq!(reader.check_network("bbn-test-6").await, Ok(()));
}

#[tokio::test]
async fn what_does_not_exist_is_none_and_what_is_not_known_is_an_error() {
    let (rpc, reader) = reader();
    let txid = Txid::from_byte_array([1; 32]);
    rpc.answer::<QueryBTCDelegationRequest>(module_error("the BTC delegation is not found"));
    assert_eq!(reader.fetch_delegation(&txid).await, Ok(None));
    rpc.answer::<QueryBTCDelegationRequest>(refused("sdk", 26, "cannot query with height in the future; x"));
    assert_eq!(reader.fetch_delegation(&txid).await.unwrap_err().kind, ErrorKind::NotYet);
    rpc.answer::<QueryBTCDelegationRequest>(refused("sdk", 38, "failed to load state at height 3; x"));
    assert_eq!(reader.fetch_delegation(&txid).await.unwrap_err().kind, ErrorKind::Pruned);
    rpc.answer::<QueryBTCDelegationRequest>(refused("sdk", 18, "failed to load state at height 3; x"));
    assert_eq!(reader.fetch_delegation(&txid).await.unwrap_err().kind, ErrorKind::Pruned);
    rpc.answer::<QueryBTCDelegationRequest>(refused("undefined", 111_222, "panic"));
    assert_eq!(reader.fetch_delegation(&txid).await.unwrap_err().kind, ErrorKind::Broken);
    rpc.answer::<QueryBTCDelegationRequest>(AbciAnswer { value: vec![0xff], ..AbciAnswer::default() });
    assert_eq!(reader.fetch_delegation(&txid).await.unwrap_err().kind, ErrorKind::Broken);
    rpc.answer::<QueryFinalityProviderRequest>(module_error("the finality provider is not found"));
    assert_eq!(reader.fetch_finality_provider(&provider()).await, Ok(None));
    rpc.answer::<QueryParamsByVersionRequest>(module_error("the parameters are not found"));
    let unknown = reader.fetch_staking_params_version(ParamsVersion(9)).await;
    assert_eq!(unknown.unwrap_err().kind, ErrorKind::NotYet);
}

#[tokio::test]
async fn power_has_three_answers() {
    let (rpc, reader) = reader();
    let height = PosHeight::new(5);
    type Request = QueryFinalityProviderPowerAtHeightRequest;
    let no_table = module_error("voting power table has not been updated");
    let power = |voting_power| answered(&QueryFinalityProviderPowerAtHeightResponse { voting_power });
    let table = [
        (power(7), VotingPower::Has(7)),
        (power(0), VotingPower::None),
        (module_error("the finality provider is not found"), VotingPower::None),
        (AbciAnswer { height: 5, ..no_table.clone() }, VotingPower::NoTable),
    ];
    for (answer, expected) in table {
        rpc.answer::<Request>(answer);
        assert_eq!(reader.fetch_voting_power(&provider(), height).await, Ok(expected));
    }
    // A node that has not made the block yet cannot know.
    for height_of_answer in [0, 4] {
        rpc.answer::<Request>(AbciAnswer { height: height_of_answer, ..no_table.clone() });
        let early = reader.fetch_voting_power(&provider(), height).await.unwrap_err();
        assert_eq!(early.kind, ErrorKind::NotYet, "{early}");
    }
}

#[tokio::test]
async fn powers_read_together_are_those_of_the_table_and_an_early_node_does_not_know() {
    let (rpc, reader) = reader();
    type Request = QueryActiveFinalityProvidersAtHeightRequest;
    let entry = |key: FinalityProviderPublicKey, voting_power| ActiveFinalityProvidersAtHeightResponse {
        btc_pk_hex: key.to_bytes().to_vec(),
        height: 5,
        voting_power,
        ..ActiveFinalityProvidersAtHeightResponse::default()
    };
    let table = |members: Vec<_>, next| QueryActiveFinalityProvidersAtHeightResponse {
        finality_providers: members,
        pagination: page(next),
    };
    let keys = [provider_of(1), provider_of(2), provider_of(3)];
    let height = PosHeight::new(5);
    rpc.answer::<Request>(answered(&table(vec![entry(keys[0], 7)], b"k1")));
    rpc.answer::<Request>(answered(&table(vec![entry(keys[2], 0)], b"")));
    let powers = reader.fetch_voting_powers(&keys, height).await.unwrap();
    assert_eq!(powers, [VotingPower::Has(7), VotingPower::None, VotingPower::None]);
    let empty = table(vec![], b"");
    rpc.answer::<Request>(AbciAnswer { height: 5, ..answered(&empty) });
    assert_eq!(reader.fetch_voting_powers(&keys, height).await.unwrap(), [VotingPower::NoTable; 3]);
    rpc.answer::<Request>(AbciAnswer { height: 4, ..answered(&empty) });
    assert_eq!(reader.fetch_voting_powers(&keys, height).await.unwrap_err().kind, ErrorKind::NotYet);
    rpc.answer::<Request>(answered(&table(vec![entry(keys[0], 7)], b"k1")));
    rpc.answer::<Request>(answered(&table(vec![], b"k2")));
    assert_eq!(reader.fetch_voting_powers(&keys, height).await.unwrap_err().kind, ErrorKind::Broken);
    assert_eq!(reader.fetch_voting_powers(&[], height).await, Ok(vec![]));
}

#[tokio::test]
async fn a_page_of_blocks_begins_where_it_was_asked_to_and_ascends() {
    let (rpc, reader) = reader();
    let block = |height| finality::IndexedBlock { height, app_hash: vec![3; 32], finalized: false };
    let blocks = |heights: &[u64]| {
        let blocks = heights.iter().map(|height| block(*height)).collect();
        answered(&QueryListBlocksResponse { blocks, pagination: page(b"more") })
    };
    rpc.answer::<QueryListBlocksRequest>(blocks(&[5, 6, 9]));
    let read = reader.fetch_indexed_blocks(PosHeight::new(5), 3).await.unwrap();
    assert_eq!(read.iter().map(|block| block.height.to_u64()).collect::<Vec<_>>(), [5, 6, 9]);
    for wrong in [&[4, 5][..], &[5, 5], &[6, 5]] {
        rpc.answer::<QueryListBlocksRequest>(blocks(wrong));
        let error = reader.fetch_indexed_blocks(PosHeight::new(5), 3).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Broken, "{wrong:?}");
    }
    let voted = QueryListPublicRandomnessResponse {
        pub_rand_map: BTreeMap::from([(7, vec![1; 32]), (5, vec![2; 32])]),
        pagination: page(b""),
    };
    rpc.answer::<QueryListPublicRandomnessRequest>(answered(&voted));
    let heights = reader.fetch_voted_heights(&provider(), PosHeight::new(5), 10).await.unwrap();
    assert_eq!(heights, [PosHeight::new(5), PosHeight::new(7)]);
    rpc.answer::<QueryListPublicRandomnessRequest>(answered(&voted));
    assert!(reader.fetch_voted_heights(&provider(), PosHeight::new(6), 10).await.is_err());
}

#[tokio::test]
async fn blocks_and_activation_that_are_not_there_are_none() {
    let (rpc, reader) = reader();
    rpc.answer::<QueryBlockRequest>(module_error("Block is not found"));
    assert_eq!(reader.fetch_indexed_block(PosHeight::new(9)).await, Ok(None));
    rpc.answer::<QueryActivatedHeightRequest>(module_error("the BTC staking protocol is not activated yet"));
    assert_eq!(reader.fetch_activated_height().await, Ok(None));
    let block = finality::IndexedBlock { height: 8, app_hash: vec![3; 32], finalized: true };
    rpc.answer::<QueryBlockRequest>(answered(&QueryBlockResponse { block: Some(block.clone()) }));
    let other = reader.fetch_indexed_block(PosHeight::new(9)).await.unwrap_err();
    assert_eq!(other.kind, ErrorKind::Broken, "asked for 9, got 8");
    rpc.answer::<QueryListBlocksRequest>(answered(&QueryListBlocksResponse {
        blocks: vec![block],
        pagination: None,
    }));
    let last = IndexedBlock { height: PosHeight::new(8), app_hash: [3; 32], finalised: true };
    assert_eq!(reader.fetch_last_finalised().await, Ok(Some(last)));
    rpc.answer::<QueryListBlocksRequest>(answered(&QueryListBlocksResponse::default()));
    assert_eq!(reader.fetch_last_finalised().await, Ok(None));
}

#[tokio::test]
async fn before_anything_is_final_the_last_epoch_is_zero() {
    let (rpc, reader) = reader();
    type Request = QueryLastCheckpointWithStatusRequest;
    for answer in [
        refused("sdk", 18, "no raw checkpoint with status FINALIZED: invalid request"),
        module_error("raw checkpoint does not exist"),
    ] {
        rpc.answer::<Request>(answer);
        assert_eq!(reader.fetch_last_finalised_epoch().await, Ok(Epoch::new(0)));
    }
    let raw_checkpoint = Some(RawCheckpointResponse { epoch_num: 4, ..RawCheckpointResponse::default() });
    rpc.answer::<Request>(answered(&QueryLastCheckpointWithStatusResponse { raw_checkpoint }));
    assert_eq!(reader.fetch_last_finalised_epoch().await, Ok(Epoch::new(4)));
}

#[tokio::test]
async fn a_list_is_followed_by_key_to_its_end() {
    let (rpc, reader) = reader();
    let entry = PubRandCommitResponse { num_pub_rand: 10, commitment: vec![1; 32], epoch_num: 2 };
    for (start, next) in [(200u64, b"k1".as_slice()), (100, b"k2"), (300, b"")] {
        let map = BTreeMap::from([(start, entry.clone())]);
        let response = QueryListPubRandCommitResponse { pub_rand_commit_map: map, pagination: page(next) };
        rpc.answer::<QueryListPubRandCommitRequest>(answered(&response));
    }
    let commitments = reader.fetch_randomness_commitments(&provider()).await.unwrap();
    let starts: Vec<_> = commitments.iter().map(|commitment| commitment.start_height.to_u64()).collect();
    assert_eq!(starts, [100, 200, 300]);
    let pages: Vec<PageRequest> = rpc
        .script()
        .requests
        .iter()
        .map(|(_, data)| QueryListPubRandCommitRequest::decode(data.as_slice()).unwrap().pagination.unwrap())
        .collect();
    let keys: Vec<_> = pages.iter().map(|page| page.key.clone()).collect();
    assert_eq!(keys, [b"".to_vec(), b"k1".to_vec(), b"k2".to_vec()]);
    assert!(pages.iter().all(|page| page.limit == 2 && !page.count_total));
}

#[tokio::test]
async fn a_list_beyond_the_limits_is_what_was_read_and_a_note() {
    let (rpc, reader) = reader();
    let member =
        |size| FinalityProviderResponse { addr: "x".repeat(size), ..FinalityProviderResponse::default() };
    for (size, read) in [(1, 6), (3_000, 4)] {
        for number in 0..10u8 {
            let response = QueryFinalityProvidersResponse {
                finality_providers: vec![member(size); 2],
                pagination: page(&[number]),
            };
            rpc.answer::<QueryFinalityProvidersRequest>(answered(&response));
        }
        let listing = reader.fetch_finality_providers().await.unwrap();
        // None of these members converts, so each is a note of its own.
        assert_eq!(listing.malformed.len(), read + 1);
        assert!(
            listing.malformed[read].contains(&format!("first {read} members")),
            "{:?}",
            listing.malformed
        );
        rpc.script().answers.clear();
    }
}

#[tokio::test]
async fn params_whose_quorum_cannot_be_reached_are_skipped_and_others_that_are_wrong_are_not() {
    let (rpc, reader) = reader();
    type Params = proto::btcstaking::Params;
    let params = Params {
        covenant_pks: vec![provider().to_bytes().to_vec()],
        covenant_quorum: 1,
        min_staking_value_sat: 10_000,
        max_staking_value_sat: 100_000_000,
        min_staking_time_blocks: 100,
        max_staking_time_blocks: 60_000,
        slashing_pk_script: hex::decode("6a07626162796c6f6e").unwrap(),
        min_slashing_tx_fee_sat: 1_000,
        slashing_rate: "100000000000000000".into(),
        unbonding_time_blocks: 50,
        unbonding_fee_sat: 1_000,
        min_commission_rate: "30000000000000000".into(),
        delegation_creation_base_gas_fee: 1_000,
        allow_list_expiration_height: 0,
        btc_activation_height: 100,
    };
    let answer = |second: Params| {
        let stored = [params.clone(), second, params.clone()];
        let params =
            (0..).zip(stored).map(|(version, params)| StoredParams { version, params: Some(params) });
        answered(&QueryParamsVersionsResponse { params: params.collect(), pagination: None })
    };
    rpc.answer::<QueryParamsVersionsRequest>(answer(Params { covenant_quorum: 2, ..params.clone() }));
    let versions = reader.fetch_staking_params().await.unwrap();
    assert_eq!(versions.iter().map(|params| params.version.0).collect::<Vec<_>>(), [0, 2]);
    rpc.answer::<QueryParamsVersionsRequest>(answer(Params { covenant_pks: Vec::new(), ..params.clone() }));
    assert_eq!(reader.fetch_staking_params().await.unwrap_err().kind, ErrorKind::Broken);
}

#[tokio::test]
async fn a_list_that_does_not_move_is_an_error() {
    let (rpc, reader) = reader();
    let many = |next: &[u8], count| QueryFinalityProvidersResponse {
        finality_providers: vec![FinalityProviderResponse::default(); count],
        pagination: page(next),
    };
    for _ in 0..2 {
        rpc.answer::<QueryFinalityProvidersRequest>(answered(&many(b"same", 1)));
    }
    assert_eq!(reader.fetch_finality_providers().await.unwrap_err().kind, ErrorKind::Broken);
    rpc.script().answers.clear();
    rpc.answer::<QueryFinalityProvidersRequest>(answered(&many(b"more", 0)));
    assert_eq!(reader.fetch_finality_providers().await.unwrap_err().kind, ErrorKind::Broken);
}

#[tokio::test]
async fn a_list_with_a_key_beyond_measure_or_without_an_end_in_time_is_an_error() {
    let (rpc, reader) = reader();
    let members = |next: &[u8]| QueryFinalityProvidersResponse {
        finality_providers: vec![FinalityProviderResponse::default()],
        pagination: page(next),
    };
    rpc.answer::<QueryFinalityProvidersRequest>(answered(&members(&[7; 257])));
    let error = reader.fetch_finality_providers().await.unwrap_err();
    assert!(error.kind == ErrorKind::Broken && error.detail.contains("257 bytes"), "{error}");
    assert_eq!(rpc.script().set_aside, 0);
    rpc.answer::<QueryFinalityProvidersRequest>(answered(&members(&[7; 256])));
    let limits = Limits { duration: Duration::ZERO, ..Limits::default() };
    let error = reader.with_limits(limits).fetch_finality_providers().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    // The next try is another node's.
    assert_eq!(rpc.script().set_aside, 1);
}

#[tokio::test]
async fn a_malformed_member_is_told_beside_the_others() {
    let (rpc, reader) = reader();
    let good = FinalityProviderResponse {
        description: Some(proto::Description::default()),
        commission: "0".into(),
        addr: AccountAddress::from_bytes("bbn", &[4; 20]).unwrap().bech32().into(),
        btc_pk: provider().to_bytes().to_vec(),
        commission_info: Some(CommissionInfo {
            max_rate: "1000000000000000000".into(),
            max_change_rate: "0".into(),
            update_time: None,
        }),
        ..FinalityProviderResponse::default()
    };
    let bad = FinalityProviderResponse { commission: "0.03".into(), ..good.clone() };
    let response = QueryFinalityProvidersResponse { finality_providers: vec![bad, good], pagination: None };
    rpc.answer::<QueryFinalityProvidersRequest>(answered(&response));
    let listing = reader.fetch_finality_providers().await.unwrap();
    assert_eq!(listing.items.len(), 1);
    assert!(listing.malformed[0].contains("commission"), "{:?}", listing.malformed);
    let bad = BTCDelegationResponse { staker_addr: "bbn1x".into(), ..BTCDelegationResponse::default() };
    let response = QueryBTCDelegationsResponse { btc_delegations: vec![bad], pagination: None };
    rpc.answer::<QueryBTCDelegationsRequest>(answered(&response));
    assert_eq!(reader.fetch_delegations(None).await.unwrap().malformed.len(), 1);
}

#[tokio::test]
async fn evidence_that_is_listed_twice_is_returned_once() {
    let (rpc, reader) = reader();
    let evidence = |height| EvidenceResponse {
        fp_btc_pk_hex: provider().to_string(),
        block_height: height,
        pub_rand: vec![1; 32],
        canonical_app_hash: vec![2; 32],
        fork_app_hash: vec![3; 32],
        canonical_finality_sig: Some(vec![4; 32]),
        fork_finality_sig: vec![5; 32],
    };
    let incomplete = EvidenceResponse { canonical_finality_sig: None, ..evidence(7) };
    let evidences = vec![evidence(7), evidence(7), incomplete.clone(), incomplete];
    rpc.answer::<QueryListEvidencesRequest>(answered(&QueryListEvidencesResponse {
        evidences,
        pagination: None,
    }));
    let listing = reader.fetch_evidences(PosHeight::new(1)).await.unwrap();
    assert_eq!(listing.items.len(), 1);
    assert_eq!(listing.malformed.len(), 1, "{:?}", listing.malformed);
}

#[tokio::test]
async fn balances_and_rewards_are_in_the_base_denomination() {
    let (rpc, reader) = reader();
    let account = AccountAddress::from_bytes("bbn", &[4; 20]).unwrap();
    let coin = |denom: &str, amount: &str| Coin { denom: denom.into(), amount: amount.into() };
    rpc.answer::<QueryBalanceRequest>(answered(&QueryBalanceResponse { balance: Some(coin("ubbn", "12")) }));
    assert_eq!(reader.fetch_balance(&account).await, Ok(12));
    let gauge = RewardGaugesResponse {
        coins: vec![coin("ibc/x", "1"), coin("ubbn", "10")],
        withdrawn_coins: vec![coin("ubbn", "4")],
    };
    let reward_gauges = BTreeMap::from([("BTC_STAKER".to_owned(), gauge)]);
    rpc.answer::<QueryRewardGaugesRequest>(answered(&QueryRewardGaugesResponse { reward_gauges }));
    assert_eq!(reader.fetch_rewards(&account).await, Ok(vec![(RewardKind::BtcStaker, 6)]));
    rpc.answer::<QueryRewardGaugesRequest>(module_error("reward gauge not found"));
    assert_eq!(reader.fetch_rewards(&account).await, Ok(Vec::new()));
}

#[tokio::test]
async fn events_of_a_block_are_read_and_bad_ones_told() {
    let (rpc, reader) = reader();
    let event = |kind: &str, key: &str, value: &str| RawEvent {
        kind: kind.into(),
        attributes: vec![(key.into(), value.into())],
    };
    let expired = "babylon.btcstaking.v1.EventBTCDelegationExpired";
    let results = crate::rpc::BlockResults {
        tx_events: vec![event("message", "action", "/x"), event(expired, "staking_tx_hash", "nonsense")],
        block_events: vec![event(expired, "staking_tx_hash", &format!("\"{}\"", "ab".repeat(32)))],
    };
    rpc.script().blocks.insert(4, results);
    let listing = reader.fetch_events(PosHeight::new(4)).await.unwrap();
    assert_eq!((listing.items.len(), listing.malformed.len()), (1, 1));
    assert_eq!(reader.fetch_events(PosHeight::new(5)).await.unwrap_err().kind, ErrorKind::NotYet);
    let pruned =
        node_error("height 1 is not available, lowest height is 3").into_chain_error("block_results");
    assert_eq!(pruned.kind, ErrorKind::Pruned);
}
