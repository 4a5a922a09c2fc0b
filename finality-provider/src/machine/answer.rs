//! What a chain's answers about one height mean.
//!
//! Three answers, because "unknown" must never be read as "no": a height is given up only on proof.

use super::reason::SignerAway;
use btc_staking_pos_chain::{
    message::{MessageOutcome, RefusalKind},
    ports::{IndexedBlock, VotingPower},
};

/// What is known about a height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// We have power and this is the block's app hash.
    Votable([u8; 32]),
    /// The chain already stores our vote.
    Voted,
    /// We are not in the power table of that height, which is fixed.
    Powerless,
    /// There is no power table: nobody was active, or the node has not got that far.
    NoTable,
    /// Not known, and why.
    Unknown(String),
}

/// What became of a vote, in the words of one node: believed once the chain shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// On chain.
    Stored,
    /// The block and every one before it are final and timestamped; votes are no longer taken.
    Closed,
    /// Never to be voted on: no power, or no votes are taken at that height.
    Void(String),
    /// The signer refused: another block was signed at that height. Given up for ever.
    GivenUp(String),
    /// Not taken now; to be tried again later.
    Later(String),
    /// Whether it was taken is not known; the same vote is sent again.
    FateUnknown(String),
    /// Nothing was signed, because the signer is not there or may not now; tried again in the next round.
    SignerAway(SignerAway),
    /// The provider is jailed: nothing is taken until that ends.
    Jailed,
    /// The provider is slashed, if its record says so too.
    Slashed,
}

/// Joins what the chain said about power, block and votes at one height.
pub fn answer(power: VotingPower, block: Option<IndexedBlock>, voted: bool) -> Answer {
    match (power, block) {
        _ if voted => Answer::Voted,
        (VotingPower::None, _) => Answer::Powerless,
        (VotingPower::NoTable, _) => Answer::NoTable,
        (VotingPower::Has(_), Some(block)) => Answer::Votable(block.app_hash),
        (VotingPower::Has(_), None) => Answer::Unknown("the block is not indexed yet".to_owned()),
    }
}

/// What a message's outcome means for the vote it carried.
pub fn verdict(outcome: &MessageOutcome) -> Verdict {
    let refusal = match outcome {
        MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) => return Verdict::Stored,
        MessageOutcome::Unknown(error) => return Verdict::FateUnknown(error.to_string()),
        MessageOutcome::Refused(refusal) => refusal,
    };
    let text = refusal.to_string();
    match refusal.kind {
        RefusalKind::BlockAlreadyFinalised => Verdict::Closed,
        RefusalKind::NoVotingPower | RefusalKind::FinalityNotActive => Verdict::Void(text),
        RefusalKind::FinalityProviderSlashed => Verdict::Slashed,
        RefusalKind::FinalityProviderJailed => Verdict::Jailed,
        RefusalKind::BlockNotFound
        | RefusalKind::RandomnessNotUsable
        | RefusalKind::InvalidRandomness
        | RefusalKind::InsufficientFunds
        | RefusalKind::NotNow
        | RefusalKind::FinalityProviderNotFound
        | RefusalKind::AccountTaken
        | RefusalKind::FinalityProviderDeleted
        | RefusalKind::DelegationEnded
        | RefusalKind::NothingToWithdraw
        | RefusalKind::WaitingTime
        | RefusalKind::NotAuthorised
        | RefusalKind::Broken
        | RefusalKind::DelegationNotFound
        | RefusalKind::NotACommitteeMember
        | RefusalKind::InvalidCovenantSignature
        | RefusalKind::NotDeepEnough
        | RefusalKind::IncludedTooEarly
        | RefusalKind::QuorumMissing
        | RefusalKind::HeaderUnknown
        | RefusalKind::HeadersRejected
        | RefusalKind::Other => Verdict::Later(text),
    }
}
