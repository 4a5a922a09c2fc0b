//! The embedded chain, driven over its real RPC.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod epochs;
mod expansion;
mod governance;
mod grpc;
mod guarded;
mod life;
mod lives;
mod model;
mod node;
mod rewards;
mod rpc;
mod rule_table;
mod rules;
mod search;
mod stakes;
mod support;
mod transactions;
mod votes;
