//! The application behind a real CometBFT: one validator, then four. Skipped, and said so, without COMETBFT_EXE.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // Helpers beside the tests unwrap as the tests do.

use bitcoin::block::{Header, Version};
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_devnet::comet::{CometNetwork, CometOptions};
use btc_staking_devnet_chain::{Genesis, GenesisAccount};
use btc_staking_pos_chain::{
    ChainMessage, MessageOutcome, PosChain,
    connect::{AccountSecret, ChainEndpoint, Connector as _},
};
use btc_staking_protocol::height::PosHeight;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

const CHAIN: &str = "comet-test";
const DEADLINE: Duration = Duration::from_secs(120);

/// The CometBFT to run. Without one the test is over.
fn cometbft() -> Option<std::path::PathBuf> {
    let exe = std::env::var_os("COMETBFT_EXE").map(Into::into);
    if exe.is_none() {
        println!("skipped: COMETBFT_EXE names no CometBFT");
    }
    exe
}

fn options(cometbft: &Path, folder: &Path, genesis: Genesis, validators: usize) -> CometOptions {
    let devnet = env!("CARGO_BIN_EXE_devnet");
    let leash = [devnet, "leash", &std::process::id().to_string(), "--"].map(Into::into).to_vec();
    CometOptions {
        cometbft: cometbft.to_owned(),
        devnet: devnet.into(),
        leash,
        folder: folder.join("homes"),
        logs: folder.join("logs"),
        genesis,
        validators,
        block_time: Duration::from_millis(300),
    }
}

fn secret() -> AccountSecret {
    AccountSecret([7; 32].into())
}

fn endpoint(rpc: &[String]) -> ChainEndpoint {
    ChainEndpoint {
        id: CHAIN.to_owned(),
        rpc: rpc.to_vec(),
        account_prefix: "bbn".to_owned(),
        fee_denom: "ubbn".to_owned(),
        gas_price: "0.01".to_owned(),
        gas_adjustment: "1.5".to_owned(),
    }
}

fn genesis() -> Genesis {
    let nowhere = endpoint(&["http://127.0.0.1:1".to_owned()]);
    let funded = BabylonConnector.account_address(&nowhere, &secret()).unwrap();
    Genesis::default_genesis(CHAIN, vec![GenesisAccount { address: funded, ubbn: 100_000_000 }])
}

/// Connects once there are blocks.
async fn connected(endpoint: &ChainEndpoint) -> Arc<dyn PosChain> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match BabylonConnector.connect(endpoint).await {
            Ok(chain) if chain.fetch_head().await.is_ok_and(|head| head.height > PosHeight::new(1)) => {
                return chain;
            }
            answer => assert!(Instant::now() < deadline, "{:?}", answer.err()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A header on top of `parent` that meets the easiest target.
fn mine(parent: &Header) -> Header {
    let (version, prev_blockhash) = (Version::NO_SOFT_FORK_SIGNALLING, parent.block_hash());
    let mut header = Header { version, prev_blockhash, time: parent.time + 600, ..*parent };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_lands_through_one_validator() {
    let Some(cometbft) = cometbft() else { return };
    let dir = tempfile::tempdir().unwrap();
    let network = CometNetwork::start(options(&cometbft, dir.path(), genesis(), 1)).await.unwrap();
    let endpoint = endpoint(&network.rpc());
    let chain = connected(&endpoint).await;
    let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
    let header = mine(&chain.fetch_light_client_base().await.unwrap().header);
    let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![header])]).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::Accepted { .. }), "{outcomes:?}");
    assert_eq!(chain.fetch_light_client_tip().await.unwrap().header, header);
    network.stop();
}
