//! The watchtower over a Bitcoin node in memory and a scripted chain. Stakes and signatures are real, and every
//! slashing passes the node's consensus check before it counts.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod bench;
mod chain;
mod crashes;
mod random;
mod relay;
mod slashing;
