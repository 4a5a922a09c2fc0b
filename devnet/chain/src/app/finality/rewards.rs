//! Where finality meets rewards: which final blocks are rewarded, for whom, and what the reward modules are told when
//! power changes (`chain.md` 9.2 step 10, 11.2).

use super::records::{
    ACTIVATED, BLOCKS, DISTRIBUTION, Distribution, NEXT_TO_FINALISE, NEXT_TO_SETTLE, Ranked, VOTES, corrupt,
    params, stored_key,
};
use crate::{
    app::{
        context::{Ctx, parse_account},
        costaking,
        incentive::{
            self, Voter,
            power::{self, Moved},
            stored_decimal,
        },
        staking::records::{Stake, provider},
    },
    error::Failure,
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey as Key, rate::Decimal};
use std::collections::BTreeSet;

/// Heights rewarded in one block at most.
const MAX_REWARDED: usize = 10_000;

/// Rewards final blocks whose votes are all in and lets go of their distribution. Blocks that are not final are passed
/// over without moving the pointer beyond the last rewarded one.
pub(super) fn reward_final_blocks(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let Some(activated) = ACTIVATED.get(ctx.state, &())? else { return Ok(()) };
    let timeout = u64::try_from(params(ctx.state)?.finality_sig_timeout).unwrap_or(0);
    let Some(last) = ctx.block.height.to_u64().checked_sub(timeout) else { return Ok(()) };
    let next = NEXT_TO_SETTLE.get(ctx.state, &())?.unwrap_or(activated);
    // Blocks become final in order, so nothing behind this cursor is.
    let undecided = NEXT_TO_FINALISE.get(ctx.state, &())?.unwrap_or(0);
    let mut rewarded_to = next;
    for height in (next..=last).take(MAX_REWARDED).take_while(|height| *height < undecided) {
        let height = PosHeight::new(height);
        if BLOCKS.get(ctx.state, &height)?.is_some_and(|block| block.finalized) {
            reward(ctx, height)?;
            rewarded_to = height.next().to_u64();
        }
    }
    if rewarded_to != next {
        NEXT_TO_SETTLE.put(ctx.state, &(), &rewarded_to)?;
    }
    Ok(())
}

fn reward(ctx: &mut Ctx<'_, '_>, height: PosHeight) -> Result<(), Failure> {
    let distribution = DISTRIBUTION.get(ctx.state, &height)?;
    let distribution = distribution.ok_or_else(|| corrupt(format!("no distribution of block {height}")))?;
    let mut voters = vec![];
    for ranked in distribution.active() {
        let key = stored_key(&ranked.key)?;
        if VOTES.has(ctx.state, &(height, key))? {
            voters.push(voter(ctx, &key, ranked)?);
        }
    }
    incentive::reward_block(ctx.state, height, &voters)?;
    DISTRIBUTION.delete(ctx.state, &height)
}

fn voter(ctx: &Ctx<'_, '_>, key: &Key, ranked: &Ranked) -> Result<Voter, Failure> {
    // An edit acts at once under the rules of the head, else only when the provider next enters the distribution.
    let commission = if ctx.head_rules() {
        provider(ctx.state, key)?.commission.unwrap_or_default()
    } else {
        ranked.commission.clone()
    };
    let commission = if commission.is_empty() { Decimal::ZERO } else { stored_decimal(&commission)? };
    Ok(Voter { account: parse_account(&ranked.address)?.bytes().to_vec(), sats: ranked.sats, commission })
}

/// A delegation as the reward modules know it: by accounts.
pub(super) fn moved(ctx: &Ctx<'_, '_>, stake: &Stake) -> Result<Moved, Failure> {
    Ok(Moved {
        provider: account_of(ctx, &stake.provider()?)?,
        staker: parse_account(&stake.record.staker_addr)?.bytes().to_vec(),
        sats: stake.record.total_sat,
    })
}

fn account_of(ctx: &Ctx<'_, '_>, key: &Key) -> Result<Vec<u8>, Failure> {
    Ok(parse_account(&provider(ctx.state, key)?.addr)?.bytes().to_vec())
}

/// Tells what began and what ceased to count; `old` is the distribution of the block before.
pub(super) fn after_delegations_moved(
    ctx: &mut Ctx<'_, '_>,
    activated: &[Moved],
    unbonded: &[Moved],
    old: &Distribution,
) -> Result<(), Failure> {
    power::record(ctx.state, ctx.block.height, activated, unbonded)?;
    let account = |ranked: &Ranked| Ok(parse_account(&ranked.address)?.bytes().to_vec());
    let was_active = old.active().iter().map(account).collect::<Result<BTreeSet<_>, Failure>>()?;
    let counted = |moved: &&Moved| was_active.contains(&moved.provider);
    activated.iter().filter(counted).try_for_each(|moved| costaking::activated(ctx.state, moved))?;
    unbonded.iter().filter(counted).try_for_each(|moved| costaking::unbonded(ctx.state, moved))
}

/// Tells that a finality provider became active.
pub(super) fn after_provider_entered(ctx: &mut Ctx<'_, '_>, key: &Key) -> Result<(), Failure> {
    let account = account_of(ctx, key)?;
    costaking::provider_entered(ctx.state, &account)
}

/// Tells that a finality provider is active no more.
pub(super) fn after_provider_left(ctx: &mut Ctx<'_, '_>, key: &Key) -> Result<(), Failure> {
    let account = account_of(ctx, key)?;
    costaking::provider_left(ctx.state, &account)
}
