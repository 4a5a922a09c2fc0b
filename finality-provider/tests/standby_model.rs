//! The protocol of a standby pair as a model, explored whole: instances that would sign different blocks at the same
//! heights, over an engine whose every transaction is one step, and a network that delays, loses and keeps messages.
//!
//! The transactions and the reading of their answers are the program's own; the engine is the double that is held
//! against a real etcd in `tests/standby`. What a clock does is covered by leases that may end at any moment: an instance
//! never learns of it but by an answer, which is how a process looks that was stopped for longer than its lease.
//!
//! The second lock, an instance's own sign records, is in the model as well, and is taken away in one variant: the
//! engine's half holds alone. Each precaution of the protocol is taken away in another, to see that it is one.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_eots_manager::records::Subject;
use btc_staking_finality_provider::standby::{
    double::Store,
    engine::{Committed, Compare, EngineError, LeaseId, Op, Txn},
    protocol::{
        Campaign, Claim, Fenced, Token, build_campaign, build_check, build_forget, build_initialise,
        build_votes,
        names::{Keys, Prefix},
        read_campaign, read_check, read_votes,
        values::Instance,
    },
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use stateright::{Checker, Model, Property};
use std::collections::{BTreeMap, BTreeSet};

/// A precaution that the protocol is left without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    /// A vote's key may be overwritten.
    Absence,
    /// The low watermark is not asked.
    LowWatermark,
    /// Votes are forgotten without raising the low watermark.
    RaiseWithForgetting,
    /// Whether the right is still held is not asked. This one is no precaution against double signing.
    Fence,
    /// Each instance's own sign records.
    OwnRecords,
}

/// The block an instance would sign, at every height.
type Block = u8;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Question {
    Campaign,
    Check,
    Votes(Vec<u64>),
    Forget,
}

/// A question on its way, or its answer. Lost is what is never delivered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Flight {
    from: usize,
    run: u8,
    question: Question,
    txn: Txn,
    answer: Option<Result<Committed, ()>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// Won the right, has not read the votes yet.
    Taking(Token),
    Holding(Token, i64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    block: Block,
    run: u8,
    phase: Phase,
    /// A question was asked, and its time is not over.
    waits: bool,
    /// Heights won in the engine, not yet recorded and released: the pause may come here.
    won: BTreeSet<u64>,
    /// The own sign records, durable.
    own: BTreeMap<u64, Block>,
    own_low: u64,
    asks_left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    store: Store,
    nodes: Vec<Node>,
    flights: Vec<Flight>,
    released: BTreeSet<(u64, Block)>,
    expiries_left: u8,
    crashes_left: u8,
    timeouts_left: u8,
    forgets_left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Ask(usize, Question),
    Apply(usize),
    Receive(usize),
    TimeOut(usize),
    Expire(usize),
    Crash(usize),
    Release(usize, u64),
}

/// Two or three instances with the blocks they would sign, and how much goes wrong.
struct Pair {
    lacks: Lacks,
    blocks: Vec<Block>,
    asks: Vec<Vec<u64>>,
    asks_each: u8,
    expiries: u8,
    crashes: u8,
    timeouts: u8,
    forgets: u8,
}

fn keys() -> Keys {
    let key = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".parse().unwrap();
    let subject = Subject { finality_provider: key, chain_id: "bbn-1".parse().unwrap() };
    "fp".parse::<Prefix>().unwrap().keys(&subject)
}

fn message(height: u64, block: Block) -> VoteMessage {
    VoteMessage { height: PosHeight::new(height), app_hash: [block; 32] }
}

fn instance(index: usize, run: u8) -> Instance {
    let index = u8::try_from(index).unwrap();
    Instance { name: format!("node-{index}").parse().unwrap(), home: [index; 16], run: [run; 16] }
}

fn lease(index: usize, run: u8) -> LeaseId {
    LeaseId(i64::try_from(index).unwrap() * 100 + i64::from(run) + 1)
}

impl Pair {
    fn build(&self, state: &State, index: usize, question: &Question) -> Option<Txn> {
        let (keys, node) = (keys(), &state.nodes[index]);
        let me = instance(index, node.run);
        let txn = match (question, &node.phase) {
            (Question::Campaign, Phase::Idle) => build_campaign(&keys, &me, lease(index, node.run)),
            (Question::Check, Phase::Taking(token)) => build_check(&keys, token, None),
            (Question::Votes(heights), Phase::Holding(token, _)) => {
                let messages: Vec<_> = heights.iter().map(|height| message(*height, node.block)).collect();
                build_votes(&keys, token, &messages, &me.name)
            }
            (Question::Forget, Phase::Holding(token, low_modified)) => {
                build_forget(&keys, token, *low_modified, PosHeight::new(1))
            }
            _ => return None,
        };
        Some(self.weaken(txn))
    }

    fn weaken(&self, mut txn: Txn) -> Txn {
        let keys = keys();
        let stays = |compare: &Compare| match (self.lacks, compare) {
            (Lacks::Absence, Compare::Absent(key)) => *key == keys.holder,
            (Lacks::LowWatermark, Compare::ValueBelow(..)) => false,
            (Lacks::Fence, Compare::CreatedAt(..) | Compare::ValueIs(..)) => false,
            _ => true,
        };
        txn.compare.retain(stays);
        for op in &mut txn.success {
            if let Op::Txn(inner) = op {
                inner.compare.retain(stays);
            }
        }
        if self.lacks == Lacks::RaiseWithForgetting
            && txn.success.iter().any(|op| matches!(op, Op::Delete(_)))
        {
            txn.success.retain(|op| !matches!(op, Op::Put { .. }));
        }
        txn
    }

    fn ask(&self, state: &mut State, index: usize, question: Question) -> Option<()> {
        let txn = self.build(state, index, &question)?;
        let node = &mut state.nodes[index];
        match question {
            Question::Campaign => state.store.grant(lease(index, node.run)),
            Question::Votes(_) => node.asks_left -= 1,
            Question::Forget => state.forgets_left -= 1,
            Question::Check => {}
        }
        node.waits = true;
        state.flights.push(Flight { from: index, run: node.run, question, txn, answer: None });
        Some(())
    }

    fn receive(&self, state: &mut State, flight: Flight) {
        let keys = keys();
        let node = &mut state.nodes[flight.from];
        // The answer to a process that is gone, or to a question it gave up.
        if node.run != flight.run || !node.waits {
            return;
        }
        node.waits = false;
        let Some(Ok(committed)) = flight.answer else { return };
        match flight.question {
            Question::Campaign => {
                if let Campaign::Won(token) =
                    read_campaign(&instance(flight.from, node.run), committed).unwrap()
                {
                    node.phase = Phase::Taking(token);
                }
            }
            Question::Check => match read_check(&keys, committed).unwrap() {
                Fenced::Lost(_) => node.phase = Phase::Idle,
                Fenced::Held(shared) => {
                    let shared = shared.unwrap();
                    node.own_low = node.own_low.max(shared.low.to_u64());
                    for vote in shared.votes {
                        let VoteMessage { height, app_hash } = vote.message;
                        if height.to_u64() > node.own_low {
                            node.own.entry(height.to_u64()).or_insert(app_hash[0]);
                        }
                    }
                    if let Phase::Taking(token) = &node.phase {
                        node.phase = Phase::Holding(token.clone(), shared.low_modified);
                    }
                }
            },
            Question::Votes(heights) => {
                let messages: Vec<_> = heights.iter().map(|height| message(*height, node.block)).collect();
                match read_votes(&keys, &messages, committed).unwrap() {
                    Fenced::Lost(_) => node.phase = Phase::Idle,
                    Fenced::Held(claims) => {
                        let won = heights.iter().zip(claims).filter(|(_, claim)| *claim == Claim::Won);
                        node.won.extend(won.map(|(height, _)| *height));
                    }
                }
            }
            // Whether it was done or not, the next one needs to look again.
            Question::Forget => node.phase = Phase::Idle,
        }
    }

    /// The second lock: what the own records say, written before the signature. Returns whether it is released.
    fn record(&self, node: &mut Node, height: u64) -> bool {
        node.won.remove(&height);
        let safe = match node.own.get(&height) {
            Some(recorded) => *recorded == node.block,
            None => height > node.own_low,
        };
        if safe {
            node.own.insert(height, node.block);
        }
        safe || !matches!(self.lacks, Lacks::Nothing | Lacks::Fence)
    }

    /// Everything that goes wrong is over: whatever was under way is lost and every lease ends. Then any instance can
    /// take over and sign a height nobody voted on.
    fn recovers(&self, state: &State) -> bool {
        const FRESH: u64 = 99;
        (0..state.nodes.len()).all(|index| {
            let mut state = state.clone();
            state.flights.clear();
            let leases: Vec<_> = state.store.leases().collect();
            leases.into_iter().for_each(|lease| state.store.end(lease));
            let node = &mut state.nodes[index];
            (node.waits, node.phase, node.asks_left) = (false, Phase::Idle, 1);
            for question in [Question::Campaign, Question::Check, Question::Votes(vec![FRESH])] {
                if self.ask(&mut state, index, question).is_none() {
                    return false;
                }
                let mut flight = state.flights.pop().unwrap();
                flight.answer = Some(state.store.commit(&flight.txn).map_err(|_| ()));
                self.receive(&mut state, flight);
            }
            let node = &mut state.nodes[index];
            node.won.contains(&FRESH) && self.record(node, FRESH)
        })
    }
}

impl Model for Pair {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut store = Store::default();
        store.commit(&build_initialise(&keys(), PosHeight::new(0))).unwrap();
        let node = |block: &Block| Node {
            block: *block,
            run: 0,
            phase: Phase::Idle,
            waits: false,
            won: BTreeSet::new(),
            own: BTreeMap::new(),
            own_low: 0,
            asks_left: self.asks_each,
        };
        vec![State {
            store,
            nodes: self.blocks.iter().map(node).collect(),
            flights: Vec::new(),
            released: BTreeSet::new(),
            expiries_left: self.expiries,
            crashes_left: self.crashes,
            timeouts_left: self.timeouts,
            forgets_left: self.forgets,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, node) in state.nodes.iter().enumerate() {
            if !node.waits {
                let question = match node.phase {
                    Phase::Idle if node.asks_left > 0 => Some(Question::Campaign),
                    Phase::Taking(_) => Some(Question::Check),
                    Phase::Idle | Phase::Holding(..) => None,
                };
                actions.extend(question.map(|question| Action::Ask(index, question)));
                if matches!(node.phase, Phase::Holding(..)) {
                    if node.asks_left > 0 {
                        let asks = self.asks.iter().cloned();
                        actions.extend(asks.map(|heights| Action::Ask(index, Question::Votes(heights))));
                    }
                    if state.forgets_left > 0 {
                        actions.push(Action::Ask(index, Question::Forget));
                    }
                }
            } else if state.timeouts_left > 0 {
                actions.push(Action::TimeOut(index));
            }
            if state.expiries_left > 0 && state.store.has_lease(lease(index, node.run)) {
                actions.push(Action::Expire(index));
            }
            if state.crashes_left > 0 && node.phase != Phase::Idle {
                actions.push(Action::Crash(index));
            }
            actions.extend(node.won.iter().map(|height| Action::Release(index, *height)));
        }
        for (index, flight) in state.flights.iter().enumerate() {
            actions.push(if flight.answer.is_none() { Action::Apply(index) } else { Action::Receive(index) });
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Ask(index, question) => self.ask(&mut state, index, question)?,
            Action::Apply(index) => {
                let flight = &mut state.flights[index];
                let answer = state.store.commit(&flight.txn);
                // Only a campaign hangs a key on a lease.
                assert!(answer.is_ok() || flight.question == Question::Campaign, "{answer:?}");
                flight.answer =
                    Some(answer.map_err(|error| assert!(matches!(error, EngineError::Refused(_)))));
            }
            Action::Receive(index) => {
                let flight = state.flights.remove(index);
                self.receive(&mut state, flight);
            }
            Action::TimeOut(index) => {
                state.nodes[index].waits = false;
                state.timeouts_left -= 1;
            }
            Action::Expire(index) => {
                state.store.end(lease(index, state.nodes[index].run));
                state.expiries_left -= 1;
            }
            Action::Crash(index) => {
                let node = &mut state.nodes[index];
                node.run += 1;
                (node.phase, node.waits) = (Phase::Idle, false);
                node.won.clear();
                state.crashes_left -= 1;
            }
            Action::Release(index, height) => {
                let node = &mut state.nodes[index];
                if self.record(node, height) {
                    state.released.insert((height, node.block));
                }
            }
        }
        // Two flights in another order are the same.
        state.flights.sort_by(|a, b| (a.from, a.run, &a.question).cmp(&(b.from, b.run, &b.question)));
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one block at a height", |_, state: &State| {
                let heights: BTreeSet<_> = state.released.iter().map(|(height, _)| *height).collect();
                heights.len() == state.released.len()
            }),
            Property::always("someone can sign", |pair: &Self, state: &State| pair.recovers(state)),
            Property::sometimes("both sign", |_, state: &State| {
                state.released.iter().map(|(_, block)| block).collect::<BTreeSet<_>>().len() > 1
            }),
        ]
    }
}

/// Two instances that would sign different blocks at one height, and a lease that ends.
fn pair() -> Pair {
    Pair {
        lacks: Lacks::Nothing,
        blocks: vec![1, 2],
        asks: vec![vec![1]],
        asks_each: 1,
        expiries: 1,
        crashes: 0,
        timeouts: 0,
        forgets: 0,
    }
}

const ONE_BLOCK: &str = "one block at a height";
const SOMEONE: &str = "someone can sign";
const BOTH: &str = "both sign";

#[test]
fn no_interleaving_releases_two_blocks_at_a_height_and_someone_can_always_sign() {
    let mut table = vec![
        ("questions that are given up and arrive later", Pair { timeouts: 1, ..pair() }),
        ("crashes, and votes forgotten", Pair { crashes: 1, forgets: 1, ..pair() }),
        ("batches over two heights", Pair { asks: vec![vec![1], vec![1, 2]], asks_each: 2, ..pair() }),
        ("three instances, two of one mind", Pair { blocks: vec![1, 2, 1], ..pair() }),
    ];
    // For a night: everything at once.
    if std::env::var_os("STANDBY_MODEL_LONG").is_some() {
        let all = Pair { timeouts: 1, crashes: 1, forgets: 1, expiries: 2, ..pair() };
        table.push(("everything", Pair { asks: vec![vec![1], vec![1, 2]], asks_each: 2, ..all }));
    }
    for (name, pair) in table {
        let two_heights = pair.asks.len() > 1;
        let checker = pair.checker().threads(2).spawn_bfs().join();
        println!("{name}: {} states", checker.unique_state_count());
        assert!(checker.unique_state_count() > 1_000, "{name}");
        assert!(checker.discovery(ONE_BLOCK).is_none(), "{name}: {:?}", checker.discovery(ONE_BLOCK));
        assert!(checker.discovery(SOMEONE).is_none(), "{name}: {:?}", checker.discovery(SOMEONE));
        assert_eq!(checker.discovery(BOTH).is_some(), two_heights, "{name}");
    }
}

#[test]
fn every_protocol_that_lacks_a_precaution_of_the_engine_is_found_wanting() {
    // The own records are taken away as well: they are the second lock, and hide what the first one misses.
    let table = [
        (Lacks::Absence, Pair { asks_each: 2, ..pair() }),
        (Lacks::LowWatermark, Pair { forgets: 1, ..pair() }),
        (Lacks::RaiseWithForgetting, Pair { forgets: 1, ..pair() }),
    ];
    for (lacks, pair) in table {
        let checker = Pair { lacks, ..pair }.checker().threads(2).spawn_bfs().join();
        assert!(checker.discovery(ONE_BLOCK).is_some(), "{lacks:?}");
    }
}

#[test]
fn neither_the_right_to_sign_nor_the_own_records_are_needed_against_a_double_sign() {
    for lacks in [Lacks::Fence, Lacks::OwnRecords] {
        let checker = Pair { lacks, forgets: 1, ..pair() }.checker().threads(2).spawn_bfs().join();
        println!("without {lacks:?}: {} states", checker.unique_state_count());
        assert!(checker.discovery(ONE_BLOCK).is_none(), "{lacks:?}: {:?}", checker.discovery(ONE_BLOCK));
    }
}
