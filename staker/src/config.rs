//! Configuration of the staker: file < environment (`STAKER_...`) < flags; unknown keys are refused.

use btc_staking_bitcoin_node::endpoint::BitcoinEndpoint;
use btc_staking_daemon::telemetry::LogOptions;
use btc_staking_pos_chain::connect::ChainEndpoint;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A complete configuration, as a file for people to start from.
pub const SAMPLE: &str = r#"# Where records are kept: stakes, wallet, place in the chain. One folder per network and phrase.
data_dir = "staker-data"
# The sealed phrase (staker keys create, staker keys restore).
key_file = "staker.key"
# First Bitcoin block that can hold coins of the wallet. Read at the first start only; 0 looks at every block.
birthday_height = 0
# How often both chains are looked at while waiting, in milliseconds.
poll_interval_ms = 5000

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
filter = "warn"
"#;

/// The configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where records are kept.
    pub data_dir: PathBuf,
    /// The sealed phrase.
    pub key_file: PathBuf,
    /// First Bitcoin block that can hold coins of the wallet; read at the first start only.
    #[serde(default)]
    pub birthday_height: u32,
    /// How often both chains are looked at while waiting, in milliseconds.
    #[serde(default = "default_poll_interval_ms")]
    pub poll_interval_ms: u64,
    /// The staking chain.
    pub chain: ChainEndpoint,
    /// The Bitcoin node.
    pub bitcoin: BitcoinEndpoint,
    /// Logging.
    #[serde(default = "quiet")]
    pub log: LogOptions,
}

fn default_poll_interval_ms() -> u64 {
    5_000
}

/// A command's output is its result; only what went wrong is logged besides.
fn quiet() -> LogOptions {
    LogOptions { filter: "warn".to_owned(), ..LogOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_daemon::config::{Loader, lenient_tables, set_flag};

    #[test]
    fn the_sample_loads_and_no_section_takes_unknown_keys() {
        assert_eq!(lenient_tables::<Config>(SAMPLE).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_environment_goes_over_the_file_and_flags_over_both() {
        let mut flags = toml::Table::new();
        set_flag(&mut flags, "data_dir", Some("from-flag"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("staker.toml");
        std::fs::write(&file, SAMPLE).unwrap();
        let environment = [("STAKER_DATA_DIR", "from-env"), ("STAKER_CHAIN__ID", "devnet"), ("OTHER", "x")];
        let config: Config =
            Loader::new("STAKER").file(&file).environment(environment).flags(flags).load().unwrap();
        assert_eq!((config.data_dir.to_str(), config.chain.id.as_str()), (Some("from-flag"), "devnet"));
    }
}
