//! `devnet chain`: the embedded staking chain alone.

use crate::signals;
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    telemetry::{self, LogOptions},
};
use btc_staking_devnet_chain::{Genesis, Node, NodeConfig};
use std::{net::SocketAddr, path::Path, time::Duration};

/// Chain id where no genesis gives one.
const CHAIN_ID: &str = "devnet-1";

/// Runs the chain until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when the genesis is wrong or the node does not start or stops by itself.
pub fn run(
    genesis: Option<&Path>,
    data_dir: &Path,
    listen: SocketAddr,
    block_time: Duration,
) -> Result<(), Failure> {
    let genesis = match genesis {
        Some(file) => Genesis::from_json(&std::fs::read_to_string(file).fail_with(Exit::Usage)?)
            .fail_with(Exit::Usage)?,
        None => Genesis::default_genesis(CHAIN_ID, vec![]),
    };
    telemetry::init(&LogOptions::default())?;
    let chain_id = genesis.chain_id.clone();
    let mut config = NodeConfig::new(genesis, data_dir);
    (config.rpc_addr, config.block_time) = (listen, block_time);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = signals::Signals::new()?;
        let node = Node::start(config).await?;
        println!("chain {chain_id}: CometBFT RPC at http://{}", node.rpc_addr());
        let mut halted = node.halted();
        let outcome = tokio::select! {
            _ = signals.next() => Ok(()),
            broken = halted.wait_for(Option::is_some) => Err(match broken {
                Ok(broken) => format!("the chain stopped: {}", broken.as_ref().map_or_else(String::new, ToString::to_string)),
                Err(_) => "the chain stopped".to_owned(),
            }),
        };
        node.stop().await;
        outcome.fail_with(Exit::Failure)
    })
}
