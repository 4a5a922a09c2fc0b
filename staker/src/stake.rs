//! One stake of the holder: what was recorded about it, and what is rebuilt from that.
//!
//! A stake is stored as its ingredients (params, keys, funding transaction, two signatures); everything else is built
//! again by the protocol crate and the signatures are verified while doing so, so a damaged record cannot become a wrong
//! transaction. With the covenant's unbonding signatures kept beside them, leaving needs Bitcoin only.

use bitcoin::{Amount, OutPoint, Psbt, Transaction, Txid, secp256k1::schnorr};
use btc_staking_protocol::{
    delegation::{
        CheckedDelegation, DelegationRefusal, DelegationTerms, NotTheStaker, PlanRefusal, plan_stake,
    },
    height::Timelock,
    keys::{AccountAddress, CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
    params::StakingParams,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A stake as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stake {
    /// Params it was planned under, and keeps for life.
    pub params: StakingParams,
    /// The holder.
    pub staker: StakerPublicKey,
    /// Account that registers it.
    pub account: AccountAddress,
    /// The finality provider.
    pub finality_provider: FinalityProviderPublicKey,
    /// Timelock of the staking output.
    pub staking_time: Timelock,
    /// Value of the staking output.
    #[serde(rename = "amount_sat", with = "bitcoin::amount::serde::as_sat")]
    pub amount: Amount,
    /// The staking transaction, unsigned, with what is needed to sign it.
    #[serde(with = "psbt_text")]
    pub funding: Psbt,
    /// Fee of the staking transaction.
    #[serde(rename = "fee_sat", with = "bitcoin::amount::serde::as_sat")]
    pub fee: Amount,
    /// The holder's signature on the slashing transaction.
    pub slashing_signature: schnorr::Signature,
    /// The holder's signature on the unbonding slashing transaction.
    pub unbonding_slashing_signature: schnorr::Signature,
    /// BIP-340 proof of possession over the account.
    pub possession: schnorr::Signature,
    /// How far it is.
    pub step: Step,
    /// The unbonding transaction with its witness, once the holder has signed it.
    #[serde(default)]
    pub unbonding: Option<Transaction>,
}

/// How far a stake is on its way to Bitcoin. Each step is recorded before what it allows is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Recorded with its coins locked; nobody knows of it yet, or the answer was lost.
    Planned,
    /// The chain has it; signatures of the committee are awaited.
    Registered,
    /// We verified the committee's quorum ourselves. Only now may coins move.
    Verified {
        /// The committee's signatures on the unbonding transaction.
        covenant: Vec<(CovenantPublicKey, schnorr::Signature)>,
    },
    /// The staking transaction is signed and may be on Bitcoin at any moment.
    Signed {
        /// The committee's signatures on the unbonding transaction.
        covenant: Vec<(CovenantPublicKey, schnorr::Signature)>,
        /// The staking transaction with its witnesses.
        staking_tx: Transaction,
    },
    /// Over before anything was signed; its coins are free again.
    Ended(EndReason),
}

/// Why a stake ended before anything was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EndReason {
    /// The holder gave it up.
    #[error("given up by its holder")]
    Abandoned,
    /// The chain refused the registration.
    #[error("the chain refused the registration: {0}")]
    Refused(String),
    /// The finality provider was slashed meanwhile: the stake could never become active.
    #[error("the finality provider was slashed before the stake was made")]
    ProviderSlashed,
    /// A coin that funds it was spent elsewhere.
    #[error("coin {0}, which funds it, was spent elsewhere")]
    CoinSpent(OutPoint),
    /// The chain tells something else under this stake's name.
    #[error("the chain holds another delegation under this stake's txid: {0}")]
    Contradicted(String),
}

/// A record that is no stake: damaged, or written by another program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DamagedStake {
    /// The record is not of this form.
    #[error("record cannot be read: {0}")]
    Unreadable(String),
    /// The ingredients cannot be planned.
    #[error("recorded stake cannot be rebuilt")]
    Plan(#[from] PlanRefusal),
    /// The signatures are not over the rebuilt transactions.
    #[error("recorded signatures do not fit the stake")]
    Signatures(#[source] Box<NotTheStaker>),
    /// The terms do not hold.
    #[error("recorded stake breaks its own params")]
    Terms(#[from] DelegationRefusal),
}

impl Stake {
    /// Names the stake everywhere.
    pub fn txid(&self) -> Txid {
        self.funding.unsigned_tx.compute_txid()
    }

    /// The coins that fund it.
    pub fn coins(&self) -> impl Iterator<Item = OutPoint> + '_ {
        self.funding.unsigned_tx.input.iter().map(|input| input.previous_output)
    }

    /// Rebuilds the terms from the ingredients.
    ///
    /// # Errors
    /// [`DamagedStake`].
    pub fn terms(&self) -> Result<DelegationTerms, DamagedStake> {
        let providers = std::slice::from_ref(&self.finality_provider);
        let plan = plan_stake(&self.params, self.staker, providers, self.amount, self.staking_time)?;
        let funded = plan.with_funded(self.funding.unsigned_tx.clone())?;
        funded
            .with_signatures(self.slashing_signature, self.unbonding_slashing_signature)
            .map_err(|error| DamagedStake::Signatures(Box::new(error)))
    }

    /// Rebuilds the terms and checks them as chain and committee do.
    ///
    /// # Errors
    /// [`DamagedStake`].
    pub fn checked(&self) -> Result<CheckedDelegation, DamagedStake> {
        Ok(self.terms()?.check(&self.params)?)
    }

    /// The committee's signatures on the unbonding transaction, once we verified a quorum.
    pub fn covenant(&self) -> Option<&[(CovenantPublicKey, schnorr::Signature)]> {
        match &self.step {
            Step::Verified { covenant } | Step::Signed { covenant, .. } => Some(covenant),
            Step::Planned | Step::Registered | Step::Ended(_) => None,
        }
    }

    /// The signed staking transaction, once there is one.
    pub fn signed_tx(&self) -> Option<&Transaction> {
        match &self.step {
            Step::Signed { staking_tx, .. } => Some(staking_tx),
            Step::Planned | Step::Registered | Step::Verified { .. } | Step::Ended(_) => None,
        }
    }

    /// Why it ended before anything was signed, if it did.
    pub fn end_reason(&self) -> Option<&EndReason> {
        match &self.step {
            Step::Ended(reason) => Some(reason),
            Step::Planned | Step::Registered | Step::Verified { .. } | Step::Signed { .. } => None,
        }
    }
}

/// PSBTs as base64 text, their usual form.
mod psbt_text {
    use bitcoin::Psbt;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(psbt: &Psbt, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(psbt)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Psbt, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod example;

#[cfg(test)]
mod tests {
    use super::*;
    use example::{params_of, signed_tx, stake};

    #[test]
    fn a_stake_is_the_same_after_it_was_stored() {
        let covenant = vec![(example::member(1).public_key(), stake().possession)];
        for step in [
            Step::Planned,
            Step::Registered,
            Step::Verified { covenant: covenant.clone() },
            Step::Signed { covenant, staking_tx: signed_tx() },
            Step::Ended(EndReason::CoinSpent(example::coin())),
        ] {
            let stake = Stake { step, unbonding: Some(signed_tx()), ..stake() };
            let stored = serde_json::to_string(&stake).unwrap();
            let again: Stake = serde_json::from_str(&stored).unwrap();
            assert_eq!(again, stake);
            assert_eq!(again.checked().unwrap(), stake.checked().unwrap());
        }
    }

    #[test]
    fn a_damaged_stake_is_no_stake() {
        let swapped = Stake { slashing_signature: stake().unbonding_slashing_signature, ..stake() };
        assert!(matches!(swapped.checked(), Err(DamagedStake::Signatures(_))));
        let other_committee = Stake { params: params_of([3, 4, 5]), ..stake() };
        assert!(matches!(other_committee.checked(), Err(DamagedStake::Plan(PlanRefusal::StakingTx(_)))));
        let too_small = Stake { amount: Amount::from_sat(1), ..stake() };
        assert!(matches!(too_small.checked(), Err(DamagedStake::Plan(PlanRefusal::Amount { .. }))));
    }
}
