//! Which blocks votes can be cast for, which are final, and which are settled (`chain.md` 10.4, 10.5, 11.2).

use super::records::{
    ACTIVATED, BLOCKS, DISTRIBUTION, NEXT_TO_FINALISE, NEXT_TO_SETTLE, POWER, VOTES, corrupt, params,
};
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

/// Heights settled in one block at most.
const MAX_SETTLED: usize = 10_000;

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

/// Lets go of the distribution of final blocks whose votes are all in: the place where they would be rewarded.
pub(super) fn settle(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let Some(activated) = ACTIVATED.get(ctx.state, &())? else { return Ok(()) };
    let timeout = u64::try_from(params(ctx.state)?.finality_sig_timeout).unwrap_or(0);
    let Some(last) = ctx.block.height.to_u64().checked_sub(timeout) else { return Ok(()) };
    let next = NEXT_TO_SETTLE.get(ctx.state, &())?.unwrap_or(activated);
    // Blocks become final in order, so nothing behind this cursor is.
    let undecided = NEXT_TO_FINALISE.get(ctx.state, &())?.unwrap_or(0);
    let mut settled_to = next;
    for height in (next..=last).take(MAX_SETTLED).take_while(|height| *height < undecided) {
        let height = PosHeight::new(height);
        if BLOCKS.get(ctx.state, &height)?.is_some_and(|block| block.finalized) {
            DISTRIBUTION.delete(ctx.state, &height)?;
            settled_to = height.next().to_u64();
        }
    }
    if settled_to != next {
        NEXT_TO_SETTLE.put(ctx.state, &(), &settled_to)?;
    }
    Ok(())
}
