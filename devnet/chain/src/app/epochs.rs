//! Epochs, and their checkpoints' way to finality (`chain.md` 3).
//!
//! The chain takes the shortcut of section 3.5: no BLS votes, and finality that needs no checkpoint transactions. The
//! checkpoint of epoch `e` is sealed in the first block behind it, confirmed when the light client's tip is `k`, and final
//! when it is `w`, above the tip recorded at the end of `e`. That moves only in blocks in which the tip changed, and only
//! forward.
//!
//! | file | holds |
//! |---|---|
//! | [`checkpoint`] | checkpoints: their records, their states, the events of both |
//! | [`submission`] | reports that a checkpoint is on Bitcoin: every check of section 3.3, without effect on finality |
//! | [`payload`] | the two `OP_RETURN`s of a checkpoint |
//! | [`validator`] | the one validator |

pub(crate) mod checkpoint;
pub(crate) mod genesis;
mod payload;
pub(crate) mod queries;
pub(crate) mod submission;
mod validator;

use super::{
    context::{BlockTime, Ctx},
    light_client,
};
use crate::{
    error::{Broken, Failure},
    event::Event,
    genesis::Genesis,
    state::{Order, State, Table},
};
use btc_staking_babylon::proto::epoching::{
    Epoch as EpochRecord, EventBeginEpoch, EventEndEpoch, ExecuteGas,
};
use btc_staking_protocol::height::{Epoch, PosHeight};
use prost::Message;
use sha2::{Digest, Sha256};

/// Parameters of epochs and checkpoints.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EpochParams {
    /// `k`.
    #[prost(uint32, tag = "1")]
    pub(crate) confirmation_depth: u32,
    /// `w`.
    #[prost(uint32, tag = "2")]
    pub(crate) finalization_timeout: u32,
    #[prost(string, tag = "3")]
    pub(crate) checkpoint_tag: String,
    #[prost(uint64, tag = "4")]
    pub(crate) interval: u64,
    /// Gas of queued messages of native staking, which this chain has none of.
    #[prost(message, optional, tag = "5")]
    pub(crate) execute_gas: Option<ExecuteGas>,
    /// Least amount of such a message.
    #[prost(uint64, tag = "6")]
    pub(crate) min_amount: u64,
}

/// The reference's defaults.
const EXECUTE_GAS: ExecuteGas = ExecuteGas {
    delegate: 130_000,
    undelegate: 88_000,
    begin_redelegate: 220_000,
    cancel_unbonding_delegation: 20_500,
    edit_validator: 61_000,
    create_validator: 60_000,
};

const PARAMS: Table<(), EpochParams> = Table::new("ep");
/// Epochs that have begun, from 0; the last is under way.
pub(crate) const EPOCHS: Table<Epoch, EpochRecord> = Table::new("ee");
/// Height of the light client's tip when an epoch ended.
pub(crate) const TIP_AT_END: Table<Epoch, u32> = Table::new("et");
const LAST_FINALISED: Table<(), u64> = Table::new("ef");

/// Stores the parameters of genesis, and epoch 0.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let params = EpochParams {
        confirmation_depth: genesis.confirmation_depth.to_u32(),
        finalization_timeout: genesis.finalization_timeout.to_u32(),
        checkpoint_tag: genesis.checkpoint_tag.clone(),
        interval: genesis.epoch_interval,
        execute_gas: Some(EXECUTE_GAS),
        min_amount: 1,
    };
    set_params(state, &params)?;
    let zero = EpochRecord {
        current_epoch_interval: params.interval,
        last_block_time: Some(BlockTime { seconds: genesis.genesis_time, nanos: 0 }.to_proto()),
        ..Default::default()
    };
    EPOCHS.put(state, &Epoch::new(0), &zero)
}

/// Replaces the parameters.
pub(crate) fn set_params(state: &mut State<'_>, params: &EpochParams) -> Result<(), Failure> {
    PARAMS.put(state, &(), params)
}

/// The parameters.
pub(crate) fn params(state: &State<'_>) -> Result<EpochParams, Failure> {
    Ok(PARAMS.get(state, &())?.ok_or_else(|| corrupt("parameters are missing"))?)
}

impl EpochParams {
    /// The epoch of a height: 0 for height 0, then counted from 1. The present interval counts for all heights.
    pub(crate) fn epoch_of(&self, height: PosHeight) -> Epoch {
        match height.to_u64().checked_sub(1) {
            None => Epoch::new(0),
            Some(before) => Epoch::new(before / self.interval.max(1) + 1),
        }
    }
}

/// The epoch under way.
pub(crate) fn current(state: &State<'_>) -> Result<(Epoch, EpochRecord), Failure> {
    let last = EPOCHS.scan(state, Order::Descending).next();
    last.ok_or_else(|| corrupt("no epoch has begun"))?
}

/// Last height of an epoch.
pub(crate) fn last_height(epoch: &EpochRecord) -> u64 {
    match epoch.epoch_number {
        0 => 0,
        _ => epoch.first_block_height.saturating_add(epoch.current_epoch_interval).saturating_sub(1),
    }
}

/// The last epoch that is final on Bitcoin; 0 when none is.
pub(crate) fn last_finalised(state: &State<'_>) -> Result<Epoch, Failure> {
    Ok(Epoch::new(LAST_FINALISED.get(state, &())?.unwrap_or(0)))
}

/// Seals the checkpoint of an epoch that has ended, before anything else in the block behind it.
pub(crate) fn pre_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let (epoch, record) = current(ctx.state)?;
    if begins_next(ctx, &record) && epoch > Epoch::new(0) {
        checkpoint::seal(ctx, epoch, &record)?;
    }
    Ok(())
}

fn begins_next(ctx: &Ctx<'_, '_>, record: &EpochRecord) -> bool {
    ctx.block.height.to_u64() == last_height(record).saturating_add(1)
}

/// Begins a new epoch in its first block.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let (epoch, mut record) = current(ctx.state)?;
    if !begins_next(ctx, &record) {
        return Ok(());
    }
    record.sealer_app_hash = ctx.block.app_hash.to_vec();
    EPOCHS.put(ctx.state, &epoch, &record)?;
    let next = EpochRecord {
        epoch_number: epoch.to_u64().saturating_add(1),
        current_epoch_interval: params(ctx.state)?.interval,
        first_block_height: ctx.block.height.to_u64(),
        ..Default::default()
    };
    let number = Epoch::new(next.epoch_number);
    EPOCHS.put(ctx.state, &number, &next)?;
    ctx.emit(Event::typed(&EventBeginEpoch { epoch_number: number.to_u64() }));
    Ok(())
}

/// Records the end of an epoch in its last block.
pub(crate) fn end_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let (epoch, mut record) = current(ctx.state)?;
    if ctx.block.height.to_u64() != last_height(&record) {
        return Ok(());
    }
    record.last_block_time = Some(ctx.block.time.to_proto());
    record.sealer_block_hash = block_name(ctx);
    EPOCHS.put(ctx.state, &epoch, &record)?;
    let tip = light_client::tip_height(ctx.state)?;
    TIP_AT_END.put(ctx.state, &epoch, &tip.to_u32())?;
    ctx.emit(Event::typed(&EventEndEpoch { epoch_number: epoch.to_u64() }));
    Ok(())
}

/// What checkpoints name a block by. The application is not told the hash of a block's header by every door, so it takes
/// a hash of what the header holds of it.
fn block_name(ctx: &Ctx<'_, '_>) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(ctx.block.chain.chain_id.as_bytes());
    hasher.update(ctx.block.height.to_u64().to_be_bytes());
    hasher.update(ctx.block.app_hash);
    hasher.finalize().to_vec()
}

/// Writes epochs that ended before the chain begins, all of them final: for states that are generated.
pub(crate) fn found(state: &mut State<'_>, tips: &[u32], time: BlockTime) -> Result<(), Failure> {
    let interval = params(state)?.interval;
    let mut last = 0;
    for (epoch, tip) in (1u64..).zip(tips) {
        let record = EpochRecord {
            epoch_number: epoch,
            current_epoch_interval: interval,
            first_block_height: (epoch - 1).saturating_mul(interval).saturating_add(1),
            last_block_time: Some(time.to_proto()),
            sealer_app_hash: vec![0; 32],
            sealer_block_hash: vec![0; 32],
        };
        let number = Epoch::new(epoch);
        EPOCHS.put(state, &number, &record)?;
        TIP_AT_END.put(state, &number, tip)?;
        checkpoint::found(state, &record)?;
        last = epoch;
    }
    LAST_FINALISED.put(state, &(), &last)
}

fn corrupt(reason: impl ToString) -> Broken {
    Broken::Corrupt { table: "epochs", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_counted_from_one_and_tile_the_heights() {
        let params = EpochParams { interval: 10, ..Default::default() };
        for (height, epoch) in [(0, 0), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3)] {
            assert_eq!(params.epoch_of(PosHeight::new(height)), Epoch::new(epoch), "height {height}");
        }
        for epoch in 1..5 {
            let first_block_height = (epoch - 1) * 10 + 1;
            let record = EpochRecord {
                epoch_number: epoch,
                current_epoch_interval: 10,
                first_block_height,
                ..Default::default()
            };
            assert_eq!(params.epoch_of(PosHeight::new(first_block_height)), Epoch::new(epoch));
            assert_eq!(last_height(&record), epoch * 10);
        }
        assert_eq!(last_height(&EpochRecord::default()), 0);
    }
}
