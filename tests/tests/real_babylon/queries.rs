//! Every query path asked of both chains in a like state: the same kind of answer, the same kind of refusal, and answers
//! that our definitions hold whole.

use crate::{
    rules::Fixture,
    shape,
    support::{Refused, World, address},
};
use btc_staking_babylon::proto::{
    PageRequest, Query, btccheckpoint as btc, btclightclient as lc, btcstaking as st, checkpointing as ckpt,
    costaking as co, epoching as ep, finality as fi, incentive as inc, mint, monitor,
};
use prost::Message;
use std::collections::BTreeSet;
use tendermint_rpc::Client as _;

/// A question that can be put to any node.
pub struct Question {
    /// The path and what is asked.
    pub what: String,
    /// The path.
    pub path: &'static str,
    /// The request.
    pub data: Vec<u8>,
    /// Decodes an answer and says what it is and how it is encoded again.
    pub read: fn(&[u8]) -> (String, Vec<u8>),
}

/// What a node said.
struct Said {
    what: String,
    path: &'static str,
    answer: Result<String, Refused>,
    /// Bytes of the answer, and of the same after decoding and encoding.
    bytes: (Vec<u8>, Vec<u8>),
}

fn question<Q: Query + std::fmt::Debug>(request: Q) -> Question
where
    Q::Response: std::fmt::Debug,
{
    let read = |bytes: &[u8]| {
        let decoded = Q::Response::decode(bytes).unwrap();
        (format!("{decoded:?}"), decoded.encode_to_vec())
    };
    let what = format!("{} {request:?}", Q::PATH);
    Question { what, path: Q::PATH, data: request.encode_to_vec(), read }
}

/// Everything that is asked, about the fixture's providers and stakes and about what does not exist.
pub fn questions(w: &World, f: &Fixture) -> Vec<Question> {
    let mut all = about_staking(f);
    all.extend(about_finality(w, f));
    all.extend(about_bitcoin(w));
    all.extend(about_epochs());
    all.extend(about_rewards(f));
    all
}

/// A key on the curve, a txid and a hash that nobody has: the x-coordinate of the curve's generator.
const NOBODY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn about_staking(f: &Fixture) -> Vec<Question> {
    let keys = [f.one.public().to_string(), f.three.public().to_string(), NOBODY.into(), "xy".into()];
    let stakes = [&f.pending, &f.verified, &f.active, &f.unbonded].map(|stake| stake.txid().to_string());
    let mut all = vec![
        question(st::QueryParamsRequest {}),
        question(st::QueryParamsVersionsRequest::default()),
        question(st::QueryFinalityProvidersRequest::default()),
        question(st::QueryLargestBtcReOrgRequest {}),
    ];
    for version in [0, 9] {
        all.push(question(st::QueryParamsByVersionRequest { version }));
    }
    for btc_height in [0, 1, 2, 100_000] {
        all.push(question(st::QueryParamsByBTCHeightRequest { btc_height }));
    }
    for key in keys {
        all.push(question(st::QueryFinalityProviderRequest { fp_btc_pk_hex: key.clone() }));
        all.push(question(st::QueryFinalityProviderDelegationsRequest {
            fp_btc_pk_hex: key,
            pagination: None,
        }));
    }
    for status in 0..=6 {
        all.push(question(st::QueryBTCDelegationsRequest { status, pagination: Some(one_item()) }));
    }
    for txid in stakes.into_iter().chain([NOBODY.to_owned(), "xy".to_owned()]) {
        all.push(question(st::QueryBTCDelegationRequest { staking_tx_hash_hex: txid }));
    }
    all
}

fn about_finality(w: &World, f: &Fixture) -> Vec<Question> {
    let heights = [1, f.settled, w.node.height() + 1_000];
    let mut all = vec![
        question(fi::QueryParamsRequest {}),
        question(fi::QueryActivatedHeightRequest {}),
        question(fi::QuerySigningInfosRequest::default()),
        question(fi::QueryListEvidencesRequest::default()),
    ];
    for height in heights {
        all.push(question(fi::QueryActiveFinalityProvidersAtHeightRequest { height, pagination: None }));
        all.push(question(fi::QueryBlockRequest { height }));
        all.push(question(fi::QueryVotesAtHeightRequest { height }));
        all.push(question(fi::QueryVotingPowerDistributionRequest { height }));
    }
    for status in 0..=3 {
        all.push(question(fi::QueryListBlocksRequest { status, pagination: Some(one_item()) }));
    }
    for key in [f.one.public().to_string(), f.two.public().to_string(), NOBODY.into(), "xy".into()] {
        let fp_btc_pk_hex = || key.clone();
        for height in heights {
            all.push(question(fi::QueryFinalityProviderPowerAtHeightRequest {
                fp_btc_pk_hex: fp_btc_pk_hex(),
                height,
            }));
        }
        all.push(question(fi::QueryFinalityProviderCurrentPowerRequest { fp_btc_pk_hex: fp_btc_pk_hex() }));
        all.push(question(fi::QueryListPublicRandomnessRequest {
            fp_btc_pk_hex: fp_btc_pk_hex(),
            pagination: Some(one_item()),
        }));
        all.push(question(fi::QueryListPubRandCommitRequest {
            fp_btc_pk_hex: fp_btc_pk_hex(),
            pagination: None,
        }));
        all.push(question(fi::QueryEvidenceRequest { fp_btc_pk_hex: fp_btc_pk_hex() }));
        all.push(question(fi::QuerySigningInfoRequest { fp_btc_pk_hex: fp_btc_pk_hex() }));
    }
    all
}

fn about_bitcoin(w: &World) -> Vec<Question> {
    let known = w.bitcoin.header(2).block_hash();
    let bytes = |hash: bitcoin::BlockHash| bitcoin::hashes::Hash::to_byte_array(hash).to_vec();
    let unknown = crate::support::bitcoin::unknown_hash();
    let mut all = vec![
        question(lc::QueryParamsRequest {}),
        question(lc::QueryTipRequest {}),
        question(lc::QueryBaseHeaderRequest {}),
        question(lc::QueryMainChainRequest { pagination: Some(PageRequest { limit: 2, ..one_item() }) }),
        question(lc::QueryMainChainRequest { pagination: Some(PageRequest { reverse: true, ..one_item() }) }),
        question(lc::QueryMainChainRequest { pagination: Some(PageRequest { limit: 1_001, ..one_item() }) }),
        question(lc::QueryMainChainRequest {
            pagination: Some(PageRequest { key: vec![7; 32], ..one_item() }),
        }),
        question(lc::QueryHashesRequest { pagination: Some(one_item()) }),
        question(lc::QueryHeaderDepthRequest { hash: known.to_string() }),
        question(lc::QueryHeaderDepthRequest { hash: unknown.to_string() }),
        question(lc::QueryHeaderDepthRequest { hash: "xy".into() }),
        question(btc::QueryParamsRequest {}),
        question(btc::QueryBtcCheckpointsInfoRequest { pagination: Some(one_item()) }),
    ];
    for hash in [bytes(known), bytes(unknown)] {
        all.push(question(lc::QueryContainsRequest { hash: hash.clone() }));
        all.push(question(lc::QueryContainsBytesRequest { hash }));
    }
    all.push(question(lc::QueryContainsBytesRequest { hash: vec![1; 31] }));
    for epoch_num in [1, 9_999] {
        all.push(question(btc::QueryBtcCheckpointInfoRequest { epoch_num }));
        all.push(question(btc::QueryEpochSubmissionsRequest { epoch_num }));
    }
    all
}

fn about_epochs() -> Vec<Question> {
    let mut all = vec![
        question(ep::QueryParamsRequest {}),
        question(ep::QueryCurrentEpochRequest {}),
        question(ep::QueryEpochsInfoRequest { pagination: Some(one_item()) }),
        question(ep::QueryLatestEpochMsgsRequest { end_epoch: 2, epoch_count: 1, pagination: None }),
        question(ep::QueryDelegationLifecycleRequest { del_addr: address("staker") }),
        question(ep::QueryValidatorLifecycleRequest { val_addr: "xy".into() }),
        question(ckpt::QueryRawCheckpointsRequest { pagination: Some(one_item()) }),
        question(ckpt::QueryRecentEpochStatusCountRequest { epoch_count: 3 }),
        question(monitor::QueryReportedCheckpointBtcHeightRequest { ckpt_hash: NOBODY.into() }),
    ];
    for epoch_num in [1, 9_999] {
        all.push(question(ep::QueryEpochInfoRequest { epoch_num }));
        all.push(question(ep::QueryEpochMsgsRequest { epoch_num, pagination: None }));
        all.push(question(ep::QueryEpochValSetRequest { epoch_num, pagination: None }));
        all.push(question(ckpt::QueryRawCheckpointRequest { epoch_num }));
        all.push(question(ckpt::QueryEpochStatusRequest { epoch_num }));
        all.push(question(ckpt::QueryBlsPublicKeyListRequest { epoch_num, pagination: None }));
        all.push(question(monitor::QueryEndedEpochBtcHeightRequest { epoch_num }));
    }
    for status in 0..=5 {
        all.push(question(ckpt::QueryLastCheckpointWithStatusRequest { status }));
        all.push(question(ckpt::QueryRawCheckpointListRequest { status, pagination: Some(one_item()) }));
    }
    all
}

fn about_rewards(f: &Fixture) -> Vec<Question> {
    let mut all = vec![
        question(inc::QueryParamsRequest {}),
        question(co::QueryParamsRequest {}),
        question(co::QueryCurrentRewardsRequest {}),
        question(co::QueryHistoricalRewardsRequest { period: 0 }),
        question(co::QueryHistoricalRewardsRequest { period: 9_999 }),
        question(mint::QueryInflationRateRequest {}),
        question(mint::QueryAnnualProvisionsRequest {}),
        question(mint::QueryGenesisTimeRequest {}),
    ];
    for label in ["provider-1", "staker", "nobody"] {
        let delegator = address(label);
        all.push(question(inc::QueryRewardGaugesRequest { address: delegator.clone() }));
        all.push(question(inc::QueryDelegatorWithdrawAddressRequest {
            delegator_address: delegator.clone(),
        }));
        all.push(question(inc::QueryFpCurrentRewardsRequest {
            finality_provider_address: delegator.clone(),
        }));
        all.push(question(inc::QueryDelegationRewardsRequest {
            finality_provider_address: address("provider-1"),
            delegator_address: delegator.clone(),
        }));
        all.push(question(co::QueryCostakerRewardsTrackerRequest { costaker_address: delegator }));
    }
    all.push(question(inc::QueryRewardGaugesRequest { address: "xy".into() }));
    for height in [1, f.settled] {
        all.push(question(inc::QueryBTCStakingGaugeRequest { height }));
    }
    all
}

fn one_item() -> PageRequest {
    PageRequest { limit: 1, count_total: true, ..PageRequest::default() }
}

async fn said(w: &World, f: &Fixture) -> Vec<Said> {
    let mut all = vec![];
    for Question { what, path, data, read } in questions(w, f) {
        let answer = w.client.abci_query(Some(path.to_owned()), data, None, false).await.unwrap();
        let (answer, bytes) = if answer.code.is_err() {
            let refused = Refused { codespace: answer.codespace, code: answer.code.value(), log: answer.log };
            (Err(refused), (vec![], vec![]))
        } else {
            let (shown, again) = read(&answer.value);
            (Ok(shown), (answer.value, again))
        };
        all.push(Said { what, path, answer, bytes });
    }
    all
}

/// Services whose answers tell how far checkpoints have come, and why the embedded chain's have come another way.
const OF_CHECKPOINTS: [(&str, &str); 2] = [
    ("/babylon.btccheckpoint.v1.Query/", "the embedded chain's epochs become final without reports"),
    (
        "/babylon.checkpointing.v1.Query/",
        "the embedded chain's epochs become final by the light client's tip",
    ),
];

/// Why this query may be answered otherwise.
pub fn excuse(path: &str) -> Option<&'static str> {
    OF_CHECKPOINTS.iter().find(|(service, _)| path.starts_with(service)).map(|(_, why)| *why)
}

/// Queries of every service but the SDK's (`wire.md` 5).
const PATHS: usize = 68;

/// Asks both chains everything and returns what differs, in words.
pub async fn differences(real: (&World, &Fixture), embedded: (&World, &Fixture)) -> Vec<String> {
    let asked: BTreeSet<_> = questions(real.0, real.1).iter().map(|question| question.path).collect();
    assert_eq!(asked.len(), PATHS, "not every query is asked: {asked:#?}");
    let (real, embedded) = tokio::join!(said(real.0, real.1), said(embedded.0, embedded.1));
    let mut wrong = vec![];
    for (real, embedded) in real.iter().zip(&embedded) {
        assert_eq!(real.path, embedded.path);
        let what = &real.what;
        if shape::sorted(&real.bytes.0) != shape::sorted(&real.bytes.1) {
            let [node, ours] = [&real.bytes.0, &real.bytes.1].map(hex::encode);
            wrong.push(format!("{what}: our definition loses something:\n  node {node}\n  ours {ours}"));
        }
        let shapes = [&real.answer, &embedded.answer].map(|answer| match answer {
            Ok(shown) => shape::of(shown),
            Err(refused) => format!("{} {}", refused.short(), shape::meaning_of_query(refused)),
        });
        if shapes[0] == shapes[1] {
            continue;
        }
        if let Some(why) = excuse(real.path) {
            println!("{what}, since {why}\n  node: {}\n  ours: {}", shapes[0], shapes[1]);
        } else {
            let [node, ours] = [&real.answer, &embedded.answer].map(|answer| format!("{answer:?}"));
            wrong.push(format!(
                "{what}\n  node: {}\n  ours: {}\n  node: {node}\n  ours: {ours}",
                shapes[0], shapes[1]
            ));
        }
    }
    wrong
}
