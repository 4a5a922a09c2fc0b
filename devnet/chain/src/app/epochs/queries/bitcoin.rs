//! Where checkpoints lie on Bitcoin.
//!
//! A checkpoint that finality counted from the end of its epoch, without anybody having submitted it, is answered as if it
//! lay in the block that was the tip then, by transactions nobody has.

use crate::{
    app::{
        auth,
        epochs::{
            EpochParams, TIP_AT_END,
            checkpoint::{self, CHECKPOINTS},
            corrupt, params,
            submission::{self, EPOCH_DATA},
        },
        light_client,
        page::internal,
    },
    error::{Failure, plain},
    state::State,
};
use bitcoin::{BlockHash, hashes::Hash};
use btc_staking_babylon::proto::{
    btccheckpoint::*,
    checkpointing::{CheckpointStatus, RawCheckpointWithMeta},
};
use btc_staking_protocol::height::{BtcHeight, Epoch};

/// `k`, `w` and the tag.
pub(crate) fn checkpoint_params(
    state: &State<'_>,
    _: QueryParamsRequest,
) -> Result<QueryParamsResponse, Failure> {
    let EpochParams { confirmation_depth, finalization_timeout, checkpoint_tag, .. } = params(state)?;
    let params = Params {
        btc_confirmation_depth: confirmation_depth,
        checkpoint_finalization_timeout: finalization_timeout,
        checkpoint_tag,
    };
    Ok(QueryParamsResponse { params: Some(params) })
}

/// Where the checkpoint of an epoch lies.
pub(crate) fn info(
    state: &State<'_>,
    request: QueryBtcCheckpointInfoRequest,
) -> Result<QueryBtcCheckpointInfoResponse, Failure> {
    let epoch = Epoch::new(request.epoch_num);
    let found = match checkpoint::find(state, epoch)? {
        Some(checkpoint) => info_of(state, epoch, &checkpoint)?,
        None => None,
    };
    let info = found.ok_or_else(|| {
        plain(format!(
            "failed to get lowest BTC height and hash in keys of epoch {epoch}: checkpoint for given epoch not yet submitted"
        ))
    })?;
    Ok(QueryBtcCheckpointInfoResponse { info: Some(info) })
}

/// Where all checkpoints lie that are on Bitcoin.
pub(crate) fn infos(
    state: &State<'_>,
    request: QueryBtcCheckpointsInfoRequest,
) -> Result<QueryBtcCheckpointsInfoResponse, Failure> {
    let keep = |epoch, checkpoint: RawCheckpointWithMeta| info_of(state, epoch, &checkpoint);
    let (info_list, pagination) = CHECKPOINTS.page(state, &(), request.pagination, keep).map_err(internal)?;
    Ok(QueryBtcCheckpointsInfoResponse { info_list, pagination: Some(pagination) })
}

fn info_of(
    state: &State<'_>,
    epoch: Epoch,
    checkpoint: &RawCheckpointWithMeta,
) -> Result<Option<BTCCheckpointInfoResponse>, Failure> {
    let keys = EPOCH_DATA.get(state, &epoch)?.unwrap_or_default().keys;
    if let Some((key, place)) = submission::best(state, &keys)? {
        return submitted(state, epoch, &key, place.youngest_block).map(Some);
    }
    if checkpoint::status(checkpoint)? < CheckpointStatus::Confirmed {
        return Ok(None);
    }
    let height = TIP_AT_END.get(state, &epoch)?.ok_or_else(|| corrupt("end is not recorded"))?;
    let header = light_client::at(state, BtcHeight::new(height))?;
    Ok(header.map(|header| BTCCheckpointInfoResponse {
        epoch_number: epoch.to_u64(),
        best_submission_btc_block_height: height,
        best_submission_btc_block_hash: header.hash.to_string(),
        ..Default::default()
    }))
}

fn submitted(
    state: &State<'_>,
    epoch: Epoch,
    key: &SubmissionKey,
    block: BlockHash,
) -> Result<BTCCheckpointInfoResponse, Failure> {
    let header =
        light_client::find(state, &block)?.ok_or_else(|| corrupt("block is not on the main chain"))?;
    let data = submission::find(state, key)?.ok_or_else(|| corrupt("submission is missing"))?;
    let transactions = data.txs_info.into_iter().map(transaction).collect::<Result<_, _>>()?;
    let addresses = data.vigilante_addresses.map(|addresses| CheckpointAddressesResponse {
        submitter: auth::bech32(&addresses.submitter),
        reporter: auth::bech32(&addresses.reporter),
    });
    Ok(BTCCheckpointInfoResponse {
        epoch_number: epoch.to_u64(),
        best_submission_btc_block_height: header.height.to_u32(),
        best_submission_btc_block_hash: block.to_string(),
        best_submission_transactions: transactions,
        best_submission_vigilante_address_list: addresses.into_iter().collect(),
    })
}

fn transaction(info: TransactionInfo) -> Result<TransactionInfoResponse, Failure> {
    let key = info.key.unwrap_or_default();
    Ok(TransactionInfoResponse {
        index: key.index,
        hash: block_hash(&key)?,
        transaction: hex::encode(info.transaction),
        proof: hex::encode(info.proof),
    })
}

fn block_hash(key: &TransactionKey) -> Result<String, Failure> {
    Ok(BlockHash::from_slice(&key.hash).map_err(corrupt)?.to_string())
}

/// What was submitted for an epoch.
pub(crate) fn submissions(
    state: &State<'_>,
    request: QueryEpochSubmissionsRequest,
) -> Result<QueryEpochSubmissionsResponse, Failure> {
    let data = EPOCH_DATA.get(state, &Epoch::new(request.epoch_num))?.unwrap_or_default();
    let keys = data.keys.iter().map(|key| {
        let [first, second] = key.key.as_slice() else {
            return Err(Failure::from(corrupt("submission without two transactions")));
        };
        Ok(SubmissionKeyResponse {
            first_tx_block_hash: block_hash(first)?,
            first_tx_index: first.index,
            second_tx_block_hash: block_hash(second)?,
            second_tx_index: second.index,
        })
    });
    Ok(QueryEpochSubmissionsResponse { keys: keys.collect::<Result<_, _>>()? })
}
