//! Events and genesis state of epochs (`wire.md` 6.3, 10).
use super::records::{DelegationLifecycle, Epoch, Params, QueuedMessage, Validator, ValidatorLifecycle};
use crate::proto::named;

/// An epoch began.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBeginEpoch {
    /// Number.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
}

/// An epoch ended.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventEndEpoch {
    /// Number.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
}

/// A queued message failed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventHandleQueuedMsg {
    /// Empty.
    #[prost(string, tag = "1")]
    pub original_event_type: String,
    /// Epoch.
    #[prost(uint64, tag = "2")]
    pub epoch_number: u64,
    /// Height of the staking chain.
    #[prost(uint64, tag = "3")]
    pub height: u64,
    /// SHA-256 of the transaction.
    #[prost(bytes = "vec", tag = "4")]
    pub tx_id: Vec<u8>,
    /// SHA-256 of the message.
    #[prost(bytes = "vec", tag = "5")]
    pub msg_id: Vec<u8>,
    /// Empty.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub original_attributes: Vec<Vec<u8>>,
    /// Why.
    #[prost(string, tag = "7")]
    pub error: String,
}

/// Validators with too much power were slashed within an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventSlashThreshold {
    /// Their power.
    #[prost(int64, tag = "1")]
    pub slashed_voting_power: i64,
    /// Power of all.
    #[prost(int64, tag = "2")]
    pub total_voting_power: i64,
    /// Operator accounts, 20 bytes each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub slashed_validators: Vec<Vec<u8>>,
}

/// A native delegation was queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedDelegate {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Operator address, bech32.
    #[prost(string, tag = "2")]
    pub validator_address: String,
    /// In base units.
    #[prost(uint64, tag = "3")]
    pub amount: u64,
    /// The coin.
    #[prost(string, tag = "4")]
    pub denom: String,
    /// Last height of the epoch.
    #[prost(uint64, tag = "5")]
    pub epoch_boundary: u64,
}

/// A return of native coins was queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedUndelegate {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Operator address, bech32.
    #[prost(string, tag = "2")]
    pub validator_address: String,
    /// In base units.
    #[prost(uint64, tag = "3")]
    pub amount: u64,
    /// The coin.
    #[prost(string, tag = "4")]
    pub denom: String,
    /// Last height of the epoch.
    #[prost(uint64, tag = "5")]
    pub epoch_boundary: u64,
}

/// A move of a native delegation was queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedBeginRedelegate {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Operator address it leaves, bech32.
    #[prost(string, tag = "2")]
    pub source_validator_address: String,
    /// Operator address it goes to, bech32.
    #[prost(string, tag = "3")]
    pub destination_validator_address: String,
    /// In base units.
    #[prost(uint64, tag = "4")]
    pub amount: u64,
    /// The coin.
    #[prost(string, tag = "5")]
    pub denom: String,
    /// Last height of the epoch.
    #[prost(uint64, tag = "6")]
    pub epoch_boundary: u64,
}

/// A cancellation of a return was queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedCancelUnbondingDelegation {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub delegator_address: String,
    /// Operator address, bech32.
    #[prost(string, tag = "2")]
    pub validator_address: String,
    /// In base units.
    #[prost(uint64, tag = "3")]
    pub amount: u64,
    /// Height at which the return began.
    #[prost(int64, tag = "4")]
    pub creation_height: i64,
    /// Last height of the epoch.
    #[prost(uint64, tag = "5")]
    pub epoch_boundary: u64,
}

/// An edit of a validator was queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedEditValidator {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub validator_address: String,
    /// Last height of the epoch.
    #[prost(uint64, tag = "2")]
    pub epoch_boundary: u64,
}

/// New parameters of native staking were queued.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventWrappedStakingUpdateParams {
    /// Duration as text.
    #[prost(string, tag = "1")]
    pub unbonding_time: String,
    /// Size of the active set.
    #[prost(uint32, tag = "2")]
    pub max_validators: u32,
    /// Unfinished returns by pair of account and validator.
    #[prost(uint32, tag = "3")]
    pub max_entries: u32,
    /// Headers kept.
    #[prost(uint32, tag = "4")]
    pub historical_entries: u32,
    /// The coin.
    #[prost(string, tag = "5")]
    pub bond_denom: String,
    /// Decimal text.
    #[prost(string, tag = "6")]
    pub min_commission_rate: String,
    /// Last height of the epoch.
    #[prost(uint64, tag = "7")]
    pub epoch_boundary: u64,
}

/// Coins held for a queued message could not be given back.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventUnlockFundsFailed {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// SHA-256 of the transaction.
    #[prost(bytes = "vec", tag = "3")]
    pub tx_id: Vec<u8>,
    /// SHA-256 of the message.
    #[prost(bytes = "vec", tag = "4")]
    pub msg_id: Vec<u8>,
    /// Why.
    #[prost(string, tag = "5")]
    pub error: String,
    /// Kind of the message.
    #[prost(string, tag = "6")]
    pub msg_type: String,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Epochs.
    #[prost(message, repeated, tag = "2")]
    pub epochs: Vec<Epoch>,
    /// Messages queued by epoch.
    #[prost(message, repeated, tag = "3")]
    pub queues: Vec<EpochQueue>,
    /// Validators by epoch.
    #[prost(message, repeated, tag = "4")]
    pub validator_sets: Vec<EpochValidatorSet>,
    /// Slashed validators by epoch.
    #[prost(message, repeated, tag = "5")]
    pub slashed_validator_sets: Vec<EpochValidatorSet>,
    /// Lives of validators.
    #[prost(message, repeated, tag = "6")]
    pub validators_lifecycle: Vec<ValidatorLifecycle>,
    /// Lives of native delegations.
    #[prost(message, repeated, tag = "7")]
    pub delegations_lifecycle: Vec<DelegationLifecycle>,
}

/// Messages queued in an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochQueue {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Messages, in order.
    #[prost(message, repeated, tag = "2")]
    pub msgs: Vec<QueuedMessage>,
}

/// Validators of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EpochValidatorSet {
    /// Epoch.
    #[prost(uint64, tag = "1")]
    pub epoch_number: u64,
    /// Validators.
    #[prost(message, repeated, tag = "2")]
    pub validators: Vec<Validator>,
}
named! { "babylon.epoching.v1";
    EventBeginEpoch, EventEndEpoch, EventHandleQueuedMsg, EventSlashThreshold, EventWrappedDelegate,
    EventWrappedUndelegate, EventWrappedBeginRedelegate, EventWrappedCancelUnbondingDelegation,
    EventWrappedEditValidator, EventWrappedStakingUpdateParams, EventUnlockFundsFailed, GenesisState,
    EpochQueue, EpochValidatorSet
}
