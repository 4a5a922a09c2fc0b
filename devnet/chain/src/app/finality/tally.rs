//! Which blocks votes can be cast for, and which are final (`chain.md` 10.4, 10.5).

use super::records::{ACTIVATED, BLOCKS, NEXT_TO_FINALISE, POWER, VOTES, corrupt, params};
use crate::{
    app::context::Ctx,
    error::Failure,
    state::{Order, State},
};
use btc_staking_babylon::proto::finality::IndexedBlock;
use btc_staking_protocol::{
    finality::tally::{FinalityCursor, HeightPower, Tally},
    height::PosHeight,
};
use std::collections::BTreeSet;

/// Makes this block one that can be voted for, once anybody has had power.
pub(super) fn index_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let height = ctx.block.height;
    let active = height.to_u64() >= params(ctx.state)?.finality_activation_height;
    if !active || ACTIVATED.get(ctx.state, &())?.is_none() {
        return Ok(());
    }
    let block =
        IndexedBlock { height: height.to_u64(), app_hash: ctx.block.app_hash.to_vec(), finalized: false };
    BLOCKS.put(ctx.state, &height, &block)
}

/// Finalises blocks strictly in order; heights without a table are skipped for good.
pub(super) fn tally(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let Some(activated) = ACTIVATED.get(ctx.state, &())? else { return Ok(()) };
    let next = NEXT_TO_FINALISE.get(ctx.state, &())?.unwrap_or(0);
    let mut cursor = FinalityCursor::new(PosHeight::new(next));
    let mut failure = None;
    let finalised = cursor.advance(PosHeight::new(activated), ctx.block.height, |height| {
        // A failed read ends the walk: a table that nobody voted for never becomes final.
        power_of(ctx.state, height).unwrap_or_else(|failed| {
            failure.get_or_insert(failed);
            HeightPower::Table(Tally::default())
        })
    });
    if let Some(failed) = failure {
        return Err(failed);
    }
    for height in finalised {
        let block = BLOCKS.get(ctx.state, &height)?;
        let mut block = block.ok_or_else(|| corrupt(format!("block {height} is not indexed")))?;
        block.finalized = true;
        BLOCKS.put(ctx.state, &height, &block)?;
    }
    if cursor.next().to_u64() != next {
        NEXT_TO_FINALISE.put(ctx.state, &(), &cursor.next().to_u64())?;
    }
    Ok(())
}

fn power_of(state: &State<'_>, height: PosHeight) -> Result<HeightPower, Failure> {
    let table = POWER.scan_under(state, &height, Order::Ascending);
    let table =
        table.map(|entry| entry.map(|((_, key), power)| (key, power))).collect::<Result<Vec<_>, _>>()?;
    if table.is_empty() {
        return Ok(HeightPower::NoTable);
    }
    let votes = VOTES.scan_under(state, &height, Order::Ascending);
    let voters = votes.map(|entry| entry.map(|((_, key), _)| key)).collect::<Result<BTreeSet<_>, _>>()?;
    let table = table.iter().map(|(key, power)| (key, *power));
    Ok(HeightPower::Table(Tally::count(table, |key| voters.contains(key))))
}
