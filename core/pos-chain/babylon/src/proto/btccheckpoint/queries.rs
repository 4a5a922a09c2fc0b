//! Queries of checkpoints on Bitcoin (`wire.md` 5.6). Hashes here are block hashes in reversed hex.
use super::records::Params;
use crate::proto::{PageRequest, PageResponse, named, queries};

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

/// Asks for the best submission of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBtcCheckpointInfoRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// The best submission.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBtcCheckpointInfoResponse {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub info: Option<BTCCheckpointInfoResponse>,
}

/// Asks for the best submissions of all epochs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBtcCheckpointsInfoRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// The best submissions.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBtcCheckpointsInfoResponse {
    /// By epoch.
    #[prost(message, repeated, tag = "1")]
    pub info_list: Vec<BTCCheckpointInfoResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for every submission of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochSubmissionsRequest {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
}

/// Every submission.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEpochSubmissionsResponse {
    /// Where each of them is on Bitcoin.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<SubmissionKeyResponse>,
}

/// The best submission of an epoch: the one deepest on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCCheckpointInfoResponse {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Bitcoin height.
    #[prost(uint32, tag = "2")]
    pub best_submission_btc_block_height: u32,
    /// Block hash, reversed hex.
    #[prost(string, tag = "3")]
    pub best_submission_btc_block_hash: String,
    /// Its two transactions.
    #[prost(message, repeated, tag = "4")]
    pub best_submission_transactions: Vec<TransactionInfoResponse>,
    /// Who submitted and who reported it.
    #[prost(message, repeated, tag = "5")]
    pub best_submission_vigilante_address_list: Vec<CheckpointAddressesResponse>,
}

/// A transaction of a submission.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TransactionInfoResponse {
    /// Position in the block.
    #[prost(uint32, tag = "1")]
    pub index: u32,
    /// Hash of the block, reversed hex.
    #[prost(string, tag = "2")]
    pub hash: String,
    /// Serialised, hex.
    #[prost(string, tag = "3")]
    pub transaction: String,
    /// Siblings, 32 bytes each, internal order; hex.
    #[prost(string, tag = "4")]
    pub proof: String,
}

/// Who submitted and who reported a checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointAddressesResponse {
    /// Account named in the checkpoint, bech32.
    #[prost(string, tag = "1")]
    pub submitter: String,
    /// Account that sent the proof, bech32.
    #[prost(string, tag = "2")]
    pub reporter: String,
}

/// Where a submission is on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmissionKeyResponse {
    /// Block hash, reversed hex.
    #[prost(string, tag = "1")]
    pub first_tx_block_hash: String,
    /// Position in the block.
    #[prost(uint32, tag = "2")]
    pub first_tx_index: u32,
    /// Block hash, reversed hex.
    #[prost(string, tag = "3")]
    pub second_tx_block_hash: String,
    /// Position in the block.
    #[prost(uint32, tag = "4")]
    pub second_tx_index: u32,
}
named! { "babylon.btccheckpoint.v1";
    QueryParamsRequest, QueryParamsResponse, QueryBtcCheckpointInfoRequest, QueryBtcCheckpointInfoResponse,
    QueryBtcCheckpointsInfoRequest, QueryBtcCheckpointsInfoResponse, QueryEpochSubmissionsRequest,
    QueryEpochSubmissionsResponse, BTCCheckpointInfoResponse, TransactionInfoResponse,
    CheckpointAddressesResponse, SubmissionKeyResponse
}
queries! { "babylon.btccheckpoint.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryBtcCheckpointInfoRequest => QueryBtcCheckpointInfoResponse, "BtcCheckpointInfo";
    QueryBtcCheckpointsInfoRequest => QueryBtcCheckpointsInfoResponse, "BtcCheckpointsInfo";
    QueryEpochSubmissionsRequest => QueryEpochSubmissionsResponse, "EpochSubmissions";
}
