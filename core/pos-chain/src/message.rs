//! What a role says to the chain, in protocol types, and what became of it.

use crate::ports::ChainError;
use bitcoin::{Transaction, Txid, block::Header};
use btc_staking_protocol::{
    delegation::{CovenantSignatureSet, DelegationRequest},
    finality::{randomness::RandomnessCommitment, vote::SignedVote},
    height::PosHeight,
    inclusion::InclusionProof,
    keys::{AccountAddress, FinalityProviderPublicKey},
    possession::ProofOfPossession,
    rate::Decimal,
};
use std::fmt;

/// A message to the chain. The sending account pays and signs; it is not part of the message.
#[derive(Debug, Clone)]
pub enum ChainMessage {
    /// Registers a finality provider under the sending account.
    CreateFinalityProvider(Box<FinalityProviderRegistration>),
    /// Replaces a finality provider's description and, if given, its commission.
    EditFinalityProvider {
        /// The provider.
        finality_provider: FinalityProviderPublicKey,
        /// Replaces the whole description.
        description: Description,
        /// Keeps the commission when absent.
        commission: Option<Decimal>,
    },
    /// Ends a jailing.
    UnjailFinalityProvider(FinalityProviderPublicKey),
    /// Registers a stake, or an expansion of one when [`DelegationRequest::expansion`] is present.
    RegisterDelegation(Box<DelegationRequest>),
    /// A committee member's signatures.
    AddCovenantSignatures(Box<CovenantSignatureSet>),
    /// Proves that a verified stake is on Bitcoin.
    AddInclusionProof {
        /// The stake.
        staking_txid: Txid,
        /// Of the staking transaction.
        proof: InclusionProof,
    },
    /// Reports that a staking output was spent.
    ReportUndelegation(Box<UndelegationReport>),
    /// Shows a finality provider's secret key. Holds it; not printable.
    SelectiveSlashingEvidence(RecoveredSecret),
    /// Commits to public randomness.
    CommitRandomness(RandomnessCommitment),
    /// A finality vote.
    AddFinalitySignature(Box<SignedVote>),
    /// Bitcoin headers, ascending, each the child of the one before.
    InsertHeaders(Vec<Header>),
    /// Withdraws rewards of one kind to the account's withdraw address.
    WithdrawReward(RewardKind),
    /// Sets where rewards go.
    SetWithdrawAddress(AccountAddress),
}

/// Reward gauges an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewardKind {
    /// Commission of a finality provider.
    FinalityProvider,
    /// Yield of a Bitcoin staker.
    BtcStaker,
    /// Yield of an account that stakes both coins.
    Costaker,
}

/// What a finality provider registers with.
#[derive(Debug, Clone)]
pub struct FinalityProviderRegistration {
    /// Account that registers; the proof of possession is over it.
    pub account: AccountAddress,
    /// EOTS key.
    pub finality_provider: FinalityProviderPublicKey,
    /// Proof that the key agrees to the account.
    pub possession: ProofOfPossession,
    /// Who they say they are.
    pub description: Description,
    /// Commission rate, highest rate ever, largest change a day.
    pub commission: CommissionRates,
}

/// Commission of a finality provider; all three are always sent (`chain.md` 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommissionRates {
    /// Current rate.
    pub rate: Decimal,
    /// Highest rate it can ever have.
    pub max_rate: Decimal,
    /// Largest absolute change within 24 hours.
    pub max_change_rate: Decimal,
}

/// Public description of a finality provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Name; required.
    pub moniker: String,
    /// Identity at a signature service.
    pub identity: String,
    /// Web site.
    pub website: String,
    /// Where to report problems.
    pub security_contact: String,
    /// Anything else.
    pub details: String,
}

/// Report of a spent staking output (`bitcoin.md` 10.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndelegationReport {
    /// The stake whose output was spent.
    pub staking_txid: Txid,
    /// The spending transaction with its witness.
    pub spending_tx: Transaction,
    /// Of the spending transaction.
    pub proof: InclusionProof,
    /// The previous transaction of every input.
    pub funding_txs: Vec<Transaction>,
}

/// A finality provider's recovered secret on its way to the chain. Neither printable nor comparable.
pub struct RecoveredSecret(
    pub std::sync::Arc<btc_staking_protocol::finality::evidence::FinalityProviderSecret>,
);

impl Clone for RecoveredSecret {
    fn clone(&self) -> Self {
        Self(std::sync::Arc::clone(&self.0))
    }
}
impl fmt::Debug for RecoveredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveredSecret(..)")
    }
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageOutcome {
    /// Included and executed.
    Accepted {
        /// Hash of the transaction, upper-case hex.
        tx_hash: String,
        /// Block it is in.
        height: PosHeight,
    },
    /// The chain already has what the message would have added.
    AlreadyDone(String),
    /// Refused for a reason; sending the same again cannot help until a fact changes.
    Refused(Refusal),
    /// Not known: it may be on chain, may get there, or may never have left. Read the chain before sending it again.
    Unknown(ChainError),
}

/// Why the chain refused a message. Named kinds are those a role decides by; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What callers match on.
    pub kind: RefusalKind,
    /// Codespace, when the chain gave one.
    pub codespace: String,
    /// Code, when the chain gave one.
    pub code: u32,
    /// The chain's own words.
    pub text: String,
}

/// Refusals that roles tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// `btcstaking/1100`
    FinalityProviderNotFound,
    /// `btcstaking/1103` about the account, which already has another finality provider.
    AccountTaken,
    /// `btcstaking/1104`
    FinalityProviderSlashed,
    /// `btcstaking/1130`, `finality/1122`
    FinalityProviderDeleted,
    /// `btcstaking/1121`
    FinalityProviderJailed,
    /// `btcstaking/1102`
    DelegationNotFound,
    /// `btcstaking/1107`
    NotACommitteeMember,
    /// `btcstaking/1110`, unless the delegation has ended meanwhile.
    InvalidCovenantSignature,
    /// The delegation is unbonded or expired (`btcstaking/1110` and text).
    DelegationEnded,
    /// Staking transaction not deep enough yet (`btcstaking/1108`, by text).
    NotDeepEnough,
    /// `btcstaking/1124`
    IncludedTooEarly,
    /// Quorum not reached yet (text).
    QuorumMissing,
    /// Bitcoin header not known to the light client yet (text).
    HeaderUnknown,
    /// `finality/1100`: block not indexed yet.
    BlockNotFound,
    /// `finality/1103`, `1104`, `1111`: randomness missing or not usable yet.
    RandomnessNotUsable,
    /// `finality/1106`: commitment overlaps or its signature is wrong.
    InvalidRandomness,
    /// `finality/1108` by power: nothing to vote for at that height.
    NoVotingPower,
    /// `finality/1115`
    FinalityNotActive,
    /// `finality/1116`
    BlockAlreadyFinalised,
    /// `btclightclient/1101`, `1104`, `1105`: headers do not extend the chain's view.
    HeadersRejected,
    /// `incentive/1102`: no reward is waiting.
    NothingToWithdraw,
    /// `finality/1112`, `staking/12`: a waiting time is not over, such as that of a jailing.
    WaitingTime,
    /// `gov/13`, `btclightclient/1106` and text: this account may not do that.
    NotAuthorised,
    /// `sdk/5`, `sdk/9`: the paying account lacks coins.
    InsufficientFunds,
    /// Passing trouble on the way in, which says nothing about the message: `sdk/11` out of gas, `13` fee too low, `19`
    /// in the mempool already, `20` mempool full, `30` and `42` too late for its transaction, `32` wrong sequence, and
    /// errors of a node that no module words.
    NotNow,
    /// No rule speaks here: a handler panicked, the chain could not decode what we sent or does not know it, or its
    /// own records contradict each other. A person must look.
    Broken,
    /// Any other rule.
    Other,
}

/// What a caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// The same message may be taken later: time passes, or somebody acts.
    Transient,
    /// A rule speaks against the message; it will not be taken as it is.
    Reasoned,
    /// Chain and message do not understand each other; a person must look.
    Broken,
}

impl RefusalKind {
    /// What a caller can do about it.
    pub const fn class(self) -> RefusalClass {
        match self {
            Self::FinalityProviderJailed
            | Self::NotDeepEnough
            | Self::QuorumMissing
            | Self::HeaderUnknown
            | Self::BlockNotFound
            | Self::RandomnessNotUsable
            | Self::FinalityNotActive
            | Self::WaitingTime
            | Self::InsufficientFunds
            | Self::NotNow => RefusalClass::Transient,
            Self::FinalityProviderNotFound
            | Self::AccountTaken
            | Self::FinalityProviderSlashed
            | Self::FinalityProviderDeleted
            | Self::DelegationNotFound
            | Self::NotACommitteeMember
            | Self::InvalidCovenantSignature
            | Self::DelegationEnded
            | Self::IncludedTooEarly
            | Self::InvalidRandomness
            | Self::NoVotingPower
            | Self::BlockAlreadyFinalised
            | Self::HeadersRejected
            | Self::NothingToWithdraw
            | Self::NotAuthorised
            | Self::Other => RefusalClass::Reasoned,
            Self::Broken => RefusalClass::Broken,
        }
    }

    /// Whether the same message may be taken later.
    pub const fn is_transient(self) -> bool {
        matches!(self.class(), RefusalClass::Transient)
    }

    /// Whether the same message may be taken later when it is about a stake that a node listed: one that does not know
    /// the stake is behind.
    pub const fn is_transient_about_listed(self) -> bool {
        self.is_transient() || matches!(self, Self::DelegationNotFound)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.codespace.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{} ({}/{})", self.text, self.codespace, self.code)
    }
}
