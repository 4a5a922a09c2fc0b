//! The embedded staking chain: Babylon's rules as one application behind a CometBFT-compatible RPC.
//!
//! | module | holds | spec |
//! |---|---|---|
//! | `genesis` | what a chain starts from | `chain.md` 15 |
//! | `app` | the rules: one deterministic state machine, one module of the chain per file or folder | `chain.md` 2 to 13 |
//! | `state` | layered state, typed tables, gas, app hash, the backend on disk | |
//! | `wire` | strict decoding of transactions | `wire.md` 1 to 3 |
//! | `node` | the single process: mempool, block production, ledger | `wire.md` 7 |
//! | `abci` | the application for a real CometBFT, over ABCI 2.0 | |
//! | `authority` | governance as commands: the messages of the account that genesis names | `chain.md` 4, 10.8 |
//! | [`load`] | states of any size from a seed, for load tests | |
//! | `driver` | the application without a node, block by block | |
//! | `grpc` | every query, and the SDK's services, over gRPC | `wire.md` 5 |
//! | `rpc` | CometBFT's RPC over HTTP and WebSocket | `wire.md` 7.2 |
//!
//! Whoever executes the same blocks from the same [`Genesis`] has the same app hash at every height. A block and all it
//! changed are one durable commit: killed anywhere, the node comes back at a height, never between two.
//!
//! # What it leaves out
//!
//! Section numbers are those of `chain.md`.
//!
//! | section | what | instead |
//! |---|---|---|
//! | 3.2 | BLS votes, the transaction that is injected with them, the hash of the block they are for | the shortcut of 3.5: checkpoints of one validator whose signature is zeros, over a hash of chain id, height and app hash |
//! | 3.3 | finality by checkpoints on Bitcoin | they are checked, kept and answered, but finality does not wait for them; one with another signature is invalid (`checkpointing/1206`), so none conflicts |
//! | 3.4, 12 | native BABY staking | its messages are read and refused with `sdk/6`, the wrapped ones too |
//! | 4, 10.8 | proposals and votes | the authority signs ordinary transactions: [`AuthorityCommand`]; their events come with them |
//! | 6.5 | coinbases as staking transactions | refused at registration, not only when they are proven |
//! | 11.1 | the validators' and native stakers' rewards | kept in the distribution module's account, without events |
//! | 11.4 | scores of those who stake both coins | zero: their part stays in the costaking module's account |
//! | 12 | fee grants by period or for some messages only | types nobody knows (`sdk/2`); basic allowances work |
//!
//! Gas is charged at the SDK's prices over records of our own layout: near the reference, never equal to it.
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

mod abci;
mod app;
mod authority;
mod driver;
mod error;
mod event;
mod genesis;
mod grpc;
pub mod load;
mod node;
mod replay;
mod rpc;
mod state;
mod wire;

pub use abci::{AbciConfig, AbciServer, RunningAbciServer};
pub use app::{EXPORT_PATH, MalformedTransaction, check_transaction_form};
pub use authority::{AuthorityCommand, InvalidCommand};
pub use driver::{Driver, ExecutedBlock, TxOutcome};
pub use error::Broken;
pub use genesis::{
    BitcoinGenesis, BitcoinNetwork, CostakingGenesis, FinalityGenesis, Genesis, GenesisAccount,
    ImportedState, IncentiveGenesis, InvalidGenesis, MintGenesis, RewardsGenesis, RuleSet,
};
pub use node::{Clock, Node, NodeConfig, RunningNode, StartError, SystemClock, consensus_params};
pub use replay::Replay;
