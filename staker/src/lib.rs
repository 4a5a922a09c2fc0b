//! The holder's command line: stake, unbond, withdraw.
//!
//! | file | holds |
//! |---|---|
//! | [`machine`] | a stake's way to Bitcoin |
//! | [`records`], [`stake`] | what must survive a crash |
//! | [`service`] | the file that awaits |
//! | [`position`] | where a stake's coins are, from blocks |
//! | [`wallet`] | coins that fund stakes |
//! | [`keys`] | one phrase: wallet, staking key, account |
//! | [`script`] | what a stake locks, computed offline |
//! | [`report`], [`amount`], [`table`] | what people type and read |
//! | [`config`], [`cli`] | configuration and command line |

pub mod amount;
pub mod cli;
pub mod config;
pub mod keys;
pub mod machine;
pub mod position;
pub mod records;
pub mod report;
pub mod script;
pub mod service;
pub mod stake;
pub mod table;
pub mod wallet;

pub use cli::main_with;
