//! Bringing a stake further: the loop that feeds its machine and performs what the machine asks for.
//!
//! Stops as soon as the goal is recorded; actions left over are computed again from the record by the next call.

use super::{ChainAccess, Service, ServiceError};
use crate::{
    keys::Keys,
    machine::{Action, ChainReading, Event, Report},
    position::Position,
    stake::Step,
};
use bitcoin::Txid;
use btc_staking_bitcoin_node::{BurnLimit, UtxoView};
use btc_staking_pos_chain::{ChainMessage, MessageOutcome};
use btc_staking_protocol::delegation::DelegationStatus;
use std::time::Duration;

/// How far to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Goal {
    /// The chain has the stake.
    Registered,
    /// We verified the committee's quorum; nothing is signed.
    Verified,
    /// The staking transaction is in a mempool.
    Broadcast,
    /// The staking transaction is in a block.
    Confirmed,
    /// The chain counts the stake.
    Active,
}

/// How an attempt to bring a stake further ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is as far as asked for.
    Reached,
    /// Not yet; the last thing reported, if anything was.
    Waiting(Option<Report>),
}

impl Progress {
    /// Whether looking again cannot help.
    fn is_hopeless(&self) -> bool {
        *self == Self::Waiting(Some(Report::ProviderSlashed))
    }
}

impl Service {
    /// Brings a stake as far as it comes now, at most to `goal`.
    ///
    /// # Errors
    /// [`ServiceError`]; whatever was recorded before stays, and the same call goes on from there.
    pub async fn advance(
        &mut self,
        txid: &Txid,
        goal: Goal,
        chain: &ChainAccess,
        keys: &Keys,
    ) -> Result<Progress, ServiceError> {
        self.sync().await?;
        let mut last_report = None;
        let mut events = vec![Event::Tick];
        while let Some(event) = events.pop() {
            if self.is_reached(txid, goal, chain).await? {
                return Ok(Progress::Reached);
            }
            for action in self.machine_mut(txid)?.on_event(event) {
                match action {
                    Action::Report(report) => last_report = Some(report),
                    action => events.extend(self.perform(txid, action, chain, keys).await?),
                }
                // What is left of the actions comes again from the record.
                if self.step_reached(txid, goal)? {
                    return Ok(Progress::Reached);
                }
            }
        }
        if goal == Goal::Active {
            self.activate(txid, chain).await?;
        }
        let broadcast = last_report == Some(Report::Broadcast) && goal == Goal::Broadcast;
        if broadcast || self.is_reached(txid, goal, chain).await? {
            return Ok(Progress::Reached);
        }
        Ok(Progress::Waiting(last_report))
    }

    /// Brings a stake to `goal`, looking again and again until `timeout` has passed. The result says how far it came.
    ///
    /// # Errors
    /// As [`Service::advance`]; trouble that may pass by itself is waited out.
    pub async fn advance_until(
        &mut self,
        txid: &Txid,
        goal: Goal,
        timeout: Duration,
        chain: &ChainAccess,
        keys: &Keys,
    ) -> Result<Progress, ServiceError> {
        let deadline = self.surroundings.clock.monotonic().saturating_add(timeout);
        loop {
            let progress = self.advance(txid, goal, chain, keys).await;
            let is_late = self.surroundings.clock.monotonic() >= deadline;
            match progress {
                Ok(Progress::Reached) => return Ok(Progress::Reached),
                Ok(waiting) if is_late || self.is_over(txid)? || waiting.is_hopeless() => return Ok(waiting),
                Err(error) if is_late || !error.is_transient() => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(self.surroundings.poll).await,
            }
        }
    }

    fn is_over(&self, txid: &Txid) -> Result<bool, ServiceError> {
        Ok(self.stake(txid)?.stake().end_reason().is_some())
    }

    fn is_signed_and_on_bitcoin(&self, txid: &Txid) -> Result<bool, ServiceError> {
        let machine = self.stake(txid)?;
        Ok(machine.stake().signed_tx().is_some() && self.position(machine) != Position::Absent)
    }

    /// Whether the record alone shows that the goal is reached.
    fn step_reached(&self, txid: &Txid, goal: Goal) -> Result<bool, ServiceError> {
        let machine = self.stake(txid)?;
        Ok(match (&machine.stake().step, goal) {
            (Step::Registered | Step::Verified { .. } | Step::Signed { .. }, Goal::Registered) => true,
            (Step::Verified { .. } | Step::Signed { .. }, Goal::Verified) => true,
            (Step::Planned | Step::Registered | Step::Verified { .. } | Step::Ended(_), _) => false,
            (Step::Signed { .. }, Goal::Broadcast | Goal::Confirmed) => {
                self.position(machine) != Position::Absent
            }
            (Step::Signed { .. }, Goal::Active) => false,
        })
    }

    async fn is_reached(&self, txid: &Txid, goal: Goal, chain: &ChainAccess) -> Result<bool, ServiceError> {
        if goal == Goal::Active && self.position(self.stake(txid)?) != Position::Absent {
            let status = self.fetch_status(txid, &*chain.reader).await?;
            return Ok(matches!(
                status,
                Some(DelegationStatus::Active | DelegationStatus::Unbonded | DelegationStatus::Expired)
            ));
        }
        self.step_reached(txid, goal)
    }

    /// Performs one action and returns what came of it.
    async fn perform(
        &mut self,
        txid: &Txid,
        action: Action,
        chain: &ChainAccess,
        keys: &Keys,
    ) -> Result<Option<Event>, ServiceError> {
        Ok(match action {
            Action::Record(step) => {
                self.record_step(txid, &step)?;
                None
            }
            Action::ReadChain if self.is_signed_and_on_bitcoin(txid)? => None,
            Action::ReadChain => Some(Event::ChainRead(Box::new(self.fetch_reading(txid, chain).await?))),
            Action::Register(request) => {
                let message = ChainMessage::RegisterDelegation(request);
                Some(match chain.submitter.submit(vec![message]).await {
                    Ok(outcomes) => match <[MessageOutcome; 1]>::try_from(outcomes) {
                        Ok([outcome]) => Event::Registered(outcome),
                        Err(_) => Event::RegistrationUnknown("one answer was expected".to_owned()),
                    },
                    Err(error) => Event::RegistrationUnknown(error.to_string()),
                })
            }
            Action::CheckCoins(coins) => {
                let spent = self.fetch_spent(coins).await?;
                // Records put back from a copy may not know that the staking transaction was sent.
                let by_us = spent.is_some() && self.is_sent(txid).await?;
                Some(Event::CoinsChecked(spent.filter(|_| !by_us)))
            }
            Action::Sign => {
                self.check_keys(keys)?;
                Some(Event::Signed(keys.sign_wallet_tx(&self.stake(txid)?.stake().funding)?))
            }
            Action::Broadcast(_) if self.position(self.stake(txid)?) != Position::Absent => None,
            Action::Broadcast(tx) => {
                let outcome = self.bitcoin.broadcast(&tx, BurnLimit::NONE).await?;
                self.note_if_taken(&tx, &outcome)?;
                Some(Event::Broadcast(outcome))
            }
            Action::Report(_) => None,
        })
    }

    /// Whether the staking transaction is in a block or in the mempool.
    async fn is_sent(&self, txid: &Txid) -> Result<bool, ServiceError> {
        let machine = self.stake(txid)?;
        if self.position(machine) != Position::Absent {
            return Ok(true);
        }
        let outpoint = machine.checked().staking_outpoint();
        Ok(self.bitcoin.fetch_unspent(&outpoint, UtxoView::ChainAndMempool).await?.is_some())
    }

    async fn fetch_reading(&self, txid: &Txid, chain: &ChainAccess) -> Result<ChainReading, ServiceError> {
        let provider = self.stake(txid)?.stake().finality_provider;
        let provider = chain.reader.fetch_finality_provider(&provider).await?;
        let delegation = match chain.reader.fetch_delegation(txid).await? {
            None => None,
            Some(delegation) => {
                let version = delegation.params_version;
                let params = chain.reader.fetch_staking_params_version(version).await?;
                Some((delegation, params))
            }
        };
        Ok(ChainReading { delegation, provider })
    }
}
