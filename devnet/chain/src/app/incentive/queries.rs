//! Queries of the incentive module (`wire.md` 5.7). They settle on a layer of their own, so nothing they do is kept.

use super::{accounting, gauge, params, parse_address, withdraw};
use crate::{
    app::{auth, bank},
    error::{Failure, incentive as err},
    state::{Meter, State},
};
use btc_staking_babylon::proto::incentive::*;
use btc_staking_protocol::height::PosHeight;

/// The portions of fees and inflation that go to gauges.
pub(crate) fn query_params(state: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    Ok(QueryParamsResponse { params: Some(params(state)?) })
}

/// The gauges of an account, with everything it has earned up to now.
pub(crate) fn reward_gauges(
    state: &State<'_>,
    request: QueryRewardGaugesRequest,
) -> Result<QueryRewardGaugesResponse, Failure> {
    let account = parse_address(&request.address)?;
    let meter = Meter::unlimited();
    let mut settled = State::new(state, &meter);
    accounting::settle_all(&mut settled, account.bytes())?;
    let mut answer = QueryRewardGaugesResponse::default();
    for kind in gauge::KINDS {
        let Some(found) = gauge::find(&settled, kind, account.bytes())? else { continue };
        let shown = RewardGaugesResponse {
            coins: bank::coins(found.earned),
            withdrawn_coins: bank::coins(found.withdrawn),
        };
        answer.reward_gauges.insert(gauge::kind_name(kind).to_owned(), shown);
    }
    if answer.reward_gauges.is_empty() {
        return Err(err::REWARD_GAUGE_NOT_FOUND.bare());
    }
    Ok(answer)
}

/// What the voters of a block and their delegators will share; gone once they have.
pub(crate) fn btc_staking_gauge(
    state: &State<'_>,
    request: QueryBTCStakingGaugeRequest,
) -> Result<QueryBTCStakingGaugeResponse, Failure> {
    let amount = gauge::BTC_STAKING.get(state, &PosHeight::new(request.height))?;
    let coins = bank::coins(amount.ok_or_else(|| err::STAKING_GAUGE_NOT_FOUND.bare())?);
    Ok(QueryBTCStakingGaugeResponse { gauge: Some(BTCStakingGaugeResponse { coins }) })
}

/// Where an account's rewards go.
pub(crate) fn delegator_withdraw_address(
    state: &State<'_>,
    request: QueryDelegatorWithdrawAddressRequest,
) -> Result<QueryDelegatorWithdrawAddressResponse, Failure> {
    let owner = parse_address(&request.delegator_address)?;
    let to = withdraw::withdraw_address(state, owner.bytes())?;
    Ok(QueryDelegatorWithdrawAddressResponse { withdraw_address: auth::bech32(&to) })
}

/// What a staker has earned with one finality provider since its position last changed.
pub(crate) fn delegation_rewards(
    state: &State<'_>,
    request: QueryDelegationRewardsRequest,
) -> Result<QueryDelegationRewardsResponse, Failure> {
    let provider = parse_address(&request.finality_provider_address)?;
    let staker = parse_address(&request.delegator_address)?;
    let earned = accounting::pending(state, provider.bytes(), staker.bytes())?;
    let rewards = bank::coins(earned.ok_or_else(|| err::TRACKER_NOT_FOUND.bare())?);
    Ok(QueryDelegationRewardsResponse { rewards })
}

/// What a finality provider's delegators have not been credited yet.
pub(crate) fn fp_current_rewards(
    state: &State<'_>,
    request: QueryFpCurrentRewardsRequest,
) -> Result<QueryFpCurrentRewardsResponse, Failure> {
    let provider = parse_address(&request.finality_provider_address)?;
    let text = err::CURRENT_REWARDS_NOT_FOUND.text;
    let unknown =
        || err::CURRENT_REWARDS_NOT_FOUND.because(format!("failed to get for addr {provider}: {text}"));
    let pool = accounting::pool(state, provider.bytes())?.ok_or_else(unknown)?;
    Ok(QueryFpCurrentRewardsResponse {
        current_rewards: bank::coins(pool.rewards),
        period: pool.period,
        total_active_sat: pool.sats.to_string().into_bytes(),
    })
}
