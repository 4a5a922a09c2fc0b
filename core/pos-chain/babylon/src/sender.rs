//! Sends messages from one account and follows each to its fate: [`BabylonSender`] implements `Submitter`.
//!
//! | file | what it does |
//! |---|---|
//! | `worker` | the one task that signs: takes what callers hand in, groups it, settles one transaction after another |
//! | `batch` | grouping: refundable messages never with others, none twice, bounded in number and bytes |
//! | `attempt` | one batch: simulated, priced, signed, recorded, handed over, followed |
//! | `flight` | one transaction to its end: included, dead, or its sequence spent by somebody else |
//! | `fate` | what a refusal asks for; the batch is split around the message that fails |
//! | `ledger` | what landed and was not told yet; told to whoever sends the same again |
//!
//! Every transaction is valid up to a block and recorded in an [`Outbox`] before a node sees it. So a message is sent
//! again only when its transaction provably can be in no block any more, whatever nodes, network and this program did
//! meanwhile; and a program that is started again finds what it left. What is not known is not guessed: it is told as
//! unknown, and the caller reads the chain. Spec: `wire.md` 4.2 to 4.5.

mod account;
mod attempt;
mod batch;
mod fate;
mod flight;
mod ledger;
mod pause;
mod worker;

use crate::{
    convert::message::{encode_message, is_refundable},
    rpc::Rpc,
    tx::{AccountKey, GasPrice},
};
use async_trait::async_trait;
use btc_staking_pos_chain::{
    ChainError, ChainMessage, ErrorKind, MemoryOutbox, MessageOutcome, Outbox, Result, Submitter,
};
use btc_staking_protocol::keys::AccountAddress;
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Calls of `submit` that may wait for the worker to look at them; more wait in the caller.
const QUEUE: usize = 256;

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
    /// Blocks a transaction may take into one; after them it provably never will.
    pub lifetime_blocks: u64,
    /// How long a batch may take before its fate counts as unknown; longer than `lifetime_blocks` take.
    pub deadline: Duration,
    /// Pause between looks for a transaction.
    pub poll_interval: Duration,
    /// Pause between looks whether the node still has it; one that lost it is handed the same bytes again.
    pub resend_interval: Duration,
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
            lifetime_blocks: 10,
            deadline: Duration::from_secs(150),
            poll_interval: Duration::from_millis(500),
            resend_interval: Duration::from_secs(5),
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
    /// The task that sends needs an async runtime around it.
    #[error("no async runtime is running here")]
    NoRuntime,
}

/// Sends messages from one account. Make one per account and share it: two would fight over the sequence.
///
/// Its task stops when it is dropped; what is on its way then stays in the outbox.
pub struct BabylonSender {
    account: AccountAddress,
    requests: mpsc::Sender<worker::Request>,
    ledger: Arc<ledger::Ledger>,
    worker: JoinHandle<()>,
}

impl Drop for BabylonSender {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl BabylonSender {
    /// Starts a sender that remembers what is on its way as long as it lives. `rpc` may be a reader's, see
    /// [`BabylonReader::rpc`](crate::reader::BabylonReader::rpc).
    ///
    /// # Errors
    /// [`InvalidSenderConfig`].
    pub fn new(
        rpc: Arc<dyn Rpc>,
        key: AccountKey,
        config: SenderConfig,
    ) -> std::result::Result<Self, InvalidSenderConfig> {
        Self::with_outbox(rpc, key, config, Arc::new(MemoryOutbox::default()))
    }

    /// Starts a sender that remembers what is on its way in `outbox`, and follows what it finds there to its end.
    ///
    /// # Errors
    /// [`InvalidSenderConfig`]. An outbox that cannot be read, or holds what this account did not sign, is told by
    /// every `submit`.
    pub fn with_outbox(
        rpc: Arc<dyn Rpc>,
        key: AccountKey,
        config: SenderConfig,
        outbox: Arc<dyn Outbox>,
    ) -> std::result::Result<Self, InvalidSenderConfig> {
        check_config(&config)?;
        let runtime = Handle::try_current().map_err(|_| InvalidSenderConfig::NoRuntime)?;
        let (requests, receiver) = mpsc::channel(QUEUE);
        let ledger = ledger::Ledger::new(Arc::clone(&outbox));
        let account = key.account().clone();
        let worker = worker::Worker::new(rpc, key, config, outbox, Arc::clone(&ledger), receiver);
        Ok(Self { account, requests, ledger, worker: runtime.spawn(worker.run()) })
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
        ("lifetime_blocks", config.lifetime_blocks > 0),
        ("deadline", !config.deadline.is_zero()),
        ("poll_interval", !config.poll_interval.is_zero()),
    ];
    match positive.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(InvalidSenderConfig::Zero(field)),
        None => Ok(()),
    }
}

#[async_trait]
impl Submitter for BabylonSender {
    fn account(&self) -> &AccountAddress {
        &self.account
    }

    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>> {
        let mut outcomes: Vec<Option<MessageOutcome>> = vec![None; messages.len()];
        let waiting = self.ledger.open();
        let items = self.encode(waiting.request, &messages, &mut outcomes);
        let mut missing = None;
        if !items.is_empty() {
            let (answer, told) = oneshot::channel();
            let request = worker::Request { id: waiting.request, items, answer };
            self.requests.send(request).await.map_err(|_| stopped())?;
            let answer = told.await.map_err(|_| stopped())?;
            for (position, outcome) in answer.outcomes {
                if let Some(place) = outcomes.get_mut(position) {
                    *place = Some(outcome);
                }
            }
            missing = answer.missing;
        }
        // Nothing is awaited from here on: what is told reaches the caller.
        waiting.tell();
        if let Some(error) = &missing
            && outcomes.iter().all(Option::is_none)
        {
            return Err(error.clone());
        }
        let unknown = || MessageOutcome::Unknown(missing.clone().unwrap_or_else(stopped));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect())
    }
}

impl BabylonSender {
    /// Encodes messages; one that cannot be has its outcome at once.
    fn encode(
        &self,
        request: ledger::RequestId,
        messages: &[ChainMessage],
        outcomes: &mut [Option<MessageOutcome>],
    ) -> Vec<batch::Item> {
        let mut items = Vec::with_capacity(messages.len());
        for (position, (message, outcome)) in messages.iter().zip(outcomes).enumerate() {
            match encode_message(message, &self.account) {
                Ok(any) => {
                    let (refundable, digest) = (is_refundable(message), ledger::digest(&any));
                    items.push(batch::Item { request, position, refundable, digest, any });
                }
                Err(error) => *outcome = Some(fate::refused_here(error.to_string())),
            }
        }
        items
    }
}

/// The worker ended while somebody waits: the sender is being dropped, or the worker died of a fault of ours.
fn stopped() -> ChainError {
    ChainError::new(ErrorKind::Broken, "sender has stopped, re-read the chain before sending again")
}

#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;
