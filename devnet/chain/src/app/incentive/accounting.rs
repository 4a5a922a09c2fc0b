//! Who gets what of a finality provider's pool (`chain.md` 11.3), without ever walking over its delegators.
//!
//! ```text
//! pool of a provider      rewards not shared out yet, total satoshis, current period, rewards per satoshi so far
//! position of a staker    own satoshis, period and rewards per satoshi at which it started
//!
//! close a period          so far += pool * 10^20 / total          (lost when there are no satoshis)
//! settle a position       gauge  += (so far - at start) * own / 10^20, and it starts anew
//! ```
//!
//! The reference keeps the rewards per satoshi of every period in a history and a position names the period it started
//! in. Only those two values are ever read, so a position keeps the value itself; the numbers are the same.
//!
//! Providers and stakers are accounts here, not Bitcoin keys. A staker's delegations to one provider are one position.

use super::{
    gauge,
    portion::{PerSat, payout, per_sat},
};
use crate::{
    error::{Broken, Failure},
    state::{Order, State, Table},
};
use btc_staking_babylon::proto::incentive::StakeholderType;
use prost::Message;

/// Pools by account of the finality provider.
pub(super) const POOLS: Table<Vec<u8>, PoolRecord> = Table::new("ic");
/// Positions by account of the finality provider and of the staker.
pub(super) const POSITIONS: Table<(Vec<u8>, Vec<u8>), PositionRecord> = Table::new("it");
/// The finality providers a staker has positions with.
pub(super) const BY_STAKER: Table<(Vec<u8>, Vec<u8>), ()> = Table::new("ix");

/// A finality provider's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pool {
    /// ubbn of this period.
    pub(super) rewards: u64,
    /// Counted from 1.
    pub(super) period: u64,
    /// Satoshis that share them.
    pub(super) sats: u64,
    per_sat: PerSat,
}

/// A staker's part with one finality provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Own satoshis; a position without any stays.
    pub(super) sats: u64,
    start_period: u64,
    per_sat_at_start: PerSat,
}

/// What happens to the satoshis of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Satoshis were activated.
    Added(u64),
    /// Satoshis were unbonded or expired.
    Removed(u64),
    /// Only rewards are asked for.
    None,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PoolRecord {
    #[prost(uint64, tag = "1")]
    pub(super) rewards: u64,
    #[prost(uint64, tag = "2")]
    pub(super) period: u64,
    #[prost(uint64, tag = "3")]
    pub(super) sats: u64,
    /// Big endian, without leading zeros.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) per_sat: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PositionRecord {
    #[prost(uint64, tag = "1")]
    pub(super) sats: u64,
    #[prost(uint64, tag = "2")]
    pub(super) start_period: u64,
    /// Big endian, without leading zeros.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) per_sat_at_start: Vec<u8>,
}

impl Pool {
    /// A finality provider nobody has delegated to before.
    const NEW: Pool = Pool { rewards: 0, period: 1, sats: 0, per_sat: 0 };

    /// Ends the period: its rewards are shared out over its satoshis.
    fn close_period(&mut self) -> Result<(), Broken> {
        let shared = per_sat(self.rewards, self.sats)?;
        let out_of_range = || Broken::Halt("rewards per satoshi are out of range".to_owned());
        self.per_sat = self.per_sat.checked_add(shared).ok_or_else(out_of_range)?;
        self.period = self.period.saturating_add(1);
        self.rewards = 0;
        Ok(())
    }
}

impl Position {
    /// What it has earned since it started.
    fn earned(&self, pool: &Pool) -> Result<u64, Broken> {
        let difference = pool.per_sat.checked_sub(self.per_sat_at_start);
        payout(difference.ok_or_else(|| corrupt("rewards per satoshi fell"))?, self.sats)
    }
}

/// The pool of a finality provider; `None` before its first delegation counted.
pub(super) fn pool(state: &State<'_>, provider: &[u8]) -> Result<Option<Pool>, Failure> {
    let Some(record) = POOLS.get(state, &provider.to_vec())? else { return Ok(None) };
    let PoolRecord { rewards, period, sats, per_sat } = record;
    Ok(Some(Pool { rewards, period, sats, per_sat: from_bytes(&per_sat)? }))
}

fn store_pool(state: &mut State<'_>, provider: &[u8], pool: &Pool) -> Result<(), Failure> {
    let Pool { rewards, period, sats, per_sat } = *pool;
    POOLS.put(state, &provider.to_vec(), &PoolRecord { rewards, period, sats, per_sat: to_bytes(per_sat) })
}

fn position(state: &State<'_>, provider: &[u8], staker: &[u8]) -> Result<Option<Position>, Failure> {
    let record = POSITIONS.get(state, &(provider.to_vec(), staker.to_vec()))?;
    Ok(record.map(|record| Position::read(&record)).transpose()?)
}

impl Position {
    fn read(record: &PositionRecord) -> Result<Self, Broken> {
        let per_sat_at_start = from_bytes(&record.per_sat_at_start)?;
        Ok(Self { sats: record.sats, start_period: record.start_period, per_sat_at_start })
    }
}

/// Adds to the rewards of a finality provider's delegators.
pub(super) fn add_rewards(state: &mut State<'_>, provider: &[u8], amount: u64) -> Result<(), Failure> {
    let unknown = || corrupt("a finality provider without delegations is rewarded");
    let mut pool = pool(state, provider)?.ok_or_else(unknown)?;
    pool.rewards = pool.rewards.saturating_add(amount);
    store_pool(state, provider, &pool)
}

/// Pays a position's rewards into the staker's gauge, applies the change and starts it anew.
pub(super) fn settle(
    state: &mut State<'_>,
    provider: &[u8],
    staker: &[u8],
    change: Change,
) -> Result<(), Failure> {
    let mut pool = match pool(state, provider)? {
        Some(mut pool) => {
            pool.close_period()?;
            pool
        }
        None => Pool::NEW,
    };
    let before = position(state, provider, staker)?;
    if let Some(position) = &before {
        gauge::add(state, StakeholderType::BtcStaker, staker, position.earned(&pool)?)?;
    }
    let sats = change.apply(before.map_or(0, |position| position.sats))?;
    pool.sats = change.apply(pool.sats)?;
    store_pool(state, provider, &pool)?;
    let record = PositionRecord {
        sats,
        start_period: pool.period.saturating_sub(1),
        per_sat_at_start: to_bytes(pool.per_sat),
    };
    if before.is_none() {
        BY_STAKER.put(state, &(staker.to_vec(), provider.to_vec()), &())?;
    }
    POSITIONS.put(state, &(provider.to_vec(), staker.to_vec()), &record)
}

/// Settles every position of a staker.
pub(super) fn settle_all(state: &mut State<'_>, staker: &[u8]) -> Result<(), Failure> {
    let providers = BY_STAKER.scan_under(state, &staker.to_vec(), Order::Ascending);
    let providers =
        providers.map(|entry| entry.map(|((_, provider), ())| provider)).collect::<Result<Vec<_>, _>>()?;
    providers.iter().try_for_each(|provider| settle(state, provider, staker, Change::None))
}

/// What a position would be paid now; `None` when there is no such position.
pub(super) fn pending(state: &State<'_>, provider: &[u8], staker: &[u8]) -> Result<Option<u64>, Failure> {
    let (Some(mut pool), Some(position)) = (pool(state, provider)?, position(state, provider, staker)?)
    else {
        return Ok(None);
    };
    pool.close_period()?;
    Ok(Some(position.earned(&pool)?))
}

/// The stakers with positions at a finality provider and their satoshis, in the order of their addresses.
pub(super) fn positions_of(state: &State<'_>, provider: &[u8]) -> Result<Vec<(Vec<u8>, u64)>, Failure> {
    let positions = POSITIONS.scan_under(state, &provider.to_vec(), Order::Ascending);
    positions.map(|entry| entry.map(|((_, staker), record)| (staker, record.sats))).collect()
}

impl Change {
    /// Taking more than there is stops the chain, as it does in the reference.
    fn apply(self, sats: u64) -> Result<u64, Broken> {
        let changed = match self {
            Self::Added(added) => sats.checked_add(added),
            Self::Removed(removed) => sats.checked_sub(removed),
            Self::None => Some(sats),
        };
        changed.ok_or_else(|| Broken::Halt(format!("{self:?} cannot be applied to {sats} rewarded sat")))
    }
}

pub(super) fn to_bytes(value: PerSat) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<PerSat, Broken> {
    let mut wide = [0; 16];
    let start = wide.len().checked_sub(bytes.len()).ok_or_else(|| corrupt("number has over 16 bytes"))?;
    wide[start..].copy_from_slice(bytes);
    Ok(PerSat::from_be_bytes(wide))
}

fn corrupt(reason: impl ToString) -> Broken {
    Broken::Corrupt { table: "ic", reason: reason.to_string() }
}
