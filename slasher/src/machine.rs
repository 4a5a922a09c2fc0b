//! What the watchtower does next, as a synchronous machine.
//!
//! It is fed with blocks of Bitcoin, readings of the chain and the answers to its own actions, and keeps no status of
//! its own: what to do with a stake is computed from facts each time ([`crate::stakes`]). One secret opens one case for
//! every stake under its provider; a stake fails alone and stays open with a reason.

mod case;
mod event;
mod rest;

pub use event::{Action, Event, Report, Task};

use crate::stakes::{SlashingStep, Stake};
use bitcoin::{OutPoint, Transaction, Txid};
use btc_staking_bitcoin_node::{
    BroadcastOutcome,
    follower::ChainEvent,
    ports::BlockRef,
    watch::{Confirmation, Spend, Watch, WatchFact},
};
use btc_staking_pos_chain::{
    ChainMessage, MessageOutcome,
    message::{RecoveredSecret, UndelegationReport},
};
use btc_staking_protocol::{
    delegation::{Delegation, SlashedOutput},
    finality::evidence::{Evidence, FinalityProviderSecret},
    height::{BtcDepth, BtcHeight},
    keys::FinalityProviderPublicKey,
    params::{ParamsVersion, StakingParams},
};
use case::{Answer, Case, Origin};
use rest::Resting;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    /// Tasks the chain took or refused, for a while or until the stake's reading or its place on Bitcoin changes.
    resting: Resting,
    /// Lowest height at which something may have been missed.
    gap: Option<BtcHeight>,
    /// Tip under which a block of the gap was not to be had.
    unreadable_under: Option<BtcHeight>,
    /// Tip under which a stake was last looked for that the chain has proven and Bitcoin did not show.
    sought: BTreeMap<Txid, BtcHeight>,
    /// Whether a block came or went since the start: stakes met from then on may have been missed in it.
    moved: bool,
    /// Slashing transactions that gave a key away before a restart, by stake; settled once the stake is known.
    revealing: BTreeMap<Txid, Transaction>,
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
            resting: Resting::default(),
            gap: None,
            unreadable_under: None,
            sought: BTreeMap::new(),
            moved: false,
            revealing: BTreeMap::new(),
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
            Event::RevealedBefore(transactions) => {
                self.revealing.extend(transactions);
                self.look_for_revealed_secrets()
            }
            Event::Found { confirmations, spends, unreadable } => {
                self.gap = unreadable;
                self.unreadable_under = unreadable.and(self.tip).map(|tip| tip.height);
                let mut actions = self.on_found(confirmations, spends);
                actions.extend(unreadable.and_then(|height| {
                    self.problem(format!(
                        "the bitcoin node no longer has block {height}: stakes in it cannot be found"
                    ))
                }));
                actions
            }
            Event::Forgotten(from) => self.on_forgotten(from),
            Event::ParamsRead(versions) => {
                self.params.extend(versions.into_iter().map(|params| (params.version, params)));
                Vec::new()
            }
            Event::DelegationsRead(delegations) => self.on_delegations(delegations),
            Event::EvidenceRead(evidences) => {
                evidences.into_iter().flat_map(|e| self.on_evidence(e)).collect()
            }
            Event::LightClientTip(height) => {
                // The tick of the same round tells the chain what it can take now.
                self.light_client_tip = Some(height);
                Vec::new()
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
                self.resting.tick();
                // A block that was not to be had is asked for again with every new tip, the rest of a gap at once.
                let waits = self
                    .unreadable_under
                    .is_some_and(|under| self.tip.is_some_and(|tip| tip.height == under));
                let gap = self.gap.filter(|_| !waits);
                let mut actions: Vec<Action> = gap.map(|from| Action::Rescan { from }).into_iter().collect();
                actions.extend(self.tell_chain());
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
        self.unpark(&facts);
        self.moved = true;
        let mut actions = vec![Action::RecordFacts(facts)];
        match event {
            ChainEvent::Connected { block_ref, .. } => self.tip = Some(*block_ref),
            ChainEvent::Disconnected { block_ref } => {
                // The parent's hash arrives with the next event; only its height is used until then.
                self.tip =
                    block_ref.height.checked_sub(1).map(|height| BlockRef { height, hash: block_ref.hash });
            }
        }
        actions.extend(self.act_on_facts());
        actions
    }

    /// What follows from changed facts: keys that came out, what to tell the chain, what to slash.
    fn act_on_facts(&mut self) -> Vec<Action> {
        let mut actions = self.look_for_revealed_secrets();
        actions.extend(self.tell_chain());
        actions.extend(self.slash());
        actions
    }

    /// A fact that moved on Bitcoin has another proof, which the chain may take where it refused the old one.
    fn unpark(&mut self, facts: &[WatchFact]) {
        for fact in facts {
            match fact {
                WatchFact::Confirmed { txid, .. } | WatchFact::Unconfirmed { txid, .. } => {
                    self.resting.wake(&Task::Activate(*txid));
                }
                WatchFact::Spent { outpoint, .. } | WatchFact::Unspent { outpoint, .. } => {
                    self.resting.wake(&Task::ReportSpend(outpoint.txid));
                }
            }
        }
    }

    /// Drops every fact of blocks at `from` and above, in memory and in the records.
    fn on_forgotten(&mut self, from: BtcHeight) -> Vec<Action> {
        self.tip = None;
        let mut facts = Vec::new();
        for stake in self.stakes.values() {
            let txid = stake.txid();
            if let Some(block) = self.watch.confirmation(&txid).map(|c| c.block)
                && block.height >= from
            {
                self.watch.unwatch_txid(&txid);
                facts.push(WatchFact::Unconfirmed { txid, block });
            }
            for outpoint in [stake.staking_outpoint(), stake.unbonding_outpoint()] {
                if let Some(block) = self.watch.spend(&outpoint).map(|spend| spend.spender.block)
                    && block.height >= from
                {
                    self.watch.unwatch_outpoint(&outpoint);
                    facts.push(WatchFact::Unspent { outpoint, block });
                }
            }
            stake.watch(&mut self.watch);
        }
        self.unpark(&facts);
        vec![Action::RecordFacts(facts)]
    }

    fn on_found(&mut self, confirmations: Vec<Confirmation>, spends: Vec<(OutPoint, Spend)>) -> Vec<Action> {
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
        actions.extend(self.act_on_facts());
        actions
    }

    fn restore(&mut self, confirmations: Vec<Confirmation>, spends: Vec<(OutPoint, Spend)>) {
        for confirmation in confirmations {
            self.watch.restore_confirmation(confirmation);
        }
        for (outpoint, spend) in spends {
            self.watch.restore_spend(outpoint, spend);
        }
    }

    fn on_delegations(&mut self, delegations: Vec<Delegation>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut missed_from: Option<BtcHeight> = None;
        let known_before = self.stakes.len();
        for delegation in delegations {
            let txid = delegation.terms.staking_tx.compute_txid();
            let unseen = self.proven_but_unseen(&txid, &delegation);
            if let Some(known) = self.stakes.get_mut(&txid) {
                if known.delegation.status != delegation.status {
                    self.resting.wake(&Task::Activate(txid));
                    self.resting.wake(&Task::ReportSpend(txid));
                }
                if known.delegation.covenant != delegation.covenant {
                    // A late signature may complete the quorum: no reason to wait for a block.
                    for case in self.cases.values_mut() {
                        case.tried.remove(&txid);
                    }
                }
                known.delegation = delegation;
                missed_from = lower(missed_from, unseen);
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
            let from = self.missed_from(&txid, &delegation);
            missed_from = lower(missed_from, from);
            let stake = Stake { delegation, checked };
            stake.watch(&mut self.watch);
            self.stakes.insert(txid, stake);
        }
        if let Some(from) = missed_from {
            let from = self.gap.map_or(from, |gap| gap.min(from));
            self.gap = Some(from);
            actions.push(Action::Rescan { from });
        }
        if self.stakes.len() > known_before {
            // Facts restored from before a restart speak only now that their stake is known.
            actions.extend(self.look_for_revealed_secrets());
        }
        actions.extend(self.slash());
        actions
    }

    /// Lowest height at which a stake met for the first time may have been confirmed or spent unseen; `None` when it
    /// cannot have been.
    fn missed_from(&self, txid: &Txid, delegation: &Delegation) -> Option<BtcHeight> {
        /// A pre-approved stake is met within seconds of its registration; this covers a node that lags.
        const LOOK_BACK: u32 = 20;
        match self.watch.confirmation(txid) {
            // Recorded before a restart and met before the first block after it: its outputs were always watched.
            Some(_) if !self.moved => None,
            Some(confirmation) => Some(confirmation.block.height),
            None => {
                let recent = self.tip.map(|tip| {
                    let recent = BtcHeight::new(tip.height.to_u32().saturating_sub(LOOK_BACK));
                    self.light_client_tip.map_or(recent, |known_to_chain| known_to_chain.min(recent))
                });
                lower(recent, delegation.inclusion.map(|inclusion| inclusion.start))
            }
        }
    }

    /// Height to look at again for a stake that is on Bitcoin by the chain's word, at or below where we follow, and was
    /// never seen there: it was met too late to be seen live. Once for every tip.
    fn proven_but_unseen(&mut self, txid: &Txid, delegation: &Delegation) -> Option<BtcHeight> {
        let start = delegation.inclusion?.start;
        let tip = self.tip?.height;
        let is_due =
            self.stakes.contains_key(txid) && start <= tip && self.watch.confirmation(txid).is_none();
        (is_due && self.sought.insert(*txid, tip) != Some(tip)).then_some(start)
    }

    fn on_evidence(&mut self, evidence: Evidence) -> Vec<Action> {
        let finality_provider = evidence.finality_provider;
        let known = self.cases.get(&finality_provider).map(|case| case.origin);
        if known == Some(Origin::Evidence) {
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
        match self.cases.get_mut(&finality_provider) {
            // The key was out already; from now on the case rests on evidence that outlives any reorg.
            Some(case) => case.origin = Origin::Evidence,
            None => actions.extend(self.open_case(finality_provider, Arc::new(secret), Origin::Evidence)),
        }
        actions
    }

    fn open_case(
        &mut self,
        finality_provider: FinalityProviderPublicKey,
        secret: Arc<FinalityProviderSecret>,
        origin: Origin,
    ) -> Vec<Action> {
        self.cases.insert(finality_provider, Case::new(secret, origin));
        let stakes = self.stakes.values().filter(|stake| is_under(stake, &finality_provider)).count();
        let mut actions = vec![Action::Report(Report::KeyExtracted { finality_provider, stakes })];
        actions.extend(self.slash());
        actions.push(Action::FetchStakes(finality_provider));
        actions
    }

    /// A slashing transaction on Bitcoin without evidence on the chain gives the provider's key away.
    fn look_for_revealed_secrets(&mut self) -> Vec<Action> {
        let mut revealed = BTreeMap::new();
        for (txid, stake) in &self.stakes {
            let is_known = |provider| self.cases.contains_key(provider) || revealed.contains_key(provider);
            if stake.checked.terms().finality_providers.iter().all(is_known) {
                continue;
            }
            let recorded =
                self.revealing.get(txid).and_then(|tx| stake.secret_in(tx).map(|secret| (secret, tx)));
            let Some((secret, tx)) = recorded.or_else(|| stake.revealed_secret(&self.watch)) else {
                continue;
            };
            let provider = FinalityProviderPublicKey::new(*secret.public_key());
            if !is_known(&provider) {
                let record = Action::RecordRevealing { staking_txid: *txid, tx: Box::new(tx.clone()) };
                revealed.insert(provider, (Arc::new(secret), record));
            }
        }
        let mut actions = Vec::new();
        for (provider, (secret, record)) in revealed {
            actions.push(record);
            actions.extend(self.open_case(provider, secret, Origin::Revealed));
        }
        actions
    }

    /// Everything on Bitcoin that the chain does not know yet and would take now.
    fn tell_chain(&mut self) -> Vec<Action> {
        let mut tasks = Vec::new();
        let mut unreported = Vec::new();
        for (provider, case) in self.cases.iter().filter(|(_, case)| case.origin == Origin::Revealed) {
            let secret = RecoveredSecret(Arc::clone(&case.secret));
            tasks.push((Task::ShowSecret(*provider), ChainMessage::SelectiveSlashingEvidence(secret)));
        }
        // Nothing on Bitcoin can be proven to a chain whose view of it is not known yet.
        let provable = self.light_client_tip.into_iter();
        let stakes = provable.flat_map(|tip| self.stakes.iter().map(move |(txid, stake)| (tip, txid, stake)));
        for (light_client_tip, txid, stake) in stakes {
            if let Some(confirmation) = stake.activation(&self.watch, light_client_tip, self.k) {
                let message = ChainMessage::AddInclusionProof {
                    staking_txid: *txid,
                    proof: confirmation.inclusion_proof(),
                };
                tasks.push((Task::Activate(*txid), message));
            }
            if let Some(spend) = stake.undelegation(&self.watch, light_client_tip) {
                match undelegation_report(stake, spend) {
                    Some(report) => {
                        let message = ChainMessage::ReportUndelegation(Box::new(report));
                        tasks.push((Task::ReportSpend(*txid), message));
                    }
                    None => unreported.push((*txid, spend.spender.tx.compute_txid())),
                }
            }
        }
        let mut actions: Vec<Action> = Vec::new();
        for (stake, spender) in unreported {
            actions.extend(self.problem(format!(
                "stake {stake} was spent by {spender}, whose other inputs we cannot prove; its holder has to report it"
            )));
        }
        tasks.retain(|(task, _)| !self.in_flight.contains(task) && !self.resting.contains(task));
        if !tasks.is_empty() {
            self.in_flight.extend(tasks.iter().map(|(task, _)| task.clone()));
            actions.push(Action::Submit(tasks));
        }
        actions
    }

    fn on_submitted(&mut self, outcomes: Vec<(Task, MessageOutcome)>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (task, outcome) in outcomes {
            self.in_flight.remove(&task);
            match outcome {
                // Rests until the stake's reading shows the new status, so that it is not sent twice meanwhile.
                MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) => self.resting.taken(task),
                MessageOutcome::Unknown(_) => {}
                // The next tick computes the task again from facts. After any other refusal it rests, longer each
                // time; never for good, because one node that is wrong must not silence the watchtower.
                MessageOutcome::Refused(refusal) if refusal.kind.is_transient_about_listed() => {}
                MessageOutcome::Refused(refusal) => {
                    actions.extend(self.problem(format!("chain refuses {task:?}: {refusal}")));
                    self.resting.refused(task);
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
                    && !case.was_tried(txid, tip)
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
        let answer = match outcome {
            Ok(BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown) => Answer::Taken,
            Ok(BroadcastOutcome::Refused(refusal)) => Answer::Refused(refusal.text),
            Err(error) => Answer::Missing(error),
        };
        let mut actions = Vec::new();
        for case in self.cases.values_mut().filter(|case| case.tried.contains_key(&staking_txid)) {
            case.settle(staking_txid, &answer);
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

/// The lower of two heights that may be missing.
fn lower(a: Option<BtcHeight>, b: Option<BtcHeight>) -> Option<BtcHeight> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn is_under(stake: &Stake, provider: &FinalityProviderPublicKey) -> bool {
    stake.checked.terms().finality_providers.contains(provider)
}

/// The report of a spend whose only input is the staking output. Other inputs need their previous transactions, which
/// the stake does not carry and a node without a transaction index cannot give; `None` for those.
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
