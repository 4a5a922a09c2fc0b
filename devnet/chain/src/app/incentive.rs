//! Rewards, as far as this chain has any (`chain.md` 11).
//!
//! Nothing is minted and fees stay with the fee collector, so no gauge ever exists: withdrawing answers as the reference
//! does without a gauge, and withdraw addresses are kept. Splitting fees into gauges, per-provider accounting and payout
//! (sections 11.1 to 11.3) are not part of this version.

use super::{
    auth::{self, module_address},
    context::{Ctx, parse_account},
};
use crate::{
    error::{Failure, Status, incentive as err, sdk, status},
    state::{State, Table},
};
use btc_staking_babylon::{
    convert::message::decode_reward_kind,
    proto::incentive::{
        MsgSetWithdrawAddress, MsgWithdrawReward, Params, QueryDelegatorWithdrawAddressRequest,
        QueryDelegatorWithdrawAddressResponse, QueryParamsRequest, QueryParamsResponse,
        QueryRewardGaugesRequest, QueryRewardGaugesResponse,
    },
};
use btc_staking_protocol::keys::AccountAddress;

/// Where an account's rewards go, if not to itself.
const WITHDRAW_TO: Table<Vec<u8>, Vec<u8>> = Table::new("iw");

/// Module accounts that take no coins.
const BLOCKED: [&str; 12] = [
    "fee_collector",
    "distribution",
    "mint",
    "bonded_tokens_pool",
    "not_bonded_tokens_pool",
    "gov",
    "btcstaking",
    "finality",
    "btccheckpoint",
    "checkpointing",
    "epoching",
    "incentive",
];

fn account(text: &str) -> Result<AccountAddress, Failure> {
    parse_account(text).map_err(|_| status(Status::InvalidArgument, format!("invalid address {text}")))
}

/// Withdraws rewards of one kind; there are none.
pub(crate) fn withdraw(_: &mut Ctx<'_, '_>, msg: &MsgWithdrawReward) -> Result<(), Failure> {
    decode_reward_kind("type", &msg.r#type.to_lowercase())
        .map_err(|unknown| status(Status::InvalidArgument, unknown))?;
    account(&msg.address)?;
    Err(err::NOT_WITHDRAWABLE.bare())
}

/// Sets where an account's rewards go.
pub(crate) fn set_withdraw_address(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgSetWithdrawAddress,
) -> Result<(), Failure> {
    let (owner, to) = (account(&msg.delegator_address)?, account(&msg.withdraw_address)?);
    if BLOCKED.iter().any(|name| module_address(name) == to.bytes()) {
        return Err(sdk::UNAUTHORIZED.because(format!("{to} is not allowed to receive external funds")));
    }
    WITHDRAW_TO.put(ctx.state, &owner.bytes().to_vec(), &to.bytes().to_vec())
}

/// The portions of fees that go to gauges; none do.
pub(crate) fn query_params(_: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    let params = Params { btc_staking_portion: "0".to_owned(), fp_portion: "0".to_owned() };
    Ok(QueryParamsResponse { params: Some(params) })
}

/// The gauges of an account; there are none.
pub(crate) fn query_gauges(
    _: &State<'_>,
    request: QueryRewardGaugesRequest,
) -> Result<QueryRewardGaugesResponse, Failure> {
    account(&request.address)?;
    Err(err::REWARD_GAUGE_NOT_FOUND.bare())
}

/// Where an account's rewards go.
pub(crate) fn query_withdraw_address(
    state: &State<'_>,
    request: QueryDelegatorWithdrawAddressRequest,
) -> Result<QueryDelegatorWithdrawAddressResponse, Failure> {
    let owner = account(&request.delegator_address)?;
    let to = WITHDRAW_TO.get(state, &owner.bytes().to_vec())?;
    let withdraw_address = to.map_or_else(|| owner.bech32().to_owned(), |to| auth::bech32(&to));
    Ok(QueryDelegatorWithdrawAddressResponse { withdraw_address })
}
