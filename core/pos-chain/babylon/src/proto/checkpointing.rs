//! Checkpoints of epochs, as far as finality needs them (`wire.md` 2.4, 5.6).
use super::{Timestamp, named, queries};

/// Status of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum CheckpointStatus {
    /// Gathers signatures.
    Accumulating = 0,
    /// Signed by validators.
    Sealed = 1,
    /// On Bitcoin.
    Submitted = 2,
    /// `k` deep.
    Confirmed = 3,
    /// `w` deep.
    Finalized = 4,
}

/// A checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawCheckpoint {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub block_hash: Vec<u8>,
    /// Which validators signed, 13 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bitmap: Vec<u8>,
    /// 48 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bls_multi_sig: Vec<u8>,
}

/// A checkpoint with its life.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawCheckpointWithMeta {
    /// The checkpoint.
    #[prost(message, optional, tag = "1")]
    pub ckpt: Option<RawCheckpoint>,
    /// A [`CheckpointStatus`].
    #[prost(int32, tag = "2")]
    pub status: i32,
    /// 96 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bls_aggr_pk: Vec<u8>,
    /// Power that signed.
    #[prost(uint64, tag = "4")]
    pub power_sum: u64,
    /// Changes of status.
    #[prost(message, repeated, tag = "5")]
    pub lifecycle: Vec<CheckpointStateUpdate>,
}

/// A change of status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointStateUpdate {
    /// A [`CheckpointStatus`].
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "3")]
    pub block_time: Option<Timestamp>,
}

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
    /// A [`CheckpointStatus`].
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
    /// A [`CheckpointStatus`].
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
    /// A [`CheckpointStatus`].
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
    /// A [`CheckpointStatus`].
    #[prost(int32, tag = "1")]
    pub status: i32,
}
named! { "babylon.checkpointing.v1";
    RawCheckpoint, RawCheckpointWithMeta, CheckpointStateUpdate, RawCheckpointResponse,
    RawCheckpointWithMetaResponse, CheckpointStateUpdateResponse, QueryRawCheckpointRequest,
    QueryRawCheckpointResponse, QueryLastCheckpointWithStatusRequest, QueryLastCheckpointWithStatusResponse,
    QueryEpochStatusRequest, QueryEpochStatusResponse
}
queries! { "babylon.checkpointing.v1";
    QueryRawCheckpointRequest => QueryRawCheckpointResponse, "RawCheckpoint";
    QueryLastCheckpointWithStatusRequest => QueryLastCheckpointWithStatusResponse, "LastCheckpointWithStatus";
    QueryEpochStatusRequest => QueryEpochStatusResponse, "EpochStatus";
}
