//! What every provider is doing and, if it is not voting, exactly why: one board, shown by `/status` and by the
//! `status` command.

use crate::machine::{planner::Planner, reason::Reason, voter::Voter};
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// All providers of a process on all its chains. Cheap to clone; all clones are one board.
#[derive(Debug, Clone, Default)]
pub struct Board {
    providers: Arc<Mutex<BTreeMap<Subject, ProviderStatus>>>,
}

/// One provider on one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// Its key.
    pub finality_provider: FinalityProviderPublicKey,
    /// Its chain.
    pub chain_id: String,
    /// Whether votes go out as blocks come in.
    pub voting: bool,
    /// Why not, as a stable word.
    pub reason_code: Option<String>,
    /// Why not, in words.
    pub reason: Option<String>,
    /// Latest block of the chain.
    pub chain_height: Option<PosHeight>,
    /// Highest height voted on.
    pub last_voted_height: Option<PosHeight>,
    /// Every height below this one is settled.
    pub settled_below: Option<PosHeight>,
    /// Heights waiting to be settled.
    pub queued_heights: usize,
    /// Lowest height that waits for something, and for what, in words; later ones may be voted on all the same.
    pub waiting_for: Option<String>,
    /// Height given up last, because another block was signed at it.
    pub given_up_height: Option<PosHeight>,
    /// Blocks above the chain's height for which randomness is committed.
    pub randomness_runway: Option<u64>,
    /// Why no randomness can be committed, if so.
    pub randomness_obstacle: Option<String>,
}

impl Board {
    /// Adds a provider that has not read its chain yet.
    pub fn add(&self, subject: &Subject) {
        let status = ProviderStatus {
            finality_provider: subject.finality_provider,
            chain_id: subject.chain_id.to_string(),
            voting: false,
            reason_code: Some(Reason::Starting.code().to_owned()),
            reason: Some(Reason::Starting.to_string()),
            chain_height: None,
            last_voted_height: None,
            settled_below: None,
            queued_heights: 0,
            waiting_for: None,
            given_up_height: None,
            randomness_runway: None,
            randomness_obstacle: None,
        };
        self.lock().insert(subject.clone(), status);
    }

    /// Shows what a voter is doing.
    pub fn show_voter(&self, subject: &Subject, voter: &Voter) {
        let reason = voter.reason();
        self.update(subject, |status| {
            status.voting = reason.is_none();
            status.reason_code = reason.as_ref().map(|reason| reason.code().to_owned());
            status.reason = reason.map(|reason| reason.to_string());
            status.chain_height = voter.tip();
            status.last_voted_height = voter.last_voted();
            status.settled_below = voter.settled_below();
            status.queued_heights = voter.queued();
            status.waiting_for = voter.waiting().map(|(_, reason)| reason.to_string());
            status.given_up_height = voter.last_given_up().map(|(height, _)| *height);
        });
    }

    /// Shows why nothing can be done yet, before there is a voter to tell.
    pub fn show_reason(&self, subject: &Subject, reason: &Reason) {
        self.update(subject, |status| {
            status.voting = false;
            status.reason_code = Some(reason.code().to_owned());
            status.reason = Some(reason.to_string());
        });
    }

    /// Shows what a planner is doing.
    pub fn show_planner(&self, subject: &Subject, planner: &Planner) {
        self.update(subject, |status| {
            status.randomness_runway = planner.runway();
            status.randomness_obstacle = planner.obstacle().map(ToString::to_string);
        });
    }

    /// All providers, by key and chain.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        self.lock().values().cloned().collect()
    }

    fn update(&self, subject: &Subject, change: impl FnOnce(&mut ProviderStatus)) {
        if let Some(status) = self.lock().get_mut(subject) {
            change(status);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Subject, ProviderStatus>> {
        self.providers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for ProviderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let height = |height: Option<PosHeight>| height.map_or("-".to_owned(), |h| h.to_u64().to_string());
        writeln!(f, "finality provider {} on {}", self.finality_provider, self.chain_id)?;
        match &self.reason {
            None => writeln!(f, "  voting")?,
            Some(reason) => writeln!(f, "  not voting: {reason}")?,
        }
        writeln!(f, "  chain height {}", height(self.chain_height))?;
        writeln!(f, "  last vote at {}", height(self.last_voted_height))?;
        writeln!(
            f,
            "  settled below {}, {} heights waiting",
            height(self.settled_below),
            self.queued_heights
        )?;
        if let Some(reason) = &self.waiting_for {
            writeln!(f, "  waiting: {reason}")?;
        }
        if let Some(given_up) = self.given_up_height {
            writeln!(f, "  height {} was given up", given_up.to_u64())?;
        }
        match self.randomness_runway {
            Some(blocks) => writeln!(f, "  randomness committed for {blocks} blocks ahead")?,
            None => writeln!(f, "  no randomness committed ahead")?,
        }
        match &self.randomness_obstacle {
            Some(obstacle) => writeln!(f, "  randomness: {obstacle}"),
            None => Ok(()),
        }
    }
}
