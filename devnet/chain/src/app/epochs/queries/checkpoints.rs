//! Checkpoints and the keys that sign them.

use crate::{
    app::epochs::{
        checkpoint::{self, CHECKPOINTS, status_name},
        corrupt, current, validator,
    },
    error::{Failure, Status, checkpointing as err, plain, status as grpc},
    state::State,
};
use btc_staking_babylon::proto::{PageResponse, checkpointing::*};
use btc_staking_protocol::height::Epoch;

/// The checkpoint of an epoch.
pub(crate) fn raw_checkpoint(
    state: &State<'_>,
    request: QueryRawCheckpointRequest,
) -> Result<QueryRawCheckpointResponse, Failure> {
    let found = load(state, request.epoch_num)?;
    Ok(QueryRawCheckpointResponse { raw_checkpoint: Some(response(found)?) })
}

fn load(state: &State<'_>, epoch: u64) -> Result<RawCheckpointWithMeta, Failure> {
    checkpoint::find(state, Epoch::new(epoch))?
        .ok_or_else(|| err::DOES_NOT_EXIST.because(format!("no raw checkpoint is found at epoch {epoch}")))
}

/// All checkpoints.
pub(crate) fn raw_checkpoints(
    state: &State<'_>,
    request: QueryRawCheckpointsRequest,
) -> Result<QueryRawCheckpointsResponse, Failure> {
    let keep = |_, record| Ok(Some(response(record)?));
    let (raw_checkpoints, pagination) = CHECKPOINTS.page(state, &(), request.pagination, keep)?;
    Ok(QueryRawCheckpointsResponse { raw_checkpoints, pagination: Some(pagination) })
}

/// The checkpoints in exactly one state.
pub(crate) fn with_status(
    state: &State<'_>,
    request: QueryRawCheckpointListRequest,
) -> Result<QueryRawCheckpointListResponse, Failure> {
    let keep = |_, record: RawCheckpointWithMeta| {
        let wanted = record.status == request.status;
        wanted.then(|| response(record)).transpose()
    };
    let (raw_checkpoints, pagination) = CHECKPOINTS.page(state, &(), request.pagination, keep)?;
    Ok(QueryRawCheckpointListResponse { raw_checkpoints, pagination: Some(pagination) })
}

/// The newest checkpoint in a state or a later one. Walks back from the last epoch that ended, and fails at epoch 0, which
/// has no checkpoint.
pub(crate) fn last_with_status(
    state: &State<'_>,
    request: QueryLastCheckpointWithStatusRequest,
) -> Result<QueryLastCheckpointWithStatusResponse, Failure> {
    let last = last_checkpointed(state)
        .map_err(|failure| wrapped("failed to get the last checkpointed epoch number", failure))?;
    for epoch in (0..=last).rev() {
        let missing = || {
            let why = format!("failed to get the raw checkpoint at epoch {epoch}");
            err::DOES_NOT_EXIST
                .unnamed_with_place(format!("{why}: no raw checkpoint is found at epoch {epoch}"))
        };
        let found = checkpoint::find(state, Epoch::new(epoch))?.ok_or_else(missing)?;
        if found.status >= request.status {
            let raw_checkpoint = Some(raw_response(checkpoint::raw(&found)?.clone()));
            return Ok(QueryLastCheckpointWithStatusResponse { raw_checkpoint });
        }
    }
    Err(plain(format!("cannot find checkpoint with status {}", request.status)))
}

/// The last epoch that ended, if its checkpoint is sealed.
fn last_checkpointed(state: &State<'_>) -> Result<u64, Failure> {
    let before = current(state)?.0.to_u64().checked_sub(1);
    let last = before.ok_or_else(|| plain("current epoch should be more than 0"))?;
    if checkpoint::find(state, Epoch::new(last))?.is_none() {
        return Err(plain(format!("cannot get raw checkpoint at epoch {last}")));
    }
    Ok(last)
}

/// The same kind of refusal with words before it.
fn wrapped(words: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(mut refusal) => {
            refusal.log = format!("{words}: {}", refusal.log);
            refusal.into()
        }
        Failure::Broken(broken) => broken.into(),
    }
}

/// The state of an epoch's checkpoint.
pub(crate) fn epoch_status(
    state: &State<'_>,
    request: QueryEpochStatusRequest,
) -> Result<QueryEpochStatusResponse, Failure> {
    Ok(QueryEpochStatusResponse { status: load(state, request.epoch_num)?.status })
}

/// How many of the latest checkpoints are in each state.
pub(crate) fn status_count(
    state: &State<'_>,
    request: QueryRecentEpochStatusCountRequest,
) -> Result<QueryRecentEpochStatusCountResponse, Failure> {
    let tip_epoch = last_checkpointed(state).map_err(|failure| match failure {
        Failure::Refused(_) => plain("failed to get the last checkpointed epoch"),
        Failure::Broken(broken) => broken.into(),
    })?;
    let first = match request.epoch_count {
        0 => tip_epoch.saturating_add(1),
        count if count > tip_epoch => 0,
        count => tip_epoch - (count - 1),
    };
    let mut answer = QueryRecentEpochStatusCountResponse { tip_epoch, ..Default::default() };
    for epoch in (first..=tip_epoch).rev() {
        let status = checkpoint::status(&load(state, epoch)?)?;
        *answer.status_count.entry(status_name(status).to_owned()).or_default() += 1;
        answer.epoch_count += 1;
    }
    Ok(answer)
}

/// The BLS keys of an epoch's validators. Paginated by offset and limit only; limit 0 is all.
pub(crate) fn bls_keys(
    state: &State<'_>,
    request: QueryBlsPublicKeyListRequest,
) -> Result<QueryBlsPublicKeyListResponse, Failure> {
    let begun = request.epoch_num <= current(state)?.0.to_u64();
    let total = u64::from(begun && request.epoch_num > 0);
    let offset = request.pagination.unwrap_or_default().offset;
    if offset > total {
        let why = format!("pagination offset out of range: offset {offset} higher than total {total}");
        return Err(grpc(Status::InvalidArgument, why));
    }
    let one = BlsPublicKeyListResponse {
        validator_address: validator::operator(),
        bls_pub_key_hex: hex::encode(validator::BLS_KEY),
        voting_power: validator::POWER.into(),
    };
    let validator_with_bls_keys = if offset < total { vec![one] } else { vec![] };
    let pagination = Some(PageResponse { total, ..Default::default() });
    Ok(QueryBlsPublicKeyListResponse { validator_with_bls_keys, pagination })
}

fn response(record: RawCheckpointWithMeta) -> Result<RawCheckpointWithMetaResponse, Failure> {
    let status = checkpoint::status(&record)?;
    let lifecycle = record.lifecycle.into_iter().map(|update| {
        let state = CheckpointStatus::try_from(update.state).map_err(corrupt)?;
        Ok(CheckpointStateUpdateResponse {
            state: update.state,
            status_desc: status_name(state).to_owned(),
            block_height: update.block_height,
            block_time: update.block_time,
        })
    });
    Ok(RawCheckpointWithMetaResponse {
        lifecycle: lifecycle.collect::<Result<_, Failure>>()?,
        ckpt: record.ckpt.map(raw_response),
        status: record.status,
        status_desc: status_name(status).to_owned(),
        bls_aggr_pk: record.bls_aggr_pk,
        power_sum: record.power_sum,
    })
}

fn raw_response(raw: RawCheckpoint) -> RawCheckpointResponse {
    RawCheckpointResponse {
        epoch_num: raw.epoch_num,
        block_hash_hex: hex::encode(raw.block_hash),
        bitmap: raw.bitmap,
        bls_multi_sig: raw.bls_multi_sig,
    }
}
