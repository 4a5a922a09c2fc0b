//! One batch from simulation to its fate.

use super::{BabylonSender, account::fetch_account, batch::Item};
use crate::{
    errors::{Failure, expected_sequence, failed_message_index, outcome},
    proto::{Any, SimulateRequest},
    reader::query::{Refused, ask, broken},
    rpc::{IncludedTx, RpcError, TxResult},
    tx::{AccountState, GasAndFee, SignedTx, build_simulation, sign_tx},
};
use btc_staking_pos_chain::{ChainError, ErrorKind, MessageOutcome, Result};
use btc_staking_protocol::height::PosHeight;
use std::collections::VecDeque;
use tokio::time::Instant;

/// What one attempt with a batch led to.
enum Attempt {
    /// All messages are in this block.
    Included(IncludedTx, SignedTx),
    /// The chain refuses, and says which message it is if it can.
    Refused(TxResult),
    /// The transaction needs more gas than one transaction may have.
    TooBig(TxResult),
    /// The sequence was wrong; try again with the one the chain expects.
    WrongSequence(u64),
    /// The limit was too low by the time of execution; try again with a higher one.
    OutOfGas(TxResult),
}

/// What was learned for later attempts with one batch.
struct Lessons {
    deadline: Instant,
    gas_percent: u32,
}

impl BabylonSender {
    /// Sends a batch and whatever parts it falls into, until every message has its outcome.
    pub(super) async fn send_batch(
        &self,
        state: &mut Option<AccountState>,
        batch: Vec<Item>,
        outcomes: &mut [Option<MessageOutcome>],
    ) -> Result<()> {
        let mut parts = VecDeque::from([batch]);
        while let Some(part) = parts.pop_front() {
            if part.is_empty() {
                continue;
            }
            match self.attempt(state, &part).await? {
                Attempt::Included(tx, signed) => {
                    let height = PosHeight::new(tx.height);
                    for item in &part {
                        let tx_hash = signed.hash_text();
                        outcomes[item.position] = Some(MessageOutcome::Accepted { tx_hash, height });
                    }
                }
                Attempt::Refused(result) => refuse(part, &result, outcomes, &mut parts),
                Attempt::TooBig(result) | Attempt::OutOfGas(result) => {
                    halve(part, &result, outcomes, &mut parts);
                }
                Attempt::WrongSequence(_) => {
                    return Err(ChainError::new(
                        ErrorKind::Transient,
                        "account sequence could not be settled",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Tries until the deadline: a wrong sequence and a limit that was too low are learned from.
    async fn attempt(&self, state: &mut Option<AccountState>, part: &[Item]) -> Result<Attempt> {
        let mut lessons =
            Lessons { deadline: Instant::now() + self.config.deadline, gas_percent: self.config.gas_percent };
        loop {
            let account = match self.account_state(state, lessons.deadline).await? {
                Ok(account) => account,
                Err(refused) => return Ok(Attempt::Refused(refused.into())),
            };
            let attempt = self.attempt_once(state, account, part, &lessons).await?;
            match attempt {
                Attempt::WrongSequence(expected) if Instant::now() < lessons.deadline => {
                    self.learn_sequence(state, account, expected).await;
                }
                // Once: what a message does may have grown since simulation, such as reaching a quorum.
                Attempt::OutOfGas(_) if lessons.gas_percent == self.config.gas_percent => {
                    lessons.gas_percent = lessons.gas_percent.saturating_mul(2);
                }
                other => return Ok(other),
            }
        }
    }

    /// A higher sequence is ours already, from transactions the account query does not show. A lower one is a node that
    /// lags behind: signing with it again would make a transaction that can never be included, so we wait for the node.
    async fn learn_sequence(&self, state: &mut Option<AccountState>, used: AccountState, expected: u64) {
        if expected > used.sequence {
            *state = Some(AccountState { sequence: expected, ..used });
        } else {
            tokio::time::sleep(self.config.poll_interval).await;
        }
    }

    async fn account_state(
        &self,
        state: &mut Option<AccountState>,
        deadline: Instant,
    ) -> Result<std::result::Result<AccountState, Refused>> {
        if let Some(known) = *state {
            return Ok(Ok(known));
        }
        let fetch = || fetch_account(self.rpc.as_ref(), self.key.account());
        let fetched = self.patiently(deadline, fetch).await?;
        if let Ok(account) = &fetched {
            *state = Some(*account);
        }
        Ok(fetched)
    }

    async fn attempt_once(
        &self,
        state: &mut Option<AccountState>,
        account: AccountState,
        part: &[Item],
        lessons: &Lessons,
    ) -> Result<Attempt> {
        let messages: Vec<Any> = part.iter().map(|item| item.any.clone()).collect();
        let simulation = build_simulation(&self.key, account, messages.clone());
        let gas_used = match self.patiently(lessons.deadline, || self.simulate(&simulation)).await? {
            Ok(gas_used) => gas_used,
            Err(refused) => return Ok(told(refused.into())),
        };
        let Some(limit) = self.gas_limit(gas_used, lessons.gas_percent, part.len()) else {
            let log = format!("needs {gas_used} gas, more than one transaction may have");
            return Ok(Attempt::TooBig(TxResult { log, ..TxResult::default() }));
        };
        let gas = GasAndFee { limit, fee: self.config.gas_price.fee(limit) };
        let signed = sign_tx(&self.key, &self.config.chain_id, account, messages, gas)
            .map_err(|error| broken("signing", error))?;
        if let Some(refused) = self.broadcast(&signed, lessons.deadline).await? {
            return Ok(told(refused));
        }
        // From here on the sequence is used, whatever becomes of the messages.
        *state = Some(AccountState { sequence: account.sequence.saturating_add(1), ..account });
        let included = self.await_inclusion(&signed).await?;
        if included.result.code == 0 {
            return Ok(Attempt::Included(included, signed));
        }
        Ok(told(included.result))
    }

    /// Repeats a read that fails for a passing reason. Only what has sent nothing may be repeated so.
    async fn patiently<T, F>(&self, deadline: Instant, read: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        loop {
            match read().await {
                Err(error) if error.is_transient() && Instant::now() < deadline => {
                    tokio::time::sleep(self.config.poll_interval).await;
                }
                answer => return answer,
            }
        }
    }

    async fn simulate(&self, request: &SimulateRequest) -> Result<std::result::Result<u64, Refused>> {
        let response = match ask(self.rpc.as_ref(), request).await? {
            Ok(response) => response,
            Err(refused) if refused.is_trouble() => return Err(refused.into_chain_error()),
            Err(refused) => return Ok(Err(refused)),
        };
        let info = response.gas_info.ok_or_else(|| broken("simulation", "answer has no gas"))?;
        Ok(Ok(info.gas_used))
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

    /// Hands the transaction to the node. Returns a refusal, or nothing when the node has it or may have it.
    async fn broadcast(&self, tx: &SignedTx, deadline: Instant) -> Result<Option<TxResult>> {
        loop {
            match self.rpc.broadcast_tx_sync(tx.bytes.clone()).await {
                // 19 is what the SDK's own service says of a transaction it already has.
                Ok(result) if result.code == 0 || is_sdk(&result, 19) => return Ok(None),
                Ok(result) if is_sdk(&result, 20) && Instant::now() < deadline => {}
                Ok(result) => return Ok(Some(result)),
                Err(error) if error.is_duplicate_tx() => return Ok(None),
                Err(error) if error.is_busy_mempool() && Instant::now() < deadline => {}
                Err(error) if error.is_tx_too_large() => return Ok(Some(too_large(&error))),
                // The node may have it although its answer did not arrive.
                Err(RpcError::Unreachable(_)) => return Ok(None),
                Err(error) => return Err(error.into_chain_error("broadcast")),
            }
            tokio::time::sleep(self.config.poll_interval).await;
        }
    }

    async fn await_inclusion(&self, tx: &SignedTx) -> Result<IncludedTx> {
        let deadline = Instant::now() + self.config.deadline;
        loop {
            let trouble = match self.rpc.tx(tx.hash).await {
                Ok(Some(included)) => return Ok(included),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if Instant::now() >= deadline {
                return Err(fate_unknown(tx, trouble, self.config.deadline));
            }
            tokio::time::sleep(self.config.poll_interval).await;
        }
    }
}

fn fate_unknown(tx: &SignedTx, trouble: Option<RpcError>, waited: std::time::Duration) -> ChainError {
    let seen = trouble.map_or_else(|| "it is in no block".to_owned(), |error| error.to_string());
    let detail = format!(
        "fate of transaction {} unknown after {} s ({seen}), re-read the chain before sending again",
        tx.hash_text(),
        waited.as_secs(),
    );
    ChainError::new(ErrorKind::Transient, detail)
}

fn is_sdk(result: &TxResult, code: u32) -> bool {
    result.codespace == "sdk" && result.code == code
}

fn too_large(error: &RpcError) -> TxResult {
    TxResult { code: 21, codespace: "sdk".to_owned(), log: error.to_string() }
}

impl From<Refused> for TxResult {
    fn from(refused: Refused) -> Self {
        Self { code: refused.code, codespace: refused.codespace, log: refused.log }
    }
}

/// Sorts a refusal by what can be done about it.
fn told(result: TxResult) -> Attempt {
    let log = result.log.to_lowercase();
    if let Some(expected) = expected_sequence(&log) {
        return Attempt::WrongSequence(expected);
    }
    if is_sdk(&result, 11) || log.contains("out of gas") {
        return Attempt::OutOfGas(result);
    }
    if is_sdk(&result, 21) {
        return Attempt::TooBig(result);
    }
    Attempt::Refused(result)
}

/// Gives the message the chain names its outcome and sends the others again. A refusal that names none concerns the one
/// message there is, or is looked for by sending each alone.
fn refuse(
    part: Vec<Item>,
    result: &TxResult,
    outcomes: &mut [Option<MessageOutcome>],
    parts: &mut VecDeque<Vec<Item>>,
) {
    let named = failed_message_index(&result.log).filter(|index| *index < part.len());
    match named.or((part.len() == 1).then_some(0)) {
        Some(index) => {
            let mut rest = part;
            let failed = rest.remove(index);
            outcomes[failed.position] = Some(outcome_of(result));
            parts.push_front(rest);
        }
        None if concerns_account(result) => {
            for item in part {
                outcomes[item.position] = Some(outcome_of(result));
            }
        }
        None => part.into_iter().rev().for_each(|item| parts.push_front(vec![item])),
    }
}

/// Sends the halves of a batch that is too big for one transaction; a single message is refused.
fn halve(
    mut part: Vec<Item>,
    result: &TxResult,
    outcomes: &mut [Option<MessageOutcome>],
    parts: &mut VecDeque<Vec<Item>>,
) {
    if let [only] = part.as_slice() {
        outcomes[only.position] = Some(outcome_of(result));
        return;
    }
    let second = part.split_off(part.len() / 2);
    parts.push_front(second);
    parts.push_front(part);
}

/// Whether the refusal is about who pays and signs, so that no message alone would fare better.
fn concerns_account(result: &TxResult) -> bool {
    use btc_staking_pos_chain::message::RefusalKind;
    let insufficient = match outcome_of(result) {
        MessageOutcome::Refused(refusal) => refusal.kind == RefusalKind::InsufficientFunds,
        MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) | MessageOutcome::Unknown(_) => {
            false
        }
    };
    insufficient || is_sdk(result, 4) || is_sdk(result, 8) || is_sdk(result, 13)
}

fn outcome_of(result: &TxResult) -> MessageOutcome {
    let failure = Failure { codespace: &result.codespace, code: result.code, log: &result.log };
    match outcome(&failure) {
        // An account nobody ever funded is not found (`sdk/22`).
        MessageOutcome::Refused(mut refusal) if is_missing_account(result) => {
            refusal.kind = btc_staking_pos_chain::message::RefusalKind::InsufficientFunds;
            MessageOutcome::Refused(refusal)
        }
        other => other,
    }
}

fn is_missing_account(result: &TxResult) -> bool {
    is_sdk(result, 22) && result.log.to_lowercase().contains("account")
}
