//! Who gets which share of fees (`chain.md` 11.1).

use super::{invalid, require, require_authority};
use crate::{
    app::{context::Ctx, costaking, decimal::Dec, incentive},
    error::Failure,
};
use btc_staking_babylon::proto::{
    costaking::{MsgUpdateParams as MsgUpdateCostakingParams, Params as CostakingParams},
    incentive::{MsgUpdateParams as MsgUpdateIncentiveParams, Params as IncentiveParams},
};

/// Replaces the shares of finality providers and stakers.
pub(crate) fn update_incentive_params(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgUpdateIncentiveParams,
) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let params = msg.params.clone().unwrap_or_default();
    check_incentive(&params).map_err(invalid)?;
    incentive::set_params(ctx.state, &params)
}

fn check_incentive(params: &IncentiveParams) -> Result<(), String> {
    let staking = Dec::parse(&params.btc_staking_portion).ok_or("BtcStakingPortion should not be nil")?;
    require(&[(!staking.is_negative(), "BtcStakingPortion should not be negative")])?;
    let direct = Dec::parse(&params.fp_portion).ok_or("FpPortion should not be nil")?;
    require(&[
        (!direct.is_negative(), "FpPortion should not be negative"),
        (staking.plus(direct) < Dec::ONE, "sum of all portions should be less than 1"),
    ])
}

/// Replaces the shares of those who stake both coins.
pub(crate) fn update_costaking_params(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgUpdateCostakingParams,
) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let params = msg.params.clone().unwrap_or_default();
    check_costaking(&params).map_err(invalid)?;
    costaking::set_params(ctx.state, &params)
}

fn check_costaking(params: &CostakingParams) -> Result<(), String> {
    let costakers = percentage("costaking", &params.costaking_portion)?;
    let validators = percentage("validators", &params.validators_portion)?;
    if costakers.plus(validators) >= Dec::ONE {
        return Err("invalid total portion: percentage should be less or equal 1".to_owned());
    }
    let ratio = Dec::parse(&String::from_utf8_lossy(&params.score_ratio_btc_by_baby));
    let ratio = ratio.ok_or("score ratio of btc to baby is invalid")?;
    require(&[(ratio > Dec::ZERO, "score ratio of btc to baby should be higher or equal 1")])
}

fn percentage(name: &str, text: &str) -> Result<Dec, String> {
    let refused = |why: &str| format!("invalid {name} portion: {why}");
    let share = Dec::parse(text).ok_or_else(|| refused("percentage is invalid"))?;
    if share >= Dec::ONE {
        return Err(refused("percentage should be less or equal 1"));
    }
    if share.is_negative() {
        return Err(refused("lower than zero: percentage is invalid"));
    }
    Ok(share)
}
