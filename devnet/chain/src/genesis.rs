//! What a chain starts from: parameters, the first Bitcoin header, and who has coins.
//!
//! A [`Genesis`] is a JSON file a user may write by hand; unknown fields are refused. A genesis document of the chain's own
//! form, with the state of every module (`wire.md` 10), is read as well and written by an export.
//!
//! | preset | what for |
//! |---|---|
//! | [`Genesis::fast`] | a stake lives its whole life within a minute |
//! | [`Genesis::default_genesis`] | that of the reference (`chain.md` 15) |
//! | [`Genesis::mainnet_like`] | the parameters of mainnet, on any Bitcoin network |

pub(crate) mod document;
mod json;
pub(crate) mod presets;
mod rewards;

pub use document::ImportedState;
pub(crate) use document::{AccountState, AccountStates, ModuleStates};
pub use rewards::{CostakingGenesis, IncentiveGenesis, MintGenesis, RewardsGenesis};

use bitcoin::{Txid, block::Header, consensus};
use btc_staking_protocol::{
    headers::{HeaderRules, is_retarget_height},
    height::{BtcDepth, BtcHeight, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::{ParamsHistory, ParamsVersion},
    rate::Decimal,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// Everything a chain starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Chain id, part of every signature.
    pub chain_id: String,
    /// Time of the block before the first, seconds since 1970.
    pub genesis_time: i64,
    /// Accounts with coins.
    pub accounts: Vec<GenesisAccount>,
    /// The Bitcoin network underneath and where its light client starts.
    pub bitcoin: BitcoinGenesis,
    /// Accounts that may report Bitcoin headers; empty for everyone.
    #[serde(default)]
    pub insert_headers_allow_list: Vec<AccountAddress>,
    /// `k`: depth at which a Bitcoin transaction counts.
    pub confirmation_depth: BtcDepth,
    /// `w`: depth at which the checkpoint of an epoch is final.
    pub finalization_timeout: BtcDepth,
    /// Opens checkpoints on Bitcoin; four bytes, hex.
    pub checkpoint_tag: String,
    /// Blocks in an epoch, at least 2.
    pub epoch_interval: u64,
    /// Parameters of finality.
    pub finality: FinalityGenesis,
    /// Versions of the staking parameters.
    pub staking_params: ParamsHistory,
    /// Minting and the portions of rewards; without it, those of the launch of v4.
    #[serde(default)]
    pub rewards: RewardsGenesis,
    /// Which release's rules apply where they differ.
    #[serde(default)]
    pub rules: RuleSet,
    /// The account whose messages change parameters and resume finality. By default the account of the governance
    /// module, whose key nobody holds; a development chain names an account of its developer.
    #[serde(default = "governance_account")]
    pub authority: AccountAddress,
    /// Finality providers that are deleted though their record stays (`chain.md` 5.1). One that is not registered yet is
    /// deleted as soon as it is.
    #[serde(default)]
    pub soft_deleted_finality_providers: Vec<FinalityProviderPublicKey>,
    /// Stakes that may be registered while a params version's allow list is in force (`chain.md` 6.7).
    #[serde(default)]
    pub allowed_staking_txids: Vec<Txid>,
    /// The state that the chain goes on from, of a genesis document; a chain starts empty without one. The parameters
    /// above are then those of the state.
    #[serde(skip)]
    pub imported: Option<Arc<ImportedState>>,
}

/// The account of the governance module, the same on every network.
pub(crate) fn governance_account() -> AccountAddress {
    AccountAddress::from_bytes(crate::app::PREFIX, &crate::app::module_address("gov"))
        .expect("a module account has 20 bytes and the prefix is valid")
}

/// An account that starts with coins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// The account.
    pub address: AccountAddress,
    /// Its balance in the base denomination.
    pub ubbn: u64,
}

/// The light client's first header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinGenesis {
    /// Whose header rules apply.
    pub network: BitcoinNetwork,
    /// Height of the base header, a multiple of 2016.
    pub base_height: BtcHeight,
    /// The 80 bytes of the base header, hex.
    pub base_header: String,
}

/// A Bitcoin network whose header rules the light client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BitcoinNetwork {
    /// Bitcoin itself.
    Mainnet,
    /// Testnet 3.
    Testnet,
    /// The default signet.
    Signet,
    /// btcd's simulation network.
    Simnet,
    /// Local regression testing.
    Regtest,
}

/// Which release's rules apply where they differ (`chain.md` 0, rows marked `[head]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleSet {
    /// Tag v4.3.x, as the public networks run.
    #[default]
    Released,
    /// Head of the main branch.
    Head,
}

/// Parameters of finality (`chain.md` 10.9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalityGenesis {
    /// Size of the active set.
    pub max_active_finality_providers: u32,
    /// Sliding window of liveness, in blocks.
    pub signed_blocks_window: u32,
    /// Blocks before a missing vote is final.
    pub finality_sig_timeout: u32,
    /// Share of the window that must be signed.
    pub min_signed_per_window: Decimal,
    /// Smallest randomness commitment.
    pub min_pub_rand: u64,
    /// Seconds in jail.
    pub jail_duration_s: u32,
    /// First height with votes.
    pub activation_height: PosHeight,
}

/// Why a genesis cannot start a chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidGenesis {
    /// The file is not JSON of this form.
    #[error("genesis is malformed: {0}")]
    Json(String),
    /// A field has a value that cannot be.
    #[error("genesis field {field} is {found}, it must be {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value in a document's state cannot be.
    #[error("genesis value {path} is {found}, it must be {expected}")]
    Value {
        /// Where it is.
        path: String,
        /// What is there.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Unbonding could end before a checkpoint is final (`chain.md` 4).
    #[error(
        "unbonding_time_blocks of params version {} is {unbonding_time}, it must be above finalization_timeout",
        version.0
    )]
    UnbondingTime {
        /// The version.
        version: ParamsVersion,
        /// Its unbonding time.
        unbonding_time: u16,
    },
}

impl BitcoinNetwork {
    /// The header rules of the network.
    pub const fn header_rules(self) -> HeaderRules {
        match self {
            Self::Mainnet => HeaderRules::Mainnet,
            Self::Testnet => HeaderRules::Testnet3,
            Self::Signet => HeaderRules::Signet,
            Self::Simnet => HeaderRules::Simnet,
            Self::Regtest => HeaderRules::Regtest,
        }
    }
}

impl BitcoinGenesis {
    /// Decodes the base header.
    ///
    /// # Errors
    /// [`InvalidGenesis::Field`] when it is not 80 bytes of hex.
    pub fn header(&self) -> Result<Header, InvalidGenesis> {
        let bytes = hex::decode(&self.base_header).ok().filter(|bytes| bytes.len() == 80);
        bytes.and_then(|bytes| consensus::deserialize(&bytes).ok()).ok_or_else(|| {
            field("bitcoin.base_header", &self.base_header, "the 80 bytes of a Bitcoin header in hex")
        })
    }
}

impl Genesis {
    /// Reads and checks a genesis file: a plain one, or a document with an application state.
    ///
    /// # Errors
    /// [`InvalidGenesis`] with the first thing that is wrong.
    pub fn from_json(json: &str) -> Result<Self, InvalidGenesis> {
        let malformed = |err: serde_json::Error| InvalidGenesis::Json(err.to_string());
        let value: serde_json::Value = serde_json::from_str(json).map_err(malformed)?;
        if value.get("app_state").is_some() {
            return document::read(&value);
        }
        drop(value);
        // From the text again, so that errors name the line.
        let genesis: Self = serde_json::from_str(json).map_err(malformed)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Checks that a chain can start from it.
    ///
    /// # Errors
    /// [`InvalidGenesis`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidGenesis> {
        self.check_chain_id()?;
        self.check_accounts()?;
        self.check_bitcoin()?;
        self.check_depths()?;
        self.check_finality()?;
        self.rewards.check()
    }

    fn check_chain_id(&self) -> Result<(), InvalidGenesis> {
        let valid = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        if (1..=50).contains(&self.chain_id.len()) && self.chain_id.bytes().all(valid) {
            return Ok(());
        }
        Err(field("chain_id", &self.chain_id, "1 to 50 letters, digits, '-', '_' or '.'"))
    }

    fn check_accounts(&self) -> Result<(), InvalidGenesis> {
        let mut supply = 0u64;
        let mut seen = std::collections::BTreeSet::new();
        for account in &self.accounts {
            if account.address.prefix() != crate::app::PREFIX {
                return Err(field("accounts.address", &account.address, "an address that begins with bbn1"));
            }
            if !seen.insert(account.address.bytes()) {
                return Err(field("accounts.address", &account.address, "listed once"));
            }
            supply = supply.checked_add(account.ubbn).ok_or_else(|| {
                field("accounts.ubbn", account.ubbn, "small enough that all balances fit 64 bits")
            })?;
        }
        if self.authority.prefix() != crate::app::PREFIX {
            return Err(field("authority", &self.authority, "an address that begins with bbn1"));
        }
        Ok(())
    }

    fn check_bitcoin(&self) -> Result<(), InvalidGenesis> {
        self.bitcoin.header()?;
        if is_retarget_height(self.bitcoin.base_height) {
            return Ok(());
        }
        Err(field("bitcoin.base_height", self.bitcoin.base_height, "a multiple of 2016"))
    }

    fn check_depths(&self) -> Result<(), InvalidGenesis> {
        if self.confirmation_depth < BtcDepth::new(1) {
            return Err(field("confirmation_depth", self.confirmation_depth, "at least 1"));
        }
        if self.finalization_timeout <= self.confirmation_depth {
            return Err(field("finalization_timeout", self.finalization_timeout, "above confirmation_depth"));
        }
        if hex::decode(&self.checkpoint_tag).map_or(true, |tag| tag.len() != 4) {
            return Err(field("checkpoint_tag", &self.checkpoint_tag, "four bytes in hex"));
        }
        if self.epoch_interval < 2 {
            return Err(field("epoch_interval", self.epoch_interval, "at least 2"));
        }
        let w = self.finalization_timeout.to_u32();
        match self.staking_params.iter().find(|params| u32::from(params.unbonding_time) <= w) {
            None => Ok(()),
            Some(params) => Err(InvalidGenesis::UnbondingTime {
                version: params.version,
                unbonding_time: params.unbonding_time.blocks(),
            }),
        }
    }

    fn check_finality(&self) -> Result<(), InvalidGenesis> {
        let finality = &self.finality;
        let positive = [
            ("finality.max_active_finality_providers", u64::from(finality.max_active_finality_providers)),
            ("finality.signed_blocks_window", u64::from(finality.signed_blocks_window)),
            ("finality.finality_sig_timeout", u64::from(finality.finality_sig_timeout)),
            ("finality.min_pub_rand", finality.min_pub_rand),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(field(name, 0, "at least 1"));
        }
        if finality.min_signed_per_window > Decimal::ONE {
            return Err(field("finality.min_signed_per_window", finality.min_signed_per_window, "0 to 1"));
        }
        Ok(())
    }
}

fn field(field: &'static str, found: impl ToString, expected: &'static str) -> InvalidGenesis {
    InvalidGenesis::Field { field, found: found.to_string(), expected }
}
