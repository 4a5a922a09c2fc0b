//! The devnet's Bitcoin node: a real `bitcoind` where there is one, else the simulator behind the same JSON-RPC.
//!
//! Which one: the path given, `BITCOIND_EXE`, `bitcoind` on `PATH`, the one [`install()`] put into the cache folder, the
//! simulator, in this order. [`BitcoinNode::describe`] says which it was.

use btc_staking_bitcoin_node::{
    NodeError,
    bitcoind::{Auth, Bitcoind, BitcoindConfig},
    dev::DevNode,
    regtest::{FindError, Origin, RunningBitcoind, StartError, find},
    simulator::{
        Simulator,
        rpc::{Credentials, RpcServer},
    },
};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

pub mod install;

pub use install::{InstallError, Installed, install};

/// Length of the simulator's RPC password in bytes.
const PASSWORD_BYTES: usize = 32;

/// A running Bitcoin node on regtest. Dropping it ends it.
pub enum BitcoinNode {
    /// A real one.
    Bitcoind {
        /// The process.
        process: RunningBitcoind,
        /// How it was found.
        origin: Origin,
    },
    /// The simulator, served over JSON-RPC.
    Simulator(ServedSimulator),
}

/// The simulator with its server.
pub struct ServedSimulator {
    simulator: Arc<Simulator>,
    server: RpcServer,
    cookie_file: PathBuf,
}

/// Why no Bitcoin node could be started.
#[derive(Debug, Error)]
pub enum BitcoinNodeError {
    /// The one asked for is not there.
    #[error(transparent)]
    Find(#[from] FindError),
    /// It does not start.
    #[error("starting {}", .exe.display())]
    Start {
        /// The program.
        exe: PathBuf,
        /// Why.
        #[source]
        source: StartError,
    },
    /// The simulator cannot be served.
    #[error("serving the simulated Bitcoin node from {}", .folder.display())]
    Serve {
        /// The folder for its cookie.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl BitcoinNode {
    /// Starts the node that [`find`] finds, else the simulator, with `folder` for its data.
    ///
    /// # Errors
    /// [`BitcoinNodeError`]. A node that was found but does not start is an error; the simulator does not step in.
    pub async fn start(given: Option<&Path>, folder: &Path) -> Result<Self, BitcoinNodeError> {
        Self::start_through(&[], given, folder).await
    }

    /// As [`BitcoinNode::start`]; a real node is started through a wrapper ([`RunningBitcoind::start_through`]).
    ///
    /// # Errors
    /// As [`BitcoinNode::start`].
    pub async fn start_through(
        wrapper: &[OsString],
        given: Option<&Path>,
        folder: &Path,
    ) -> Result<Self, BitcoinNodeError> {
        match find(given)? {
            Some(found) => {
                let process = RunningBitcoind::start_through(wrapper, &found.exe, folder)
                    .await
                    .map_err(|source| BitcoinNodeError::Start { exe: found.exe, source })?;
                Ok(Self::Bitcoind { process, origin: found.origin })
            }
            None => Self::start_simulator(folder).await,
        }
    }

    /// Starts the simulator.
    ///
    /// # Errors
    /// [`BitcoinNodeError::Serve`].
    pub async fn start_simulator(folder: &Path) -> Result<Self, BitcoinNodeError> {
        let served = ServedSimulator::start(folder).await;
        served
            .map(Self::Simulator)
            .map_err(|source| BitcoinNodeError::Serve { folder: folder.to_owned(), source })
    }

    /// `bitcoind` or `simulator`.
    pub fn kind(&self) -> &'static str {
        match self {
            BitcoinNode::Bitcoind { .. } => "bitcoind",
            BitcoinNode::Simulator(_) => "simulator",
        }
    }

    /// Name and version in its own words.
    pub fn version(&self) -> &str {
        match self {
            BitcoinNode::Bitcoind { process, .. } => process.version(),
            BitcoinNode::Simulator(_) => env!("CARGO_PKG_VERSION"),
        }
    }

    /// Which node runs and why this one, for people.
    pub fn describe(&self) -> String {
        match self {
            BitcoinNode::Bitcoind { process, origin } => format!("{} ({origin})", process.version()),
            BitcoinNode::Simulator(_) => {
                "simulator (no bitcoind found; `devnet bitcoind install` fetches one)".to_owned()
            }
        }
    }

    /// Where its JSON-RPC listens.
    pub fn url(&self) -> String {
        match self {
            BitcoinNode::Bitcoind { process, .. } => process.url().to_owned(),
            BitcoinNode::Simulator(served) => served.server.url(),
        }
    }

    /// The file with its RPC credentials.
    pub fn cookie_file(&self) -> &Path {
        match self {
            BitcoinNode::Bitcoind { process, .. } => process.cookie_file(),
            BitcoinNode::Simulator(served) => &served.cookie_file,
        }
    }

    /// A client for it, over JSON-RPC whichever it is.
    ///
    /// # Errors
    /// None with the address a running node has; the signature is [`Bitcoind::new`]'s.
    pub fn client(&self) -> Result<Bitcoind, NodeError> {
        let auth = Auth::CookieFile(self.cookie_file().to_owned());
        Bitcoind::new(BitcoindConfig::new(self.url(), auth))
    }

    /// Mines blocks that pay to a regtest address.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn mine(&self, blocks: u32, address: &bitcoin::Address) -> Result<(), NodeError> {
        let script = address.script_pubkey();
        match self {
            BitcoinNode::Bitcoind { .. } => self.client()?.mine(blocks, &script).await.map(drop),
            BitcoinNode::Simulator(served) => served.simulator.mine(blocks, &script).await.map(drop),
        }
    }

    /// Ends the node in good order.
    ///
    /// # Errors
    /// What the system says.
    pub async fn stop(self) -> io::Result<()> {
        match self {
            BitcoinNode::Bitcoind { process, .. } => process.stop().await,
            BitcoinNode::Simulator(served) => served.server.stop().await,
        }
    }
}

impl ServedSimulator {
    async fn start(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut password = [0; PASSWORD_BYTES];
        getrandom::fill(&mut password).map_err(io::Error::other)?;
        let credentials = Credentials::cookie(hex::encode(password));
        let cookie_file = folder.join(".cookie");
        credentials.write_cookie(&cookie_file)?;
        let simulator = Arc::new(Simulator::with_system_clock());
        let server = RpcServer::start(simulator.clone(), ([127, 0, 0, 1], 0).into(), &credentials).await?;
        Ok(Self { simulator, server, cookie_file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use btc_staking_bitcoin_node::BlockSource;

    #[tokio::test]
    async fn simulated_node_mines_for_every_client() {
        let folder = tempfile::tempdir().unwrap();
        let node = BitcoinNode::start_simulator(folder.path()).await.unwrap();
        let anyone = bitcoin::ScriptBuf::from_bytes(vec![0x51]).to_p2wsh();
        let address = bitcoin::Address::from_script(&anyone, bitcoin::Network::Regtest).unwrap();
        node.mine(3, &address).await.unwrap();
        let tip = node.client().unwrap().fetch_tip().await.unwrap();
        assert_eq!((tip.height.to_u32(), node.kind()), (3, "simulator"));
        node.stop().await.unwrap();
    }

    #[tokio::test]
    async fn node_that_is_found_says_what_it_is_and_ends_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let node = BitcoinNode::start(None, folder.path()).await.unwrap();
        println!("{}: {}", node.kind(), node.describe());
        let expected = if find(None).unwrap().is_some() { "bitcoind" } else { "simulator" };
        assert_eq!(node.kind(), expected);
        assert!(node.client().unwrap().fetch_version().await.unwrap().starts_with('/'));
        let url = node.url();
        let cookie_file = node.cookie_file().to_owned();
        node.stop().await.unwrap();
        let gone = Bitcoind::new(BitcoindConfig::new(url, Auth::CookieFile(cookie_file))).unwrap();
        assert!(gone.fetch_tip().await.unwrap_err().is_transient());
    }

    #[tokio::test]
    async fn a_given_path_without_a_program_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let given = folder.path().join("bitcoind");
        let outcome = BitcoinNode::start(Some(&given), folder.path()).await;
        assert!(matches!(outcome, Err(BitcoinNodeError::Find(FindError::NotAProgram { .. }))));
    }
}
