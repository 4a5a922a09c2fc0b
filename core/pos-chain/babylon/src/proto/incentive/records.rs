//! Records of rewards (`wire.md` 5.7, 10).
use crate::proto::{Coin, named};

/// Kinds of reward gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum StakeholderType {
    /// Commission.
    FinalityProvider = 0,
    /// Yield of a Bitcoin staker.
    BtcStaker = 1,
    /// Yield of staking both coins.
    Costaker = 2,
}

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Share of the fees for Bitcoin stakers; scaled decimal.
    #[prost(string, tag = "1")]
    pub btc_staking_portion: String,
    /// Share of the fees for finality providers; scaled decimal.
    #[prost(string, tag = "2")]
    pub fp_portion: String,
}

/// Rewards not distributed yet.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Gauge {
    /// Sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub coins: Vec<Coin>,
}

/// Rewards of an account. What can be withdrawn is the difference.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RewardGauge {
    /// Earned so far, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub coins: Vec<Coin>,
    /// Paid so far, sorted by denomination.
    #[prost(message, repeated, tag = "2")]
    pub withdrawn_coins: Vec<Coin>,
}

/// A closed period of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderHistoricalRewards {
    /// Per satoshi since the first period, scaled up by the chain; sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub cumulative_rewards_per_sat: Vec<Coin>,
}

/// The running period of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderCurrentRewards {
    /// Gathered in it, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub current_rewards: Vec<Coin>,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub period: u64,
    /// Active stake in satoshi, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "3")]
    pub total_active_sat: Vec<u8>,
}

/// What a delegator has at a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegationRewardsTracker {
    /// Period up to which its rewards were taken.
    #[prost(uint64, tag = "1")]
    pub start_period_cumulative_reward: u64,
    /// Active stake in satoshi, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "2")]
    pub total_active_sat: Vec<u8>,
}

/// Changes of power at a height, in order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventsPowerUpdateAtHeight {
    /// Changes.
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<EventPowerUpdate>,
}

/// A change of a delegation's power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventPowerUpdate {
    /// Which.
    #[prost(oneof = "event_power_update::Ev", tags = "1, 2")]
    pub ev: Option<event_power_update::Ev>,
}

/// What [`EventPowerUpdate`] may hold.
pub mod event_power_update {
    /// A change of power.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Ev {
        /// A delegation got power.
        #[prost(message, tag = "1")]
        BtcActivated(super::EventBTCDelegationActivated),
        /// A delegation lost its power.
        #[prost(message, tag = "2")]
        BtcUnbonded(super::EventBTCDelegationUnbonded),
    }
}

/// A delegation got power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationActivated {
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "1")]
    pub fp_addr: String,
    /// Account of the delegator, bech32.
    #[prost(string, tag = "2")]
    pub btc_del_addr: String,
    /// Stake in satoshi, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "3")]
    pub total_sat: Vec<u8>,
}

/// A delegation lost its power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBTCDelegationUnbonded {
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "1")]
    pub fp_addr: String,
    /// Account of the delegator, bech32.
    #[prost(string, tag = "2")]
    pub btc_del_addr: String,
    /// Stake in satoshi, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "3")]
    pub total_sat: Vec<u8>,
}
named! { "babylon.incentive";
    Params, Gauge, RewardGauge, FinalityProviderHistoricalRewards, FinalityProviderCurrentRewards,
    BTCDelegationRewardsTracker, EventsPowerUpdateAtHeight, EventPowerUpdate,
    EventBTCDelegationActivated, EventBTCDelegationUnbonded
}
