//! Which heights to vote on: a queue that a height leaves only when it is settled.
//!
//! | settled by | meaning |
//! |---|---|
//! | stored | the chain shows our vote |
//! | powerless | the chain says we are not in that height's power table |
//! | skipped | no power table, asked for when a later block was final or long past: the tally went over it for good |
//! | closed | a vote was refused as too late, and the chain shows the block as final |
//! | uncovered | commitments already reach past it and none holds it; as they only ever ascend, none will |
//! | given up | the signer refused, because another block was signed at that height |
//!
//! What a node answered to a submission settles nothing by itself, because one node that lies or lags could take heights
//! away: it is believed once the chain, read again, shows it. Sending once more is safe, as the signer returns the vote
//! it recorded.
//!
//! Everything else (a node that does not answer, lags, or does not know yet; randomness that is missing or not usable
//! yet; an outcome that got lost) keeps the height. Safety does not rest on this queue: the sign records refuse a
//! second message at a height whatever is asked here.
//!
//! One round is: the chain is observed, questions go out, their answers come in, votes go out, their verdicts come in.
//!
//! Spec: `chain.md` 10.2 to 10.6.

use super::{
    answer::{Answer, Verdict},
    reason::{OtherSigner, Reason, SignerAway},
};
use btc_staking_pos_chain::ports::{FinalityParams, StoredCommitment};
use btc_staking_protocol::{
    finality::{randomness::is_usable, vote::VoteMessage},
    height::{Epoch, PosHeight},
};
use std::collections::BTreeMap;

/// Most heights in the queue; later ones wait outside, in order.
pub const MAX_QUEUE: usize = 10_000;
/// Most questions in one round.
pub const MAX_QUESTIONS: usize = 500;
/// A missing power table this far below the tip is taken as final...
const TABLE_DEPTH: u64 = 100;
/// ...once it was missing in this many rounds.
const TABLE_ROUNDS: u32 = 3;
/// Most rounds between two tries of one height.
const MAX_REST: u32 = 64;
/// Tries after which a vote that is said to be stored, and does not show, is sent again; the node may lag until then.
const STORED_LOOKS: u32 = 3;

/// How the chain looked at the beginning of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Latest block.
    pub tip: PosHeight,
    /// Whether the node is still syncing.
    pub syncing: bool,
    /// First height with a power table; `None` before there is one.
    pub activated: Option<PosHeight>,
    /// Newest final block.
    pub last_finalised: Option<PosHeight>,
    /// Last epoch that is final on Bitcoin.
    pub last_finalised_epoch: Epoch,
    /// Parameters.
    pub params: FinalityParams,
    /// The provider's record; `None` if it is not registered.
    pub standing: Option<Standing>,
    /// Its commitments, ascending.
    pub commitments: Vec<StoredCommitment>,
}

/// What the chain records about a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether slashed.
    pub slashed: bool,
    /// Whether jailed.
    pub jailed: bool,
    /// Highest height it voted for.
    pub highest_voted: PosHeight,
}

/// What happens to a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A round begins.
    Observed(Box<Observation>),
    /// A round could not begin.
    Unreachable(String),
    /// A round could not begin, because the signer does not answer or may not sign now.
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
    /// The round's questions were answered, or could not be.
    Answered(Vec<(PosHeight, Answer)>),
    /// Votes came to an end.
    Decided(Vec<(PosHeight, Verdict)>),
}

/// What a voter wants done.
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

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    state: State,
    /// Rounds left before it is tried again.
    rest: u32,
    /// Tries so far that led nowhere.
    tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not answered yet, and why if it was asked.
    Open(Option<String>),
    /// There was no power table, in this many rounds whose tip was far above.
    NoTable(u32),
    /// We have power; to be voted on. With what the chain said to an earlier try.
    Ready([u8; 32], Option<String>),
    /// The vote is on its way.
    Casting([u8; 32]),
    /// A node told what would settle the height; the chain is asked whether it shows that.
    Told(Claim),
}

/// What a node answered to a vote.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    /// The vote is on chain.
    Stored,
    /// Votes are no longer taken.
    Closed,
    /// There is no power, or votes are not taken at this height.
    Void(String),
}

impl Claim {
    /// What to say when the chain shows otherwise.
    fn contradicted(self) -> String {
        match self {
            Self::Stored => "a node answered that it is stored, the chain does not show it".to_owned(),
            Self::Closed => "a node answered that it comes too late, the block is not final".to_owned(),
            Self::Void(text) => format!("a node refused it although there is power: {text}"),
        }
    }
}

/// Votes of one provider on one chain.
#[derive(Debug, Clone)]
pub struct Voter {
    batch: usize,
    queue: BTreeMap<PosHeight, Entry>,
    /// First height that is not in the queue yet; `None` before the first look at an active chain.
    next: Option<PosHeight>,
    /// Heights up to here may carry a vote of ours from before the start.
    voted_before: PosHeight,
    seen: Option<Observation>,
    trouble: Option<Reason>,
    last_voted: Option<PosHeight>,
    last_powerless: Option<PosHeight>,
    last_given_up: Option<(PosHeight, String)>,
    slashed: bool,
    other_signer: Option<OtherSigner>,
}

impl Voter {
    /// A voter that casts at most `batch` votes at once and that, before it was restarted, had voted up to a height.
    pub fn new(batch: usize, last_voted: Option<PosHeight>) -> Self {
        Self {
            batch: batch.max(1),
            queue: BTreeMap::new(),
            next: None,
            voted_before: last_voted.unwrap_or(PosHeight::new(0)),
            seen: None,
            trouble: Some(Reason::Starting),
            last_voted,
            last_powerless: None,
            last_given_up: None,
            slashed: false,
            other_signer: None,
        }
    }

    /// Takes in an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        if self.slashed || self.other_signer.is_some() {
            return Vec::new();
        }
        match event {
            Event::Unreachable(detail) => {
                self.trouble = Some(Reason::Unreachable(detail));
                Vec::new()
            }
            Event::SignerAway(away) => {
                self.trouble = Some(Reason::SignerAway(away));
                Vec::new()
            }
            Event::Implausible { voted, tip } => {
                self.trouble = Some(Reason::VoteAboveTip { voted, tip });
                Vec::new()
            }
            Event::OtherSigner(other) => {
                self.other_signer = Some(other);
                Vec::new()
            }
            Event::Observed(observation) => self.on_observed(*observation),
            Event::Answered(answers) => self.on_answered(answers),
            Event::Decided(verdicts) => self.on_decided(verdicts),
        }
    }

    /// Why there is no vote for the latest blocks; `None` while all is well.
    pub fn reason(&self) -> Option<Reason> {
        if self.slashed {
            return Some(Reason::Slashed);
        }
        if let Some(other) = &self.other_signer {
            return Some(Reason::OtherSigner(other.clone()));
        }
        let held_up = || self.waiting().filter(|(height, _)| self.last_voted < Some(*height));
        self.trouble.clone().or_else(|| held_up().map(|(_, reason)| reason)).or_else(|| self.idle_reason())
    }

    /// Whether it ended because of another signer.
    pub fn has_ended_for_other_signer(&self) -> bool {
        self.other_signer.is_some()
    }

    /// The lowest height that waits for something, and for what. Later ones may be voted on all the same.
    pub fn waiting(&self) -> Option<(PosHeight, Reason)> {
        let seen = self.seen.as_ref()?;
        self.queue
            .iter()
            .find_map(|(height, entry)| Some((*height, waiting_for(seen, *height, &entry.state)?)))
    }

    /// Heights waiting to be settled.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The lowest height that is not settled: everything below it is.
    pub fn settled_below(&self) -> Option<PosHeight> {
        self.queue.keys().next().copied().or(self.next)
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

    fn on_observed(&mut self, observation: Observation) -> Vec<Action> {
        let trouble = trouble(&observation, self.tip());
        if matches!(trouble, Some(Reason::NodeBehind { .. })) {
            self.trouble = trouble;
            return Vec::new();
        }
        self.slashed = trouble == Some(Reason::Slashed);
        self.trouble = trouble;
        if self.trouble.is_none() {
            self.extend(&observation);
        }
        self.seen = Some(observation);
        if self.trouble.is_some() {
            return Vec::new();
        }
        self.settle_closed();
        self.settle_uncovered();
        let questions = self.questions();
        if questions.is_empty() {
            // Heights may be ready from an earlier round.
            return self.cast();
        }
        vec![Action::Ask(questions)]
    }

    /// Takes new heights into the queue.
    fn extend(&mut self, observation: &Observation) {
        let Some(activated) = observation.activated else { return };
        let mut next = self.next.unwrap_or_else(|| first_height(observation, activated));
        if let Some(standing) = observation.standing.filter(|_| self.next.is_none()) {
            self.voted_before = self.voted_before.max(standing.highest_voted);
        }
        while next <= observation.tip && self.queue.len() < MAX_QUEUE {
            self.queue.insert(next, Entry::open());
            next = next.next();
        }
        self.next = Some(next);
    }

    /// A commitment must start above the end of the last one, so a height they went past without covering it stays
    /// uncovered; and without randomness there is no power (`chain.md` 9.2).
    fn settle_uncovered(&mut self) {
        let Some(seen) = &self.seen else { return };
        let Some(last) = seen.commitments.iter().max_by_key(|c| c.start_height) else { return };
        let passed = |height| height < last.start_height && covering(&seen.commitments, height).is_none();
        let uncovered: Vec<_> = self.queue.keys().copied().filter(|height| passed(*height)).collect();
        for height in uncovered {
            self.queue.remove(&height);
            self.last_powerless = self.last_powerless.max(Some(height));
        }
    }

    fn questions(&mut self) -> Vec<Question> {
        let mut questions = Vec::new();
        for (height, entry) in &mut self.queue {
            if questions.len() == MAX_QUESTIONS {
                break;
            }
            let may_be_stored = match entry.state {
                State::Told(_) => true,
                State::Open(_) | State::NoTable(_) => *height <= self.voted_before,
                State::Ready(..) | State::Casting(_) => continue,
            };
            if entry.is_due() {
                questions.push(match may_be_stored {
                    true => Question::VoteAndPower(*height),
                    false => Question::Power(*height),
                });
            }
        }
        questions
    }

    fn on_answered(&mut self, answers: Vec<(PosHeight, Answer)>) -> Vec<Action> {
        for (height, answer) in answers {
            self.take_answer(height, answer);
        }
        self.cast()
    }

    fn take_answer(&mut self, height: PosHeight, answer: Answer) {
        let Some(entry) = self.queue.get_mut(&height).filter(|entry| entry.is_asked()) else { return };
        match answer {
            Answer::Votable(app_hash) => entry.take_power(app_hash),
            Answer::NoTable => self.take_no_table(height),
            Answer::Unknown(text) => entry.take_unknown(text),
            Answer::Voted => self.settle_voted(height),
            Answer::Powerless => {
                self.queue.remove(&height);
                self.last_powerless = self.last_powerless.max(Some(height));
            }
        }
    }

    /// A height without a power table below a final block was skipped by the tally: it will never be final. The block
    /// must have been final already when the table was asked for, because a table may still have come in between.
    fn take_no_table(&mut self, height: PosHeight) {
        let (Some(seen), Some(entry)) = (&self.seen, self.queue.get_mut(&height)) else { return };
        let far_below = seen.tip.to_u64().saturating_sub(height.to_u64()) >= TABLE_DEPTH;
        let before = match entry.state {
            State::NoTable(rounds) => rounds,
            State::Open(_) | State::Ready(..) | State::Casting(_) | State::Told(_) => 0,
        };
        let rounds = before.saturating_add(u32::from(far_below));
        if seen.last_finalised > Some(height) || rounds >= TABLE_ROUNDS {
            self.queue.remove(&height);
        } else {
            entry.put_off(State::NoTable(rounds));
        }
    }

    /// The votes that can go out now, lowest heights first.
    fn cast(&mut self) -> Vec<Action> {
        let Some(seen) = &self.seen else { return Vec::new() };
        let mut ballots = Vec::new();
        for (height, entry) in &mut self.queue {
            let State::Ready(app_hash, _) = entry.state else { continue };
            let Some(commitment) = usable_commitment(seen, *height) else { continue };
            if ballots.len() == self.batch {
                break;
            }
            if entry.is_due() {
                entry.state = State::Casting(app_hash);
                ballots.push(Ballot { message: VoteMessage { height: *height, app_hash }, commitment });
            }
        }
        if ballots.is_empty() { Vec::new() } else { vec![Action::Vote(ballots)] }
    }

    /// Takes in what became of votes, and sends the next ones; after a failure they wait for the next round.
    fn on_decided(&mut self, verdicts: Vec<(PosHeight, Verdict)>) -> Vec<Action> {
        let failed = verdicts.iter().any(|(_, verdict)| {
            matches!(verdict, Verdict::Later(_) | Verdict::FateUnknown(_) | Verdict::Slashed)
        });
        for (height, verdict) in verdicts {
            self.take_verdict(height, verdict);
        }
        if failed || self.trouble.is_some() { Vec::new() } else { self.cast() }
    }

    fn take_verdict(&mut self, height: PosHeight, verdict: Verdict) {
        let Some(entry) = self.queue.get_mut(&height) else { return };
        let State::Casting(app_hash) = entry.state else { return };
        match verdict {
            Verdict::Stored => entry.state = State::Told(Claim::Stored),
            Verdict::Closed => entry.state = State::Told(Claim::Closed),
            Verdict::Void(text) => entry.state = State::Told(Claim::Void(text)),
            Verdict::GivenUp(text) => {
                self.queue.remove(&height);
                self.last_given_up = Some((height, text));
            }
            Verdict::Later(text) | Verdict::FateUnknown(text) => {
                entry.put_off(State::Ready(app_hash, Some(text)));
            }
            Verdict::SignerAway(away) => {
                *entry = Entry::ready(app_hash);
                self.trouble = Some(Reason::SignerAway(away));
            }
            Verdict::Jailed => {
                *entry = Entry::ready(app_hash);
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
        self.queue.remove(&height);
        self.last_voted = self.last_voted.max(Some(height));
    }

    /// A height is closed if a node refused the vote as too late and its block is final. Blocks become final in order
    /// and epochs are timestamped in order, so everything below is closed as well. Votes under way stay until their own
    /// verdicts come, those said to be stored until that shows.
    fn settle_closed(&mut self) {
        let finalised = self.seen.as_ref().and_then(|seen| seen.last_finalised);
        let is_closed = |(height, entry): &(&PosHeight, &Entry)| {
            entry.state == State::Told(Claim::Closed) && finalised >= Some(**height)
        };
        let Some((&closed, _)) = self.queue.iter().rfind(is_closed) else { return };
        self.queue.retain(|height, entry| {
            *height > closed || matches!(entry.state, State::Casting(_) | State::Told(Claim::Stored))
        });
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

const NO_TABLE: &str = "there is no power table at this height, or the node does not have it yet";

impl Entry {
    fn open() -> Self {
        Self { state: State::Open(None), rest: 0, tries: 0 }
    }

    fn ready(app_hash: [u8; 32]) -> Self {
        Self { state: State::Ready(app_hash, None), rest: 0, tries: 0 }
    }

    /// Whether the chain is asked about it.
    fn is_asked(&self) -> bool {
        matches!(self.state, State::Open(_) | State::NoTable(_) | State::Told(_))
    }

    /// The chain says that there is power and no vote.
    fn take_power(&mut self, app_hash: [u8; 32]) {
        match &self.state {
            State::Told(Claim::Stored) if self.tries < STORED_LOOKS => self.put_off(self.state.clone()),
            State::Told(claim) => self.put_off(State::Ready(app_hash, Some(claim.clone().contradicted()))),
            State::Open(_) | State::NoTable(_) | State::Ready(..) | State::Casting(_) => {
                *self = Self::ready(app_hash);
            }
        }
    }

    /// The chain did not answer; what is known so far stays.
    fn take_unknown(&mut self, text: String) {
        self.put_off(match &self.state {
            State::Open(_) => State::Open(Some(text)),
            known => known.clone(),
        });
    }

    /// Puts a height off for a while, longer each time.
    fn put_off(&mut self, state: State) {
        self.state = state;
        self.rest = (1 << self.tries.min(6)).min(MAX_REST) - 1;
        self.tries = self.tries.saturating_add(1);
    }

    /// Whether it is this height's turn; counts a round if not.
    fn is_due(&mut self) -> bool {
        let due = self.rest == 0;
        self.rest = self.rest.saturating_sub(1);
        due
    }
}

/// What a queued height waits for; nothing if it is under way.
fn waiting_for(seen: &Observation, height: PosHeight, state: &State) -> Option<Reason> {
    match state {
        State::Open(None) | State::Casting(_) | State::Told(_) => None,
        State::NoTable(_) => Some(Reason::PowerUnknown { height, detail: NO_TABLE.to_owned() }),
        State::Open(Some(detail)) => Some(Reason::PowerUnknown { height, detail: detail.clone() }),
        State::Ready(_, Some(detail)) => Some(Reason::Refused { height, detail: detail.clone() }),
        State::Ready(_, None) if covering(&seen.commitments, height).is_none() => {
            Some(Reason::NoRandomness { height })
        }
        State::Ready(_, None) if usable_commitment(seen, height).is_none() => {
            Some(Reason::RandomnessNotUsable { height })
        }
        State::Ready(_, None) => None,
    }
}

/// What keeps a round from taking place, if anything does.
fn trouble(observation: &Observation, tip_before: Option<PosHeight>) -> Option<Reason> {
    let Some(standing) = observation.standing else { return Some(Reason::NotRegistered) };
    if standing.slashed {
        return Some(Reason::Slashed);
    }
    if observation.syncing {
        return Some(Reason::NodeSyncing { tip: observation.tip });
    }
    if let Some(before) = tip_before.filter(|before| observation.tip < *before) {
        return Some(Reason::NodeBehind { tip: observation.tip, before });
    }
    if observation.activated.is_none() {
        return Some(Reason::NotActivated);
    }
    standing.jailed.then_some(Reason::Jailed)
}

/// Where to begin: behind the last final block, or as many blocks below the tip as a vote counts for liveness,
/// whichever is lower; never below activation.
fn first_height(observation: &Observation, activated: PosHeight) -> PosHeight {
    let after_final = observation.last_finalised.map_or(activated, PosHeight::next);
    let still_counting =
        observation.tip.checked_sub(observation.params.finality_sig_timeout).unwrap_or(activated);
    after_final.min(still_counting).max(activated).max(observation.params.activation_height)
}

/// The commitment with the largest start at or below a height, if it contains it (`crypto.md` 6.4).
fn covering(commitments: &[StoredCommitment], height: PosHeight) -> Option<StoredCommitment> {
    let candidate = commitments.iter().filter(|c| c.start_height <= height).max_by_key(|c| c.start_height)?;
    let offset = height.to_u64().checked_sub(candidate.start_height.to_u64())?;
    (offset < candidate.count).then_some(*candidate)
}

/// The commitment covering a height, if votes under it are taken yet.
fn usable_commitment(seen: &Observation, height: PosHeight) -> Option<StoredCommitment> {
    covering(&seen.commitments, height).filter(|c| is_usable(c.epoch, seen.last_finalised_epoch))
}

#[cfg(test)]
mod tests;
