//! The daemon on the embedded chain, between them nodes that fail, restart, lag and lie: nearly every block is voted on
//! while that counts, nothing ends the daemon, and whenever it does not vote it says why.
//!
//! `CHAOS_BLOCKS` (default 120) and `CHAOS_BLOCK_MS` (default 500, at least 200) make it longer and faster; the share of
//! votes in time is held against the bar of 99.99 % from 10,000 blocks on. `CHAOS_RESTART_BLOCKS` (default 60) is how often the
//! daemon is stopped and started again.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

mod exhaustion;
mod network;
mod proxy;

use btc_staking_finality_provider::status::ProviderStatus;
use btc_staking_pos_chain::{FinalityReader, HeadReader};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use network::{Daemon, Network};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[derive(Debug, Default)]
struct Watched {
    /// The chain's height at the beginning.
    first: u64,
    samples: u64,
    /// Samples without a vote for longer than votes count, by the reason that was shown.
    idle: BTreeMap<String, u64>,
    restarts: u64,
    /// What the board showed when it gave no reason.
    silent: Vec<ProviderStatus>,
}

/// Each test needs the machine for itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const SILENT: &str = "(no reason)";

#[tokio::test(flavor = "multi_thread")]
async fn nearly_every_block_is_voted_on_in_time_whatever_the_nodes_do() {
    let blocks = number("CHAOS_BLOCKS", 120);
    let pace = Duration::from_millis(number("CHAOS_BLOCK_MS", 500));
    let between_restarts = number("CHAOS_RESTART_BLOCKS", 60);
    let _alone = ONE_AT_A_TIME.lock().await;
    let network = Network::start(blocks * 2 + 1_000, pace).await;
    let first = network.reader.fetch_head().await.unwrap().height.to_u64();
    let mut watched = Watched { first, ..Watched::default() };
    let mut height = first;
    while height < first + blocks {
        let until = (height + between_restarts).min(first + blocks);
        let daemon = network.start_daemon(watched.restarts);
        height = watch(&network, &daemon, until, pace, &mut watched).await;
        daemon.end().await;
        watched.restarts += 1;
    }
    report(&network, first, blocks, &watched).await;
    network.stop().await;
}

/// Looks at the board until the chain is at a height.
async fn watch(network: &Network, daemon: &Daemon, until: u64, pace: Duration, watched: &mut Watched) -> u64 {
    let deadline = Instant::now() + pace * 60 + pace * u32::try_from(until).unwrap() * 10;
    loop {
        let height = network.reader.fetch_head().await.unwrap().height.to_u64();
        for status in daemon.board.providers() {
            watched.samples += 1;
            let seen = status.chain_height.map_or(0, PosHeight::to_u64);
            let voted = status.last_voted_height.map_or(0, PosHeight::to_u64).max(watched.first);
            if seen > voted + network.timeout + 1 {
                if status.reason_code.is_none() {
                    watched.silent.push(status.clone());
                }
                let reason = status.reason_code.unwrap_or_else(|| SILENT.to_owned());
                *watched.idle.entry(reason).or_default() += 1;
            }
        }
        if height >= until {
            return height;
        }
        assert!(Instant::now() < deadline, "the chain stands still at {height}");
        tokio::time::sleep(pace / 5).await;
    }
}

async fn report(network: &Network, first: u64, blocks: u64, watched: &Watched) {
    let tip = network.reader.fetch_head().await.unwrap().height;
    let last_final = network.reader.fetch_last_finalised().await.unwrap().map(|block| block.height);
    // Of the last blocks votes may still come.
    let last = tip.to_u64().min(first + blocks) - network.timeout - 1;
    let included = network.votes_included(first + 1, tip.to_u64()).await;
    let eligible = network.eligible(first + 1, last).await;
    let due = || eligible.iter();
    let delay = |vote: &(FinalityProviderPublicKey, u64)| included.get(vote).map(|block| block - vote.1);
    let judged = u64::try_from(due().count()).unwrap();
    let late = due().filter(|vote| delay(vote).is_some_and(|delay| delay > network.timeout)).count();
    let never = due().filter(|vote| delay(vote).is_none()).count();
    let missed = u64::try_from(late + never).unwrap();
    println!(
        "chaos: heights {first} to {tip}, {judged} votes due, {late} late, {never} missing, final up to {last_final:?}; \
         {} faults of nodes, {} restarts of the daemon; {} samples, idle by reason {:?}",
        network.faults(),
        watched.restarts,
        watched.samples,
        watched.idle,
    );
    assert_eq!(watched.silent, [], "it does not vote and says nothing");
    assert!(last_final.is_some_and(|last| last.to_u64() + 20 > tip.to_u64()), "{last_final:?} of {tip}");
    // How late votes are in a short run says more about the machine; there, they have to come at all.
    let (what, found, bar) = match blocks {
        10_000.. => ("late or missing", missed, judged / 10_000),
        _ => ("missing", u64::try_from(never).unwrap(), judged / 20),
    };
    assert!(found <= bar, "{found} of {judged} votes are {what}, at most {bar} may be");
}
