//! Messages and queries of rewards (`wire.md` 3.12, 5.7).
use super::records::Params;
use crate::proto::{Coin, named, queries};
use std::collections::BTreeMap;

/// Withdraws rewards of one kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWithdrawReward {
    /// `finality_provider`, `btc_staker` or `costaker`, any case.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// Account that earned them, bech32.
    #[prost(string, tag = "2")]
    pub address: String,
}

/// What was paid.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWithdrawRewardResponse {
    /// Coins, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub coins: Vec<Coin>,
}

/// Sets where rewards go.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgSetWithdrawAddress {
    /// Account that earns, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Account that is paid, bech32.
    #[prost(string, tag = "2")]
    pub withdraw_address: String,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgSetWithdrawAddressResponse {}

/// Replaces the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParams {
    /// Account of the governance module, bech32.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// Parameters.
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
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks for the gauges of an account.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRewardGaugesRequest {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub address: String,
}

/// Gauges by kind: `FINALITY_PROVIDER`, `BTC_STAKER`, `COSTAKER`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRewardGaugesResponse {
    /// Gauges by kind.
    #[prost(btree_map = "string, message", tag = "1")]
    pub reward_gauges: BTreeMap<String, RewardGaugesResponse>,
}

/// A gauge. What can be withdrawn is the difference.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RewardGaugesResponse {
    /// Earned so far, sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub coins: Vec<Coin>,
    /// Paid so far, sorted by denomination.
    #[prost(message, repeated, tag = "2")]
    pub withdrawn_coins: Vec<Coin>,
}

/// Asks where rewards go.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegatorWithdrawAddressRequest {
    /// Account that earns, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
}

/// Where rewards go.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegatorWithdrawAddressResponse {
    /// Account that is paid, bech32.
    #[prost(string, tag = "1")]
    pub withdraw_address: String,
}

/// Asks for the rewards of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCStakingGaugeRequest {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
}

/// Rewards of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCStakingGaugeResponse {
    /// Sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub coins: Vec<Coin>,
}

/// Rewards of a height; they vanish once distributed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCStakingGaugeResponse {
    /// Rewards.
    #[prost(message, optional, tag = "1")]
    pub gauge: Option<BTCStakingGaugeResponse>,
}

/// Asks what a delegator has earned at a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegationRewardsRequest {
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "1")]
    pub finality_provider_address: String,
    /// Account of the delegator, bech32.
    #[prost(string, tag = "2")]
    pub delegator_address: String,
}

/// What it has earned.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegationRewardsResponse {
    /// Sorted by denomination.
    #[prost(message, repeated, tag = "1")]
    pub rewards: Vec<Coin>,
}

/// Asks for the running period of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFpCurrentRewardsRequest {
    /// Account of the finality provider, bech32.
    #[prost(string, tag = "1")]
    pub finality_provider_address: String,
}

/// The running period.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFpCurrentRewardsResponse {
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
named! { "babylon.incentive";
    MsgWithdrawReward, MsgWithdrawRewardResponse, MsgSetWithdrawAddress, MsgSetWithdrawAddressResponse,
    MsgUpdateParams, MsgUpdateParamsResponse, QueryParamsRequest, QueryParamsResponse, QueryRewardGaugesRequest,
    QueryRewardGaugesResponse, RewardGaugesResponse, QueryDelegatorWithdrawAddressRequest,
    QueryDelegatorWithdrawAddressResponse, QueryBTCStakingGaugeRequest, BTCStakingGaugeResponse,
    QueryBTCStakingGaugeResponse, QueryDelegationRewardsRequest, QueryDelegationRewardsResponse,
    QueryFpCurrentRewardsRequest, QueryFpCurrentRewardsResponse
}
queries! { "babylon.incentive";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryRewardGaugesRequest => QueryRewardGaugesResponse, "RewardGauges";
    QueryBTCStakingGaugeRequest => QueryBTCStakingGaugeResponse, "BTCStakingGauge";
    QueryDelegatorWithdrawAddressRequest => QueryDelegatorWithdrawAddressResponse, "DelegatorWithdrawAddress";
    QueryDelegationRewardsRequest => QueryDelegationRewardsResponse, "DelegationRewards";
    QueryFpCurrentRewardsRequest => QueryFpCurrentRewardsResponse, "FpCurrentRewards";
}
