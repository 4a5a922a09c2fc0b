//! One command: a regtest Bitcoin node, the embedded staking chain and all roles; the guided demo.

pub mod bitcoin;
