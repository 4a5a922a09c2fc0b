//! The gate as a model: every interleaving of three signers' steps in two processes, with a kill of either process and
//! a power cut anywhere, explored whole.
//!
//! A signer locks, checks, appends, syncs, unlocks and releases; a process that starts takes the file's lock, syncs and
//! reads. What holds in every state: of each height at most one message was released. The model has the order of the
//! steps and nothing else; `src/records` has the bytes, and its tests on a simulated disk hold them to this order. Each
//! order that leaves out one precaution is explored too, and must be found wanting.
#![allow(missing_docs, clippy::unwrap_used)]

use stateright::{Checker, Model, Property};
use std::collections::BTreeSet;

/// The message of one height: which block.
type Block = u8;

/// A precaution that an order of steps may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    SyncBeforeRelease,
    LockOfThreads,
    LockOfProcesses,
    SyncAtStart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum At {
    Idle,
    Checked,
    Appended,
    Permitted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Signer {
    process: usize,
    wants: Block,
    at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    signers: Vec<Signer>,
    /// What each running process remembers of the height; `None`: it does not run.
    running: Vec<Option<Option<Block>>>,
    /// In the page cache, in the order of writing, and how many of them are durable.
    written: Vec<Block>,
    durable: usize,
    released: BTreeSet<Block>,
    kills_left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Start(usize),
    Step(usize),
    Kill(usize),
    PowerCut,
}

struct Gate(Lacks);

impl Gate {
    fn may_start(&self, state: &State, process: usize) -> bool {
        let held = state.running.iter().any(Option::is_some);
        state.running[process].is_none() && (!held || self.0 == Lacks::LockOfProcesses)
    }

    fn may_step(&self, state: &State, index: usize) -> bool {
        let signer = &state.signers[index];
        let held = state
            .signers
            .iter()
            .any(|other| other.process == signer.process && matches!(other.at, At::Checked | At::Appended));
        let waits = signer.at == At::Idle && held && self.0 != Lacks::LockOfThreads;
        state.running[signer.process].is_some() && !waits
    }

    fn start(&self, state: &mut State, process: usize) {
        if self.0 != Lacks::SyncAtStart {
            state.durable = state.written.len();
        }
        state.running[process] = Some(state.written.first().copied());
    }

    fn step(&self, state: &mut State, index: usize) -> Option<()> {
        let signer = state.signers[index].clone();
        let remembered = &mut state.running[signer.process];
        let next = match signer.at {
            At::Idle => match (*remembered)? {
                None => At::Checked,
                Some(block) if block == signer.wants => At::Permitted,
                Some(_) => return None,
            },
            At::Checked => {
                state.written.push(signer.wants);
                At::Appended
            }
            At::Appended => {
                if self.0 != Lacks::SyncBeforeRelease {
                    state.durable = state.written.len();
                }
                *remembered = Some(Some(signer.wants));
                At::Permitted
            }
            At::Permitted => {
                state.released.insert(signer.wants);
                At::Idle
            }
        };
        state.signers[index].at = next;
        Some(())
    }
}

fn kill(state: &mut State, process: usize) {
    state.running[process] = None;
    for signer in state.signers.iter_mut().filter(|signer| signer.process == process) {
        signer.at = At::Idle;
    }
}

impl Model for Gate {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let signer = |process, wants| Signer { process, wants, at: At::Idle };
        vec![State {
            signers: vec![signer(0, 1), signer(0, 2), signer(1, 3)],
            running: vec![None, None],
            written: Vec::new(),
            durable: 0,
            released: BTreeSet::new(),
            kills_left: 3,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for process in 0..2 {
            if self.may_start(state, process) {
                actions.push(Action::Start(process));
            }
            if state.running[process].is_some() && state.kills_left > 0 {
                actions.push(Action::Kill(process));
            }
        }
        actions
            .extend((0..state.signers.len()).filter(|index| self.may_step(state, *index)).map(Action::Step));
        if state.kills_left > 0 {
            actions.push(Action::PowerCut);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Start(process) => self.start(&mut state, process),
            Action::Step(index) => self.step(&mut state, index)?,
            Action::Kill(process) => {
                kill(&mut state, process);
                state.kills_left -= 1;
            }
            Action::PowerCut => {
                (0..2).for_each(|process| kill(&mut state, process));
                state.written.truncate(state.durable);
                state.kills_left -= 1;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one message at a height", |_, state: &State| state.released.len() <= 1),
            Property::sometimes("a message is released", |_, state: &State| !state.released.is_empty()),
        ]
    }
}

#[test]
fn no_interleaving_of_signers_kills_and_power_cuts_releases_two_messages_at_a_height() {
    let checker = Gate(Lacks::Nothing).checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
    assert!(checker.unique_state_count() > 100);
}

#[test]
fn every_order_that_lacks_a_precaution_is_found_wanting() {
    for lacks in [Lacks::SyncBeforeRelease, Lacks::LockOfThreads, Lacks::LockOfProcesses, Lacks::SyncAtStart]
    {
        let checker = Gate(lacks).checker().spawn_bfs().join();
        assert!(checker.discovery("one message at a height").is_some(), "{lacks:?}");
    }
}
