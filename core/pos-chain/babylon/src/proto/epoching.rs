//! Epochs (`wire.md` 5.6).
use super::{Timestamp, named, queries};

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Blocks of an epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_interval: u64,
    /// Gas charged for queued messages.
    #[prost(message, optional, tag = "2")]
    pub execute_gas: Option<ExecuteGas>,
    /// Least amount of a native delegation.
    #[prost(uint64, tag = "3")]
    pub min_amount: u64,
}

/// Gas charged for queued messages, by kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExecuteGas {
    /// Of a delegation.
    #[prost(uint64, tag = "1")]
    pub delegate: u64,
    /// Of an undelegation.
    #[prost(uint64, tag = "2")]
    pub undelegate: u64,
    /// Of a redelegation.
    #[prost(uint64, tag = "3")]
    pub begin_redelegate: u64,
    /// Of a cancellation.
    #[prost(uint64, tag = "4")]
    pub cancel_unbonding_delegation: u64,
    /// Of an edit.
    #[prost(uint64, tag = "5")]
    pub edit_validator: u64,
    /// Of a creation.
    #[prost(uint64, tag = "6")]
    pub create_validator: u64,
}

/// An epoch in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochResponse {
    /// Number.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Blocks of an epoch.
    #[prost(uint64, tag = "2")]
    pub current_epoch_interval: u64,
    /// First height.
    #[prost(uint64, tag = "3")]
    pub first_block_height: u64,
    /// Absent while the epoch runs.
    #[prost(message, optional, tag = "4")]
    pub last_block_time: Option<Timestamp>,
    /// Hex, not reversed.
    #[prost(string, tag = "5")]
    pub sealer_app_hash_hex: String,
    /// Hex, not reversed.
    #[prost(string, tag = "6")]
    pub sealer_block_hash: String,
}

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

/// Asks for the running epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCurrentEpochRequest {}

/// The running epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryCurrentEpochResponse {
    /// Number.
    #[prost(uint64, tag = "1")]
    pub current_epoch: u64,
    /// Its last height.
    #[prost(uint64, tag = "2")]
    pub epoch_boundary: u64,
}

/// Asks for one epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochInfoRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// One epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochInfoResponse {
    /// The epoch.
    #[prost(message, optional, tag = "1")]
    pub epoch: Option<EpochResponse>,
}
named! { "babylon.epoching.v1";
    Params, ExecuteGas, EpochResponse, QueryParamsRequest, QueryParamsResponse, QueryCurrentEpochRequest,
    QueryCurrentEpochResponse, QueryEpochInfoRequest, QueryEpochInfoResponse
}
queries! { "babylon.epoching.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryCurrentEpochRequest => QueryCurrentEpochResponse, "CurrentEpoch";
    QueryEpochInfoRequest => QueryEpochInfoResponse, "EpochInfo";
}
