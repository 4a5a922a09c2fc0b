//! The application behind a real CometBFT: one validator, then four. Skipped, and said so, without COMETBFT_EXE.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // Helpers beside the tests unwrap as the tests do.

mod one_account;

use bitcoin::block::Header;
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_devnet::comet::{CometNetwork, CometOptions};
use btc_staking_devnet_chain::{Genesis, Replay};
use btc_staking_pos_chain::{
    ChainMessage, MessageOutcome, Submitter, connect::Connector as _, contract::check_reads,
};
use one_account::{DEADLINE, connected, contract::check_contract, endpoint, genesis, mine, secret};
use std::{path::Path, time::Duration};
use tendermint::AppHash;
use tendermint_rpc::{Client as _, HttpClient};
use tokio::time::Instant;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_lands_through_one_validator() {
    let Some(cometbft) = cometbft() else { return };
    let dir = tempfile::tempdir().unwrap();
    let network = CometNetwork::start(options(&cometbft, dir.path(), genesis(), 1)).await.unwrap();
    let endpoint = endpoint(&network.rpc());
    let chain = connected(&endpoint, 1).await;
    let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
    let header = mine(&chain.fetch_light_client_base().await.unwrap().header);
    let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![header])]).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::Accepted { .. }), "{outcomes:?}");
    assert_eq!(chain.fetch_light_client_tip().await.unwrap().header, header);
    network.stop();
}

/// A node's own view: what each header says of the block before, and what its own application answered.
struct View(HttpClient);

impl View {
    fn of(rpc: &str) -> Self {
        Self(HttpClient::new(rpc).unwrap())
    }

    async fn wait_for(&self, height: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.height().await.is_none_or(|at| at < height) {
            assert!(Instant::now() < deadline, "height {height} is not reached");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn height(&self) -> Option<u64> {
        self.0.status().await.ok().map(|status| status.sync_info.latest_block_height.value())
    }

    async fn own_hash(&self, height: u64) -> Vec<u8> {
        let height = u32::try_from(height).unwrap();
        self.0.block_results(height).await.unwrap().app_hash.as_bytes().to_vec()
    }
}

/// Every node's application answered the same at every height, and so does one without a door.
async fn check_hashes(network: &CometNetwork, until: u64, scratch: &Path) {
    let views: Vec<View> = network.rpc().iter().map(|rpc| View::of(rpc)).collect();
    for view in &views {
        view.wait_for(until + 1).await;
    }
    let mut replay = Replay::start(network.genesis(), scratch).unwrap();
    for height in 1..=until {
        let block = views[0].0.block(u32::try_from(height).unwrap()).await.unwrap().block;
        assert_eq!(
            block.header.app_hash,
            AppHash::try_from(replay.app_hash().to_vec()).unwrap(),
            "header {height}"
        );
        let time = block.header.time;
        let since =
            (time.unix_timestamp(), u32::try_from(time.unix_timestamp_nanos() % 1_000_000_000).unwrap());
        let hash = replay.execute(since, block.data).unwrap();
        for (at, view) in views.iter().enumerate() {
            assert_eq!(view.own_hash(height).await, hash, "validator {at}, height {height}");
        }
    }
}

async fn submit(sender: &dyn Submitter, header: Header) {
    let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![header])]).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::Accepted { .. }), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_keep_the_contract_while_one_dies_and_comes_back() {
    let Some(cometbft) = cometbft() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut network = CometNetwork::start(options(&cometbft, dir.path(), genesis(), 4)).await.unwrap();
    let second = check_contract(&network.rpc()).await;

    let endpoint = endpoint(&network.rpc());
    let chain = connected(&endpoint, 1).await;
    let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
    network.kill(3);
    let third = mine(&second);
    submit(sender.as_ref(), third).await;
    check_reads(chain.as_ref()).await.unwrap();
    network.restart(3).await.unwrap();
    let fourth = mine(&third);
    submit(sender.as_ref(), fourth).await;
    check_reads(chain.as_ref()).await.unwrap();
    assert_eq!(chain.fetch_light_client_tip().await.unwrap().header, fourth);

    let until = chain.fetch_head().await.unwrap().height.to_u64();
    check_hashes(&network, until, &dir.path().join("replay")).await;
    network.check().unwrap();
    network.stop();
}

/// `count` headers on top of `parent`, unlike those of another `salt`.
fn branch(parent: Header, count: usize, salt: u32) -> Vec<Header> {
    let first = Header { time: parent.time + salt, ..parent };
    let mut headers: Vec<Header> = vec![];
    for _ in 0..count {
        let mut header = mine(headers.last().unwrap_or(&parent));
        if headers.is_empty() {
            header.time = first.time + 1_200;
            while header.validate_pow(header.target()).is_err() {
                header.nonce += 1;
            }
        }
        headers.push(header);
    }
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_stops_cometbft_with_the_reason_and_again_after_a_restart() {
    let Some(cometbft) = cometbft() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut network = CometNetwork::start(options(&cometbft, dir.path(), genesis(), 1)).await.unwrap();
    let endpoint = endpoint(&network.rpc());
    let chain = connected(&endpoint, 1).await;
    let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
    let base = chain.fetch_light_client_base().await.unwrap().header;
    let first = vec![ChainMessage::InsertHeaders(branch(base, 11, 0))];
    let outcomes = sender.submit(first).await.unwrap();
    assert!(matches!(outcomes[0], MessageOutcome::Accepted { .. }), "{outcomes:?}");
    // A Bitcoin reorg of eleven blocks, where ten are final: the block that reports it is never committed.
    let fatal = vec![ChainMessage::InsertHeaders(branch(base, 12, 7))];
    let sending = tokio::spawn(async move { sender.submit(fatal).await });
    for restarted in [false, true] {
        if restarted {
            // The application comes up, CometBFT hands it the same block once more and hears the same.
            let _ = network.restart(0).await;
        }
        let deadline = Instant::now() + DEADLINE;
        let ended = loop {
            match network.check() {
                Err(ended) => break ended.to_string(),
                Ok(()) => assert!(Instant::now() < deadline, "it goes on, restarted: {restarted}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let log = std::fs::read_dir(dir.path().join("logs"))
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let told = log.filter(|log| log.contains("reaches the confirmation depth")).count();
        assert!(told >= 2, "{told} logs tell of the halt, restarted: {restarted}: {ended}");
    }
    sending.abort();
}
