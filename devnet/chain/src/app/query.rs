//! Queries: from a path to the module that answers. A door reports a refusal in its own form (`wire.md` 4.5).

use super::{
    auth, bank, context::BlockInfo, costaking, epochs, execute, finality, incentive, light_client, mint,
    staking,
};
use crate::{
    error::{Broken, Failure, Form, Refusal, plain, sdk},
    state::State,
};
use btc_staking_babylon::proto::{
    GasInfo, Query, QueryAccountRequest, QueryBalanceRequest, QuerySupplyOfRequest, QueryTotalSupplyRequest,
    SimulateRequest, SimulateResponse, SimulationResult, btccheckpoint as btc, btclightclient as lc,
    btcstaking as st, checkpointing as ckpt, costaking as co, epoching as ep, finality as fi,
    incentive as inc, mint as mi, monitor as mon,
};
use prost::Message;

/// Answer to a query.
pub(crate) type Answer = Result<Vec<u8>, Refusal>;

/// What a query reads.
pub(crate) struct Asked<'a, 'p> {
    /// State at the height asked for.
    pub(crate) state: &'a State<'p>,
    /// State that counts what waits in the mempool; simulation runs on it.
    pub(crate) pending: &'a State<'p>,
    /// The block that a simulated transaction would be in.
    pub(crate) next_block: &'a BlockInfo,
    /// Height of `state`.
    pub(crate) height: u64,
    pub(crate) path: &'a str,
    pub(crate) data: &'a [u8],
}

/// Answers a query.
///
/// # Errors
/// [`Broken`] when the state cannot be read; refusals are answers.
pub(crate) fn answer(asked: &Asked<'_, '_>) -> Result<Answer, Broken> {
    match dispatch(asked) {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
        Err(Failure::Broken(broken)) => Err(broken),
    }
}

fn dispatch(asked: &Asked<'_, '_>) -> Result<Vec<u8>, Failure> {
    use costaking::queries as scores;
    use epochs::queries as epoch;
    use finality::queries as votes;
    use incentive::queries as rewards;
    use light_client::queries as light;
    use staking::queries as stakes;
    macro_rules! answered_by {
        ($($request:ty => $handler:expr,)*) => {
            #[cfg(test)]
            if asked.path == tests::LIST_PATHS {
                return Ok([$(<$request as Query>::PATH),*].join(" ").into_bytes());
            }
            match asked.path {
                $(<$request as Query>::PATH => {
                    let request = <$request>::decode(asked.data).map_err(plain)?;
                    let response: <$request as Query>::Response = $handler(asked.state, request)?;
                    Ok(response.encode_to_vec())
                })*
                <SimulateRequest as Query>::PATH => simulate(asked),
                _ => Err(unknown_path()),
            }
        };
    }
    answered_by! {
        QueryAccountRequest => auth::query_account,
        QueryBalanceRequest => bank::query_balance,
        QuerySupplyOfRequest => bank::query_supply_of,
        QueryTotalSupplyRequest => bank::query_total_supply,
        lc::QueryParamsRequest => light::params,
        lc::QueryTipRequest => light::query_tip,
        lc::QueryBaseHeaderRequest => light::base_header,
        lc::QueryMainChainRequest => light::main_chain,
        lc::QueryHeaderDepthRequest => light::header_depth,
        lc::QueryContainsRequest => light::contains,
        lc::QueryContainsBytesRequest => light::contains_bytes,
        lc::QueryHashesRequest => light::hashes,
        st::QueryLargestBtcReOrgRequest => |state, _| light::largest_reorg(state),
        st::QueryParamsRequest => stakes::latest_params,
        st::QueryParamsVersionsRequest => stakes::params_versions,
        st::QueryParamsByVersionRequest => stakes::params_by_version,
        st::QueryParamsByBTCHeightRequest => stakes::params_by_height,
        st::QueryFinalityProvidersRequest =>
            |state, request| stakes::finality_providers(state, asked.height, request),
        st::QueryFinalityProviderRequest =>
            |state, request| stakes::finality_provider(state, asked.height, request),
        st::QueryBTCDelegationsRequest => stakes::delegations,
        st::QueryFinalityProviderDelegationsRequest => stakes::provider_delegations,
        st::QueryBTCDelegationRequest => stakes::delegation,
        fi::QueryParamsRequest => votes::query_params,
        fi::QueryActiveFinalityProvidersAtHeightRequest => votes::active_at,
        fi::QueryFinalityProviderPowerAtHeightRequest => votes::power_at,
        fi::QueryFinalityProviderCurrentPowerRequest => votes::current_power,
        fi::QueryActivatedHeightRequest => votes::activated_height,
        fi::QueryListPublicRandomnessRequest => votes::public_randomness,
        fi::QueryListPubRandCommitRequest => votes::commits,
        fi::QueryBlockRequest => votes::block,
        fi::QueryListBlocksRequest => votes::blocks,
        fi::QueryVotesAtHeightRequest => votes::votes_at,
        fi::QueryEvidenceRequest => votes::evidence,
        fi::QueryListEvidencesRequest => votes::evidences,
        fi::QuerySigningInfoRequest => votes::signing_info,
        fi::QuerySigningInfosRequest => votes::signing_infos,
        fi::QueryVotingPowerDistributionRequest => votes::distribution,
        btc::QueryParamsRequest => epoch::bitcoin::checkpoint_params,
        btc::QueryBtcCheckpointInfoRequest => epoch::bitcoin::info,
        btc::QueryBtcCheckpointsInfoRequest => epoch::bitcoin::infos,
        btc::QueryEpochSubmissionsRequest => epoch::bitcoin::submissions,
        ep::QueryParamsRequest => epoch::epoch_params,
        ep::QueryCurrentEpochRequest => epoch::current_epoch,
        ep::QueryEpochInfoRequest => epoch::epoch_info,
        ep::QueryEpochsInfoRequest => epoch::epochs_info,
        ep::QueryEpochMsgsRequest => epoch::epoch_msgs,
        ep::QueryLatestEpochMsgsRequest => epoch::latest_epoch_msgs,
        ep::QueryValidatorLifecycleRequest => epoch::validator_lifecycle,
        ep::QueryDelegationLifecycleRequest => epoch::delegation_lifecycle,
        ep::QueryEpochValSetRequest => epoch::validator_set,
        ckpt::QueryRawCheckpointRequest => epoch::checkpoints::raw_checkpoint,
        ckpt::QueryRawCheckpointsRequest => epoch::checkpoints::raw_checkpoints,
        ckpt::QueryRawCheckpointListRequest => epoch::checkpoints::with_status,
        ckpt::QueryLastCheckpointWithStatusRequest => epoch::checkpoints::last_with_status,
        ckpt::QueryEpochStatusRequest => epoch::checkpoints::epoch_status,
        ckpt::QueryRecentEpochStatusCountRequest => epoch::checkpoints::status_count,
        ckpt::QueryBlsPublicKeyListRequest => epoch::checkpoints::bls_keys,
        mon::QueryEndedEpochBtcHeightRequest => epoch::ended_epoch_height,
        mon::QueryReportedCheckpointBtcHeightRequest => epoch::reported_checkpoint_height,
        inc::QueryParamsRequest => rewards::query_params,
        inc::QueryRewardGaugesRequest => rewards::reward_gauges,
        inc::QueryBTCStakingGaugeRequest => rewards::btc_staking_gauge,
        inc::QueryDelegatorWithdrawAddressRequest => rewards::delegator_withdraw_address,
        inc::QueryDelegationRewardsRequest => rewards::delegation_rewards,
        inc::QueryFpCurrentRewardsRequest => rewards::fp_current_rewards,
        co::QueryParamsRequest => scores::query_params,
        co::QueryCostakerRewardsTrackerRequest => scores::tracker,
        co::QueryCurrentRewardsRequest => scores::current_rewards,
        co::QueryHistoricalRewardsRequest => scores::historical_rewards,
        mi::QueryInflationRateRequest => mint::inflation_rate,
        mi::QueryAnnualProvisionsRequest => mint::annual_provisions_now,
        mi::QueryGenesisTimeRequest => mint::genesis_time,
    }
}

fn unknown_path() -> Failure {
    let (codespace, code) = (sdk::UNKNOWN_REQUEST.codespace, sdk::UNKNOWN_REQUEST.code);
    Refusal { codespace, code, log: "unknown query path".to_owned(), form: Form::NoSuchPath }.into()
}

/// As the node reads it: clients of the Go software still send the transaction in the deprecated field, where it has the
/// same bytes. With both, `tx_bytes` counts.
#[derive(Clone, PartialEq, ::prost::Message)]
struct TransactionToSimulate {
    #[prost(bytes = "vec", tag = "1")]
    tx: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    tx_bytes: Vec<u8>,
}

fn simulate(asked: &Asked<'_, '_>) -> Result<Vec<u8>, Failure> {
    let request = TransactionToSimulate::decode(asked.data).map_err(plain)?;
    let tx = if request.tx_bytes.is_empty() { &request.tx } else { &request.tx_bytes };
    let result = execute::simulate(asked.pending, asked.next_block, tx)?;
    let response = SimulateResponse {
        gas_info: Some(GasInfo { gas_wanted: result.gas_wanted, gas_used: result.gas_used }),
        result: Some(SimulationResult { log: result.log, ..Default::default() }),
    };
    Ok(response.encode_to_vec())
}

#[cfg(test)]
pub(super) mod tests {
    /// Asks for the paths there are, which only tests need.
    pub(in crate::app) const LIST_PATHS: &str = "paths";
}
