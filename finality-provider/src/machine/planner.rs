//! When to commit to which heights' public randomness.
//!
//! Rules of our own: no holes, so a commitment starts right behind the last one, or at the first height that can still
//! be voted on; one announcement at a time, because a chain that took the second and refused the first would leave a
//! hole for ever; and an announcement whose fate is unknown is repeated with identical bounds. Commitments that are on
//! chain but not yet usable do not hold up the next one: on mainnet several are always in that state.
//!
//! Where a commitment starts can never be corrected, so a height that only the tip asks for, above everything committed
//! to, is believed when the tip was seen there in several looks in a row: one wrong answer must not leave a hole.
//!
//! How far ahead is enough: `lead`.
//!
//! Spec: `crypto.md` 6.4, `chain.md` 10.1.

mod lead;

pub use lead::{Delays, Lead};

use btc_staking_protocol::{finality::randomness::MAX_START_OFFSET, height::PosHeight};
use std::time::Duration;
use thiserror::Error;

/// Most heights in one commitment that this program derives.
pub const MAX_COUNT: u64 = 320_000;
/// Looks in a row that have to show the tip beyond everything committed to.
const TIP_LOOKS: u32 = 3;
/// Most blocks the tip rises from one of these looks to the next; after a larger jump they are counted anew.
const TIP_RISE: u64 = 100;

/// How far ahead to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Heights in one commitment, if the chain does not ask for more.
    pub count: u64,
    /// Blocks above the tip that are to be covered at any time.
    pub lead: Lead,
}

/// Consecutive heights to commit to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First height.
    pub start: PosHeight,
    /// Number of heights.
    pub count: u64,
}

/// What the chain says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Latest block.
    pub tip: PosHeight,
    /// First height of the chain with votes.
    pub activation: PosHeight,
    /// Smallest commitment the chain takes.
    pub min_count: u64,
    /// Last height committed to on chain.
    pub committed_until: Option<PosHeight>,
    /// How long a commitment takes to become usable.
    pub delays: Delays,
}

/// Whether enough is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// The chain was not read yet.
    Unknown,
    /// A commitment made now would be usable in time.
    Ample,
    /// A commitment made now is likely to come too late: a person must look why none was made before.
    Short {
        /// Blocks above the tip that are covered.
        runway: u64,
        /// Blocks until a commitment made now is usable.
        needed: u64,
    },
}

/// What happens to a planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The chain was read.
    Observed(Observation),
    /// An announcement came to an end.
    Ended(Range, Ending),
}

/// How an announcement ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// On chain, or found to be there already.
    Accepted,
    /// The chain refused these bounds; they are planned anew from what the chain says then.
    Refused(String),
    /// The paying account has not enough; they are planned anew, too.
    NoFunds(String),
    /// Not known. The same bounds are announced again unless the chain shows them.
    Unknown(String),
}

/// What a planner wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Record the range, sign and submit a commitment to it.
    Announce(Range),
}

/// Why nothing can be committed to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// Finality starts too far ahead.
    #[error("votes start at height {activation}, commitments to it are taken from height {earliest} on")]
    ActivationTooFar {
        /// First height with votes.
        activation: u64,
        /// First height at which a commitment is taken.
        earliest: u64,
    },
    /// The chain's smallest commitment is larger than what this program derives.
    #[error("the chain takes commitments of {0} heights or more, this program makes at most {MAX_COUNT}")]
    MinimumTooLarge(u64),
    /// The tip asks for a hole, and was not seen there often enough yet.
    #[error(
        "the chain is said to be at height {0}, above everything committed to; looking again before a hole is left"
    )]
    TipNotConfirmed(u64),
    /// The last announcement was refused.
    #[error("the last randomness commitment was refused: {0}")]
    Refused(String),
    /// The paying account cannot pay.
    #[error("the paying account has too little to commit to randomness, send it coins: {0}")]
    NoFunds(String),
    /// The fate of the last announcement is unknown.
    #[error("it is not known yet whether the last randomness commitment was taken: {0}")]
    Unknown(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announced {
    range: Range,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be announced at the next look at the chain, for the first time or again.
    Due,
    /// On its way.
    InFlight,
    /// Taken; the node does not show it yet. The number of looks left before this is doubted.
    Taken(u32),
}

/// Looks at the chain after which an announcement that was taken and does not show is made again.
const PATIENCE: u32 = 100;

/// Plans commitments of one provider on one chain.
#[derive(Debug, Clone)]
pub struct Planner {
    plan: Plan,
    announced: Option<Announced>,
    seen: Option<Observation>,
    /// Looks in a row whose tips fit together and lie beyond what is committed to.
    tip_looks: u32,
    obstacle: Option<Obstacle>,
}

impl Planner {
    /// A planner that may have announced a range before it was restarted.
    pub fn new(plan: Plan, announced: Option<Range>) -> Self {
        let announced = announced.map(|range| Announced { range, stage: Stage::Due });
        Self { plan, announced, seen: None, tip_looks: 0, obstacle: None }
    }

    /// Takes in an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Observed(observation) => self.on_observed(observation),
            Event::Ended(range, ending) => {
                self.on_ended(range, ending);
                Vec::new()
            }
        }
    }

    /// Why nothing could be committed to, if so.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    /// Last height committed to on chain.
    pub fn committed_until(&self) -> Option<PosHeight> {
        self.seen?.committed_until
    }

    /// Blocks above the tip that are covered. `None` before the chain was read or when nothing ahead is covered.
    pub fn runway(&self) -> Option<u64> {
        let seen = self.seen?;
        seen.committed_until?.to_u64().checked_sub(seen.tip.to_u64()).filter(|blocks| *blocks > 0)
    }

    /// How long that is, by the pace of the chain. `None` before it was measured.
    pub fn runway_time(&self) -> Option<Duration> {
        let blocks = u32::try_from(self.runway()?).unwrap_or(u32::MAX);
        Some(self.seen?.delays.block_time?.saturating_mul(blocks))
    }

    /// Blocks until a commitment made now is usable, if Bitcoin keeps its pace: less runway than this is an alarm.
    pub fn needed(&self) -> Option<u64> {
        Some(self.seen?.delays.usual())
    }

    /// Whether enough is covered.
    pub fn outlook(&self) -> Outlook {
        let Some(seen) = self.seen else { return Outlook::Unknown };
        let (runway, needed) = (self.runway().unwrap_or(0), seen.delays.usual());
        if runway >= needed { Outlook::Ample } else { Outlook::Short { runway, needed } }
    }

    fn on_observed(&mut self, observation: Observation) -> Vec<Action> {
        self.tip_looks = self.count_tip_looks(&observation);
        self.seen = Some(observation);
        self.forget_what_the_chain_passed(&observation);
        let announced = match self.announced {
            Some(announced) => announced,
            None => match self.next_range(&observation) {
                Some(range) => Announced { range, stage: Stage::Due },
                None => return Vec::new(),
            },
        };
        let (stage, actions) = match announced.stage {
            Stage::Due | Stage::Taken(0) => (Stage::InFlight, vec![Action::Announce(announced.range)]),
            Stage::InFlight => (Stage::InFlight, Vec::new()),
            Stage::Taken(looks) => (Stage::Taken(looks - 1), Vec::new()),
        };
        self.announced = Some(Announced { stage, ..announced });
        actions
    }

    /// An announced range is done with once the chain covers its start: it was taken, or can no longer be.
    fn forget_what_the_chain_passed(&mut self, observation: &Observation) {
        if self.announced.is_some_and(|announced| observation.committed_until >= Some(announced.range.start))
        {
            self.announced = None;
            self.obstacle = None;
        }
    }

    /// Looks in a row with this one; none if the tip asks for no hole.
    fn count_tip_looks(&self, observation: &Observation) -> u32 {
        if !leaves_a_hole(observation) {
            return 0;
        }
        let rise = self.seen.and_then(|seen| observation.tip.to_u64().checked_sub(seen.tip.to_u64()));
        match rise {
            Some(rise) if rise <= TIP_RISE => self.tip_looks.saturating_add(1),
            Some(_) | None => 1,
        }
    }

    fn next_range(&mut self, observation: &Observation) -> Option<Range> {
        let target = observation.tip.checked_add(self.plan.lead.blocks(&observation.delays))?;
        let covered = observation.committed_until;
        if covered >= Some(target) {
            self.obstacle = None;
            return None;
        }
        match self.first_range(observation) {
            Ok(range) => {
                self.obstacle.take_if(|obstacle| matches!(obstacle, Obstacle::TipNotConfirmed(_)));
                Some(range)
            }
            Err(obstacle) => {
                self.obstacle = Some(obstacle);
                None
            }
        }
    }

    /// The first range that leaves no hole ahead and that the chain takes.
    fn first_range(&self, observation: &Observation) -> Result<Range, Obstacle> {
        let tip = observation.tip.to_u64();
        if leaves_a_hole(observation) && self.tip_looks < TIP_LOOKS {
            return Err(Obstacle::TipNotConfirmed(tip));
        }
        let start = behind_last(observation).max(observation.tip.next());
        let offset = start.to_u64().saturating_sub(tip);
        if offset >= MAX_START_OFFSET {
            let earliest = start.to_u64().saturating_sub(MAX_START_OFFSET).saturating_add(1);
            return Err(Obstacle::ActivationTooFar { activation: start.to_u64(), earliest });
        }
        if observation.min_count > MAX_COUNT {
            return Err(Obstacle::MinimumTooLarge(observation.min_count));
        }
        Ok(Range { start, count: self.plan.count.clamp(1, MAX_COUNT).max(observation.min_count) })
    }

    fn on_ended(&mut self, range: Range, ending: Ending) {
        if !self.announced.is_some_and(|announced| announced.range == range) {
            return;
        }
        let (stage, obstacle) = match ending {
            Ending::Accepted => (Some(Stage::Taken(PATIENCE)), None),
            Ending::Refused(text) => (None, Some(Obstacle::Refused(text))),
            Ending::NoFunds(text) => (None, Some(Obstacle::NoFunds(text))),
            Ending::Unknown(text) => (Some(Stage::Due), Some(Obstacle::Unknown(text))),
        };
        self.announced = stage.map(|stage| Announced { range, stage });
        self.obstacle = obstacle;
    }
}

/// The lowest start that leaves no hole and is not below the first height with votes.
fn behind_last(observation: &Observation) -> PosHeight {
    observation.committed_until.map_or(PosHeight::new(0), PosHeight::next).max(observation.activation)
}

/// Whether the tip is past that start, so that the heights in between would never be covered.
fn leaves_a_hole(observation: &Observation) -> bool {
    observation.tip.next() > behind_last(observation)
}

#[cfg(test)]
mod tests;
