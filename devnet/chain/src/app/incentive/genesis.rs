//! Rewards as a genesis.
//!
//! The reference keeps the rewards per satoshi of every period and a position names its period; we keep the value with the
//! position. What is written is what the reference would have: the value of each period that a position or a pool needs.

use super::{
    PARAMS,
    accounting::{BY_STAKER, POOLS, POSITIONS, PoolRecord, PositionRecord, from_bytes, to_bytes},
    gauge::{BTC_STAKING, FP_DIRECT, KINDS, REWARDS, RewardGauge},
    params,
    power::{BY_PROVIDER, EVENTS, EventRecord},
    withdraw::WITHDRAW_TO,
};
use crate::{
    app::{
        auth::bech32,
        bank::coins_of,
        context::DENOM,
        restore::{NotImported, account, number, required, scaled, wrong},
    },
    error::Failure,
    genesis::InvalidGenesis,
    state::{Order, State, Table},
};
use btc_staking_babylon::proto::{
    Coin,
    incentive::{event_power_update::Ev, *},
};
use btc_staking_protocol::height::PosHeight;
use std::collections::BTreeMap;

type Accounts = (Vec<u8>, Vec<u8>);

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let mut genesis = GenesisState { params: Some(params(state)?), ..Default::default() };
    let gauge = |amount: u64| Some(Gauge { coins: coins_of(amount.to_string()) });
    for entry in BTC_STAKING.scan(state, Order::Ascending) {
        let (height, amount) = entry?;
        let entry = BTCStakingGaugeEntry { height: height.to_u64(), gauge: gauge(amount) };
        genesis.btc_staking_gauges.push(entry);
    }
    for entry in FP_DIRECT.scan(state, Order::Ascending) {
        let (height, amount) = entry?;
        genesis.fp_direct_gauges.push(FPDirectGaugeEntry { height: height.to_u64(), gauge: gauge(amount) });
    }
    for entry in REWARDS.scan(state, Order::Ascending) {
        let ((kind, address), gauge) = entry?;
        genesis.reward_gauges.push(RewardGaugeEntry {
            stakeholder_type: kind.into(),
            address: bech32(&address),
            reward_gauge: Some(wire_gauge(gauge)),
        });
    }
    for entry in WITHDRAW_TO.scan(state, Order::Ascending) {
        let (from, to) = entry?;
        let entry = WithdrawAddressEntry { delegator_address: bech32(&from), withdraw_address: bech32(&to) };
        genesis.withdraw_addresses.push(entry);
    }
    export_accounting(state, &mut genesis)?;
    export_events(state, &mut genesis)?;
    Ok(genesis)
}

fn wire_gauge(gauge: RewardGauge) -> btc_staking_babylon::proto::incentive::RewardGauge {
    btc_staking_babylon::proto::incentive::RewardGauge {
        coins: coins_of(gauge.earned.to_string()),
        withdrawn_coins: coins_of(gauge.withdrawn.to_string()),
    }
}

fn export_accounting(state: &State<'_>, genesis: &mut GenesisState) -> Result<(), Failure> {
    let mut history: BTreeMap<(Vec<u8>, u64), u128> = BTreeMap::new();
    for entry in POOLS.scan(state, Order::Ascending) {
        let (address, pool) = entry?;
        let PoolRecord { rewards, period, sats, per_sat } = pool;
        history.insert((address.clone(), period.saturating_sub(1)), from_bytes(&per_sat)?);
        genesis.finality_providers_current_rewards.push(FinalityProviderCurrentRewardsEntry {
            address: bech32(&address),
            rewards: Some(FinalityProviderCurrentRewards {
                current_rewards: coins_of(rewards.to_string()),
                period,
                total_active_sat: sats.to_string().into_bytes(),
            }),
        });
    }
    for entry in POSITIONS.scan(state, Order::Ascending) {
        let ((provider, staker), position) = entry?;
        let PositionRecord { sats, start_period, per_sat_at_start } = position;
        history.insert((provider.clone(), start_period), from_bytes(&per_sat_at_start)?);
        genesis.btc_delegation_rewards_trackers.push(BTCDelegationRewardsTrackerEntry {
            finality_provider_address: bech32(&provider),
            delegator_address: bech32(&staker),
            tracker: Some(BTCDelegationRewardsTracker {
                start_period_cumulative_reward: start_period,
                total_active_sat: sats.to_string().into_bytes(),
            }),
        });
    }
    for entry in BY_STAKER.scan(state, Order::Ascending) {
        let ((staker, provider), ()) = entry?;
        genesis.btc_delegators_to_fps.push(BTCDelegatorToFpEntry {
            delegator_address: bech32(&staker),
            finality_provider_address: bech32(&provider),
        });
    }
    let history = history.into_iter();
    genesis.finality_providers_historical_rewards = history
        .map(|((address, period), per_sat)| FinalityProviderHistoricalRewardsEntry {
            address: bech32(&address),
            period,
            rewards: Some(FinalityProviderHistoricalRewards {
                cumulative_rewards_per_sat: coins_of(per_sat.to_string()),
            }),
        })
        .collect();
    Ok(())
}

fn export_events(state: &State<'_>, genesis: &mut GenesisState) -> Result<(), Failure> {
    for entry in EVENTS.scan(state, Order::Ascending) {
        let ((height, _), event) = entry?;
        let (fp_addr, btc_del_addr) = (bech32(&event.provider), bech32(&event.staker));
        let total_sat = event.sats.to_string().into_bytes();
        let ev = if event.added {
            Ev::BtcActivated(EventBTCDelegationActivated { fp_addr, btc_del_addr, total_sat })
        } else {
            Ev::BtcUnbonded(EventBTCDelegationUnbonded { fp_addr, btc_del_addr, total_sat })
        };
        let height = height.to_u64();
        let update = EventPowerUpdate { ev: Some(ev) };
        match genesis.event_reward_tracker.last_mut() {
            Some(entry) if entry.height == height => {
                entry.events.get_or_insert_default().events.push(update);
            }
            Some(_) | None => genesis.event_reward_tracker.push(EventsPowerUpdateAtHeightEntry {
                height,
                events: Some(EventsPowerUpdateAtHeight { events: vec![update] }),
            }),
        }
    }
    Ok(())
}

pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let params = required("incentive.params", genesis.params.as_ref())?;
    scaled("incentive.params.btc_staking_portion", &params.btc_staking_portion)?;
    scaled("incentive.params.fp_portion", &params.fp_portion)?;
    PARAMS.put(state, &(), params)?;
    let staking = genesis.btc_staking_gauges.iter().map(|entry| (entry.height, entry.gauge.as_ref()));
    import_gauges(state, &BTC_STAKING, "incentive.btc_staking_gauges", staking)?;
    let direct = genesis.fp_direct_gauges.iter().map(|entry| (entry.height, entry.gauge.as_ref()));
    import_gauges(state, &FP_DIRECT, "incentive.fp_direct_gauges", direct)?;
    import_rewards(state, genesis)?;
    for (index, entry) in genesis.withdraw_addresses.iter().enumerate() {
        let path = format!("incentive.withdraw_addresses[{index}]");
        let from = account(&format!("{path}.delegator_address"), &entry.delegator_address)?;
        let to = account(&format!("{path}.withdraw_address"), &entry.withdraw_address)?;
        WITHDRAW_TO.put(state, &from, &to)?;
    }
    import_accounting(state, genesis)?;
    import_events(state, genesis)
}

fn import_gauges<'a>(
    state: &mut State<'_>,
    table: &Table<PosHeight, u64>,
    path: &str,
    gauges: impl Iterator<Item = (u64, Option<&'a Gauge>)>,
) -> Result<(), NotImported> {
    for (index, (height, gauge)) in gauges.enumerate() {
        let path = format!("{path}[{index}].gauge");
        let amount = ubbn(&format!("{path}.coins"), &required(&path, gauge)?.coins)?;
        table.put(state, &PosHeight::new(height), &amount)?;
    }
    Ok(())
}

/// The amount of a list of coins that knows one denomination only.
fn ubbn(path: &str, coins: &[Coin]) -> Result<u64, InvalidGenesis> {
    u64::try_from(amount(path, coins)?).map_err(|_| wrong(path, "more", "an amount of 64 bits"))
}

fn amount(path: &str, coins: &[Coin]) -> Result<u128, InvalidGenesis> {
    match coins {
        [] => Ok(0),
        [coin] if coin.denom == DENOM => {
            coin.amount.parse().map_err(|_| wrong(path, &coin.amount, "an amount of 128 bits"))
        }
        [coin] => Err(wrong(path, &coin.denom, "ubbn")),
        more => Err(wrong(path, format!("{} coins", more.len()), "one coin at most")),
    }
}

fn import_rewards(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, entry) in genesis.reward_gauges.iter().enumerate() {
        let path = format!("incentive.reward_gauges[{index}]");
        let address = account(&format!("{path}.address"), &entry.address)?;
        let kind = u8::try_from(entry.stakeholder_type).ok().filter(|kind| usize::from(*kind) < KINDS.len());
        let kind = kind.ok_or_else(|| {
            wrong(format!("{path}.stakeholder_type"), entry.stakeholder_type, "a kind of gauge")
        })?;
        let gauge = required(&format!("{path}.reward_gauge"), entry.reward_gauge.as_ref())?;
        let gauge = RewardGauge {
            earned: ubbn(&format!("{path}.reward_gauge.coins"), &gauge.coins)?,
            withdrawn: ubbn(&format!("{path}.reward_gauge.withdrawn_coins"), &gauge.withdrawn_coins)?,
        };
        if gauge.withdrawn > gauge.earned {
            let path = format!("{path}.reward_gauge.withdrawn_coins");
            return Err(wrong(path, gauge.withdrawn, "no more than was earned").into());
        }
        REWARDS.put(state, &(kind, address), &gauge)?;
    }
    Ok(())
}

fn import_accounting(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let mut history: BTreeMap<(Vec<u8>, u64), u128> = BTreeMap::new();
    for (index, entry) in genesis.finality_providers_historical_rewards.iter().enumerate() {
        let path = format!("incentive.finality_providers_historical_rewards[{index}]");
        let address = account(&format!("{path}.address"), &entry.address)?;
        let rewards = entry.rewards.as_ref().map_or(&[][..], |rewards| &rewards.cumulative_rewards_per_sat);
        history.insert((address, entry.period), amount(&format!("{path}.rewards"), rewards)?);
    }
    for (index, entry) in genesis.finality_providers_current_rewards.iter().enumerate() {
        let path = format!("incentive.finality_providers_current_rewards[{index}]");
        let address = account(&format!("{path}.address"), &entry.address)?;
        let current = required(&format!("{path}.rewards"), entry.rewards.as_ref())?;
        let before = history.get(&(address.clone(), current.period.saturating_sub(1)));
        let per_sat = before.ok_or_else(|| {
            let expected = "one above a period in finality_providers_historical_rewards";
            wrong(format!("{path}.rewards.period"), current.period, expected)
        })?;
        let record = PoolRecord {
            rewards: ubbn(&format!("{path}.rewards.current_rewards"), &current.current_rewards)?,
            period: current.period,
            sats: number(&format!("{path}.rewards.total_active_sat"), &current.total_active_sat)?,
            per_sat: to_bytes(*per_sat),
        };
        POOLS.put(state, &address, &record)?;
    }
    for (index, entry) in genesis.btc_delegation_rewards_trackers.iter().enumerate() {
        let path = format!("incentive.btc_delegation_rewards_trackers[{index}]");
        let key = position_key(&path, entry)?;
        let tracker = required(&format!("{path}.tracker"), entry.tracker.as_ref())?;
        let start_period = tracker.start_period_cumulative_reward;
        let per_sat = history.get(&(key.0.clone(), start_period)).ok_or_else(|| {
            let path = format!("{path}.tracker.start_period_cumulative_reward");
            wrong(path, start_period, "a period in finality_providers_historical_rewards")
        })?;
        let record = PositionRecord {
            sats: number(&format!("{path}.tracker.total_active_sat"), &tracker.total_active_sat)?,
            start_period,
            per_sat_at_start: to_bytes(*per_sat),
        };
        BY_STAKER.put(state, &(key.1.clone(), key.0.clone()), &())?;
        POSITIONS.put(state, &key, &record)?;
    }
    Ok(())
}

fn position_key(path: &str, entry: &BTCDelegationRewardsTrackerEntry) -> Result<Accounts, InvalidGenesis> {
    Ok((
        account(&format!("{path}.finality_provider_address"), &entry.finality_provider_address)?,
        account(&format!("{path}.delegator_address"), &entry.delegator_address)?,
    ))
}

fn import_events(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    for (index, entry) in genesis.event_reward_tracker.iter().enumerate() {
        let path = format!("incentive.event_reward_tracker[{index}].events");
        let events = entry.events.as_ref().map_or(&[][..], |events| &events.events);
        for (number_at_height, update) in (0u64..).zip(events) {
            let path = format!("{path}.events[{number_at_height}]");
            let (provider, staker, sats, added) = match required(&path, update.ev.as_ref())? {
                Ev::BtcActivated(event) => (&event.fp_addr, &event.btc_del_addr, &event.total_sat, true),
                Ev::BtcUnbonded(event) => (&event.fp_addr, &event.btc_del_addr, &event.total_sat, false),
            };
            let record = EventRecord {
                provider: account(&format!("{path}.fp_addr"), provider)?,
                staker: account(&format!("{path}.btc_del_addr"), staker)?,
                sats: number(&format!("{path}.total_sat"), sats)?,
                added,
            };
            let height = PosHeight::new(entry.height);
            BY_PROVIDER.put(state, &(record.provider.clone(), height, number_at_height), &())?;
            EVENTS.put(state, &(height, number_at_height), &record)?;
        }
    }
    Ok(())
}
