//! What the finality module stores.

use crate::{
    error::{Broken, Failure},
    genesis::Genesis,
    state::{State, Table},
};
use btc_staking_babylon::{
    convert::decimal::encode_decimal,
    proto::{
        Duration,
        finality::{Evidence, FinalityProviderSigningInfo, IndexedBlock, Params, PubRandCommit},
    },
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use prost::Message;

type Key = FinalityProviderPublicKey;

/// The parameters.
pub(super) const PARAMS: Table<(), Params> = Table::new("fp");
/// Randomness commitments by first height.
pub(crate) const COMMITS: Table<(Key, PosHeight), PubRandCommit> = Table::new("fc");
/// Public randomness of accepted votes.
pub(crate) const RANDOMNESS: Table<(Key, PosHeight), Vec<u8>> = Table::new("fr");
/// Canonical votes: signatures by height.
pub(crate) const VOTES: Table<(PosHeight, Key), Vec<u8>> = Table::new("fv");
/// Evidence, complete or not.
pub(crate) const EVIDENCE: Table<(Key, PosHeight), Evidence> = Table::new("fe");
/// Indexed blocks.
pub(crate) const BLOCKS: Table<PosHeight, IndexedBlock> = Table::new("fb");
/// Power in satoshis of the active finality providers at each height. Never pruned.
pub(crate) const POWER: Table<(PosHeight, Key), u64> = Table::new("fw");
/// Who has bonded satoshis, ranked; kept until the height is settled.
pub(crate) const DISTRIBUTION: Table<PosHeight, Distribution> = Table::new("fd");
/// Since when a finality provider is active, and what it missed.
pub(crate) const SIGNING_INFO: Table<Key, FinalityProviderSigningInfo> = Table::new("fs");
/// One bit per position of the liveness window.
pub(crate) const MISSED: Table<Key, Vec<u8>> = Table::new("fm");
/// First height with a power table.
pub(crate) const ACTIVATED: Table<(), u64> = Table::new("fa");
/// Last height with a power table.
pub(crate) const LAST_TABLE: Table<(), u64> = Table::new("fl");
/// First height that is neither final nor skipped.
pub(crate) const NEXT_TO_FINALISE: Table<(), u64> = Table::new("fn");
/// First height that is not settled.
pub(crate) const NEXT_TO_SETTLE: Table<(), u64> = Table::new("fx");

/// Everyone with bonded satoshis at a height, ranked; the first `active` are in the power table.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Distribution {
    #[prost(message, repeated, tag = "1")]
    pub(crate) providers: Vec<Ranked>,
    #[prost(uint32, tag = "2")]
    pub(crate) active: u32,
}

/// One finality provider of a distribution.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ranked {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
    /// As on the wire.
    #[prost(string, tag = "3")]
    pub(crate) commission: String,
    #[prost(uint64, tag = "4")]
    pub(crate) sats: u64,
    #[prost(bool, tag = "5")]
    pub(crate) timestamped: bool,
    #[prost(bool, tag = "6")]
    pub(crate) jailed: bool,
}

impl Distribution {
    /// The finality providers in the power table.
    pub(crate) fn active(&self) -> &[Ranked] {
        &self.providers[..self.split()]
    }
    /// The others.
    pub(crate) fn inactive(&self) -> &[Ranked] {
        &self.providers[self.split()..]
    }
    fn split(&self) -> usize {
        usize::try_from(self.active).unwrap_or(usize::MAX).min(self.providers.len())
    }
}

/// Stores the parameters of genesis.
pub(crate) fn init(state: &mut State<'_>, genesis: &Genesis) -> Result<(), Failure> {
    let finality = &genesis.finality;
    let params = Params {
        max_active_finality_providers: finality.max_active_finality_providers,
        signed_blocks_window: finality.signed_blocks_window.into(),
        finality_sig_timeout: finality.finality_sig_timeout.into(),
        min_signed_per_window: encode_decimal(finality.min_signed_per_window).into_bytes(),
        min_pub_rand: finality.min_pub_rand,
        jail_duration: Some(Duration { seconds: finality.jail_duration_s.into(), nanos: 0 }),
        finality_activation_height: finality.activation_height.to_u64(),
    };
    PARAMS.put(state, &(), &params)
}

/// The parameters.
pub(crate) fn params(state: &State<'_>) -> Result<Params, Failure> {
    Ok(PARAMS.get(state, &())?.ok_or_else(|| corrupt("parameters are missing"))?)
}

/// Replaces the parameters.
pub(crate) fn set_params(state: &mut State<'_>, params: &Params) -> Result<(), Failure> {
    PARAMS.put(state, &(), params)
}

/// A stored 32-byte value.
pub(crate) fn array(bytes: &[u8]) -> Result<[u8; 32], Broken> {
    bytes.try_into().map_err(|_| corrupt("value has not 32 bytes"))
}

/// A stored key.
pub(crate) fn stored_key(bytes: &[u8]) -> Result<Key, Broken> {
    Key::from_slice(bytes).map_err(corrupt)
}

pub(crate) fn corrupt(reason: impl ToString) -> Broken {
    Broken::Corrupt { table: "finality", reason: reason.to_string() }
}
