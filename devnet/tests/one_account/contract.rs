//! The contract of the ports, through the adapter and over RPC: the same for every door.

use super::{CHAIN, COINS, UNFUNDED, connected, endpoint, mine, secret};
use bitcoin::block::Header;
use btc_staking_babylon::{connector::BabylonConnector, reader::BabylonReader};
use btc_staking_pos_chain::{
    ChainMessage, ErrorKind, EventFollower, MessageOutcome, RefusalKind,
    connect::{AccountSecret, ChainEndpoint, Connector as _},
    contract::{check_events, check_hints, check_reads, check_submission},
    event::ChainEvent,
};
use btc_staking_protocol::height::PosHeight;
use std::time::Duration;

/// Runs every check on the nodes of one chain that is at its genesis state but for blocks. Returns the tip of its light
/// client, which is two headers above the base.
pub async fn check_contract(rpc: &[String]) -> Header {
    let endpoint = endpoint(rpc);
    let chain = connected(&endpoint, 1).await;
    check_reads(chain.as_ref()).await.unwrap();

    let sender = BabylonConnector.open_account(&endpoint, secret()).await.unwrap();
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
    check_told(rpc, second).await;
    check_foreign(&endpoint).await;
    check_hints(chain.as_ref(), true, tokio::time::sleep(Duration::from_secs(20))).await.unwrap();
    check_agreement(&endpoint).await;
    second
}

async fn check_unfunded(endpoint: &ChainEndpoint, tip: Header) {
    let sender = BabylonConnector.open_account(endpoint, AccountSecret([UNFUNDED; 32].into())).await.unwrap();
    let outcomes = sender.submit(vec![ChainMessage::InsertHeaders(vec![mine(&tip)])]).await.unwrap();
    let told = matches!(&outcomes[0], MessageOutcome::Refused(refusal) if refusal.kind == RefusalKind::InsufficientFunds);
    assert!(told, "{outcomes:?}");
}

async fn check_told(rpc: &[String], tip: Header) {
    let reader = BabylonReader::over_http(rpc, Duration::from_secs(10)).unwrap();
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

/// The same contract holds where two endpoints must say everything alike: two nodes, or one under two names.
async fn check_agreement(endpoint: &ChainEndpoint) {
    let rpc = match endpoint.rpc.as_slice() {
        [one] => vec![one.clone(), one.replace("127.0.0.1", "localhost")],
        several => several[..2].to_vec(),
    };
    let two = ChainEndpoint { rpc, agreement: 2, ..endpoint.clone() };
    let chain = BabylonConnector.connect(&two).await.unwrap();
    check_reads(chain.as_ref()).await.unwrap();
    let three = ChainEndpoint { agreement: 3, ..two };
    let Err(error) = BabylonConnector.connect(&three).await else { panic!("two endpoints cannot be three") };
    assert_eq!(error.kind, ErrorKind::Broken);
}
