//! Genesis state of costaking (`wire.md` 10).
use super::records::{CostakerRewardsTracker, CurrentRewards, HistoricalRewards, Params, ValidatorSet};
use crate::proto::named;

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// The running period; always on the wire.
    #[prost(message, optional, tag = "2")]
    pub current_rewards: Option<CurrentRewardsEntry>,
    /// Closed periods.
    #[prost(message, repeated, tag = "3")]
    pub historical_rewards: Vec<HistoricalRewardsEntry>,
    /// Accounts.
    #[prost(message, repeated, tag = "4")]
    pub costakers_rewards_tracker: Vec<CostakerRewardsTrackerEntry>,
    /// Active validators; always on the wire.
    #[prost(message, optional, tag = "5")]
    pub validator_set: Option<ValidatorSet>,
}

/// The running period, if there is one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CurrentRewardsEntry {
    /// Its rewards.
    #[prost(message, optional, tag = "1")]
    pub rewards: Option<CurrentRewards>,
}

/// A closed period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalRewardsEntry {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub period: u64,
    /// Its rewards.
    #[prost(message, optional, tag = "2")]
    pub rewards: Option<HistoricalRewards>,
}

/// An account.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CostakerRewardsTrackerEntry {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub costaker_address: String,
    /// What it stakes.
    #[prost(message, optional, tag = "2")]
    pub tracker: Option<CostakerRewardsTracker>,
}
named! { "babylon.costaking.v1";
    GenesisState, CurrentRewardsEntry, HistoricalRewardsEntry, CostakerRewardsTrackerEntry
}
