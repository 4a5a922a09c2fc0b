//! The watchtower: relays headers, activates stakes, reports unbondings, extracts keys, slashes.
//!
//! | file | holds |
//! |---|---|
//! | [`machine`] | what to do next, computed from facts |
//! | [`stakes`] | one stake: where it stands on Bitcoin, which pre-signed transaction slashes it |
//! | [`relay`] | Bitcoin headers for the chain's light client |
//! | [`records`] | facts, the follower's cursor and the evidence of open cases |
//! | [`service`] | the file that awaits |
//! | [`board`] | what operators see |
//! | [`config`], [`cli`] | configuration and command line |

pub mod board;
pub mod cli;
pub mod config;
pub mod machine;
pub mod records;
pub mod relay;
pub mod service;
pub mod stakes;
