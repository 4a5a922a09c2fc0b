//! The daemon's tasks against the scripted chain: blocks come, nodes fail, processes restart.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_daemon::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SeededEntropy},
    health::Health,
    metrics::Metrics,
    tasks::{StopSource, TaskError},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::Local,
};
use btc_staking_finality_provider::{
    machine::planner::{Lead, Plan},
    meters::Meters,
    records::Records,
    service::{Brake, ChainWatch, Guard, Provider, Settings, run_planner, run_voter, run_watch},
    status::{Board, ProviderStatus},
};
use btc_staking_pos_chain::{
    double::{ChainState, ScriptedChain},
    message::{ChainMessage, CommissionRates, Description, MessageOutcome, Refusal, RefusalKind},
    ports::{ErrorKind, FinalityProvider},
};
use btc_staking_protocol::{
    finality::{randomness::CommittedRandomness, vote::SignedVote},
    height::{Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

fn h(height: u64) -> PosHeight {
    PosHeight::new(height)
}

fn app_hash(height: u64) -> [u8; 32] {
    let mut hash = [0xaa; 32];
    hash[..8].copy_from_slice(&height.to_be_bytes());
    hash
}

fn eots_key() -> EotsKey {
    EotsKey::from_secret_bytes(&[9; 32]).unwrap()
}

fn key() -> FinalityProviderPublicKey {
    eots_key().public_key()
}

fn account() -> AccountAddress {
    AccountAddress::from_bytes("bbn", &[5; 20]).unwrap()
}

fn registered() -> FinalityProvider {
    let rate = |text: &str| text.parse().unwrap();
    FinalityProvider {
        key: key(),
        account: account(),
        description: Description::default(),
        commission: CommissionRates {
            rate: rate("0.1"),
            max_rate: rate("0.2"),
            max_change_rate: rate("0.01"),
        },
        commission_set_at: None,
        slashed: None,
        jailed: false,
        highest_voted_height: h(0),
    }
}

/// A chain on which the provider is registered and commitments are usable at once.
fn chain() -> ScriptedChain {
    let mut state = ChainState::new("bbn-1");
    state.finality_providers.insert(key(), registered());
    state.last_finalised_epoch = Epoch::new(1);
    state.finality_params.min_pub_rand = 5;
    state.head.height = h(99);
    ScriptedChain::new(state)
}

fn block_with_power(chain: &ScriptedChain, height: u64) {
    chain.update(|state| {
        state.push_block(h(height), app_hash(height));
        state.set_power(h(height), key(), 1_000);
    });
}

struct Running {
    board: Board,
    metrics: Metrics,
    health: Health,
    brake: Arc<Brake>,
    stop: StopSource,
    tasks: Vec<JoinHandle<Result<(), TaskError>>>,
}

/// Starts the daemon's tasks on a data directory, creating its records if they are not there.
fn start(directory: &Path, chain: &ScriptedChain) -> Running {
    start_paid_by(account(), directory, chain)
}

fn start_paid_by(account: AccountAddress, directory: &Path, chain: &ScriptedChain) -> Running {
    if !directory.join("sign-records").exists() {
        SignRecords::create(directory).unwrap();
    }
    let manager = EotsManager::new(SignRecords::open(directory).unwrap(), [eots_key()]);
    let subject = Subject { finality_provider: key(), chain_id: "bbn-1".parse().unwrap() };
    manager.records().declare_new(&subject).unwrap();
    let (board, metrics, stop) = (Board::default(), Metrics::new("fp"), StopSource::new());
    let health = Health::new();
    board.add(&subject);
    let records = Records::open(directory).unwrap();
    let brake = Arc::new(Brake::open(records.clone()).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let meters = Meters::register(&metrics, board.clone(), Arc::clone(&clock)).unwrap();
    let settings = Settings {
        plan: Plan { count: 40, lead: Lead::Blocks(30) },
        batch: 10,
        poll_interval: Duration::from_millis(2),
        request_timeout: Duration::from_secs(5),
        submit_timeout: Duration::from_secs(5),
    };
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
    let port = Arc::new(chain.clone());
    let watch = ChainWatch::new(port, settings.pace(), Arc::clone(&clock), Arc::clone(&entropy));
    let provider = Arc::new(Provider {
        meters: meters.provider(&subject),
        guard: Guard::new(subject.clone(), Arc::clone(&brake)),
        subject,
        signer: Arc::new(Local::new(Arc::new(manager))),
        watch: Arc::clone(&watch),
        submitter: Arc::new(chain.submitter(account)),
        records,
        settings,
        board: board.clone(),
        health: health.check("voting"),
        clock,
        entropy,
    });
    let tasks = vec![
        tokio::spawn(run_watch(watch, stop.stop())),
        tokio::spawn(run_voter(Arc::clone(&provider), stop.stop())),
        tokio::spawn(run_planner(provider, stop.stop())),
    ];
    Running { board, metrics, health, brake, stop, tasks }
}

impl Running {
    fn status(&self) -> ProviderStatus {
        self.board.providers().remove(0)
    }

    async fn end(self) {
        self.stop.trigger();
        for task in self.tasks {
            task.await.unwrap().unwrap();
        }
    }
}

/// As [`start`], and waits until randomness is committed: no block before that can be voted on.
async fn start_committed(directory: &Path, chain: &ScriptedChain) -> Running {
    let running = start(directory, chain);
    until("randomness is there", || is_committed(chain)).await;
    running
}

fn is_committed(chain: &ScriptedChain) -> bool {
    chain.update(|state| state.commitments.contains_key(&key()))
}

/// Waits for a fact, with a deadline.
async fn until(what: &str, fact: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fact() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn votes_sent(chain: &ScriptedChain) -> Vec<SignedVote> {
    let sent = chain.submitted().into_iter();
    sent.filter_map(|sent| match sent.message {
        ChainMessage::AddFinalitySignature(vote) => Some(*vote),
        _ => None,
    })
    .collect()
}

fn has_voted(chain: &ScriptedChain, height: u64) -> bool {
    chain.update(|state| state.votes.get(&h(height)).is_some_and(|votes| votes.contains_key(&key())))
}

fn refusal(kind: RefusalKind) -> MessageOutcome {
    let text = "scripted".to_owned();
    MessageOutcome::Refused(Refusal { kind, codespace: "finality".to_owned(), code: 1, text })
}

#[tokio::test]
async fn every_block_with_power_is_voted_on_once_with_a_vote_that_verifies() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    for height in 100..=160 {
        if height % 7 == 0 {
            // Somebody else has power there.
            chain.update(|state| {
                state.push_block(h(height), app_hash(height));
                let other = EotsKey::from_secret_bytes(&[8; 32]).unwrap().public_key();
                state.set_power(h(height), other, 5);
            });
        } else {
            block_with_power(&chain, height);
            until("the block is voted on", || has_voted(&chain, height)).await;
        }
    }
    until("all is settled", || running.status().settled_below == Some(h(161))).await;
    let status = running.status();
    assert!(status.voting && status.last_voted_height == Some(h(160)), "{status:?}");
    let rendered = running.metrics.render().unwrap();
    for line in [
        format!("fp_total_voted_blocks{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}} 53", key()),
        format!("fp_total_blocks_without_voting_power{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}} 8", key()),
        format!("fp_last_voted_height{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}} 160", key()),
        format!("fp_voting{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}} 1", key()),
    ] {
        assert!(rendered.contains(&line), "{line} is not in\n{rendered}");
    }
    let latency = rendered.lines().find(|line| line.starts_with("fp_vote_latency_seconds_count")).unwrap();
    assert!(!latency.ends_with(" 0"), "{latency}");
    running.end().await;
    let commitments = chain.update(|state| state.commitments[&key()].clone());
    let mut heights = BTreeMap::new();
    for vote in votes_sent(&chain) {
        let height = vote.message.height;
        *heights.entry(height).or_insert(0) += 1;
        let commitment = commitments.iter().rfind(|c| c.start_height <= height).unwrap();
        let (start_height, count, root) = (commitment.start_height, commitment.count, commitment.root);
        vote.check(&CommittedRandomness { start_height, count, root }).unwrap();
    }
    assert_eq!(heights.len(), 53);
    assert!(heights.values().all(|sent| *sent == 1), "no vote was sent twice: {heights:?}");
}

#[tokio::test]
async fn randomness_is_committed_ahead_without_holes_through_failures_and_restarts() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let mut running = start(directory.path(), &chain);
    for round in 0..6_u64 {
        let tip = 99 + round * 25;
        chain.update(|state| state.head.height = h(tip));
        match round {
            2 => chain.fail_next_submissions(2, ErrorKind::Transient),
            3 => chain.answer_next(refusal(RefusalKind::InsufficientFunds)),
            4 => {
                running.end().await;
                running = start(directory.path(), &chain);
            }
            _ => {}
        }
        let covered = || {
            chain.update(|state| {
                state
                    .commitments
                    .get(&key())
                    .and_then(|all| all.last().copied())
                    .is_some_and(|last| last.start_height.to_u64() + last.count > tip + 30)
            })
        };
        until("the lead is covered", covered).await;
    }
    running.end().await;
    let commitments = chain.update(|state| state.commitments[&key()].clone());
    for pair in commitments.windows(2) {
        assert_eq!(pair[0].start_height.to_u64() + pair[0].count, pair[1].start_height.to_u64(), "a hole");
    }
    assert_eq!(commitments[0].start_height, h(100));
}

#[tokio::test]
async fn node_faults_never_end_the_tasks_and_no_height_is_lost() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    for height in 100..=135 {
        let kind = match height % 3 {
            0 => ErrorKind::Transient,
            1 => ErrorKind::NotYet,
            _ => ErrorKind::Broken,
        };
        chain.fail_next_reads(2, kind);
        if height % 5 == 0 {
            chain.fail_next_submissions(1, ErrorKind::Transient);
        }
        block_with_power(&chain, height);
        if height % 2 == 0 {
            until("the block is voted on", || has_voted(&chain, height)).await;
        }
    }
    for height in 100..=135 {
        until("every block is voted on", || has_voted(&chain, height)).await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_the_reason_shown() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    chain.fail_next_reads(100_000, ErrorKind::Transient);
    let running = start(directory.path(), &chain);
    until("the reason is shown", || running.status().reason_code.as_deref() == Some("unreachable")).await;
    assert!(running.status().reason.unwrap().contains("scripted fault"));
    running.end().await;
}

#[tokio::test]
async fn a_jailing_is_noticed_and_voting_goes_on_after_it() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    block_with_power(&chain, 100);
    until("it votes", || has_voted(&chain, 100)).await;
    chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().jailed = true);
    until("it is noticed", || running.status().reason_code.as_deref() == Some("jailed")).await;
    block_with_power(&chain, 101);
    chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().jailed = false);
    until("the block it had power in is voted on", || has_voted(&chain, 101)).await;
    until("all is well", || running.status().voting).await;
    running.end().await;
}

#[tokio::test]
async fn refusals_settle_what_they_settle_and_a_batch_with_a_refused_member_proceeds() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    // Randomness first, so that scripted outcomes meet votes.
    let running = start_committed(directory.path(), &chain).await;
    chain.update(|state| {
        // Unusable for a moment, so that the three blocks go out as one batch.
        state.last_finalised_epoch = Epoch::new(0);
    });
    for height in [100, 101, 102, 103] {
        block_with_power(&chain, height);
    }
    until("it waits for randomness", || {
        running.status().reason_code.as_deref() == Some("randomness_not_usable")
    })
    .await;
    for outcome in [
        refusal(RefusalKind::BlockAlreadyFinalised),
        MessageOutcome::AlreadyDone("duplicate".to_owned()),
        refusal(RefusalKind::Other),
    ] {
        chain.answer_next(outcome);
    }
    chain.update(|state| {
        state.blocks.get_mut(&h(101)).unwrap().finalised = true;
        state.last_finalised_epoch = Epoch::new(1);
    });
    until("all is settled", || running.status().settled_below == Some(h(104))).await;
    running.end().await;
    let sent: Vec<u64> = votes_sent(&chain).iter().map(|vote| vote.message.height.to_u64()).collect();
    // The newest first; of them once more the one said to be there that the chain does not show, and the one refused for
    // an unknown reason.
    let times = |height| sent.iter().filter(|sent| **sent == height).count();
    assert!(sent.starts_with(&[101, 102, 103]), "{sent:?}");
    assert_eq!([100, 101, 102, 103].map(times), [1, 1, 2, 2], "{sent:?}");
}

#[tokio::test]
async fn after_a_restart_nothing_voted_on_is_sent_again_and_a_fork_is_not_voted_on() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    for height in 100..=105 {
        block_with_power(&chain, height);
    }
    until("all is voted on", || has_voted(&chain, 105)).await;
    running.end().await;
    let before = votes_sent(&chain).len();
    // The node now shows another block at 105 and none of our votes for it: a fork, or a lying node.
    chain.update(|state| {
        state.votes.remove(&h(105));
        state.push_block(h(105), [0xee; 32]);
        state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(105);
    });
    block_with_power(&chain, 106);
    let running = start_committed(directory.path(), &chain).await;
    until("the next block is voted on", || has_voted(&chain, 106)).await;
    until("the other is given up", || running.status().given_up_height == Some(h(105))).await;
    let rendered = running.metrics.render().unwrap();
    assert!(rendered.contains(&format!(
        "fp_total_refused_double_signs{{chain_id=\"bbn-1\",fp_btc_pk_hex=\"{}\"}} 1",
        key()
    )));
    running.end().await;
    let sent = votes_sent(&chain);
    assert_eq!(sent.len(), before + 1);
    assert!(sent.iter().all(|vote| vote.message.app_hash != [0xee; 32]));
}

/// Waits until the chain, at height 99, is watched for another signer, and makes the two blocks that end the watch.
async fn watched(running: &Running, chain: &ScriptedChain) {
    let shown = || running.status().reason_code;
    until("the chain is watched", || shown().as_deref() == Some("watching")).await;
    block_with_power(chain, 100);
    let reads = chain.reads();
    until("more rounds have passed", || chain.reads() > reads + 50).await;
    assert_eq!(shown().as_deref(), Some("watching"));
    assert!(chain.submitted().is_empty(), "nothing is signed while the chain is watched");
    block_with_power(chain, 101);
    until("randomness is there", || is_committed(chain)).await;
}

#[tokio::test]
async fn with_records_older_than_the_chain_nothing_is_signed_up_to_the_chains_highest_vote() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(101));
    let running = start(directory.path(), &chain);
    watched(&running, &chain).await;
    block_with_power(&chain, 102);
    until("the block above is voted on", || has_voted(&chain, 102)).await;
    running.end().await;
    let sent: Vec<u64> = votes_sent(&chain).iter().map(|vote| vote.message.height.to_u64()).collect();
    assert_eq!(sent, [102]);
}

#[tokio::test]
async fn a_vote_above_the_nodes_own_tip_raises_no_watermark() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let voted = |height| {
        chain.update(|state| {
            state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(height);
        });
    };
    voted(1_000_000);
    let running = start(directory.path(), &chain);
    until("it is noticed", || running.status().reason_code.as_deref() == Some("vote_above_tip")).await;
    assert!(chain.submitted().is_empty(), "nothing is signed before the comparison");
    voted(0);
    until("randomness is there", || is_committed(&chain)).await;
    block_with_power(&chain, 100);
    until("it votes", || has_voted(&chain, 100)).await;
    running.end().await;
}

#[tokio::test]
async fn a_node_that_says_slashed_or_stored_without_the_chain_showing_it_costs_no_vote() {
    for lie in [
        refusal(RefusalKind::FinalityProviderSlashed),
        refusal(RefusalKind::NoVotingPower),
        refusal(RefusalKind::BlockAlreadyFinalised),
        MessageOutcome::AlreadyDone("duplicate".to_owned()),
    ] {
        let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
        let running = start_committed(directory.path(), &chain).await;
        chain.answer_next(lie);
        block_with_power(&chain, 100);
        until("it is voted on all the same", || has_voted(&chain, 100)).await;
        until("all is settled", || running.status().settled_below == Some(h(101))).await;
        running.end().await;
    }
}

#[tokio::test]
async fn what_a_syncing_node_says_is_not_taken_for_the_chains_highest_vote() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    chain.update(|state| state.head.catching_up = true);
    let running = start(directory.path(), &chain);
    until("it is noticed", || running.status().reason_code.as_deref() == Some("node_syncing")).await;
    assert!(chain.submitted().is_empty(), "nothing is signed before the comparison");
    chain.update(|state| {
        state.head.catching_up = false;
        state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(101);
    });
    watched(&running, &chain).await;
    block_with_power(&chain, 102);
    until("the block above is voted on", || has_voted(&chain, 102)).await;
    running.end().await;
    let sent: Vec<u64> = votes_sent(&chain).iter().map(|vote| vote.message.height.to_u64()).collect();
    assert_eq!(sent, [102]);
}

#[tokio::test]
async fn a_vote_of_the_key_that_is_not_in_the_records_stops_signing_until_the_operator_resumes() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    block_with_power(&chain, 100);
    until("it votes", || has_voted(&chain, 100) && running.status().voting).await;
    let commitments = chain.submitted().len();
    // Another signer voted, and blocks come that this one would vote on.
    chain.update(|state| {
        state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(104);
        for height in 101..=105 {
            state.push_block(h(height), app_hash(height));
            state.set_power(h(height), key(), 1_000);
        }
    });
    let is_stopped = |running: &Running| running.status().reason_code.as_deref() == Some("other_signer");
    until("it is noticed", || is_stopped(&running)).await;
    assert!(!running.health.report().ready);
    // Also when the vote is gone, new blocks come and randomness runs out; and after a restart.
    chain.update(|state| {
        state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(100);
        state.push_block(h(115), app_hash(115));
        state.set_power(h(115), key(), 1_000);
    });
    running.end().await;
    let running = start(directory.path(), &chain);
    until("it is remembered", || is_stopped(&running)).await;
    assert!(running.status().reason.unwrap().contains("finality-provider resume"));
    assert_eq!(chain.submitted().len(), commitments, "neither votes nor commitments");
    // The operator says that the other signer is gone. What it voted on is not voted on again.
    chain.update(|state| {
        state.finality_providers.get_mut(&key()).unwrap().highest_voted_height = h(104);
    });
    running.brake.release().unwrap();
    let shown = || running.status().reason_code;
    until("the chain is watched", || shown().as_deref() == Some("watching")).await;
    assert_eq!(chain.submitted().len(), commitments);
    block_with_power(&chain, 116);
    block_with_power(&chain, 117);
    until("it votes again", || has_voted(&chain, 117)).await;
    running.end().await;
    let mut sent: Vec<u64> = votes_sent(&chain).iter().map(|vote| vote.message.height.to_u64()).collect();
    sent.sort_unstable();
    assert_eq!(sent, [100, 105, 115, 116, 117]);
}

#[tokio::test]
async fn a_copy_that_is_started_beside_the_original_signs_nothing_and_tells_within_two_blocks() {
    let (original, copy, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), chain());
    // A copy of an earlier day, as from a backup.
    SignRecords::create(copy.path()).unwrap();
    let running = start_committed(original.path(), &chain).await;
    block_with_power(&chain, 100);
    until("the original votes", || has_voted(&chain, 100)).await;
    let other_account = AccountAddress::from_bytes("bbn", &[6; 20]).unwrap();
    let second = start_paid_by(other_account.clone(), copy.path(), &chain);
    let shown = || second.status().reason_code;
    until("the copy watches", || shown().as_deref() == Some("watching")).await;
    let mut height = 100;
    while shown().as_deref() != Some("other_signer") {
        height += 1;
        block_with_power(&chain, height);
        until("the original votes", || has_voted(&chain, height)).await;
        // Two rounds of the copy at least, told by questions of either one.
        let reads = chain.reads();
        until("rounds have passed", || chain.reads() > reads + 50).await;
    }
    assert!(height <= 102, "noticed at the second foreign vote at the latest, not at height {height}");
    second.end().await;
    // It stays so, whatever comes.
    let second = start_paid_by(other_account.clone(), copy.path(), &chain);
    until("it is remembered", || second.status().reason_code.as_deref() == Some("other_signer")).await;
    block_with_power(&chain, height + 1);
    until("the original votes", || has_voted(&chain, height + 1)).await;
    second.end().await;
    running.end().await;
    assert!(chain.submitted().iter().all(|sent| sent.account != other_account), "the copy sent nothing");
}

#[tokio::test]
async fn a_lagging_node_costs_no_height() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    let running = start_committed(directory.path(), &chain).await;
    for height in 100..=103 {
        block_with_power(&chain, height);
    }
    until("it votes", || has_voted(&chain, 103)).await;
    // Behind a balancer: the tip falls back, then a block appears whose power table is not there yet.
    chain.update(|state| state.head.height = h(101));
    until("it is noticed", || running.status().reason_code.as_deref() == Some("node_behind")).await;
    chain.update(|state| state.push_block(h(104), app_hash(104)));
    until("power is unknown", || running.status().reason_code.as_deref() == Some("power_unknown")).await;
    assert!(running.status().waiting_for.unwrap().contains("104"));
    block_with_power(&chain, 104);
    until("it votes", || has_voted(&chain, 104)).await;
    running.end().await;
}

#[tokio::test]
async fn an_unregistered_provider_waits_and_begins_once_it_is_registered() {
    let (directory, chain) = (tempfile::tempdir().unwrap(), chain());
    chain.update(|state| state.finality_providers.clear());
    let running = start(directory.path(), &chain);
    until("the reason is shown", || running.status().reason_code.as_deref() == Some("not_registered")).await;
    assert!(chain.submitted().is_empty(), "nothing is paid for before");
    chain.update(|state| drop(state.finality_providers.insert(key(), registered())));
    until("randomness is there", || is_committed(&chain)).await;
    block_with_power(&chain, 100);
    until("it votes", || has_voted(&chain, 100)).await;
    running.end().await;
}
