//! Configuration: file < environment (`FINALITY_PROVIDER_...`) < flags; unknown keys are refused.

mod chains;
mod lead;

pub use chains::{Chain, Chains};

use crate::{
    machine::planner::{Lead, MAX_COUNT, Plan},
    service::Settings,
    standby::Ha,
};
use btc_staking_daemon::{http, telemetry::LogOptions};
use btc_staking_eots_manager::{
    records::{ChainId, InvalidChainId},
    signer::SignerAddress,
};
use btc_staking_pos_chain::connect::ChainEndpoint;
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};
use thiserror::Error;

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where the sign records are kept; one daemon per folder, ever. Back it up, never roll it back.
data_dir = "finality-provider-data"
# Sealed EOTS keys, one file per finality provider (finality-provider keys create --which eots).
eots_key_files = ["finality-provider-eots.key"]
# Or leave the keys to an eots-manager, which then holds the sign records as well; eots_key_files must be empty.
#   [signer]
#   socket = "eots-manager-data/eots.sock"
# On another host it is reached over mutual TLS:
#   [signer]
#   address = "signer.internal:12582"
#   secret = "env:SIGNER_SECRET"
#   [signer.tls]
#   certificate = "daemon.crt"
#   key = "daemon.key"
#   peers = "signer.crt"
# Sealed key of the account that pays on the chain (finality-provider keys create --which account).
account_key_file = "finality-provider-account.key"
# Where /metrics, /healthz, /readyz and /status are served.
listen = "127.0.0.1:2112"

# For several chains in one process write [[chain]] instead, once for each. They do not depend on each other. Each may have
#   account_key_file = "..."   the account that pays there, if not the one above
#   keys = ["..."]             the providers that vote there, by public key, if not all
# and tables of its own, [chain.randomness], [chain.voting] and [chain.unjail], in place of the ones below.
[chain]
id = "bbn-1"
rpc = ["http://127.0.0.1:26657"]
account_prefix = "bbn"
fee_denom = "ubbn"
gas_price = "0.01"
gas_adjustment = "1.5"

[randomness]
# Heights in one commitment, unless the chain asks for more.
count = 50000
# Blocks ahead that are covered at any time, or "auto": as many as the chain's epochs, its depth on Bitcoin and the time
# between its blocks make necessary, with a reserve. A commitment becomes usable when its epoch is final on Bitcoin: on
# mainnet after about 19000 blocks.
lead = "auto"

[voting]
# Time between two looks at the chain, in milliseconds.
poll_interval_ms = 1000
# Most votes in one submission.
batch = 100
# Longest wait for an answer of a node, and for the fate of a submission, in milliseconds.
request_timeout_ms = 20000
submit_timeout_ms = 90000

[unjail]
# "manual": by the unjail command. "automatic": by itself when the jail time is over, at most max_per_day times in a day,
# and never while another signer was seen or the key is slashed.
policy = "manual"
max_per_day = 1
# The account that registered the providers, if it is not the paying one. It is used for this only.
# account_key_file = "finality-provider-registrar.key"

# Two daemons or more that share keys: one votes, the others take over when it is gone. See docs/guide/standby-pair.md.
# [ha]
# engine = "etcd"
# endpoints = ["http://10.0.0.1:2379", "http://10.0.0.2:2379", "http://10.0.0.3:2379"]
# instance = "host-a"        another name on each
# lease_seconds = 5          time after which another takes over
# request_timeout_ms = 3000
# prefix = "btc-staking/finality-provider"
# [ha.tls]                   with endpoints https://..., for members that ask for certificates
# certificate = "host-a.pem"
# key = "host-a.key"
# peers = "etcd-authority.pem"

[log]
format = "text"
filter = "info"
"#;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the sign records and the store are kept.
    pub data_dir: PathBuf,
    /// Sealed EOTS keys.
    #[serde(default)]
    pub eots_key_files: Vec<PathBuf>,
    /// The process that holds the EOTS keys, if not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerAddress>,
    /// Sealed key of the paying account.
    pub account_key_file: PathBuf,
    /// Where the boards are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The chains voted on.
    pub chain: Chains,
    /// Commitments, where a chain has no table of its own.
    #[serde(default)]
    pub randomness: Randomness,
    /// Votes, where a chain has no table of its own.
    #[serde(default)]
    pub voting: Voting,
    /// The end of jailings, where a chain has no table of its own.
    #[serde(default)]
    pub unjail: Unjail,
    /// The pair this daemon is one of, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ha: Option<Ha>,
    /// Logging.
    #[serde(default)]
    pub log: LogOptions,
}

/// How far ahead to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Randomness {
    /// Heights in one commitment.
    pub count: u64,
    /// Blocks ahead that are covered at any time.
    #[serde(with = "lead")]
    pub lead: Lead,
}

/// How to vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Voting {
    /// Between two looks at the chain.
    pub poll_interval_ms: u64,
    /// Most votes in one submission.
    pub batch: usize,
    /// Longest wait for an answer.
    pub request_timeout_ms: u64,
    /// Longest wait for the fate of a submission.
    pub submit_timeout_ms: u64,
}

/// How a jailing ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unjail {
    /// Who ends it.
    pub policy: UnjailPolicy,
    /// Most automatic ones of a provider on a chain within 24 hours.
    pub max_per_day: u32,
    /// Sealed key of the account that registered the providers, if it is not the paying one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_key_file: Option<PathBuf>,
}

/// Who ends a jailing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnjailPolicy {
    /// The operator, with the `unjail` command.
    #[default]
    Manual,
    /// The daemon, when the jail time is over.
    Automatic,
}

impl Default for Unjail {
    fn default() -> Self {
        Self { policy: UnjailPolicy::Manual, max_per_day: 1, account_key_file: None }
    }
}

/// A chain as it is used: every choice made.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainPlan {
    /// Its id, as it enters the randomness.
    pub id: ChainId,
    /// Where it is.
    pub endpoint: ChainEndpoint,
    /// Sealed key of the account that pays there.
    pub account_key_file: PathBuf,
    /// The providers that vote there; `None` for all.
    pub keys: Option<Vec<FinalityProviderPublicKey>>,
    /// The behaviour of the tasks.
    pub settings: Settings,
    /// The end of jailings.
    pub unjail: Unjail,
}

/// Values that are no sensible configuration together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidConfig {
    /// No key.
    #[error("eots_key_files must name at least one key file, or signer the process that holds the keys")]
    NoKeys,
    /// A key in two signers could sign twice.
    #[error("eots_key_files must be empty where signer names the process that holds the keys")]
    TwoSigners,
    /// Not one address.
    #[error("{0}")]
    Signer(String),
    /// No chain.
    #[error("chain must name at least one chain")]
    NoChain,
    /// Two chains of one id.
    #[error("chain {0} is configured twice; list every node of a chain in the rpc of one table")]
    ChainTwice(String),
    /// Nobody votes there.
    #[error("chain {0}: keys is empty; leave it out to vote with every key")]
    NobodyVotes(String),
    /// One key twice.
    #[error("chain {0}: keys names {1} twice")]
    KeyTwice(String, FinalityProviderPublicKey),
    /// A chain that is asked for by name is not there.
    #[error("no chain {asked} is configured, only {}", .configured.join(", "))]
    NoSuchChain {
        /// What was asked for.
        asked: String,
        /// What there is.
        configured: Vec<String>,
    },
    /// Several chains, and none chosen.
    #[error("several chains are configured, choose one with --chain: {}", .0.join(", "))]
    WhichChain(Vec<String>),
    /// Not a chain id.
    #[error("chain.id is not usable: {0}")]
    ChainId(InvalidChainId),
    /// Nothing to commit to, or more than is derived at once.
    #[error("chain {0}: randomness.count is {1}, it must be 1 to {MAX_COUNT}")]
    Count(String, u64),
    /// A lead of zero would leave the next block uncovered.
    #[error("chain {0}: randomness.lead must be at least 1")]
    Lead(String),
    /// A batch of none.
    #[error("chain {0}: voting.batch must be at least 1")]
    Batch(String),
    /// No time to answer, or to rest.
    #[error("chain {0}: voting.{1} must be at least {2}")]
    TooShort(String, &'static str, u64),
}

impl Default for Randomness {
    fn default() -> Self {
        Self { count: 50_000, lead: Lead::Auto }
    }
}

impl Default for Voting {
    fn default() -> Self {
        Self { poll_interval_ms: 1_000, batch: 100, request_timeout_ms: 20_000, submit_timeout_ms: 90_000 }
    }
}

fn default_listen() -> SocketAddr {
    http::DEFAULT_LISTEN
}

impl Config {
    /// Every chain with its choices made, in the order of the file.
    ///
    /// # Errors
    /// [`InvalidConfig`], naming the chain and the key.
    pub fn plans(&self) -> Result<Vec<ChainPlan>, InvalidConfig> {
        match (&self.signer, self.eots_key_files.as_slice()) {
            (None, []) => return Err(InvalidConfig::NoKeys),
            (Some(_), [_, ..]) => return Err(InvalidConfig::TwoSigners),
            (Some(signer), []) => {
                signer.check().map_err(|error| InvalidConfig::Signer(error.to_string()))?;
            }
            (None, [_, ..]) => {}
        }
        if self.chain.0.is_empty() {
            return Err(InvalidConfig::NoChain);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.chain.0.iter().find(|chain| !seen.insert(&chain.endpoint.id)) {
            return Err(InvalidConfig::ChainTwice(twice.endpoint.id.clone()));
        }
        self.chain.0.iter().map(|chain| self.plan(chain)).collect()
    }

    /// The only chain.
    ///
    /// # Errors
    /// [`InvalidConfig::WhichChain`] when there are several, and whatever else is wrong with it.
    pub fn only_chain(&self) -> Result<ChainPlan, InvalidConfig> {
        let mut plans = self.plans()?;
        match (plans.pop(), plans.as_slice()) {
            (Some(only), []) => Ok(only),
            _ => Err(InvalidConfig::WhichChain(self.chain_ids())),
        }
    }

    /// Leaves out every chain but one.
    ///
    /// # Errors
    /// [`InvalidConfig::NoSuchChain`].
    pub fn choose_chain(&mut self, id: &str) -> Result<(), InvalidConfig> {
        let configured = self.chain_ids();
        self.chain.0.retain(|chain| chain.endpoint.id == id);
        if self.chain.0.is_empty() {
            return Err(InvalidConfig::NoSuchChain { asked: id.to_owned(), configured });
        }
        Ok(())
    }

    fn chain_ids(&self) -> Vec<String> {
        self.chain.0.iter().map(|chain| chain.endpoint.id.clone()).collect()
    }

    fn plan(&self, chain: &Chain) -> Result<ChainPlan, InvalidConfig> {
        let Chain { endpoint, account_key_file, keys, randomness, voting, unjail } = chain;
        let name = || endpoint.id.clone();
        let mut seen = BTreeSet::new();
        if keys.as_ref().is_some_and(Vec::is_empty) {
            return Err(InvalidConfig::NobodyVotes(name()));
        }
        if let Some(twice) = keys.iter().flatten().find(|key| !seen.insert(**key)) {
            return Err(InvalidConfig::KeyTwice(name(), *twice));
        }
        Ok(ChainPlan {
            id: endpoint.id.parse().map_err(InvalidConfig::ChainId)?,
            endpoint: endpoint.clone(),
            account_key_file: account_key_file.as_ref().unwrap_or(&self.account_key_file).clone(),
            keys: keys.clone(),
            unjail: unjail.as_ref().unwrap_or(&self.unjail).clone(),
            settings: settings(
                &endpoint.id,
                &randomness.unwrap_or(self.randomness),
                &voting.unwrap_or(self.voting),
            )?,
        })
    }
}

fn settings(chain: &str, randomness: &Randomness, voting: &Voting) -> Result<Settings, InvalidConfig> {
    let name = || chain.to_owned();
    if randomness.count == 0 || randomness.count > MAX_COUNT {
        return Err(InvalidConfig::Count(name(), randomness.count));
    }
    if randomness.lead == Lead::Blocks(0) {
        return Err(InvalidConfig::Lead(name()));
    }
    if voting.batch == 0 {
        return Err(InvalidConfig::Batch(name()));
    }
    let at_least = |key, milliseconds, least| {
        let long_enough = milliseconds >= least;
        let duration = long_enough.then(|| Duration::from_millis(milliseconds));
        duration.ok_or_else(|| InvalidConfig::TooShort(name(), key, least))
    };
    Ok(Settings {
        plan: Plan { count: randomness.count, lead: randomness.lead },
        batch: voting.batch,
        poll_interval: at_least("poll_interval_ms", voting.poll_interval_ms, 10)?,
        request_timeout: at_least("request_timeout_ms", voting.request_timeout_ms, 100)?,
        submit_timeout: at_least("submit_timeout_ms", voting.submit_timeout_ms, 1_000)?,
    })
}

#[cfg(test)]
mod tests;
