//! Headers for the light client.

use crate::bench::*;
use btc_staking_bitcoin_node::{dev::DevNode, ports::BlockSource, simulator::Simulator};
use btc_staking_pos_chain::LightClientReader;
use btc_staking_slasher::relay::{RelayError, Relayed, relay_once};

#[tokio::test]
async fn headers_extend_the_light_client_and_nothing_is_sent_twice() {
    let bench = Bench::new().await;
    bench.relay().await.unwrap();
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    let theirs = bench.chain.fetch_light_client_tip().await.unwrap();
    assert_eq!((theirs.hash, theirs.height), (tip.hash, tip.height));
    bench.chain.take_submitted();
    bench.relay().await.unwrap();
    assert!(bench.chain.take_submitted().is_empty(), "all known already");
    bench.mine(3).await;
    bench.relay().await.unwrap();
    assert_eq!(bench.chain.take_submitted().len(), 1, "one message for three headers");
}

#[tokio::test]
async fn a_fork_is_followed_from_the_block_both_sides_have() {
    let mut bench = Bench::new().await;
    bench.relay().await.unwrap();
    let mined = bench.reorg(4).await;
    bench.relay().await.unwrap();
    for block in mined {
        assert!(bench.chain.light_client_contains(&block.hash).await.unwrap());
    }
}

#[tokio::test]
async fn a_branch_that_is_not_longer_is_kept_back() {
    let bench = Bench::new().await;
    bench.mine(2).await;
    bench.relay().await.unwrap();
    bench.chain.take_submitted();
    // The same length with other blocks: the light client would refuse it and the message would cost a fee.
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    bench.bitcoin.invalidate(&tip.hash).await.unwrap();
    bench.bitcoin.mine(1, &bitcoin::ScriptBuf::from_hex("51").unwrap()).await.unwrap();
    bench.relay().await.unwrap();
    assert!(bench.chain.take_submitted().is_empty());
    bench.mine(1).await;
    bench.relay().await.unwrap();
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    assert_eq!(bench.chain.fetch_light_client_tip().await.unwrap().hash, tip.hash);
}

#[tokio::test]
async fn a_light_client_that_is_ahead_of_our_node_is_left_alone() {
    let bench = Bench::new().await;
    bench.mine(1).await;
    bench.relay().await.unwrap();
    bench.chain.take_submitted();
    let tip = bench.bitcoin.fetch_tip().await.unwrap();
    bench.bitcoin.invalidate(&tip.hash).await.unwrap();
    bench.relay().await.unwrap();
    assert!(bench.chain.take_submitted().is_empty());
}

#[tokio::test]
async fn a_node_of_another_bitcoin_is_named() {
    let bench = Bench::new().await;
    let other = Simulator::new(Box::new(|| 1_600_000_000));
    other.mine(120, &bitcoin::ScriptBuf::from_hex("51").unwrap()).await.unwrap();
    let account = btc_staking_protocol::keys::AccountAddress::from_bytes("bbn", &[7; 20]).unwrap();
    let refused = relay_once(&other, &bench.chain, &bench.chain.submitter(account)).await;
    assert!(matches!(refused, Err(RelayError::OtherBitcoin { .. })), "{refused:?}");
    assert!(bench.chain.take_submitted().is_empty());
}

#[tokio::test]
async fn long_gaps_are_sent_in_chunks() {
    let bench = Bench::new().await;
    bench.mine(240).await;
    let account = btc_staking_protocol::keys::AccountAddress::from_bytes("bbn", &[7; 20]).unwrap();
    let submitter = bench.chain.submitter(account);
    let mut sent = Vec::new();
    while let Relayed::Sent(count) = relay_once(&*bench.bitcoin, &bench.chain, &submitter).await.unwrap() {
        sent.push(count);
    }
    assert_eq!(sent, [100, 100, 50]);
}

#[tokio::test]
async fn a_branch_longer_than_a_chunk_is_sent_whole() {
    let mut bench = Bench::new().await;
    bench.mine(120).await;
    bench.relay().await.unwrap();
    bench.chain.take_submitted();
    bench.reorg(115).await;
    let account = btc_staking_protocol::keys::AccountAddress::from_bytes("bbn", &[7; 20]).unwrap();
    let submitter = bench.chain.submitter(account);
    // In pieces of 100 the light client would refuse the first for want of work, and the second for want of a parent.
    let sent = relay_once(&*bench.bitcoin, &bench.chain, &submitter).await.unwrap();
    assert_eq!(sent, Relayed::Sent(116));
}
