//! Restarts and kills: nothing is lost, and nothing harmful is done twice.

use crate::bench::*;
use btc_staking_bitcoin_node::{dev::DevNode, follower::DEFAULT_WINDOW, ports::BlockSource};
use btc_staking_protocol::{
    delegation::{DelegationStatus, SlashedOutput},
    height::BtcHeight,
};
use btc_staking_slasher::{
    records::{Records, SCHEMA},
    service::{RoundError, Watcher},
    stakes::SlashingStep,
};
use btc_staking_store::testing::{self, Cut};

/// What a story ends with: `a` slashed from its staking output, `b` from its unbonding output, `c` untouched.
struct Story {
    bench: Bench,
    guilty: Provider,
    a: Stake,
    b: Stake,
    c: Stake,
}

impl Story {
    async fn begin() -> Self {
        let mut bench = Bench::new().await;
        let (guilty, honest) = (Provider::new("guilty"), Provider::new("honest"));
        let a = bench.stake("a", &guilty);
        let b = bench.stake("b", &guilty);
        let c = bench.stake("c", &honest);
        Self { bench, guilty, a, b, c }
    }

    /// What the world does at each step, whatever the watchtower does.
    async fn happen(&mut self, step: u32) {
        match step {
            0 => self.bench.confirm(&[&self.a, &self.b, &self.c]).await,
            1 => self.bench.mine(K).await,
            2 => self.bench.broadcast(&self.b.unbonding_tx()).await,
            3 => self.bench.mine(1).await,
            4 => self.bench.convict(&self.guilty),
            5 => self.bench.mine(1).await,
            6 => drop(self.bench.reorg(1).await),
            _ => self.bench.mine(1).await,
        }
    }

    async fn check_end(&self, what: &str) {
        let [a, b, c] = [&self.a, &self.b, &self.c].map(|stake| stake.slashing_txid(SlashedOutput::Staking));
        assert!(self.bench.is_confirmed(&a).await, "{what}: a");
        let b_unbonding = self.b.slashing_txid(SlashedOutput::Unbonding);
        assert!(
            self.bench.is_confirmed(&b_unbonding).await && !self.bench.is_confirmed(&b).await,
            "{what}: b"
        );
        assert_eq!(self.bench.status(&self.b), DelegationStatus::Unbonded, "{what}: b is reported");
        assert!(!self.bench.is_confirmed(&c).await, "{what}: c");
        assert_eq!(self.bench.status(&self.c), DelegationStatus::Active, "{what}: c");
    }
}

const STEPS: u32 = 10;

#[tokio::test]
async fn a_restart_after_every_step_changes_nothing() {
    let mut story = Story::begin().await;
    for step in 0..STEPS {
        story.happen(step).await;
        story.bench.one_look_after_a_restart().await;
    }
    story.check_end("restarts").await;
}

#[tokio::test]
async fn a_watchtower_that_was_down_most_of_the_time_catches_up() {
    for first in 1..STEPS {
        let mut story = Story::begin().await;
        story.bench.one_look_after_a_restart().await;
        for step in 0..STEPS {
            story.happen(step).await;
            if step >= first {
                story.bench.one_look_after_a_restart().await;
            }
        }
        story.bench.mine(1).await;
        story.bench.one_look_after_a_restart().await;
        story.check_end(&format!("down until step {first}")).await;
    }
}

#[tokio::test]
async fn a_kill_at_any_point_of_any_commit_loses_nothing() {
    for cut in Cut::ALL {
        let mut commit = 1;
        while run_killed_at(commit, cut).await {
            commit += 1;
        }
        assert!(commit > 10, "the story makes {commit} commits");
    }
}

/// Runs the story with one commit failing; returns whether the kill happened.
async fn run_killed_at(commit: u64, cut: Cut) -> bool {
    let mut story = Story::begin().await;
    let what = format!("killed in commit {commit}, {cut:?}");
    let store = testing::open_crashing(story.bench.folder.path(), SCHEMA, commit, cut).unwrap();
    let service = story.bench.service_over(Records::over(store).unwrap());
    let mut killed = false;
    let mut step = 0;
    {
        let mut watcher = match story.bench.try_watch(&service).await {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                assert!(matches!(error, RoundError::Store(_)), "{what}: {error}");
                None
            }
        };
        while let Some(running) = &mut watcher {
            if step == STEPS {
                break;
            }
            story.happen(step).await;
            step += 1;
            if let Err(error) = story.bench.try_round(running).await {
                assert!(matches!(error, RoundError::Store(_)), "{what}: {error}");
                killed = true;
                break;
            }
        }
    }
    drop(service);
    // What the killed process leaves on disk.
    let left = tempfile::tempdir().unwrap();
    testing::copy_directory(story.bench.folder.path(), left.path()).unwrap();
    story.bench.folder = left;
    while step < STEPS {
        story.bench.one_look_after_a_restart().await;
        story.happen(step).await;
        step += 1;
    }
    story.bench.one_look_after_a_restart().await;
    story.bench.mine(1).await;
    story.bench.one_look_after_a_restart().await;
    story.check_end(&what).await;
    killed
}

#[tokio::test]
async fn nothing_leaves_before_it_is_recorded() {
    let mut story = Story::begin().await;
    story.happen(0).await;
    story.bench.convict(&story.guilty);
    // Commit 1 is the blocks, commit 2 the case.
    let store = testing::open_crashing(story.bench.folder.path(), SCHEMA, 2, Cut::BeforeApply).unwrap();
    let service = story.bench.service_over(Records::over(store).unwrap());
    let mut watcher = story.bench.watch(&service).await;
    let mut looks = 0;
    while story.bench.try_round(&mut watcher).await.is_ok() {
        looks += 1;
        assert!(looks < 10, "the second commit never comes");
    }
    story.bench.mine(1).await;
    assert!(!story.bench.is_confirmed(&story.a.slashing_txid(SlashedOutput::Staking)).await);
}

#[tokio::test]
async fn a_reorg_below_everything_remembered_is_followed_again() {
    let mut bench = Bench::new().await;
    let provider = Provider::new("guilty");
    let stake = bench.stake("holder", &provider);
    bench.mine(100).await;
    bench.confirm(&[&stake]).await;
    let service = bench.service();
    let mut watcher = bench.watch(&service).await;
    bench.mine(DEFAULT_WINDOW + 10).await;
    bench.round(&mut watcher).await;
    assert_eq!(bench.status(&stake), DelegationStatus::Active);
    bench.broadcast(&stake.unbonding_tx()).await;
    bench.mine(1).await;
    bench.round(&mut watcher).await;
    // The branch without the stake and its unbonding starts below everything the follower remembers.
    let below = bench.bitcoin.fetch_block_hash(BtcHeight::new(200)).await.unwrap().unwrap();
    bench.bitcoin.invalidate(&below).await.unwrap();
    bench.bitcoin.evict(&stake.txid());
    bench.mine(DEFAULT_WINDOW + 50).await;
    bench.convict(&provider);
    bench.round(&mut watcher).await;
    let step = |watcher: &Watcher<'_>| watcher.machine().slashings().next().unwrap().2.clone();
    assert_eq!(step(&watcher), SlashingStep::NotOnBitcoin, "what the lost branch showed is forgotten");
    bench.confirm(&[&stake]).await;
    bench.round(&mut watcher).await;
    bench.mine(1).await;
    assert!(bench.is_confirmed(&stake.slashing_txid(SlashedOutput::Staking)).await);
}
