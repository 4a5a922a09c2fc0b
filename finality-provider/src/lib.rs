//! The voting daemon of a finality provider.
//!
//! | module | holds |
//! |---|---|
//! | [`machine`] | the decisions: what to commit to, what to vote on, when a height is settled |
//! | [`records`], [`outbox`] | what is remembered over a restart; the sign records are the eots-manager's |
//! | [`service`] | the tasks that await: ask the chain, sign, submit |
//! | [`status`], [`meters`] | what each provider is doing and, if it is not voting, why |
//! | [`chains`] | each chain of the process: connecting, and the assembly of its providers' tasks |
//! | [`control`] | the socket by which commands reach the running daemon |
//! | [`standby`] | daemons that share a key: one signs, the others stand by |
//! | [`account`], [`config`] | the paying account and the configuration |
//!
//! [`cli::main_with`] is the program; `main.rs` and the devnet bring the chain's adapter.

pub mod account;
pub mod chains;
pub mod cli;
pub mod config;
pub mod control;
pub mod doctor;
pub mod machine;
pub mod meters;
pub mod outbox;
pub mod records;
pub mod service;
pub mod standby;
pub mod status;
