//! Every query of `wire.md` 5.2 to 5.8 through the typed functions.

use super::*;
use crate::proto::{
    Query, btccheckpoint, btclightclient, btcstaking, checkpointing, costaking, epoching, incentive, mint,
    monitor,
};
use crate::reader::{ListQuery, sdk};
use bitcoin::{block::Header, constants::genesis_block};
use btc_staking_pos_chain::LightClientHeader;
use btc_staking_protocol::height::BtcHeight;
use cosmrs::proto::cosmos;

/// Asks a query that is answered with an empty response, at its path.
async fn ask_one<Q>(request: Q, path: &str)
where
    Q: Query,
    Q::Response: PartialEq + std::fmt::Debug,
{
    let (rpc, reader) = reader();
    rpc.answer::<Q>(answered(&Q::Response::default()));
    assert_eq!(reader.fetch(&request).await, Ok(Ok(Q::Response::default())), "{path}");
    assert_eq!(rpc.script().requests, [(path.to_owned(), request.encode_to_vec())]);
    rpc.answer::<Q>(refused("sdk", 26, "cannot query with height in the future"));
    assert_eq!(reader.fetch(&request).await.unwrap_err().kind, ErrorKind::NotYet, "{path}");
    rpc.answer::<Q>(module_error("there is no such thing"));
    assert!(reader.fetch(&request).await.unwrap().is_err(), "{path}");
}

/// Reads a list of two pages of one member each.
async fn ask_list<Q>(request: Q, page: impl Fn(&[u8]) -> Q::Response, path: &str)
where
    Q: ListQuery,
    Q::Response: Send,
{
    let (rpc, reader) = reader();
    rpc.answer::<Q>(answered(&page(b"next")));
    rpc.answer::<Q>(answered(&page(b"")));
    assert_eq!(reader.fetch_list(request).await.unwrap().len(), 2, "{path}");
    let asked = std::mem::take(&mut rpc.script().requests);
    let second = Q::decode(asked[1].1.as_slice()).unwrap();
    let expected = PageRequest { key: b"next".to_vec(), limit: 2, ..PageRequest::default() };
    assert_eq!(second.encode_to_vec(), second.at_page(expected).encode_to_vec(), "{path}");
    assert!(asked.iter().all(|(at, _)| at == path));
}

macro_rules! ask_each {
    ($package:literal, $module:ident: $($request:ident $method:literal),* $(,)?) => {$(
        ask_one($module::$request::default(), concat!("/", $package, ".Query/", $method)).await;
    )*};
}
macro_rules! list_each {
    ($package:literal, $module:ident: $($request:ident $response:ident.$field:ident $method:literal),* $(,)?) => {$(
        let answer = |next: &[u8]| {
            let mut response = $module::$response { pagination: page(next), ..Default::default() };
            response.$field.extend([Default::default()]);
            response
        };
        ask_list($module::$request::default(), answer, concat!("/", $package, ".Query/", $method)).await;
    )*};
}

#[tokio::test]
async fn every_query_is_asked_at_its_path_and_answered_with_its_type() {
    ask_each! { "babylon.btcstaking.v1", btcstaking:
        QueryParamsRequest "Params", QueryParamsByVersionRequest "ParamsByVersion",
        QueryParamsByBTCHeightRequest "ParamsByBTCHeight", QueryFinalityProviderRequest "FinalityProvider",
        QueryBTCDelegationRequest "BTCDelegation", QueryLargestBtcReOrgRequest "LargestBtcReOrg",
    }
    ask_each! { "babylon.finality.v1", finality:
        QueryParamsRequest "Params", QueryFinalityProviderPowerAtHeightRequest "FinalityProviderPowerAtHeight",
        QueryFinalityProviderCurrentPowerRequest "FinalityProviderCurrentPower",
        QueryActivatedHeightRequest "ActivatedHeight", QueryBlockRequest "Block",
        QueryVotesAtHeightRequest "VotesAtHeight", QueryEvidenceRequest "Evidence",
        QuerySigningInfoRequest "SigningInfo", QueryVotingPowerDistributionRequest "VotingPowerDistribution",
    }
    ask_each! { "babylon.btclightclient.v1", btclightclient:
        QueryParamsRequest "Params", QueryTipRequest "Tip", QueryBaseHeaderRequest "BaseHeader",
        QueryMainChainRequest "MainChain", QueryHeaderDepthRequest "HeaderDepth",
        QueryContainsRequest "Contains", QueryContainsBytesRequest "ContainsBytes",
    }
    ask_each! { "babylon.btccheckpoint.v1", btccheckpoint:
        QueryParamsRequest "Params", QueryBtcCheckpointInfoRequest "BtcCheckpointInfo",
        QueryEpochSubmissionsRequest "EpochSubmissions",
    }
    ask_each! { "babylon.checkpointing.v1", checkpointing:
        QueryRawCheckpointRequest "RawCheckpoint",
        QueryLastCheckpointWithStatusRequest "LastCheckpointWithStatus", QueryEpochStatusRequest "EpochStatus",
        QueryRecentEpochStatusCountRequest "RecentEpochStatusCount",
        QueryBlsPublicKeyListRequest "BlsPublicKeyList",
    }
    ask_each! { "babylon.epoching.v1", epoching:
        QueryParamsRequest "Params", QueryCurrentEpochRequest "CurrentEpoch", QueryEpochInfoRequest "EpochInfo",
        QueryValidatorLifecycleRequest "ValidatorLifecycle",
        QueryDelegationLifecycleRequest "DelegationLifecycle",
    }
    ask_each! { "babylon.monitor.v1", monitor:
        QueryEndedEpochBtcHeightRequest "EndedEpochBtcHeight",
        QueryReportedCheckpointBtcHeightRequest "ReportedCheckpointBtcHeight",
    }
    ask_each! { "babylon.incentive", incentive:
        QueryParamsRequest "Params", QueryRewardGaugesRequest "RewardGauges",
        QueryBTCStakingGaugeRequest "BTCStakingGauge",
        QueryDelegatorWithdrawAddressRequest "DelegatorWithdrawAddress",
        QueryDelegationRewardsRequest "DelegationRewards", QueryFpCurrentRewardsRequest "FpCurrentRewards",
    }
    ask_each! { "babylon.costaking.v1", costaking:
        QueryParamsRequest "Params", QueryCostakerRewardsTrackerRequest "CostakerRewardsTracker",
        QueryCurrentRewardsRequest "CurrentRewards", QueryHistoricalRewardsRequest "HistoricalRewards",
    }
    ask_each! { "babylon.mint.v1", mint:
        QueryInflationRateRequest "InflationRate", QueryAnnualProvisionsRequest "AnnualProvisions",
        QueryGenesisTimeRequest "GenesisTime",
    }
}

#[tokio::test]
async fn every_list_is_read_to_its_last_page() {
    list_each! { "babylon.btcstaking.v1", btcstaking:
        QueryParamsVersionsRequest QueryParamsVersionsResponse.params "ParamsVersions",
        QueryFinalityProvidersRequest QueryFinalityProvidersResponse.finality_providers "FinalityProviders",
        QueryBTCDelegationsRequest QueryBTCDelegationsResponse.btc_delegations "BTCDelegations",
        QueryFinalityProviderDelegationsRequest
            QueryFinalityProviderDelegationsResponse.btc_delegator_delegations "FinalityProviderDelegations",
    }
    list_each! { "babylon.finality.v1", finality:
        QueryActiveFinalityProvidersAtHeightRequest
            QueryActiveFinalityProvidersAtHeightResponse.finality_providers "ActiveFinalityProvidersAtHeight",
        QueryListPublicRandomnessRequest QueryListPublicRandomnessResponse.pub_rand_map "ListPublicRandomness",
        QueryListPubRandCommitRequest QueryListPubRandCommitResponse.pub_rand_commit_map "ListPubRandCommit",
        QueryListBlocksRequest QueryListBlocksResponse.blocks "ListBlocks",
        QueryListEvidencesRequest QueryListEvidencesResponse.evidences "ListEvidences",
        QuerySigningInfosRequest QuerySigningInfosResponse.signing_infos "SigningInfos",
    }
    list_each! { "babylon.btclightclient.v1", btclightclient:
        QueryHashesRequest QueryHashesResponse.hashes "Hashes",
    }
    list_each! { "babylon.btccheckpoint.v1", btccheckpoint:
        QueryBtcCheckpointsInfoRequest QueryBtcCheckpointsInfoResponse.info_list "BtcCheckpointsInfo",
    }
    list_each! { "babylon.checkpointing.v1", checkpointing:
        QueryRawCheckpointsRequest QueryRawCheckpointsResponse.raw_checkpoints "RawCheckpoints",
        QueryRawCheckpointListRequest QueryRawCheckpointListResponse.raw_checkpoints "RawCheckpointList",
    }
    list_each! { "babylon.epoching.v1", epoching:
        QueryEpochsInfoRequest QueryEpochsInfoResponse.epochs "EpochsInfo",
        QueryEpochMsgsRequest QueryEpochMsgsResponse.msgs "EpochMsgs",
        QueryLatestEpochMsgsRequest QueryLatestEpochMsgsResponse.latest_epoch_msgs "LatestEpochMsgs",
        QueryEpochValSetRequest QueryEpochValSetResponse.validators "EpochValSet",
    }
}

#[tokio::test]
async fn queries_of_the_common_modules_are_asked_alike() {
    use cosmos::{base::node::v1beta1 as node, gov, staking, tx::v1beta1 as tx, upgrade::v1beta1 as upgrade};
    ask_one(node::ConfigRequest::default(), "/cosmos.base.node.v1beta1.Service/Config").await;
    ask_one(tx::GetTxRequest::default(), "/cosmos.tx.v1beta1.Service/GetTx").await;
    ask_one(upgrade::QueryCurrentPlanRequest::default(), "/cosmos.upgrade.v1beta1.Query/CurrentPlan").await;
    ask_one(gov::v1::QueryProposalRequest::default(), "/cosmos.gov.v1.Query/Proposal").await;
    ask_one(sdk::StakingParamsRequest::default(), "/cosmos.staking.v1beta1.Query/Params").await;
    ask_one(staking::v1beta1::QueryPoolRequest::default(), "/cosmos.staking.v1beta1.Query/Pool").await;
    ask_one(QueryBalanceRequest::default(), "/cosmos.bank.v1beta1.Query/Balance").await;
    ask_one(proto::QueryAccountRequest::default(), "/cosmos.auth.v1beta1.Query/Account").await;
    let validators = |next: &[u8]| staking::v1beta1::QueryValidatorsResponse {
        validators: vec![Default::default()],
        pagination: page(next),
    };
    let path = "/cosmos.staking.v1beta1.Query/Validators";
    ask_list(staking::v1beta1::QueryValidatorsRequest::default(), validators, path).await;
    let proposals = |next: &[u8]| gov::v1::QueryProposalsResponse {
        proposals: vec![Default::default()],
        pagination: page(next),
    };
    ask_list(gov::v1::QueryProposalsRequest::default(), proposals, "/cosmos.gov.v1.Query/Proposals").await;
}

#[tokio::test]
async fn keys_of_validators_are_paged_by_offset() {
    use checkpointing::{BlsPublicKeyListResponse, QueryBlsPublicKeyListRequest as Request};
    let (rpc, reader) = reader();
    for count in [2, 2, 1] {
        let validator_with_bls_keys = vec![BlsPublicKeyListResponse::default(); count];
        let response =
            checkpointing::QueryBlsPublicKeyListResponse { validator_with_bls_keys, pagination: None };
        rpc.answer::<Request>(answered(&response));
    }
    assert_eq!(reader.fetch_bls_public_keys(Epoch::new(3)).await.unwrap().len(), 5);
    let asked = std::mem::take(&mut rpc.script().requests);
    let offsets =
        asked.iter().map(|(_, data)| Request::decode(data.as_slice()).unwrap().pagination.unwrap().offset);
    assert_eq!(offsets.collect::<Vec<_>>(), [0, 2, 4]);
}

/// Headers on top of each other, the base first, and the base's height.
fn chain_of_headers(count: u32) -> Vec<LightClientHeader> {
    let mut header = genesis_block(bitcoin::Network::Regtest).header;
    let mut headers = Vec::new();
    for height in 0..count {
        headers.push(LightClientHeader { header, hash: header.block_hash(), height: BtcHeight::new(height) });
        header = Header { prev_blockhash: header.block_hash(), time: header.time + 600, ..header };
    }
    headers
}

#[tokio::test]
async fn headers_are_read_downwards_to_the_base_and_must_be_a_chain() {
    use crate::convert::headers::encode_light_client_header as encode;
    use btclightclient::*;
    let headers = chain_of_headers(5);
    let (rpc, reader) = reader();
    let script_base = || {
        let header = Some(encode(&headers[0], "1"));
        rpc.answer::<QueryBaseHeaderRequest>(answered(&QueryBaseHeaderResponse { header }));
    };
    let script_page = |members: &[&LightClientHeader]| {
        let headers = members.iter().map(|header| encode(header, "1")).collect();
        // As on the chain, the key is never empty.
        let response = QueryMainChainResponse { headers, pagination: page(b"x") };
        rpc.answer::<QueryMainChainRequest>(answered(&response));
    };
    script_base();
    script_page(&[&headers[4], &headers[3]]);
    script_page(&[&headers[2], &headers[1], &headers[0]]);
    let read = reader.fetch_light_client_headers(None, 100).await.unwrap();
    assert!(read.iter().eq(headers.iter().rev()));
    let second = rpc.script().requests.last().unwrap().1.clone();
    let key = QueryMainChainRequest::decode(second.as_slice()).unwrap().pagination.unwrap().key;
    assert_eq!(key, headers[2].hash.to_byte_array());

    script_base();
    script_page(&[&headers[3], &headers[2]]);
    assert_eq!(reader.fetch_light_client_headers(Some(headers[3].hash), 2).await.unwrap().len(), 2);
    let bad: [(&[&LightClientHeader], Option<usize>); 4] = [
        (&[&headers[4], &headers[2]], None),
        (&[&headers[3]], Some(4)),
        (&[], None),
        (&[&headers[4], &LightClientHeader { height: BtcHeight::new(9), ..headers[3] }], None),
    ];
    for (members, newest) in bad {
        script_base();
        script_page(members);
        let newest = newest.map(|index| headers[index].hash);
        let error = reader.fetch_light_client_headers(newest, 100).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Broken);
    }
}

#[tokio::test]
async fn a_list_that_goes_in_circles_is_an_error() {
    let (rpc, reader) = reader();
    for next in [b"a", b"b", b"a", b"b"] {
        let blocks = vec![finality::IndexedBlock::default()];
        rpc.answer::<QueryListBlocksRequest>(answered(&QueryListBlocksResponse {
            blocks,
            pagination: page(next),
        }));
    }
    let error = reader.fetch_list(QueryListBlocksRequest::default()).await.unwrap_err();
    assert!(error.detail.contains("does not move on"), "{error}");
}
