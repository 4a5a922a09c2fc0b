//! Bitcoin heights at which epochs ended and checkpoints were reported (`wire.md` 5.6, 10).
use super::{named, queries};

/// Asks for the Bitcoin height at which an epoch ended.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEndedEpochBtcHeightRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// The height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEndedEpochBtcHeightResponse {
    /// Tip of the light client.
    #[prost(uint32, tag = "1")]
    pub btc_light_client_height: u32,
}

/// Asks for the Bitcoin height at which a checkpoint was reported.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryReportedCheckpointBtcHeightRequest {
    /// SHA-256 of the checkpoint, lower-case hex, not reversed.
    #[prost(string, tag = "1")]
    pub ckpt_hash: String,
}

/// The height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryReportedCheckpointBtcHeightResponse {
    /// Tip of the light client.
    #[prost(uint32, tag = "1")]
    pub btc_light_client_height: u32,
}

/// The end of an epoch. Its height is wider than the query's.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochEndLightClient {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    /// Tip of the light client.
    #[prost(uint64, tag = "2")]
    pub btc_light_client_height: u64,
}

/// A report. Its height is wider than the query's.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointReportedLightClient {
    /// SHA-256 of the checkpoint, lower-case hex, not reversed.
    #[prost(string, tag = "1")]
    pub ckpt_hash: String,
    /// Tip of the light client.
    #[prost(uint64, tag = "2")]
    pub btc_light_client_height: u64,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Ends of epochs.
    #[prost(message, repeated, tag = "1")]
    pub epoch_end_records: Vec<EpochEndLightClient>,
    /// Reports.
    #[prost(message, repeated, tag = "2")]
    pub checkpoints_reported: Vec<CheckpointReportedLightClient>,
}
named! { "babylon.monitor.v1";
    QueryEndedEpochBtcHeightRequest, QueryEndedEpochBtcHeightResponse, QueryReportedCheckpointBtcHeightRequest,
    QueryReportedCheckpointBtcHeightResponse, EpochEndLightClient, CheckpointReportedLightClient, GenesisState
}
queries! { "babylon.monitor.v1";
    QueryEndedEpochBtcHeightRequest => QueryEndedEpochBtcHeightResponse, "EndedEpochBtcHeight";
    QueryReportedCheckpointBtcHeightRequest => QueryReportedCheckpointBtcHeightResponse, "ReportedCheckpointBtcHeight";
}
