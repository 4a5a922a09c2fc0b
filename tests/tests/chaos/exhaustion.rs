//! Randomness runs out because Bitcoin stands still, and comes back with it.

use super::network::{Daemon, Network};
use bitcoin::block::{Header, Version};
use btc_staking_finality_provider::status::ProviderStatus;
use btc_staking_pos_chain::{
    ChainMessage, FinalityReader, HeadReader, LightClientReader, MessageOutcome, Submitter,
};
use btc_staking_protocol::height::PosHeight;
use std::time::{Duration, Instant};

/// Heights for which there is usable randomness at the beginning.
const COVERED: u64 = 120;

/// A header on top of `parent` that meets regtest's target.
fn mine(parent: &Header) -> Header {
    let (version, prev_blockhash) = (Version::NO_SOFT_FORK_SIGNALLING, parent.block_hash());
    let mut header = Header { version, prev_blockhash, time: parent.time + 600, ..*parent };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}

async fn until(daemon: &Daemon, what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(240);
    while !fact().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}: {:?}", daemon.board.providers());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Bitcoin blocks for as long as an epoch takes to be final, and some more.
async fn let_bitcoin_go_on(network: &Network, reporter: &dyn Submitter) {
    for _ in 0..6 {
        let tip = network.reader.fetch_light_client_tip().await.unwrap().header;
        let outcomes = reporter.submit(vec![ChainMessage::InsertHeaders(vec![mine(&tip)])]).await.unwrap();
        assert!(matches!(outcomes[0], MessageOutcome::Accepted { .. }), "{outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn randomness_that_ran_out_while_bitcoin_stood_still_comes_back_with_it() {
    let _alone = super::ONE_AT_A_TIME.lock().await;
    let network = Network::start(COVERED, Duration::from_millis(400)).await;
    let first = network.reader.fetch_head().await.unwrap().height.to_u64();
    let daemon = network.start_daemon(1);
    // Of those who vote at the beginning; not every provider of a generated chain has power.
    let voters = || daemon.board.providers().into_iter().filter(|status| status.last_voted_height.is_some());
    let all = |holds: fn(&ProviderStatus) -> bool| voters().all(|status| holds(&status));
    until(&daemon, "two vote", async || voters().count() >= 2).await;
    until(&daemon, "randomness is used up", async || {
        network.reader.fetch_head().await.unwrap().height.to_u64() > first + COVERED + 10
    })
    .await;
    until(&daemon, "everybody says why there is no vote", async || {
        all(|status| !status.voting && status.reason_code.is_some())
    })
    .await;
    let last = |status: &ProviderStatus| status.last_voted_height.map_or(0, PosHeight::to_u64);
    assert!(voters().all(|status| last(&status) <= first + COVERED));
    // Commitments were made all the while; only their epochs are not final.
    assert!(all(|status| status.committed_until.is_some()));
    let stopped_at = network.reader.fetch_head().await.unwrap().height.to_u64();
    let_bitcoin_go_on(&network, network.reporter().await.as_ref()).await;
    until(&daemon, "everybody votes again", async || {
        voters().all(|status| status.voting && last(&status) > stopped_at)
    })
    .await;
    until(&daemon, "blocks are final again", async || {
        let last = network.reader.fetch_last_finalised().await.unwrap();
        last.is_some_and(|block| block.height.to_u64() > stopped_at)
    })
    .await;
    daemon.end().await;
    network.stop().await;
}
