//! Finality: power tables, public randomness, votes, evidence, liveness (`chain.md` 9, 10).

mod events;
pub(crate) mod genesis;
mod liveness;
pub(crate) mod power;
pub(crate) mod queries;
mod randomness;
pub(crate) mod records;
pub(crate) mod resume;
mod rewards;
mod tally;
mod unjail;
mod vote;

pub(crate) use randomness::{check_commit, commit_randomness};
pub(crate) use unjail::{check_unjail, unjail};
pub(crate) use vote::{add_vote, check_vote};

use super::context::Ctx;
use crate::error::Failure;

/// Indexes the block, tallies votes, judges liveness, rewards what is settled (10.4 to 10.6, 11.2).
pub(crate) fn end_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    tally::index_block(ctx)?;
    tally::tally(ctx)?;
    liveness::judge(ctx)?;
    rewards::reward_final_blocks(ctx)
}
