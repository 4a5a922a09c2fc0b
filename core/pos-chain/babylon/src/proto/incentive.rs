//! Rewards (`wire.md` 3.12, 5.7). The package has no version suffix.
use super::{Coin, named, queries};
use std::collections::BTreeMap;

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
    /// Scaled decimal.
    #[prost(string, tag = "1")]
    pub btc_staking_portion: String,
    /// Scaled decimal.
    #[prost(string, tag = "2")]
    pub fp_portion: String,
}

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
named! { "babylon.incentive";
    Params, MsgWithdrawReward, MsgWithdrawRewardResponse, MsgSetWithdrawAddress, MsgSetWithdrawAddressResponse,
    MsgUpdateParams, MsgUpdateParamsResponse, QueryParamsRequest, QueryParamsResponse, QueryRewardGaugesRequest,
    QueryRewardGaugesResponse, RewardGaugesResponse, QueryDelegatorWithdrawAddressRequest,
    QueryDelegatorWithdrawAddressResponse
}
queries! { "babylon.incentive";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryRewardGaugesRequest => QueryRewardGaugesResponse, "RewardGauges";
    QueryDelegatorWithdrawAddressRequest => QueryDelegatorWithdrawAddressResponse, "DelegatorWithdrawAddress";
}
