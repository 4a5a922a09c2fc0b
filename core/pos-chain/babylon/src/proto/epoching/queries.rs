//! Queries of epochs (`wire.md` 5.6).
use super::records::{DelegationLifecycle, Params, Validator};
use crate::proto::{PageRequest, PageResponse, Timestamp, named, queries};

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

/// Asks for all epochs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochsInfoRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Epochs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochsInfoResponse {
    /// Epochs.
    #[prost(message, repeated, tag = "1")]
    pub epochs: Vec<EpochResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the messages queued in an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochMsgsRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// The messages.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochMsgsResponse {
    /// Messages, in order.
    #[prost(message, repeated, tag = "1")]
    pub msgs: Vec<QueuedMessageResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the messages queued in the newest epochs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLatestEpochMsgsRequest {
    /// Newest epoch to look at.
    #[prost(uint64, tag = "1")]
    pub end_epoch: u64,
    /// How many epochs to look at.
    #[prost(uint64, tag = "2")]
    pub epoch_count: u64,
    /// Page.
    #[prost(message, optional, tag = "3")]
    pub pagination: Option<PageRequest>,
}

/// The messages.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLatestEpochMsgsResponse {
    /// By epoch.
    #[prost(message, repeated, tag = "1")]
    pub latest_epoch_msgs: Vec<QueuedMessageList>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Messages queued in an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueuedMessageList {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Messages, in order.
    #[prost(message, repeated, tag = "2")]
    pub msgs: Vec<QueuedMessageResponse>,
}

/// A queued message in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueuedMessageResponse {
    /// SHA-256 of the transaction, lower-case hex, not reversed.
    #[prost(string, tag = "1")]
    pub tx_id: String,
    /// SHA-256 of the message, lower-case hex, not reversed.
    #[prost(string, tag = "2")]
    pub msg_id: String,
    /// Height of the staking chain.
    #[prost(uint64, tag = "3")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "4")]
    pub block_time: Option<Timestamp>,
    /// The message as text.
    #[prost(string, tag = "5")]
    pub msg: String,
    /// Its kind.
    #[prost(string, tag = "6")]
    pub msg_type: String,
}

/// Asks for the life of a validator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryValidatorLifecycleRequest {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub val_addr: String,
}

/// The life of a validator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryValidatorLifecycleResponse {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub val_addr: String,
    /// Changes, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub val_life: Vec<ValStateUpdateResponse>,
}

/// A change of a validator's status in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValStateUpdateResponse {
    /// Name of the status.
    #[prost(string, tag = "1")]
    pub state_desc: String,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "3")]
    pub block_time: Option<Timestamp>,
}

/// Asks for the life of an account's native delegations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegationLifecycleRequest {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub del_addr: String,
}

/// The life of its delegations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryDelegationLifecycleResponse {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub del_life: Option<DelegationLifecycle>,
}

/// Asks for a validator set; the answer is that of the running epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochValSetRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// The validators. The page is number 3.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochValSetResponse {
    /// Validators.
    #[prost(message, repeated, tag = "1")]
    pub validators: Vec<Validator>,
    /// Sum of their power.
    #[prost(int64, tag = "2")]
    pub total_voting_power: i64,
    /// Page.
    #[prost(message, optional, tag = "3")]
    pub pagination: Option<PageResponse>,
}
named! { "babylon.epoching.v1";
    EpochResponse, QueryParamsRequest, QueryParamsResponse, QueryCurrentEpochRequest, QueryCurrentEpochResponse,
    QueryEpochInfoRequest, QueryEpochInfoResponse, QueryEpochsInfoRequest, QueryEpochsInfoResponse,
    QueryEpochMsgsRequest, QueryEpochMsgsResponse, QueryLatestEpochMsgsRequest, QueryLatestEpochMsgsResponse,
    QueuedMessageList, QueuedMessageResponse, QueryValidatorLifecycleRequest, QueryValidatorLifecycleResponse,
    ValStateUpdateResponse, QueryDelegationLifecycleRequest, QueryDelegationLifecycleResponse,
    QueryEpochValSetRequest, QueryEpochValSetResponse
}
queries! { "babylon.epoching.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryCurrentEpochRequest => QueryCurrentEpochResponse, "CurrentEpoch";
    QueryEpochInfoRequest => QueryEpochInfoResponse, "EpochInfo";
    QueryEpochsInfoRequest => QueryEpochsInfoResponse, "EpochsInfo";
    QueryEpochMsgsRequest => QueryEpochMsgsResponse, "EpochMsgs";
    QueryLatestEpochMsgsRequest => QueryLatestEpochMsgsResponse, "LatestEpochMsgs";
    QueryValidatorLifecycleRequest => QueryValidatorLifecycleResponse, "ValidatorLifecycle";
    QueryDelegationLifecycleRequest => QueryDelegationLifecycleResponse, "DelegationLifecycle";
    QueryEpochValSetRequest => QueryEpochValSetResponse, "EpochValSet";
}
