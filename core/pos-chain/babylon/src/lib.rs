//! Adapter for Babylon's messages over CometBFT RPC, with its own prost definitions.

pub mod connector;
pub mod convert;
pub mod errors;
pub mod events;
pub mod proto;
pub mod reader;
pub mod rpc;
pub mod sender;
pub mod tx;
