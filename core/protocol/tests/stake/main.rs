//! A stake from its scripts to its spends, held against the worked example of `bitcoin.md` 15, against Bitcoin Core's
//! interpreter and against every single way in which it can be wrong.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod covenant;
mod delegation_check;
mod example;
mod expansion;
mod golden;
mod interpreter;
mod phase1;
mod plan;
mod reported_spend;
mod sanity;
mod script_paths;
mod script_truth;
mod slashing_tx;
mod withdrawal;
