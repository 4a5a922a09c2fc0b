//! Epochs and their checkpoints as a genesis: four of the reference's modules hold parts of it.

use super::{
    EPOCHS, EpochParams, LAST_FINALISED, PARAMS, TIP_AT_END,
    checkpoint::{CHECKPOINTS, REPORTED_AT},
    params,
    submission::{EPOCH_DATA, SUBMISSIONS, id},
};
use crate::{
    app::restore::{NotImported, required, wrong},
    error::Failure,
    genesis::ModuleStates,
    state::{Order, State},
};
use btc_staking_babylon::proto::{btccheckpoint, checkpointing, epoching, monitor};
use btc_staking_protocol::height::Epoch;

type Exported =
    (btccheckpoint::GenesisState, checkpointing::GenesisState, epoching::GenesisState, monitor::GenesisState);

pub(crate) fn export(state: &State<'_>) -> Result<Exported, Failure> {
    let params = params(state)?;
    let last = LAST_FINALISED.get(state, &())?.unwrap_or(0);
    let mut checkpoints = btccheckpoint::GenesisState {
        params: Some(btccheckpoint::Params {
            btc_confirmation_depth: params.confirmation_depth,
            checkpoint_finalization_timeout: params.finalization_timeout,
            checkpoint_tag: params.checkpoint_tag,
        }),
        last_finalized_epoch_number: last,
        ..Default::default()
    };
    for entry in EPOCH_DATA.scan(state, Order::Ascending) {
        let (epoch, data) = entry?;
        let entry = btccheckpoint::EpochEntry { epoch_number: epoch.to_u64(), data: Some(data) };
        checkpoints.epochs.push(entry);
    }
    for entry in SUBMISSIONS.scan(state, Order::Ascending) {
        let (_, data) = entry?;
        let submission_key = Some(key_of(&data));
        checkpoints.submissions.push(btccheckpoint::SubmissionEntry { submission_key, data: Some(data) });
    }
    let mut sealed = checkpointing::GenesisState { last_finalized_epoch: last, ..Default::default() };
    for entry in CHECKPOINTS.scan(state, Order::Ascending) {
        sealed.checkpoints.push(entry?.1);
    }
    let mut epochs = epoching::GenesisState {
        params: Some(epoching::Params {
            epoch_interval: params.interval,
            execute_gas: params.execute_gas,
            min_amount: params.min_amount,
        }),
        ..Default::default()
    };
    for entry in EPOCHS.scan(state, Order::Ascending) {
        epochs.epochs.push(entry?.1);
    }
    Ok((checkpoints, sealed, epochs, export_monitor(state)?))
}

fn export_monitor(state: &State<'_>) -> Result<monitor::GenesisState, Failure> {
    let mut monitor = monitor::GenesisState::default();
    for entry in TIP_AT_END.scan(state, Order::Ascending) {
        let (epoch, tip) = entry?;
        monitor.epoch_end_records.push(monitor::EpochEndLightClient {
            epoch: epoch.to_u64(),
            btc_light_client_height: tip.into(),
        });
    }
    for entry in REPORTED_AT.scan(state, Order::Ascending) {
        let (hash, tip) = entry?;
        monitor.checkpoints_reported.push(monitor::CheckpointReportedLightClient {
            ckpt_hash: hex::encode(hash),
            btc_light_client_height: tip.into(),
        });
    }
    Ok(monitor)
}

/// A submission is known by the places of its two transactions.
fn key_of(data: &btccheckpoint::SubmissionData) -> btccheckpoint::SubmissionKey {
    let keys = data.txs_info.iter().filter_map(|info| info.key.clone());
    btccheckpoint::SubmissionKey { key: keys.collect() }
}

/// A chain that has not begun has epoch 0.
pub(crate) fn import(state: &mut State<'_>, modules: &ModuleStates) -> Result<(), NotImported> {
    let depths = required("btccheckpoint.params", modules.btccheckpoint.params.as_ref())?;
    let epoching = required("epoching.params", modules.epoching.params.as_ref())?;
    let params = EpochParams {
        confirmation_depth: depths.btc_confirmation_depth,
        finalization_timeout: depths.checkpoint_finalization_timeout,
        checkpoint_tag: depths.checkpoint_tag.clone(),
        interval: epoching.epoch_interval,
        execute_gas: epoching.execute_gas.clone(),
        min_amount: epoching.min_amount,
    };
    PARAMS.put(state, &(), &params)?;
    let zero = [epoching::Epoch { current_epoch_interval: params.interval, ..Default::default() }];
    let epochs = if modules.epoching.epochs.is_empty() { &zero[..] } else { &modules.epoching.epochs };
    for (index, epoch) in epochs.iter().enumerate() {
        if u64::try_from(index) != Ok(epoch.epoch_number) {
            let path = format!("epoching.epochs[{index}].epoch_number");
            return Err(wrong(path, epoch.epoch_number, "counted from 0 without a gap").into());
        }
        EPOCHS.put(state, &Epoch::new(epoch.epoch_number), epoch)?;
    }
    import_checkpoints(state, modules)?;
    import_monitor(state, &modules.monitor)
}

fn import_checkpoints(state: &mut State<'_>, modules: &ModuleStates) -> Result<(), NotImported> {
    for (index, checkpoint) in modules.checkpointing.checkpoints.iter().enumerate() {
        let path = format!("checkpointing.checkpoints[{index}].ckpt");
        let ckpt = required(&path, checkpoint.ckpt.as_ref())?;
        CHECKPOINTS.put(state, &Epoch::new(ckpt.epoch_num), checkpoint)?;
    }
    for (index, entry) in modules.btccheckpoint.epochs.iter().enumerate() {
        let path = format!("btccheckpoint.epochs[{index}].data");
        EPOCH_DATA.put(state, &Epoch::new(entry.epoch_number), required(&path, entry.data.as_ref())?)?;
    }
    for (index, entry) in modules.btccheckpoint.submissions.iter().enumerate() {
        let path = format!("btccheckpoint.submissions[{index}]");
        let key = required(&format!("{path}.submission_key"), entry.submission_key.as_ref())?;
        let data = required(&format!("{path}.data"), entry.data.as_ref())?;
        if *key != key_of(data) {
            return Err(wrong(format!("{path}.submission_key"), "another", "that of its transactions").into());
        }
        SUBMISSIONS.put(state, &id(key), data)?;
    }
    let last = modules.btccheckpoint.last_finalized_epoch_number;
    if modules.checkpointing.last_finalized_epoch != last {
        let found = modules.checkpointing.last_finalized_epoch;
        return Err(wrong("checkpointing.last_finalized_epoch", found, "as in btccheckpoint").into());
    }
    if last > 0 {
        LAST_FINALISED.put(state, &(), &last)?;
    }
    Ok(())
}

fn import_monitor(state: &mut State<'_>, monitor: &monitor::GenesisState) -> Result<(), NotImported> {
    let height = |path: String, height: u64| {
        u32::try_from(height).map_err(|_| wrong(path, height, "a Bitcoin height of 32 bits"))
    };
    for (index, end) in monitor.epoch_end_records.iter().enumerate() {
        let path = format!("monitor.epoch_end_records[{index}].btc_light_client_height");
        TIP_AT_END.put(state, &Epoch::new(end.epoch), &height(path, end.btc_light_client_height)?)?;
    }
    for (index, report) in monitor.checkpoints_reported.iter().enumerate() {
        let path = format!("monitor.checkpoints_reported[{index}]");
        let hash = hex::decode(&report.ckpt_hash).ok().and_then(|bytes| bytes.try_into().ok());
        let hash: [u8; 32] =
            hash.ok_or_else(|| wrong(format!("{path}.ckpt_hash"), &report.ckpt_hash, "32 bytes in hex"))?;
        let tip = height(format!("{path}.btc_light_client_height"), report.btc_light_client_height)?;
        REPORTED_AT.put(state, &hash, &tip)?;
    }
    Ok(())
}
