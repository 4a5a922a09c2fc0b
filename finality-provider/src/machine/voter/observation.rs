//! How the chain looked at one moment, and what follows from it for a voter.
//!
//! Spec: `chain.md` 3.1, 3.4, 10.2, 10.6.

use crate::machine::reason::Reason;
use btc_staking_pos_chain::ports::{FinalityParams, StoredCommitment};
use btc_staking_protocol::{
    finality::randomness::is_usable,
    height::{Epoch, PosHeight},
};
use std::num::NonZeroU64;

/// How the chain looked at one moment.
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
    /// Blocks in an epoch; `None` on a chain without epochs.
    pub epoch_interval: Option<NonZeroU64>,
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

impl Observation {
    /// Lowest height for which a vote that is sent now still counts for liveness.
    pub(super) fn fresh_from(&self) -> PosHeight {
        let back = self.params.finality_sig_timeout.saturating_sub(1);
        self.tip.checked_sub(back).unwrap_or(PosHeight::new(0))
    }

    /// Whether a vote for a height that is sent now still counts for liveness.
    pub(super) fn is_fresh(&self, height: PosHeight) -> bool {
        height >= self.fresh_from()
    }

    /// The last height for which no vote is taken any more: its block is final, and so is its epoch on Bitcoin. Of a final
    /// block above the node's own latest one nothing is believed.
    pub(super) fn closed_until(&self) -> Option<PosHeight> {
        let finalised = self.last_finalised.filter(|height| *height <= self.tip)?;
        let timestamped = self.last_finalised_epoch.to_u64().checked_mul(self.epoch_interval?.get())?;
        Some(finalised.min(PosHeight::new(timestamped)))
    }

    /// What keeps votes from being cast, if anything does.
    pub(super) fn trouble(&self, tip_before: Option<PosHeight>) -> Option<Reason> {
        let Some(standing) = self.standing else { return Some(Reason::NotRegistered) };
        if standing.slashed {
            return Some(Reason::Slashed);
        }
        if self.syncing {
            return Some(Reason::NodeSyncing { tip: self.tip });
        }
        if let Some(before) = tip_before.filter(|before| self.tip < *before) {
            return Some(Reason::NodeBehind { tip: self.tip, before });
        }
        if self.activated.is_none() {
            return Some(Reason::NotActivated);
        }
        standing.jailed.then_some(Reason::Jailed)
    }

    /// Where to begin: behind the last final block, or as many blocks below the tip as a vote counts for liveness,
    /// whichever is lower; never below activation.
    pub(super) fn first_height(&self, activated: PosHeight) -> PosHeight {
        let after_final = self.last_finalised.map_or(activated, PosHeight::next);
        let still_counting = self.tip.checked_sub(self.params.finality_sig_timeout).unwrap_or(activated);
        after_final.min(still_counting).max(activated).max(self.params.activation_height)
    }
}

/// The commitment with the largest start at or below a height, if it contains it (`crypto.md` 6.4).
pub(super) fn covering(commitments: &[StoredCommitment], height: PosHeight) -> Option<StoredCommitment> {
    let behind = commitments.partition_point(|commitment| commitment.start_height <= height);
    let candidate = commitments.get(behind.checked_sub(1)?)?;
    let offset = height.to_u64().checked_sub(candidate.start_height.to_u64())?;
    (offset < candidate.count).then_some(*candidate)
}

/// The commitment covering a height, if votes under it are taken yet.
pub(super) fn usable_commitment(seen: &Observation, height: PosHeight) -> Option<StoredCommitment> {
    covering(&seen.commitments, height).filter(|c| is_usable(c.epoch, seen.last_finalised_epoch))
}
