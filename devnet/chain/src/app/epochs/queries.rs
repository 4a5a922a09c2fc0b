//! Queries about epochs and checkpoints (`wire.md` 5.6).

pub(crate) mod bitcoin;
pub(crate) mod checkpoints;

use super::{
    EPOCHS, EpochParams, TIP_AT_END, checkpoint::REPORTED_AT, current, last_height, params, validator,
};
use crate::{
    app::{context::parse_account, light_client, page::internal},
    error::{Failure, epoching as err, monitor, panicked, plain, sdk},
    state::State,
};
use btc_staking_babylon::proto::{PageResponse, epoching::*, monitor as mon};
use btc_staking_protocol::height::Epoch;

/// The parameters of epochs.
pub(crate) fn epoch_params(state: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    let EpochParams { interval: epoch_interval, execute_gas, min_amount, .. } = params(state)?;
    Ok(QueryParamsResponse { params: Some(Params { epoch_interval, execute_gas, min_amount }) })
}

/// The epoch under way.
pub(crate) fn current_epoch(
    state: &State<'_>,
    _: QueryCurrentEpochRequest,
) -> Result<QueryCurrentEpochResponse, Failure> {
    let (epoch, record) = current(state)?;
    Ok(QueryCurrentEpochResponse { current_epoch: epoch.to_u64(), epoch_boundary: last_height(&record) })
}

/// One epoch.
pub(crate) fn epoch_info(
    state: &State<'_>,
    request: QueryEpochInfoRequest,
) -> Result<QueryEpochInfoResponse, Failure> {
    let epoch = EPOCHS.get(state, &Epoch::new(request.epoch_num))?;
    let epoch = epoch.ok_or_else(|| err::UNKNOWN_EPOCH.bare())?;
    Ok(QueryEpochInfoResponse { epoch: Some(epoch_response(epoch)) })
}

/// All epochs that have begun, from 0.
pub(crate) fn epochs_info(
    state: &State<'_>,
    request: QueryEpochsInfoRequest,
) -> Result<QueryEpochsInfoResponse, Failure> {
    let keep = |_, epoch| Ok(Some(epoch_response(epoch)));
    let (epochs, pagination) = EPOCHS.page(state, &(), request.pagination, keep).map_err(internal)?;
    Ok(QueryEpochsInfoResponse { epochs, pagination: Some(pagination) })
}

fn epoch_response(epoch: super::EpochRecord) -> EpochResponse {
    EpochResponse {
        epoch_number: epoch.epoch_number,
        current_epoch_interval: epoch.current_epoch_interval,
        first_block_height: epoch.first_block_height,
        last_block_time: epoch.last_block_time,
        sealer_app_hash_hex: hex::encode(epoch.sealer_app_hash),
        sealer_block_hash: hex::encode(epoch.sealer_block_hash),
    }
}

/// The messages queued in an epoch: there are none.
pub(crate) fn epoch_msgs(
    state: &State<'_>,
    request: QueryEpochMsgsRequest,
) -> Result<QueryEpochMsgsResponse, Failure> {
    check_begun(state, request.epoch_num)?;
    Ok(QueryEpochMsgsResponse { msgs: vec![], pagination: Some(Default::default()) })
}

/// The queues of the latest epochs, all empty.
pub(crate) fn latest_epoch_msgs(
    state: &State<'_>,
    request: QueryLatestEpochMsgsRequest,
) -> Result<QueryLatestEpochMsgsResponse, Failure> {
    if request.epoch_count == 0 {
        return Err(sdk::INVALID_REQUEST.because("epoch_count should be specified and be larger than zero"));
    }
    let current = current(state)?.0.to_u64();
    let last = if request.end_epoch == 0 { current } else { request.end_epoch };
    let first = last.saturating_sub(request.epoch_count - 1).max(1);
    let keep = |epoch: Epoch, _| {
        let epoch_number = epoch.to_u64();
        let wanted = (first..=last).contains(&epoch_number);
        Ok(wanted.then(|| QueuedMessageList { epoch_number, msgs: vec![] }))
    };
    let (latest_epoch_msgs, pagination) =
        EPOCHS.page(state, &(), request.pagination, keep).map_err(internal)?;
    Ok(QueryLatestEpochMsgsResponse { latest_epoch_msgs, pagination: Some(pagination) })
}

fn check_begun(state: &State<'_>, epoch: u64) -> Result<(), Failure> {
    if current(state)?.0.to_u64() < epoch {
        return Err(err::UNKNOWN_EPOCH.bare());
    }
    Ok(())
}

/// The life of a validator: the one there is was bonded at genesis. The reference crashes on others.
pub(crate) fn validator_lifecycle(
    _: &State<'_>,
    request: QueryValidatorLifecycleRequest,
) -> Result<QueryValidatorLifecycleResponse, Failure> {
    let address = validator::parse_operator(&request.val_addr).map_err(plain)?;
    if address != validator::address() {
        return Err(panicked("runtime error: invalid memory address or nil pointer dereference"));
    }
    let bonded = ValStateUpdateResponse {
        state_desc: "BONDED".to_owned(),
        block_height: 0,
        block_time: Some(Default::default()),
    };
    Ok(QueryValidatorLifecycleResponse { val_addr: validator::operator(), val_life: vec![bonded] })
}

/// The life of a native delegator: nobody delegated.
pub(crate) fn delegation_lifecycle(
    _: &State<'_>,
    request: QueryDelegationLifecycleRequest,
) -> Result<QueryDelegationLifecycleResponse, Failure> {
    parse_account(&request.del_addr)?;
    Ok(QueryDelegationLifecycleResponse { del_life: None })
}

/// The validators of the epoch under way, whichever epoch is asked for.
pub(crate) fn validator_set(
    state: &State<'_>,
    request: QueryEpochValSetRequest,
) -> Result<QueryEpochValSetResponse, Failure> {
    check_begun(state, request.epoch_num)?;
    let one = Validator { addr: validator::address(), power: validator::POWER.into() };
    let asked = request.pagination.unwrap_or_default();
    if asked.offset > 0 && !asked.key.is_empty() {
        return Err(plain("invalid request, either offset or key is expected, got both"));
    }
    let counted = asked.key.is_empty() && (asked.count_total || asked.limit == 0);
    let before = if asked.reverse { asked.key < one.addr } else { asked.key > one.addr };
    let skipped = asked.offset > 0 || (!asked.key.is_empty() && before);
    Ok(QueryEpochValSetResponse {
        validators: if skipped { vec![] } else { vec![one] },
        total_voting_power: validator::POWER.into(),
        pagination: Some(PageResponse { next_key: vec![], total: u64::from(counted) }),
    })
}

/// Height of the light client's tip when an epoch ended.
pub(crate) fn ended_epoch_height(
    state: &State<'_>,
    request: mon::QueryEndedEpochBtcHeightRequest,
) -> Result<mon::QueryEndedEpochBtcHeightResponse, Failure> {
    let btc_light_client_height = match request.epoch_num {
        0 => light_client::base(state)?.height.to_u32(),
        epoch => {
            let tip = TIP_AT_END.get(state, &Epoch::new(epoch))?;
            tip.ok_or_else(|| monitor::NOT_ENDED.because(format!("epoch {epoch}")))?
        }
    };
    Ok(mon::QueryEndedEpochBtcHeightResponse { btc_light_client_height })
}

/// Height of the light client's tip when a checkpoint was first seen on Bitcoin.
pub(crate) fn reported_checkpoint_height(
    state: &State<'_>,
    request: mon::QueryReportedCheckpointBtcHeightRequest,
) -> Result<mon::QueryReportedCheckpointBtcHeightResponse, Failure> {
    let hash = hex::decode(&request.ckpt_hash).map_err(plain)?;
    let unknown = || monitor::NOT_REPORTED.because(format!("checkpoint hash: {}", request.ckpt_hash));
    let hash: [u8; 32] = hash.try_into().map_err(|_| unknown())?;
    let btc_light_client_height = REPORTED_AT.get(state, &hash)?.ok_or_else(unknown)?;
    Ok(mon::QueryReportedCheckpointBtcHeightResponse { btc_light_client_height })
}
