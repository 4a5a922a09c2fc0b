//! Epochs and their finality on Bitcoin (`chain.md` 3).
//!
//! The chain takes the shortcut of section 3.5: no BLS votes, no checkpoint transactions. Epoch `e` is confirmed when the
//! light client's tip is `k`, and final when it is `w`, above the tip recorded at the end of `e`. The value moves only in
//! blocks in which the tip changed, and only forward. Queries about checkpoints are answered from it; what a real
//! checkpoint would hold beyond that (bitmap, BLS signature) is zeros.

pub(crate) mod queries;

use super::{context::Ctx, light_client, staking::records::TIP_AT};
use crate::{
    error::{Broken, Failure},
    event::{Event, json_text},
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::proto::{Timestamp, epoching::ExecuteGas};
use btc_staking_protocol::height::{Epoch, PosHeight};
use prost::Message;

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

/// What was recorded when an epoch ended.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EndedEpoch {
    /// Light client tip at the end of the last block.
    #[prost(uint32, tag = "1")]
    pub(crate) tip: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) last_block_time: Option<Timestamp>,
    /// App hash in the header of the last block.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) app_hash: Vec<u8>,
}

const PARAMS: Table<(), EpochParams> = Table::new("ep");
/// Ended epochs by number.
pub(crate) const ENDED: Table<Epoch, EndedEpoch> = Table::new("ee");
/// The last epoch that is final.
pub(crate) const LAST_FINALISED: Table<(), u64> = Table::new("ef");

/// Stores the parameters of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let params = EpochParams {
        confirmation_depth: genesis.confirmation_depth.to_u32(),
        finalization_timeout: genesis.finalization_timeout.to_u32(),
        checkpoint_tag: genesis.checkpoint_tag.clone(),
        interval: genesis.epoch_interval,
        execute_gas: Some(EXECUTE_GAS),
        min_amount: 1,
    };
    set_params(state, &params)
}

/// Replaces the parameters.
pub(crate) fn set_params(state: &mut State<'_>, params: &EpochParams) -> Result<(), Failure> {
    PARAMS.put(state, &(), params)
}

/// The parameters.
pub(crate) fn params(state: &State<'_>) -> Result<EpochParams, Failure> {
    let missing = || Broken::Corrupt { table: "ep", reason: "missing".to_owned() };
    Ok(PARAMS.get(state, &())?.ok_or_else(missing)?)
}

impl EpochParams {
    /// The epoch of a height: 0 for height 0, then counted from 1.
    pub(crate) fn epoch_of(&self, height: PosHeight) -> Epoch {
        match height.to_u64().checked_sub(1) {
            None => Epoch::new(0),
            Some(before) => Epoch::new(before / self.interval.max(1) + 1),
        }
    }
    /// First height of an epoch.
    pub(crate) fn first_height(&self, epoch: Epoch) -> u64 {
        match epoch.to_u64().checked_sub(1) {
            None => 0,
            Some(before) => before.saturating_mul(self.interval).saturating_add(1),
        }
    }
    /// Last height of an epoch.
    pub(crate) fn last_height(&self, epoch: Epoch) -> u64 {
        epoch.to_u64().saturating_mul(self.interval)
    }
}

/// The last epoch that is final on Bitcoin; 0 when none is.
pub(crate) fn last_finalised(state: &State<'_>) -> Result<Epoch, Failure> {
    Ok(Epoch::new(LAST_FINALISED.get(state, &())?.unwrap_or(0)))
}

/// Announces a new epoch in its first block.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let params = params(ctx.state)?;
    let epoch = params.epoch_of(ctx.block.height);
    if ctx.block.height.to_u64() == params.first_height(epoch) {
        ctx.emit(epoch_event("EventBeginEpoch", epoch));
    }
    Ok(())
}

/// Records the end of an epoch in its last block.
pub(crate) fn end_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let params = params(ctx.state)?;
    let epoch = params.epoch_of(ctx.block.height);
    if ctx.block.height.to_u64() != params.last_height(epoch) {
        return Ok(());
    }
    let ended = EndedEpoch {
        tip: light_client::tip_height(ctx.state)?.to_u32(),
        last_block_time: Some(ctx.block.time.to_proto()),
        app_hash: ctx.block.app_hash.to_vec(),
    };
    ENDED.put(ctx.state, &epoch, &ended)?;
    ctx.emit(epoch_event("EventEndEpoch", epoch));
    Ok(())
}

/// Makes ended epochs final that lie `w` deep, in ascending order, when the tip changed in this block.
pub(crate) fn finalise(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let tip = light_client::tip_height(ctx.state)?.to_u32();
    if TIP_AT.get(ctx.state, &ctx.block.height)? == Some(tip) {
        return Ok(());
    }
    let w = params(ctx.state)?.finalization_timeout;
    loop {
        let next = Epoch::new(last_finalised(ctx.state)?.to_u64().saturating_add(1));
        match ENDED.get(ctx.state, &next)? {
            Some(ended) if is_deep(&ended, tip, w) => LAST_FINALISED.put(ctx.state, &(), &next.to_u64())?,
            Some(_) | None => return Ok(()),
        }
    }
}

/// Whether the tip is `depth` blocks above the one recorded at the end of an epoch.
fn is_deep(ended: &EndedEpoch, tip: u32, depth: u32) -> bool {
    tip.checked_sub(ended.tip).is_some_and(|above| above >= depth)
}

fn epoch_event(name: &str, epoch: Epoch) -> Event {
    Event::typed(&format!("babylon.epoching.v1.{name}"), [("epoch_number", json_text::string(epoch))])
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
            let epoch = Epoch::new(epoch);
            assert_eq!(params.epoch_of(PosHeight::new(params.first_height(epoch))), epoch);
            assert_eq!(params.epoch_of(PosHeight::new(params.last_height(epoch))), epoch);
        }
    }
}
