//! The file that awaits: asks both chains, feeds the machines, performs their actions.
//!
//! Blocks go to the wallet and to the watch in one commit with the follower's place. An action that records is durable
//! before the next is performed; whatever is lost in between is asked for again by the next command.

use crate::{
    keys::Keys,
    machine::{Action, Event, Machine, Report},
    position::{Position, watch_stake},
    records::{Identity, Records},
    stake::{DamagedStake, Step},
    wallet::{CannotOpen, DoesNotConnect, Wallet},
};
use bitcoin::{OutPoint, Transaction, Txid};
use btc_staking_bitcoin_node::{
    BlockRef, BlockSource, BroadcastOutcome, Broadcaster, NodeError, OutputSource, UtxoView,
    follower::{Cursor, DEFAULT_WINDOW, FollowError, Follower},
    watch::Watch,
};
use btc_staking_daemon::{
    clock::Clock,
    entropy::{Entropy, EntropyError},
};
use btc_staking_pos_chain::{ChainError, PosChain, Submitter};
use btc_staking_protocol::{delegation::DelegationStatus, height::BtcHeight};
use btc_staking_store::StoreError;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use thiserror::Error;

mod activate;
mod advance;
mod leave;
mod plan;

pub use advance::{Goal, Progress};
pub use leave::{CannotTakeBack, CannotUnbond, Unbonding, WithdrawalOrder, Withdrawn, WithdrawnInput};
pub use plan::{CannotStake, PlannedStake, StakeOrder};

/// Everything asked of a Bitcoin node.
pub trait Bitcoin: BlockSource + OutputSource + Broadcaster {}
impl<T: BlockSource + OutputSource + Broadcaster> Bitcoin for T {}

/// The staking chain: a reader and the account that sends.
#[derive(Clone)]
pub struct ChainAccess {
    /// Reads.
    pub reader: Arc<dyn PosChain>,
    /// Sends.
    pub submitter: Arc<dyn Submitter>,
}

/// What the service runs with besides the chains.
pub struct Surroundings {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives fresh randomness for signatures.
    pub entropy: Arc<dyn Entropy>,
    /// First block that can hold coins of the wallet; read at the first start only.
    pub birthday: BtcHeight,
    /// How often both chains are looked at while waiting.
    pub poll: Duration,
}

/// The staker at work on one data directory.
pub struct Service {
    bitcoin: Arc<dyn Bitcoin>,
    records: Records,
    identity: Identity,
    wallet: Wallet,
    watch: Watch,
    follower: Follower<dyn Bitcoin>,
    machines: BTreeMap<Txid, Machine>,
    damaged: BTreeMap<Txid, DamagedStake>,
    surroundings: Surroundings,
    tip: Option<BlockRef>,
}

/// Why the service could not be opened, or could not go on.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The records failed; the process has to stop.
    #[error("keeping records")]
    Records(#[from] StoreError),
    /// A record is damaged.
    #[error("stake {txid} is damaged")]
    Damaged {
        /// The stake.
        txid: Txid,
        /// What is wrong with it.
        source: Box<DamagedStake>,
    },
    /// The wallet cannot be opened.
    #[error("opening the wallet")]
    Wallet(#[from] CannotOpen),
    /// A block does not fit the wallet.
    #[error("feeding the wallet")]
    Block(#[from] DoesNotConnect),
    /// Following Bitcoin failed.
    #[error("looking at bitcoin")]
    Follow(#[from] FollowError),
    /// A Bitcoin node failed.
    #[error("asking the bitcoin node")]
    Node(#[from] NodeError),
    /// The staking chain failed.
    #[error("asking the staking chain")]
    Chain(#[from] ChainError),
    /// No randomness.
    #[error("signing needs randomness")]
    Entropy(#[from] EntropyError),
    /// The keys are another holder's.
    #[error("the key file holds another phrase than the one these records were made with")]
    OtherKeys,
    /// The wallet could not sign.
    #[error("signing the staking transaction")]
    Sign(#[from] crate::keys::CannotSign),
    /// No stake has this txid.
    #[error("no stake with txid {0} is recorded here")]
    UnknownStake(Txid),
}

impl Service {
    /// Opens records, wallet and watch. Nothing is asked of anybody yet.
    ///
    /// # Errors
    /// [`ServiceError`] when records cannot be read or are of another wallet. A stake that cannot be rebuilt from its
    /// record is set aside, see [`Service::damaged`].
    pub fn open(
        bitcoin: Arc<dyn Bitcoin>,
        records: Records,
        identity: Identity,
        surroundings: Surroundings,
    ) -> Result<Self, ServiceError> {
        let wallet = match Wallet::load(records.wallet()?, &identity.descriptors, identity.network)? {
            Some(wallet) => wallet,
            None => {
                let mut wallet = Wallet::create(&identity.descriptors, identity.network)?;
                records.record_identity(&identity, wallet.take_changes())?;
                wallet
            }
        };
        let known = records.known()?;
        let cursor =
            known.cursor.unwrap_or_else(|| Cursor::starting_at(surroundings.birthday, DEFAULT_WINDOW));
        let mut service = Self {
            follower: Follower::resume(Arc::clone(&bitcoin), cursor),
            bitcoin,
            identity,
            wallet,
            watch: Watch::new(),
            machines: BTreeMap::new(),
            damaged: BTreeMap::new(),
            surroundings,
            tip: None,
            records,
        };
        for (txid, reason) in service.records.unreadable_stakes()? {
            service.set_aside(txid, DamagedStake::Unreadable(reason));
        }
        for stake in service.records.stakes()? {
            match service.take_up(stake) {
                // The others need their commands. Its record and the locks on its coins stay as they are.
                Err(ServiceError::Damaged { txid, source }) => service.set_aside(txid, *source),
                taken => taken?,
            }
        }
        known.confirmations.into_iter().for_each(|found| service.watch.restore_confirmation(found));
        for (outpoint, spend) in known.spends {
            service.watch.restore_spend(outpoint, spend);
        }
        Ok(service)
    }

    fn take_up(&mut self, stake: crate::stake::Stake) -> Result<(), ServiceError> {
        let txid = stake.txid();
        let machine =
            Machine::new(stake).map_err(|source| ServiceError::Damaged { txid, source: Box::new(source) })?;
        watch_stake(&mut self.watch, machine.checked());
        self.machines.insert(txid, machine);
        Ok(())
    }

    fn set_aside(&mut self, txid: Txid, reason: DamagedStake) {
        tracing::error!(staking_txid = %txid, %reason, "the record of a stake is damaged, the stake is set aside");
        self.damaged.insert(txid, reason);
    }

    /// Whose service this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The wallet.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Every stake.
    pub fn stakes(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// Stakes whose records are damaged: set aside, with what is wrong.
    pub fn damaged(&self) -> &BTreeMap<Txid, DamagedStake> {
        &self.damaged
    }

    /// One stake.
    ///
    /// # Errors
    /// [`ServiceError::UnknownStake`], [`ServiceError::Damaged`].
    pub fn stake(&self, txid: &Txid) -> Result<&Machine, ServiceError> {
        self.machines.get(txid).ok_or_else(|| self.missing(txid))
    }

    fn missing(&self, txid: &Txid) -> ServiceError {
        match self.damaged.get(txid) {
            Some(reason) => ServiceError::Damaged { txid: *txid, source: Box::new(reason.clone()) },
            None => ServiceError::UnknownStake(*txid),
        }
    }

    /// Where a stake's coins are, as of the last look at Bitcoin.
    pub fn position(&self, machine: &Machine) -> Position {
        Position::find(machine.checked(), &self.watch)
    }

    /// The tip as of the last look at Bitcoin.
    pub fn tip(&self) -> Option<BlockRef> {
        self.tip
    }

    /// An address of the wallet to receive at: the next unused one, or a new one.
    ///
    /// # Errors
    /// [`ServiceError::Records`].
    pub fn address(&mut self, new: crate::wallet::NextAddress) -> Result<bitcoin::Address, ServiceError> {
        let address = self.wallet.address(new);
        self.records.record_wallet(self.wallet.take_changes())?;
        Ok(address)
    }

    /// Looks at every block since the last look.
    ///
    /// # Errors
    /// [`ServiceError::Follow`] when the node fails or the chain left ours too deep, [`ServiceError::Records`].
    pub async fn sync(&mut self) -> Result<BlockRef, ServiceError> {
        loop {
            let polled = self.follower.poll().await?;
            if !polled.events.is_empty() {
                self.wallet.on_events(&polled.events, polled.caught_up)?;
                let facts: Vec<_> =
                    polled.events.iter().flat_map(|event| self.watch.on_event(event)).collect();
                self.records.record_blocks(self.follower.cursor(), &facts, self.wallet.take_changes())?;
            }
            if polled.caught_up {
                break;
            }
        }
        let tip = match self.follower.cursor().tip() {
            Some(tip) => tip,
            None => self.bitcoin.fetch_tip().await?,
        };
        self.tip = Some(tip);
        Ok(tip)
    }

    /// Gives a stake up, freeing its coins.
    ///
    /// # Errors
    /// [`ServiceError::UnknownStake`], [`ServiceError::Records`].
    pub fn abandon(&mut self, txid: &Txid) -> Result<Option<Report>, ServiceError> {
        let mut last_report = None;
        for action in self.machine_mut(txid)?.on_event(Event::Abandon) {
            match action {
                Action::Record(step) => self.record_step(txid, &step)?,
                Action::Report(report) => last_report = Some(report),
                // Giving up asks nobody and sends nothing.
                Action::ReadChain
                | Action::Register(_)
                | Action::CheckCoins(_)
                | Action::Sign
                | Action::Broadcast(_) => {}
            }
        }
        Ok(last_report)
    }

    /// The status the chain tells, if it has the stake.
    ///
    /// # Errors
    /// [`ServiceError::Chain`].
    pub async fn fetch_status(
        &self,
        txid: &Txid,
        chain: &dyn PosChain,
    ) -> Result<Option<DelegationStatus>, ServiceError> {
        Ok(chain.fetch_delegation(txid).await?.map(|delegation| delegation.status))
    }

    fn machine_mut(&mut self, txid: &Txid) -> Result<&mut Machine, ServiceError> {
        let missing = self.missing(txid);
        self.machines.get_mut(txid).ok_or(missing)
    }

    /// Tells the wallet of a transaction that is in a mempool now, so that change and spent coins are right.
    fn note_if_taken(&mut self, tx: &Transaction, outcome: &BroadcastOutcome) -> Result<(), ServiceError> {
        match outcome {
            BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => {
                self.wallet.note_broadcast(tx, self.surroundings.clock.since_epoch().as_secs());
                Ok(self.records.record_wallet(self.wallet.take_changes())?)
            }
            BroadcastOutcome::Refused(_) => Ok(()),
        }
    }

    fn record_step(&mut self, txid: &Txid, step: &Step) -> Result<(), ServiceError> {
        if let (Step::Ended(_), Some(machine)) = (step, self.machines.get(txid)) {
            self.wallet.release(machine.stake().coins().collect::<Vec<_>>());
        }
        Ok(self.records.record_step(txid, step, self.wallet.take_changes())?)
    }

    /// The first of some coins that is not there any more.
    async fn fetch_spent(&self, coins: Vec<OutPoint>) -> Result<Option<OutPoint>, ServiceError> {
        for coin in coins {
            if self.bitcoin.fetch_unspent(&coin, UtxoView::ChainAndMempool).await?.is_none() {
                return Ok(Some(coin));
            }
        }
        Ok(None)
    }

    fn check_keys(&self, keys: &Keys) -> Result<(), ServiceError> {
        if keys.staker_public_key() != self.identity.staker {
            return Err(ServiceError::OtherKeys);
        }
        Ok(())
    }

    fn fresh_entropy(&self) -> Result<[u8; 32], ServiceError> {
        let mut aux = [0; 32];
        self.surroundings.entropy.fill(&mut aux)?;
        Ok(aux)
    }
}

impl ServiceError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Follow(error) => error.is_transient(),
            Self::Node(error) => error.is_transient(),
            Self::Chain(error) => error.is_transient(),
            Self::Records(_)
            | Self::Damaged { .. }
            | Self::Wallet(_)
            | Self::Block(_)
            | Self::Entropy(_)
            | Self::OtherKeys
            | Self::Sign(_)
            | Self::UnknownStake(_) => false,
        }
    }
}
