//! Whether a key may sign at all: never before the chain was compared with the sign records, and never while the brake
//! is pulled because the chain has a vote that this signer did not make.
//!
//! A signer records before it submits, so a lone signer's records are always at or above its votes on the chain. A
//! higher vote at the first comparison means that the records are not the ones it was made under, such as those of a
//! backup: they are raised, and nothing is signed until the chain has made some blocks without another such vote. A
//! higher vote later means that somebody else signs with the key at this moment, and any further signature could be
//! the second one at its height. The [`Brake`] stops every key of the process then.
//!
//! A watermark can never be taken back, so a vote far above the node's own latest block is a broken answer: it neither
//! raises the records nor stops the key, and opens nothing.

use super::Brake;
use crate::machine::reason::OtherSigner;
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::height::PosHeight;
use btc_staking_store::StoreError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that a vote may lie above the latest block of the same node, which is read at the same time but not at once.
const ABOVE_TIP: u64 = 2;
/// Blocks for which the chain is watched after the records were raised. Another signer that is at work votes for each.
const WATCHED_BLOCKS: u64 = 2;

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
    /// The records hold every vote of the chain, or the keys are stopped already.
    Nothing,
    /// The node's answers do not fit together; nothing changed.
    Implausible,
    /// The records were raised a short while ago; nothing is signed until the chain is at this height.
    Watch(PosHeight),
    /// Record a watermark at the chain's height, then call [`Guard::watch`].
    Raise(ForeignVote),
    /// Another signer was found out; call [`Guard::stop`].
    Stop(ForeignVote),
}

/// The guard of one key on one chain.
#[derive(Debug)]
pub struct Guard {
    subject: Subject,
    brake: Arc<Brake>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    step: Step,
    /// Releases of the brake when this was settled: after another one all is to be compared again.
    releases: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    NotCompared,
    /// Open once the chain is there.
    Watching(PosHeight),
    Open,
}

impl Guard {
    /// A guard that has compared nothing yet.
    pub fn new(subject: Subject, brake: Arc<Brake>) -> Self {
        let state = Mutex::new(State { step: Step::NotCompared, releases: brake.releases() });
        Self { subject, brake, state }
    }

    /// Compares what a node that is not syncing says with the sign records, read after it said so.
    pub fn compare(&self, voted: PosHeight, recorded: PosHeight, tip: PosHeight) -> Finding {
        if self.brake.pulled_by().is_some() {
            return Finding::Nothing;
        }
        let foreign = ForeignVote { voted, recorded };
        let above_tip = voted.to_u64() > tip.to_u64().saturating_add(ABOVE_TIP);
        match self.step() {
            _ if above_tip => Finding::Implausible,
            Step::NotCompared if voted > recorded => Finding::Raise(foreign),
            Step::Watching(_) | Step::Open if voted > recorded => Finding::Stop(foreign),
            Step::Watching(until) if tip < until => Finding::Watch(until),
            Step::NotCompared | Step::Watching(_) | Step::Open => {
                self.lock().step = Step::Open;
                Finding::Nothing
            }
        }
    }

    /// The records were raised: they are at or above the chain now, whose latest block is `tip`. Returns the height up
    /// to which the chain is watched.
    pub fn watch(&self, tip: PosHeight) -> PosHeight {
        let until = PosHeight::new(tip.to_u64().saturating_add(WATCHED_BLOCKS));
        if self.step() == Step::NotCompared {
            self.lock().step = Step::Watching(until);
        }
        until
    }

    /// Stops every key of the process on every chain, durably on return.
    ///
    /// # Errors
    /// [`StoreError`]; the keys of this process are stopped all the same.
    pub fn stop(&self, ForeignVote { voted, recorded }: ForeignVote) -> Result<(), StoreError> {
        let Subject { finality_provider, chain_id } = &self.subject;
        let chain_id = chain_id.to_string();
        self.brake.pull(OtherSigner { finality_provider: *finality_provider, chain_id, voted, recorded })
    }

    /// Whether anything may be signed.
    pub fn may_sign(&self) -> bool {
        self.brake.pulled_by().is_none() && self.step() == Step::Open
    }

    /// The vote for which all keys are stopped.
    pub fn stopped_by(&self) -> Option<OtherSigner> {
        self.brake.pulled_by()
    }

    fn step(&self) -> Step {
        let releases = self.brake.releases();
        let mut state = self.lock();
        if state.releases != releases {
            *state = State { step: Step::NotCompared, releases };
        }
        state.step
    }

    // The state is replaced as a whole, so a panic elsewhere cannot leave half of it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;
    use tempfile::TempDir;

    const KEY: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";

    fn h(height: u64) -> PosHeight {
        PosHeight::new(height)
    }

    fn brake() -> (TempDir, Arc<Brake>) {
        let directory = tempfile::tempdir().unwrap();
        let brake = Brake::open(Records::open(directory.path()).unwrap()).unwrap();
        (directory, Arc::new(brake))
    }

    fn guard(brake: &Arc<Brake>, chain: &str) -> Guard {
        let subject = Subject { finality_provider: KEY.parse().unwrap(), chain_id: chain.parse().unwrap() };
        Guard::new(subject, Arc::clone(brake))
    }

    #[test]
    fn nothing_is_signed_before_the_first_comparison_or_before_the_raised_records_proved_quiet() {
        let (_directory, brake) = brake();
        let guard = guard(&brake, "bbn-1");
        assert!(!guard.may_sign());
        let foreign = ForeignVote { voted: h(9), recorded: h(4) };
        assert_eq!(guard.compare(h(9), h(4), h(9)), Finding::Raise(foreign));
        assert!(!guard.may_sign(), "the watermark is not durable yet");
        assert_eq!(guard.watch(h(9)), h(11));
        for tip in [9, 10] {
            assert_eq!(guard.compare(h(9), h(9), h(tip)), Finding::Watch(h(11)));
            assert!(!guard.may_sign());
        }
        assert_eq!(guard.compare(h(9), h(9), h(11)), Finding::Nothing);
        assert!(guard.may_sign());
    }

    #[test]
    fn another_signer_is_found_out_while_the_chain_is_watched() {
        let (_directory, brake) = brake();
        let guard = guard(&brake, "bbn-1");
        assert!(matches!(guard.compare(h(9), h(4), h(9)), Finding::Raise(_)));
        guard.watch(h(9));
        let foreign = ForeignVote { voted: h(10), recorded: h(9) };
        assert_eq!(guard.compare(h(10), h(9), h(10)), Finding::Stop(foreign));
        assert!(!guard.may_sign());
    }

    #[test]
    fn a_vote_above_the_nodes_own_tip_raises_nothing_opens_nothing_and_stops_nothing() {
        let (_directory, brake) = brake();
        let guard = guard(&brake, "bbn-1");
        assert_eq!(guard.compare(h(u64::MAX), h(4), h(9)), Finding::Implausible);
        assert_eq!(guard.compare(h(12), h(4), h(9)), Finding::Implausible);
        assert!(!guard.may_sign());
        assert_eq!(guard.compare(h(4), h(4), h(9)), Finding::Nothing);
        assert_eq!(guard.compare(h(12), h(4), h(9)), Finding::Implausible);
        assert!(guard.may_sign() && guard.stopped_by().is_none());
        assert!(
            matches!(guard.compare(h(11), h(4), h(9)), Finding::Stop(_)),
            "blocks may have come in between"
        );
    }

    #[test]
    fn a_vote_above_the_records_stops_every_key_on_every_chain_until_it_is_released_and_compared_again() {
        let (_directory, brake) = brake();
        let (ours, other) = (guard(&brake, "bbn-1"), guard(&brake, "bbn-test-6"));
        for guard in [&ours, &other] {
            assert_eq!(guard.compare(h(4), h(4), h(9)), Finding::Nothing);
            assert_eq!(guard.compare(h(5), h(7), h(9)), Finding::Nothing, "own votes are recorded first");
            assert!(guard.may_sign());
        }
        let foreign = ForeignVote { voted: h(8), recorded: h(7) };
        assert_eq!(ours.compare(h(8), h(7), h(9)), Finding::Stop(foreign));
        ours.stop(foreign).unwrap();
        for guard in [&ours, &other] {
            assert_eq!(guard.compare(h(8), h(8), h(9)), Finding::Nothing);
            guard.watch(h(9));
            assert!(!guard.may_sign());
            let stopped = guard.stopped_by().unwrap();
            assert_eq!((stopped.chain_id.as_str(), stopped.voted), ("bbn-1", h(8)));
        }
        brake.release().unwrap();
        assert!(!ours.may_sign() && !other.may_sign(), "nothing was compared since");
        assert!(matches!(ours.compare(h(8), h(7), h(9)), Finding::Raise(_)), "as after a start");
        assert_eq!(other.compare(h(7), h(7), h(9)), Finding::Nothing);
        assert!(other.may_sign() && !ours.may_sign());
    }
}
