//! Random histories: whatever the chain lists, answers or forgets, and however often the daemon restarts, no staking
//! output ever gets signatures for two ways out.

use crate::bench::*;
use bitcoin::{Amount, OutPoint, Txid};
use btc_staking_covenant::{
    machine::{Action, BATCH, Event, Machine},
    signer::Signer,
};
use btc_staking_pos_chain::{MessageOutcome, Refusal, RefusalKind};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, Delegation},
    height::{BtcHeight, PosHeight},
    params::StakingParams,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::LazyLock};

/// Two versions that differ in the unbonding fee alone: the same staking output, two unbonding transactions.
static VERSIONS: LazyLock<[StakingParams; 2]> = LazyLock::new(|| {
    let mut second = fields(1);
    second.unbonding_fee = Amount::from_sat(2_000);
    [params(0), StakingParams::new(second).unwrap()]
});
/// Three holders, each with a delegation under either version.
static DELEGATIONS: LazyLock<Vec<Delegation>> = LazyLock::new(|| {
    let holders = ["a", "b", "c"].iter();
    holders
        .flat_map(|holder| VERSIONS.each_ref().map(|version| pending_under(version, holder, |_| ())))
        .collect()
});

#[derive(Debug, Clone)]
enum Step {
    Tick,
    Params,
    /// Lists these delegations, by bit.
    Pending(u8),
    Late(u8),
    Unavailable,
    Restart,
    /// How the chain answers from now on.
    Answer(Answer),
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Accept,
    AlreadyDone,
    Refuse(RefusalKind),
    Silence,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        Just(Answer::Accept),
        Just(Answer::AlreadyDone),
        Just(Answer::Refuse(RefusalKind::InsufficientFunds)),
        Just(Answer::Refuse(RefusalKind::InvalidCovenantSignature)),
        Just(Answer::Refuse(RefusalKind::Other)),
        Just(Answer::Silence),
    ];
    prop_oneof![
        3 => Just(Step::Tick),
        3 => Just(Step::Params),
        6 => any::<u8>().prop_map(Step::Pending),
        1 => any::<u8>().prop_map(Step::Late),
        1 => Just(Step::Unavailable),
        1 => Just(Step::Restart),
        2 => answer.prop_map(Step::Answer),
    ]
}

struct World {
    bench: Bench,
    signer: Option<Signer>,
    machine: Machine,
    answer: Answer,
    /// The unbonding transaction signed for each output.
    signed: BTreeMap<OutPoint, Txid>,
    released: Vec<CovenantSignatureSet>,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        let signer = Some(bench.signer(0));
        let (signed, released) = (BTreeMap::new(), Vec::new());
        Self { bench, signer, machine: machine(), answer: Answer::Accept, signed, released }
    }

    fn take(&mut self, step: &Step) {
        let listed = |bits: u8| {
            let listed = DELEGATIONS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
            listed.map(|(_, delegation)| delegation.clone()).collect()
        };
        let event = match step {
            Step::Tick => Event::Tick,
            Step::Params => Event::ParamsFetched(VERSIONS.to_vec()),
            Step::Pending(bits) => {
                Event::PendingFetched { delegations: listed(*bits), btc_tip: BtcHeight::new(TIP) }
            }
            Step::Late(bits) => {
                Event::PendingFetched { delegations: listed(*bits), btc_tip: BtcHeight::new(u32::MAX) }
            }
            Step::Unavailable => Event::ChainUnavailable,
            Step::Restart => {
                self.signer = None;
                self.signer = Some(self.bench.signer(0));
                self.machine = machine();
                return;
            }
            Step::Answer(answer) => {
                self.answer = *answer;
                return;
            }
        };
        let mut actions = self.machine.on_event(event);
        // Every action brings at most one event, and the machine never answers an outcome with the same submission.
        for _ in 0..200 {
            let Some(action) = actions.pop() else { return };
            let event = self.perform(action);
            actions.extend(event.into_iter().flat_map(|event| self.machine.on_event(event)));
        }
        panic!("the machine never comes to rest");
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Sign { delegation, params } => Some(self.sign(&delegation, &params)),
            Action::Submit(sets) => {
                assert!(sets.len() <= BATCH && !sets.is_empty());
                assert!(sets.iter().all(|set| self.released.contains(set)), "only what the signer released");
                Some(self.answer_to(&sets))
            }
            Action::FetchParams
            | Action::FetchPending
            | Action::Report { .. }
            | Action::ReportParams(_)
            | Action::Alarm(_) => None,
        }
    }

    fn sign(&mut self, delegation: &Delegation, params: &StakingParams) -> Event {
        match self.signer.as_ref().unwrap().sign(delegation, params) {
            Ok(set) => {
                let checked = delegation.rebuild(params).unwrap();
                checked.verify_covenant(&set).unwrap();
                let unbonding = delegation.terms.unbonding_tx.compute_txid();
                let first = self.signed.entry(checked.staking_outpoint()).or_insert(unbonding);
                assert_eq!(*first, unbonding, "one way out of an output, ever");
                self.released.push(set.clone());
                Event::Signed(Box::new(set))
            }
            Err(refusal) => Event::SignerRefused {
                staking_txid: txid(delegation),
                reason: refusal.to_string(),
                again: false,
            },
        }
    }

    fn answer_to(&self, sets: &[CovenantSignatureSet]) -> Event {
        let outcome = match self.answer {
            Answer::Silence => return Event::ChainUnavailable,
            Answer::Accept => MessageOutcome::Accepted { tx_hash: String::new(), height: PosHeight::new(1) },
            Answer::AlreadyDone => MessageOutcome::AlreadyDone(String::new()),
            Answer::Refuse(kind) => MessageOutcome::Refused(Refusal {
                kind,
                codespace: String::new(),
                code: 1,
                text: String::new(),
            }),
        };
        Event::Submitted(sets.iter().map(|set| (set.staking_txid, outcome.clone())).collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_output_gets_two_ways_out_in_any_history(steps in prop::collection::vec(step(), 1..25)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
    }
}
