//! Costaking as a genesis. Scores are zero here, so the history of periods holds nothing and is not written.

use super::{CURRENT, PARAMS, Period, TRACKERS, Tracker, params};
use crate::{
    app::{
        auth::bech32,
        bank,
        restore::{NotImported, account, number, required, scaled, wrong},
    },
    error::Failure,
    state::{Order, State},
};
use btc_staking_babylon::proto::costaking::{
    CostakerRewardsTracker, CostakerRewardsTrackerEntry, CurrentRewards, CurrentRewardsEntry, GenesisState,
};

/// Rewards are written scaled by `10^20`.
const ZEROS: &str = "00000000000000000000";

pub(crate) fn export(state: &State<'_>) -> Result<GenesisState, Failure> {
    let current = CURRENT.get(state, &())?.map(|period| CurrentRewards {
        rewards: bank::coins_of(period.scaled_rewards()),
        period: period.number,
        total_score: b"0".to_vec(),
    });
    let mut trackers = vec![];
    for entry in TRACKERS.scan(state, Order::Ascending) {
        let (address, tracker) = entry?;
        trackers.push(CostakerRewardsTrackerEntry {
            costaker_address: bech32(&address),
            tracker: Some(CostakerRewardsTracker {
                start_period_cumulative_reward: tracker.start_period,
                active_satoshis: tracker.active_sats.to_string().into_bytes(),
                active_baby: b"0".to_vec(),
                total_score: b"0".to_vec(),
            }),
        });
    }
    Ok(GenesisState {
        params: Some(params(state)?),
        current_rewards: Some(CurrentRewardsEntry { rewards: current }),
        costakers_rewards_tracker: trackers,
        ..Default::default()
    })
}

pub(crate) fn import(state: &mut State<'_>, genesis: &GenesisState) -> Result<(), NotImported> {
    let params = required("costaking.params", genesis.params.as_ref())?;
    scaled("costaking.params.costaking_portion", &params.costaking_portion)?;
    scaled("costaking.params.validators_portion", &params.validators_portion)?;
    PARAMS.put(state, &(), params)?;
    if let Some(current) = genesis.current_rewards.as_ref().and_then(|entry| entry.rewards.as_ref()) {
        let path = "costaking.current_rewards.rewards.rewards";
        let rewards = match current.rewards.as_slice() {
            [] => 0,
            [coin] => {
                let unscaled = coin.amount.strip_suffix(ZEROS).and_then(|digits| digits.parse().ok());
                unscaled.ok_or_else(|| wrong(path, &coin.amount, "whole ubbn, times 10^20"))?
            }
            more => return Err(wrong(path, more.len(), "one coin at most").into()),
        };
        CURRENT.put(state, &(), &Period { number: current.period, rewards })?;
    }
    for (index, entry) in genesis.costakers_rewards_tracker.iter().enumerate() {
        let path = format!("costaking.costakers_rewards_tracker[{index}]");
        let address = account(&format!("{path}.costaker_address"), &entry.costaker_address)?;
        let tracker = required(&format!("{path}.tracker"), entry.tracker.as_ref())?;
        let active_sats = number(&format!("{path}.tracker.active_satoshis"), &tracker.active_satoshis)?;
        let start_period = tracker.start_period_cumulative_reward;
        TRACKERS.put(state, &address, &Tracker { start_period, active_sats })?;
    }
    Ok(())
}
