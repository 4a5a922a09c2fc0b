//! Proofs that a staking transaction is on Bitcoin (`chain.md` 2.4, 6.10).

use super::{
    events,
    parse::{ParsedProof, check_proof, parse_proof},
    power_events::{self, PowerEvent},
    records::Stake,
    register::schedule_expiry,
    status,
};
use crate::{
    app::{
        context::{Ctx, parse_account},
        epochs, light_client,
    },
    error::{Failure, btcstaking as err, lightclient, plain},
    state::State,
};
use bitcoin::Txid;
use btc_staking_babylon::proto::btcstaking::{
    BTCDelegationStatus, InclusionProof, MsgAddBTCDelegationInclusionProof,
};
use btc_staking_protocol::{headers::ChainedHeader, height::BtcHeight};

/// Timelocks of a stake, in blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) staking: u32,
    pub(super) unbonding: u32,
}

/// Row 1.
pub(crate) fn check_add_inclusion_proof(msg: &MsgAddBTCDelegationInclusionProof) -> Result<(), Failure> {
    parse_txid(&msg.staking_tx_hash)?;
    check_proof(required(msg)?)?;
    parse_account(&msg.signer)?;
    Ok(())
}

fn required(msg: &MsgAddBTCDelegationInclusionProof) -> Result<&InclusionProof, Failure> {
    msg.staking_tx_inclusion_proof.as_ref().ok_or_else(|| plain("empty inclusion proof"))
}

/// A txid of exactly 64 hex digits.
pub(super) fn parse_txid(text: &str) -> Result<Txid, Failure> {
    if text.len() != 64 {
        return Err(plain(format!("staking tx hash has {} characters, it must have 64", text.len())));
    }
    text.parse().map_err(plain)
}

/// Rows 2 to 8.
pub(crate) fn add_inclusion_proof(
    ctx: &mut Ctx<'_, '_>,
    msg: &MsgAddBTCDelegationInclusionProof,
) -> Result<(), Failure> {
    let mut stake = Stake::load(ctx.state, &parse_txid(&msg.staking_tx_hash)?)?;
    if stake.record.stk_exp.is_some() {
        return Err(plain(
            "the BTC delegation is a stake expansion, it is activated by undelegating its parent",
        ));
    }
    activate(ctx, &mut stake, &parse_proof(required(msg)?)?)?;
    ctx.mark_refundable();
    Ok(())
}

/// Rows 4 to 8, and what follows: shared with the activation of expansions.
pub(super) fn activate(ctx: &mut Ctx<'_, '_>, stake: &mut Stake, proof: &ParsedProof) -> Result<(), Failure> {
    let txid = stake.txid;
    if status::has_proof(&stake.record) {
        return Err(plain(format!("the delegation {txid} already has inclusion proof")));
    }
    if !status::has_quorum(ctx.state, &stake.record)? {
        return Err(plain(format!("the delegation {txid} has not received a quorum of covenant signatures")));
    }
    if status::is_unbonded_early(&stake.record) {
        return Err(plain(format!("the delegation {txid} is already unbonded")));
    }
    let unbonding = u32::from(stake.params(ctx.state)?.unbonding_time);
    let times = Times { staking: stake.record.staking_time, unbonding };
    let (start, end) = check_inclusion(ctx.state, &txid, proof, times)?;
    if start.to_u32() < stake.record.btc_tip_height {
        return Err(err::INCLUDED_TOO_EARLY.because(format!(
            "btc tip height at registration {}, staking tx inclusion height {start}",
            stake.record.btc_tip_height
        )));
    }
    stake.record.start_height = start.to_u32();
    stake.record.end_height = end.to_u32();
    stake.save(ctx.state)?;
    ctx.emit(events::inclusion_proof(txid, (start, end), BTCDelegationStatus::Active));
    let tip = light_client::tip_height(ctx.state)?;
    power_events::record(ctx.state, tip, PowerEvent::Active(txid))?;
    schedule_expiry(ctx, stake)
}

/// Header known, Merkle path right, no coinbase, `k` deep, time left. Returns where the stake lies and ends.
pub(super) fn check_inclusion(
    state: &State<'_>,
    txid: &Txid,
    proof: &ParsedProof,
    times: Times,
) -> Result<(BtcHeight, BtcHeight), Failure> {
    let invalid =
        |why: String| err::INVALID_STAKING_TX.lost_with_place(format!("invalid inclusion proof: {why}"));
    let header = known_header(state, proof)?;
    verify_path(txid, proof, &header).map_err(invalid)?;
    if proof.index == 0 {
        return Err(invalid("coinbase tx cannot be used for staking".to_owned()));
    }
    let tip = light_client::tip_height(state)?;
    let k = epochs::params(state)?.confirmation_depth;
    let depth = header.height.depth_under(tip).map_or(0, |depth| depth.to_u32());
    if depth < k {
        return Err(invalid(format!("not k-deep: k={k}; depth={depth}")));
    }
    let end = u64::from(header.height.to_u32()) + u64::from(times.staking);
    if u64::from(tip.to_u32()) + u64::from(times.unbonding) >= end {
        return Err(invalid(format!(
            "staking tx's timelock has no more than unbonding(={}) blocks left",
            times.unbonding
        )));
    }
    let end = u32::try_from(end).map_err(|_| invalid("end height overflows".to_owned()))?;
    Ok((header.height, BtcHeight::new(end)))
}

/// The header of a proof, if it is on the main chain.
pub(super) fn known_header(state: &State<'_>, proof: &ParsedProof) -> Result<ChainedHeader, Failure> {
    light_client::find(state, &proof.block_hash)?.ok_or_else(|| {
        lightclient::HEADER_NOT_FOUND
            .lost_with_place(format!("header {} of the inclusion proof", proof.block_hash))
    })
}

/// Whether a proof leads from a transaction to the root of a header.
pub(super) fn verify_path(txid: &Txid, proof: &ParsedProof, header: &ChainedHeader) -> Result<(), String> {
    let whole = proof.whole().ok_or("inclusion proof is not a multiple of 32 bytes")?;
    whole.verify(txid, &header.header.merkle_root).map_err(|err| err.to_string())
}
