//! Adapter for Babylon's messages over CometBFT RPC, with its own prost definitions.

pub mod convert;
pub mod proto;
