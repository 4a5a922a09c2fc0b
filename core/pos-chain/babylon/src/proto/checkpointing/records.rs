//! Checkpoints, BLS keys and the transaction that a proposer injects (`wire.md` 2.4, 3.13, 7.2).
use crate::proto::{ExtendedCommitInfo, MsgCreateValidator, Timestamp, named};

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

/// The BLS key of a validator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BlsKey {
    /// 96 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pubkey: Vec<u8>,
    /// Proof that key and validator belong together.
    #[prost(message, optional, tag = "2")]
    pub pop: Option<ProofOfPossession>,
}

/// Proof that a BLS key and a validator's consensus key belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProofOfPossession {
    /// By the consensus key, over the BLS key.
    #[prost(bytes = "vec", tag = "1")]
    pub ed25519_sig: Vec<u8>,
    /// By the BLS key, over the first signature; 48 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub bls_sig: Vec<u8>,
}

/// A validator with its key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatorWithBlsKey {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub validator_address: String,
    /// 96 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub bls_pub_key: Vec<u8>,
    /// Its power in the epoch.
    #[prost(uint64, tag = "3")]
    pub voting_power: u64,
}

/// The validators of an epoch with their keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatorWithBlsKeySet {
    /// Validators.
    #[prost(message, repeated, tag = "1")]
    pub val_set: Vec<ValidatorWithBlsKey>,
}

/// What a validator adds to its last vote of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VoteExtension {
    /// Consensus address, bech32.
    #[prost(string, tag = "1")]
    pub signer: String,
    /// Operator address, bech32.
    #[prost(string, tag = "2")]
    pub validator_address: String,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub block_hash: Vec<u8>,
    /// Epoch.
    #[prost(uint64, tag = "4")]
    pub epoch_num: u64,
    /// Height of the staking chain.
    #[prost(uint64, tag = "5")]
    pub height: u64,
    /// 48 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub bls_sig: Vec<u8>,
}

/// A validator's signature over a checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BlsSig {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_num: u64,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub block_hash: Vec<u8>,
    /// 48 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bls_sig: Vec<u8>,
    /// Consensus address, bech32.
    #[prost(string, tag = "4")]
    pub signer_address: String,
    /// Operator address, bech32.
    #[prost(string, tag = "5")]
    pub validator_address: String,
}

/// The checkpoint of the epoch before, in the first transaction of an epoch. It has no signer and no handler.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgInjectedCheckpoint {
    /// The checkpoint.
    #[prost(message, optional, tag = "1")]
    pub ckpt: Option<RawCheckpointWithMeta>,
    /// The votes it was built from.
    #[prost(message, optional, tag = "2")]
    pub extended_commit_info: Option<ExtendedCommitInfo>,
}

/// Creates a validator at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedCreateValidator {
    /// Its BLS key.
    #[prost(message, optional, tag = "1")]
    pub key: Option<BlsKey>,
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "2")]
    pub msg_create_validator: Option<MsgCreateValidator>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedCreateValidatorResponse {}
named! { "babylon.checkpointing.v1";
    RawCheckpoint, RawCheckpointWithMeta, CheckpointStateUpdate, BlsKey, ProofOfPossession, ValidatorWithBlsKey,
    ValidatorWithBlsKeySet, VoteExtension, BlsSig, MsgInjectedCheckpoint, MsgWrappedCreateValidator,
    MsgWrappedCreateValidatorResponse
}
