//! One height in the queue: what is known about it, and when it is tried again.

use super::observation::{Observation, covering, usable_commitment};
use crate::machine::reason::Reason;
use btc_staking_protocol::height::PosHeight;

/// Most looks at the chain between two tries of one height.
const MAX_REST: u32 = 64;
/// Tries after which a vote that is said to be stored, and does not show, is sent again; the node may lag until then.
const STORED_LOOKS: u32 = 3;

/// What is known about a height that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: State,
    /// Whether a question about it is under way.
    asked: bool,
    /// The last final block when it was last asked about.
    pub(super) final_when_asked: Option<PosHeight>,
    /// Looks at the chain left before it is tried again.
    rest: u32,
    /// Tries so far that led nowhere.
    tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Not answered yet, and why if it was asked.
    Open(Option<String>),
    /// There was no power table, in this many answers that came when the tip was far above.
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
pub(super) enum Claim {
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

impl Entry {
    pub(super) fn open() -> Self {
        Self { state: State::Open(None), asked: false, final_when_asked: None, rest: 0, tries: 0 }
    }

    fn ready(app_hash: [u8; 32]) -> Self {
        Self { state: State::Ready(app_hash, None), ..Self::open() }
    }

    /// A question about it goes out.
    pub(super) fn ask(&mut self, last_finalised: Option<PosHeight>) {
        self.asked = true;
        self.final_when_asked = last_finalised;
    }

    /// An answer came. Returns whether it is of use.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::take(&mut self.asked)
            && matches!(self.state, State::Open(_) | State::NoTable(_) | State::Told(_))
    }

    /// Whether it is its turn: nothing is under way, and it has rested.
    pub(super) fn is_due(&self) -> bool {
        !self.asked && self.rest == 0
    }

    /// Another look at the chain has passed.
    pub(super) fn tick(&mut self) {
        self.rest = self.rest.saturating_sub(1);
    }

    /// The chain says that there is power and no vote.
    pub(super) fn take_power(&mut self, app_hash: [u8; 32]) {
        match &self.state {
            State::Told(Claim::Stored) if self.tries < STORED_LOOKS => self.put_off(self.state.clone()),
            State::Told(claim) => self.put_off(State::Ready(app_hash, Some(claim.clone().contradicted()))),
            State::Open(_) | State::NoTable(_) | State::Ready(..) | State::Casting(_) => {
                *self = Self::ready(app_hash);
            }
        }
    }

    /// The chain did not answer; what is known so far stays.
    pub(super) fn take_unknown(&mut self, text: String) {
        self.put_off(match &self.state {
            State::Open(_) => State::Open(Some(text)),
            known => known.clone(),
        });
    }

    /// The vote could not be made or taken for a reason that is none of this height's: it waits for the end of that.
    pub(super) fn take_back(&mut self, app_hash: [u8; 32]) {
        *self = Self::ready(app_hash);
    }

    /// A node told what would settle the height. Whether the vote shows is asked at once; that it is too late or void, when
    /// the chain was looked at once more.
    pub(super) fn take_claim(&mut self, claim: Claim) {
        self.rest = u32::from(claim != Claim::Stored);
        self.state = State::Told(claim);
    }

    /// Puts a height off to a later look, later each time.
    pub(super) fn put_off(&mut self, state: State) {
        self.state = state;
        self.rest = (1 << self.tries.min(6)).min(MAX_REST);
        self.tries = self.tries.saturating_add(1);
    }

    /// What it waits for; nothing if it is under way, unless that takes longer than votes count.
    pub(super) fn waiting_for(&self, seen: &Observation, height: PosHeight) -> Option<Reason> {
        let power_unknown = |detail: &str| Some(Reason::PowerUnknown { height, detail: detail.to_owned() });
        match &self.state {
            State::Open(None) if seen.is_fresh(height) => None,
            State::Open(None) => power_unknown(UNANSWERED),
            State::Open(Some(detail)) => power_unknown(detail),
            State::NoTable(_) => power_unknown(NO_TABLE),
            State::Casting(_) if seen.is_fresh(height) => None,
            State::Casting(_) => Some(Reason::OnItsWay { height }),
            State::Told(_) if seen.is_fresh(height) => None,
            State::Told(_) => Some(Reason::OnItsWay { height }),
            State::Ready(_, Some(detail)) => Some(Reason::Refused { height, detail: detail.clone() }),
            State::Ready(_, None) if covering(&seen.commitments, height).is_none() => {
                Some(Reason::NoRandomness { height })
            }
            State::Ready(_, None) if usable_commitment(seen, height).is_none() => {
                Some(Reason::RandomnessNotUsable { height })
            }
            State::Ready(_, None) if seen.is_fresh(height) => None,
            State::Ready(_, None) => Some(Reason::OnItsWay { height }),
        }
    }
}

const NO_TABLE: &str = "there is no power table at this height, or the node does not have it yet";
const UNANSWERED: &str = "the chain was not asked yet, or has not answered";
