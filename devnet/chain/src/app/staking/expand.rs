//! Stake expansion: a new stake that spends an active one (`chain.md` 6.8).

use super::{
    lists, params,
    parse::{Parsed, check_create_delegation, parse, parse_tx},
    records::Stake,
    register::{self, Expansion},
    status,
};
use crate::{
    app::{context::Ctx, light_client},
    error::{Failure, Status, plain, status as grpc},
};
use bitcoin::{OutPoint, TxOut, Txid, consensus, hashes::Hash};
use btc_staking_babylon::proto::btcstaking::{
    BTCDelegationStatus, MsgBtcStakeExpand, MsgCreateBTCDelegation, StakeExpansion,
};
use btc_staking_protocol::{delegation::ExpansionRequest, keys::CovenantPublicKey};

/// Rows 1 to 7.
pub(crate) fn check_expand(msg: &MsgBtcStakeExpand) -> Result<(), Failure> {
    check_create_delegation(&as_create(msg))?;
    inputs(msg).map(|_| ())
}

/// What the expansion spends besides the parent.
struct Inputs {
    parent: Txid,
    parent_output: u32,
    funding: OutPoint,
    funding_output: TxOut,
}

fn inputs(msg: &MsgBtcStakeExpand) -> Result<Inputs, Failure> {
    let parent = parse_padded_txid(&msg.previous_staking_tx_hash)?;
    let staking_tx = parse_tx("staking", &msg.staking_tx)?;
    let funding_tx = parse_tx("funding", &msg.funding_tx)?;
    let request = ExpansionRequest { previous_staking_txid: parent, funding_tx };
    let funding_output = request.find_funding_output(&staking_tx).map_err(plain)?;
    Ok(Inputs {
        parent,
        parent_output: staking_tx.input[0].previous_output.vout,
        funding: staking_tx.input[1].previous_output,
        funding_output,
    })
}

/// A txid that may be shorter than 64 digits and is padded with zeros on the left (`wire.md` 1.2).
pub(super) fn parse_padded_txid(text: &str) -> Result<Txid, Failure> {
    if text.len() > 64 {
        return Err(plain(format!("tx hash has {} characters, at most 64 are possible", text.len())));
    }
    format!("{text:0>64}").parse().map_err(plain)
}

fn as_create(msg: &MsgBtcStakeExpand) -> MsgCreateBTCDelegation {
    MsgCreateBTCDelegation {
        staker_addr: msg.staker_addr.clone(),
        pop: msg.pop.clone(),
        btc_pk: msg.btc_pk.clone(),
        fp_btc_pk_list: msg.fp_btc_pk_list.clone(),
        staking_time: msg.staking_time,
        staking_value: msg.staking_value,
        staking_tx: msg.staking_tx.clone(),
        staking_tx_inclusion_proof: None,
        slashing_tx: msg.slashing_tx.clone(),
        delegator_slashing_sig: msg.delegator_slashing_sig.clone(),
        unbonding_time: msg.unbonding_time,
        unbonding_tx: msg.unbonding_tx.clone(),
        unbonding_value: msg.unbonding_value,
        unbonding_slashing_tx: msg.unbonding_slashing_tx.clone(),
        delegator_unbonding_slashing_sig: msg.delegator_unbonding_slashing_sig.clone(),
    }
}

/// Rows 8 to 19.
pub(crate) fn expand_stake(ctx: &mut Ctx<'_, '_>, msg: &MsgBtcStakeExpand) -> Result<(), Failure> {
    let create = as_create(msg);
    let (parsed, inputs) = (parse(&create)?, inputs(msg)?);
    let parent = Stake::load(ctx.state, &inputs.parent)?;
    check_active(ctx, &parent)?;
    check_same_owner(ctx, &parent, &parsed)?;
    check_funding(ctx, &inputs)?;
    check_amounts(&parent, msg, &parsed, &inputs)?;
    check_committees(ctx, &parent)?;
    let record = StakeExpansion {
        previous_staking_tx_hash: inputs.parent.to_byte_array().to_vec(),
        other_funding_tx_out: consensus::serialize(&inputs.funding_output),
        previous_stk_covenant_sigs: vec![],
    };
    register::register(ctx, &create, &parsed, Some(Expansion { previous: inputs.parent, record }))
}

fn refused(why: impl std::fmt::Display) -> Failure {
    grpc(Status::InvalidArgument, why)
}

fn check_active(ctx: &Ctx<'_, '_>, parent: &Stake) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?;
    let found = status::status(ctx.state, &parent.record, tip)?;
    if found == BTCDelegationStatus::Active {
        return Ok(());
    }
    Err(plain(format!("previous staking transaction is not active: {}", status::name(found))))
}

fn check_same_owner(ctx: &Ctx<'_, '_>, parent: &Stake, parsed: &Parsed) -> Result<(), Failure> {
    if parent.record.staker_addr != parsed.account.bech32() {
        return Err(refused("staker address does not match that of the previous delegation"));
    }
    if parent.provider()? != parsed.provider {
        return Err(refused("finality provider does not match that of the previous delegation"));
    }
    if ctx.head_rules() && parent.staker()? != parsed.staker {
        return Err(refused("staker BTC key does not match that of the previous delegation"));
    }
    lists::check_not_deleted(ctx, &parsed.provider)
}

fn check_funding(ctx: &Ctx<'_, '_>, inputs: &Inputs) -> Result<(), Failure> {
    match Stake::find(ctx.state, &inputs.funding.txid)? {
        Some(stake) if stake.outpoint() == inputs.funding => {
            Err(refused(format!("funding output {} is a staking output", inputs.funding)))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_amounts(
    parent: &Stake,
    msg: &MsgBtcStakeExpand,
    parsed: &Parsed,
    inputs: &Inputs,
) -> Result<(), Failure> {
    if inputs.parent_output != parent.record.staking_output_idx {
        return Err(refused("input 0 does not spend the previous staking output"));
    }
    let previous = parent.record.total_sat;
    if u64::try_from(msg.staking_value).unwrap_or(0) < previous {
        return Err(refused(format!("staking value {} is below the previous {previous}", msg.staking_value)));
    }
    let spent = u128::from(previous) + u128::from(inputs.funding_output.value.to_sat());
    let paid: u128 = parsed.staking_tx.output.iter().map(|output| u128::from(output.value.to_sat())).sum();
    if paid >= spent {
        return Err(refused(format!("outputs of {paid} sat leave no fee from inputs of {spent} sat")));
    }
    Ok(())
}

/// Row 18: enough members of the parent's committee are still members.
fn check_committees(ctx: &Ctx<'_, '_>, parent: &Stake) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?;
    let now = params::find_at(ctx.state, tip)?;
    let (_, now) = now.ok_or_else(|| plain(format!("no params version for btc height {tip}")))?;
    let before = parent.params(ctx.state)?;
    let stays = |key: &&CovenantPublicKey| now.covenant_pks.iter().any(|member| **member == key.to_bytes());
    let common = before.covenant_committee.keys().iter().filter(stays).count();
    let quorum = usize::try_from(before.covenant_committee.quorum()).unwrap_or(usize::MAX);
    if common < quorum {
        return Err(plain(format!(
            "{common} members of the previous committee are in the current one, {quorum} are needed"
        )));
    }
    Ok(())
}
