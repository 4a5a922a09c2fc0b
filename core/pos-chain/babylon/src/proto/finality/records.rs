//! Records of the finality module (`wire.md` 2.2).
use crate::proto::{Duration, Timestamp, named};

/// Filter of block queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum QueriedBlockStatus {
    /// Not final yet.
    NonFinalized = 0,
    /// Final.
    Finalized = 1,
    /// Both.
    Any = 2,
}

/// Parameters.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Params {
    /// Size of the active set.
    #[prost(uint32, tag = "1")]
    pub max_active_finality_providers: u32,
    /// Sliding window of liveness, in blocks.
    #[prost(int64, tag = "2")]
    pub signed_blocks_window: i64,
    /// Blocks before a miss is final.
    #[prost(int64, tag = "3")]
    pub finality_sig_timeout: i64,
    /// Scaled decimal as text in a bytes field.
    #[prost(bytes = "vec", tag = "4")]
    pub min_signed_per_window: Vec<u8>,
    /// Smallest randomness commitment.
    #[prost(uint64, tag = "5")]
    pub min_pub_rand: u64,
    /// Time in jail.
    #[prost(message, optional, tag = "6")]
    pub jail_duration: Option<Duration>,
    /// First height with votes.
    #[prost(uint64, tag = "7")]
    pub finality_activation_height: u64,
}

/// A block that can be voted on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IndexedBlock {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// App hash in the header of that height, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub app_hash: Vec<u8>,
    /// Whether votes made it final.
    #[prost(bool, tag = "3")]
    pub finalized: bool,
}

/// A randomness commitment as stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PubRandCommit {
    /// First height.
    #[prost(uint64, tag = "1")]
    pub start_height: u64,
    /// Number of values.
    #[prost(uint64, tag = "2")]
    pub num_pub_rand: u64,
    /// Merkle root, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub commitment: Vec<u8>,
    /// Epoch it was made in.
    #[prost(uint64, tag = "4")]
    pub epoch_num: u64,
}

/// Two votes at one height.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Evidence {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
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
    /// Vote for the chain's block, 32 bytes; absent while incomplete. Never present and empty.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub canonical_finality_sig: Option<Vec<u8>>,
    /// Vote for the other block, 32 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub fork_finality_sig: Vec<u8>,
}

/// Liveness of a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FinalityProviderSigningInfo {
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub fp_btc_pk: Vec<u8>,
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
named! { "babylon.finality.v1";
    Params, IndexedBlock, PubRandCommit, Evidence, FinalityProviderSigningInfo
}
