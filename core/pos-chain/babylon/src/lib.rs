//! Adapter for Babylon Genesis and chains that speak like it: their messages over CometBFT RPC.
//!
//! It implements the ports of `pos-chain`; roles see those and name this crate only in their `main.rs`, through
//! [`connector::BabylonConnector`]. Its only state is an account's sequence and what is on its way, which a caller's outbox
//! keeps over a restart; it decides nothing about stakes.
//!
//! | module | what it is for | spec |
//! |---|---|---|
//! | [`proto`] | the chain's messages, records and queries, by hand | `wire.md` 2, 3, 5 |
//! | [`convert`] | wire types to protocol types and back, strictly | `wire.md` 1 |
//! | [`errors`] | what the chain's errors mean, by code or by words | `wire.md` 4.5, 4.6 |
//! | [`events`] | typed events from JSON text | `wire.md` 6 |
//! | [`rpc`] | the five calls to a node, several endpoints | `wire.md` 7 |
//! | [`reader`] | every reading port | `wire.md` 5 |
//! | [`tx`] | fees, keys, signing, simulation | `wire.md` 2.5, 4 |
//! | [`sender`] | messages to their fate | `wire.md` 4 |
//! | [`connector`] | from a role's configuration to reader and sender | |

pub mod connector;
pub mod convert;
pub mod errors;
pub mod events;
pub mod proto;
pub mod reader;
pub mod rpc;
pub mod sender;
pub mod tx;
