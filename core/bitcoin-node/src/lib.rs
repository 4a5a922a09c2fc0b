//! What we ask of Bitcoin: narrow ports, and what stands behind them.
//!
//! | module | holds |
//! |---|---|
//! | [`ports`] | what a role may ask of a node |
//! | [`follower`] | turns a node into an ordered stream of connected and disconnected blocks |
//! | [`watch`] | confirmations and spends of chosen transactions and outputs, undone by reorgs |
//! | [`bitcoind`] | the ports over Bitcoin Core's JSON-RPC |
//! | [`endpoint`] | how a configuration names a node |
//! | [`simulator`] | a regtest node in memory: the ports without a process, or the same JSON-RPC served |
//! | [`dev`] | mining and reorgs on a regtest node |
//! | [`regtest`] | finds a `bitcoind` and runs it on regtest |
//! | [`contract`] | the laws every implementation of the ports obeys |
//!
//! Nothing here knows a wallet or a staking rule.

pub mod bitcoind;
pub mod contract;
pub mod dev;
pub mod endpoint;
pub mod follower;
pub mod ports;
pub mod regtest;
pub mod simulator;
pub mod watch;

pub use ports::*;
