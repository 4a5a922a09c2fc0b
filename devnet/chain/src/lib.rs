//! The embedded staking chain: Babylon's rules as one application behind a CometBFT-compatible RPC.
//!
//! | module | holds | spec |
//! |---|---|---|
//! | `genesis` | what a chain starts from | `chain.md` 15 |
//! | `app` | the rules: one deterministic state machine, one module of the chain per file or folder | `chain.md` 2 to 13 |
//! | `state` | layered state, typed tables, gas, app hash, the backend on disk | |
//! | `wire` | strict decoding of transactions | `wire.md` 1 to 3 |
//! | `node` | the single process: mempool, block production, ledger | `wire.md` 7 |
//! | `rpc` | CometBFT's RPC over HTTP and WebSocket | `wire.md` 7.2 |
//!
//! ```no_run
//! # async fn run(accounts: Vec<btc_staking_devnet_chain::GenesisAccount>) -> Result<(), Box<dyn std::error::Error>> {
//! use btc_staking_devnet_chain::{Genesis, Node, NodeConfig};
//!
//! let genesis = Genesis::default_genesis("chain-devnet", accounts);
//! let node = Node::start(NodeConfig::new(genesis, "/tmp/chain")).await?;
//! println!("rpc listens on {}", node.rpc_addr());
//! node.stop().await;
//! # Ok(()) }
//! ```

mod app;
mod error;
mod event;
mod genesis;
mod node;
mod rpc;
mod state;
mod wire;

pub use error::Broken;
pub use genesis::{
    BitcoinGenesis, BitcoinNetwork, FinalityGenesis, Genesis, GenesisAccount, InvalidGenesis, RuleSet,
};
pub use node::{Clock, Node, NodeConfig, RunningNode, StartError, SystemClock};
