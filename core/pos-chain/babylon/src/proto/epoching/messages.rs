//! Messages about the native coin, wrapped so that the end of the epoch carries them out (`wire.md` 3.12, 3.13).
use super::records::Params;
use crate::proto::{
    MsgBeginRedelegate, MsgCancelUnbondingDelegation, MsgDelegate, MsgEditValidator, MsgUndelegate,
    StakingMsgUpdateParams, named,
};

/// Delegates the native coin at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedDelegate {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<MsgDelegate>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedDelegateResponse {}

/// Takes native coins back at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedUndelegate {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<MsgUndelegate>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedUndelegateResponse {}

/// Moves a native delegation at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedBeginRedelegate {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<MsgBeginRedelegate>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedBeginRedelegateResponse {}

/// Keeps native coins delegated after all, at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedCancelUnbondingDelegation {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<MsgCancelUnbondingDelegation>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedCancelUnbondingDelegationResponse {}

/// Edits a validator at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedEditValidator {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<MsgEditValidator>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedEditValidatorResponse {}

/// Replaces the parameters of native staking at the end of the epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedStakingUpdateParams {
    /// What is carried out; holds the signer.
    #[prost(message, optional, tag = "1")]
    pub msg: Option<StakingMsgUpdateParams>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgWrappedStakingUpdateParamsResponse {}

/// Replaces the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParams {
    /// Account of the governance module, bech32.
    #[prost(string, tag = "1")]
    pub authority: String,
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "2")]
    pub params: Option<Params>,
}

/// Empty answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgUpdateParamsResponse {}
named! { "babylon.epoching.v1";
    MsgWrappedDelegate, MsgWrappedDelegateResponse, MsgWrappedUndelegate, MsgWrappedUndelegateResponse,
    MsgWrappedBeginRedelegate, MsgWrappedBeginRedelegateResponse, MsgWrappedCancelUnbondingDelegation,
    MsgWrappedCancelUnbondingDelegationResponse, MsgWrappedEditValidator, MsgWrappedEditValidatorResponse,
    MsgWrappedStakingUpdateParams, MsgWrappedStakingUpdateParamsResponse, MsgUpdateParams,
    MsgUpdateParamsResponse
}
