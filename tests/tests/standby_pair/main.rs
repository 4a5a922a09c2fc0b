//! Two real daemons with one key on the embedded chain, sharing a real etcd of three members: the one that votes is killed,
//! then stopped for longer than its lease and woken. Every transaction that either of them sent is looked at.
//!
//! Skipped, and said so, where `ETCD_EXE` names no etcd.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

#[allow(dead_code)] // The package it comes from uses all of it.
#[path = "../../../finality-provider/tests/standby/etcd.rs"]
mod etcd;
mod network;
mod witness;

use btc_staking_babylon::connector::BabylonConnector;
use btc_staking_daemon::http::fetch_json;
use btc_staking_finality_provider::cli::main_with;
use btc_staking_pos_chain::{FinalityReader, HeadReader};
use btc_staking_protocol::height::PosHeight;
use etcd::Cluster;
use network::{Host, Network, PACE};
use rustix::process::Signal;
use std::{
    ffi::OsString,
    sync::Arc,
    time::{Duration, Instant},
};

const ARGUMENTS: &str = "STANDBY_PAIR_ARGUMENTS";

/// Not a test of its own: the program, as `main.rs` runs it. Without the variable it does nothing.
#[test]
fn child_program() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments = std::iter::once("finality-provider").chain(arguments.split('\n')).map(OsString::from);
    let code = main_with(arguments, Arc::new(BabylonConnector));
    std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
}

async fn tip(network: &Network) -> u64 {
    network.reader.fetch_head().await.unwrap().height.to_u64()
}

async fn is_voted(network: &Network, height: u64) -> bool {
    let votes = network.reader.fetch_votes(PosHeight::new(height)).await.unwrap();
    votes.contains(&network.key)
}

/// Waits for a fact, looking five times a block.
async fn wait_until(what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !fact().await {
        assert!(Instant::now() < deadline, "not seen in time: {what}");
        tokio::time::sleep(PACE / 10).await;
    }
}

/// What a daemon says of its only provider.
fn reason(host: &Host) -> Option<String> {
    let report = fetch_json(host.listen, "/status").ok()?;
    let provider = report["providers"].as_array()?.first()?.clone();
    Some(provider["reason_code"].as_str().unwrap_or("voting").to_owned())
}

/// Waits until a height that came after `gone_at` is voted on, and says how many blocks that took.
async fn failover(network: &Network, what: &str, gone_at: u64) -> u64 {
    let start = Instant::now();
    let mut at = gone_at;
    wait_until(what, async || {
        at = tip(network).await;
        for height in gone_at + 1..=at {
            if is_voted(network, height).await {
                return true;
            }
        }
        false
    })
    .await;
    println!(
        "{what}: a block after the last one is voted on {} ms later, {} blocks of {} s",
        start.elapsed().as_millis(),
        at - gone_at,
        PACE.as_secs()
    );
    at - gone_at
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_daemons_votes_on_through_a_kill_and_a_pause_and_never_twice() {
    let Some(cluster) = Cluster::start(3) else { return };
    let network = Network::start(&cluster.endpoints()).await;
    let first = tip(&network).await;
    let (mut a, mut b) = (network.host("host-a"), network.host("host-b"));
    a.done(&["init"]);
    a.done(&["init", "--key", &network.key.to_string()]);
    a.done(&["ha", "init"]);
    b.done(&["init"]);
    a.start();
    // A vote is stored with a later block than the one it is for.
    wait_until("a votes", async || is_voted(&network, tip(&network).await - 1).await).await;
    b.start();
    wait_until("b stands by", async || reason(&b).as_deref() == Some("standby")).await;

    let gone_at = tip(&network).await;
    a.kill();
    let killed = failover(&network, "the holder was killed", gone_at).await;
    a.start();
    wait_until("a stands by", async || reason(&a).as_deref() == Some("standby")).await;

    let gone_at = tip(&network).await;
    b.signal(Signal::STOP);
    let paused = failover(&network, "the holder was stopped", gone_at).await;
    let woken = tip(&network).await + 1;
    wait_until("blocks pass while it stands still", async || is_voted(&network, woken).await).await;
    b.signal(Signal::CONT);
    wait_until("b stands by", async || reason(&b).as_deref() == Some("standby")).await;
    let last = tip(&network).await + 2;
    wait_until("blocks with both awake", async || is_voted(&network, last).await).await;

    // Handed over by a stop, at once.
    let gone_at = tip(&network).await;
    a.stop();
    let stopped = failover(&network, "the holder was told to stop", gone_at).await;
    b.stop();
    assert!(killed <= 3 && paused <= 3 && stopped <= 3, "{killed}, {paused} and {stopped} blocks");
    for height in first + 1..=last {
        assert!(is_voted(&network, height).await, "height {height} was never voted on");
    }
    let votes = network.witness.votes();
    assert!(votes > usize::try_from(last - first).unwrap() / 2, "{votes} votes seen");
    network.stop().await;
}
