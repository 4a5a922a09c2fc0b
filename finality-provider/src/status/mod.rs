//! What every provider is doing and, if it is not voting, exactly why: one board, shown by `/status`, by the `status`
//! command and, as of every scrape, by `/metrics`.
//!
//! | who writes | what |
//! |---|---|
//! | the voter, every round | whether votes go out and why not, heights |
//! | the planner, every round | how far randomness is committed |
//! | the [`survey`], now and then | nodes, balance, presence, what is usable, how long a block takes |

pub mod durable;
pub mod survey;
mod text;

pub(crate) use text::{age, wrap};

use crate::machine::{planner::Planner, reason::Reason, voter::Voter};
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All providers and chains of a process. Cheap to clone; all clones are one board.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    providers: BTreeMap<Subject, ProviderStatus>,
    chains: BTreeMap<String, ChainStatus>,
}

/// The board at one moment: what `/status` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The moment, in seconds since 1970.
    pub at: u64,
    /// Every provider on every chain, by key.
    pub providers: Vec<ProviderStatus>,
    /// Every chain, by its id.
    pub chains: Vec<ChainStatus>,
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
    /// How the chain regards it, as last known.
    pub standing: Standing,
    /// Latest block of the chain.
    pub chain_height: Option<PosHeight>,
    /// Highest height voted on.
    pub last_voted_height: Option<PosHeight>,
    /// When a vote was last stored by the chain, in seconds since 1970; kept over restarts.
    pub last_vote_at: Option<u64>,
    /// Every height below this one is settled.
    pub settled_below: Option<PosHeight>,
    /// Heights waiting to be settled.
    pub queued_heights: usize,
    /// Lowest height that waits for something, and for what, in words; later ones may be voted on all the same.
    pub waiting_for: Option<String>,
    /// Height given up last, because another block was signed at it.
    pub given_up_height: Option<PosHeight>,
    /// Last height with committed randomness.
    pub committed_until: Option<PosHeight>,
    /// Blocks above the chain's height for which randomness is committed.
    pub randomness_runway: Option<u64>,
    /// Blocks until a commitment made now is usable, about: less runway than this is an alarm.
    pub randomness_needed: Option<u64>,
    /// Why no randomness can be committed, if so.
    pub randomness_obstacle: Option<String>,
    /// When randomness was last committed, in seconds since 1970; kept over restarts.
    pub last_randomness_at: Option<u64>,
    /// Last height whose randomness is usable, because its commitment is final on Bitcoin.
    pub usable_until: Option<PosHeight>,
    /// Epochs that are not final yet and have to be before all commitments are usable.
    pub commitment_lag_epochs: Option<u64>,
    /// What the chain counts of its presence.
    pub presence: Option<Presence>,
    /// Why a jailing is not ended now, if it is to be ended without the operator.
    #[serde(default)]
    pub unjailing: Option<String>,
}

/// How the chain regards a provider, numbered as the Go daemon numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not known yet.
    #[default]
    Unknown,
    /// Not known to the chain.
    NotRegistered,
    /// Registered and never active.
    Registered,
    /// Has power.
    Active,
    /// Has no power.
    Inactive,
    /// For good.
    Slashed,
    /// Until unjailed.
    Jailed,
}

/// Presence as the chain counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Heights the chain looks back.
    pub window: u64,
    /// Heights missed among them.
    pub missed: u64,
    /// Most that may be missed.
    pub allowed: u64,
    /// End of the jailing in seconds since 1970, if it was ever jailed.
    pub jailed_until: Option<u64>,
}

/// One chain and the account that pays on it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChainStatus {
    /// Chain id.
    pub chain_id: String,
    /// The highest block any usable node has.
    pub height: Option<PosHeight>,
    /// The latest block votes were looked for at.
    pub last_polled_height: Option<PosHeight>,
    /// First height looked at since the start.
    pub first_height: Option<PosHeight>,
    /// Seconds a block takes, on average of late.
    pub block_seconds: Option<f64>,
    /// The paying account.
    pub account: String,
    /// What it holds.
    pub balance: Option<u64>,
    /// The coin.
    pub denom: String,
    /// How many commitments of randomness that pays for, about.
    pub commitments_affordable: Option<u64>,
    /// How many nodes must say the same.
    pub nodes_required: usize,
    /// The nodes, as configured.
    pub nodes: Vec<NodeStatus>,
}

/// One node of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Host and port.
    pub name: String,
    /// Its latest block, if it answered.
    pub height: Option<PosHeight>,
    /// Blocks behind the best node.
    pub lag: Option<u64>,
    /// Why it is not used.
    pub trouble: Option<String>,
}

/// Blocks a node may be behind the best and still count as usable.
const USABLE_LAG: u64 = 5;

impl Standing {
    /// Its number in `fp_status`: REGISTERED 0, ACTIVE 1, INACTIVE 2, SLASHED 3, JAILED 4.
    pub fn number(self) -> Option<u8> {
        match self {
            Self::Unknown | Self::NotRegistered => None,
            Self::Registered => Some(0),
            Self::Active => Some(1),
            Self::Inactive => Some(2),
            Self::Slashed => Some(3),
            Self::Jailed => Some(4),
        }
    }

    /// The standing a reason tells of; `None` if it tells nothing about it.
    fn of(reason: Option<&Reason>, was_active: bool) -> Option<Self> {
        let Some(reason) = reason else { return Some(Self::Active) };
        match reason {
            Reason::NotRegistered => Some(Self::NotRegistered),
            Reason::Slashed => Some(Self::Slashed),
            Reason::Jailed => Some(Self::Jailed),
            Reason::NoPower { .. } | Reason::NotActivated => {
                Some(if was_active { Self::Inactive } else { Self::Registered })
            }
            // Only heights with power get so far.
            Reason::NoRandomness { .. }
            | Reason::RandomnessNotUsable { .. }
            | Reason::OnItsWay { .. }
            | Reason::Refused { .. }
            | Reason::GivenUp { .. } => Some(Self::Active),
            Reason::Starting
            | Reason::Unreachable(_)
            | Reason::NodeSyncing { .. }
            | Reason::NodeBehind { .. }
            | Reason::SignerAway(_)
            | Reason::ChainRefused(_)
            | Reason::OtherSigner { .. }
            | Reason::VoteAboveTip { .. }
            | Reason::PowerUnknown { .. } => None,
        }
    }
}

impl Presence {
    /// Heights that may still be missed before the one that jails.
    pub fn left(&self) -> u64 {
        self.allowed.saturating_sub(self.missed)
    }
}

impl ProviderStatus {
    fn starting(subject: &Subject) -> Self {
        Self {
            finality_provider: subject.finality_provider,
            chain_id: subject.chain_id.to_string(),
            voting: false,
            reason_code: Some(Reason::Starting.code().to_owned()),
            reason: Some(Reason::Starting.to_string()),
            standing: Standing::Unknown,
            chain_height: None,
            last_voted_height: None,
            last_vote_at: None,
            settled_below: None,
            queued_heights: 0,
            waiting_for: None,
            given_up_height: None,
            committed_until: None,
            randomness_runway: None,
            randomness_needed: None,
            randomness_obstacle: None,
            last_randomness_at: None,
            usable_until: None,
            commitment_lag_epochs: None,
            presence: None,
            unjailing: None,
        }
    }

    /// Blocks above the chain's height whose randomness is usable now.
    pub fn usable_runway(&self) -> Option<u64> {
        Some(self.usable_until?.to_u64().saturating_sub(self.chain_height?.to_u64()))
    }
}

impl ChainStatus {
    /// Nodes that answer, know the chain and are at its tip.
    pub fn usable_nodes(&self) -> usize {
        self.nodes.iter().filter(|node| node.trouble.is_none() && node.lag <= Some(USABLE_LAG)).count()
    }

    /// Hours that so many blocks take.
    pub fn hours(&self, blocks: u64) -> Option<f64> {
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        Some(f64::from(blocks) * self.block_seconds? / 3600.0)
    }
}

impl Report {
    /// The chain of a provider.
    pub fn chain_of(&self, provider: &ProviderStatus) -> Option<&ChainStatus> {
        self.chains.iter().find(|chain| chain.chain_id == provider.chain_id)
    }
}

impl Board {
    /// Adds a provider that has not read its chain yet.
    pub fn add(&self, subject: &Subject) {
        let mut contents = self.lock();
        contents.chain(subject);
        contents.providers.insert(subject.clone(), ProviderStatus::starting(subject));
    }

    /// Shows what a voter is doing.
    pub fn show_voter(&self, subject: &Subject, voter: &Voter) {
        let reason = voter.reason();
        self.update(subject, |status| {
            status.voting = reason.is_none();
            let standing = Standing::of(reason.as_ref(), status.presence.is_some());
            status.standing = standing.unwrap_or(status.standing);
            status.reason_code = reason.as_ref().map(|reason| reason.code().to_owned());
            status.reason = reason.map(|reason| reason.to_string());
            status.chain_height = voter.tip();
            status.last_voted_height = voter.last_voted();
            status.settled_below = voter.settled_below();
            status.queued_heights = voter.queued();
            status.waiting_for = voter.waiting().map(|(_, reason)| reason.to_string());
            status.given_up_height = voter.last_given_up().map(|(height, _)| *height);
        });
        let mut contents = self.lock();
        let chain = contents.chain(subject);
        chain.last_polled_height = chain.last_polled_height.max(voter.tip());
        chain.height = chain.height.max(voter.tip());
        chain.first_height = chain.first_height.or(voter.settled_below());
    }

    /// Shows why nothing can be done yet, before there is a voter to tell.
    pub fn show_reason(&self, subject: &Subject, reason: &Reason) {
        self.update(subject, |status| {
            status.voting = false;
            status.reason_code = Some(reason.code().to_owned());
            status.reason = Some(reason.to_string());
        });
    }

    /// Shows why a jailing is not ended now by itself; `None` when there is nothing to tell.
    pub fn show_unjailing(&self, subject: &Subject, hold: Option<String>) {
        self.update(subject, |status| status.unjailing = hold);
    }

    /// Shows what a planner is doing.
    pub fn show_planner(&self, subject: &Subject, planner: &Planner) {
        self.update(subject, |status| {
            status.committed_until = planner.committed_until();
            status.randomness_runway = planner.runway();
            status.randomness_needed = planner.needed();
            status.randomness_obstacle = planner.obstacle().map(ToString::to_string);
        });
    }

    /// A vote was stored by the chain, at a time in seconds since 1970.
    pub fn note_vote(&self, subject: &Subject, at: u64) {
        self.update(subject, |status| status.last_vote_at = status.last_vote_at.max(Some(at)));
    }

    /// Randomness was committed, at a time in seconds since 1970.
    pub fn note_randomness(&self, subject: &Subject, at: u64) {
        self.update(subject, |status| status.last_randomness_at = status.last_randomness_at.max(Some(at)));
    }

    /// The board as it is at a time in seconds since 1970.
    pub fn report(&self, at: u64) -> Report {
        let contents = self.lock();
        Report {
            at,
            providers: contents.providers.values().cloned().collect(),
            chains: contents.chains.values().cloned().collect(),
        }
    }

    /// All providers, by key.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        self.lock().providers.values().cloned().collect()
    }

    pub(crate) fn update(&self, subject: &Subject, change: impl FnOnce(&mut ProviderStatus)) {
        if let Some(status) = self.lock().providers.get_mut(subject) {
            change(status);
        }
    }

    pub(crate) fn update_chain(&self, subject: &Subject, change: impl FnOnce(&mut ChainStatus)) {
        change(self.lock().chain(subject));
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn chain(&mut self, subject: &Subject) -> &mut ChainStatus {
        let chain_id = subject.chain_id.to_string();
        let empty = || ChainStatus { chain_id: subject.chain_id.to_string(), ..ChainStatus::default() };
        self.chains.entry(chain_id).or_insert_with(empty)
    }
}

#[cfg(test)]
pub(crate) mod testing;
