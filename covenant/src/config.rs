//! Configuration of a committee member's daemon: file < environment (`COVENANT_...`) < flags; unknown keys are refused.

use btc_staking_daemon::{http, telemetry::LogOptions};
use btc_staking_pos_chain::connect::ChainEndpoint;
use btc_staking_protocol::params::ParamsVersion;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where the sign log is kept; one signer per folder, ever. Back it up, never roll it back.
data_dir = "covenant-data"
# Sealed key of the committee member (covenant keys create --which member).
covenant_key_file = "covenant-member.key"
# Sealed key of the account that pays on the staking chain (covenant keys create --which account).
account_key_file = "covenant-account.key"
# How often pending delegations are read, in milliseconds.
poll_interval_ms = 5000
# Params versions of a public network that this program does not know and that you have checked yourself: until a version
# is listed here, nothing is signed under it. Versions the program knows need no listing.
accept_params_versions = []
# Where /metrics, /healthz, /readyz and /status are served.
listen = "127.0.0.1:2112"

[chain]
id = "bbn-1"
rpc = ["http://127.0.0.1:26657"]
account_prefix = "bbn"
fee_denom = "ubbn"
gas_price = "0.01"
gas_adjustment = "1.5"

[log]
format = "text"
filter = "info"
"#;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the sign log is kept.
    pub data_dir: PathBuf,
    /// Sealed key of the committee member.
    pub covenant_key_file: PathBuf,
    /// Sealed key of the paying account.
    pub account_key_file: PathBuf,
    /// How often pending delegations are read, in milliseconds.
    #[serde(default = "default_poll_interval_ms")]
    pub poll_interval_ms: u64,
    /// Params versions of a public network accepted although this program does not know them.
    #[serde(default)]
    pub accept_params_versions: Vec<ParamsVersion>,
    /// Where the boards are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The staking chain.
    pub chain: ChainEndpoint,
    /// Logging.
    #[serde(default)]
    pub log: LogOptions,
}

fn default_poll_interval_ms() -> u64 {
    5_000
}
fn default_listen() -> SocketAddr {
    http::DEFAULT_LISTEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::config::lenient_tables;

    #[test]
    fn the_sample_loads_and_no_section_takes_unknown_keys() {
        assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
    }
}
