//! A covenant committee member's daemon.
//!
//! | file | holds |
//! |---|---|
//! | [`machine`] | what to look at next, what to send, what to leave alone and why |
//! | [`records`] | the sign log: one unbonding transaction per staking output, ever |
//! | [`signer`] | the only place with the member's key; takes a delegation, never a hash or a script |
//! | [`service`] | the file that awaits |
//! | [`config`], [`cli`] | configuration and command line |

pub mod cli;
pub mod config;
pub mod machine;
pub mod records;
pub mod service;
pub mod signer;
