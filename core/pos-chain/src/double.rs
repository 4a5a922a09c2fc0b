//! A scripted chain for tests of roles: in memory, synchronous inside, every answer and every fault set by the test.
//!
//! [`ScriptedChain`] implements every reading port over a [`ChainState`] the test fills. [`ScriptedSubmitter`] records
//! what a role sends and answers with scripted outcomes or, where none is scripted, with its effect: what the chain
//! would do had all its checks passed. The double checks next to nothing; the embedded chain is where rules are.
//!
//! Both are clones over one state, so a test keeps a handle while a role owns another.

mod effects;
mod readers;

use crate::{
    event::ChainEvent,
    message::{ChainMessage, MessageOutcome},
    ports::{
        ChainError, ChainHead, CheckpointParams, ErrorKind, FinalityParams, FinalityProvider, IndexedBlock,
        LightClientHeader, Result, StoredCommitment, Submitter,
    },
    watch::{NodeReport, SigningInfo},
};
use async_trait::async_trait;
use bitcoin::Txid;
use btc_staking_protocol::{
    delegation::Delegation,
    finality::{
        evidence::Evidence,
        vote::{EotsSignature, SignedVote},
    },
    height::{BtcDepth, Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::StakingParams,
    rate::Decimal,
};
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU64,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// What the scripted chain knows. Tests set the fields they need.
#[derive(Debug, Clone)]
pub struct ChainState {
    /// Tip.
    pub head: ChainHead,
    /// Versions, ascending.
    pub staking_params: Vec<StakingParams>,
    /// `k` and `w`.
    pub checkpoint_params: CheckpointParams,
    /// Finality parameters.
    pub finality_params: FinalityParams,
    /// Bitcoin headers, base first.
    pub light_client: Vec<LightClientHeader>,
    /// Delegations by staking transaction.
    pub delegations: BTreeMap<Txid, Delegation>,
    /// Reported as malformed members of every delegation listing.
    pub malformed_delegations: Vec<String>,
    /// Makes every listing of all delegations fail this way; those of one provider still work.
    pub listing_fault: Option<ErrorKind>,
    /// Finality providers.
    pub finality_providers: BTreeMap<FinalityProviderPublicKey, FinalityProvider>,
    /// Power tables. A height without entry has no table.
    pub power_tables: BTreeMap<PosHeight, BTreeMap<FinalityProviderPublicKey, u64>>,
    /// Blocks that can be voted on.
    pub blocks: BTreeMap<PosHeight, IndexedBlock>,
    /// First height with a power table.
    pub activated_height: Option<PosHeight>,
    /// Who voted for the chain's own block, and how.
    pub votes: BTreeMap<PosHeight, BTreeMap<FinalityProviderPublicKey, EotsSignature>>,
    /// Votes for other blocks.
    pub fork_votes: BTreeMap<(PosHeight, FinalityProviderPublicKey), SignedVote>,
    /// Randomness commitments, ascending.
    pub commitments: BTreeMap<FinalityProviderPublicKey, Vec<StoredCommitment>>,
    /// Running epoch; commitments are stored with it.
    pub epoch: Epoch,
    /// Last epoch final on Bitcoin.
    pub last_finalised_epoch: Epoch,
    /// Blocks in an epoch, if there are epochs.
    pub epoch_interval: Option<NonZeroU64>,
    /// Evidence.
    pub evidences: Vec<Evidence>,
    /// What happened, by block. A height without entry had no events.
    pub events: BTreeMap<PosHeight, Vec<ChainEvent>>,
    /// Balances in the base denomination.
    pub balances: BTreeMap<AccountAddress, u128>,
    /// Rewards by account.
    pub rewards: BTreeMap<AccountAddress, Vec<(crate::message::RewardKind, u128)>>,
    /// What is counted of providers' presence.
    pub signing_infos: BTreeMap<FinalityProviderPublicKey, SigningInfo>,
    /// How the nodes are.
    pub nodes: Vec<NodeReport>,
    /// Times of blocks, in seconds since 1970. A block without entry is not known yet.
    pub block_times: BTreeMap<PosHeight, u64>,
}

impl ChainState {
    /// An empty chain at height 1 with the depths of a development network.
    pub fn new(chain_id: impl Into<String>) -> Self {
        Self {
            head: ChainHead { chain_id: chain_id.into(), height: PosHeight::new(1), catching_up: false },
            staking_params: Vec::new(),
            checkpoint_params: CheckpointParams {
                confirmation_depth: BtcDepth::new(2),
                finalization_timeout: BtcDepth::new(4),
            },
            finality_params: FinalityParams {
                max_active_finality_providers: 100,
                signed_blocks_window: 100,
                finality_sig_timeout: 3,
                min_signed_per_window: Decimal::from_scaled(500_000_000_000_000_000),
                min_pub_rand: 1,
                jail_duration_s: 600,
                activation_height: PosHeight::new(1),
            },
            light_client: Vec::new(),
            delegations: BTreeMap::new(),
            malformed_delegations: Vec::new(),
            listing_fault: None,
            finality_providers: BTreeMap::new(),
            power_tables: BTreeMap::new(),
            blocks: BTreeMap::new(),
            activated_height: None,
            votes: BTreeMap::new(),
            fork_votes: BTreeMap::new(),
            commitments: BTreeMap::new(),
            epoch: Epoch::new(1),
            last_finalised_epoch: Epoch::new(0),
            epoch_interval: NonZeroU64::new(10),
            evidences: Vec::new(),
            events: BTreeMap::new(),
            balances: BTreeMap::new(),
            rewards: BTreeMap::new(),
            signing_infos: BTreeMap::new(),
            nodes: Vec::new(),
            block_times: BTreeMap::new(),
        }
    }

    /// Adds a block that can be voted on and moves the tip to it.
    pub fn push_block(&mut self, height: PosHeight, app_hash: [u8; 32]) {
        self.blocks.insert(height, IndexedBlock { height, app_hash, finalised: false });
        self.head.height = self.head.height.max(height);
    }

    /// Sets the power of a provider in the table of `height`, creating the table.
    pub fn set_power(&mut self, height: PosHeight, key: FinalityProviderPublicKey, power: u64) {
        self.power_tables.entry(height).or_default().insert(key, power);
        self.activated_height = Some(self.activated_height.map_or(height, |first| first.min(height)));
    }
}

/// A message a role sent.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Account that sent it.
    pub account: AccountAddress,
    /// The message.
    pub message: ChainMessage,
}

/// A chain that answers as the test says. Clones share the state.
#[derive(Clone)]
pub struct ScriptedChain {
    shared: Arc<Mutex<Shared>>,
}

/// Sends messages to a [`ScriptedChain`] from one account.
#[derive(Clone)]
pub struct ScriptedSubmitter {
    chain: ScriptedChain,
    account: AccountAddress,
}

struct Shared {
    state: ChainState,
    submitted: Vec<Submitted>,
    outcomes: VecDeque<MessageOutcome>,
    read_faults: VecDeque<ErrorKind>,
    submit_faults: VecDeque<ErrorKind>,
    reads: u64,
    /// Counts hints.
    hints: u64,
    /// Who waits for one.
    waiting: Vec<Waker>,
}

impl ScriptedChain {
    /// Starts from `state`.
    pub fn new(state: ChainState) -> Self {
        let shared = Shared {
            state,
            submitted: Vec::new(),
            outcomes: VecDeque::new(),
            read_faults: VecDeque::new(),
            submit_faults: VecDeque::new(),
            reads: 0,
            hints: 0,
            waiting: Vec::new(),
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Reads or changes the state.
    pub fn update<R>(&self, change: impl FnOnce(&mut ChainState) -> R) -> R {
        change(&mut self.lock().state)
    }

    /// Lets the next `calls` reads fail with `kind`, after those already scripted.
    pub fn fail_next_reads(&self, calls: usize, kind: ErrorKind) {
        self.lock().read_faults.extend(std::iter::repeat_n(kind, calls));
    }

    /// Lets the next `calls` submissions fail with `kind`; their messages are recorded but have no effect.
    pub fn fail_next_submissions(&self, calls: usize, kind: ErrorKind) {
        self.lock().submit_faults.extend(std::iter::repeat_n(kind, calls));
    }

    /// Forgets every scripted fault that has not come yet.
    pub fn clear_faults(&self) {
        let mut shared = self.lock();
        shared.read_faults.clear();
        shared.submit_faults.clear();
    }

    /// Scripts the outcome of the next message, after those already scripted. The message has no effect.
    pub fn answer_next(&self, outcome: MessageOutcome) {
        self.lock().outcomes.push_back(outcome);
    }

    /// Gives a hint to everybody who waits for one, or will next.
    pub fn hint(&self) {
        let waiting = {
            let mut shared = self.lock();
            shared.hints = shared.hints.wrapping_add(1);
            std::mem::take(&mut shared.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Number of reads so far, failed ones included: a test sees by it that rounds have passed.
    pub fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// Everything sent so far, in order, failed submissions included.
    pub fn submitted(&self) -> Vec<Submitted> {
        self.lock().submitted.clone()
    }

    /// Takes what was sent so far.
    pub fn take_submitted(&self) -> Vec<Submitted> {
        std::mem::take(&mut self.lock().submitted)
    }

    /// Returns a sender for `account`.
    pub fn submitter(&self, account: AccountAddress) -> ScriptedSubmitter {
        ScriptedSubmitter { chain: self.clone(), account }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A test that panicked while holding the lock has failed already; others may go on reading.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<R>(&self, what: &str, answer: impl FnOnce(&ChainState) -> Result<R>) -> Result<R> {
        let mut shared = self.lock();
        shared.reads += 1;
        if let Some(kind) = shared.read_faults.pop_front() {
            return Err(ChainError::new(kind, format!("scripted fault of {what}")));
        }
        answer(&shared.state)
    }
}

#[async_trait]
impl Submitter for ScriptedSubmitter {
    fn account(&self) -> &AccountAddress {
        &self.account
    }

    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>> {
        let mut shared = self.chain.lock();
        let fault = shared.submit_faults.pop_front();
        for message in &messages {
            shared.submitted.push(Submitted { account: self.account.clone(), message: message.clone() });
        }
        if let Some(kind) = fault {
            return Err(ChainError::new(kind, "scripted fault of submission"));
        }
        let outcomes = messages.iter().map(|message| match shared.outcomes.pop_front() {
            Some(outcome) => outcome,
            None => effects::apply(&mut shared.state, &self.account, message),
        });
        Ok(outcomes.collect())
    }
}
