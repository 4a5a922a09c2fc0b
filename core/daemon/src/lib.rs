//! Process scaffolding without a staking word: what every daemon and command line of this workspace starts with.
//!
//! | module | what it is for |
//! |---|---|
//! | [`cli`] | exit codes and how failures are shown to people and to scripts |
//! | [`config`] | file < environment < flags, unknown keys refused |
//! | [`telemetry`] | logging to standard error, as text or JSON |
//! | [`metrics`] | Prometheus metrics whose labels cannot grow without bound |
//! | [`health`] | named checks behind `/healthz` and `/readyz` |
//! | [`http`] | the small server for both, and for routes of the caller |
//! | [`tasks`] | named tasks with an owner, restarts, and a drain on SIGTERM |
//! | [`backoff`] | how long to wait before the next try |
//! | [`keyfile`] | a secret in a file, sealed with a passphrase |
//! | [`passphrase`] | where the passphrase comes from (never the command line) |
//! | `grpc` | gRPC messages as raw bytes; only with the feature of that name |
//! | [`clock`], [`entropy`] | time and randomness as things passed in |
//!
//! It knows no protocol, no port and no other crate of the workspace.

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod health;
pub mod http;
pub mod keyfile;
pub mod metrics;
pub mod passphrase;
pub mod tasks;
pub mod telemetry;
