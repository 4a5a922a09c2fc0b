//! An open case: a provider whose key is known, and where the slashing of each stake under it stands.

use super::event::{Action, Report};
use crate::stakes::SlashingStep;
use bitcoin::Txid;
use btc_staking_protocol::{finality::evidence::FinalityProviderSecret, height::BtcHeight};
use std::{collections::BTreeMap, sync::Arc};

/// How a provider's key came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Two votes for one height; the chain has the evidence.
    Evidence,
    /// A slashing transaction on Bitcoin without evidence: the chain has to be shown the key.
    Revealed,
}

/// An open case: the secret of a provider that double-signed or slashed selectively.
pub(super) struct Case {
    pub(super) secret: Arc<FinalityProviderSecret>,
    pub(super) origin: Origin,
    /// What was last reported about each stake.
    pub(super) reported: BTreeMap<Txid, (SlashingStep, Option<String>)>,
    /// Tip under which a broadcast was last tried: once per block, unless the node gave no answer.
    pub(super) tried: BTreeMap<Txid, BtcHeight>,
    /// Why the last try failed.
    pub(super) reasons: BTreeMap<Txid, String>,
}

impl Case {
    /// A case in which nothing was tried yet.
    pub(super) fn new(secret: Arc<FinalityProviderSecret>, origin: Origin) -> Self {
        Self { secret, origin, reported: BTreeMap::new(), tried: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    /// Whether a broadcast for a stake was tried under this tip.
    pub(super) fn was_tried(&self, staking_txid: &Txid, tip: BtcHeight) -> bool {
        self.tried.get(staking_txid) == Some(&tip)
    }

    /// Takes what came of a broadcast: what keeps it from going on, if something does.
    pub(super) fn settle(&mut self, staking_txid: Txid, answer: &Answer) {
        match answer {
            Answer::Taken => {
                self.reasons.remove(&staking_txid);
            }
            Answer::Refused(reason) => {
                self.reasons.insert(staking_txid, reason.clone());
            }
            Answer::Missing(reason) => {
                self.reasons.insert(staking_txid, reason.clone());
                self.tried.remove(&staking_txid);
            }
        }
    }

    /// Tells the operator where the slashing of a stake stands, if that changed.
    pub(super) fn report(&mut self, staking_txid: Txid, step: SlashingStep) -> Option<Action> {
        let reason = self.reasons.get(&staking_txid).cloned();
        let state = (step.clone(), reason.clone());
        if self.reported.get(&staking_txid) == Some(&state) {
            return None;
        }
        self.reported.insert(staking_txid, state);
        Some(Action::Report(Report::Slashing { staking_txid, step, reason }))
    }
}

/// What came of a broadcast.
pub(super) enum Answer {
    /// In the mempool.
    Taken,
    /// The node refused it; the next block may change that.
    Refused(String),
    /// Nobody answered: the next tick tries again.
    Missing(String),
}
