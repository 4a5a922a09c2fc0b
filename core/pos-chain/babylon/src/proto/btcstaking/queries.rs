//! Queries of the staking module (`wire.md` 5.2, 5.3).
use super::{
    super::btclightclient::BTCHeaderInfoResponse,
    records::{
        CommissionInfo, CovenantAdaptorSignatures, Params, ProofOfPossessionBTC, SignatureInfo, StoredParams,
    },
};
use crate::proto::{Description, PageRequest, PageResponse, named, queries};

/// Asks for the latest params.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsRequest {}

/// Latest params, also when their activation lies ahead.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsResponse {
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks for all versions.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsVersionsRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Versions, ascending.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsVersionsResponse {
    /// Versions.
    #[prost(message, repeated, tag = "1")]
    pub params: Vec<StoredParams>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for one version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsByVersionRequest {
    /// Version, from 0.
    #[prost(uint32, tag = "1")]
    pub version: u32,
}

/// One version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsByVersionResponse {
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks for the version that applies at a Bitcoin height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsByBTCHeightRequest {
    /// Bitcoin height.
    #[prost(uint32, tag = "1")]
    pub btc_height: u32,
}

/// The version that applies.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsByBTCHeightResponse {
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Version, from 0.
    #[prost(uint32, tag = "2")]
    pub version: u32,
}

/// Asks for all finality providers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProvidersRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Finality providers in key order, slashed and jailed ones included.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProvidersResponse {
    /// Finality providers.
    #[prost(message, repeated, tag = "1")]
    pub finality_providers: Vec<FinalityProviderResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for one finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
}

/// One finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderResponse {
    /// The finality provider.
    #[prost(message, optional, tag = "1")]
    pub finality_provider: Option<FinalityProviderResponse>,
}

/// Asks for delegations by status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCDelegationsRequest {
    /// A [`BTCDelegationStatus`](super::BTCDelegationStatus); 0 is pending.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Delegations by transaction id in internal byte order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCDelegationsResponse {
    /// Delegations.
    #[prost(message, repeated, tag = "1")]
    pub btc_delegations: Vec<BTCDelegationResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the delegations to one finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderDelegationsRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Delegations by holder, every status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderDelegationsResponse {
    /// One entry a holder.
    #[prost(message, repeated, tag = "1")]
    pub btc_delegator_delegations: Vec<BTCDelegatorDelegationsResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Delegations of one holder.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegatorDelegationsResponse {
    /// Delegations.
    #[prost(message, repeated, tag = "1")]
    pub dels: Vec<BTCDelegationResponse>,
}

/// Asks for one delegation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCDelegationRequest {
    /// Staking transaction id, reversed hex.
    #[prost(string, tag = "1")]
    pub staking_tx_hash_hex: String,
}

/// One delegation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBTCDelegationResponse {
    /// The delegation.
    #[prost(message, optional, tag = "1")]
    pub btc_delegation: Option<BTCDelegationResponse>,
}

/// Asks for the deepest reorganisation seen.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLargestBtcReOrgRequest {}

/// The deepest reorganisation seen.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryLargestBtcReOrgResponse {
    /// Depth.
    #[prost(uint32, tag = "1")]
    pub block_diff: u32,
    /// Previous tip.
    #[prost(message, optional, tag = "2")]
    pub rollback_from: Option<BTCHeaderInfoResponse>,
    /// Fork parent.
    #[prost(message, optional, tag = "3")]
    pub rollback_to: Option<BTCHeaderInfoResponse>,
}

/// A finality provider in answers. Number 12 is reserved.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderResponse {
    /// Who they say they are.
    #[prost(message, optional, tag = "1")]
    pub description: Option<Description>,
    /// Rate, scaled decimal.
    #[prost(string, tag = "2")]
    pub commission: String,
    /// Account that registered it, bech32.
    #[prost(string, tag = "3")]
    pub addr: String,
    /// EOTS key, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub btc_pk: Vec<u8>,
    /// Proof that the Bitcoin key agrees to the account.
    #[prost(message, optional, tag = "5")]
    pub pop: Option<ProofOfPossessionBTC>,
    /// Height of the staking chain at the slashing; 0 if not slashed.
    #[prost(uint64, tag = "6")]
    pub slashed_babylon_height: u64,
    /// Light client tip at the slashing; 0 if not slashed.
    #[prost(uint32, tag = "7")]
    pub slashed_btc_height: u32,
    /// Height the answer was read at.
    #[prost(uint64, tag = "8")]
    pub height: u64,
    /// Whether it is in jail.
    #[prost(bool, tag = "9")]
    pub jailed: bool,
    /// Highest height voted for; 0 for none.
    #[prost(uint32, tag = "10")]
    pub highest_voted_height: u32,
    /// Limits of the commission.
    #[prost(message, optional, tag = "11")]
    pub commission_info: Option<CommissionInfo>,
    /// Whether it was removed by an upgrade.
    #[prost(bool, tag = "13")]
    pub soft_deleted: bool,
}

/// A delegation in answers. There is no transaction id: compute it from `staking_tx_hex`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegationResponse {
    /// Account of the holder, bech32.
    #[prost(string, tag = "1")]
    pub staker_addr: String,
    /// Holder's key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub btc_pk: Vec<u8>,
    /// EOTS keys, 32 bytes each; the network accepts exactly one.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub fp_btc_pk_list: Vec<Vec<u8>>,
    /// Timelock of the staking output, in blocks.
    #[prost(uint32, tag = "4")]
    pub staking_time: u32,
    /// Height of the block with the staking transaction; 0 before the proof.
    #[prost(uint32, tag = "5")]
    pub start_height: u32,
    /// End of the timelock; 0 before the proof.
    #[prost(uint32, tag = "6")]
    pub end_height: u32,
    /// Value of the staking output.
    #[prost(uint64, tag = "7")]
    pub total_sat: u64,
    /// Staking transaction.
    #[prost(string, tag = "8")]
    pub staking_tx_hex: String,
    /// Slashes the staking output.
    #[prost(string, tag = "9")]
    pub slashing_tx_hex: String,
    /// Holder's signature on it.
    #[prost(string, tag = "10")]
    pub delegator_slash_sig_hex: String,
    /// Adaptor signatures on the slashing transaction, by member.
    #[prost(message, repeated, tag = "11")]
    pub covenant_sigs: Vec<CovenantAdaptorSignatures>,
    /// Index of the staking output.
    #[prost(uint32, tag = "12")]
    pub staking_output_idx: u32,
    /// Whether the status is ACTIVE.
    #[prost(bool, tag = "13")]
    pub active: bool,
    /// Upper-case name of the status.
    #[prost(string, tag = "14")]
    pub status_desc: String,
    /// Timelock of the unbonding output, in blocks.
    #[prost(uint32, tag = "15")]
    pub unbonding_time: u32,
    /// Unbonding transactions and signatures.
    #[prost(message, optional, tag = "16")]
    pub undelegation_response: Option<BTCUndelegationResponse>,
    /// Params version the delegation keeps for life.
    #[prost(uint32, tag = "17")]
    pub params_version: u32,
    /// Present for expansions.
    #[prost(message, optional, tag = "18")]
    pub stk_exp: Option<StakeExpansionResponse>,
}

/// Unbonding transactions of a delegation and their signatures.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCUndelegationResponse {
    /// Unbonding transaction.
    #[prost(string, tag = "1")]
    pub unbonding_tx_hex: String,
    /// Signatures on it.
    #[prost(message, repeated, tag = "2")]
    pub covenant_unbonding_sig_list: Vec<SignatureInfo>,
    /// Slashes the unbonding output.
    #[prost(string, tag = "3")]
    pub slashing_tx_hex: String,
    /// Holder's signature on that.
    #[prost(string, tag = "4")]
    pub delegator_slashing_sig_hex: String,
    /// Adaptor signatures on that, by member.
    #[prost(message, repeated, tag = "5")]
    pub covenant_slashing_sigs: Vec<CovenantAdaptorSignatures>,
    /// Present once unbonded.
    #[prost(message, optional, tag = "6")]
    pub delegator_unbonding_info_response: Option<DelegatorUnbondingInfoResponse>,
}

/// How a delegation was left. Its presence alone means unbonded.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DelegatorUnbondingInfoResponse {
    /// The spending transaction; empty if it was the registered unbonding transaction.
    #[prost(string, tag = "1")]
    pub spend_stake_tx_hex: String,
}

/// What is stored about an expansion.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StakeExpansionResponse {
    /// The stake being expanded, reversed hex.
    #[prost(string, tag = "1")]
    pub previous_staking_tx_hash_hex: String,
    /// Serialised output spent by input 1.
    #[prost(string, tag = "2")]
    pub other_funding_tx_out_hex: String,
    /// Signatures on input 0.
    #[prost(message, repeated, tag = "3")]
    pub previous_stk_covenant_sigs: Vec<SignatureInfo>,
}
named! { "babylon.btcstaking.v1";
    QueryParamsRequest, QueryParamsResponse, QueryParamsVersionsRequest, QueryParamsVersionsResponse,
    QueryParamsByVersionRequest, QueryParamsByVersionResponse, QueryParamsByBTCHeightRequest,
    QueryParamsByBTCHeightResponse, QueryFinalityProvidersRequest, QueryFinalityProvidersResponse,
    QueryFinalityProviderRequest, QueryFinalityProviderResponse, QueryBTCDelegationsRequest,
    QueryBTCDelegationsResponse, QueryFinalityProviderDelegationsRequest,
    QueryFinalityProviderDelegationsResponse, BTCDelegatorDelegationsResponse, QueryBTCDelegationRequest,
    QueryBTCDelegationResponse, QueryLargestBtcReOrgRequest, QueryLargestBtcReOrgResponse,
    FinalityProviderResponse, BTCDelegationResponse, BTCUndelegationResponse, DelegatorUnbondingInfoResponse,
    StakeExpansionResponse
}
queries! { "babylon.btcstaking.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryParamsVersionsRequest => QueryParamsVersionsResponse, "ParamsVersions";
    QueryParamsByVersionRequest => QueryParamsByVersionResponse, "ParamsByVersion";
    QueryParamsByBTCHeightRequest => QueryParamsByBTCHeightResponse, "ParamsByBTCHeight";
    QueryFinalityProvidersRequest => QueryFinalityProvidersResponse, "FinalityProviders";
    QueryFinalityProviderRequest => QueryFinalityProviderResponse, "FinalityProvider";
    QueryBTCDelegationsRequest => QueryBTCDelegationsResponse, "BTCDelegations";
    QueryFinalityProviderDelegationsRequest => QueryFinalityProviderDelegationsResponse, "FinalityProviderDelegations";
    QueryBTCDelegationRequest => QueryBTCDelegationResponse, "BTCDelegation";
    QueryLargestBtcReOrgRequest => QueryLargestBtcReOrgResponse, "LargestBtcReOrg";
}
