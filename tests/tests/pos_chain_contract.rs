//! The embedded chain and a real Babylon node, through the adapter and over their RPC, keep the contract of the ports.
//!
//! `BABYLOND_EXE` names a babylond v4; without it the test of the real node says that it was skipped.

#![allow(clippy::unwrap_used)] // Helpers beside the test unwrap as the test does.

use bitcoin::block::{Header, Version};
use btc_staking_babylon::{connector::BabylonConnector, reader::BabylonReader};
use btc_staking_devnet::staking_chain::{StakingChain as _, babylon::Babylond};
use btc_staking_devnet_chain::{Genesis, GenesisAccount, Node, NodeConfig};
use btc_staking_pos_chain::{
    ChainMessage, ErrorKind, EventFollower, MessageOutcome, PosChain, RefusalKind,
    connect::{AccountSecret, ChainEndpoint, Connector},
    contract::{check_events, check_hints, check_reads, check_submission},
    event::ChainEvent,
};
use btc_staking_protocol::height::PosHeight;
use std::{path::PathBuf, sync::Arc, time::Duration};

const CHAIN: &str = "chain-contract";
const FUNDED: u8 = 7;
const UNFUNDED: u8 = 8;
const COINS: u64 = 100_000_000;

fn secret(byte: u8) -> AccountSecret {
    AccountSecret([byte; 32].into())
}
fn endpoint(rpc: &str) -> ChainEndpoint {
    ChainEndpoint::new(CHAIN, vec![rpc.to_owned()])
}
/// A header on top of `parent` that meets regtest's target.
fn mine(parent: &Header) -> Header {
    let (version, prev_blockhash) = (Version::NO_SOFT_FORK_SIGNALLING, parent.block_hash());
    let mut header = Header { version, prev_blockhash, time: parent.time + 600, ..*parent };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}

fn genesis() -> Genesis {
    let funded = BabylonConnector.account_address(&endpoint("http://127.0.0.1:1"), &secret(FUNDED)).unwrap();
    Genesis::default_genesis(CHAIN, vec![GenesisAccount { address: funded, ubbn: COINS }])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_chain_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::new(genesis(), dir.path());
    config.block_time = Duration::from_millis(200);
    let node = Node::start(config).await.unwrap();
    check_contract(&format!("http://{}", node.rpc_addr())).await;
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
    check_contract(&chain.rpc()[0]).await;
}

async fn check_contract(url: &str) {
    let endpoint = endpoint(url);
    let chain = connected(&endpoint).await;
    check_reads(chain.as_ref()).await.unwrap();

    let sender = BabylonConnector.open_account(&endpoint, secret(FUNDED)).await.unwrap();
    let base = chain.fetch_light_client_base().await.unwrap().header;
    let first = mine(&base);
    let second = mine(&first);
    let good = vec![ChainMessage::InsertHeaders(vec![first]), ChainMessage::InsertHeaders(vec![second])];
    check_submission(chain.as_ref(), sender.as_ref(), good).await.unwrap();
    assert_eq!(chain.fetch_light_client_tip().await.unwrap().header, second);
    check_reads(chain.as_ref()).await.unwrap();

    let again = sender.submit(vec![ChainMessage::InsertHeaders(vec![first])]).await.unwrap();
    assert!(matches!(again[0], MessageOutcome::AlreadyDone(_)), "{again:?}");
    // Both transactions succeeded and were made of refundable messages only.
    assert_eq!(chain.fetch_balance(sender.account()).await, Ok(COINS.into()));
    check_unfunded(&endpoint, second).await;
    check_told(url, second).await;
    check_foreign(&endpoint).await;
    check_hints(chain.as_ref(), true, tokio::time::sleep(Duration::from_secs(20))).await.unwrap();
    check_agreement(&endpoint, url).await;
}

async fn connected(endpoint: &ChainEndpoint) -> Arc<dyn PosChain> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match BabylonConnector.connect(endpoint).await {
            // Before the first block there is nothing to read.
            Ok(chain) if chain.fetch_head().await.is_ok_and(|head| head.height > PosHeight::new(1)) => {
                return chain;
            }
            answer => assert!(tokio::time::Instant::now() < deadline, "{:?}", answer.err()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn check_unfunded(endpoint: &ChainEndpoint, tip: Header) {
    let sender = BabylonConnector.open_account(endpoint, secret(UNFUNDED)).await.unwrap();
    let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![mine(&tip)])]).await.unwrap();
    let told = matches!(&outcomes[0], MessageOutcome::Refused(refusal) if refusal.kind == RefusalKind::InsufficientFunds);
    assert!(told, "{outcomes:?}");
}

async fn check_told(url: &str, tip: Header) {
    let reader = BabylonReader::over_http(&[url.to_owned()], Duration::from_secs(10)).unwrap();
    check_events(&reader).await.unwrap();
    let mut follower = EventFollower::after(PosHeight::new(0));
    let blocks = follower.fetch_next(&reader, 10_000).await.unwrap();
    let mut advanced = blocks.iter().flat_map(|block| &block.events.items).filter_map(|event| match event {
        ChainEvent::LightClientAdvanced { to, .. } => Some(*to),
        _ => None,
    });
    assert_eq!(advanced.next_back(), Some(tip.block_hash()));
    assert!(blocks.iter().all(|block| block.events.malformed.is_empty()));
}

async fn check_foreign(endpoint: &ChainEndpoint) {
    let foreign = ChainEndpoint { id: "bbn-1".to_owned(), ..endpoint.clone() };
    let Err(error) = BabylonConnector.connect(&foreign).await else { panic!("another network was accepted") };
    assert_eq!(error.kind, ErrorKind::Broken);
    assert!(error.detail.contains(CHAIN) && error.detail.contains("bbn-1"), "{error}");
}

/// The same contract holds where two endpoints must say everything alike.
async fn check_agreement(endpoint: &ChainEndpoint, url: &str) {
    let second = url.replace("127.0.0.1", "localhost");
    let two = ChainEndpoint { rpc: vec![url.to_owned(), second], agreement: 2, ..endpoint.clone() };
    let chain = BabylonConnector.connect(&two).await.unwrap();
    check_reads(chain.as_ref()).await.unwrap();
    let three = ChainEndpoint { agreement: 3, ..two };
    let Err(error) = BabylonConnector.connect(&three).await else { panic!("two endpoints cannot be three") };
    assert_eq!(error.kind, ErrorKind::Broken);
}
