//! The voter against a chain of random powers and a network of random faults, its laws checked at every step.
//!
//! Answers and outcomes come late and in any order; outcomes get lost whether or not the vote was taken; nodes lie about
//! what became of a vote; power has gaps anywhere.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is true, and what is under way.
struct World {
    voter: Voter,
    batch: usize,
    tip: u64,
    /// Whether there are no faults any more.
    healthy: bool,
    powerless: BTreeSet<u64>,
    stored: BTreeSet<u64>,
    given_up: BTreeSet<u64>,
    under_way: Vec<Action>,
    /// Heights that are asked about or voted on at the moment.
    busy: BTreeMap<u64, usize>,
}

impl World {
    fn new(batch: usize, powerless: BTreeSet<u64>) -> Self {
        Self {
            voter: Voter::new(batch, None),
            batch,
            tip: 10,
            healthy: false,
            powerless,
            stored: BTreeSet::new(),
            given_up: BTreeSet::new(),
            under_way: Vec::new(),
            busy: BTreeMap::new(),
        }
    }

    fn look(&mut self) -> Result<(), TestCaseError> {
        let actions = observe(&mut self.voter, at(self.tip));
        self.begin(actions)
    }

    fn begin(&mut self, actions: Vec<Action>) -> Result<(), TestCaseError> {
        for action in actions {
            for height in heights_of(&action) {
                prop_assert!(!self.given_up.contains(&height), "{} was given up", height);
                let times = self.busy.entry(height).or_default();
                *times += 1;
                prop_assert_eq!(*times, 1, "{} is asked about or voted on twice at once", height);
            }
            if let Action::Vote(ballots) = &action {
                prop_assert!(ballots.len() <= self.batch && !ballots.is_empty());
                for Ballot { message, .. } in ballots {
                    let height = message.height.to_u64();
                    prop_assert!(!self.powerless.contains(&height), "no power at {}", height);
                    prop_assert_eq!(message.app_hash, block(height), "another block's hash");
                }
            }
            self.under_way.push(action);
        }
        Ok(())
    }

    /// One of the things under way ends; `fault` says how well.
    fn end_one(&mut self, which: usize, fault: usize) -> Result<(), TestCaseError> {
        if self.under_way.is_empty() {
            return Ok(());
        }
        let action = self.under_way.swap_remove(which % self.under_way.len());
        for height in heights_of(&action) {
            self.busy.remove(&height);
        }
        let actions = match action {
            Action::Ask(questions) => {
                let answers = questions.iter().map(|question| self.answer(question, fault)).collect();
                self.voter.on_event(Event::Answered(answers))
            }
            Action::Vote(ballots) => {
                let heights: Vec<_> = ballots.iter().map(|ballot| ballot.message.height.to_u64()).collect();
                let verdicts: Vec<_> =
                    heights.into_iter().map(|height| (h(height), self.verdict(height, fault))).collect();
                self.voter.on_event(Event::Decided(verdicts))
            }
        };
        self.begin(actions)
    }

    /// What kind of fault there is at a height, if any; different ones within a batch.
    fn fault(&self, height: u64, fault: usize, kinds: usize) -> usize {
        if self.healthy { 0 } else { fault.wrapping_add(mixed(height)) % kinds }
    }

    /// The truth, or that it is not known.
    fn answer(&self, question: &Question, fault: usize) -> (PosHeight, Answer) {
        let height = question.height().to_u64();
        let answer = match (question, self.fault(height, fault, 5)) {
            (_, 1) => Answer::Unknown("down".to_owned()),
            (_, 2) => Answer::NoTable,
            (Question::VoteAndPower(_), _) if self.stored.contains(&height) => Answer::Voted,
            _ if self.powerless.contains(&height) => Answer::Powerless,
            _ => Answer::Votable(block(height)),
        };
        (question.height(), answer)
    }

    fn verdict(&mut self, height: u64, fault: usize) -> Verdict {
        let text = || "why".to_owned();
        let (is_taken, verdict) = match self.fault(height, fault, 14) {
            1 => (false, Verdict::Later(text())),
            2 => (false, Verdict::FateUnknown(text())),
            3 => (true, Verdict::FateUnknown(text())),
            4 => (false, Verdict::Stored),
            5 => (false, Verdict::Void(text())),
            6 => (false, Verdict::Closed),
            7 => (false, Verdict::Jailed),
            8 => (false, Verdict::Slashed),
            9 => (false, Verdict::SignerAway(SignerAway::Unreachable(text()))),
            10 => {
                self.given_up.insert(height);
                (false, Verdict::GivenUp(text()))
            }
            _ => (true, Verdict::Stored),
        };
        if is_taken {
            self.stored.insert(height);
        }
        verdict
    }
}

fn heights_of(action: &Action) -> Vec<u64> {
    match action {
        Action::Ask(questions) => questions.iter().map(|question| question.height().to_u64()).collect(),
        Action::Vote(ballots) => ballots.iter().map(|ballot| ballot.message.height.to_u64()).collect(),
    }
}

/// A number that has little to do with the height.
fn mixed(height: u64) -> usize {
    usize::try_from(height.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap()
}

/// One step: so many new blocks, then so many ends, which, and how well.
type Step = (u64, usize, usize, usize);

fn run(batch: usize, powerless: BTreeSet<u64>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::new(batch, powerless);
    for (blocks, ends, which, fault) in steps {
        world.tip += blocks;
        world.look()?;
        for end in 0..ends {
            world.end_one(which.wrapping_mul(end + 1), fault + end)?;
        }
    }
    // The faults end, and everything that is left comes to its end.
    world.healthy = true;
    for _ in 0..400 {
        world.look()?;
        while !world.under_way.is_empty() {
            world.end_one(0, 0)?;
        }
        if world.voter.queued() == 0 {
            break;
        }
    }
    prop_assert_eq!((world.voter.queued(), world.voter.settled_below()), (0, Some(h(world.tip + 1))));
    for height in (10..=world.tip).filter(|height| !world.powerless.contains(height)) {
        let is_settled = world.stored.contains(&height) || world.given_up.contains(&height);
        prop_assert!(is_settled, "{} was forgotten", height);
    }
    prop_assert!(world.stored.is_disjoint(&world.powerless));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// No height is asked about twice at once, voted on without power, brought back once given up, or forgotten.
    #[test]
    fn every_height_is_settled_by_the_truth_whatever_happens_on_the_way(
        batch in 1..6_usize,
        powerless in prop::collection::btree_set(10..200_u64, 0..120),
        steps in prop::collection::vec((0..5_u64, 0..4_usize, any::<u16>(), any::<u16>()), 1..60),
    ) {
        let steps = steps.into_iter().map(|(blocks, ends, which, fault)| (blocks, ends, which.into(), fault.into()));
        run(batch, powerless, steps.collect())?;
    }
}

#[test]
fn a_gap_in_the_power_shifts_nothing_wherever_it_is_in_a_batch() {
    let heights: Vec<u64> = (10..18).collect();
    for gaps in 0..1_u32 << heights.len() {
        let is_gap = |(place, _): &(usize, &u64)| gaps & (1 << place) != 0;
        let powerless = heights.iter().enumerate().filter(is_gap).map(|(_, height)| *height).collect();
        run(8, powerless, vec![(7, 0, 0, 0), (0, 9, 1, 0)]).unwrap();
    }
}
