//! Events and genesis state of checkpoints (`wire.md` 6.3, 10).
use super::records::{BlsKey, RawCheckpoint, RawCheckpointWithMeta, ValidatorWithBlsKeySet};
use crate::proto::{Ed25519PubKey, named};

/// Declared by the chain, never emitted.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointAccumulating {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// A checkpoint was signed by validators.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointSealed {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// A checkpoint is on Bitcoin.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointSubmitted {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// A checkpoint is `k` deep.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointConfirmed {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// A checkpoint is `w` deep.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointFinalized {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// A checkpoint left Bitcoin again.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventCheckpointForgotten {
    /// It.
    #[prost(message, optional, tag = "1")]
    pub checkpoint: Option<RawCheckpointWithMeta>,
}

/// Validators signed another checkpoint than the chain's; the chain halts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventConflictingCheckpoint {
    /// The other one.
    #[prost(message, optional, tag = "1")]
    pub conflicting_checkpoint: Option<RawCheckpoint>,
    /// The chain's.
    #[prost(message, optional, tag = "2")]
    pub local_checkpoint: Option<RawCheckpointWithMeta>,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Keys of the validators of genesis.
    #[prost(message, repeated, tag = "1")]
    pub genesis_keys: Vec<GenesisKey>,
    /// Validators by epoch.
    #[prost(message, repeated, tag = "2")]
    pub validator_sets: Vec<ValidatorSetEntry>,
    /// Checkpoints.
    #[prost(message, repeated, tag = "3")]
    pub checkpoints: Vec<RawCheckpointWithMeta>,
    /// Newest epoch whose checkpoint is `w` deep.
    #[prost(uint64, tag = "4")]
    pub last_finalized_epoch: u64,
}

/// Keys of a validator of genesis.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisKey {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub validator_address: String,
    /// BLS key.
    #[prost(message, optional, tag = "2")]
    pub bls_key: Option<BlsKey>,
    /// Consensus key.
    #[prost(message, optional, tag = "3")]
    pub val_pubkey: Option<Ed25519PubKey>,
}

/// The validators of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatorSetEntry {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Validators.
    #[prost(message, optional, tag = "2")]
    pub validator_set: Option<ValidatorWithBlsKeySet>,
}
named! { "babylon.checkpointing.v1";
    EventCheckpointAccumulating, EventCheckpointSealed, EventCheckpointSubmitted, EventCheckpointConfirmed,
    EventCheckpointFinalized, EventCheckpointForgotten, EventConflictingCheckpoint, GenesisState, GenesisKey,
    ValidatorSetEntry
}
