//! Gauges: what a block's finality is worth until it is rewarded, and what an account has earned and been paid.

use crate::{
    error::Failure,
    state::{State, Table},
};
use btc_staking_babylon::proto::incentive::StakeholderType;
use btc_staking_protocol::height::PosHeight;
use prost::Message;

/// ubbn for the voters of a block and their delegators, until the block is rewarded.
pub(super) const BTC_STAKING: Table<PosHeight, u64> = Table::new("ig");
/// ubbn for the voters of a block alone, until the block is rewarded.
pub(super) const FP_DIRECT: Table<PosHeight, u64> = Table::new("id");
/// Rewards by kind and account.
pub(super) const REWARDS: Table<(u8, Vec<u8>), RewardGauge> = Table::new("ir");

/// Every kind of gauge, in the order of their numbers.
pub(super) const KINDS: [StakeholderType; 3] =
    [StakeholderType::FinalityProvider, StakeholderType::BtcStaker, StakeholderType::Costaker];

/// What an account has earned of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct RewardGauge {
    /// ubbn earned so far.
    #[prost(uint64, tag = "1")]
    pub(super) earned: u64,
    /// ubbn paid so far, never more.
    #[prost(uint64, tag = "2")]
    pub(super) withdrawn: u64,
}

impl RewardGauge {
    /// ubbn that can be withdrawn.
    pub(super) const fn withdrawable(self) -> u64 {
        self.earned.saturating_sub(self.withdrawn)
    }
}

/// Name of a kind, as queries show it.
pub(super) const fn kind_name(kind: StakeholderType) -> &'static str {
    match kind {
        StakeholderType::FinalityProvider => "FINALITY_PROVIDER",
        StakeholderType::BtcStaker => "BTC_STAKER",
        StakeholderType::Costaker => "COSTAKER",
    }
}

fn key(kind: StakeholderType, account: &[u8]) -> (u8, Vec<u8>) {
    let number = match kind {
        StakeholderType::FinalityProvider => 0,
        StakeholderType::BtcStaker => 1,
        StakeholderType::Costaker => 2,
    };
    (number, account.to_vec())
}

/// The gauge of an account, if it ever earned.
pub(super) fn find(
    state: &State<'_>,
    kind: StakeholderType,
    account: &[u8],
) -> Result<Option<RewardGauge>, Failure> {
    REWARDS.get(state, &key(kind, account))
}

/// Adds to what an account has earned; nothing happens for no coins.
pub(super) fn add(
    state: &mut State<'_>,
    kind: StakeholderType,
    account: &[u8],
    amount: u64,
) -> Result<(), Failure> {
    if amount == 0 {
        return Ok(());
    }
    let mut gauge = find(state, kind, account)?.unwrap_or_default();
    // What is earned was minted, and the supply has 64 bits.
    gauge.earned = gauge.earned.saturating_add(amount);
    REWARDS.put(state, &key(kind, account), &gauge)
}

/// Notes that all an account has earned is being paid; returns how much that is.
pub(super) fn take(state: &mut State<'_>, kind: StakeholderType, account: &[u8]) -> Result<u64, Failure> {
    let Some(mut gauge) = find(state, kind, account)? else { return Ok(0) };
    let amount = gauge.withdrawable();
    if amount > 0 {
        gauge.withdrawn = gauge.earned;
        REWARDS.put(state, &key(kind, account), &gauge)?;
    }
    Ok(amount)
}
