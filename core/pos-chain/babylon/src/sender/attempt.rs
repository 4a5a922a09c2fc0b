//! One batch: simulated, priced, signed, recorded, handed over, followed.

use super::{
    account::{ReadAccount, fetch_account},
    batch::Item,
    fate::{Sorted, Told, halve, halve_for_gas, sort_refusal, told},
    flight::{End, Flight, Freshness, Handed},
    pause::Pause,
    worker::Worker,
};
use crate::{
    errors::was_executed,
    proto::{Any, SimulateRequest},
    reader::query::{AnsweredAt, Refused, ask_at, broken},
    rpc::IncludedTx,
    tx::{AccountState, GasAndFee, build_simulation, sign_tx_until},
};
use btc_staking_pos_chain::{ChainError, ErrorKind, MessageOutcome, Result};
use btc_staking_protocol::height::PosHeight;
use std::collections::VecDeque;
use tokio::time::Instant;

/// What one attempt with a batch led to.
#[derive(Debug)]
pub(super) enum Attempt {
    /// All messages are in a block.
    Landed(MessageOutcome),
    /// The chain refuses.
    Told(Told),
    /// It was in no block up to its last and can be in none.
    Dead(PosHeight),
}

/// What was learned for later attempts with one batch.
struct Lessons {
    deadline: Instant,
    gas_percent: u32,
}

impl Worker {
    /// Sends a batch: tries until the deadline, learning sequence and gas limit.
    pub(super) async fn send_part(&mut self, part: Vec<Item>) -> Result<Sorted> {
        let mut lessons =
            Lessons { deadline: Instant::now() + self.config.deadline, gas_percent: self.config.gas_percent };
        let mut pause = Pause::new(self.config.poll_interval);
        loop {
            let overdue = |why: String| match Instant::now() < lessons.deadline {
                true => Ok(()),
                false => Err(ChainError::new(ErrorKind::Transient, why)),
            };
            match self.attempt(&part, &lessons).await? {
                Attempt::Landed(outcome) => {
                    let settled = part.into_iter().map(|item| (item, outcome.clone())).collect();
                    return Ok(Sorted { settled, parts: VecDeque::new() });
                }
                Attempt::Dead(last) => {
                    overdue(format!("no block up to {} took the transaction", last.to_u64()))?;
                }
                Attempt::Told(Told::WrongSequence(expected)) => {
                    overdue(format!("account sequence could not be settled, the node expects {expected}"))?;
                    self.learn_sequence(expected, lessons.deadline).await?;
                    pause.wait_longer().await;
                }
                Attempt::Told(Told::Late) => {
                    overdue("node is ahead of the node that simulates".to_owned())?;
                    pause.wait_longer().await;
                }
                // Once: what a message does may have grown since simulation, such as reaching a quorum.
                Attempt::Told(Told::OutOfGas(_)) if lessons.gas_percent == self.config.gas_percent => {
                    lessons.gas_percent = lessons.gas_percent.saturating_mul(2);
                }
                Attempt::Told(Told::TooBig(result) | Told::OutOfGas(result)) => {
                    return Ok(halve(part, &result));
                }
                Attempt::Told(Told::TooMuchGas(why)) => return Ok(halve_for_gas(part, why)),
                Attempt::Told(Told::Refused(result)) => return Ok(sort_refusal(part, &result)),
            }
        }
    }

    /// A higher sequence is in use already. A lower one is a node that lags behind, which is waited for, unless the
    /// account says the same at a height that is not behind.
    async fn learn_sequence(&mut self, expected: u64, deadline: Instant) -> Result<()> {
        match self.account {
            Some(used) if expected > used.sequence => {
                self.account = Some(AccountState { sequence: expected, ..used });
            }
            Some(_) | None => {
                self.account = None;
                // A refusal here is met again, and told, by the next attempt.
                let _ = self.account_state(deadline).await?;
            }
        }
        Ok(())
    }

    async fn account_state(
        &mut self,
        deadline: Instant,
    ) -> Result<std::result::Result<AccountState, Refused>> {
        if let Some(known) = self.account {
            return Ok(Ok(known));
        }
        let fetched =
            self.patiently(deadline, || fetch_account(self.rpc.as_ref(), self.key.account())).await?;
        Ok(fetched.map(|read| {
            let state = match self.certain {
                Some(certain) if read.height < certain.height => {
                    AccountState { sequence: read.state.sequence.max(certain.state.sequence), ..read.state }
                }
                Some(_) | None => read.state,
            };
            self.account = Some(state);
            state
        }))
    }

    async fn attempt(&mut self, part: &[Item], lessons: &Lessons) -> Result<Attempt> {
        let account = match self.account_state(lessons.deadline).await? {
            Ok(account) => account,
            Err(refused) => return Ok(Attempt::Told(Told::Refused(refused.into()))),
        };
        let messages: Vec<Any> = part.iter().map(|item| item.any.clone()).collect();
        let simulation = build_simulation(&self.key, account, messages.clone());
        let simulated = self.patiently(lessons.deadline, || self.simulate(&simulation)).await?;
        let (gas_used, height) = match simulated {
            Ok(simulated) => simulated,
            Err(refused) => return Ok(Attempt::Told(told(refused.into()))),
        };
        let Some(limit) = self.gas_limit(gas_used, lessons.gas_percent, part.len()) else {
            let most = self.config.max_gas;
            let log = format!("needs {gas_used} gas, one transaction may have {most}");
            return Ok(Attempt::Told(Told::TooMuchGas(log)));
        };
        let gas = GasAndFee { limit, fee: self.config.gas_price.fee(limit) };
        let last_height = PosHeight::new(height.saturating_add(self.config.lifetime_blocks));
        let signed = sign_tx_until(&self.key, &self.config.chain_id, account, messages, gas, last_height)
            .map_err(|error| broken("signing", error))?;
        self.fly(Flight::new(signed, account.sequence, last_height, part), lessons.deadline).await
    }

    /// Records a signed transaction, hands it over and follows it.
    async fn fly(&mut self, flight: Flight, deadline: Instant) -> Result<Attempt> {
        self.outbox.record(&flight.entry).map_err(|error| broken("recording a transaction", error))?;
        match self.hand_over(&flight.entry.tx, deadline).await {
            Handed::Over => {}
            Handed::Refused(result) => {
                self.ledger.forget(&[flight.entry.hash]);
                return Ok(Attempt::Told(told(result)));
            }
            Handed::Not(error) => {
                self.ledger.forget(&[flight.entry.hash]);
                return Err(error);
            }
        }
        match self.follow(&flight, deadline, Freshness::JustHandedOver).await {
            Ok(end) => self.end_flight(flight, end),
            Err(error) => {
                self.keep(flight);
                Err(error)
            }
        }
    }

    /// Draws the conclusions of a flight's end.
    ///
    /// # Errors
    /// When the outcome of its messages cannot be known.
    pub(super) fn end_flight(&mut self, flight: Flight, end: End) -> Result<Attempt> {
        let Flight { mut entry, messages } = flight;
        match end {
            End::Included(IncludedTx { height, result }) if result.code == 0 => {
                let height = PosHeight::new(height);
                entry.included = Some(height);
                if let Err(error) = self.outbox.record(&entry) {
                    // The next start finds it in its block once more.
                    tracing::warn!(%error, "inclusion of a transaction is not recorded");
                }
                self.ledger.land(entry.hash, height, messages);
                self.use_sequence(entry.sequence, height.to_u64());
                Ok(Attempt::Landed(MessageOutcome::Accepted {
                    tx_hash: hex::encode_upper(entry.hash),
                    height,
                }))
            }
            End::Included(IncludedTx { height, result }) => {
                self.ledger.forget(&[entry.hash]);
                let told = told(result);
                match told {
                    // Refused before its messages were looked at: the sequence is unused.
                    Told::WrongSequence(_) | Told::Late => self.account = None,
                    Told::Refused(_) | Told::TooBig(_) | Told::OutOfGas(_) | Told::TooMuchGas(_) => {
                        self.use_sequence(entry.sequence, height);
                    }
                }
                Ok(Attempt::Told(told))
            }
            End::Dead(account) => {
                self.ledger.forget(&[entry.hash]);
                self.know(account);
                Ok(Attempt::Dead(entry.last_height))
            }
            End::Spent(account) => {
                self.ledger.forget(&[entry.hash]);
                self.know(account);
                let detail = format!(
                    "sequence {} is used and transaction {} is in no block: does another program sign for {}?",
                    entry.sequence,
                    hex::encode_upper(entry.hash),
                    self.key.account(),
                );
                Err(ChainError::new(ErrorKind::Transient, detail))
            }
        }
    }

    fn use_sequence(&mut self, sequence: u64, height: u64) {
        let next = |account: AccountState| AccountState { sequence: sequence.saturating_add(1), ..account };
        self.account = self.account.map(next);
        // The number is the chain's to tell; only the sequence counts here.
        let state = next(self.account.unwrap_or(AccountState { number: 0, sequence }));
        self.certain = Some(ReadAccount { state, height });
    }

    fn know(&mut self, account: ReadAccount) {
        self.account = Some(account.state);
        self.certain = Some(account);
    }

    /// Repeats a read that fails for a passing reason. Only what has sent nothing may be repeated so.
    async fn patiently<T, F>(&self, deadline: Instant, read: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut pause = Pause::new(self.config.poll_interval);
        loop {
            match read().await {
                Err(error) if error.is_transient() && Instant::now() < deadline => pause.wait_longer().await,
                answer => return answer,
            }
        }
    }

    /// Gas used, and the height of the state it was simulated on.
    async fn simulate(&self, request: &SimulateRequest) -> Result<AnsweredAt<u64>> {
        let (response, height) = match ask_at(self.rpc.as_ref(), request).await? {
            Ok(answered) => answered,
            // A handler's own "internal" error is an answer.
            Err(refused) if refused.is_trouble() && !was_executed(&refused.log) => {
                return Err(refused.into_chain_error());
            }
            Err(refused) => return Ok(Err(refused)),
        };
        let info = response.gas_info.ok_or_else(|| broken("simulation", "answer has no gas"))?;
        if height == 0 {
            return Err(broken("simulation", "answer names no height"));
        }
        Ok(Ok((info.gas_used, height)))
    }

    /// The limit for simulated gas. Above the cap a single message gets the cap, several are split.
    fn gas_limit(&self, gas_used: u64, percent: u32, messages: usize) -> Option<u64> {
        let scaled = u128::from(gas_used).saturating_mul(u128::from(percent)).div_ceil(100).max(1);
        match u64::try_from(scaled) {
            Ok(limit) if limit <= self.config.max_gas => Some(limit),
            Ok(_) | Err(_) => {
                (messages == 1 && gas_used <= self.config.max_gas).then_some(self.config.max_gas)
            }
        }
    }
}
