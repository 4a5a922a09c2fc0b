//! What we ask of Bitcoin: ports, a reorg-aware follower, the bitcoind adapter and a simulator.

pub mod ports;
pub use ports::*;
