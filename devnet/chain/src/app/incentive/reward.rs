//! Rewarding a final block (`chain.md` 11.2), once all votes for it are in.

use super::{
    accounting,
    gauge::{self, BTC_STAKING, FP_DIRECT},
    portion::{portion_of, share},
    power,
};
use crate::{error::Failure, state::State};
use btc_staking_babylon::proto::incentive::StakeholderType;
use btc_staking_protocol::{height::PosHeight, rate::Decimal};

/// An active finality provider whose vote for the block is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Voter {
    /// Its account.
    pub(crate) account: Vec<u8>,
    /// Its power at the block.
    pub(crate) sats: u64,
    /// The rate that applies.
    pub(crate) commission: Decimal,
}

/// Shares out the gauges of a block among its voters and their delegators, then forgets them.
pub(crate) fn reward_block(
    state: &mut State<'_>,
    height: PosHeight,
    voters: &[Voter],
) -> Result<(), Failure> {
    power::apply(state, height)?;
    let staking = BTC_STAKING.get(state, &height)?.unwrap_or(0);
    let direct = FP_DIRECT.get(state, &height)?.unwrap_or(0);
    let total = voters.iter().map(|voter| u128::from(voter.sats)).sum();
    for voter in voters {
        let portion = share(voter.sats, total);
        let earned = portion_of(staking, portion);
        let commission = portion_of(earned, voter.commission);
        // Both come out of gauges that were minted, and the supply has 64 bits.
        let own = commission.saturating_add(portion_of(direct, portion));
        gauge::add(state, StakeholderType::FinalityProvider, &voter.account, own)?;
        accounting::add_rewards(state, &voter.account, earned.saturating_sub(commission))?;
    }
    BTC_STAKING.delete(state, &height)?;
    FP_DIRECT.delete(state, &height)
}
