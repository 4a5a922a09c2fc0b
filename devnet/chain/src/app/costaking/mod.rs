//! Rewards of accounts that stake both coins (`chain.md` 11.4), on a chain without native staking.
//!
//! Without native stakes every score is zero: what comes in stays in the module's account, and nothing is ever paid. What
//! else the module does is here: its cut of the fee collector, the validators' part, periods, and who has had active
//! satoshis, because that decides how a withdrawal is refused. Satoshis count only under an active finality provider.

pub(crate) mod genesis;
pub(crate) mod queries;

use super::{
    auth::bech32,
    bank::{self, COSTAKING, DISTRIBUTION, FEE_COLLECTOR, coin_text},
    context::Ctx,
    incentive::{
        portion::portion_of,
        power::{Moved, stakers_now},
        stored_decimal,
    },
};
use crate::{
    error::{Broken, Failure},
    event::Event,
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::{
    convert::decimal::encode_decimal,
    proto::costaking::{EventCostakersAddRewards, Params},
};
use prost::Message;

const PARAMS: Table<(), Params> = Table::new("cp");
const CURRENT: Table<(), Period> = Table::new("cc");
/// Trackers by account.
const TRACKERS: Table<Vec<u8>, Tracker> = Table::new("ct");

/// The period that runs.
#[derive(Clone, PartialEq, Message)]
struct Period {
    /// Counted from 1; the ended ones are 0 to this one less one.
    #[prost(uint64, tag = "1")]
    number: u64,
    /// ubbn that came in during it.
    #[prost(uint64, tag = "2")]
    rewards: u64,
}

/// An account that once had active satoshis.
#[derive(Clone, PartialEq, Message)]
struct Tracker {
    #[prost(uint64, tag = "1")]
    start_period: u64,
    #[prost(uint64, tag = "2")]
    active_sats: u64,
}

/// Stores the parameters of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let portions = &genesis.rewards.costaking;
    let params = Params {
        costaking_portion: encode_decimal(portions.costaking_portion),
        score_ratio_btc_by_baby: portions.score_ratio_btc_by_baby.to_string().into_bytes(),
        validators_portion: encode_decimal(portions.validators_portion),
    };
    set_params(state, &params)
}

/// The parameters.
pub(crate) fn params(state: &State<'_>) -> Result<Params, Failure> {
    let missing = || Broken::Corrupt { table: "cp", reason: "missing".to_owned() };
    Ok(PARAMS.get(state, &())?.ok_or_else(missing)?)
}

/// Replaces the parameters, which were checked.
pub(crate) fn set_params(state: &mut State<'_>, params: &Params) -> Result<(), Failure> {
    PARAMS.put(state, &(), params)
}

/// Takes the validators' and the costakers' portions of what the incentive module left.
pub(crate) fn begin_block(ctx: &mut Ctx<'_, '_>) -> Result<(), Failure> {
    let collected = bank::module_balance(ctx.state, FEE_COLLECTOR)?;
    if collected == 0 {
        return Ok(());
    }
    let params = params(ctx.state)?;
    let validators = portion_of(collected, stored_decimal(&params.validators_portion)?);
    let costakers = portion_of(collected, stored_decimal(&params.costaking_portion)?);
    let signers = ctx.block.validators;
    if validators > 0 && signers > 0 {
        bank::transfer_modules(ctx, FEE_COLLECTOR, DISTRIBUTION, validators)?;
        let attributes = [("amount", &*coin_text(validators)), ("validator_count", &*signers.to_string())];
        ctx.emit(Event::plain("validator_direct_rewards", &attributes));
    }
    if costakers > 0 {
        bank::transfer_modules(ctx, FEE_COLLECTOR, COSTAKING, costakers)?;
        add_rewards(ctx, costakers)?;
    }
    Ok(())
}

fn add_rewards(ctx: &mut Ctx<'_, '_>, amount: u64) -> Result<(), Failure> {
    let mut period = current(ctx.state)?;
    ctx.emit(Event::typed(&EventCostakersAddRewards {
        add_rewards: bank::coins(amount),
        current_rewards: bank::coins_of(period.scaled_rewards()),
        current_period: period.number,
        current_total_score: b"0".to_vec(),
    }));
    period.rewards = period.rewards.saturating_add(amount);
    CURRENT.put(ctx.state, &(), &period)
}

impl Period {
    /// Rewards as the module shows them, times `10^20`.
    fn scaled_rewards(&self) -> String {
        if self.rewards == 0 { "0".to_owned() } else { format!("{}{:020}", self.rewards, 0) }
    }
}

fn current(state: &State<'_>) -> Result<Period, Failure> {
    Ok(CURRENT.get(state, &())?.unwrap_or(Period { number: 1, rewards: 0 }))
}

/// Ends the period, as every withdrawal does. Nobody has a score, so what came in during it is nobody's. Returns whether
/// the account has a tracker.
pub(crate) fn close_period_for(state: &mut State<'_>, account: &[u8]) -> Result<bool, Failure> {
    let ended = current(state)?.number;
    CURRENT.put(state, &(), &Period { number: ended.saturating_add(1), rewards: 0 })?;
    let Some(mut tracker) = TRACKERS.get(state, &account.to_vec())? else { return Ok(false) };
    tracker.start_period = ended;
    TRACKERS.put(state, &account.to_vec(), &tracker)?;
    Ok(true)
}

/// The words in which an account without a tracker is refused.
pub(crate) fn unknown(account: &[u8]) -> String {
    let kind = "github.com/cosmos/gogoproto/babylon.costaking.v1.CostakerRewardsTracker";
    format!("collections: not found: key '{}' of type {kind}", bech32(account))
}

/// A delegation began to count under a finality provider that was active before this block.
pub(crate) fn activated(state: &mut State<'_>, moved: &Moved) -> Result<(), Failure> {
    change(state, &moved.staker, moved.sats.into())
}

/// A delegation ceased to count under a finality provider that was active before this block.
pub(crate) fn unbonded(state: &mut State<'_>, moved: &Moved) -> Result<(), Failure> {
    change(state, &moved.staker, -i128::from(moved.sats))
}

/// A finality provider became active: its delegators' satoshis count. The only walk over delegators there is, and over
/// those of one provider.
pub(crate) fn provider_entered(state: &mut State<'_>, provider: &[u8]) -> Result<(), Failure> {
    let stakers = stakers_now(state, provider)?;
    stakers.iter().try_for_each(|(staker, sats)| change(state, staker, (*sats).into()))
}

/// A finality provider is active no more.
pub(crate) fn provider_left(state: &mut State<'_>, provider: &[u8]) -> Result<(), Failure> {
    let stakers = stakers_now(state, provider)?;
    stakers.iter().try_for_each(|(staker, sats)| change(state, staker, -i128::from(*sats)))
}

fn change(state: &mut State<'_>, staker: &[u8], by: i128) -> Result<(), Failure> {
    let key = staker.to_vec();
    let mut tracker = match TRACKERS.get(state, &key)? {
        Some(tracker) => tracker,
        None => {
            let period = current(state)?;
            CURRENT.put(state, &(), &period)?;
            Tracker { start_period: period.number, active_sats: 0 }
        }
    };
    // Nothing is paid by this number, so it never stops the chain.
    let sats = i128::from(tracker.active_sats).saturating_add(by).max(0);
    tracker.active_sats = u64::try_from(sats).unwrap_or(u64::MAX);
    TRACKERS.put(state, &key, &tracker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Meter, memory::MemoryBackend};

    #[test]
    fn a_withdrawal_ends_the_period_whoever_asks() {
        let (backend, meter) = (MemoryBackend::default(), Meter::unlimited());
        let mut state = State::new(&backend, &meter);
        let moved = Moved { provider: vec![1; 20], staker: vec![2; 20], sats: 500 };
        activated(&mut state, &moved).unwrap();
        assert_eq!(TRACKERS.get(&state, &moved.staker).unwrap().unwrap().start_period, 1);
        assert!(close_period_for(&mut state, &moved.staker).unwrap());
        assert!(!close_period_for(&mut state, &[9; 20]).unwrap());
        assert_eq!(current(&state).unwrap().number, 3);
        let tracker = TRACKERS.get(&state, &moved.staker).unwrap().unwrap();
        assert_eq!((tracker.start_period, tracker.active_sats), (1, 500));
        unbonded(&mut state, &moved).unwrap();
        assert_eq!(TRACKERS.get(&state, &moved.staker).unwrap().unwrap().active_sats, 0, "the tracker stays");
    }

    #[test]
    fn rewards_are_shown_scaled() {
        assert_eq!(Period { number: 1, rewards: 0 }.scaled_rewards(), "0");
        assert_eq!(Period { number: 1, rewards: 7 }.scaled_rewards(), "700000000000000000000");
    }
}
