//! One command: a regtest Bitcoin node, the embedded staking chain and all roles; the guided demo.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`demo`], [`up`], [`chain_only`] | its commands |
//! | [`network`] | what a devnet consists of |
//! | [`staking_chain`] | its staking chain: the embedded one or another |
//! | [`bitcoin`], [`miner`] | its Bitcoin node and who mines |
//! | [`roles`], [`processes`] | its programs, and child processes that never outlive it |
//! | [`keys`] | test keys from a seed |
//! | [`folder`] | data and logs of a run |
//! | [`dev`] | commands for a running devnet |
//! | [`timeline`] | what the terminal shows |

pub mod bitcoin;
pub mod chain_only;
pub mod cli;
pub mod comet;
pub mod daemons;
pub mod demo;
pub mod dev;
pub mod facts;
pub mod folder;
pub mod install;
pub mod keys;
pub mod ledger;
pub mod logging;
pub mod miner;
pub mod network;
pub mod processes;
pub mod report;
pub mod roles;
pub mod roster;
pub mod staking_chain;
pub mod story;
pub mod timeline;
pub mod up;
