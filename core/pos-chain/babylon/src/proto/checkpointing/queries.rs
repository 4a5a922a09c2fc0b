//! Queries of checkpoints (`wire.md` 5.6).
use crate::proto::{PageRequest, PageResponse, Timestamp, named, queries};
use std::collections::BTreeMap;

/// A checkpoint in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawCheckpointResponse {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// 32 bytes as hex, not reversed.
    #[prost(string, tag = "2")]
    pub block_hash_hex: String,
    /// Which validators signed, 13 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bitmap: Vec<u8>,
    /// 48 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bls_multi_sig: Vec<u8>,
}

/// A checkpoint with its life in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawCheckpointWithMetaResponse {
    /// The checkpoint.
    #[prost(message, optional, tag = "1")]
    pub ckpt: Option<RawCheckpointResponse>,
    /// A [`CheckpointStatus`](super::CheckpointStatus).
    #[prost(int32, tag = "2")]
    pub status: i32,
    /// Name of the status.
    #[prost(string, tag = "3")]
    pub status_desc: String,
    /// 96 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bls_aggr_pk: Vec<u8>,
    /// Power that signed.
    #[prost(uint64, tag = "5")]
    pub power_sum: u64,
    /// Changes of status.
    #[prost(message, repeated, tag = "6")]
    pub lifecycle: Vec<CheckpointStateUpdateResponse>,
}

/// A change of status in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointStateUpdateResponse {
    /// A [`CheckpointStatus`](super::CheckpointStatus).
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// Name of the status.
    #[prost(string, tag = "2")]
    pub status_desc: String,
    /// Height of the staking chain.
    #[prost(uint64, tag = "3")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "4")]
    pub block_time: Option<Timestamp>,
}

/// Asks for the checkpoint of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// The checkpoint of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointResponse {
    /// The checkpoint.
    #[prost(message, optional, tag = "1")]
    pub raw_checkpoint: Option<RawCheckpointWithMetaResponse>,
}

/// Asks for the newest checkpoint with a status or a later one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLastCheckpointWithStatusRequest {
    /// A [`CheckpointStatus`](super::CheckpointStatus).
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// The newest such checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLastCheckpointWithStatusResponse {
    /// The checkpoint.
    #[prost(message, optional, tag = "1")]
    pub raw_checkpoint: Option<RawCheckpointResponse>,
}

/// Asks for the status of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochStatusRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// The status of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochStatusResponse {
    /// A [`CheckpointStatus`](super::CheckpointStatus).
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// Asks for the checkpoints of all epochs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointsRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// The checkpoints.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointsResponse {
    /// By epoch.
    #[prost(message, repeated, tag = "1")]
    pub raw_checkpoints: Vec<RawCheckpointWithMetaResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the checkpoints with exactly one status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointListRequest {
    /// A [`CheckpointStatus`](super::CheckpointStatus).
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// The checkpoints.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRawCheckpointListResponse {
    /// By epoch.
    #[prost(message, repeated, tag = "1")]
    pub raw_checkpoints: Vec<RawCheckpointWithMetaResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks how many of the newest epochs have which status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRecentEpochStatusCountRequest {
    /// How many epochs to look at.
    #[prost(uint64, tag = "1")]
    pub epoch_count: u64,
}

/// How many have which status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryRecentEpochStatusCountResponse {
    /// Newest epoch.
    #[prost(uint64, tag = "1")]
    pub tip_epoch: u64,
    /// How many epochs were looked at.
    #[prost(uint64, tag = "2")]
    pub epoch_count: u64,
    /// Number of epochs by name of the status.
    #[prost(btree_map = "string, uint64", tag = "3")]
    pub status_count: BTreeMap<String, u64>,
}

/// Asks for the validators of an epoch with their keys. The page knows offset and limit only; limit 0 means all.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBlsPublicKeyListRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// The validators.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBlsPublicKeyListResponse {
    /// Validators.
    #[prost(message, repeated, tag = "1")]
    pub validator_with_bls_keys: Vec<BlsPublicKeyListResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// A validator with its key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BlsPublicKeyListResponse {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub validator_address: String,
    /// 96 bytes as hex.
    #[prost(string, tag = "2")]
    pub bls_pub_key_hex: String,
    /// Its power in the epoch.
    #[prost(uint64, tag = "3")]
    pub voting_power: u64,
}
named! { "babylon.checkpointing.v1";
    RawCheckpointResponse, RawCheckpointWithMetaResponse, CheckpointStateUpdateResponse,
    QueryRawCheckpointRequest, QueryRawCheckpointResponse, QueryLastCheckpointWithStatusRequest,
    QueryLastCheckpointWithStatusResponse, QueryEpochStatusRequest, QueryEpochStatusResponse,
    QueryRawCheckpointsRequest, QueryRawCheckpointsResponse, QueryRawCheckpointListRequest,
    QueryRawCheckpointListResponse, QueryRecentEpochStatusCountRequest, QueryRecentEpochStatusCountResponse,
    QueryBlsPublicKeyListRequest, QueryBlsPublicKeyListResponse, BlsPublicKeyListResponse
}
queries! { "babylon.checkpointing.v1";
    QueryRawCheckpointRequest => QueryRawCheckpointResponse, "RawCheckpoint";
    QueryRawCheckpointsRequest => QueryRawCheckpointsResponse, "RawCheckpoints";
    QueryRawCheckpointListRequest => QueryRawCheckpointListResponse, "RawCheckpointList";
    QueryLastCheckpointWithStatusRequest => QueryLastCheckpointWithStatusResponse, "LastCheckpointWithStatus";
    QueryEpochStatusRequest => QueryEpochStatusResponse, "EpochStatus";
    QueryRecentEpochStatusCountRequest => QueryRecentEpochStatusCountResponse, "RecentEpochStatusCount";
    QueryBlsPublicKeyListRequest => QueryBlsPublicKeyListResponse, "BlsPublicKeyList";
}
