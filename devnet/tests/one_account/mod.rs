//! A chain with one funded account, behind whichever door, as the tests of doors use it.

pub mod contract;

use bitcoin::block::{Header, Version};
use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_devnet_chain::{Genesis, GenesisAccount};
use btc_staking_pos_chain::{
    PosChain,
    connect::{AccountSecret, ChainEndpoint, Connector as _},
};
use btc_staking_protocol::height::PosHeight;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

pub const CHAIN: &str = "one-account";
/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// What the account has, in the smallest unit.
pub const COINS: u64 = 100_000_000;

const FUNDED: u8 = 7;
const UNFUNDED: u8 = 8;

/// The funded account's.
pub fn secret() -> AccountSecret {
    AccountSecret([FUNDED; 32].into())
}

pub fn endpoint(rpc: &[String]) -> ChainEndpoint {
    ChainEndpoint::new(CHAIN, rpc.to_vec())
}

pub fn genesis() -> Genesis {
    let nowhere = endpoint(&["http://127.0.0.1:1".to_owned()]);
    let funded = BabylonConnector.account_address(&nowhere, &secret()).unwrap();
    Genesis::default_genesis(CHAIN, vec![GenesisAccount { address: funded, ubbn: COINS }])
}

/// Connects once the chain is past a height; before the first block there is nothing to read.
pub async fn connected(endpoint: &ChainEndpoint, past: u64) -> Arc<dyn PosChain> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match BabylonConnector.connect(endpoint).await {
            Ok(chain) if chain.fetch_head().await.is_ok_and(|head| head.height > PosHeight::new(past)) => {
                return chain;
            }
            answer => assert!(Instant::now() < deadline, "{:?}", answer.err()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A header on top of `parent` that meets regtest's target.
pub fn mine(parent: &Header) -> Header {
    let (version, prev_blockhash) = (Version::NO_SOFT_FORK_SIGNALLING, parent.block_hash());
    let mut header = Header { version, prev_blockhash, time: parent.time + 600, ..*parent };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}
