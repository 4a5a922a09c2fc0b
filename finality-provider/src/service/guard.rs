//! Whether a key may sign at all: never before the chain was compared with the sign records, and never again once the
//! chain has a vote that this signer did not make.
//!
//! A signer records before it submits, so a lone signer's records are always at or above its votes on the chain. A
//! higher vote at the first comparison means that the records are not the ones it was made under, and they are raised.
//! A higher vote later means that somebody else signs with the key at this moment, and any further signature could be
//! the second one at its height. The stop outlives the tasks and ends with the process.
//!
//! A watermark can never be taken back, so a vote far above the node's own latest block is a broken answer: it neither
//! raises the records nor stops the key, and opens nothing.

use btc_staking_protocol::height::PosHeight;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks that a vote may lie above the latest block of the same node, which is read at the same time but not at once.
const ABOVE_TIP: u64 = 2;

/// A vote on the chain above everything this signer recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignVote {
    /// Highest height voted on, says the chain.
    pub voted: PosHeight,
    /// Highest height in the sign records.
    pub recorded: PosHeight,
}

/// What a comparison asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The records hold every vote of the chain, or the key is stopped already.
    Nothing,
    /// The node's answers do not fit together; nothing changed.
    Implausible,
    /// Record a watermark at the chain's height, then call [`Guard::open`].
    Raise(ForeignVote),
    /// Another signer was just found out; the key is stopped.
    Stopped(ForeignVote),
}

/// The guard of one key on one chain.
#[derive(Debug, Default)]
pub struct Guard(Mutex<State>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    NotCompared,
    Open,
    Stopped(ForeignVote),
}

impl Guard {
    /// Compares what a node that is not syncing says with the sign records, read after it said so.
    pub fn compare(&self, voted: PosHeight, recorded: PosHeight, tip: PosHeight) -> Finding {
        let mut state = self.lock();
        let foreign = ForeignVote { voted, recorded };
        match *state {
            State::Stopped(_) => Finding::Nothing,
            State::NotCompared | State::Open if voted.to_u64() > tip.to_u64().saturating_add(ABOVE_TIP) => {
                Finding::Implausible
            }
            State::NotCompared if voted > recorded => Finding::Raise(foreign),
            State::Open if voted > recorded => {
                *state = State::Stopped(foreign);
                Finding::Stopped(foreign)
            }
            State::NotCompared | State::Open => {
                *state = State::Open;
                Finding::Nothing
            }
        }
    }

    /// The records were raised: from now on they are at or above the chain.
    pub fn open(&self) {
        let mut state = self.lock();
        if *state == State::NotCompared {
            *state = State::Open;
        }
    }

    /// Whether anything may be signed.
    pub fn may_sign(&self) -> bool {
        *self.lock() == State::Open
    }

    /// The vote for which the key was stopped.
    pub fn stopped_by(&self) -> Option<ForeignVote> {
        match *self.lock() {
            State::Stopped(foreign) => Some(foreign),
            State::NotCompared | State::Open => None,
        }
    }

    // The state is replaced as a whole, so a panic elsewhere cannot leave half of it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h(height: u64) -> PosHeight {
        PosHeight::new(height)
    }

    #[test]
    fn nothing_is_signed_before_the_first_comparison_or_before_the_records_are_raised() {
        let guard = Guard::default();
        assert!(!guard.may_sign());
        let foreign = ForeignVote { voted: h(9), recorded: h(4) };
        assert_eq!(guard.compare(h(9), h(4), h(9)), Finding::Raise(foreign));
        assert!(!guard.may_sign(), "the watermark is not durable yet");
        guard.open();
        assert!(guard.may_sign());
    }

    #[test]
    fn a_vote_above_the_nodes_own_tip_raises_nothing_opens_nothing_and_stops_nothing() {
        let guard = Guard::default();
        assert_eq!(guard.compare(h(u64::MAX), h(4), h(9)), Finding::Implausible);
        assert_eq!(guard.compare(h(12), h(4), h(9)), Finding::Implausible);
        assert!(!guard.may_sign());
        assert_eq!(guard.compare(h(4), h(4), h(9)), Finding::Nothing);
        assert_eq!(guard.compare(h(12), h(4), h(9)), Finding::Implausible);
        assert!(guard.may_sign() && guard.stopped_by().is_none());
        assert!(
            matches!(guard.compare(h(11), h(4), h(9)), Finding::Stopped(_)),
            "blocks may have come in between"
        );
    }

    #[test]
    fn a_vote_above_the_records_after_the_first_comparison_stops_the_key_for_good() {
        let guard = Guard::default();
        assert_eq!(guard.compare(h(4), h(4), h(9)), Finding::Nothing);
        assert_eq!(
            guard.compare(h(5), h(7), h(9)),
            Finding::Nothing,
            "own votes are recorded before they are seen"
        );
        assert!(guard.may_sign());
        let foreign = ForeignVote { voted: h(8), recorded: h(7) };
        assert_eq!(guard.compare(h(8), h(7), h(9)), Finding::Stopped(foreign));
        guard.open();
        assert_eq!(guard.compare(h(8), h(8), h(9)), Finding::Nothing);
        assert!(!guard.may_sign());
        assert_eq!(guard.stopped_by(), Some(foreign));
    }
}
