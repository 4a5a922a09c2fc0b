//! What the machine is told, what it asks for, and what an operator hears of it.

use crate::stakes::SlashingStep;
use bitcoin::{OutPoint, Transaction, Txid};
use btc_staking_bitcoin_node::{
    BroadcastOutcome,
    follower::ChainEvent,
    watch::{Confirmation, Spend, WatchFact},
};
use btc_staking_pos_chain::{ChainMessage, MessageOutcome};
use btc_staking_protocol::{
    delegation::{Delegation, SlashedOutput},
    finality::evidence::Evidence,
    height::BtcHeight,
    keys::FinalityProviderPublicKey,
    params::StakingParams,
};

/// Something the machine wants the chain to know, by which its answer is recognised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Proof that a verified stake is on Bitcoin.
    Activate(Txid),
    /// Report that a staking output was spent.
    ReportSpend(Txid),
    /// Show a provider's secret that a slashing transaction on Bitcoin revealed.
    ShowSecret(FinalityProviderPublicKey),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A block of Bitcoin came or went.
    Bitcoin(ChainEvent),
    /// Facts recorded before a restart.
    Restored {
        /// Watched transactions in blocks.
        confirmations: Vec<Confirmation>,
        /// Spends of watched outputs.
        spends: Vec<(OutPoint, Spend)>,
    },
    /// A look at earlier blocks found these, in place of having seen them live.
    Found {
        /// Watched transactions in blocks.
        confirmations: Vec<Confirmation>,
        /// Spends of watched outputs.
        spends: Vec<(OutPoint, Spend)>,
        /// Lowest height whose block the node no longer has: what is in it cannot be found there.
        unreadable: Option<BtcHeight>,
    },
    /// Slashing transactions recorded before a restart, each of which gave a provider's key away.
    RevealedBefore(Vec<(Txid, Transaction)>),
    /// A reorg went below everything the follower remembers; it starts again at this height, and nothing learned from
    /// blocks at it or above holds.
    Forgotten(BtcHeight),
    /// The params versions of the chain.
    ParamsRead(Vec<StakingParams>),
    /// Every delegation the chain told in one reading.
    DelegationsRead(Vec<Delegation>),
    /// The evidence the chain told in one reading.
    EvidenceRead(Vec<Evidence>),
    /// The tip of the chain's Bitcoin light client.
    LightClientTip(BtcHeight),
    /// Answers to submitted tasks.
    Submitted(Vec<(Task, MessageOutcome)>),
    /// The fate of these tasks is not known; they are computed again from facts.
    SubmitFailed(Vec<Task>),
    /// A node answered a broadcast.
    Broadcast {
        /// The stake.
        staking_txid: Txid,
        /// Which output it spends.
        output: SlashedOutput,
        /// The node's answer, or why there was none.
        outcome: Result<BroadcastOutcome, String>,
    },
    /// Time to look again.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Store facts durably, in one commit with the follower's cursor. Precedes everything else.
    RecordFacts(Vec<WatchFact>),
    /// Store evidence durably; the key is extracted again from it after a restart. Precedes every broadcast.
    RecordCase(Box<Evidence>),
    /// Store a slashing transaction that gave a provider's key away, durably: the block that holds it may be reorged
    /// out, the key stays known. Precedes every broadcast.
    RecordRevealing {
        /// The stake it slashes.
        staking_txid: Txid,
        /// With its witness.
        tx: Box<Transaction>,
    },
    /// Read every stake under a provider whose case has opened.
    FetchStakes(FinalityProviderPublicKey),
    /// Tell the chain.
    Submit(Vec<(Task, ChainMessage)>),
    /// Broadcast a completed slashing transaction.
    Broadcast {
        /// The stake.
        staking_txid: Txid,
        /// Which output it spends.
        output: SlashedOutput,
        /// Complete with witness.
        tx: Box<Transaction>,
        /// The output it spends, for the script check.
        target: bitcoin::TxOut,
    },
    /// Look at earlier blocks for stakes that were not watched when they were mined. Asked again with every tick until
    /// [`Event::Found`] answers.
    Rescan {
        /// Lowest height to look at.
        from: BtcHeight,
    },
    /// Tell the operator.
    Report(Report),
}

/// What an operator is told, once each time it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A provider's key was extracted; every stake under it will be slashed.
    KeyExtracted {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
        /// Stakes under it that are known.
        stakes: usize,
    },
    /// Where the slashing of a stake stands.
    Slashing {
        /// The stake.
        staking_txid: Txid,
        /// Its step.
        step: SlashingStep,
        /// What keeps it from going on, if something does.
        reason: Option<String>,
    },
    /// Evidence that proves nothing, a delegation that cannot be rebuilt, or a refusal.
    Problem(String),
}
