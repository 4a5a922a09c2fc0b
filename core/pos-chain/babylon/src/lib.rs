//! Adapter for Babylon's messages over CometBFT RPC, with its own prost definitions.

pub mod proto;
