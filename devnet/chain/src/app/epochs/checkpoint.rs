//! Checkpoints of epochs: their records, their states and the events of both (`chain.md` 3.2, `wire.md` 6.3).
//!
//! A checkpoint names the last block of its epoch. Nobody votes for it with BLS keys: its bitmap says that the one
//! validator did, its signature is zeros.

use super::{LAST_FINALISED, TIP_AT_END, corrupt, last_finalised, params, submission, validator};
use crate::{
    app::{context::Ctx, light_client, staking::records::TIP_AT},
    error::Failure,
    event::Event,
    state::{Order, State, Table},
};
use btc_staking_babylon::proto::{
    checkpointing::{
        CheckpointStateUpdate, CheckpointStatus, EventCheckpointConfirmed, EventCheckpointFinalized,
        EventCheckpointSealed, RawCheckpoint, RawCheckpointWithMeta,
    },
    epoching::Epoch as EpochRecord,
};
use btc_staking_protocol::height::Epoch;
use sha2::{Digest, Sha256};

/// Bytes of a checkpoint's bitmap.
const BITMAP: usize = 13;
/// Bytes of a BLS signature.
const SIGNATURE: usize = 48;

/// Checkpoints by epoch, from 1.
pub(crate) const CHECKPOINTS: Table<Epoch, RawCheckpointWithMeta> = Table::new("ek");
/// Height of the light client's tip when a checkpoint was first seen on Bitcoin, by hash of the checkpoint.
pub(super) const REPORTED_AT: Table<[u8; 32], u32> = Table::new("er");

/// The checkpoint of an epoch, if it is sealed.
pub(super) fn find(state: &State<'_>, epoch: Epoch) -> Result<Option<RawCheckpointWithMeta>, Failure> {
    CHECKPOINTS.get(state, &epoch)
}

/// The state a checkpoint is in.
pub(super) fn status(checkpoint: &RawCheckpointWithMeta) -> Result<CheckpointStatus, Failure> {
    Ok(CheckpointStatus::try_from(checkpoint.status).map_err(corrupt)?)
}

/// Hash by which the monitor knows a checkpoint.
pub(super) fn hash(checkpoint: &RawCheckpoint) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(checkpoint.epoch_num.to_be_bytes());
    for part in [&checkpoint.block_hash, &checkpoint.bls_multi_sig, &checkpoint.bitmap] {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Makes the checkpoint of an epoch that has ended.
pub(super) fn seal(ctx: &mut Ctx<'_, '_>, epoch: Epoch, record: &EpochRecord) -> Result<(), Failure> {
    if CHECKPOINTS.has(ctx.state, &epoch)? {
        // A generated state has the checkpoints of all its epochs.
        return Ok(());
    }
    let mut checkpoint = new(record, CheckpointStatus::Sealed);
    CHECKPOINTS.put(ctx.state, &epoch, &checkpoint)?;
    // The reference notes this after it stored the record, so that only the event tells.
    note(ctx, &mut checkpoint, CheckpointStatus::Sealed);
    ctx.emit(Event::typed(&EventCheckpointSealed { checkpoint: Some(checkpoint) }));
    Ok(())
}

/// Writes the checkpoint of an epoch of a generated state, final.
pub(super) fn found(state: &mut State<'_>, record: &EpochRecord) -> Result<(), Failure> {
    let epoch = Epoch::new(record.epoch_number);
    CHECKPOINTS.put(state, &epoch, &new(record, CheckpointStatus::Finalized))
}

fn new(record: &EpochRecord, status: CheckpointStatus) -> RawCheckpointWithMeta {
    let mut bitmap = vec![0; BITMAP];
    bitmap[0] = 1;
    let ckpt = RawCheckpoint {
        epoch_num: record.epoch_number,
        block_hash: record.sealer_block_hash.clone(),
        bitmap,
        bls_multi_sig: vec![0; SIGNATURE],
    };
    RawCheckpointWithMeta {
        ckpt: Some(ckpt),
        status: status.into(),
        bls_aggr_pk: validator::BLS_KEY.to_vec(),
        power_sum: validator::POWER.into(),
        lifecycle: vec![],
    }
}

/// Notes a state in the life of a checkpoint.
fn note(ctx: &Ctx<'_, '_>, checkpoint: &mut RawCheckpointWithMeta, state: CheckpointStatus) {
    checkpoint.status = state.into();
    checkpoint.lifecycle.push(CheckpointStateUpdate {
        state: state.into(),
        block_height: ctx.block.height.to_u64(),
        block_time: Some(ctx.block.time.to_proto()),
    });
}

/// Moves a checkpoint on, or back, and announces it.
pub(super) fn advance(
    ctx: &mut Ctx<'_, '_>,
    epoch: Epoch,
    to: CheckpointStatus,
    announce: impl FnOnce(Option<RawCheckpointWithMeta>) -> Event,
) -> Result<(), Failure> {
    let mut checkpoint = find(ctx.state, epoch)?.ok_or_else(|| corrupt("checkpoint is missing"))?;
    note(ctx, &mut checkpoint, to);
    CHECKPOINTS.put(ctx.state, &epoch, &checkpoint)?;
    ctx.emit(announce(Some(checkpoint)));
    Ok(())
}

/// Looks at all checkpoints that are not final, when the tip changed in this block: in ascending order, forward only.
pub(crate) fn evaluate(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?.to_u32();
    if TIP_AT.get(ctx.state, &ctx.block.height)? == Some(tip) {
        return Ok(());
    }
    submission::forget_lost(ctx)?;
    let first = Epoch::new(last_finalised(ctx.state)?.to_u64().saturating_add(1));
    let open = CHECKPOINTS.scan_from(ctx.state, &(), &first, Order::Ascending);
    let open = open.map(|entry| entry.map(|(epoch, _)| epoch)).collect::<Result<Vec<_>, _>>()?;
    open.into_iter().try_for_each(|epoch| evaluate_one(ctx, epoch, tip))
}

fn evaluate_one(ctx: &mut Ctx<'_, '_>, epoch: Epoch, tip: u32) -> Result<(), Failure> {
    let checkpoint = find(ctx.state, epoch)?.ok_or_else(|| corrupt("checkpoint is missing"))?;
    let ended_at = TIP_AT_END.get(ctx.state, &epoch)?.ok_or_else(|| corrupt("end is not recorded"))?;
    let Some(depth) = tip.checked_sub(ended_at) else { return Ok(()) };
    let params = params(ctx.state)?;
    let mut now = status(&checkpoint)?;
    if now < CheckpointStatus::Confirmed && depth >= params.confirmation_depth {
        now = CheckpointStatus::Confirmed;
        advance(ctx, epoch, now, |checkpoint| Event::typed(&EventCheckpointConfirmed { checkpoint }))?;
        report(ctx, &checkpoint, ended_at)?;
    }
    let next = last_finalised(ctx.state)?.to_u64().saturating_add(1);
    let final_now = now == CheckpointStatus::Confirmed && depth >= params.finalization_timeout;
    if final_now && epoch.to_u64() == next {
        advance(ctx, epoch, CheckpointStatus::Finalized, |checkpoint| {
            Event::typed(&EventCheckpointFinalized { checkpoint })
        })?;
        LAST_FINALISED.put(ctx.state, &(), &next)?;
    }
    Ok(())
}

/// Records at which tip a checkpoint was seen on Bitcoin; the first time counts.
pub(super) fn report(
    ctx: &mut Ctx<'_, '_>,
    checkpoint: &RawCheckpointWithMeta,
    tip: u32,
) -> Result<(), Failure> {
    let hash = hash(raw(checkpoint)?);
    if REPORTED_AT.has(ctx.state, &hash)? {
        return Ok(());
    }
    REPORTED_AT.put(ctx.state, &hash, &tip)
}

/// The checkpoint itself.
pub(super) fn raw(checkpoint: &RawCheckpointWithMeta) -> Result<&RawCheckpoint, Failure> {
    Ok(checkpoint.ckpt.as_ref().ok_or_else(|| corrupt("checkpoint is empty"))?)
}

/// Name of a state.
pub(super) const fn status_name(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::Accumulating => "CKPT_STATUS_ACCUMULATING",
        CheckpointStatus::Sealed => "CKPT_STATUS_SEALED",
        CheckpointStatus::Submitted => "CKPT_STATUS_SUBMITTED",
        CheckpointStatus::Confirmed => "CKPT_STATUS_CONFIRMED",
        CheckpointStatus::Finalized => "CKPT_STATUS_FINALIZED",
    }
}
