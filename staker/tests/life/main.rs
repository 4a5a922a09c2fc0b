//! Stakes from plan to withdrawal, on the simulated Bitcoin node and the scripted chain, with real covenant signatures.
//! Every witness passes the simulator, which runs Bitcoin Core's interpreter.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod commands;
mod crashes;
mod leaving;
mod refusals;
mod reorgs;
mod staking;
mod world;
