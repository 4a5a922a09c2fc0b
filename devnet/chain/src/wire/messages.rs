//! The messages a transaction may carry.

use super::schema::native;
use btc_staking_babylon::proto::{
    Any,
    btccheckpoint::{
        MsgInsertBTCSpvProof, MsgInsertBTCSpvProofResponse, MsgUpdateParams as MsgUpdateCheckpointParams,
        MsgUpdateParamsResponse as MsgUpdateCheckpointParamsResponse,
    },
    btclightclient::{
        MsgInsertHeaders, MsgInsertHeadersResponse, MsgUpdateParams as MsgUpdateLightClientParams,
        MsgUpdateParamsResponse as MsgUpdateLightClientParamsResponse,
    },
    btcstaking::{
        MsgUpdateParams as MsgUpdateStakingParams, MsgUpdateParamsResponse as MsgUpdateStakingParamsResponse,
        *,
    },
    costaking::{
        MsgUpdateParams as MsgUpdateCostakingParams,
        MsgUpdateParamsResponse as MsgUpdateCostakingParamsResponse,
    },
    epoching::{
        MsgUpdateParams as MsgUpdateEpochParams, MsgUpdateParamsResponse as MsgUpdateEpochParamsResponse,
    },
    finality::{
        MsgAddFinalitySig, MsgAddFinalitySigResponse, MsgCommitPubRandList, MsgCommitPubRandListResponse,
        MsgResumeFinalityProposal, MsgResumeFinalityProposalResponse, MsgUnjailFinalityProvider,
        MsgUnjailFinalityProviderResponse, MsgUpdateParams as MsgUpdateFinalityParams,
        MsgUpdateParamsResponse as MsgUpdateFinalityParamsResponse,
    },
    incentive::{
        MsgSetWithdrawAddress, MsgSetWithdrawAddressResponse, MsgUpdateParams as MsgUpdateIncentiveParams,
        MsgUpdateParamsResponse as MsgUpdateIncentiveParamsResponse, MsgWithdrawReward,
        MsgWithdrawRewardResponse,
    },
};
use cosmrs::proto::cosmos::{
    bank::v1beta1::{MsgSend, MsgSendResponse},
    feegrant::v1beta1::{
        MsgGrantAllowance, MsgGrantAllowanceResponse, MsgRevokeAllowance, MsgRevokeAllowanceResponse,
    },
};
use prost::{Message, Name};

/// Whether the fee of a kind of message may come back (`chain.md` 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeeRule {
    Refundable,
    Kept,
}

/// A message that can be read but that nobody handles. It is refused before anybody asks who signs it.
#[derive(Debug, Clone)]
pub(crate) struct Unhandled {
    type_url: String,
}

impl Unhandled {
    fn of(any: &Any) -> Result<Self, String> {
        let name = any.type_url.trim_start_matches('/');
        if native::WITHOUT_HANDLER.iter().any(|schema| schema.name == name) {
            return Ok(Self { type_url: any.type_url.clone() });
        }
        Err(format!("unable to resolve type URL {}", any.type_url))
    }

    /// The name by which the reference refuses it.
    pub(crate) fn go_type(&self) -> String {
        format!("*types.{}", self.type_url.rsplit('.').next().unwrap_or_default())
    }
}

macro_rules! messages {
    ($($kind:ident => $message:ident, $response:ident, $signer:ident, $module:literal, $fee:ident;)*) => {
        /// A decoded message.
        #[derive(Debug, Clone)]
        pub(crate) enum Msg {
            $($kind(Box<$message>),)*
            /// Read, but nobody handles it.
            WithoutHandler(Unhandled),
        }

        impl Msg {
            /// Decodes a message by its type URL; the fields have been checked against their schema.
            pub(crate) fn decode(any: &Any) -> Result<Self, String> {
                $(if any.type_url == $message::type_url() {
                    let message = $message::decode(any.value.as_slice()).map_err(|err| err.to_string())?;
                    return Ok(Self::$kind(Box::new(message)));
                })*
                Unhandled::of(any).map(Self::WithoutHandler)
            }
            /// The account that must sign.
            pub(crate) fn signer(&self) -> &str {
                match self {
                    $(Self::$kind(message) => &message.$signer,)*
                    Self::WithoutHandler(_) => "",
                }
            }
            /// Full type URL.
            pub(crate) fn type_url(&self) -> String {
                match self {
                    $(Self::$kind(_) => $message::type_url(),)*
                    Self::WithoutHandler(unhandled) => unhandled.type_url.clone(),
                }
            }
            /// Type URL of the response.
            pub(crate) fn response_type_url(&self) -> String {
                match self {
                    $(Self::$kind(_) => $response::type_url(),)*
                    Self::WithoutHandler(_) => String::new(),
                }
            }
            /// Module that handles it, as in `message` events.
            pub(crate) const fn module(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $module,)*
                    Self::WithoutHandler(_) => "",
                }
            }
            /// Whether the kind is one whose fee may come back.
            pub(crate) fn is_refundable_kind(&self) -> bool {
                match self {
                    $(Self::$kind(_) => FeeRule::$fee == FeeRule::Refundable,)*
                    Self::WithoutHandler(_) => false,
                }
            }
        }
    };
}

messages! {
    Send => MsgSend, MsgSendResponse, from_address, "bank", Kept;
    GrantAllowance => MsgGrantAllowance, MsgGrantAllowanceResponse, granter, "feegrant", Kept;
    RevokeAllowance => MsgRevokeAllowance, MsgRevokeAllowanceResponse, granter, "feegrant", Kept;
    CreateFinalityProvider => MsgCreateFinalityProvider, MsgCreateFinalityProviderResponse, addr, "btcstaking", Kept;
    EditFinalityProvider => MsgEditFinalityProvider, MsgEditFinalityProviderResponse, addr, "btcstaking", Kept;
    CreateDelegation => MsgCreateBTCDelegation, MsgCreateBTCDelegationResponse, staker_addr, "btcstaking", Kept;
    ExpandStake => MsgBtcStakeExpand, MsgBtcStakeExpandResponse, staker_addr, "btcstaking", Kept;
    AddInclusionProof => MsgAddBTCDelegationInclusionProof, MsgAddBTCDelegationInclusionProofResponse, signer, "btcstaking", Refundable;
    AddCovenantSigs => MsgAddCovenantSigs, MsgAddCovenantSigsResponse, signer, "btcstaking", Refundable;
    Undelegate => MsgBTCUndelegate, MsgBTCUndelegateResponse, signer, "btcstaking", Refundable;
    SelectiveSlashing => MsgSelectiveSlashingEvidence, MsgSelectiveSlashingEvidenceResponse, signer, "btcstaking", Refundable;
    CommitRandomness => MsgCommitPubRandList, MsgCommitPubRandListResponse, signer, "finality", Kept;
    AddFinalitySig => MsgAddFinalitySig, MsgAddFinalitySigResponse, signer, "finality", Refundable;
    Unjail => MsgUnjailFinalityProvider, MsgUnjailFinalityProviderResponse, signer, "finality", Kept;
    InsertHeaders => MsgInsertHeaders, MsgInsertHeadersResponse, signer, "btclightclient", Refundable;
    WithdrawReward => MsgWithdrawReward, MsgWithdrawRewardResponse, address, "incentive", Kept;
    InsertSpvProof => MsgInsertBTCSpvProof, MsgInsertBTCSpvProofResponse, submitter, "btccheckpoint", Refundable;
    UpdateStakingParams => MsgUpdateStakingParams, MsgUpdateStakingParamsResponse, authority, "btcstaking", Kept;
    UpdateFinalityParams => MsgUpdateFinalityParams, MsgUpdateFinalityParamsResponse, authority, "finality", Kept;
    UpdateCheckpointParams => MsgUpdateCheckpointParams, MsgUpdateCheckpointParamsResponse, authority, "btccheckpoint", Kept;
    UpdateLightClientParams => MsgUpdateLightClientParams, MsgUpdateLightClientParamsResponse, authority, "btclightclient", Kept;
    UpdateIncentiveParams => MsgUpdateIncentiveParams, MsgUpdateIncentiveParamsResponse, authority, "incentive", Kept;
    UpdateCostakingParams => MsgUpdateCostakingParams, MsgUpdateCostakingParamsResponse, authority, "costaking", Kept;
    UpdateEpochParams => MsgUpdateEpochParams, MsgUpdateEpochParamsResponse, authority, "epoching", Kept;
    ResumeFinality => MsgResumeFinalityProposal, MsgResumeFinalityProposalResponse, authority, "finality", Kept;
    SetWithdrawAddress => MsgSetWithdrawAddress, MsgSetWithdrawAddressResponse, delegator_address, "incentive", Kept;
}
