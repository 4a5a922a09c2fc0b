//! Registering a delegation, before or after its transaction is on Bitcoin (`chain.md` 6.5 to 6.7).

use super::{
    events, inclusion, lists, params,
    parse::{Parsed, parse},
    power_events::{self, PowerEvent},
    provider::is_slashed,
    records::{DELEGATIONS, Stake, provider},
};
use crate::{
    app::{context::Ctx, light_client},
    error::{Failure, btcstaking as err},
};
use bitcoin::Txid;
use btc_staking_babylon::proto::btcstaking::{
    BTCDelegation, BTCDelegationStatus, BTCUndelegation, MsgCreateBTCDelegation, StakeExpansion,
};
use btc_staking_protocol::{
    delegation::{CheckedDelegation, DelegationRefusal},
    height::BtcHeight,
    params::StakingParams,
};

/// Rows 1 to 14 of 6.5.
pub(crate) fn create_delegation(ctx: &mut Ctx<'_, '_>, msg: &MsgCreateBTCDelegation) -> Result<(), Failure> {
    register(ctx, msg, &parse(msg)?, None)
}

/// What an expansion adds to the record.
pub(super) struct Expansion {
    pub(super) previous: Txid,
    pub(super) record: StakeExpansion,
}

/// Checks and stores a delegation.
pub(super) fn register(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgCreateBTCDelegation,
    parsed: &Parsed,
    expansion: Option<Expansion>,
) -> Result<(), Failure> {
    check_possession(parsed)?;
    let txid = parsed.staking_tx.compute_txid();
    if DELEGATIONS.has(ctx.state, &txid)? {
        return Err(err::REUSED_STAKING_TX.because(format!("duplicated tx hash: {txid}")));
    }
    check_provider(ctx, parsed)?;
    let (heights, params) = select_params(ctx, parsed)?;
    let checked = check_terms(parsed, &params)?;
    lists::check_allowed(ctx, &params, &txid)?;
    if heights.is_none() {
        let extra = params.delegation_creation_base_gas_fee;
        ctx.state.meter().charge(extra, "delegation creation fee")?;
    }
    let tip = light_client::tip_height(ctx.state)?;
    let previous = expansion.as_ref().map(|expansion| expansion.previous);
    let record = new_record(msg, parsed, &checked, heights, tip, expansion);
    let mut stake = Stake::new(txid, record);
    stake.save(ctx.state)?;
    ctx.emit(events::created(&stake, previous));
    if let Some((start, end)) = heights {
        ctx.emit(events::inclusion_proof(txid, (start, end), BTCDelegationStatus::Pending));
        schedule_expiry(ctx, &stake)?;
    }
    Ok(())
}

fn check_possession(parsed: &Parsed) -> Result<(), Failure> {
    parsed
        .possession
        .verify(parsed.staker.x_only(), &parsed.account)
        .map_err(|refused| err::INVALID_POSSESSION.because(refused))
}

fn check_provider(ctx: &Ctx<'_, '_>, parsed: &Parsed) -> Result<(), Failure> {
    if is_slashed(&provider(ctx.state, &parsed.provider)?) {
        return Err(err::FP_ALREADY_SLASHED.because(format!("finality provider {}", parsed.provider)));
    }
    lists::check_not_deleted(ctx, &parsed.provider)
}

type Heights = (BtcHeight, BtcHeight);

/// With a proof the version of the inclusion height applies, without one that of the tip.
fn select_params(ctx: &Ctx<'_, '_>, parsed: &Parsed) -> Result<(Option<Heights>, StakingParams), Failure> {
    let Some(proof) = &parsed.inclusion else {
        let tip = light_client::tip_height(ctx.state)?;
        return Ok((None, params::at(ctx.state, tip)?));
    };
    let txid = parsed.staking_tx.compute_txid();
    let times = inclusion::Times { staking: parsed.staking_time, unbonding: parsed.unbonding_time };
    let heights = inclusion::check_inclusion(ctx.state, &txid, proof, times)?;
    Ok((Some(heights), params::at(ctx.state, heights.0)?))
}

/// Table 6.6.
fn check_terms(parsed: &Parsed, params: &StakingParams) -> Result<CheckedDelegation, Failure> {
    if parsed.unbonding_time != u32::from(params.unbonding_time) {
        return Err(err::INVALID_UNBONDING_TX.because(format!(
            "unbonding time {} must be equal to {}",
            parsed.unbonding_time, params.unbonding_time
        )));
    }
    parsed.terms()?.check(params).map_err(|refusal| terms_refusal(&refusal))
}

fn terms_refusal(refusal: &DelegationRefusal) -> Failure {
    use DelegationRefusal as R;
    let registered = match refusal {
        R::Keys(_) | R::StakingTx(_) | R::StakingTime { .. } | R::StakingValue { .. } | R::SlashingTx(_) => {
            err::INVALID_STAKING_TX
        }
        R::StakerSlashingSignature | R::StakerUnbondingSlashingSignature => err::INVALID_SLASHING_TX,
        R::UnbondingTime { .. }
        | R::UnbondingShape(_)
        | R::UnbondingScript { .. }
        | R::UnbondingValue { .. }
        | R::UnbondingSlashingTx(_)
        | R::UnbondingInput { .. }
        | R::UnbondingNotBelowStaking { .. }
        | R::UnbondingFee { .. } => err::INVALID_UNBONDING_TX,
    };
    registered.because(crate::error::with_sources(refusal))
}

fn new_record(
    msg: &MsgCreateBTCDelegation,
    parsed: &Parsed,
    checked: &CheckedDelegation,
    heights: Option<Heights>,
    tip: BtcHeight,
    expansion: Option<Expansion>,
) -> BTCDelegation {
    let height = |pick: fn(Heights) -> BtcHeight| heights.map_or(0, |heights| pick(heights).to_u32());
    BTCDelegation {
        staker_addr: parsed.account.bech32().to_owned(),
        btc_pk: msg.btc_pk.clone(),
        pop: msg.pop.clone(),
        fp_btc_pk_list: msg.fp_btc_pk_list.clone(),
        staking_time: msg.staking_time,
        start_height: height(|(start, _)| start),
        end_height: height(|(_, end)| end),
        total_sat: checked.terms().staking_value.to_sat(),
        staking_tx: msg.staking_tx.clone(),
        staking_output_idx: checked.staking_outpoint().vout,
        slashing_tx: msg.slashing_tx.clone(),
        delegator_sig: msg.delegator_slashing_sig.clone(),
        covenant_sigs: vec![],
        unbonding_time: msg.unbonding_time,
        btc_undelegation: Some(BTCUndelegation {
            unbonding_tx: msg.unbonding_tx.clone(),
            slashing_tx: msg.unbonding_slashing_tx.clone(),
            delegator_slashing_sig: msg.delegator_unbonding_slashing_sig.clone(),
            ..Default::default()
        }),
        params_version: checked.params_version().0,
        btc_tip_height: tip.to_u32(),
        stk_exp: expansion.map(|expansion| expansion.record),
    }
}

/// Queues the end of a proven delegation's power, `unbonding_time` before its timelock ends.
pub(super) fn schedule_expiry(ctx: &mut Ctx<'_, '_>, stake: &Stake) -> Result<(), Failure> {
    let at = stake.record.end_height.saturating_sub(stake.record.unbonding_time);
    power_events::record(ctx.state, BtcHeight::new(at), PowerEvent::Expired(stake.txid))
}
