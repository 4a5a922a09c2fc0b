//! Records of costaking, which rewards accounts that stake both coins (`wire.md` 5.7, 10).
use crate::proto::{Coin, named};

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Share of the fees for costakers; scaled decimal.
    #[prost(string, tag = "1")]
    pub costaking_portion: String,
    /// Units of the native coin that one satoshi is matched with, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "2")]
    pub score_ratio_btc_by_baby: Vec<u8>,
    /// Share of the fees for validators; scaled decimal.
    #[prost(string, tag = "3")]
    pub validators_portion: String,
}

/// Rewards of a closed period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalRewards {
    /// Per unit of score since genesis, scaled up by the chain; sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub cumulative_rewards_per_score: Vec<Coin>,
}

/// Rewards of the running period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CurrentRewards {
    /// Gathered in it, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub rewards: Vec<Coin>,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub period: u64,
    /// Sum of all scores, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "3")]
    pub total_score: Vec<u8>,
}

/// What an account stakes of both coins.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CostakerRewardsTracker {
    /// Period up to which its rewards were taken.
    #[prost(uint64, tag = "1")]
    pub start_period_cumulative_reward: u64,
    /// Active Bitcoin stake in satoshi, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "2")]
    pub active_satoshis: Vec<u8>,
    /// Native coins delegated to active validators, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "3")]
    pub active_baby: Vec<u8>,
    /// Its score, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "4")]
    pub total_score: Vec<u8>,
}

/// A validator of the active set.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Validator {
    /// Operator account, 20 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub addr: Vec<u8>,
    /// Delegated to it, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "2")]
    pub tokens: Vec<u8>,
    /// Shares of its delegators; scaled decimal.
    #[prost(string, tag = "3")]
    pub shares: String,
}

/// The active validators of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatorSet {
    /// Validators.
    #[prost(message, repeated, tag = "1")]
    pub validators: Vec<Validator>,
}
named! { "babylon.costaking.v1";
    Params, HistoricalRewards, CurrentRewards, CostakerRewardsTracker, Validator, ValidatorSet
}
