//! Queries of costaking (`wire.md` 5.7). Scores are zero.

use super::{CURRENT, TRACKERS, params};
use crate::{
    app::{bank, context::parse_account},
    error::{Failure, Status, status},
    state::State,
};
use btc_staking_babylon::proto::costaking::*;

/// The parameters.
pub(crate) fn query_params(state: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    Ok(QueryParamsResponse { params: Some(params(state)?) })
}

/// An account's tracker.
pub(crate) fn tracker(
    state: &State<'_>,
    request: QueryCostakerRewardsTrackerRequest,
) -> Result<QueryCostakerRewardsTrackerResponse, Failure> {
    if request.costaker_address.is_empty() {
        return Err(status(Status::InvalidArgument, "costaker address cannot be empty"));
    }
    let account = parse_account(&request.costaker_address)
        .map_err(|_| status(Status::InvalidArgument, "invalid costaker address"))?;
    let Some(tracker) = TRACKERS.get(state, &account.bytes().to_vec())? else {
        return Err(status(Status::NotFound, "costaker rewards tracker not found"));
    };
    Ok(QueryCostakerRewardsTrackerResponse {
        start_period_cumulative_reward: tracker.start_period,
        active_satoshis: tracker.active_sats.to_string().into_bytes(),
        active_baby: zero(),
        total_score: zero(),
    })
}

/// The period that runs, its rewards times `10^20`.
pub(crate) fn current_rewards(
    state: &State<'_>,
    _: QueryCurrentRewardsRequest,
) -> Result<QueryCurrentRewardsResponse, Failure> {
    let period = CURRENT.get(state, &())?;
    let period = period.ok_or_else(|| status(Status::NotFound, "current rewards not found"))?;
    Ok(QueryCurrentRewardsResponse {
        rewards: bank::coins_of(period.scaled_rewards()),
        period: period.number,
        total_score: zero(),
    })
}

/// The rewards per score up to a period that has ended: none.
pub(crate) fn historical_rewards(
    state: &State<'_>,
    request: QueryHistoricalRewardsRequest,
) -> Result<QueryHistoricalRewardsResponse, Failure> {
    let ended = CURRENT.get(state, &())?.map_or(0, |period| period.number);
    if request.period < ended {
        return Ok(QueryHistoricalRewardsResponse { cumulative_rewards_per_score: vec![] });
    }
    Err(status(Status::NotFound, "historical rewards not found for the given period"))
}

fn zero() -> Vec<u8> {
    b"0".to_vec()
}
