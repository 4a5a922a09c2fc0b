//! Every message lands exactly once and in its task's order, through a node that drops, delays, doubles and restarts, and
//! through restarts of the sender itself.
//!
//! A run is repeated by its seed, which is printed. `SENDER_STORM_MESSAGES` and `SENDER_STORM_SEED` say how many messages
//! (10,000, from 50 tasks; 200 a task, and at least 10 tasks) and where chance begins.

mod node;

use super::{
    BabylonSender, SenderConfig,
    ledger::{Digest, digest},
};
use crate::{convert::message::encode_message, rpc::Rpc, tx::AccountKey};
use bitcoin::{BlockHash, Txid, hashes::Hash, secp256k1::schnorr::Signature};
use btc_staking_pos_chain::{
    ChainMessage, MemoryOutbox, MessageOutcome, Outbox, RefusalClass, RefusalKind, Submitter,
};
use btc_staking_protocol::{
    finality::randomness::RandomnessCommitment, height::PosHeight, inclusion::InclusionProof,
};
use node::{Chance, Flaw, StormyNode, Weather};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

const STORM: Weather =
    Weather { dropped: 8, unanswered: 8, slow: 10, doubled: 15, stale: 6, restarts: 8, empty: 15 };

const PROVIDER: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

struct Case {
    seed: u64,
    tasks: usize,
    messages: usize,
    /// Lives of the sender; all but the last end by a kill.
    lives: usize,
}

fn account() -> AccountKey {
    AccountKey::from_secret(&[7; 32]).unwrap()
}

/// The message of a task at a place, unlike every other; one in three is not refundable.
fn message(task: usize, place: usize) -> ChainMessage {
    let number = u64::try_from(task * 1_000_000 + place).unwrap();
    if number % 3 == 0 {
        return ChainMessage::CommitRandomness(RandomnessCommitment {
            finality_provider: PROVIDER.parse().unwrap(),
            start_height: PosHeight::new(number),
            count: 1,
            root: [3; 32],
            signature: Signature::from_slice(&[4; 64]).unwrap(),
        });
    }
    let mut txid = [0; 32];
    txid[..8].copy_from_slice(&number.to_be_bytes());
    let proof =
        InclusionProof { block_hash: BlockHash::from_byte_array([1; 32]), index: 1, siblings: vec![[2; 32]] };
    ChainMessage::AddInclusionProof { staking_txid: Txid::from_byte_array(txid), proof }
}

fn flaw(task: usize, place: usize) -> Flaw {
    match (task * 7 + place * 13) % 41 {
        3 => Flaw::Always,
        17 => Flaw::InBlocks,
        _ => Flaw::None,
    }
}

/// How far a task has got, and what it was told.
#[derive(Default)]
struct Progress {
    next: usize,
    refused: Vec<usize>,
    /// Calls that ended without an answer, because patience did.
    impatient: usize,
}

struct World {
    case: Case,
    node: Arc<StormyNode>,
    outbox: Arc<MemoryOutbox>,
    progress: Vec<Mutex<Progress>>,
}

impl World {
    fn new(case: Case) -> Arc<Self> {
        let per_task = case.messages / case.tasks;
        let key = account();
        let mut flaws = HashMap::new();
        for task in 0..case.tasks {
            for place in 0..per_task {
                let any = encode_message(&message(task, place), key.account()).unwrap();
                flaws.insert(digest(&any), flaw(task, place));
            }
        }
        let address = key.account().bech32().to_owned();
        let node = Arc::new(StormyNode::new(case.seed, STORM, address, flaws));
        let progress = (0..case.tasks).map(|_| Mutex::default()).collect();
        Arc::new(Self { case, node, outbox: Arc::default(), progress })
    }

    fn per_task(&self) -> usize {
        self.case.messages / self.case.tasks
    }

    fn sender(&self) -> Arc<BabylonSender> {
        let config = SenderConfig { max_messages: 25, ..SenderConfig::new("bbn-test") };
        let rpc: Arc<dyn Rpc> = Arc::<StormyNode>::clone(&self.node);
        let outbox: Arc<dyn Outbox> = Arc::<MemoryOutbox>::clone(&self.outbox);
        Arc::new(BabylonSender::with_outbox(rpc, account(), config, outbox).unwrap())
    }

    fn spawn(self: &Arc<Self>, sender: &Arc<BabylonSender>, life: u64) -> Vec<JoinHandle<()>> {
        let task = |task: usize| {
            let (world, sender) = (Arc::clone(self), Arc::clone(sender));
            let seed = self.case.seed ^ (life << 32) ^ u64::try_from(task).unwrap();
            tokio::spawn(async move { world.run_task(task, &sender, Chance::new(seed)).await })
        };
        (0..self.case.tasks).map(task).collect()
    }

    /// Sends a task's messages in order, a few at a time, and goes on where the first is left that has no outcome.
    async fn run_task(&self, task: usize, sender: &BabylonSender, mut chance: Chance) {
        loop {
            let next = self.progress[task].lock().unwrap().next;
            if next == self.per_task() {
                return;
            }
            let size = 1 + usize::try_from(chance.below(6)).unwrap();
            let places: Vec<_> = (next..self.per_task().min(next + size)).collect();
            let messages = places.iter().map(|place| message(task, *place)).collect();
            // Some callers lose patience.
            let patience = if chance.below(4) == 0 { chance.below(60) } else { 100_000 };
            let patience = Duration::from_secs(patience);
            match timeout(patience, sender.submit(messages)).await {
                Err(_) => self.progress[task].lock().unwrap().impatient += 1,
                Ok(Err(error)) => assert!(error.is_transient(), "{error}"),
                Ok(Ok(outcomes)) => self.note(task, &places, &outcomes),
            }
        }
    }

    fn note(&self, task: usize, places: &[usize], outcomes: &[MessageOutcome]) {
        let mut progress = self.progress[task].lock().unwrap();
        let mut unknown = false;
        for (place, outcome) in places.iter().zip(outcomes) {
            let known = match outcome {
                MessageOutcome::Accepted { .. } => true,
                MessageOutcome::Refused(refusal) => {
                    assert_eq!(refusal.kind, RefusalKind::DelegationNotFound, "{refusal:?}");
                    assert_eq!(refusal.kind.class(), RefusalClass::Reasoned);
                    progress.refused.push(*place);
                    true
                }
                MessageOutcome::Unknown(error) => {
                    assert!(error.is_transient(), "{error}");
                    unknown = true;
                    false
                }
                MessageOutcome::AlreadyDone(text) => panic!("nothing is done already: {text}"),
            };
            if known {
                assert!(!unknown, "what comes after an unknown outcome is unknown");
                progress.next = place + 1;
            }
        }
    }

    /// What landed, by task, in the order of the chain.
    fn landed(&self) -> Vec<Vec<usize>> {
        let key = account();
        let mut places: HashMap<Digest, (usize, usize)> = HashMap::new();
        for task in 0..self.case.tasks {
            for place in 0..self.per_task() {
                let any = encode_message(&message(task, place), key.account()).unwrap();
                places.insert(digest(&any), (task, place));
            }
        }
        let mut landed = vec![Vec::new(); self.case.tasks];
        for digest in self.node.landed() {
            let (task, place) = places[&digest];
            landed[task].push(place);
        }
        landed
    }
}

fn storm(case: Case) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(weather(case));
}

async fn weather(case: Case) {
    println!("seed {}: {} messages, {} tasks", case.seed, case.messages, case.tasks);
    let world = World::new(case);
    let mut chance = Chance::new(world.case.seed);
    for life in 1..world.case.lives {
        let sender = world.sender();
        let tasks = world.spawn(&sender, u64::try_from(life).unwrap());
        tokio::time::sleep(Duration::from_millis(20_000 + chance.below(200_000))).await;
        // A kill: neither the sender nor its callers get to do another thing, because nothing is awaited meanwhile.
        sender.worker.abort();
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            let ended = task.await;
            assert!(!ended.is_err_and(|error| error.is_panic()), "a task failed");
        }
    }
    let sender = world.sender();
    for task in world.spawn(&sender, 0) {
        task.await.unwrap();
    }
    world.node.calm();
    tokio::time::sleep(Duration::from_secs(600)).await;

    let per_task = world.per_task();
    for (task, landed) in world.landed().into_iter().enumerate() {
        let good: Vec<_> = (0..per_task).filter(|place| flaw(task, *place) == Flaw::None).collect();
        assert_eq!(landed, good, "task {task}: each once, in order");
        let refused = &world.progress[task].lock().unwrap().refused;
        let flawed: Vec<_> = (0..per_task).filter(|place| flaw(task, *place) != Flaw::None).collect();
        assert_eq!(*refused, flawed, "task {task}");
    }
    // What a killed caller had been told of, while another of the same transaction had not, is kept for that one.
    let entries = world.outbox.entries().unwrap();
    assert!(entries.iter().all(|entry| entry.included.is_some()), "nothing is on its way");
    assert!(world.case.lives > 1 || entries.is_empty(), "everything was told");
    let damage = world.node.damage();
    let impatient: usize = world.progress.iter().map(|task| task.lock().unwrap().impatient).sum();
    println!("{damage:?}, {impatient} callers lost patience");
    assert!(impatient > 0, "nobody lost patience");
    let kinds = [damage.dropped, damage.unanswered, damage.doubled, damage.stale, damage.restarts];
    assert!(kinds.iter().all(|count| *count > 0), "it was a storm: {damage:?}");
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// Messages and tasks: at most 200 messages a task.
fn size() -> (usize, usize) {
    let messages = usize::try_from(number("SENDER_STORM_MESSAGES", 10_000)).unwrap();
    (messages, (messages / 200).max(10))
}

#[test]
fn messages_of_many_tasks_land_exactly_once_and_in_order_through_a_storm() {
    let (messages, tasks) = size();
    storm(Case { seed: number("SENDER_STORM_SEED", 1), tasks, messages, lives: 1 });
}

#[test]
fn restarts_of_the_sender_neither_lose_nor_repeat_a_message() {
    let (messages, tasks) = size();
    let seed = number("SENDER_STORM_SEED", 2);
    for seed in seed..seed + 2 {
        storm(Case { seed, tasks, messages: messages / 2, lives: 4 + messages / 500 });
    }
}
