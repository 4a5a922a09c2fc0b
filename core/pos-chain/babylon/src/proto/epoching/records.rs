//! Records of epochs and of the messages queued to their ends (`wire.md` 5.6, 10).
use crate::proto::{
    Coin, MsgBeginRedelegate, MsgCancelUnbondingDelegation, MsgCreateValidator, MsgDelegate,
    MsgEditValidator, MsgUndelegate, StakingMsgUpdateParams, Timestamp, named,
};

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

/// Status of a validator or of a delegation of the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum BondState {
    /// Made in this epoch.
    Created = 0,
    /// Counts.
    Bonded = 1,
    /// On the way out.
    Unbonding = 2,
    /// Out.
    Unbonded = 3,
    /// Gone.
    Removed = 4,
}

/// An epoch as stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Epoch {
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
    /// App hash that the next epoch's first header carries.
    #[prost(bytes = "vec", tag = "5")]
    pub sealer_app_hash: Vec<u8>,
    /// Hash of the epoch's last block.
    #[prost(bytes = "vec", tag = "6")]
    pub sealer_block_hash: Vec<u8>,
}

/// A change of a validator's status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValStateUpdate {
    /// A [`BondState`].
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "3")]
    pub block_time: Option<Timestamp>,
}

/// The life of a validator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatorLifecycle {
    /// Operator address, bech32.
    #[prost(string, tag = "1")]
    pub val_addr: String,
    /// Changes, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub val_life: Vec<ValStateUpdate>,
}

/// A change of a native delegation's status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DelegationStateUpdate {
    /// A [`BondState`].
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// Operator address of the validator, bech32.
    #[prost(string, tag = "2")]
    pub val_addr: String,
    /// How much.
    #[prost(message, optional, tag = "3")]
    pub amount: Option<Coin>,
    /// Height of the staking chain.
    #[prost(uint64, tag = "4")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "5")]
    pub block_time: Option<Timestamp>,
}

/// The life of an account's native delegations.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DelegationLifecycle {
    /// Account, bech32.
    #[prost(string, tag = "1")]
    pub del_addr: String,
    /// Changes, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub del_life: Vec<DelegationStateUpdate>,
}

/// A validator of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Validator {
    /// Operator account, 20 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub addr: Vec<u8>,
    /// Its power.
    #[prost(int64, tag = "2")]
    pub power: i64,
}

/// A message that waits for the end of its epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueuedMessage {
    /// SHA-256 of the transaction.
    #[prost(bytes = "vec", tag = "1")]
    pub tx_id: Vec<u8>,
    /// SHA-256 of the message.
    #[prost(bytes = "vec", tag = "2")]
    pub msg_id: Vec<u8>,
    /// Height of the staking chain.
    #[prost(uint64, tag = "3")]
    pub block_height: u64,
    /// Time of that block.
    #[prost(message, optional, tag = "4")]
    pub block_time: Option<Timestamp>,
    /// The message.
    #[prost(oneof = "queued_message::Msg", tags = "5, 6, 7, 8, 9, 10, 11")]
    pub msg: Option<queued_message::Msg>,
}

/// What [`QueuedMessage`] may hold.
pub mod queued_message {
    use super::*;

    /// A message about the native coin.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Msg {
        /// Creates a validator.
        #[prost(message, tag = "5")]
        MsgCreateValidator(MsgCreateValidator),
        /// Delegates.
        #[prost(message, tag = "6")]
        MsgDelegate(MsgDelegate),
        /// Takes coins back.
        #[prost(message, tag = "7")]
        MsgUndelegate(MsgUndelegate),
        /// Moves a delegation.
        #[prost(message, tag = "8")]
        MsgBeginRedelegate(MsgBeginRedelegate),
        /// Cancels a return.
        #[prost(message, tag = "9")]
        MsgCancelUnbondingDelegation(MsgCancelUnbondingDelegation),
        /// Edits a validator.
        #[prost(message, tag = "10")]
        MsgEditValidator(MsgEditValidator),
        /// Replaces parameters.
        #[prost(message, tag = "11")]
        MsgUpdateParams(StakingMsgUpdateParams),
    }
}
named! { "babylon.epoching.v1";
    Params, ExecuteGas, Epoch, ValStateUpdate, ValidatorLifecycle, DelegationStateUpdate, DelegationLifecycle,
    Validator, QueuedMessage
}
