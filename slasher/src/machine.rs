//! What the watchtower does next, as a synchronous machine.
//!
//! It is fed with blocks of Bitcoin, readings of the chain and the answers to its own actions, and keeps no status of
//! its own: what to do with a stake is computed from facts each time ([`crate::stakes`]). One secret opens one case for
//! every stake under its provider; a stake fails alone and stays open with a reason.

use crate::stakes::{SlashingStep, Stake};
use bitcoin::{Transaction, Txid};
use btc_staking_bitcoin_node::{
    BroadcastOutcome,
    follower::ChainEvent,
    ports::BlockRef,
    watch::{Confirmation, Spend, Watch, WatchFact},
};
use btc_staking_pos_chain::{
    ChainMessage, MessageOutcome,
    message::{RecoveredSecret, RefusalKind, UndelegationReport},
};
use btc_staking_protocol::{
    delegation::{Delegation, SlashedOutput},
    finality::evidence::{Evidence, FinalityProviderSecret},
    height::{BtcDepth, BtcHeight},
    keys::FinalityProviderPublicKey,
    params::{ParamsVersion, StakingParams},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Something the machine wants the chain to know, by which its answer is recognised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Proof that a verified stake is on Bitcoin.
    Activate(Txid),
    /// Report that a staking output was spent.
    ReportSpend(Txid),
    /// Show a provider's secret that a slashing transaction on Bitcoin revealed.
    ShowSecret(FinalityProviderPublicKey),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A block of Bitcoin came or went.
    Bitcoin(ChainEvent),
    /// Facts recorded before a restart.
    Restored {
        /// Watched transactions in blocks.
        confirmations: Vec<Confirmation>,
        /// Spends of watched outputs.
        spends: Vec<(bitcoin::OutPoint, Spend)>,
    },
    /// A look at earlier blocks found these, in place of having seen them live.
    Found {
        /// Watched transactions in blocks.
        confirmations: Vec<Confirmation>,
        /// Spends of watched outputs.
        spends: Vec<(bitcoin::OutPoint, Spend)>,
    },
    /// The params versions of the chain.
    ParamsRead(Vec<StakingParams>),
    /// Every delegation the chain told in one reading.
    DelegationsRead(Vec<Delegation>),
    /// The evidence the chain told in one reading.
    EvidenceRead(Vec<Evidence>),
    /// The tip of the chain's Bitcoin light client.
    LightClientTip(BtcHeight),
    /// Answers to submitted tasks.
    Submitted(Vec<(Task, MessageOutcome)>),
    /// The fate of these tasks is not known; they are computed again from facts.
    SubmitFailed(Vec<Task>),
    /// A node answered a broadcast.
    Broadcast {
        /// The stake.
        staking_txid: Txid,
        /// Which output it spends.
        output: SlashedOutput,
        /// The node's answer, or why there was none.
        outcome: Result<BroadcastOutcome, String>,
    },
    /// Time to look again.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Store facts durably, in one commit with the follower's cursor. Precedes everything else.
    RecordFacts(Vec<WatchFact>),
    /// Store evidence durably; the key is extracted again from it after a restart. Precedes every broadcast.
    RecordCase(Box<Evidence>),
    /// Tell the chain.
    Submit(Vec<(Task, ChainMessage)>),
    /// Broadcast a completed slashing transaction.
    Broadcast {
        /// The stake.
        staking_txid: Txid,
        /// Which output it spends.
        output: SlashedOutput,
        /// Complete with witness.
        tx: Box<Transaction>,
        /// The output it spends, for the script check.
        target: bitcoin::TxOut,
    },
    /// Look at earlier blocks for stakes that were not watched when they were mined.
    Rescan {
        /// Lowest height to look at.
        from: BtcHeight,
    },
    /// Tell the operator.
    Report(Report),
}

/// What an operator is told, once each time it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A provider's key was extracted; every stake under it will be slashed.
    KeyExtracted {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
        /// Stakes under it that are known.
        stakes: usize,
    },
    /// Where the slashing of a stake stands.
    Slashing {
        /// The stake.
        staking_txid: Txid,
        /// Its step.
        step: SlashingStep,
        /// What keeps it from going on, if something does.
        reason: Option<String>,
    },
    /// Evidence that proves nothing, a delegation that cannot be rebuilt, or a refusal.
    Problem(String),
}

/// An open case: the secret of a provider that double-signed.
struct Case {
    secret: Arc<FinalityProviderSecret>,
    /// What was last reported about each stake.
    reported: BTreeMap<Txid, (SlashingStep, Option<String>)>,
    /// Tip under which a broadcast was last tried: once per block.
    tried: BTreeMap<Txid, BtcHeight>,
    /// Why the last try failed.
    reasons: BTreeMap<Txid, String>,
}

/// The machine.
pub struct Machine {
    k: BtcDepth,
    tip: Option<BlockRef>,
    light_client_tip: Option<BtcHeight>,
    params: BTreeMap<ParamsVersion, StakingParams>,
    stakes: BTreeMap<Txid, Stake>,
    watch: Watch,
    cases: BTreeMap<FinalityProviderPublicKey, Case>,
    in_flight: BTreeSet<Task>,
    /// Tasks the chain refused for good, until the stake's reading changes.
    parked: BTreeMap<Task, String>,
    problems: BTreeSet<String>,
}

impl Machine {
    /// Returns a machine that takes a transaction as final at depth `k` and has followed Bitcoin up to `tip`.
    pub fn new(k: BtcDepth, tip: Option<BlockRef>) -> Self {
        Self {
            k,
            tip,
            light_client_tip: None,
            params: BTreeMap::new(),
            stakes: BTreeMap::new(),
            watch: Watch::new(),
            cases: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            parked: BTreeMap::new(),
            problems: BTreeSet::new(),
        }
    }

    /// Takes an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Bitcoin(event) => self.on_bitcoin(&event),
            Event::Restored { confirmations, spends } => {
                self.restore(confirmations, spends);
                Vec::new()
            }
            Event::Found { confirmations, spends } => self.on_found(confirmations, spends),
            Event::ParamsRead(versions) => {
                self.params.extend(versions.into_iter().map(|params| (params.version, params)));
                Vec::new()
            }
            Event::DelegationsRead(delegations) => self.on_delegations(delegations),
            Event::EvidenceRead(evidences) => {
                evidences.into_iter().flat_map(|e| self.on_evidence(e)).collect()
            }
            Event::LightClientTip(height) => {
                self.light_client_tip = Some(height);
                self.tell_chain()
            }
            Event::Submitted(outcomes) => self.on_submitted(outcomes),
            Event::SubmitFailed(tasks) => {
                for task in tasks {
                    self.in_flight.remove(&task);
                }
                Vec::new()
            }
            Event::Broadcast { staking_txid, output, outcome } => {
                self.on_broadcast(staking_txid, output, outcome)
            }
            Event::Tick => {
                let mut actions = self.tell_chain();
                actions.extend(self.slash());
                actions
            }
        }
    }

    /// The stakes under watch.
    pub fn stakes(&self) -> impl Iterator<Item = &Stake> {
        self.stakes.values()
    }
    /// The index over Bitcoin.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
    /// Where each slashing stands: provider, stake, step and what keeps it.
    pub fn slashings(
        &self,
    ) -> impl Iterator<Item = (FinalityProviderPublicKey, Txid, &SlashingStep, Option<&str>)> {
        self.cases.iter().flat_map(|(provider, case)| {
            case.reported.iter().map(|(txid, (step, reason))| (*provider, *txid, step, reason.as_deref()))
        })
    }
    /// Number of open cases.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    fn on_bitcoin(&mut self, event: &ChainEvent) -> Vec<Action> {
        let facts = self.watch.on_event(event);
        let mut actions = vec![Action::RecordFacts(facts)];
        match event {
            ChainEvent::Connected { block_ref, .. } => self.tip = Some(*block_ref),
            ChainEvent::Disconnected { block_ref } => {
                // The parent's hash arrives with the next event; only its height is used until then.
                self.tip =
                    block_ref.height.checked_sub(1).map(|height| BlockRef { height, hash: block_ref.hash });
            }
        }
        actions.extend(self.look_for_revealed_secrets());
        actions.extend(self.tell_chain());
        actions.extend(self.slash());
        actions
    }

    fn on_found(
        &mut self,
        confirmations: Vec<Confirmation>,
        spends: Vec<(bitcoin::OutPoint, Spend)>,
    ) -> Vec<Action> {
        let facts = confirmations
            .iter()
            .map(|c| WatchFact::Confirmed { txid: c.tx.compute_txid(), confirmation: c.clone() })
            .chain(
                spends
                    .iter()
                    .map(|(outpoint, spend)| WatchFact::Spent { outpoint: *outpoint, spend: spend.clone() }),
            )
            .collect();
        self.restore(confirmations, spends);
        let mut actions = vec![Action::RecordFacts(facts)];
        actions.extend(self.look_for_revealed_secrets());
        actions.extend(self.tell_chain());
        actions.extend(self.slash());
        actions
    }

    fn restore(&mut self, confirmations: Vec<Confirmation>, spends: Vec<(bitcoin::OutPoint, Spend)>) {
        for confirmation in confirmations {
            self.watch.restore_confirmation(confirmation);
        }
        for (outpoint, spend) in spends {
            self.watch.restore_spend(outpoint, spend);
        }
    }

    fn on_delegations(&mut self, delegations: Vec<Delegation>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut rescan_from: Option<BtcHeight> = None;
        for delegation in delegations {
            let txid = delegation.terms.staking_tx.compute_txid();
            if let Some(known) = self.stakes.get_mut(&txid) {
                if known.delegation.status != delegation.status {
                    self.parked.remove(&Task::Activate(txid));
                    self.parked.remove(&Task::ReportSpend(txid));
                }
                known.delegation = delegation;
                continue;
            }
            // A version not read yet: the delegation is told again with the next reading.
            let Some(params) = self.params.get(&delegation.params_version) else { continue };
            let checked = match delegation.rebuild(params) {
                Ok(checked) => checked,
                Err(error) => {
                    actions.extend(self.problem(format!("delegation {txid} cannot be rebuilt: {error}")));
                    continue;
                }
            };
            // A recorded confirmation means that its outputs were watched from then on: nothing was missed.
            let from = match self.watch.confirmation(&txid) {
                Some(_) => None,
                None => self.rescan_start(&delegation),
            };
            rescan_from = match (rescan_from, from) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let stake = Stake { delegation, checked };
            stake.watch(&mut self.watch);
            self.stakes.insert(txid, stake);
        }
        actions.extend(rescan_from.map(|from| Action::Rescan { from }));
        actions.extend(self.slash());
        actions
    }

    /// Lowest height at which a stake met for the first time may already be on Bitcoin; `None` when nothing has been
    /// followed yet.
    fn rescan_start(&self, delegation: &Delegation) -> Option<BtcHeight> {
        /// A pre-approved stake is met within seconds of its registration; this covers a node that lags.
        const LOOK_BACK: u32 = 20;
        let tip = self.tip?.height;
        let recent = BtcHeight::new(tip.to_u32().saturating_sub(LOOK_BACK));
        Some(delegation.inclusion.map_or(recent, |inclusion| inclusion.start.min(recent)))
    }

    fn on_evidence(&mut self, evidence: Evidence) -> Vec<Action> {
        let finality_provider = evidence.finality_provider;
        if self.cases.contains_key(&finality_provider) {
            return Vec::new();
        }
        let secret = match evidence.extract_secret() {
            Ok(secret) => secret,
            Err(error) => {
                let text = format!("evidence against {finality_provider} proves nothing: {error}");
                return self.problem(text).into_iter().collect();
            }
        };
        let mut actions = vec![Action::RecordCase(Box::new(evidence))];
        actions.extend(self.open_case(finality_provider, Arc::new(secret)));
        actions
    }

    fn open_case(
        &mut self,
        finality_provider: FinalityProviderPublicKey,
        secret: Arc<FinalityProviderSecret>,
    ) -> Vec<Action> {
        let case =
            Case { secret, reported: BTreeMap::new(), tried: BTreeMap::new(), reasons: BTreeMap::new() };
        self.cases.insert(finality_provider, case);
        let stakes = self.stakes.values().filter(|stake| is_under(stake, &finality_provider)).count();
        let mut actions = vec![Action::Report(Report::KeyExtracted { finality_provider, stakes })];
        actions.extend(self.slash());
        actions
    }

    /// A slashing transaction on Bitcoin without evidence on the chain gives the provider's key away.
    fn look_for_revealed_secrets(&mut self) -> Vec<Action> {
        let mut revealed = Vec::new();
        for stake in self.stakes.values() {
            let Some(provider) = stake.delegation.terms.finality_providers.first() else { continue };
            if self.cases.contains_key(provider) || revealed.iter().any(|(known, _)| known == provider) {
                continue;
            }
            let spends =
                [self.watch.spend(&stake.staking_outpoint()), self.watch.spend(&stake.unbonding_outpoint())];
            for spend in spends.into_iter().flatten() {
                let covenant = &stake.delegation.covenant;
                let tx = &spend.spender.tx;
                if let Some(secret) = stake.checked.recover_finality_provider_secret(tx, covenant) {
                    revealed.push((*provider, Arc::new(secret)));
                    break;
                }
            }
        }
        let mut actions = Vec::new();
        for (provider, secret) in revealed {
            let task = Task::ShowSecret(provider);
            let message = ChainMessage::SelectiveSlashingEvidence(RecoveredSecret(Arc::clone(&secret)));
            self.in_flight.insert(task.clone());
            actions.push(Action::Submit(vec![(task, message)]));
            actions.extend(self.open_case(provider, secret));
        }
        actions
    }

    /// Everything on Bitcoin that the chain does not know yet and would take now.
    fn tell_chain(&mut self) -> Vec<Action> {
        let Some(light_client_tip) = self.light_client_tip else { return Vec::new() };
        let mut tasks = Vec::new();
        for (txid, stake) in &self.stakes {
            if let Some(confirmation) = stake.activation(&self.watch, light_client_tip, self.k) {
                let message = ChainMessage::AddInclusionProof {
                    staking_txid: *txid,
                    proof: confirmation.inclusion_proof(),
                };
                tasks.push((Task::Activate(*txid), message));
            }
            if let Some(spend) = stake.undelegation(&self.watch, light_client_tip)
                && let Some(report) = undelegation_report(stake, spend)
            {
                tasks.push((Task::ReportSpend(*txid), ChainMessage::ReportUndelegation(Box::new(report))));
            }
        }
        tasks.retain(|(task, _)| !self.in_flight.contains(task) && !self.parked.contains_key(task));
        if tasks.is_empty() {
            return Vec::new();
        }
        self.in_flight.extend(tasks.iter().map(|(task, _)| task.clone()));
        vec![Action::Submit(tasks)]
    }

    fn on_submitted(&mut self, outcomes: Vec<(Task, MessageOutcome)>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (task, outcome) in outcomes {
            self.in_flight.remove(&task);
            match outcome {
                // Parked until the stake's reading shows the new status, so that it is not sent twice meanwhile.
                MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) => {
                    self.parked.insert(task, String::new());
                }
                MessageOutcome::Refused(refusal) if may_change(refusal.kind) => {}
                MessageOutcome::Refused(refusal) => {
                    actions.extend(self.problem(format!("chain refuses {task:?}: {refusal}")));
                    self.parked.insert(task, refusal.to_string());
                }
            }
        }
        actions
    }

    /// Moves every stake of every open case one step.
    fn slash(&mut self) -> Vec<Action> {
        let Some(tip) = self.tip.map(|tip| tip.height) else { return Vec::new() };
        let mut actions = Vec::new();
        for (provider, case) in &mut self.cases {
            for (txid, stake) in self.stakes.iter().filter(|(_, stake)| is_under(stake, provider)) {
                let step = stake.slashing_step(&self.watch, tip, self.k);
                if let SlashingStep::Fire(output) = step
                    && case.tried.get(txid).is_none_or(|tried| *tried != tip)
                {
                    case.tried.insert(*txid, tip);
                    match stake.arm(output, &case.secret) {
                        Ok(tx) => actions.push(Action::Broadcast {
                            staking_txid: *txid,
                            output,
                            tx: Box::new(tx),
                            target: stake.target(output),
                        }),
                        Err(error) => {
                            case.reasons.insert(*txid, error.to_string());
                        }
                    }
                }
                if !matches!(step, SlashingStep::Fire(_)) {
                    case.reasons.remove(txid);
                }
                actions.extend(case.report(*txid, step));
            }
        }
        actions
    }

    fn on_broadcast(
        &mut self,
        staking_txid: Txid,
        output: SlashedOutput,
        outcome: Result<BroadcastOutcome, String>,
    ) -> Vec<Action> {
        let reason = match outcome {
            Ok(BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown) => None,
            Ok(BroadcastOutcome::Refused(refusal)) => Some(refusal.text),
            Err(error) => Some(error),
        };
        let mut actions = Vec::new();
        for case in self.cases.values_mut() {
            if !case.tried.contains_key(&staking_txid) {
                continue;
            }
            match &reason {
                Some(reason) => {
                    case.reasons.insert(staking_txid, reason.clone());
                }
                None => {
                    case.reasons.remove(&staking_txid);
                }
            }
            actions.extend(case.report(staking_txid, SlashingStep::Fire(output)));
        }
        actions
    }

    fn problem(&mut self, text: String) -> Option<Action> {
        /// Problems already told; beyond this many all are told each time.
        const REMEMBERED: usize = 10_000;
        if self.problems.len() < REMEMBERED && !self.problems.insert(text.clone()) {
            return None;
        }
        Some(Action::Report(Report::Problem(text)))
    }
}

impl Case {
    fn report(&mut self, staking_txid: Txid, step: SlashingStep) -> Option<Action> {
        let reason = self.reasons.get(&staking_txid).cloned();
        let state = (step.clone(), reason.clone());
        if self.reported.get(&staking_txid) == Some(&state) {
            return None;
        }
        self.reported.insert(staking_txid, state);
        Some(Action::Report(Report::Slashing { staking_txid, step, reason }))
    }
}

fn is_under(stake: &Stake, provider: &FinalityProviderPublicKey) -> bool {
    stake.delegation.terms.finality_providers.contains(provider)
}

/// The report of a spend whose only input is the staking output. Other inputs need their previous transactions, which
/// the stake does not carry; those spends are expansions and are reported by their holder.
fn undelegation_report(stake: &Stake, spend: &Spend) -> Option<UndelegationReport> {
    let spending_tx = spend.spender.tx.clone();
    if spending_tx.input.len() != 1 {
        return None;
    }
    Some(UndelegationReport {
        staking_txid: stake.txid(),
        spending_tx,
        proof: spend.spender.inclusion_proof(),
        funding_txs: vec![stake.delegation.terms.staking_tx.clone()],
    })
}

/// Whether a refusal may turn into acceptance by waiting: the next tick computes the task again from facts.
fn may_change(kind: RefusalKind) -> bool {
    match kind {
        RefusalKind::NotDeepEnough
        | RefusalKind::HeaderUnknown
        | RefusalKind::QuorumMissing
        | RefusalKind::InsufficientFunds => true,
        RefusalKind::FinalityProviderNotFound
        | RefusalKind::FinalityProviderSlashed
        | RefusalKind::FinalityProviderJailed
        | RefusalKind::DelegationNotFound
        | RefusalKind::NotACommitteeMember
        | RefusalKind::InvalidCovenantSignature
        | RefusalKind::IncludedTooEarly
        | RefusalKind::BlockNotFound
        | RefusalKind::RandomnessNotUsable
        | RefusalKind::InvalidRandomness
        | RefusalKind::NoVotingPower
        | RefusalKind::FinalityNotActive
        | RefusalKind::BlockAlreadyFinalised
        | RefusalKind::HeadersRejected
        | RefusalKind::Other => false,
    }
}
