//! Messages, events and queries of costaking (`wire.md` 3.12, 5.7, 6.3).
use super::records::Params;
use crate::proto::{Coin, named, queries};

/// Replaces the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParams {
    /// Account of the governance module, bech32.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "2")]
    pub params: Option<Params>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParamsResponse {}

/// Asks for the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsRequest {}

/// The parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsResponse {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks what an account stakes of both coins.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCostakerRewardsTrackerRequest {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub costaker_address: String,
}

/// What it stakes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCostakerRewardsTrackerResponse {
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

/// Asks for the rewards of the running period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCurrentRewardsRequest {}

/// Rewards of the running period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCurrentRewardsResponse {
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

/// Asks for the rewards of a closed period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHistoricalRewardsRequest {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub period: u64,
}

/// Rewards of a closed period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryHistoricalRewardsResponse {
    /// Per unit of score since genesis, scaled up by the chain; sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub cumulative_rewards_per_score: Vec<Coin>,
}

/// Rewards were added for costakers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCostakersAddRewards {
    /// Added, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub add_rewards: Vec<Coin>,
    /// Gathered in the period with them, sorted by denomination.
    #[prost(message, repeated, tag = "2")]
    pub current_rewards: Vec<Coin>,
    /// The period.
    #[prost(uint64, tag = "3")]
    pub current_period: u64,
    /// Sum of all scores, decimal text in a bytes field.
    #[prost(bytes = "vec", tag = "4")]
    pub current_total_score: Vec<u8>,
}
named! { "babylon.costaking.v1";
    MsgUpdateParams, MsgUpdateParamsResponse, QueryParamsRequest, QueryParamsResponse,
    QueryCostakerRewardsTrackerRequest, QueryCostakerRewardsTrackerResponse, QueryCurrentRewardsRequest,
    QueryCurrentRewardsResponse, QueryHistoricalRewardsRequest, QueryHistoricalRewardsResponse,
    EventCostakersAddRewards
}
queries! { "babylon.costaking.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryCostakerRewardsTrackerRequest => QueryCostakerRewardsTrackerResponse, "CostakerRewardsTracker";
    QueryCurrentRewardsRequest => QueryCurrentRewardsResponse, "CurrentRewards";
    QueryHistoricalRewardsRequest => QueryHistoricalRewardsResponse, "HistoricalRewards";
}
