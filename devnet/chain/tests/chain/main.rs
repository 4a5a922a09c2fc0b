//! The embedded chain, driven over its real RPC.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod life;
mod node;
mod rules;
mod support;
