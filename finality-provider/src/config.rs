//! Configuration: file < environment (`FINALITY_PROVIDER_...`) < flags; unknown keys are refused.

use crate::{
    machine::planner::{MAX_COUNT, Plan},
    service::Settings,
};
use btc_staking_daemon::{http, telemetry::LogOptions};
use btc_staking_eots_manager::records::{ChainId, InvalidChainId};
use btc_staking_pos_chain::connect::ChainEndpoint;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use thiserror::Error;

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where the sign records are kept; one daemon per folder, ever. Back it up, never roll it back.
data_dir = "finality-provider-data"
# Sealed EOTS keys, one file per finality provider (finality-provider keys create --which eots).
eots_key_files = ["finality-provider-eots.key"]
# Sealed key of the account that pays on the chain (finality-provider keys create --which account).
account_key_file = "finality-provider-account.key"
# Where /metrics, /healthz, /readyz and /status are served.
listen = "127.0.0.1:2112"

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
# Blocks ahead that are covered at any time. A commitment becomes usable when its epoch is final on Bitcoin: on mainnet
# after up to 18400 blocks.
lead = 25000

[voting]
# Time between two looks at the chain, in milliseconds.
poll_interval_ms = 1000
# Most votes in one submission.
batch = 100
# Longest wait for an answer of a node, and for the fate of a submission, in milliseconds.
request_timeout_ms = 20000
submit_timeout_ms = 90000

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
    pub eots_key_files: Vec<PathBuf>,
    /// Sealed key of the paying account.
    pub account_key_file: PathBuf,
    /// Where the boards are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The chain voted on.
    pub chain: ChainEndpoint,
    /// Commitments.
    #[serde(default)]
    pub randomness: Randomness,
    /// Votes.
    #[serde(default)]
    pub voting: Voting,
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
    pub lead: u64,
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

/// Values that are no sensible configuration together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidConfig {
    /// No key.
    #[error("eots_key_files must name at least one key file")]
    NoKeys,
    /// Not a chain id.
    #[error("chain.id is not usable: {0}")]
    ChainId(InvalidChainId),
    /// Nothing to commit to, or more than is derived at once.
    #[error("randomness.count is {0}, it must be 1 to {MAX_COUNT}")]
    Count(u64),
    /// A lead of zero would leave the next block uncovered.
    #[error("randomness.lead must be at least 1")]
    Lead,
    /// A batch of none.
    #[error("voting.batch must be at least 1")]
    Batch,
    /// No time to answer, or to rest.
    #[error("voting.{0} must be at least {1}")]
    TooShort(&'static str, u64),
}

impl Default for Randomness {
    fn default() -> Self {
        Self { count: 50_000, lead: 25_000 }
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
    /// The chain id, as it enters the randomness.
    ///
    /// # Errors
    /// [`InvalidConfig::ChainId`] when it is empty or too long for a sign record.
    pub fn chain_id(&self) -> Result<ChainId, InvalidConfig> {
        self.chain.id.parse().map_err(InvalidConfig::ChainId)
    }

    /// The behaviour of the tasks.
    ///
    /// # Errors
    /// [`InvalidConfig`], naming the key.
    pub fn settings(&self) -> Result<Settings, InvalidConfig> {
        let Self { randomness, voting, .. } = self;
        if self.eots_key_files.is_empty() {
            return Err(InvalidConfig::NoKeys);
        }
        if randomness.count == 0 || randomness.count > MAX_COUNT {
            return Err(InvalidConfig::Count(randomness.count));
        }
        if randomness.lead == 0 {
            return Err(InvalidConfig::Lead);
        }
        if voting.batch == 0 {
            return Err(InvalidConfig::Batch);
        }
        self.chain_id()?;
        Ok(Settings {
            plan: Plan { count: randomness.count, lead: randomness.lead },
            batch: voting.batch,
            poll_interval: at_least("poll_interval_ms", voting.poll_interval_ms, 10)?,
            request_timeout: at_least("request_timeout_ms", voting.request_timeout_ms, 100)?,
            submit_timeout: at_least("submit_timeout_ms", voting.submit_timeout_ms, 1_000)?,
        })
    }
}

fn at_least(key: &'static str, milliseconds: u64, least: u64) -> Result<Duration, InvalidConfig> {
    if milliseconds < least {
        return Err(InvalidConfig::TooShort(key, least));
    }
    Ok(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::config::lenient_tables;

    fn sample() -> Config {
        toml::from_str(SAMPLE).unwrap()
    }

    #[test]
    fn the_sample_loads_and_no_section_takes_unknown_keys() {
        assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
        let config = sample();
        assert_eq!((config.randomness, config.voting), (Randomness::default(), Voting::default()));
        assert!(config.settings().is_ok());
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        type Change = fn(&mut Config);
        let table: [(Change, &str); 7] = [
            (|c| c.chain.id.clear(), "chain.id"),
            (|c| c.eots_key_files.clear(), "eots_key_files"),
            (|c| c.randomness.count = 0, "randomness.count"),
            (|c| c.randomness.count = 320_001, "randomness.count"),
            (|c| c.randomness.lead = 0, "randomness.lead"),
            (|c| c.voting.batch = 0, "voting.batch"),
            (|c| c.voting.submit_timeout_ms = 999, "voting.submit_timeout_ms"),
        ];
        for (change, name) in table {
            let mut config = sample();
            change(&mut config);
            assert!(config.settings().unwrap_err().to_string().contains(name), "{name}");
        }
    }
}
