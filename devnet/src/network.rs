//! What a devnet consists of: a Bitcoin node, a miner, the staking chain, and the roles as processes.

use crate::{bitcoin::BitcoinNode, folder::RunFolder, keys::Seed, miner::Miner, timeline::Timeline};
use btc_staking_bitcoin_node::bitcoind::Bitcoind;
use btc_staking_daemon::cli::Failure;
use btc_staking_devnet_chain::{Genesis, Node, NodeConfig, RunningNode};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Chain id of a devnet.
pub const CHAIN_ID: &str = "devnet-1";

/// How to run a devnet.
#[derive(Debug)]
pub struct NetworkOptions {
    /// The bitcoind to run, instead of one that is found.
    pub bitcoind: Option<PathBuf>,
    /// Run the simulator even if there is a bitcoind.
    pub simulator: bool,
    /// Time between blocks of the staking chain.
    pub block_time: Duration,
    /// Time between Bitcoin blocks.
    pub bitcoin_block_time: Duration,
    /// Where data and logs go; else a temporary folder.
    pub folder: Option<PathBuf>,
    /// Installed roles to run; else those in this program.
    pub bin_dir: Option<PathBuf>,
    /// Run the daemons in this process.
    pub in_process: bool,
    /// What all test keys follow from.
    pub seed: Seed,
}

/// A running devnet.
pub struct Network {
    /// Asks the Bitcoin node.
    pub bitcoin: Arc<Bitcoind>,
    /// Mines.
    pub miner: Miner,
    /// The Bitcoin node.
    pub bitcoin_node: BitcoinNode,
    /// The staking chain.
    pub chain: RunningNode,
    /// Data and logs. The last field, so that it goes away after everything that writes into it.
    pub folder: RunFolder,
}

impl Network {
    /// Starts everything.
    ///
    /// # Errors
    /// [`Failure`] with what did not start.
    pub async fn start(options: &NetworkOptions, timeline: &Timeline) -> Result<Self, Failure> {
        let folder = RunFolder::create(options.folder.as_deref())?;
        let bitcoin_folder = folder.join("bitcoin-node");
        let bitcoin_node = if options.simulator {
            BitcoinNode::start_simulator(&bitcoin_folder).await?
        } else {
            BitcoinNode::start(options.bitcoind.as_deref(), &bitcoin_folder).await?
        };
        timeline.event("bitcoin node", bitcoin_node.describe());
        let bitcoin = Arc::new(bitcoin_node.client()?);
        let miner = Miner::new(Arc::clone(&bitcoin), &options.seed.miner_address());
        let mut config = NodeConfig::new(Genesis::default_genesis(CHAIN_ID, vec![]), folder.join("chain"));
        config.block_time = options.block_time;
        let chain = Node::start(config).await?;
        timeline.event("staking chain", format_args!("{CHAIN_ID}, a block every {:?}", options.block_time));
        Ok(Self { bitcoin, miner, bitcoin_node, chain, folder })
    }

    /// Ends everything in good order.
    pub async fn stop(self) {
        let Self { bitcoin_node, chain, miner, folder, .. } = self;
        drop(miner);
        chain.stop().await;
        if let Err(error) = bitcoin_node.stop().await {
            tracing::warn!(%error, "bitcoin node did not stop in good order");
        }
        drop(folder);
    }
}
