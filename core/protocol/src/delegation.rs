//! A delegation: what a holder asks for, what was checked, and what the chain tells about it.
//!
//! Spec: `bitcoin.md` 9 to 11. The types of this file carry what travels; nothing in them is trusted until checked:
//!
//! | From | By | To |
//! |---|---|---|
//! | an intention | [`plan_stake`], funding, the staker's signatures | [`DelegationTerms`] |
//! | [`DelegationRequest`] | [`DelegationRequest::check`] | [`CheckedDelegation`] |
//! | [`Delegation`] told by the chain | [`Delegation::rebuild`] | [`CheckedDelegation`] |
//! | a [`CheckedDelegation`] and its previous one | [`CheckedDelegation::check_expansion`] | [`CheckedExpansion`] |

mod check;
mod checked;
mod covenant;
mod expansion;
mod plan;
mod request;
mod told;

pub use check::{DelegationRefusal, StakeSighashes};
pub use checked::{CheckedDelegation, SlashedOutput, StakeKind};
pub use covenant::{CannotSign, CovenantList, CovenantSignatureRefusal, QuorumMissing, VerifiedQuorum};
pub use expansion::{CheckedExpansion, ExpansionRefusal};
pub use plan::{FundedStake, NotTheStaker, PlanRefusal, StakePlan, plan_stake};
pub use request::RequestRefusal;
pub use told::Untrue;

use crate::{
    height::{BtcHeight, Timelock},
    inclusion::InclusionProof,
    keys::{AccountAddress, CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    params::ParamsVersion,
    possession::ProofOfPossession,
};
use bitcoin::{Amount, Transaction, TxOut, Txid, secp256k1::schnorr};
pub use btc_staking_crypto::adaptor::AdaptorSignature;

/// The terms of a stake: keys, amounts, times and the pre-signed transactions. Unchecked; see
/// [`DelegationTerms::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationTerms {
    /// Holder's key.
    pub staker: StakerPublicKey,
    /// Finality providers in message order. The network accepts exactly one.
    pub finality_providers: Vec<FinalityProviderPublicKey>,
    /// Timelock of the staking output.
    pub staking_time: Timelock,
    /// Value of the staking output.
    pub staking_value: Amount,
    /// The staking transaction; witness data may be absent.
    pub staking_tx: Transaction,
    /// Slashes the staking output; unsigned.
    pub slashing_tx: Transaction,
    /// Holder's signature on `slashing_tx`, slashing path of the staking output.
    pub staker_slashing_signature: schnorr::Signature,
    /// Timelock of the unbonding output and of slashing change.
    pub unbonding_time: Timelock,
    /// Spends the staking output to the unbonding output; unsigned.
    pub unbonding_tx: Transaction,
    /// Value of the unbonding output.
    pub unbonding_value: Amount,
    /// Slashes the unbonding output; unsigned.
    pub unbonding_slashing_tx: Transaction,
    /// Holder's signature on `unbonding_slashing_tx`, slashing path of the unbonding output.
    pub staker_unbonding_slashing_signature: schnorr::Signature,
}

/// A holder's request to register a stake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationRequest {
    /// Account that registers and earns.
    pub staker_account: AccountAddress,
    /// Proof that the holder's Bitcoin key agrees to that account.
    pub possession: ProofOfPossession,
    /// The stake itself.
    pub terms: DelegationTerms,
    /// Proof that the staking transaction is on Bitcoin; absent when the stake asks for approval first.
    pub inclusion: Option<InclusionProof>,
    /// Present when the stake expands an active one.
    pub expansion: Option<ExpansionRequest>,
}

/// What an expansion says beyond an ordinary request (`bitcoin.md` 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpansionRequest {
    /// Staking transaction of the stake being expanded.
    pub previous_staking_txid: Txid,
    /// Transaction that holds the output spent by input 1.
    pub funding_tx: Transaction,
}

/// Status as the chain computes it. Told, not proven: facts on Bitcoin decide where coins move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DelegationStatus {
    /// Covenant quorum missing.
    Pending,
    /// Quorum reached, staking transaction not yet proven.
    Verified,
    /// Counts as voting power.
    Active,
    /// Left early, or spent.
    Unbonded,
    /// Timelock about to end.
    Expired,
}

/// A delegation as the chain reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Account that registered it.
    pub staker_account: AccountAddress,
    /// The stake.
    pub terms: DelegationTerms,
    /// Index of the staking output as the chain found it.
    pub staking_output_index: u32,
    /// Params version it was checked against and keeps for life.
    pub params_version: ParamsVersion,
    /// Height of the block with the staking transaction and end of its timelock; absent before the proof.
    pub inclusion: Option<InclusionHeights>,
    /// What committee members have signed.
    pub covenant: CovenantSignatures,
    /// Present once a spend of the staking output was reported.
    pub unbonded: Option<ReportedSpend>,
    /// Present for expansions.
    pub expansion: Option<ExpansionRecord>,
    /// Status told by the node at the queried height.
    pub status: DelegationStatus,
}

/// Where a stake lies on Bitcoin according to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InclusionHeights {
    /// Height of the block with the staking transaction.
    pub start: BtcHeight,
    /// `start` plus the staking timelock.
    pub end: BtcHeight,
}

/// A reported spend of a staking output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportedSpend {
    /// By the registered unbonding transaction.
    RegisteredUnbonding,
    /// By another transaction.
    Other(Box<Transaction>),
}

/// Signatures of committee members on one delegation, by member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CovenantSignatures {
    /// Adaptor signatures on the slashing transaction, one per finality provider in message order.
    pub slashing: Vec<(CovenantPublicKey, Vec<AdaptorSignature>)>,
    /// Signatures on the unbonding transaction.
    pub unbonding: Vec<(CovenantPublicKey, schnorr::Signature)>,
    /// Adaptor signatures on the unbonding slashing transaction, one per finality provider in message order.
    pub unbonding_slashing: Vec<(CovenantPublicKey, Vec<AdaptorSignature>)>,
}

/// What the chain stores about an expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpansionRecord {
    /// The stake being expanded.
    pub previous_staking_txid: Txid,
    /// Output spent by input 1.
    pub other_funding_output: TxOut,
    /// Signatures on input 0 by members of the previous committee.
    pub previous_covenant: Vec<(CovenantPublicKey, schnorr::Signature)>,
}

/// The signatures one committee member releases for one delegation (`bitcoin.md` 10.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CovenantSignatureSet {
    /// The member.
    pub covenant: CovenantPublicKey,
    /// Names the delegation.
    pub staking_txid: Txid,
    /// On the slashing transaction, one per finality provider in message order.
    pub slashing: Vec<AdaptorSignature>,
    /// On the unbonding transaction.
    pub unbonding: schnorr::Signature,
    /// On the unbonding slashing transaction, one per finality provider in message order.
    pub unbonding_slashing: Vec<AdaptorSignature>,
    /// On input 0 of an expansion; for expansions only, then mandatory.
    pub expansion: Option<schnorr::Signature>,
}
