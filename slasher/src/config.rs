//! Configuration of the watchtower: file < environment (`SLASHER_...`) < flags; unknown keys are refused.

use btc_staking_bitcoin_node::endpoint::BitcoinEndpoint;
use btc_staking_daemon::{http, telemetry::LogOptions};
use btc_staking_pos_chain::connect::ChainEndpoint;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where records are kept; one watchtower per folder.
data_dir = "slasher-data"
# Sealed key of the account that pays on the staking chain (slasher keys create).
account_key_file = "slasher-account.key"
# How often both chains are looked at, in milliseconds.
poll_interval_ms = 5000
# Where /metrics, /healthz, /readyz and /status are served.
listen = "127.0.0.1:2113"

[chain]
id = "bbn-1"
rpc = ["http://127.0.0.1:26657"]
account_prefix = "bbn"
fee_denom = "ubbn"
gas_price = "0.01"
gas_adjustment = "1.5"

[bitcoin]
network = "bitcoin"
rpc_url = "http://127.0.0.1:8332"
cookie_file = "/var/lib/bitcoind/.cookie"

[log]
format = "text"
filter = "info"
"#;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where records are kept.
    pub data_dir: PathBuf,
    /// Sealed key of the paying account.
    pub account_key_file: PathBuf,
    /// How often both chains are looked at, in milliseconds.
    #[serde(default = "default_poll_interval_ms")]
    pub poll_interval_ms: u64,
    /// Where the boards are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The staking chain.
    pub chain: ChainEndpoint,
    /// The Bitcoin node.
    pub bitcoin: BitcoinEndpoint,
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
    use btc_staking_daemon::config::{Loader, lenient_tables};

    #[test]
    fn the_sample_loads_and_no_section_takes_unknown_keys() {
        assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_environment_goes_over_the_file_and_flags_over_both() {
        let mut flags = toml::Table::new();
        btc_staking_daemon::config::set_flag(&mut flags, "poll_interval_ms", Some(7_i64));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("slasher.toml");
        std::fs::write(&file, SAMPLE).unwrap();
        let environment =
            [("SLASHER_POLL_INTERVAL_MS", "6"), ("SLASHER_CHAIN__ID", "devnet"), ("OTHER", "x")];
        let config: Config =
            Loader::new("SLASHER").file(&file).environment(environment).flags(flags).load().unwrap();
        assert_eq!((config.poll_interval_ms, config.chain.id.as_str()), (7, "devnet"));
    }
}
