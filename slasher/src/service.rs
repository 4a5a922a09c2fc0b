//! The file that awaits: feeds the machine with both chains and performs what it asks for.
//!
//! Order within a round: what Bitcoin showed is recorded together with the follower's cursor before anything leaves;
//! evidence is recorded before the first broadcast of its case.

use crate::{
    board::{self, Board},
    machine::{Action, Event, Machine, Task},
    records::Records,
    relay::{Relayed, relay_once},
};
use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use btc_staking_bitcoin_node::{
    follower::{Cursor, DEFAULT_WINDOW, FollowError, Follower},
    ports::{BlockRef, BlockSource, BroadcastOutcome, Broadcaster, BurnLimit, NodeError},
    watch::{Confirmation, Spend, WatchFact},
};
use btc_staking_daemon::tasks::{Stop, Stopped, TaskError};
use btc_staking_pos_chain::{ChainError, Listing, PosChain, Submitter, in_time};
use btc_staking_protocol::{
    delegation::{Delegation, SlashedOutput},
    height::{BtcDepth, BtcHeight, PosHeight},
    keys::FinalityProviderPublicKey,
    params::StakingParams,
};
use btc_staking_store::StoreError;
use std::{pin::pin, sync::Arc, time::Duration};
use thiserror::Error;

/// Longest wait for one answer of the chain.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a listing, which may be many thousand stakes.
const LISTING_TIMEOUT: Duration = Duration::from_secs(300);

/// What a Bitcoin node must be able to do for the watchtower.
pub trait Bitcoin: BlockSource + Broadcaster {}
impl<T: BlockSource + Broadcaster + ?Sized> Bitcoin for T {}

/// What a round needs.
pub struct Service {
    bitcoin: Arc<dyn Bitcoin>,
    chain: Arc<dyn PosChain>,
    submitter: Arc<dyn Submitter>,
    records: Arc<Records>,
    poll_interval: Duration,
    board: Board,
}

/// Why a round failed.
#[derive(Debug, Error)]
pub enum RoundError {
    /// The Bitcoin node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The follower.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The staking chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The records: nothing may leave any more, so the process has to stop.
    #[error("records")]
    Store(#[from] StoreError),
    /// The stop signal came first.
    #[error("stopping")]
    Stopped(#[from] Stopped),
}

impl RoundError {
    fn into_task_error(self) -> TaskError {
        match self {
            RoundError::Store(error) => TaskError::fatal(error),
            RoundError::Node(_) | RoundError::Follow(_) | RoundError::Chain(_) | RoundError::Stopped(_) => {
                TaskError::retry(self)
            }
        }
    }
}

impl Service {
    /// Puts a service together.
    pub fn new(
        bitcoin: Arc<dyn Bitcoin>,
        chain: Arc<dyn PosChain>,
        submitter: Arc<dyn Submitter>,
        records: Arc<Records>,
        poll_interval: Duration,
        board: Board,
    ) -> Self {
        Self { bitcoin, chain, submitter, records, poll_interval, board }
    }

    /// Relays headers until told to stop.
    ///
    /// # Errors
    /// [`TaskError`] when a round failed; the supervisor starts it again.
    pub async fn relay_headers(&self, mut stop: Stop) -> Result<(), TaskError> {
        while !stop.is_stopping() {
            let round = relay_once(&*self.bitcoin, &*self.chain, &*self.submitter);
            match stop.race(round).await {
                Err(Stopped) => break,
                Ok(Ok(Relayed::UpToDate)) => {}
                Ok(Ok(Relayed::Sent(count))) => {
                    tracing::info!(count, "relayed bitcoin headers");
                    if count > 0 {
                        continue; // there may be more
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "headers not relayed, trying again");
                }
            }
            if stop.sleep(self.poll_interval).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Watches both chains until told to stop.
    ///
    /// # Errors
    /// [`TaskError::Fatal`] when records cannot be made durable; otherwise trouble is logged and tried again.
    pub async fn watch(&self, mut stop: Stop) -> Result<(), TaskError> {
        let mut watcher = match Watcher::resume(self, &mut stop).await {
            Ok(watcher) => watcher,
            Err(RoundError::Stopped(_)) => return Ok(()),
            Err(error) => return Err(error.into_task_error()),
        };
        while !stop.is_stopping() {
            match watcher.round(&mut stop).await {
                Ok(()) => {}
                Err(RoundError::Stopped(_)) => break,
                Err(error @ RoundError::Store(_)) => return Err(error.into_task_error()),
                // A round answers this one itself.
                Err(error @ RoundError::Follow(FollowError::ReorgTooDeep { .. })) => {
                    tracing::error!(%error, "following bitcoin, trying again");
                }
                Err(RoundError::Node(error) | RoundError::Follow(FollowError::Node(error))) => {
                    tracing::warn!(%error, "bitcoin node, trying again");
                    self.board.bitcoin.degraded(error.to_string());
                }
                Err(RoundError::Chain(error)) => {
                    tracing::warn!(%error, "staking chain, trying again");
                    self.board.chain.degraded(error.to_string());
                }
            }
            if stop.sleep(self.poll_interval).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn fetch_params(&self) -> Result<Vec<StakingParams>, ChainError> {
        in_time(ANSWER_TIMEOUT, "params", self.chain.fetch_staking_params()).await
    }

    async fn fetch_stakes(&self) -> Result<Listing<Delegation>, ChainError> {
        in_time(LISTING_TIMEOUT, "stakes", self.chain.fetch_delegations(None)).await
    }

    /// Where a watchtower without records begins: at the lowest stake the chain knows on Bitcoin, and far enough back
    /// for those it was not told of yet. Everything from there on is followed in order and recorded on the way.
    async fn fetch_start(&self, k: BtcDepth) -> Result<BtcHeight, RoundError> {
        /// A day: a stake that was confirmed that long ago has long been proven to the chain.
        const LOOK_BACK: u32 = 144;
        let tip = self.bitcoin.fetch_tip().await?;
        let recent = BtcHeight::new(tip.height.to_u32().saturating_sub(k.to_u32().max(LOOK_BACK)));
        let listing = in_time(LISTING_TIMEOUT, "stakes", self.chain.fetch_delegations(None));
        let delegations = match listing.await {
            Ok(listing) => listing.items,
            // Stakes read later are looked for from their own height on.
            Err(error) => {
                tracing::warn!(%error, "stakes not read yet, starting near the tip");
                Vec::new()
            }
        };
        let lowest = delegations.iter().filter_map(|d| d.inclusion).map(|inclusion| inclusion.start).min();
        Ok(lowest.map_or(recent, |lowest| lowest.min(recent)))
    }
}

/// One run of the watch task.
pub struct Watcher<'s> {
    service: &'s Service,
    machine: Machine,
    follower: Follower<dyn Bitcoin>,
}

impl<'s> Watcher<'s> {
    /// Takes up the watch where the records end.
    ///
    /// # Errors
    /// [`RoundError`]; nothing is lost.
    pub async fn resume(service: &'s Service, stop: &mut Stop) -> Result<Self, RoundError> {
        let params = in_time(ANSWER_TIMEOUT, "checkpoint params", service.chain.fetch_checkpoint_params());
        let k = stop.race(params).await??.confirmation_depth;
        let known = service.records.read()?;
        let cursor = match known.cursor {
            Some(cursor) => cursor,
            None => Cursor::starting_at(stop.race(service.fetch_start(k)).await??, DEFAULT_WINDOW),
        };
        let mut machine = Machine::new(k, cursor.tip());
        machine.on_event(Event::Restored { confirmations: known.confirmations, spends: known.spends });
        let follower = Follower::resume(Arc::clone(&service.bitcoin), cursor);
        let mut watcher = Self { service, machine, follower };
        // Outputs should be under watch before the first block is read, so the chain comes first. If it does not list
        // them now, what is missed meanwhile is looked for once a stake is known.
        let mut actions = watcher.machine.on_event(Event::EvidenceRead(known.evidence));
        let params = stop.race(service.fetch_params()).await?;
        let stakes = match params {
            Ok(params) => {
                watcher.machine.on_event(Event::ParamsRead(params));
                stop.race(service.fetch_stakes()).await?
            }
            Err(error) => Err(error),
        };
        match stakes {
            Ok(stakes) => actions.extend(watcher.on_stakes(stakes)),
            Err(error) => tracing::warn!(%error, "stakes not read yet, trying again"),
        }
        actions.extend(watcher.machine.on_event(Event::RevealedBefore(known.revealing)));
        watcher.perform(actions, stop).await?;
        Ok(watcher)
    }

    /// What it decides by.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    async fn restart_below(&mut self, oldest: BlockRef, stop: &mut Stop) -> Result<(), RoundError> {
        let start = BtcHeight::new(oldest.height.to_u32().saturating_sub(DEFAULT_WINDOW));
        self.follower.restart_from(start);
        self.step(Event::Forgotten(start), stop).await
    }

    /// Looks at both chains once and acts on what changed.
    ///
    /// # Errors
    /// [`RoundError`]; the next round goes on from what is recorded and what both chains show.
    pub async fn round(&mut self, stop: &mut Stop) -> Result<(), RoundError> {
        // First, because nothing is as urgent as a key that came out; but where the stakes it brings lie on Bitcoin can
        // only be looked for once it is known where Bitcoin is.
        let is_following = self.follower.cursor().tip().is_some();
        let mut evidence = Ok(());
        if is_following {
            evidence = self.take_urgent_evidence(stop).await?;
        }
        match self.follow_bitcoin(stop).await {
            Err(RoundError::Follow(FollowError::ReorgTooDeep { oldest })) => {
                tracing::error!(%oldest.height, "reorg below everything remembered, following again from lower");
                self.restart_below(oldest, stop).await?;
                self.follow_bitcoin(stop).await?;
            }
            followed => followed?,
        }
        self.service.board.bitcoin.ok();
        if !is_following {
            evidence = self.take_urgent_evidence(stop).await?;
        }
        // Each reading on its own: a chain that cannot list every stake still tells who signed twice, and the other way.
        // Before the stakes: how far the chain sees Bitcoin bounds where a new stake may lie.
        let tip = self.take_light_client_tip(stop).await;
        let delegations = self.take_delegations(stop).await;
        self.step(Event::Tick, stop).await?;
        self.service.board.publish(&self.machine, self.follower.cursor().tip());
        evidence?;
        delegations.and(tip)?;
        self.service.board.chain.ok();
        Ok(())
    }

    /// Takes evidence; trouble of the chain is handed back for later, because everything else must not wait for it.
    async fn take_urgent_evidence(&mut self, stop: &mut Stop) -> Result<Result<(), ChainError>, RoundError> {
        match self.take_evidence(stop).await {
            Ok(()) => Ok(Ok(())),
            Err(RoundError::Chain(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    async fn take_evidence(&mut self, stop: &mut Stop) -> Result<(), RoundError> {
        let reading = self.service.chain.fetch_evidences(PosHeight::new(0));
        let evidences = stop.race(in_time(ANSWER_TIMEOUT, "evidence", reading)).await??;
        for problem in evidences.malformed {
            tracing::warn!(problem, "an evidence cannot be read, the others go on");
        }
        self.step(Event::EvidenceRead(evidences.items), stop).await
    }

    async fn take_delegations(&mut self, stop: &mut Stop) -> Result<(), RoundError> {
        let service = self.service;
        // Fed on their own: the stakes of a guilty provider are understood by them even if the listing fails.
        let params = stop.race(service.fetch_params()).await??;
        self.machine.on_event(Event::ParamsRead(params));
        let mut listing = pin!(service.fetch_stakes());
        let stakes = loop {
            match tokio::time::timeout(service.poll_interval, stop.race(&mut listing)).await {
                Ok(stakes) => break stakes??,
                // A listing may take minutes; whoever signs twice meanwhile is slashed meanwhile.
                Err(_) => match self.take_evidence(stop).await {
                    Err(RoundError::Chain(error)) => {
                        tracing::warn!(%error, "evidence not read, trying again")
                    }
                    taken => taken?,
                },
            }
        };
        let actions = self.on_stakes(stakes);
        self.perform(actions, stop).await
    }

    async fn take_light_client_tip(&mut self, stop: &mut Stop) -> Result<(), RoundError> {
        let reading = self.service.chain.fetch_light_client_tip();
        let tip = stop.race(in_time(ANSWER_TIMEOUT, "the light client", reading)).await??;
        self.service.board.show_light_client_tip(tip.height);
        self.step(Event::LightClientTip(tip.height), stop).await
    }

    /// Takes every block there is, recording each batch of facts with its cursor before acting on it.
    async fn follow_bitcoin(&mut self, stop: &mut Stop) -> Result<(), RoundError> {
        loop {
            let polled = stop.race(self.follower.poll()).await??;
            let mut facts = Vec::new();
            let mut others = Vec::new();
            let any = !polled.events.is_empty();
            for event in polled.events {
                for action in self.machine.on_event(Event::Bitcoin(event)) {
                    match action {
                        Action::RecordFacts(new) => facts.extend(new),
                        other => others.push(other),
                    }
                }
            }
            if any {
                self.service.records.record_facts(&facts, self.follower.cursor())?;
            }
            self.perform(others, stop).await?;
            if polled.caught_up {
                return Ok(());
            }
        }
    }

    fn on_stakes(&mut self, listing: Listing<Delegation>) -> Vec<Action> {
        for problem in listing.malformed {
            tracing::warn!(problem, "a delegation cannot be read, the others go on");
        }
        self.machine.on_event(Event::DelegationsRead(listing.items))
    }

    /// The stakes of one provider; the listing of all stakes brings them too, so trouble here only costs time.
    async fn fetch_stakes(&self, provider: &FinalityProviderPublicKey) -> Option<Event> {
        let listing = self.service.chain.fetch_delegations_to(provider);
        match in_time(ANSWER_TIMEOUT, "the provider's stakes", listing).await {
            Ok(listing) => Some(Event::DelegationsRead(listing.items)),
            Err(error) => {
                tracing::warn!(%error, finality_provider = %provider, "its stakes are read with the next listing");
                None
            }
        }
    }

    async fn step(&mut self, event: Event, stop: &mut Stop) -> Result<(), RoundError> {
        let actions = self.machine.on_event(event);
        self.perform(actions, stop).await
    }

    /// Performs actions and those that follow from their results. Ends because every result settles its task for this
    /// round.
    async fn perform(&mut self, actions: Vec<Action>, stop: &mut Stop) -> Result<(), RoundError> {
        let mut queue = std::collections::VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            if stop.is_stopping() {
                return Err(RoundError::Stopped(Stopped));
            }
            let result = match action {
                Action::RecordFacts(facts) => {
                    self.service.records.record_facts(&facts, self.follower.cursor())?;
                    None
                }
                Action::RecordCase(evidence) => {
                    self.service.records.record_case(&evidence)?;
                    None
                }
                Action::RecordRevealing { staking_txid, tx } => {
                    self.service.records.record_revealing(&staking_txid, &tx)?;
                    None
                }
                Action::FetchStakes(provider) => stop.race(self.fetch_stakes(&provider)).await?,
                Action::Report(report) => {
                    board::tell(&report);
                    None
                }
                Action::Submit(tasks) => Some(self.submit(tasks).await),
                Action::Broadcast { staking_txid, output, tx, target } => {
                    let outcome = self.broadcast(&tx, &target, output).await;
                    Some(Event::Broadcast { staking_txid, output, outcome })
                }
                Action::Rescan { from } => match self.rescan(from, stop).await {
                    Err(RoundError::Node(error)) => {
                        // What else is to do must not wait for it; the next tick asks for it again.
                        tracing::warn!(%error, "earlier blocks not looked at, trying again");
                        self.service.board.bitcoin.degraded(error.to_string());
                        None
                    }
                    found => found?,
                },
            };
            if let Some(event) = result {
                queue.extend(self.machine.on_event(event));
            }
        }
        Ok(())
    }

    async fn submit(&self, tasks: Vec<(Task, btc_staking_pos_chain::ChainMessage)>) -> Event {
        let (tasks, messages): (Vec<Task>, Vec<_>) = tasks.into_iter().unzip();
        match self.service.submitter.submit(messages).await {
            Ok(outcomes) => Event::Submitted(tasks.into_iter().zip(outcomes).collect()),
            Err(error) => {
                tracing::warn!(%error, "messages not settled, facts decide what to send next");
                Event::SubmitFailed(tasks)
            }
        }
    }

    async fn broadcast(
        &self,
        tx: &Transaction,
        target: &TxOut,
        output: SlashedOutput,
    ) -> Result<BroadcastOutcome, String> {
        verify_script(tx, target)?;
        let txid = tx.compute_txid();
        tracing::info!(%txid, ?output, "broadcasting a slashing transaction");
        let burnt: Amount =
            tx.output.iter().filter(|out| out.script_pubkey.is_op_return()).map(|out| out.value).sum();
        self.service.bitcoin.broadcast(tx, BurnLimit(burnt)).await.map_err(|error| error.to_string())
    }

    /// Looks at blocks from `from` up to where the follower stands for what was not under watch then.
    ///
    /// `None` before the first block was followed: the look is asked for again.
    async fn rescan(&self, from: BtcHeight, stop: &mut Stop) -> Result<Option<Event>, RoundError> {
        let mut confirmations: Vec<Confirmation> = Vec::new();
        let mut spends: Vec<(OutPoint, Spend)> = Vec::new();
        let mut unreadable = None;
        let Some(tip) = self.follower.cursor().tip() else { return Ok(None) };
        tracing::info!(%from, to = %tip.height, "looking for known stakes in earlier blocks");
        let mut scratch = self.machine.watch().clone();
        for height in from.to_u32()..=tip.height.to_u32() {
            let height = BtcHeight::new(height);
            let Some(hash) = stop.race(self.service.bitcoin.fetch_block_hash(height)).await?? else { break };
            let Some(block) = stop.race(self.service.bitcoin.fetch_block(&hash)).await?? else {
                // One pruned block must not hide what the others hold.
                unreadable = unreadable.or(Some(height));
                continue;
            };
            let event = btc_staking_bitcoin_node::follower::ChainEvent::Connected {
                block_ref: BlockRef { height, hash },
                block,
            };
            for fact in scratch.on_event(&event) {
                match fact {
                    WatchFact::Confirmed { confirmation, .. } => confirmations.push(confirmation),
                    WatchFact::Spent { outpoint, spend } => spends.push((outpoint, spend)),
                    WatchFact::Unconfirmed { .. } | WatchFact::Unspent { .. } => {}
                }
            }
            if height.to_u32().is_multiple_of(1_000) {
                tracing::info!(%height, to = %tip.height, "looking");
            }
        }
        Ok(Some(Event::Found { confirmations, spends, unreadable }))
    }
}

/// Runs the spend through Bitcoin Core's interpreter with taproot rules before it leaves the machine.
fn verify_script(tx: &Transaction, target: &TxOut) -> Result<(), String> {
    const FLAGS: u32 = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let script = target.script_pubkey.as_bytes();
    let spent = bitcoinconsensus::Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).map_err(|_| "script too long".to_owned())?,
        value: i64::try_from(target.value.to_sat()).map_err(|_| "value too large".to_owned())?,
    };
    let raw = bitcoin::consensus::serialize(tx);
    bitcoinconsensus::verify_with_flags(script, target.value.to_sat(), &raw, Some(&[spent]), 0, FLAGS)
        .map_err(|error| format!("the completed transaction does not satisfy its script: {error}"))
}
