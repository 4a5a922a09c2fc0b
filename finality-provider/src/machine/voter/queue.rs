//! The heights that are not settled, in order, and those that wait outside because there is no room.
//!
//! Room is bounded, and heights come in ascending order. The newest ones, for which a vote still counts for liveness, are
//! taken in past those that wait: a backlog of any length costs no vote for a new block.

use super::{
    Ballot, Question,
    entry::{Claim, Entry, State},
    observation::{Observation, usable_commitment},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::collections::{BTreeMap, BTreeSet};

/// Most heights in the queue, but for the newest ones; later ones wait outside, in order.
pub const MAX_QUEUE: usize = 20_000;
/// Most heights that are taken in past those that wait outside.
const MAX_AHEAD: usize = 10_000;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    entries: BTreeMap<PosHeight, Entry>,
    /// First height that was not taken in in order; `None` before the first look at an active chain.
    next: Option<PosHeight>,
    /// Heights above it that were taken in all the same.
    ahead: BTreeSet<PosHeight>,
}

impl Queue {
    pub(super) fn is_started(&self) -> bool {
        self.next.is_some()
    }

    /// Takes new heights in, once it is known where to begin.
    pub(super) fn extend(&mut self, seen: &Observation) {
        let Some(mut next) = self.next else { return };
        while next <= seen.tip && self.entries.len() < MAX_QUEUE {
            if !self.ahead.remove(&next) {
                self.entries.insert(next, Entry::open());
            }
            next = next.next();
        }
        self.next = Some(next);
        let mut fresh = seen.fresh_from().max(next);
        while fresh <= seen.tip && self.ahead.len() < MAX_AHEAD {
            if self.ahead.insert(fresh) {
                self.entries.insert(fresh, Entry::open());
            }
            fresh = fresh.next();
        }
    }

    /// Begins at `first`, if that is further on: what lies below is no longer of use, unless its vote is under way or said
    /// to be stored.
    pub(super) fn skip_to(&mut self, first: PosHeight) {
        self.entries.retain(|height, entry| *height >= first || is_sent(entry));
        self.ahead = self.ahead.split_off(&first);
        self.next = self.next.max(Some(first));
    }

    /// Lets go of every height up to `closed`, taken in or not, whose vote is not under way or said to be stored.
    pub(super) fn close(&mut self, closed: PosHeight) {
        let lowest = self.entries.keys().next().copied().min(self.next).or(self.next);
        if lowest.is_some_and(|lowest| lowest <= closed) {
            self.skip_to(closed.next());
        }
    }

    /// The highest height whose vote a node refused as too late, up to `final_block`.
    pub(super) fn highest_refused_as_closed(&self, final_block: PosHeight) -> Option<PosHeight> {
        let refused = |(_, entry): &(&PosHeight, &Entry)| entry.state == State::Told(Claim::Closed);
        self.entries.range(..=final_block).rfind(refused).map(|(height, _)| *height)
    }

    pub(super) fn get_mut(&mut self, height: PosHeight) -> Option<&mut Entry> {
        self.entries.get_mut(&height)
    }

    pub(super) fn remove(&mut self, height: PosHeight) {
        self.entries.remove(&height);
    }

    /// Removes the heights below `end` of which this holds, and returns the highest.
    pub(super) fn remove_where(
        &mut self,
        end: PosHeight,
        holds: impl Fn(PosHeight) -> bool,
    ) -> Option<PosHeight> {
        let wanted = self.entries.range(..end).map(|(height, _)| *height);
        let removed: Vec<_> = wanted.filter(|height| holds(*height)).collect();
        for height in &removed {
            self.entries.remove(height);
        }
        removed.last().copied()
    }

    pub(super) fn tick(&mut self) {
        self.entries.values_mut().for_each(Entry::tick);
    }

    /// From the lowest on.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PosHeight, &Entry)> {
        self.entries.iter().map(|(height, entry)| (*height, entry))
    }

    /// Takes questions that can go out, at most `most`, about heights from `from` on.
    pub(super) fn take_questions(
        &mut self,
        seen: &Observation,
        from: PosHeight,
        voted_before: PosHeight,
        most: usize,
    ) -> Vec<Question> {
        let mut questions = Vec::new();
        for (height, entry) in self.entries.range_mut(from..).filter(|(_, entry)| entry.is_due()) {
            if questions.len() == most {
                break;
            }
            let may_be_stored = match entry.state {
                State::Told(_) => true,
                State::Open(_) | State::NoTable(_) => *height <= voted_before,
                State::Ready(..) | State::Casting(_) => continue,
            };
            entry.ask(seen.last_finalised);
            questions.push(match may_be_stored {
                true => Question::VoteAndPower(*height),
                false => Question::Power(*height),
            });
        }
        questions
    }

    /// Takes votes that can go out, at most `most`, for heights from `from` on.
    pub(super) fn take_ballots(&mut self, seen: &Observation, from: PosHeight, most: usize) -> Vec<Ballot> {
        let mut ballots = Vec::new();
        for (height, entry) in self.entries.range_mut(from..).filter(|(_, entry)| entry.is_due()) {
            if ballots.len() == most {
                break;
            }
            let State::Ready(app_hash, _) = entry.state else { continue };
            let Some(commitment) = usable_commitment(seen, *height) else { continue };
            entry.state = State::Casting(app_hash);
            ballots.push(Ballot { message: VoteMessage { height: *height, app_hash }, commitment });
        }
        ballots
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The lowest height that is not settled: everything below it is.
    pub(super) fn settled_below(&self) -> Option<PosHeight> {
        let lowest = self.entries.keys().next().copied();
        match (lowest, self.next) {
            (Some(lowest), Some(next)) => Some(lowest.min(next)),
            (lowest, next) => lowest.or(next),
        }
    }
}

/// Whether the vote is under way, or a node said that it is stored: its own end is still to come.
fn is_sent(entry: &Entry) -> bool {
    matches!(entry.state, State::Casting(_) | State::Told(Claim::Stored))
}
