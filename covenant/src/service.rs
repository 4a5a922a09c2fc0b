//! The file that awaits: reads pending delegations, has them signed, submits what the signer released.

use crate::{
    machine::{Action, Event, Machine, ParamsTrust},
    signer::Signer,
};
use bitcoin::Txid;
use btc_staking_daemon::{
    health::{Check, Health},
    metrics::{Metrics, MetricsError},
    tasks::{Stop, Stopped, TaskError},
};
use btc_staking_pos_chain::{ChainError, ChainMessage, MessageOutcome, PosChain, Submitter, in_time};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, Delegation, DelegationStatus},
    params::StakingParams,
};
use prometheus::{IntCounter, IntGauge};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Longest wait for one answer of the chain.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the listing of pending delegations.
const LISTING_TIMEOUT: Duration = Duration::from_secs(300);

/// The daemon's loop.
pub struct Service {
    signer: Arc<Signer>,
    chain: Arc<dyn PosChain>,
    submitter: Arc<dyn Submitter>,
    trust: ParamsTrust,
    poll_interval: Duration,
    board: Board,
}

/// What operators see.
#[derive(Clone)]
pub struct Board {
    status: Arc<Mutex<Value>>,
    pending: IntGauge,
    parked: IntGauge,
    signed: IntCounter,
    refused: IntCounter,
    chain: Arc<Check>,
    signing: Arc<Check>,
}

impl Board {
    /// Registers metrics and checks.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is taken.
    pub fn new(metrics: &Metrics, health: &Health) -> Result<Self, MetricsError> {
        Ok(Self {
            status: Arc::new(Mutex::new(json!({}))),
            pending: metrics.gauge("pending_delegations", "delegations the chain lists as pending")?,
            parked: metrics.gauge("parked_delegations", "delegations that will not be signed")?,
            signed: metrics.counter("signed_delegations_total", "signature sets the signer released")?,
            refused: metrics.counter("refused_delegations_total", "delegations the signer refused")?,
            chain: Arc::new(health.check("chain")),
            signing: Arc::new(health.check("signing")),
        })
    }

    /// The last status, as served under `/status`.
    pub fn status(&self) -> Value {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Service {
    /// Puts a service together.
    pub fn new(
        signer: Arc<Signer>,
        chain: Arc<dyn PosChain>,
        submitter: Arc<dyn Submitter>,
        trust: ParamsTrust,
        poll_interval: Duration,
        board: Board,
    ) -> Self {
        // Until an alarm says otherwise, which then stays: only a person can tell that it is over.
        board.signing.ok();
        Self { signer, chain, submitter, trust, poll_interval, board }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// [`TaskError::Fatal`] when the sign log cannot be made durable; otherwise trouble is logged and tried again.
    pub async fn run(&self, mut stop: Stop) -> Result<(), TaskError> {
        let mut machine = Machine::new(self.signer.public_key(), self.trust.clone());
        while !stop.is_stopping() {
            self.round(&mut machine, &stop).await?;
            self.publish(&machine);
            if stop.sleep(self.poll_interval).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the chain once and acts on what it shows.
    ///
    /// # Errors
    /// As [`Service::run`].
    pub async fn round(&self, machine: &mut Machine, stop: &Stop) -> Result<(), TaskError> {
        let mut stop = stop.clone();
        let mut queue = VecDeque::from(machine.on_event(Event::Tick));
        while let Some(action) = queue.pop_front() {
            if stop.is_stopping() {
                break;
            }
            let event = match action {
                // Reads change nothing, so the signal may drop them.
                Action::FetchParams | Action::FetchPending => match stop.race(self.perform(action)).await {
                    Ok(event) => event?,
                    Err(Stopped) => break,
                },
                other => self.perform(other).await?,
            };
            if let Some(event) = event {
                queue.extend(machine.on_event(event));
            }
        }
        Ok(())
    }

    async fn perform(&self, action: Action) -> Result<Option<Event>, TaskError> {
        Ok(match action {
            Action::FetchParams => {
                match in_time(ANSWER_TIMEOUT, "params", self.chain.fetch_staking_params()).await {
                    Ok(versions) => Some(Event::ParamsFetched(versions)),
                    Err(error) => self.chain_trouble(&error),
                }
            }
            Action::FetchPending => match self.fetch_pending().await {
                Ok(event) => {
                    self.board.chain.ok();
                    Some(event)
                }
                Err(error) => self.chain_trouble(&error),
            },
            Action::Sign { delegation, params } => Some(self.sign(&delegation, &params).await?),
            Action::Submit(sets) => Some(self.submit(sets).await),
            Action::Report { staking_txid, reason } => {
                tracing::warn!(%staking_txid, reason, "delegation not signed");
                None
            }
            Action::ReportParams(text) => {
                tracing::warn!(reason = text, "params not accepted");
                None
            }
            Action::Alarm(text) => {
                tracing::error!(alarm = text, "a person must look");
                self.board.signing.degraded(text);
                None
            }
        })
    }

    async fn fetch_pending(&self) -> Result<Event, ChainError> {
        let pending = self.chain.fetch_delegations(Some(DelegationStatus::Pending));
        let listing = in_time(LISTING_TIMEOUT, "pending delegations", pending).await?;
        for problem in &listing.malformed {
            tracing::warn!(problem, "a delegation cannot be read, the others go on");
        }
        self.board.pending.set(i64::try_from(listing.items.len()).unwrap_or(i64::MAX));
        let tip = self.chain.fetch_light_client_tip();
        let btc_tip = in_time(ANSWER_TIMEOUT, "the light client", tip).await?.height;
        Ok(Event::PendingFetched { delegations: listing.items, btc_tip })
    }

    /// Checks what only the chain can tell, then has the signer check and sign the rest.
    async fn sign(&self, delegation: &Delegation, params: &StakingParams) -> Result<Event, TaskError> {
        let staking_txid = delegation.terms.staking_tx.compute_txid();
        for provider in &delegation.terms.finality_providers {
            let reading = self.chain.fetch_finality_provider(provider);
            let refusal = match in_time(ANSWER_TIMEOUT, "the finality provider", reading).await {
                Ok(Some(known)) if known.slashed.is_none() => continue,
                Ok(Some(_)) => (format!("finality provider {provider} has been slashed"), false),
                Ok(None) => (format!("finality provider {provider} is not registered"), true),
                Err(error) => (error.to_string(), true),
            };
            let (reason, again) = refusal;
            self.board.refused.inc();
            return Ok(Event::SignerRefused { staking_txid, reason, again });
        }
        match self.signer.sign(delegation, params) {
            Ok(set) => {
                tracing::info!(%staking_txid, "delegation checked and signed");
                self.board.signed.inc();
                Ok(Event::Signed(Box::new(set)))
            }
            Err(error) if error.must_stop() => Err(TaskError::fatal(error)),
            Err(error) => {
                self.board.refused.inc();
                Ok(Event::SignerRefused { staking_txid, reason: error.to_string(), again: false })
            }
        }
    }

    async fn submit(&self, sets: Vec<CovenantSignatureSet>) -> Event {
        let txids: Vec<Txid> = sets.iter().map(|set| set.staking_txid).collect();
        let messages =
            sets.into_iter().map(|set| ChainMessage::AddCovenantSignatures(Box::new(set))).collect();
        match self.submitter.submit(messages).await {
            Ok(outcomes) => {
                for (staking_txid, outcome) in txids.iter().zip(&outcomes) {
                    if let MessageOutcome::Accepted { tx_hash, .. } = outcome {
                        tracing::info!(%staking_txid, tx_hash, "signatures on chain");
                    }
                }
                Event::Submitted(txids.into_iter().zip(outcomes).collect())
            }
            Err(error) => {
                tracing::warn!(%error, "signatures not settled, sending again with the next round");
                self.board.chain.degraded(error.to_string());
                Event::ChainUnavailable
            }
        }
    }

    fn chain_trouble(&self, error: &ChainError) -> Option<Event> {
        tracing::warn!(%error, "staking chain, trying again");
        self.board.chain.degraded(error.to_string());
        Some(Event::ChainUnavailable)
    }

    fn publish(&self, machine: &Machine) {
        self.board.parked.set(i64::try_from(machine.parked().len()).unwrap_or(i64::MAX));
        /// Reasons shown; the metric counts all.
        const SHOWN: usize = 100;
        let parked: Vec<Value> = machine
            .parked()
            .iter()
            .take(SHOWN)
            .map(|(txid, parked)| json!({"staking_txid": txid, "reason": parked.reason}))
            .collect();
        let untrusted: Vec<Value> = machine
            .untrusted_params()
            .iter()
            .take(SHOWN)
            .map(|(version, reason)| json!({"version": version, "reason": reason.to_string()}))
            .collect();
        let status = json!({
            "covenant": self.signer.public_key(),
            "account": self.submitter.account(),
            "signed": machine.signed(),
            "in_flight": machine.in_flight(),
            "parked": parked,
            "untrusted_params": untrusted,
        });
        *self.board.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}
