//! `devnet chain`: the embedded staking chain alone, or its application for a CometBFT.

pub mod tools;

use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, block_on},
    tasks::Signals,
    telemetry::{self, LogOptions},
};
use btc_staking_devnet_chain::{AbciConfig, AbciServer, Broken, Genesis, Node, NodeConfig};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::sync::watch;
use tools::Preset;

/// Chain id where no genesis gives one.
const CHAIN_ID: &str = "devnet-1";

/// Where the chain listens, and how fast it goes.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// CometBFT's RPC.
    pub rpc: SocketAddr,
    /// gRPC, if it is wanted.
    pub grpc: Option<SocketAddr>,
    /// Time between blocks.
    pub block_time: Duration,
}

/// Runs the chain until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when the genesis is wrong or the node does not start or stops by itself.
pub fn run(genesis: Option<&Path>, preset: Preset, data_dir: &Path, doors: Doors) -> Result<(), Failure> {
    let genesis = match genesis {
        Some(file) => Genesis::from_json(&std::fs::read_to_string(file).fail_with(Exit::Usage)?)
            .fail_with(Exit::Usage)?,
        None => preset.genesis(CHAIN_ID, vec![])?,
    };
    if let Some(imported) = &genesis.imported {
        for part in imported.ignored() {
            eprintln!("read over {part}, which this chain does not have");
        }
    }
    telemetry::init(&LogOptions::default())?;
    let chain_id = genesis.chain_id.clone();
    let mut config = NodeConfig::new(genesis, data_dir);
    (config.rpc_addr, config.grpc_addr, config.block_time) = (doors.rpc, doors.grpc, doors.block_time);
    block_on(async {
        let signals = Signals::new()?;
        let node = Node::start(config).await?;
        println!("chain {chain_id}: CometBFT RPC at http://{}", node.rpc_addr());
        if let Some(address) = node.grpc_addr() {
            println!("chain {chain_id}: gRPC at http://{address}");
        }
        let outcome = until_the_end(signals, node.halted()).await;
        node.stop().await;
        outcome
    })
}

/// Runs the application alone, for a CometBFT that connects to `listen`, until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when the server does not start or the application refuses to go on.
pub fn run_abci(data_dir: &Path, listen: SocketAddr) -> Result<(), Failure> {
    telemetry::init(&LogOptions::default())?;
    let config = AbciConfig { addr: listen, ..AbciConfig::new(data_dir) };
    block_on(async {
        let signals = Signals::new()?;
        let server = AbciServer::start(config).await?;
        println!("application: proxy_app = \"tcp://{}\"", server.addr());
        let outcome = until_the_end(signals, server.halted()).await;
        server.stop().await;
        outcome
    })
}

async fn until_the_end(
    mut signals: Signals,
    mut halted: watch::Receiver<Option<Broken>>,
) -> Result<(), Failure> {
    let stopped = "the chain stopped".to_owned();
    let outcome = tokio::select! {
        _ = signals.next() => Ok(()),
        broken = halted.wait_for(Option::is_some) => Err(match broken.as_deref() {
            Ok(Some(broken)) => format!("{stopped}: {broken}"),
            Ok(None) | Err(_) => stopped,
        }),
    };
    outcome.fail_with(Exit::Failure)
}
