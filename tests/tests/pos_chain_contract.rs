//! The embedded chain and a real Babylon node, through the adapter and over their RPC, keep the contract of the ports. Behind CometBFT
//! validators it is kept in the devnet's `comet` test.
//!
//! `BABYLOND_EXE` names a babylond v4; without it the test of the real node says that it was skipped.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

#[allow(dead_code)] // shared with the tests of other doors, which need more of it
#[path = "../../devnet/tests/one_account/mod.rs"]
mod one_account;

use btc_staking_devnet::staking_chain::{StakingChain as _, babylon::Babylond};
use btc_staking_devnet_chain::{Node, NodeConfig};
use one_account::{contract::check_contract, genesis};
use std::{path::PathBuf, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_chain_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::new(genesis(), dir.path());
    config.block_time = Duration::from_millis(200);
    let node = Node::start(config).await.unwrap();
    check_contract(&[format!("http://{}", node.rpc_addr())]).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_babylon_node_keeps_the_contract() {
    let Some(exe) = std::env::var_os("BABYLOND_EXE").map(PathBuf::from) else {
        println!("SKIPPED: BABYLOND_EXE names no babylond");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (home, pace) = (dir.path().join("chain"), Duration::from_millis(300));
    let chain = Babylond { exe }.start(&[], &genesis(), pace, &home, dir.path()).await;
    let chain = chain.unwrap_or_else(|failure| panic!("{}", failure.error));
    println!("{}", chain.describe());
    check_contract(&chain.rpc()[..1]).await;
}
