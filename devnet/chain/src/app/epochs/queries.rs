//! Queries about epochs and checkpoints (`wire.md` 5.6), answered from the depth of ended epochs.

use super::{ENDED, EndedEpoch, EpochParams, is_deep, last_finalised, params};
use crate::{
    app::light_client,
    error::{Failure, plain},
    state::{Order, State},
};
use btc_staking_babylon::proto::{
    btccheckpoint as btc,
    checkpointing::{self as ckpt, CheckpointStatus, RawCheckpointResponse, RawCheckpointWithMetaResponse},
    epoching as ep,
};
use btc_staking_protocol::height::{Epoch, PosHeight};

/// Bytes of a checkpoint's bitmap.
const BITMAP: usize = 13;
/// Bytes of a BLS signature.
const BLS_SIGNATURE: usize = 48;
/// Bytes of a BLS public key.
const BLS_KEY: usize = 96;

/// `k`, `w` and the tag.
pub(crate) fn checkpoint_params(
    state: &State<'_>,
    _: btc::QueryParamsRequest,
) -> Result<btc::QueryParamsResponse, Failure> {
    let EpochParams { confirmation_depth, finalization_timeout, checkpoint_tag, .. } = params(state)?;
    let params = btc::Params {
        btc_confirmation_depth: confirmation_depth,
        checkpoint_finalization_timeout: finalization_timeout,
        checkpoint_tag,
    };
    Ok(btc::QueryParamsResponse { params: Some(params) })
}

/// The epoch interval.
pub(crate) fn epoch_params(
    state: &State<'_>,
    _: ep::QueryParamsRequest,
) -> Result<ep::QueryParamsResponse, Failure> {
    let EpochParams { interval: epoch_interval, execute_gas, min_amount, .. } = params(state)?;
    let params = ep::Params { epoch_interval, execute_gas, min_amount };
    Ok(ep::QueryParamsResponse { params: Some(params) })
}

/// The epoch under way.
pub(crate) fn current_epoch(
    state: &State<'_>,
    height: u64,
) -> Result<ep::QueryCurrentEpochResponse, Failure> {
    let params = params(state)?;
    let epoch = params.epoch_of(PosHeight::new(height));
    Ok(ep::QueryCurrentEpochResponse {
        current_epoch: epoch.to_u64(),
        epoch_boundary: params.last_height(epoch),
    })
}

/// One epoch.
pub(crate) fn epoch_info(
    state: &State<'_>,
    height: u64,
    request: ep::QueryEpochInfoRequest,
) -> Result<ep::QueryEpochInfoResponse, Failure> {
    let params = params(state)?;
    let epoch = Epoch::new(request.epoch_num);
    if epoch > params.epoch_of(PosHeight::new(height)) {
        return Err(plain(format!("the epoch number {epoch} is not known in DB")));
    }
    let ended = ENDED.get(state, &epoch)?.unwrap_or_default();
    let epoch = ep::EpochResponse {
        epoch_number: epoch.to_u64(),
        current_epoch_interval: params.interval,
        first_block_height: params.first_height(epoch),
        last_block_time: ended.last_block_time,
        sealer_app_hash_hex: hex::encode(ended.app_hash),
        sealer_block_hash: String::new(),
    };
    Ok(ep::QueryEpochInfoResponse { epoch: Some(epoch) })
}

/// The checkpoint of an epoch.
pub(crate) fn raw_checkpoint(
    state: &State<'_>,
    request: ckpt::QueryRawCheckpointRequest,
) -> Result<ckpt::QueryRawCheckpointResponse, Failure> {
    let epoch = Epoch::new(request.epoch_num);
    let ended = ended(state, epoch)?;
    let status = checkpoint_status(state, epoch, &ended)?;
    let raw_checkpoint = RawCheckpointWithMetaResponse {
        ckpt: Some(checkpoint(epoch, &ended)),
        status: status.into(),
        status_desc: status_name(status).to_owned(),
        bls_aggr_pk: vec![0; BLS_KEY],
        power_sum: 0,
        lifecycle: vec![],
    };
    Ok(ckpt::QueryRawCheckpointResponse { raw_checkpoint: Some(raw_checkpoint) })
}

/// The newest checkpoint with a status or a later one.
pub(crate) fn last_with_status(
    state: &State<'_>,
    request: ckpt::QueryLastCheckpointWithStatusRequest,
) -> Result<ckpt::QueryLastCheckpointWithStatusResponse, Failure> {
    let wanted = CheckpointStatus::try_from(request.status).map_err(plain)?;
    for entry in ENDED.scan(state, Order::Descending) {
        let (epoch, ended) = entry?;
        if checkpoint_status(state, epoch, &ended)? >= wanted {
            let raw_checkpoint = Some(checkpoint(epoch, &ended));
            return Ok(ckpt::QueryLastCheckpointWithStatusResponse { raw_checkpoint });
        }
    }
    Err(not_found("with the status"))
}

/// The status of an epoch's checkpoint.
pub(crate) fn epoch_status(
    state: &State<'_>,
    request: ckpt::QueryEpochStatusRequest,
) -> Result<ckpt::QueryEpochStatusResponse, Failure> {
    let epoch = Epoch::new(request.epoch_num);
    let ended = ended(state, epoch)?;
    Ok(ckpt::QueryEpochStatusResponse { status: checkpoint_status(state, epoch, &ended)?.into() })
}

fn ended(state: &State<'_>, epoch: Epoch) -> Result<EndedEpoch, Failure> {
    ENDED.get(state, &epoch)?.ok_or_else(|| not_found(&format!("of epoch {epoch}")))
}

fn not_found(which: &str) -> Failure {
    plain(format!("raw checkpoint {which} does not exist"))
}

fn checkpoint_status(
    state: &State<'_>,
    epoch: Epoch,
    ended: &EndedEpoch,
) -> Result<CheckpointStatus, Failure> {
    if epoch <= last_finalised(state)? {
        return Ok(CheckpointStatus::Finalized);
    }
    let tip = light_client::tip_height(state)?.to_u32();
    let confirmed = is_deep(ended, tip, params(state)?.confirmation_depth);
    Ok(if confirmed { CheckpointStatus::Confirmed } else { CheckpointStatus::Sealed })
}

const fn status_name(status: CheckpointStatus) -> &'static str {
    match status {
        CheckpointStatus::Accumulating => "CKPT_STATUS_ACCUMULATING",
        CheckpointStatus::Sealed => "CKPT_STATUS_SEALED",
        CheckpointStatus::Submitted => "CKPT_STATUS_SUBMITTED",
        CheckpointStatus::Confirmed => "CKPT_STATUS_CONFIRMED",
        CheckpointStatus::Finalized => "CKPT_STATUS_FINALIZED",
    }
}

fn checkpoint(epoch: Epoch, ended: &EndedEpoch) -> RawCheckpointResponse {
    RawCheckpointResponse {
        epoch_num: epoch.to_u64(),
        block_hash_hex: hex::encode(&ended.app_hash),
        bitmap: vec![0; BITMAP],
        bls_multi_sig: vec![0; BLS_SIGNATURE],
    }
}
