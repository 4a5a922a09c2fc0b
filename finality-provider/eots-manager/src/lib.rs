//! The only home of EOTS keys, and the sign records that guard them.
//!
//! A finality provider that signs two blocks at one height reveals its secret key, and every stake under it is
//! slashed. This crate makes that impossible for one data directory: signing consumes a permit, and a permit exists
//! only once the vote is durably recorded.
//!
//! | module | holds |
//! |---|---|
//! | [`keys`] | secret keys, from a mnemonic or raw bytes |
//! | [`keyfiles`] | the same at rest, sealed |
//! | [`records`] | what was signed, on disk, checked at every start |
//! | [`interchange`] | sign records in a form that other programs read |
//! | [`legacy`] | readers for what the Go manager left on disk |
//! | [`takeover`] | keys and history of the Go manager, taken over |
//! | [`signer`] | what a daemon asks of whoever holds its keys |
//! | [`manager`] | [`EotsManager`](manager::EotsManager): votes, randomness commitments, proofs, possession |
//! | [`service`] | the methods that other processes may call, and what each answers |
//! | [`channel`] | who may call: the Unix socket's owner, or the holder of a secret |
//! | [`grpc`] | the server and the client |
//! | [`cli`] | the `eots-manager` program |
//!
//! Spec: `crypto.md` 2, 5, 6.

pub mod channel;
pub mod cli;
pub mod grpc;
pub mod interchange;
pub mod keyfiles;
pub mod keys;
pub mod legacy;
pub mod manager;
pub mod records;
pub mod service;
pub mod signer;
pub mod takeover;
mod trees;

pub use trees::{TreeError, made_with};
