//! The holder's command line: stake, unbond, withdraw.
//!
//! | file | holds |
//! |---|---|
//! | [`script`] | what a stake locks, computed offline |
//! | [`keys`] | one phrase: wallet, staking key, account |
//! | [`amount`], [`table`] | what people type and read |
//! | [`config`], [`cli`] | configuration and command line |

pub mod amount;
pub mod cli;
pub mod config;
pub mod keys;
pub mod script;
pub mod table;

pub use cli::main_with;
