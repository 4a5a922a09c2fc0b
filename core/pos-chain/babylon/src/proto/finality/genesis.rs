//! Events of finality and its genesis state (`wire.md` 6.3, 10).
use super::records::{Evidence, FinalityProviderSigningInfo, IndexedBlock, Params, PubRandCommit};
use crate::proto::named;

/// A finality provider voted twice.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventSlashedFinalityProvider {
    /// Both votes.
    #[prost(message, optional, tag = "1")]
    pub evidence: Option<Evidence>,
}

/// A finality provider went to jail.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventJailedFinalityProvider {
    /// EOTS key, 64 hex characters.
    #[prost(string, tag = "1")]
    pub public_key: String,
}

/// State of the module.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; always on the wire.
    #[prost(message, optional, tag = "1")]
    pub params: Option<Params>,
    /// Blocks that can be voted on.
    #[prost(message, repeated, tag = "2")]
    pub indexed_blocks: Vec<IndexedBlock>,
    /// Evidence, complete or not.
    #[prost(message, repeated, tag = "3")]
    pub evidences: Vec<Evidence>,
    /// Votes.
    #[prost(message, repeated, tag = "4")]
    pub vote_sigs: Vec<VoteSig>,
    /// Randomness shown in votes.
    #[prost(message, repeated, tag = "5")]
    pub public_randomness: Vec<PublicRandomness>,
    /// Randomness commitments.
    #[prost(message, repeated, tag = "6")]
    pub pub_rand_commit: Vec<PubRandCommitWithPK>,
    /// Liveness.
    #[prost(message, repeated, tag = "7")]
    pub signing_infos: Vec<SigningInfo>,
    /// Misses in the window.
    #[prost(message, repeated, tag = "8")]
    pub missed_blocks: Vec<FinalityProviderMissedBlocks>,
    /// Power tables.
    #[prost(message, repeated, tag = "9")]
    pub voting_powers: Vec<VotingPowerFP>,
    /// Rankings of heights not rewarded yet.
    #[prost(message, repeated, tag = "10")]
    pub vp_dst_cache: Vec<VotingPowerDistCacheBlkHeight>,
    /// Height.
    #[prost(uint64, tag = "11")]
    pub next_height_to_finalize: u64,
    /// Height.
    #[prost(uint64, tag = "12")]
    pub next_height_to_reward: u64,
    /// First heights of commitments.
    #[prost(message, repeated, tag = "13")]
    pub pub_rand_commit_indexes: Vec<PubRandCommitIdx>,
}

/// A vote.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VoteSig {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub block_height: u64,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// EOTS signature, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub finality_sig: Vec<u8>,
}

/// Randomness shown in a vote.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PublicRandomness {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub block_height: u64,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub pub_rand: Vec<u8>,
}

/// A randomness commitment.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PubRandCommitWithPK {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
    /// It.
    #[prost(message, optional, tag = "2")]
    pub pub_rand_commit: Option<PubRandCommit>,
}

/// First heights of a finality provider's commitments.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PubRandCommitIdx {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
    /// Heights.
    #[prost(message, optional, tag = "2")]
    pub index: Option<PubRandCommitIndexValue>,
}

/// First heights of commitments.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PubRandCommitIndexValue {
    /// Ascending; packed on the wire.
    #[prost(uint64, repeated, tag = "1")]
    pub heights: Vec<u64>,
}

/// Liveness of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SigningInfo {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
    /// Always on the wire.
    #[prost(message, optional, tag = "2")]
    pub fp_signing_info: Option<FinalityProviderSigningInfo>,
}

/// Misses of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderMissedBlocks {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
    /// Misses.
    #[prost(message, repeated, tag = "2")]
    pub missed_blocks: Vec<MissedBlock>,
}

/// A place in the window.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MissedBlock {
    /// Place.
    #[prost(int64, tag = "1")]
    pub index: i64,
    /// Whether it was missed.
    #[prost(bool, tag = "2")]
    pub missed: bool,
}

/// An entry of a power table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VotingPowerFP {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub block_height: u64,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// In satoshi.
    #[prost(uint64, tag = "3")]
    pub voting_power: u64,
}

/// The ranking of a height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VotingPowerDistCacheBlkHeight {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub block_height: u64,
    /// Ranking.
    #[prost(message, optional, tag = "2")]
    pub vp_distribution: Option<VotingPowerDistCache>,
}

/// A ranking of finality providers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VotingPowerDistCache {
    /// Power of the active ones, in satoshi.
    #[prost(uint64, tag = "1")]
    pub total_voting_power: u64,
    /// By rank; the active ones first.
    #[prost(message, repeated, tag = "2")]
    pub finality_providers: Vec<FinalityProviderDistInfo>,
    /// How many are active.
    #[prost(uint32, tag = "3")]
    pub num_active_fps: u32,
}

/// A finality provider in a ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderDistInfo {
    /// EOTS key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub btc_pk: Vec<u8>,
    /// Account, raw bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub addr: Vec<u8>,
    /// Rate, scaled decimal.
    #[prost(string, optional, tag = "3")]
    pub commission: Option<String>,
    /// Active stake in satoshi.
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
    EventSlashedFinalityProvider, EventJailedFinalityProvider, GenesisState, VoteSig, PublicRandomness,
    PubRandCommitWithPK, PubRandCommitIdx, PubRandCommitIndexValue, SigningInfo, FinalityProviderMissedBlocks,
    MissedBlock, VotingPowerFP, VotingPowerDistCacheBlkHeight, VotingPowerDistCache, FinalityProviderDistInfo
}
