//! What a committee member's daemon does next, as a synchronous machine.
//!
//! The feeder half: it decides which pending delegations to look at, hands each to the signer on its own, batches the
//! signatures for the chain and settles their outcomes. It holds no key. One unreadable or refused delegation never
//! keeps the others waiting. Under params that cannot be trusted nothing is signed.

use bitcoin::Txid;
use btc_staking_daemon::backoff::Rest;
use btc_staking_pos_chain::{MessageOutcome, RefusalKind};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, Delegation},
    height::BtcHeight,
    keys::CovenantPublicKey,
    network::{Network, NetworkProfile, UntrustedParams},
    params::{ParamsVersion, StakingParams},
};
use std::collections::{BTreeMap, BTreeSet};

/// Most signature sets put into one submission.
pub const BATCH: usize = 30;
/// Most parked delegations remembered; beyond it any one is forgotten, which only costs another look.
const PARKED_BOUND: usize = 10_000;
/// Most untrusted params versions remembered as reported; a node that tells more is reported each time.
const UNTRUSTED_BOUND: usize = 1_000;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Time to look at the chain.
    Tick,
    /// The pending delegations, read in full, and the chain's Bitcoin tip.
    PendingFetched {
        /// Delegations that decoded.
        delegations: Vec<Delegation>,
        /// Tip of the chain's light client when they were read.
        btc_tip: BtcHeight,
    },
    /// The params versions of the chain.
    ParamsFetched(Vec<StakingParams>),
    /// The signer released signatures.
    Signed(Box<CovenantSignatureSet>),
    /// The signer refused; the reason is for people.
    SignerRefused {
        /// Names the delegation.
        staking_txid: Txid,
        /// Why.
        reason: String,
        /// Whether the same delegation may be looked at again later.
        again: bool,
    },
    /// The chain answered.
    Submitted(Vec<(Txid, MessageOutcome)>),
    /// The chain could not be reached or its answer not be learned; nothing is lost.
    ChainUnavailable,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Read every params version.
    FetchParams,
    /// Read all pending delegations.
    FetchPending,
    /// Check and sign one delegation under its params version.
    Sign {
        /// As the chain told it.
        delegation: Box<Delegation>,
        /// Version it was registered under.
        params: Box<StakingParams>,
    },
    /// Send signature sets.
    Submit(Vec<CovenantSignatureSet>),
    /// Tell the operator that a delegation will not be signed.
    Report {
        /// Names the delegation.
        staking_txid: Txid,
        /// Why.
        reason: String,
    },
    /// Tell the operator that nothing is signed under a params version.
    ReportParams(String),
    /// Something that must never happen happened; a person must look.
    Alarm(String),
}

/// Which params versions of the chain may be signed under.
#[derive(Debug, Clone, Default)]
pub struct ParamsTrust {
    /// What is known of a public network; absent for any other chain, whose node is believed.
    profile: Option<NetworkProfile>,
    /// Versions the operator accepts although this software does not know them.
    accepted: BTreeSet<ParamsVersion>,
}

impl ParamsTrust {
    /// For the chain with an id, and the versions its operator accepts beyond those known.
    pub fn new(chain_id: &str, accepted: impl IntoIterator<Item = ParamsVersion>) -> Self {
        let profile = Network::with_chain_id(chain_id).map(Network::profile);
        Self { profile, accepted: accepted.into_iter().collect() }
    }

    fn check(&self, told: &StakingParams) -> Result<(), UntrustedParams> {
        let Some(profile) = &self.profile else { return Ok(()) };
        match profile.check_told_params(told) {
            Err(UntrustedParams::Unknown { version, .. }) if self.accepted.contains(&version) => Ok(()),
            checked => checked,
        }
    }
}

/// Why a delegation is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// For people.
    pub reason: String,
    /// Only for a while, if the chain refused it: one wrong answer of one node must not keep a stake from its quorum.
    rest: Option<Rest>,
}

impl Parked {
    fn is_due(&self) -> bool {
        self.rest.is_some_and(Rest::is_over)
    }
}

/// The machine.
pub struct Machine {
    key: CovenantPublicKey,
    trust: ParamsTrust,
    params: BTreeMap<ParamsVersion, StakingParams>,
    untrusted: BTreeMap<ParamsVersion, UntrustedParams>,
    in_flight: BTreeSet<Txid>,
    to_submit: Vec<CovenantSignatureSet>,
    submitting: bool,
    parked: BTreeMap<Txid, Parked>,
    signed: u64,
}

impl Machine {
    /// Returns a machine for the member with `key`.
    pub fn new(key: CovenantPublicKey, trust: ParamsTrust) -> Self {
        Self {
            key,
            trust,
            params: BTreeMap::new(),
            untrusted: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            to_submit: Vec::new(),
            submitting: false,
            parked: BTreeMap::new(),
            signed: 0,
        }
    }

    /// Takes an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Tick => self.on_tick(),
            Event::ParamsFetched(versions) => self.on_params(versions),
            Event::PendingFetched { delegations, btc_tip } => self.on_pending(delegations, btc_tip),
            Event::Signed(set) => self.on_signed(*set),
            Event::SignerRefused { staking_txid, reason, again } => {
                self.on_refused(staking_txid, reason, again)
            }
            Event::Submitted(outcomes) => self.on_submitted(outcomes),
            Event::ChainUnavailable => self.on_unavailable(),
        }
    }

    /// Params versions nothing is signed under, with the reason.
    pub fn untrusted_params(&self) -> &BTreeMap<ParamsVersion, UntrustedParams> {
        &self.untrusted
    }
    /// Delegations that are left alone, some only for a while, with the reason.
    pub fn parked(&self) -> &BTreeMap<Txid, Parked> {
        &self.parked
    }
    /// Delegations signed or waiting for the chain's answer.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
    /// Signature sets the chain has taken since the start.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    fn on_tick(&mut self) -> Vec<Action> {
        for rest in self.parked.values_mut().filter_map(|parked| parked.rest.as_mut()) {
            rest.tick();
        }
        // Versions are only ever added; reading them each time costs one call and finds a new one before it is needed.
        let mut actions = vec![Action::FetchParams, Action::FetchPending];
        actions.extend(self.submit_next());
        actions
    }

    fn on_params(&mut self, versions: Vec<StakingParams>) -> Vec<Action> {
        let mut actions = Vec::new();
        for params in versions {
            match self.params.get(&params.version) {
                Some(known) if *known != params => actions.push(Action::Alarm(format!(
                    "params version {} changed on chain, which must not happen; keeping the first answer",
                    params.version.0
                ))),
                Some(_) => {}
                None => actions.extend(self.on_new_params(params)),
            }
        }
        actions
    }

    /// Takes a version up, or says once why not.
    fn on_new_params(&mut self, params: StakingParams) -> Option<Action> {
        let version = params.version;
        let Err(untrusted) = self.trust.check(&params) else {
            self.untrusted.remove(&version);
            self.params.insert(version, params);
            return None;
        };
        let action = match &untrusted {
            _ if self.untrusted.get(&version) == Some(&untrusted) => None,
            UntrustedParams::Changed { .. } => {
                Some(Action::Alarm(format!("{untrusted}; nothing is signed under them")))
            }
            UntrustedParams::Unknown { .. } => Some(Action::ReportParams(format!(
                "{untrusted}; nothing is signed under them until accept_params_versions lists {}",
                version.0
            ))),
        };
        if self.untrusted.len() < UNTRUSTED_BOUND {
            self.untrusted.insert(version, untrusted);
        }
        action
    }

    fn on_pending(&mut self, delegations: Vec<Delegation>, btc_tip: BtcHeight) -> Vec<Action> {
        let mut actions = Vec::new();
        for delegation in delegations {
            let staking_txid = delegation.terms.staking_tx.compute_txid();
            if self.in_flight.contains(&staking_txid)
                || self.parked.get(&staking_txid).is_some_and(|parked| !parked.is_due())
                || self.already_signed(&delegation)
            {
                continue;
            }
            let Some(params) = self.params.get(&delegation.params_version) else {
                // A version not told yet or not trusted: not parked, looked at again with the next tick.
                continue;
            };
            if !params.covenant_committee.contains(&self.key) {
                let version = params.version.0;
                actions.extend(self.park(
                    staking_txid,
                    format!("key {} is not in the committee of params version {version}", self.key),
                ));
                continue;
            }
            if too_late(&delegation, btc_tip) {
                actions.extend(
                    self.park(
                        staking_txid,
                        "its timelock is about to end; a signature now would give power that never expires"
                            .to_owned(),
                    ),
                );
                continue;
            }
            self.in_flight.insert(staking_txid);
            actions.push(Action::Sign { delegation: Box::new(delegation), params: Box::new(params.clone()) });
        }
        actions
    }

    fn on_signed(&mut self, set: CovenantSignatureSet) -> Vec<Action> {
        self.to_submit.push(set);
        self.submit_next()
    }

    fn on_refused(&mut self, staking_txid: Txid, reason: String, again: bool) -> Vec<Action> {
        self.in_flight.remove(&staking_txid);
        if again {
            return vec![Action::Report { staking_txid, reason }];
        }
        self.park(staking_txid, reason)
    }

    fn on_submitted(&mut self, outcomes: Vec<(Txid, MessageOutcome)>) -> Vec<Action> {
        self.submitting = false;
        let mut actions = Vec::new();
        for (staking_txid, outcome) in outcomes {
            self.in_flight.remove(&staking_txid);
            self.to_submit.retain(|set| set.staking_txid != staking_txid);
            match outcome {
                MessageOutcome::Accepted { .. } => {
                    self.parked.remove(&staking_txid);
                    self.signed += 1;
                }
                MessageOutcome::AlreadyDone(_) => {
                    self.parked.remove(&staking_txid);
                }
                // The next tick reads the chain again and signs the same where it is still missing.
                MessageOutcome::Unknown(error) => {
                    actions.push(Action::Report { staking_txid, reason: error.to_string() })
                }
                // A fact may change: the next tick reads the chain again.
                MessageOutcome::Refused(refusal) if refusal.kind.is_transient_about_listed() => {
                    actions.push(Action::Report { staking_txid, reason: refusal.to_string() })
                }
                MessageOutcome::Refused(refusal) => {
                    if matches!(
                        refusal.kind,
                        RefusalKind::NotACommitteeMember | RefusalKind::InvalidCovenantSignature
                    ) {
                        actions.push(Action::Alarm(format!(
                            "chain refuses our signature on {staking_txid}: {refusal}; either we are wrong or the node lies"
                        )));
                    }
                    actions.extend(self.put_to_rest(staking_txid, refusal.to_string()));
                }
            }
        }
        actions.extend(self.submit_next());
        actions
    }

    /// Keeps what is signed: the same sets are sent again with the next tick, and a set that did arrive is answered
    /// with "already done".
    fn on_unavailable(&mut self) -> Vec<Action> {
        self.submitting = false;
        Vec::new()
    }

    fn submit_next(&mut self) -> Vec<Action> {
        if self.submitting || self.to_submit.is_empty() {
            return Vec::new();
        }
        self.submitting = true;
        vec![Action::Submit(self.to_submit.iter().take(BATCH).cloned().collect())]
    }

    /// Leaves a delegation alone for good.
    fn park(&mut self, staking_txid: Txid, reason: String) -> Vec<Action> {
        self.leave(staking_txid, reason, None)
    }

    /// Leaves a delegation alone for a while, longer each time.
    fn put_to_rest(&mut self, staking_txid: Txid, reason: String) -> Vec<Action> {
        let mut rest = self.parked.get(&staking_txid).and_then(|parked| parked.rest).unwrap_or_default();
        rest.grow();
        self.leave(staking_txid, reason, Some(rest))
    }

    fn leave(&mut self, staking_txid: Txid, reason: String, rest: Option<Rest>) -> Vec<Action> {
        if self.parked.len() >= PARKED_BOUND && !self.parked.contains_key(&staking_txid) {
            self.parked.pop_first();
        }
        self.parked.insert(staking_txid, Parked { reason: reason.clone(), rest });
        vec![Action::Report { staking_txid, reason }]
    }

    fn already_signed(&self, delegation: &Delegation) -> bool {
        let covenant = &delegation.covenant;
        // Each list is looked at on its own: half a set is not a set.
        covenant.slashing.iter().any(|(key, _)| *key == self.key)
            && covenant.unbonding.iter().any(|(key, _)| *key == self.key)
            && covenant.unbonding_slashing.iter().any(|(key, _)| *key == self.key)
    }
}

/// A proven delegation whose remaining timelock is spent stays pending without quorum, and reaching quorum then gives
/// power that nothing ever takes away (`chain.md` 9.3). The member looks at the time itself.
fn too_late(delegation: &Delegation, btc_tip: BtcHeight) -> bool {
    delegation.inclusion.is_some_and(|inclusion| {
        let last = inclusion.end.to_u32().saturating_sub(u32::from(delegation.terms.unbonding_time.blocks()));
        btc_tip.to_u32() >= last
    })
}
