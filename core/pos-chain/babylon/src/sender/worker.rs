//! The one task that signs for an account.
//!
//! It takes what callers hand in, groups it, and sends one transaction at a time: a sequence is used once, and the next
//! transaction is signed when the fate of the one before is known. What waits meanwhile goes together into the next, so
//! that many callers of one account share few transactions.
//!
//! Before anything else it looks after transactions without an end: those of the program before a restart, and those
//! whose callers were told "unknown". Nothing is signed while there is one.

use super::{
    SenderConfig,
    account::ReadAccount,
    batch::{Item, take_batch},
    fate::Sorted,
    flight::{Flight, Freshness},
    ledger::{Ledger, Owned, RequestId, digest},
};
use crate::{
    rpc::Rpc,
    tx::{AccountKey, AccountState, read_tx},
};
use btc_staking_pos_chain::{ChainError, ErrorKind, MessageOutcome, Outbox, OutboxEntry, Result};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// What a caller hands in.
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) items: Vec<Item>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What a caller is told: outcomes by position, and why others are missing.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcomes: Vec<(usize, MessageOutcome)>,
    pub(super) missing: Option<ChainError>,
}

struct Pending {
    answer: oneshot::Sender<Answer>,
    outcomes: Vec<(usize, MessageOutcome)>,
    left: usize,
    since: Instant,
}

/// See the module.
pub(super) struct Worker {
    pub(super) rpc: Arc<dyn Rpc>,
    pub(super) key: AccountKey,
    pub(super) config: SenderConfig,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) ledger: Arc<Ledger>,
    /// The account as of its last transaction; empty when it must be read.
    pub(super) account: Option<AccountState>,
    /// The newest state of the account that is certain, which a node that lags behind does not take back.
    pub(super) certain: Option<ReadAccount>,
    /// Transactions without an end, by sequence.
    flights: VecDeque<Flight>,
    queue: VecDeque<Item>,
    pending: BTreeMap<RequestId, Pending>,
    requests: mpsc::Receiver<Request>,
}

impl Worker {
    pub(super) fn new(
        rpc: Arc<dyn Rpc>,
        key: AccountKey,
        config: SenderConfig,
        outbox: Arc<dyn Outbox>,
        ledger: Arc<Ledger>,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            rpc,
            key,
            config,
            outbox,
            ledger,
            account: None,
            certain: None,
            flights: VecDeque::new(),
            queue: VecDeque::new(),
            pending: BTreeMap::new(),
            requests,
        }
    }

    /// Works until every handle of the sender is gone.
    pub(super) async fn run(mut self) {
        if let Err(error) = self.recover() {
            tracing::error!(%error, account = %self.key.account(), "nothing is sent from this account");
            while let Some(request) = self.requests.recv().await {
                // A caller that is gone needs no answer.
                let _ = request.answer.send(Answer { outcomes: Vec::new(), missing: Some(error.clone()) });
            }
            return;
        }
        loop {
            while let Ok(request) = self.requests.try_recv() {
                self.admit(request);
            }
            self.drop_withdrawn();
            if let Some(flight) = self.flights.pop_front() {
                self.end_leftover(flight).await;
                continue;
            }
            self.tell_orphans();
            let batch = take_batch(&mut self.queue, self.config.max_messages, self.config.max_bytes);
            if !batch.is_empty() {
                self.send_batch(batch).await;
                continue;
            }
            match self.requests.recv().await {
                Some(request) => self.admit(request),
                None => return,
            }
        }
    }

    /// Takes over what an earlier program left.
    fn recover(&mut self) -> Result<()> {
        let broken = |why: String| ChainError::new(ErrorKind::Broken, why);
        let mut entries = self.outbox.entries().map_err(|error| broken(error.to_string()))?;
        entries.sort_by_key(|entry| entry.sequence);
        for entry in entries {
            let messages = self.check_entry(&entry).map_err(|why| {
                broken(format!("outbox entry {} is not ours: {why}", hex::encode_upper(entry.hash)))
            })?;
            match entry.included {
                Some(height) => self.ledger.land(entry.hash, height, messages),
                None => self.flights.push_back(Flight { entry, messages }),
            }
        }
        Ok(())
    }

    fn check_entry(&self, entry: &OutboxEntry) -> std::result::Result<Vec<Owned>, &'static str> {
        if entry.hash != <[u8; 32]>::from(Sha256::digest(&entry.tx)) {
            return Err("hash is not that of the bytes");
        }
        let tx = read_tx(&entry.tx)?;
        if tx.public_key != self.key.public_key() {
            return Err("it is signed by another account");
        }
        if tx.sequence != entry.sequence {
            return Err("it uses another sequence");
        }
        Ok(tx.messages.iter().map(|message| (None, digest(message))).collect())
    }

    fn admit(&mut self, request: Request) {
        let Request { id, items, answer } = request;
        let pending = Pending { answer, outcomes: Vec::new(), left: items.len(), since: Instant::now() };
        self.pending.insert(id, pending);
        self.queue.extend(items);
    }

    /// What has not left yet and nobody waits for is not sent.
    fn drop_withdrawn(&mut self) {
        self.pending.retain(|_, pending| !pending.answer.is_closed());
        let pending = &self.pending;
        self.queue.retain(|item| pending.contains_key(&item.request));
    }

    /// Messages that landed for callers who are gone are not sent again.
    fn tell_orphans(&mut self) {
        if !self.ledger.has_orphans() {
            return;
        }
        for item in std::mem::take(&mut self.queue) {
            match self.ledger.claim(&item.digest, item.request) {
                Some((hash, height)) => {
                    let outcome = MessageOutcome::Accepted { tx_hash: hex::encode_upper(hash), height };
                    self.settle(&item, outcome);
                }
                None => self.queue.push_back(item),
            }
        }
    }

    async fn end_leftover(&mut self, flight: Flight) {
        let until = Instant::now() + self.config.deadline;
        match self.follow(&flight, until, Freshness::Recovered).await {
            Ok(end) => {
                let hash = flight.hash_text();
                let end = self.end_flight(flight, end);
                tracing::info!(tx_hash = hash, ?end, "transaction of an earlier call has its end");
            }
            Err(error) => {
                self.flights.push_front(flight);
                self.give_up_overdue(&error);
            }
        }
    }

    /// Sends a batch and whatever parts it falls into, until every message has its outcome.
    async fn send_batch(&mut self, batch: Vec<Item>) {
        let mut parts = VecDeque::from([batch]);
        while let Some(mut part) = parts.pop_front() {
            part.retain(|item| self.pending.get(&item.request).is_some_and(|p| !p.answer.is_closed()));
            if part.is_empty() {
                continue;
            }
            let mut requests: BTreeSet<RequestId> = part.iter().map(|item| item.request).collect();
            match self.send_part(part).await {
                Ok(Sorted { settled, parts: rest }) => {
                    for (item, outcome) in settled {
                        self.settle(&item, outcome);
                    }
                    for part in rest.into_iter().rev() {
                        parts.push_front(part);
                    }
                }
                Err(error) => {
                    requests.extend(parts.drain(..).flatten().map(|item| item.request));
                    self.give_up(&requests, &error);
                    self.give_up_overdue(&error);
                }
            }
        }
    }

    fn settle(&mut self, item: &Item, outcome: MessageOutcome) {
        let Some(pending) = self.pending.get_mut(&item.request) else { return };
        pending.outcomes.push((item.position, outcome));
        pending.left = pending.left.saturating_sub(1);
        if pending.left == 0
            && let Some(Pending { answer, outcomes, .. }) = self.pending.remove(&item.request)
        {
            // A caller that is gone left orphans, which the ledger knows.
            let _ = answer.send(Answer { outcomes, missing: None });
        }
    }

    /// Tells callers what is known, and that the rest is not. Nothing more of theirs is sent.
    fn give_up(&mut self, requests: &BTreeSet<RequestId>, error: &ChainError) {
        self.queue.retain(|item| !requests.contains(&item.request));
        for request in requests {
            // From here on what lands for them is an orphan: they are told "unknown".
            self.ledger.close(*request);
            if let Some(Pending { answer, outcomes, .. }) = self.pending.remove(request) {
                let _ = answer.send(Answer { outcomes, missing: Some(error.clone()) });
            }
        }
    }

    /// Gives up callers who waited for the deadline or longer.
    fn give_up_overdue(&mut self, error: &ChainError) {
        let now = Instant::now();
        let overdue = |pending: &Pending| now.duration_since(pending.since) >= self.config.deadline;
        let requests: BTreeSet<_> =
            self.pending.iter().filter(|(_, pending)| overdue(pending)).map(|(id, _)| *id).collect();
        self.give_up(&requests, error);
    }

    /// Keeps a transaction whose end did not come in time.
    pub(super) fn keep(&mut self, flight: Flight) {
        self.flights.push_back(flight);
    }
}
