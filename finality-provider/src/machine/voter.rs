//! Which heights to vote on: a queue that a height leaves only when it is settled.
//!
//! | settled by | meaning |
//! |---|---|
//! | stored | the chain shows our vote |
//! | powerless | the chain says we are not in that height's power table |
//! | skipped | no power table, asked for when a later block was final or long past: the tally went over it for good |
//! | closed | its block is final and its epoch is final on Bitcoin, or a vote was refused as too late, and the chain shows the block as final |
//! | uncovered | commitments already reach past it and none holds it; as they only ever ascend, none will |
//! | given up | the signer refused, because another block was signed at that height |
//! | jailed | it lies below the last final block at the end of a jailing |
//!
//! What a node answered to a submission settles nothing by itself, because one node that lies or lags could take heights
//! away: it is believed once the chain, read again, shows it. Sending once more is safe, as the signer returns the vote
//! it recorded.
//!
//! Everything else (a node that does not answer, lags, or does not know yet; randomness that is missing or not usable
//! yet; an outcome that got lost) keeps the height. Safety does not rest on this queue: the sign records refuse a
//! second message at a height whatever is asked here.
//!
//! Questions and votes go out as soon as there is something to ask or to cast, several at once, and every one of them comes
//! back as one event. Heights for which a vote still counts for liveness go first, whatever lies behind; of the others
//! the lowest, since blocks become final in order.
//!
//! Spec: `chain.md` 10.2 to 10.6.

mod entry;
mod observation;
mod queue;

pub use observation::{Observation, Standing};
pub use queue::MAX_QUEUE;

use super::{
    answer::{Answer, Verdict},
    reason::{OtherSigner, Reason, SignerAway},
};
use btc_staking_pos_chain::ports::StoredCommitment;
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use entry::{Claim, State};
use observation::covering;
use queue::Queue;

/// Most heights asked about at once.
pub const MAX_QUESTIONS: usize = 1_000;
/// Most such askings under way.
const MAX_ASKINGS: usize = 4;
/// Most batches of votes under way: the next is signed while those before are on their way. The newest heights do not wait
/// for room.
const MAX_BATCHES: usize = 4;
/// A missing power table this far below the tip is taken as final...
const TABLE_DEPTH: u64 = 100;
/// ...once it was missing in this many answers.
const TABLE_ANSWERS: u32 = 3;

/// What happens to a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The chain was looked at.
    Observed(Box<Observation>),
    /// The chain could not be looked at.
    Unreachable(String),
    /// The signer does not answer or may not sign now.
    SignerAway(SignerAway),
    /// The node says that the key voted above the node's latest block, so that nothing it says can be used.
    Implausible {
        /// Highest height voted on, says the node.
        voted: PosHeight,
        /// Its latest block.
        tip: PosHeight,
    },
    /// A chain has a vote above the sign records that this signer did not make, of this key or another one. The voter
    /// ends; once signing may go on, a new one begins.
    OtherSigner(OtherSigner),
    /// The questions of one [`Action::Ask`] were answered, or could not be.
    Answered(Vec<(PosHeight, Answer)>),
    /// The votes of one [`Action::Vote`] came to an end.
    Decided(Vec<(PosHeight, Verdict)>),
}

/// What a voter wants done. Several may be under way, and each ends with one event that tells about every height of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the chain about these heights and answer with [`Event::Answered`].
    Ask(Vec<Question>),
    /// Sign and submit these votes and answer with [`Event::Decided`].
    Vote(Vec<Ballot>),
}

/// A question about one height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Have we power, and what is the block?
    Power(PosHeight),
    /// Is there a vote of ours already? If not, as [`Question::Power`]. Asked for heights we may have voted on before a
    /// restart.
    VoteAndPower(PosHeight),
}

/// A vote to be cast, with the commitment its randomness is proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballot {
    /// For what.
    pub message: VoteMessage,
    /// Covers the height.
    pub commitment: StoredCommitment,
}

impl Question {
    /// The height asked about.
    pub fn height(&self) -> PosHeight {
        match self {
            Self::Power(height) | Self::VoteAndPower(height) => *height,
        }
    }
}

/// Votes of one provider on one chain.
#[derive(Debug, Clone)]
pub struct Voter {
    batch: usize,
    queue: Queue,
    /// Askings and batches of votes that have not come back.
    askings: usize,
    batches: usize,
    /// Heights up to here may carry a vote of ours from before the start.
    voted_before: PosHeight,
    seen: Option<Observation>,
    trouble: Option<Reason>,
    last_voted: Option<PosHeight>,
    last_powerless: Option<PosHeight>,
    last_given_up: Option<(PosHeight, String)>,
    slashed: bool,
    other_signer: Option<OtherSigner>,
    /// Another daemon had the right to sign since the last look that was taken in.
    stood_by: bool,
}

impl Voter {
    /// A voter that casts at most `batch` votes at once and that, before it was restarted, had voted up to a height.
    pub fn new(batch: usize, last_voted: Option<PosHeight>) -> Self {
        Self {
            batch: batch.max(1),
            queue: Queue::default(),
            askings: 0,
            batches: 0,
            voted_before: last_voted.unwrap_or(PosHeight::new(0)),
            seen: None,
            trouble: Some(Reason::Starting),
            last_voted,
            last_powerless: None,
            last_given_up: None,
            slashed: false,
            other_signer: None,
            stood_by: false,
        }
    }

    /// Takes in an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        if self.slashed || self.other_signer.is_some() {
            return Vec::new();
        }
        match event {
            Event::Unreachable(detail) => self.trouble = Some(Reason::Unreachable(detail)),
            Event::SignerAway(away) => self.signer_is_away(away),
            Event::Implausible { voted, tip } => self.trouble = Some(Reason::VoteAboveTip { voted, tip }),
            Event::OtherSigner(other) => self.other_signer = Some(other),
            Event::Observed(observation) => self.take_observation(*observation),
            Event::Answered(answers) => {
                self.askings = self.askings.saturating_sub(1);
                answers.into_iter().for_each(|(height, answer)| self.take_answer(height, answer));
            }
            Event::Decided(verdicts) => {
                self.batches = self.batches.saturating_sub(1);
                verdicts.into_iter().for_each(|(height, verdict)| self.take_verdict(height, verdict));
            }
        }
        self.next_actions()
    }

    /// Why there is no vote for the latest blocks; `None` while all is well.
    pub fn reason(&self) -> Option<Reason> {
        if self.slashed {
            return Some(Reason::Slashed);
        }
        if let Some(other) = &self.other_signer {
            return Some(Reason::OtherSigner(other.clone()));
        }
        let held_up = || self.waiting_above(self.last_voted).map(|(_, reason)| reason);
        self.trouble.clone().or_else(held_up).or_else(|| self.idle_reason())
    }

    /// Whether it ended because of another signer.
    pub fn has_ended_for_other_signer(&self) -> bool {
        self.other_signer.is_some()
    }

    /// The lowest height that waits for something, and for what. Later ones may be voted on all the same.
    pub fn waiting(&self) -> Option<(PosHeight, Reason)> {
        self.waiting_above(None)
    }

    /// Heights waiting to be settled.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The lowest height that is not settled: everything below it is.
    pub fn settled_below(&self) -> Option<PosHeight> {
        self.queue.settled_below()
    }

    /// Highest height voted on.
    pub fn last_voted(&self) -> Option<PosHeight> {
        self.last_voted
    }

    /// The height given up last, and why.
    pub fn last_given_up(&self) -> Option<&(PosHeight, String)> {
        self.last_given_up.as_ref()
    }

    /// Latest block seen.
    pub fn tip(&self) -> Option<PosHeight> {
        self.seen.as_ref().map(|seen| seen.tip)
    }

    fn waiting_above(&self, height: Option<PosHeight>) -> Option<(PosHeight, Reason)> {
        let seen = self.seen.as_ref()?;
        let mut above = self.queue.iter().filter(|(queued, _)| height < Some(*queued));
        above.find_map(|(height, entry)| Some((height, entry.waiting_for(seen, height)?)))
    }

    fn take_observation(&mut self, mut observation: Observation) {
        observation.commitments.sort_by_key(|commitment| commitment.start_height);
        let trouble = observation.trouble(self.tip());
        if matches!(trouble, Some(Reason::NodeBehind { .. })) {
            self.trouble = trouble;
            return;
        }
        let was_jailed = self.seen.as_ref().and_then(|seen| seen.standing).is_some_and(|own| own.jailed);
        self.slashed = trouble == Some(Reason::Slashed);
        self.trouble = trouble;
        if self.trouble.is_none() {
            self.queue.tick();
            self.begin(&observation, was_jailed);
            self.queue.extend(&observation);
            self.settle_closed(&observation);
            self.settle_uncovered(&observation);
        }
        self.seen = Some(observation);
    }

    /// Fixes where to begin, at the first look at an active chain, after another daemon had the right to sign, and after
    /// a jailing.
    fn begin(&mut self, observation: &Observation, was_jailed: bool) {
        let Some(activated) = observation.activated else { return };
        let first = observation.first_height(activated);
        if !self.queue.is_started() || std::mem::take(&mut self.stood_by) {
            let voted = observation.standing.map(|standing| standing.highest_voted);
            let voted = voted.filter(|height| height.to_u64() > 0);
            self.last_voted = self.last_voted.max(voted);
            self.voted_before = self.voted_before.max(voted.unwrap_or(self.voted_before));
            self.queue.skip_to(first);
        } else if was_jailed {
            // Of the time in jail only what is not final yet can still be of use.
            self.queue.skip_to(first);
        }
    }

    fn signer_is_away(&mut self, away: SignerAway) {
        self.stood_by |= matches!(away, SignerAway::Standby { .. });
        self.trouble = Some(Reason::SignerAway(away));
    }

    /// Takes new heights in, and says what goes out.
    fn next_actions(&mut self) -> Vec<Action> {
        if self.trouble.is_some() || self.other_signer.is_some() {
            return Vec::new();
        }
        let Some(seen) = &self.seen else { return Vec::new() };
        self.queue.extend(seen);
        let mut actions = self.ask();
        actions.extend(self.cast());
        actions
    }

    /// A commitment must start above the end of the last one, so a height they went past without covering it stays
    /// uncovered; and without randomness there is no power (`chain.md` 9.2).
    fn settle_uncovered(&mut self, seen: &Observation) {
        let Some(last) = seen.commitments.last().map(|last| last.start_height) else { return };
        let passed = self.queue.remove_where(last, |height| covering(&seen.commitments, height).is_none());
        self.last_powerless = self.last_powerless.max(passed);
    }

    /// The questions that can go out now: those about the newest heights at once, of the others the lowest as far as
    /// there is room.
    fn ask(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(seen) = &self.seen else { return actions };
        let fresh = self.queue.take_questions(seen, seen.fresh_from(), self.voted_before, MAX_QUESTIONS);
        if !fresh.is_empty() {
            self.askings += 1;
            actions.push(Action::Ask(fresh));
        }
        while self.askings < MAX_ASKINGS {
            let lowest = PosHeight::new(0);
            let questions = self.queue.take_questions(seen, lowest, self.voted_before, MAX_QUESTIONS);
            if questions.is_empty() {
                break;
            }
            self.askings += 1;
            actions.push(Action::Ask(questions));
        }
        actions
    }

    fn take_answer(&mut self, height: PosHeight, answer: Answer) {
        let Some(entry) = self.queue.get_mut(height) else { return };
        if !entry.answered() {
            return;
        }
        match answer {
            Answer::Votable(app_hash) => entry.take_power(app_hash),
            Answer::NoTable => self.take_no_table(height),
            Answer::Unknown(text) => entry.take_unknown(text),
            Answer::Voted => self.settle_voted(height),
            Answer::Powerless => {
                self.queue.remove(height);
                self.last_powerless = self.last_powerless.max(Some(height));
            }
        }
    }

    /// A height without a power table below a final block was skipped by the tally: it will never be final. The block
    /// must have been final already when the table was asked for, because a table may still have come in between.
    fn take_no_table(&mut self, height: PosHeight) {
        let (Some(seen), Some(entry)) = (&self.seen, self.queue.get_mut(height)) else { return };
        let far_below = seen.tip.to_u64().saturating_sub(height.to_u64()) >= TABLE_DEPTH;
        let before = match entry.state {
            State::NoTable(answers) => answers,
            State::Open(_) | State::Ready(..) | State::Casting(_) | State::Told(_) => 0,
        };
        let answers = before.saturating_add(u32::from(far_below));
        if entry.final_when_asked > Some(height) || answers >= TABLE_ANSWERS {
            self.queue.remove(height);
            self.last_powerless = self.last_powerless.max(Some(height));
        } else {
            entry.put_off(State::NoTable(answers));
        }
    }

    /// The votes that can go out now: those for the newest heights at once, of the others the lowest as far as there is
    /// room.
    fn cast(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(seen) = &self.seen else { return actions };
        let fresh = self.queue.take_ballots(seen, seen.fresh_from(), self.batch);
        if !fresh.is_empty() {
            self.batches += 1;
            actions.push(Action::Vote(fresh));
        }
        while self.batches < MAX_BATCHES {
            let ballots = self.queue.take_ballots(seen, PosHeight::new(0), self.batch);
            if ballots.is_empty() {
                break;
            }
            self.batches += 1;
            actions.push(Action::Vote(ballots));
        }
        actions
    }

    fn take_verdict(&mut self, height: PosHeight, verdict: Verdict) {
        let Some(entry) = self.queue.get_mut(height) else { return };
        let State::Casting(app_hash) = entry.state else { return };
        match verdict {
            Verdict::Stored => entry.take_claim(Claim::Stored),
            Verdict::Closed => entry.take_claim(Claim::Closed),
            Verdict::Void(text) => entry.take_claim(Claim::Void(text)),
            Verdict::GivenUp(text) => {
                self.queue.remove(height);
                self.last_given_up = Some((height, text));
            }
            Verdict::Later(text) | Verdict::FateUnknown(text) => {
                entry.put_off(State::Ready(app_hash, Some(text)));
            }
            Verdict::SignerAway(away) => {
                entry.take_back(app_hash);
                self.signer_is_away(away);
            }
            Verdict::Jailed => {
                entry.take_back(app_hash);
                self.trouble = Some(Reason::Jailed);
            }
            // The provider's record decides, which is read with the next observation.
            Verdict::Slashed => {
                let text = "a node answered that the finality provider is slashed".to_owned();
                entry.put_off(State::Ready(app_hash, Some(text)));
            }
        }
    }

    fn settle_voted(&mut self, height: PosHeight) {
        self.queue.remove(height);
        self.last_voted = self.last_voted.max(Some(height));
    }

    /// Heights up to which no votes are taken any more are closed; and so is one if a node refused the vote as too late
    /// and its block is final, with everything below it: blocks become final in order and epochs are timestamped in
    /// order. Votes under way stay until their own verdicts come, those said to be stored until that shows.
    fn settle_closed(&mut self, seen: &Observation) {
        let refused = seen.last_finalised.and_then(|block| self.queue.highest_refused_as_closed(block));
        if let Some(closed) = seen.closed_until().max(refused) {
            self.queue.close(closed);
        }
    }

    fn idle_reason(&self) -> Option<Reason> {
        if let Some((height, detail)) = &self.last_given_up
            && self.last_voted < Some(*height)
        {
            return Some(Reason::GivenUp { height: *height, detail: detail.clone() });
        }
        let height = self.last_powerless.filter(|height| self.last_voted < Some(*height))?;
        Some(Reason::NoPower { height })
    }
}

#[cfg(test)]
mod tests;
