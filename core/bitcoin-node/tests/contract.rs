//! The contract suite on everything that gives the ports: the simulator, the simulator through JSON-RPC, a real node.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_bitcoin_node::{
    bitcoind::{Bitcoind, BitcoindConfig},
    contract,
    dev::RegtestNode,
    regtest::{self, RunningBitcoind},
    simulator::{
        Simulator,
        rpc::{Credentials, RpcServer},
    },
};
use std::sync::Arc;

async fn keeps_every_law(node: &dyn RegtestNode) {
    match contract::check_all(node).await {
        Ok(laws) => assert!(laws.len() > 10, "only {laws:?} were checked"),
        Err((law, violation)) => {
            let cause = std::error::Error::source(&violation).map(ToString::to_string).unwrap_or_default();
            panic!("{law}: {violation} {cause}")
        }
    }
}

#[tokio::test]
async fn simulator_keeps_the_contract() {
    keeps_every_law(&Simulator::with_system_clock()).await;
}

#[tokio::test]
async fn simulator_with_a_clock_that_stands_still_keeps_the_contract() {
    keeps_every_law(&Simulator::new(Box::new(|| 1_700_000_000))).await;
}

#[tokio::test]
async fn simulator_behind_json_rpc_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let cookie_file = folder.path().join(".cookie");
    let credentials = Credentials::cookie("0123456789abcdef");
    credentials.write_cookie(&cookie_file).unwrap();
    let simulator = Arc::new(Simulator::with_system_clock());
    let server = RpcServer::start(simulator, ([127, 0, 0, 1], 0).into(), &credentials).await.unwrap();
    let auth = btc_staking_bitcoin_node::bitcoind::Auth::CookieFile(cookie_file);
    let client = Bitcoind::new(BitcoindConfig::new(server.url(), auth)).unwrap();
    keeps_every_law(&client).await;
    client.call("stop", &[]).await.unwrap();
    server.stopped().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn real_bitcoind_keeps_the_contract() {
    let Some(found) = regtest::find(None).unwrap() else {
        assert!(
            std::env::var_os("REQUIRE_REAL_BITCOIND").is_none_or(|value| value != "1"),
            "REQUIRE_REAL_BITCOIND=1 is set and there is no bitcoind: run `devnet bitcoind install`"
        );
        println!("SKIPPED: no bitcoind on PATH, in BITCOIND_EXE or in the cache folder");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = RunningBitcoind::start(&found.exe, folder.path()).await.unwrap();
    println!("{} ({})", node.version(), found.origin);
    keeps_every_law(&node.client().unwrap()).await;
    node.stop().await.unwrap();
}
