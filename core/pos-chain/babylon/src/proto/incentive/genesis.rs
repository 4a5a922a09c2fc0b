//! Rewards as stored and the genesis state (`wire.md` 10).
use super::records::*;
use crate::proto::named;

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Rewards of heights not distributed yet.
    #[prost(message, repeated, tag = "2")]
    pub btc_staking_gauges: Vec<BTCStakingGaugeEntry>,
    /// Gauges of accounts.
    #[prost(message, repeated, tag = "3")]
    pub reward_gauges: Vec<RewardGaugeEntry>,
    /// Where rewards go.
    #[prost(message, repeated, tag = "4")]
    pub withdraw_addresses: Vec<WithdrawAddressEntry>,
    /// Messages whose fee came back, hex.
    #[prost(string, repeated, tag = "5")]
    pub refundable_msg_hashes: Vec<String>,
    /// Running periods.
    #[prost(message, repeated, tag = "6")]
    pub finality_providers_current_rewards: Vec<FinalityProviderCurrentRewardsEntry>,
    /// Closed periods.
    #[prost(message, repeated, tag = "7")]
    pub finality_providers_historical_rewards: Vec<FinalityProviderHistoricalRewardsEntry>,
    /// Delegators by finality provider.
    #[prost(message, repeated, tag = "8")]
    pub btc_delegation_rewards_trackers: Vec<BTCDelegationRewardsTrackerEntry>,
    /// Finality providers by delegator.
    #[prost(message, repeated, tag = "9")]
    pub btc_delegators_to_fps: Vec<BTCDelegatorToFpEntry>,
    /// Changes of power not taken up yet.
    #[prost(message, repeated, tag = "10")]
    pub event_reward_tracker: Vec<EventsPowerUpdateAtHeightEntry>,
    /// Newest height whose changes were taken up.
    #[prost(uint64, tag = "11")]
    pub last_processed_height_event_reward_tracker: u64,
    /// Direct rewards of heights not distributed yet.
    #[prost(message, repeated, tag = "12")]
    pub fp_direct_gauges: Vec<FPDirectGaugeEntry>,
}

/// Rewards of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCStakingGaugeEntry {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Rewards.
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
}

/// Direct rewards of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FPDirectGaugeEntry {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Rewards.
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
}

/// The gauge of an account.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RewardGaugeEntry {
    /// A [`StakeholderType`].
    #[prost(int32, tag = "1")]
    pub stakeholder_type: i32,
    /// Account, bech32.
    #[prost(string, tag = "2")]
    pub address: String,
    /// Gauge.
    #[prost(message, optional, tag = "3")]
    pub reward_gauge: Option<RewardGauge>,
}

/// Where rewards of an account go.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WithdrawAddressEntry {
    /// Account that earns, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Account that is paid, bech32.
    #[prost(string, tag = "2")]
    pub withdraw_address: String,
}

/// The running period of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderCurrentRewardsEntry {
    /// Its account, bech32.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Rewards.
    #[prost(message, optional, tag = "2")]
    pub rewards: Option<FinalityProviderCurrentRewards>,
}

/// A closed period of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderHistoricalRewardsEntry {
    /// Its account, bech32.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Period.
    #[prost(uint64, tag = "2")]
    pub period: u64,
    /// Rewards.
    #[prost(message, optional, tag = "3")]
    pub rewards: Option<FinalityProviderHistoricalRewards>,
}

/// A delegator of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegationRewardsTrackerEntry {
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "1")]
    pub finality_provider_address: String,
    /// Account of the delegator, bech32.
    #[prost(string, tag = "2")]
    pub delegator_address: String,
    /// What it has there.
    #[prost(message, optional, tag = "3")]
    pub tracker: Option<BTCDelegationRewardsTracker>,
}

/// A finality provider of a delegator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegatorToFpEntry {
    /// Account of the delegator, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "2")]
    pub finality_provider_address: String,
}

/// Changes of power at a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventsPowerUpdateAtHeightEntry {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Changes.
    #[prost(message, optional, tag = "2")]
    pub events: Option<EventsPowerUpdateAtHeight>,
}
named! { "babylon.incentive";
    GenesisState, BTCStakingGaugeEntry, FPDirectGaugeEntry, RewardGaugeEntry, WithdrawAddressEntry,
    FinalityProviderCurrentRewardsEntry, FinalityProviderHistoricalRewardsEntry,
    BTCDelegationRewardsTrackerEntry, BTCDelegatorToFpEntry, EventsPowerUpdateAtHeightEntry
}
