//! A committee member's daemon over a scripted chain. Stakes and signatures are real.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod bench;
mod daemon;
mod random;
mod signer;
mod start;
