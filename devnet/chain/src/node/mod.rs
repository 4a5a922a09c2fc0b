//! The single-process node: makes blocks on time and serves them.

pub(crate) mod assemble;
mod clock;
pub(crate) mod core;
#[cfg(test)]
mod disk_full_tests;
#[cfg(test)]
mod folder_tests;
pub(crate) mod index;
#[cfg(test)]
mod kill_tests;
pub(crate) mod ledger;
pub(crate) mod mempool;

pub use assemble::consensus_params;
pub use clock::{Clock, SystemClock};

use self::core::Core;
use crate::{
    error::Broken,
    genesis::{Genesis, InvalidGenesis},
    grpc, rpc,
    state::disk::DiskBackend,
};
use btc_staking_store::{OpenError, Options, Schema, Store};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

/// Name and version of the data directory's tables.
pub(crate) const SCHEMA: Schema = Schema::new("devnet-chain", 2);
/// How much the store holds in memory and takes at once.
pub(crate) const LIMITS: Options = Options {
    cache_bytes: 64 * 1024 * 1024,
    max_value_bytes: 64 * 1024 * 1024,
    max_commit_bytes: 512 * 1024 * 1024,
};
/// Blocks faster than this leave no time to sign votes for them.
const MIN_BLOCK_TIME: Duration = Duration::from_millis(200);

/// How to run a node.
pub struct NodeConfig {
    /// What the chain starts from; must be the same at every start.
    pub genesis: Genesis,
    /// Where the chain is kept.
    pub data_dir: PathBuf,
    /// Where RPC listens; port 0 takes a free one.
    pub rpc_addr: SocketAddr,
    /// Where gRPC listens; nowhere without.
    pub grpc_addr: Option<SocketAddr>,
    /// Time between blocks, at least 200 ms.
    pub block_time: Duration,
    /// Where block times come from.
    pub clock: Arc<dyn Clock>,
}

/// The embedded chain as one process.
pub struct Node;

/// A node that makes blocks. Stops when asked; dropping it lets it run on.
pub struct RunningNode {
    core: Arc<Core>,
    rpc_addr: SocketAddr,
    grpc_addr: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a node cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The genesis is not valid.
    #[error("genesis cannot start a chain")]
    Genesis(#[from] InvalidGenesis),
    /// The data directory cannot be opened.
    #[error("chain data cannot be opened")]
    Open(#[from] OpenError),
    /// The state cannot be read, or belongs to another chain.
    #[error("chain cannot go on from its data")]
    State(#[from] Broken),
    /// An address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Blocks would come too fast.
    #[error("block time is {0:?}, it must be at least {MIN_BLOCK_TIME:?}")]
    BlockTime(Duration),
}

impl NodeConfig {
    /// A node with blocks every second on the machine's clock, listening on a free local port.
    pub fn new(genesis: Genesis, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            genesis,
            data_dir: data_dir.into(),
            rpc_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            grpc_addr: None,
            block_time: Duration::from_secs(1),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Node {
    /// Opens the chain where it stands, or starts it, and runs it.
    ///
    /// # Errors
    /// [`StartError`] when the genesis, the data or the address cannot be used.
    pub async fn start(config: NodeConfig) -> Result<RunningNode, StartError> {
        if config.block_time < MIN_BLOCK_TIME {
            return Err(StartError::BlockTime(config.block_time));
        }
        config.genesis.check()?;
        let store = Store::open_with(&config.data_dir, SCHEMA, LIMITS)?;
        let backend = Box::new(DiskBackend::new(store)?);
        let core = Arc::new(Core::open(backend, config.genesis, config.clock)?);
        let (listener, rpc_addr) = listen(config.rpc_addr).await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![];
        let mut grpc_addr = None;
        if let Some(address) = config.grpc_addr {
            let (listener, address) = listen(address).await?;
            grpc_addr = Some(address);
            tasks.push(tokio::spawn(grpc::serve(Arc::clone(&core), listener, stopped.clone())));
        }
        tasks.push(tokio::spawn(produce_blocks(Arc::clone(&core), config.block_time, stopped.clone())));
        tasks.push(tokio::spawn(rpc::serve(Arc::clone(&core), listener, stopped)));
        Ok(RunningNode { core, rpc_addr, grpc_addr, stop, tasks })
    }
}

impl RunningNode {
    /// Where RPC listens.
    pub fn rpc_addr(&self) -> SocketAddr {
        self.rpc_addr
    }
    /// Where gRPC listens, if it does.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_addr
    }
    /// Height of the last committed block; 0 before the first.
    pub fn height(&self) -> u64 {
        self.core.height()
    }
    /// Hash of the state after the last committed block.
    pub fn app_hash(&self) -> [u8; 32] {
        self.core.app_hash()
    }
    /// Why the node stopped making blocks, once it has.
    pub fn halted(&self) -> watch::Receiver<Option<Broken>> {
        self.core.halted()
    }

    /// Finishes the block under way, lets connections go and closes the data directory.
    pub async fn stop(self) {
        // Tasks that have ended already need not hear it.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(err) = task.await {
                tracing::error!(%err, "task of the node ended badly");
            }
        }
    }
}

/// Takes an address; port 0 becomes a free one.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

/// Waits until the node is told to stop, or is gone.
pub(crate) async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Makes blocks until told to stop or the chain halts.
async fn produce_blocks(core: Arc<Core>, block_time: Duration, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval_at(Instant::now() + block_time, block_time);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = told_to_stop(&mut stopped) => return,
            _ = ticks.tick() => {}
        }
        let maker = Arc::clone(&core);
        match tokio::task::spawn_blocking(move || maker.produce_block()).await {
            Ok(Ok(height)) => tracing::debug!(pos_height = height, "block committed"),
            Ok(Err(broken)) => {
                tracing::error!(%broken, "chain stops making blocks");
                return;
            }
            Err(err) => {
                tracing::error!(%err, "block production ended badly");
                return;
            }
        }
    }
}
