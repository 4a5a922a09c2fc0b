//! A standby pair: over the engine's double, and over a real etcd of three members that `ETCD_EXE` names.
//!
//! Every test hands each signature that left to one [`Oracle`](oracle::Oracle), which knows no mercy: two different ones at
//! one height end the test.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

mod children;
mod engines_agree;
mod etcd;
mod node;
mod oracle;
mod over_double;
mod over_etcd;
mod over_tls;
mod proxy;
