//! A new version of the staking parameters (`chain.md` 4).

use super::require_authority;
use crate::{
    app::{context::Ctx, decimal::Dec, epochs, staking::params},
    error::{Failure, gov, panicked, plain},
};
use bitcoin::{Amount, ScriptBuf};
use btc_staking_babylon::proto::btcstaking::{MsgUpdateParams, Params};
use btc_staking_protocol::{
    dust::is_dust,
    keys::CovenantPublicKey,
    rate::{Decimal, SlashingRate},
};
use std::collections::BTreeSet;

/// Longest timelock, in blocks.
const MAX_BLOCKS: u32 = 65_535;

/// Content of the params, in the reference's order.
pub(crate) fn check_staking_params(msg: &MsgUpdateParams) -> Result<(), Failure> {
    let params = msg.params.clone().unwrap_or_default();
    check_quorum(&params).map_err(plain)?;
    check_ranges(&params).map_err(plain)?;
    check_keys(&params).map_err(plain)?;
    if params.min_slashing_tx_fee_sat <= 0 {
        return Err(plain("minimum slashing tx fee has to be positive"));
    }
    check_commission(&params).map_err(plain)?;
    let rate = slashing_rate(&params)?;
    if params.unbonding_fee_sat <= 0 || params.unbonding_fee_sat >= params.min_staking_value_sat {
        let fee = params.unbonding_fee_sat;
        return Err(plain(format!("({fee}) is not a valid unbonding fee value: invalid unbonding fee")));
    }
    check_no_dust(&params, rate).map_err(plain)?;
    if params.unbonding_time_blocks > MAX_BLOCKS {
        return Err(plain(format!("minimum unbonding time blocks cannot be greater than {MAX_BLOCKS}")));
    }
    Ok(())
}

fn check_quorum(params: &Params) -> Result<(), String> {
    let members = u64::try_from(params.covenant_pks.len()).unwrap_or(u64::MAX);
    if params.covenant_quorum == 0 {
        return Err("covenant quorum size has to be positive".to_owned());
    }
    if u64::from(params.covenant_quorum) * 2 <= members {
        let why = "covenant quorum size has to be more than 1/2 of the covenant committee size";
        return Err(why.to_owned());
    }
    Ok(())
}

fn check_ranges(params: &Params) -> Result<(), String> {
    let Params {
        min_staking_value_sat: least,
        max_staking_value_sat: most,
        min_staking_time_blocks: shortest,
        max_staking_time_blocks: longest,
        ..
    } = params;
    let too_long = |which: &str| format!("{which} staking time cannot be greater than {MAX_BLOCKS}");
    super::require(&[
        (*least > 0, "minimum staking amount has to be positive"),
        (*most > 0, "maximum staking amount has to be positive"),
        (least <= most, "minimum staking amount cannot be greater than maximum staking amount"),
        (*shortest > 0, "minimum staking time has to be positive"),
        (*shortest <= MAX_BLOCKS, &too_long("minimum")),
        (*longest > 0, "maximum staking time has to be positive"),
        (*longest <= MAX_BLOCKS, &too_long("maximum")),
        (shortest <= longest, "minimum staking time cannot be greater than maximum staking time"),
    ])
}

fn check_keys(params: &Params) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for key in &params.covenant_pks {
        let key = CovenantPublicKey::from_slice(key).map_err(|err| err.to_string())?;
        if !seen.insert(key) {
            return Err("duplicate covenant key".to_owned());
        }
    }
    Ok(())
}

fn check_commission(params: &Params) -> Result<(), String> {
    match Dec::parse(&params.min_commission_rate) {
        None => Err("minimum commission rate cannot be nil".to_owned()),
        Some(rate) if rate.is_negative() => Err("minimum commission rate cannot be negative".to_owned()),
        Some(rate) if rate > Dec::ONE => {
            Err("minimum commission rate cannot be greater than 100%".to_owned())
        }
        Some(_) => Ok(()),
    }
}

fn slashing_rate(params: &Params) -> Result<SlashingRate, Failure> {
    let rate = Dec::parse(&params.slashing_rate).ok_or_else(|| panicked("slashing rate is unset"))?;
    let rate = if rate.is_negative() { Decimal::ZERO } else { rate.to_decimal() };
    SlashingRate::from_decimal(rate).map_err(|_| plain("invalid slashing rate"))
}

/// The slashing output of the smallest unbonded stake must relay, unless its script burns.
fn check_no_dust(params: &Params, rate: SlashingRate) -> Result<(), String> {
    let script = ScriptBuf::from_bytes(params.slashing_pk_script.clone());
    let smallest = params.min_staking_value_sat.saturating_sub(params.unbonding_fee_sat);
    let smallest = Amount::from_sat(u64::try_from(smallest).unwrap_or(0));
    if !script.is_op_return() && is_dust(rate.amount_of(smallest), &script) {
        return Err("invalid parameters configuration. Minimum slashing output is dust".to_owned());
    }
    Ok(())
}

/// Appends a version.
pub(crate) fn update_staking_params(ctx: &mut Ctx<'_, '_>, msg: &MsgUpdateParams) -> Result<(), Failure> {
    require_authority(ctx, &msg.authority)?;
    let params = msg.params.clone().unwrap_or_default();
    let w = epochs::params(ctx.state)?.finalization_timeout;
    if params.unbonding_time_blocks <= w {
        return Err(gov::INVALID_MESSAGE.because(format!(
            "the unbonding time {} must be larger than the checkpoint finalization timeout {w}",
            params.unbonding_time_blocks
        )));
    }
    params::append(ctx.state, &params)
}
