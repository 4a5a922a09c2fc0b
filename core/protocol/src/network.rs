//! The networks this software knows, and any other a user describes in a file.
//!
//! A profile is what a role must know before it talks to anyone: names, the Bitcoin network underneath, depths,
//! finality parameters and the params history. Mainnet (`bbn-1`) and testnet (`bbn-test-6`) come with the crate as
//! `networks/*.json`; a user's file has the same form. Values under governance control are a starting point only: the
//! chain is asked at start-up.
//!
//! Unknown fields are refused, so that a misspelt one cannot be ignored; sections for people (`coin`, `gov`, `sources`
//! and so on) are skipped as they are.

mod file;

use crate::{
    height::{BtcDepth, BtcHeight, PosHeight},
    params::{InvalidHistory, InvalidParams, ParamsHistory, ParamsVersion, StakingParams},
    rate::Decimal,
};
use bitcoin::{BlockHash, Work};
use std::{fmt, ops::Deref, str::FromStr};
use thiserror::Error;

/// A public network whose profile comes with the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Babylon Genesis, `bbn-1`, on Bitcoin mainnet.
    Mainnet,
    /// `bbn-test-6`, on Bitcoin signet.
    Testnet,
}

/// A checked description of one staking network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkProfile(NetworkFields);

/// The fields of a network, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFields {
    /// Chain id of the staking chain.
    pub chain_id: String,
    /// Human-readable part of its account addresses.
    pub account_prefix: String,
    /// Smallest unit of its coin.
    pub base_denom: String,
    /// Least price of one unit of gas, in `base_denom`.
    pub min_gas_price: Decimal,
    /// The Bitcoin network underneath.
    pub bitcoin: bitcoin::Network,
    /// First header of the chain's Bitcoin light client.
    pub light_client_base: LightClientBase,
    /// `k`: depth at which a Bitcoin transaction counts.
    pub confirmation_depth: BtcDepth,
    /// `w`: depth at which the checkpoint of an epoch is final.
    pub finalization_timeout: BtcDepth,
    /// Opens checkpoints on Bitcoin.
    pub checkpoint_tag: [u8; 4],
    /// Blocks in an epoch.
    pub epoch_interval: u64,
    /// Parameters of finality.
    pub finality: FinalityProfile,
    /// Versions of the staking parameters.
    pub params: ParamsHistory,
    /// Present where stakes were accepted before the chain existed.
    pub phase1: Option<Phase1Profile>,
}

/// The header a light client starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LightClientBase {
    /// Its height, a multiple of 2016.
    pub height: BtcHeight,
    /// Its hash.
    pub hash: BlockHash,
    /// The work the chain counts for it.
    pub work: Work,
}

/// Parameters of finality (`chain.md` 10.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalityProfile {
    /// Size of the active set.
    pub max_active_finality_providers: u32,
    /// Sliding window of liveness, in blocks.
    pub signed_blocks_window: u64,
    /// Blocks before a missing vote is final.
    pub finality_sig_timeout: u64,
    /// Share of the window that must be signed.
    pub min_signed_per_window: Decimal,
    /// Smallest randomness commitment.
    pub min_pub_rand: u64,
    /// Seconds in jail.
    pub jail_duration_s: u64,
    /// First height with votes.
    pub activation_height: PosHeight,
}

/// How phase-1 stakes are recognised on Bitcoin (`bitcoin.md` 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase1Profile {
    /// Opens the OP_RETURN of every stake.
    pub tag: [u8; 4],
    /// Blocks that make a stake count, the block with the stake counted as 1.
    pub confirmation_depth: u16,
}

/// Why a description is no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidNetwork {
    /// Not JSON of this form; says which field or where.
    #[error("network file is malformed: {0}")]
    Json(String),
    /// A field has a value that cannot be.
    #[error("{field} is {found:?}, it must be {expected}")]
    Field {
        /// Path of the field in the file.
        field: String,
        /// Its value.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// One params version breaks a rule.
    #[error("btcstaking.params of version {version} are invalid")]
    Params {
        /// The version.
        version: ParamsVersion,
        /// The rule.
        #[source]
        reason: InvalidParams,
    },
    /// The params versions do not follow each other.
    #[error("btcstaking.params are no history")]
    History(#[from] InvalidHistory),
    /// Unbonding could end before a checkpoint is final (`chain.md` 4).
    #[error(
        "unbonding_time_blocks of params version {version} is {unbonding_time}, it must be above \
         checkpoint_finalization_timeout_w of {finalization_timeout}"
    )]
    UnbondingTime {
        /// The version.
        version: ParamsVersion,
        /// Its unbonding time in blocks.
        unbonding_time: u16,
        /// `w` of the network.
        finalization_timeout: BtcDepth,
    },
}

/// Params a node tells that this software cannot vouch for.
///
/// A node that lies could name a committee of its own, which then slashes whoever believes it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UntrustedParams {
    /// A version the profile knows is told differently. Versions never change: the node lies.
    #[error("params version {} are told differently than {chain_id} has them: do not trust the node", version.0)]
    Changed {
        /// The network.
        chain_id: String,
        /// The version.
        version: ParamsVersion,
    },
    /// A version the profile does not know. It may be newer than this software; only a person can tell.
    #[error("params version {} of {chain_id} are not known to this software", version.0)]
    Unknown {
        /// The network.
        chain_id: String,
        /// The version.
        version: ParamsVersion,
    },
}

/// A name of no public network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("network {0:?} is unknown, it must be mainnet or testnet")]
pub struct UnknownNetwork(pub String);

impl Network {
    /// Every public network.
    pub const ALL: [Self; 2] = [Self::Mainnet, Self::Testnet];

    /// Finds the public network with a chain id; `None` for every other chain.
    pub fn with_chain_id(chain_id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.profile().chain_id == chain_id)
    }

    /// Returns the profile that comes with the crate.
    pub fn profile(self) -> NetworkProfile {
        let json = match self {
            Self::Mainnet => include_str!("../networks/mainnet.json"),
            Self::Testnet => include_str!("../networks/testnet.json"),
        };
        NetworkProfile::from_json(json).expect("a test loads both files of the crate")
    }
}

impl NetworkProfile {
    /// Parses and checks a network file.
    ///
    /// # Errors
    /// [`InvalidNetwork`], which names the field.
    pub fn from_json(json: &str) -> Result<Self, InvalidNetwork> {
        Self::new(file::parse(json)?)
    }

    /// Checks the fields, for networks that are made rather than read, such as a devnet.
    ///
    /// # Errors
    /// [`InvalidNetwork`], which names the field as it is named in a file.
    pub fn new(fields: NetworkFields) -> Result<Self, InvalidNetwork> {
        check_names(&fields)?;
        check_depths(&fields)?;
        check_light_client_base(&fields)?;
        check_finality(&fields.finality)?;
        check_unbonding_times(&fields)?;
        Ok(Self(fields))
    }

    /// Holds one params version that a node tells against what the profile knows.
    ///
    /// # Errors
    /// [`UntrustedParams`].
    pub fn check_told_params(&self, told: &StakingParams) -> Result<(), UntrustedParams> {
        let (chain_id, version) = (self.chain_id.clone(), told.version);
        match self.params.version(version) {
            Some(known) if known == told => Ok(()),
            Some(_) => Err(UntrustedParams::Changed { chain_id, version }),
            None => Err(UntrustedParams::Unknown { chain_id, version }),
        }
    }

    /// The fields, for making a changed network of them.
    pub fn into_fields(self) -> NetworkFields {
        self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mainnet => "mainnet",
            Self::Testnet => "testnet",
        })
    }
}
impl FromStr for Network {
    type Err = UnknownNetwork;
    fn from_str(name: &str) -> Result<Self, UnknownNetwork> {
        match name {
            "mainnet" => Ok(Self::Mainnet),
            "testnet" => Ok(Self::Testnet),
            other => Err(UnknownNetwork(other.to_owned())),
        }
    }
}
impl Deref for NetworkProfile {
    type Target = NetworkFields;
    fn deref(&self) -> &NetworkFields {
        &self.0
    }
}

/// Refuses a field unless `holds`.
fn check_field(
    field: &str,
    found: impl ToString,
    holds: bool,
    expected: &'static str,
) -> Result<(), InvalidNetwork> {
    if holds {
        return Ok(());
    }
    Err(InvalidNetwork::Field { field: field.to_owned(), found: found.to_string(), expected })
}

fn check_names(fields: &NetworkFields) -> Result<(), InvalidNetwork> {
    let (id, prefix, denom) = (&fields.chain_id, &fields.account_prefix, &fields.base_denom);
    // CometBFT's bound on chain ids.
    let id_holds = (1..=50).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    check_field("chain_id", id, id_holds, "1 to 50 printable characters")?;
    let prefix_holds = bitcoin::bech32::Hrp::parse(prefix)
        .is_ok_and(|hrp| hrp.to_string() == prefix.to_ascii_lowercase())
        && !prefix.bytes().any(|b| b.is_ascii_uppercase());
    check_field("bech32.account", prefix, prefix_holds, "a lower-case bech32 prefix")?;
    let denom_holds = (3..=128).contains(&denom.len())
        && denom.starts_with(|c: char| c.is_ascii_alphabetic())
        && denom.bytes().all(|b| b.is_ascii_alphanumeric() || b"/:._-".contains(&b));
    check_field("coin.base_denom", denom, denom_holds, "3 to 128 letters, digits or /:._- after a letter")
}

fn check_depths(fields: &NetworkFields) -> Result<(), InvalidNetwork> {
    let (k, w) = (fields.confirmation_depth, fields.finalization_timeout);
    check_field("btccheckpoint.btc_confirmation_depth_k", k, k.to_u32() >= 1, "at least 1")?;
    check_field(
        "btccheckpoint.checkpoint_finalization_timeout_w",
        w,
        w > k,
        "above btc_confirmation_depth_k",
    )?;
    let interval = fields.epoch_interval;
    check_field("epoching.epoch_interval", interval, interval >= 2, "at least 2")
}

fn check_light_client_base(fields: &NetworkFields) -> Result<(), InvalidNetwork> {
    let height = fields.light_client_base.height;
    let holds = crate::headers::is_retarget_height(height);
    check_field("btc.light_client_base_header.height", height, holds, "a multiple of 2016")
}

fn check_finality(finality: &FinalityProfile) -> Result<(), InvalidNetwork> {
    for (field, value) in [
        ("finality.max_active_finality_providers", u64::from(finality.max_active_finality_providers)),
        ("finality.signed_blocks_window", finality.signed_blocks_window),
        ("finality.finality_sig_timeout", finality.finality_sig_timeout),
        ("finality.min_pub_rand", finality.min_pub_rand),
    ] {
        check_field(field, value, value > 0, "positive")?;
    }
    let share = finality.min_signed_per_window;
    check_field("finality.min_signed_per_window", share, share <= Decimal::ONE, "0 to 1")
}

fn check_unbonding_times(fields: &NetworkFields) -> Result<(), InvalidNetwork> {
    let timeout = fields.finalization_timeout;
    match fields.params.iter().find(|params| u32::from(params.unbonding_time) <= timeout.to_u32()) {
        None => Ok(()),
        Some(params) => Err(InvalidNetwork::UnbondingTime {
            version: params.version,
            unbonding_time: params.unbonding_time.blocks(),
            finalization_timeout: timeout,
        }),
    }
}

#[cfg(test)]
mod tests;
