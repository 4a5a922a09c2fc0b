//! Queries of the finality module (`wire.md` 5.4).
use super::records::{IndexedBlock, Params};
use crate::proto::{PageRequest, PageResponse, Timestamp, named, queries};
use std::collections::BTreeMap;

/// Asks for the parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsRequest {}

/// The parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryParamsResponse {
    /// Parameters.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
}

/// Asks for the power table of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryActiveFinalityProvidersAtHeightRequest {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// The power table; empty at a height without table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryActiveFinalityProvidersAtHeightResponse {
    /// Entries.
    #[prost(message, repeated, tag = "1")]
    pub finality_providers: Vec<ActiveFinalityProvidersAtHeightResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the power of one provider at a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderPowerAtHeightRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub height: u64,
}

/// The power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderPowerAtHeightResponse {
    /// Power in satoshis.
    #[prost(uint64, tag = "1")]
    pub voting_power: u64,
}

/// Asks for the newest known power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderCurrentPowerRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
}

/// The newest known power.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryFinalityProviderCurrentPowerResponse {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// Power in satoshis.
    #[prost(uint64, tag = "2")]
    pub voting_power: u64,
}

/// Asks for the first height with a power table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryActivatedHeightRequest {}

/// The first height with a power table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryActivatedHeightResponse {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
}

/// Asks for revealed public randomness.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListPublicRandomnessRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Public randomness by height, for heights voted on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListPublicRandomnessResponse {
    /// 32 bytes by height.
    #[prost(btree_map = "uint64, bytes", tag = "1")]
    pub pub_rand_map: BTreeMap<u64, Vec<u8>>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for randomness commitments.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListPubRandCommitRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Randomness commitments by first height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListPubRandCommitResponse {
    /// Commitments by first height.
    #[prost(btree_map = "uint64, message", tag = "1")]
    pub pub_rand_commit_map: BTreeMap<u64, PubRandCommitResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for an indexed block.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBlockRequest {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
}

/// An indexed block.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryBlockResponse {
    /// The block.
    #[prost(message, optional, tag = "1")]
    pub block: Option<IndexedBlock>,
}

/// Asks for indexed blocks.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListBlocksRequest {
    /// A [`QueriedBlockStatus`](super::QueriedBlockStatus); 0 is not finalised.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Indexed blocks by height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListBlocksResponse {
    /// Blocks.
    #[prost(message, repeated, tag = "1")]
    pub blocks: Vec<IndexedBlock>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks who voted for a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryVotesAtHeightRequest {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
}

/// Who voted, in random order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryVotesAtHeightResponse {
    /// EOTS keys, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub btc_pks: Vec<Vec<u8>>,
}

/// Asks for the first complete evidence against a provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEvidenceRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
}

/// The first complete evidence.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryEvidenceResponse {
    /// The evidence.
    #[prost(message, optional, tag = "1")]
    pub evidence: Option<EvidenceResponse>,
}

/// Asks for all evidence from a height on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListEvidencesRequest {
    /// First height.
    #[prost(uint64, tag = "1")]
    pub start_height: u64,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageRequest>,
}

/// Evidence; duplicates are possible.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryListEvidencesResponse {
    /// Evidence.
    #[prost(message, repeated, tag = "1")]
    pub evidences: Vec<EvidenceResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the liveness of one provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QuerySigningInfoRequest {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
}

/// Liveness of one provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QuerySigningInfoResponse {
    /// Liveness.
    #[prost(message, optional, tag = "1")]
    pub signing_info: Option<SigningInfoResponse>,
}

/// Asks for the liveness of all.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QuerySigningInfosRequest {
    /// Page.
    #[prost(message, optional, tag = "1")]
    pub pagination: Option<PageRequest>,
}

/// Liveness of all.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QuerySigningInfosResponse {
    /// Liveness.
    #[prost(message, repeated, tag = "1")]
    pub signing_infos: Vec<SigningInfoResponse>,
    /// Page.
    #[prost(message, optional, tag = "2")]
    pub pagination: Option<PageResponse>,
}

/// Asks for the ranking of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryVotingPowerDistributionRequest {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
}

/// The ranking; only for heights not rewarded yet.
#[derive(Clone, PartialEq, prost::Message)]
pub struct QueryVotingPowerDistributionResponse {
    /// Of the active ones.
    #[prost(uint64, tag = "1")]
    pub total_voting_power: u64,
    /// By rank.
    #[prost(message, repeated, tag = "2")]
    pub finality_providers: Vec<FinalityProviderDistInfoResponse>,
    /// How many of them are active.
    #[prost(uint64, tag = "3")]
    pub num_active_fps: u64,
}

/// An entry of a power table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ActiveFinalityProvidersAtHeightResponse {
    /// The 32 raw key bytes. Declared as a string, which it is not: a strict decoder would refuse it.
    #[prost(bytes = "vec", tag = "1")]
    pub btc_pk_hex: Vec<u8>,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// Power in satoshis.
    #[prost(uint64, tag = "3")]
    pub voting_power: u64,
    /// Height of the staking chain at the slashing; 0 if not slashed.
    #[prost(uint64, tag = "4")]
    pub slashed_babylon_height: u64,
    /// Light client tip at the slashing; 0 if not slashed.
    #[prost(uint32, tag = "5")]
    pub slashed_btc_height: u32,
    /// Always false.
    #[prost(bool, tag = "6")]
    pub jailed: bool,
    /// Highest height voted for; 0 for none.
    #[prost(uint32, tag = "7")]
    pub highest_voted_height: u32,
}

/// A randomness commitment in answers; the first height is the key of the map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PubRandCommitResponse {
    /// Number of values.
    #[prost(uint64, tag = "1")]
    pub num_pub_rand: u64,
    /// Merkle root, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub commitment: Vec<u8>,
    /// Epoch it was made in.
    #[prost(uint64, tag = "3")]
    pub epoch_num: u64,
}

/// Evidence in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EvidenceResponse {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// Height of the staking chain.
    #[prost(uint64, tag = "2")]
    pub block_height: u64,
    /// Public randomness, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub pub_rand: Vec<u8>,
    /// App hash of the chain's block, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub canonical_app_hash: Vec<u8>,
    /// App hash of the other block, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub fork_app_hash: Vec<u8>,
    /// Vote for the chain's block, 32 bytes. Never present and empty.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub canonical_finality_sig: Option<Vec<u8>>,
    /// Vote for the other block, 32 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub fork_finality_sig: Vec<u8>,
}

/// Liveness in answers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SigningInfoResponse {
    /// EOTS key of the finality provider, 64 hex characters.
    #[prost(string, tag = "1")]
    pub fp_btc_pk_hex: String,
    /// First height counted.
    #[prost(int64, tag = "2")]
    pub start_height: i64,
    /// Misses in the window.
    #[prost(int64, tag = "3")]
    pub missed_blocks_counter: i64,
    /// End of the jailing.
    #[prost(message, optional, tag = "4")]
    pub jailed_until: Option<Timestamp>,
}

/// An entry of a ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderDistInfoResponse {
    /// EOTS key, 64 hex characters.
    #[prost(string, tag = "1")]
    pub btc_pk_hex: String,
    /// Account, bech32.
    #[prost(string, tag = "2")]
    pub addr: String,
    /// Rate, scaled decimal.
    #[prost(string, tag = "3")]
    pub commission: String,
    /// Active stake.
    #[prost(uint64, tag = "4")]
    pub total_bonded_sat: u64,
    /// Whether it has usable randomness.
    #[prost(bool, tag = "5")]
    pub is_timestamped: bool,
    /// Whether it is in jail.
    #[prost(bool, tag = "6")]
    pub is_jailed: bool,
    /// Whether it is slashed.
    #[prost(bool, tag = "7")]
    pub is_slashed: bool,
}
named! { "babylon.finality.v1";
    QueryParamsRequest, QueryParamsResponse, QueryActiveFinalityProvidersAtHeightRequest,
    QueryActiveFinalityProvidersAtHeightResponse, QueryFinalityProviderPowerAtHeightRequest,
    QueryFinalityProviderPowerAtHeightResponse, QueryFinalityProviderCurrentPowerRequest,
    QueryFinalityProviderCurrentPowerResponse, QueryActivatedHeightRequest, QueryActivatedHeightResponse,
    QueryListPublicRandomnessRequest, QueryListPublicRandomnessResponse, QueryListPubRandCommitRequest,
    QueryListPubRandCommitResponse, QueryBlockRequest, QueryBlockResponse, QueryListBlocksRequest,
    QueryListBlocksResponse, QueryVotesAtHeightRequest, QueryVotesAtHeightResponse, QueryEvidenceRequest,
    QueryEvidenceResponse, QueryListEvidencesRequest, QueryListEvidencesResponse, QuerySigningInfoRequest,
    QuerySigningInfoResponse, QuerySigningInfosRequest, QuerySigningInfosResponse,
    QueryVotingPowerDistributionRequest, QueryVotingPowerDistributionResponse,
    ActiveFinalityProvidersAtHeightResponse, PubRandCommitResponse, EvidenceResponse, SigningInfoResponse,
    FinalityProviderDistInfoResponse
}
queries! { "babylon.finality.v1";
    QueryParamsRequest => QueryParamsResponse, "Params";
    QueryActiveFinalityProvidersAtHeightRequest => QueryActiveFinalityProvidersAtHeightResponse, "ActiveFinalityProvidersAtHeight";
    QueryFinalityProviderPowerAtHeightRequest => QueryFinalityProviderPowerAtHeightResponse, "FinalityProviderPowerAtHeight";
    QueryFinalityProviderCurrentPowerRequest => QueryFinalityProviderCurrentPowerResponse, "FinalityProviderCurrentPower";
    QueryActivatedHeightRequest => QueryActivatedHeightResponse, "ActivatedHeight";
    QueryListPublicRandomnessRequest => QueryListPublicRandomnessResponse, "ListPublicRandomness";
    QueryListPubRandCommitRequest => QueryListPubRandCommitResponse, "ListPubRandCommit";
    QueryBlockRequest => QueryBlockResponse, "Block";
    QueryListBlocksRequest => QueryListBlocksResponse, "ListBlocks";
    QueryVotesAtHeightRequest => QueryVotesAtHeightResponse, "VotesAtHeight";
    QueryEvidenceRequest => QueryEvidenceResponse, "Evidence";
    QueryListEvidencesRequest => QueryListEvidencesResponse, "ListEvidences";
    QuerySigningInfoRequest => QuerySigningInfoResponse, "SigningInfo";
    QuerySigningInfosRequest => QuerySigningInfosResponse, "SigningInfos";
    QueryVotingPowerDistributionRequest => QueryVotingPowerDistributionResponse, "VotingPowerDistribution";
}
