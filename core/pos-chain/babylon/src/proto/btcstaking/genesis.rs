//! Genesis state of the staking module (`wire.md` 10).
use super::{
    events::EventPowerDistUpdate,
    records::{BTCDelegation, FinalityProvider, LargestBtcReOrg, Params},
};
use crate::proto::named;

/// State of the module. Numbers 4, 10 and 11 are not in use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenesisState {
    /// Parameters; the index is the version.
    #[prost(message, repeated, tag = "1")]
    pub params: Vec<Params>,
    /// Finality providers.
    #[prost(message, repeated, tag = "2")]
    pub finality_providers: Vec<FinalityProvider>,
    /// Delegations.
    #[prost(message, repeated, tag = "3")]
    pub btc_delegations: Vec<BTCDelegation>,
    /// Tips of the light client by height of the staking chain.
    #[prost(message, repeated, tag = "5")]
    pub block_height_chains: Vec<BlockHeightBbnToBtc>,
    /// Delegations by delegator and finality provider.
    #[prost(message, repeated, tag = "6")]
    pub btc_delegators: Vec<BTCDelegator>,
    /// Changes of power not taken up yet.
    #[prost(message, repeated, tag = "7")]
    pub events: Vec<EventIndex>,
    /// Allow list, reversed hex.
    #[prost(string, repeated, tag = "8")]
    pub allowed_staking_tx_hashes: Vec<String>,
    /// The deepest reorganisation; absent if none.
    #[prost(message, optional, tag = "9")]
    pub largest_btc_reorg: Option<LargestBtcReOrg>,
    /// Accounts that registered a finality provider, bech32.
    #[prost(string, repeated, tag = "12")]
    pub fp_bbn_addr: Vec<String>,
    /// EOTS keys of deleted finality providers, 64 hex characters each.
    #[prost(string, repeated, tag = "13")]
    pub deleted_fps_btc_pk_hex: Vec<String>,
}

/// The tip of the light client at a height of the staking chain.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BlockHeightBbnToBtc {
    /// Height of the staking chain.
    #[prost(uint64, tag = "1")]
    pub block_height_bbn: u64,
    /// Bitcoin height.
    #[prost(uint32, tag = "2")]
    pub block_height_btc: u32,
}

/// Delegations of a delegator at a finality provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegator {
    /// Delegations.
    #[prost(message, optional, tag = "1")]
    pub idx: Option<BTCDelegatorDelegationIndex>,
    /// EOTS key of the finality provider, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub fp_btc_pk: Vec<u8>,
    /// Holder's key, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub del_btc_pk: Vec<u8>,
}

/// Delegations of a delegator.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BTCDelegatorDelegationIndex {
    /// Staking transaction ids, 32 bytes each, internal order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub staking_tx_hash_list: Vec<Vec<u8>>,
}

/// A change of power not taken up yet.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventIndex {
    /// Its place at the height.
    #[prost(uint64, tag = "1")]
    pub idx: u64,
    /// Bitcoin height.
    #[prost(uint32, tag = "2")]
    pub block_height_btc: u32,
    /// The change.
    #[prost(message, optional, tag = "3")]
    pub event: Option<EventPowerDistUpdate>,
}
named! { "babylon.btcstaking.v1";
    GenesisState, BlockHeightBbnToBtc, BTCDelegator, BTCDelegatorDelegationIndex, EventIndex
}
