//! Submissions as stored and the genesis state (`wire.md` 10).
use super::records::{Params, TransactionKey};
use crate::proto::named;

/// A submission by its two transactions.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmissionKey {
    /// First and second half.
    #[prost(message, repeated, tag = "1")]
    pub key: Vec<TransactionKey>,
}

/// A submission.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmissionData {
    /// Who submitted and who reported it.
    #[prost(message, optional, tag = "1")]
    pub vigilante_addresses: Option<CheckpointAddresses>,
    /// Its two transactions.
    #[prost(message, repeated, tag = "2")]
    pub txs_info: Vec<TransactionInfo>,
    /// Epoch.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
}

/// Who submitted and who reported a checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointAddresses {
    /// Account named in the checkpoint, raw bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub submitter: Vec<u8>,
    /// Account that sent the proof, raw bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub reporter: Vec<u8>,
}

/// A transaction of a submission.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TransactionInfo {
    /// Block and position.
    #[prost(message, optional, tag = "1")]
    pub key: Option<TransactionKey>,
    /// Serialised.
    #[prost(bytes = "vec", tag = "2")]
    pub transaction: Vec<u8>,
    /// Siblings, 32 bytes each, internal order.
    #[prost(bytes = "vec", tag = "3")]
    pub proof: Vec<u8>,
}

/// Submissions of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochData {
    /// Submissions.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<SubmissionKey>,
    /// A [`BtcStatus`](super::BtcStatus).
    #[prost(int32, tag = "2")]
    pub status: i32,
}

/// An epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochEntry {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Its submissions.
    #[prost(message, optional, tag = "2")]
    pub data: Option<EpochData>,
}

/// A submission with its key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmissionEntry {
    /// Key.
    #[prost(message, optional, tag = "1")]
    pub submission_key: Option<SubmissionKey>,
    /// Submission.
    #[prost(message, optional, tag = "2")]
    pub data: Option<SubmissionData>,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Newest epoch whose checkpoint is `w` deep.
    #[prost(uint64, tag = "2")]
    pub last_finalized_epoch_number: u64,
    /// Epochs with submissions.
    #[prost(message, repeated, tag = "3")]
    pub epochs: Vec<EpochEntry>,
    /// Submissions.
    #[prost(message, repeated, tag = "4")]
    pub submissions: Vec<SubmissionEntry>,
}
named! { "babylon.btccheckpoint.v1";
    SubmissionKey, SubmissionData, CheckpointAddresses, TransactionInfo, EpochData, EpochEntry, SubmissionEntry,
    GenesisState
}
