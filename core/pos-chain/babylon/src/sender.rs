//! Sends messages from one account and follows each to its fate: [`BabylonSender`] implements `Submitter`.
//!
//! One transaction of the account is under way at a time, because a sequence is used once. Messages are grouped in
//! order into batches (`batch`): refundable ones never with others, none twice in one transaction, bounded in number
//! and bytes. Each batch is simulated, signed, broadcast and polled until it is in a block; when the chain names a
//! message as the one that fails, that message gets its outcome and the others go again without it.
//!
//! What is not known is not guessed: a transaction that neither appears nor is refused before the deadline makes
//! `submit` fail, and the caller re-reads the chain. Spec: `wire.md` 4.2 to 4.5.

mod account;
mod batch;
mod send;

use crate::{
    convert::message::{encode_message, is_refundable},
    rpc::Rpc,
    tx::{AccountKey, AccountState, GasPrice},
};
use async_trait::async_trait;
use btc_staking_pos_chain::{ChainMessage, MessageOutcome, Refusal, Result, Submitter, message::RefusalKind};
use btc_staking_protocol::keys::AccountAddress;
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::Mutex;

/// How transactions are made and awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderConfig {
    /// Chain id; part of every signature.
    pub chain_id: String,
    /// Price of a unit of gas.
    pub gas_price: GasPrice,
    /// Gas limit in percent of the simulated gas; covers what changes until execution.
    pub gas_percent: u32,
    /// Largest gas limit; nodes refuse more than 10,000,000 by default.
    pub max_gas: u64,
    /// Most messages in a transaction.
    pub max_messages: usize,
    /// Most bytes of messages in a transaction; a node takes about 740,000.
    pub max_bytes: usize,
    /// How long a transaction may take into a block before its fate counts as unknown.
    pub deadline: Duration,
    /// Pause between looks for it.
    pub poll_interval: Duration,
}

impl SenderConfig {
    /// The reference client's price for `chain_id`, and the factor its finality provider daemon uses.
    pub fn new(chain_id: impl Into<String>) -> Self {
        Self {
            chain_id: chain_id.into(),
            gas_price: GasPrice::default(),
            gas_percent: 150,
            max_gas: 10_000_000,
            max_messages: 50,
            max_bytes: 500_000,
            deadline: Duration::from_secs(60),
            poll_interval: Duration::from_millis(500),
        }
    }
}

/// Why a sender cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSenderConfig {
    /// Nothing could be signed for it.
    #[error("chain id is empty")]
    NoChainId,
    /// Transactions would run out of gas.
    #[error("gas limit of {0} percent of the simulated gas is too low, it must be at least 100")]
    GasPercent(u32),
    /// Nothing could be sent.
    #[error("{0} is zero, it must be positive")]
    Zero(&'static str),
}

/// Sends messages from one account. Make one per account and share it.
pub struct BabylonSender {
    rpc: Arc<dyn Rpc>,
    key: AccountKey,
    config: SenderConfig,
    /// The account as of its last transaction; empty when it must be read. The lock serialises transactions.
    state: Mutex<Option<AccountState>>,
}

impl BabylonSender {
    /// Prepares a sender; nothing is sent yet. `rpc` may be a reader's, see
    /// [`BabylonReader::rpc`](crate::reader::BabylonReader::rpc).
    ///
    /// # Errors
    /// [`InvalidSenderConfig`].
    pub fn new(
        rpc: Arc<dyn Rpc>,
        key: AccountKey,
        config: SenderConfig,
    ) -> std::result::Result<Self, InvalidSenderConfig> {
        check_config(&config)?;
        Ok(Self { rpc, key, config, state: Mutex::new(None) })
    }
}

fn check_config(config: &SenderConfig) -> std::result::Result<(), InvalidSenderConfig> {
    if config.chain_id.is_empty() {
        return Err(InvalidSenderConfig::NoChainId);
    }
    if config.gas_percent < 100 {
        return Err(InvalidSenderConfig::GasPercent(config.gas_percent));
    }
    let positive = [
        ("max_gas", config.max_gas > 0),
        ("max_messages", config.max_messages > 0),
        ("max_bytes", config.max_bytes > 0),
        ("deadline", !config.deadline.is_zero()),
    ];
    match positive.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(InvalidSenderConfig::Zero(field)),
        None => Ok(()),
    }
}

#[async_trait]
impl Submitter for BabylonSender {
    fn account(&self) -> &AccountAddress {
        self.key.account()
    }

    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>> {
        let mut outcomes: Vec<Option<MessageOutcome>> = vec![None; messages.len()];
        let mut encoded = Vec::with_capacity(messages.len());
        for (position, message) in messages.iter().enumerate() {
            match encode_message(message, self.key.account()) {
                Ok(any) => encoded.push(batch::Item { position, refundable: is_refundable(message), any }),
                Err(error) => outcomes[position] = Some(refused_here(error.to_string())),
            }
        }
        let mut state = self.state.lock().await;
        let batches = batch::split(encoded, self.config.max_messages, self.config.max_bytes);
        for batch in batches {
            if let Err(error) = self.send_batch(&mut state, batch, &mut outcomes).await {
                // What the account's sequence is now is as unknown as the transaction's fate.
                *state = None;
                if outcomes.iter().all(Option::is_none) {
                    return Err(error);
                }
                let unknown = || MessageOutcome::Unknown(error.clone());
                return Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect());
            }
        }
        let unanswered = || refused_here("message was not sent".to_owned());
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect())
    }
}

/// A message that could not even be encoded.
fn refused_here(text: String) -> MessageOutcome {
    MessageOutcome::Refused(Refusal { kind: RefusalKind::Other, codespace: String::new(), code: 0, text })
}

#[cfg(test)]
mod tests;
