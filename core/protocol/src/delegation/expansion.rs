//! A checked expansion: the new stake, the previous one, and the signatures that turn one into the other.
//!
//! Spec: `bitcoin.md` 9. Status, accounts and known staking outputs are the chain's to judge; everything that follows
//! from the two delegations themselves is judged here.

use super::{
    CheckedDelegation, CovenantSignatureSet, ExpansionRequest,
    covenant::{CannotSign, CovenantList, CovenantSignatureRefusal, QuorumMissing},
};
use crate::{
    keys::{CovenantPublicKey, CovenantSecret, FinalityProviderPublicKey, StakerPublicKey},
    sighash::{leaf_sighash, signature_is_valid},
    tx::expansion::{ExpansionTxRefusal, check_stored_expansion_tx},
    witness::{AssemblyError, LeafSpend, assemble_unbonding_witness},
};
use bitcoin::{TapSighash, Transaction, TxOut, secp256k1::schnorr};
use thiserror::Error;

/// Why a stake cannot grow out of another one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpansionRefusal {
    /// The transaction breaks a rule.
    #[error("expansion transaction is refused")]
    Tx(#[from] ExpansionTxRefusal),
    /// An expansion cannot change the finality providers.
    #[error("expansion names other finality providers than the previous stake")]
    OtherFinalityProviders {
        /// Providers of the new stake.
        found: Vec<FinalityProviderPublicKey>,
        /// Providers of the previous stake.
        required: Vec<FinalityProviderPublicKey>,
    },
    /// An expansion cannot change the owner.
    #[error("expansion is by staker {found}, the previous stake is by {required}")]
    OtherStaker {
        /// Staker of the new stake.
        found: StakerPublicKey,
        /// Staker of the previous stake.
        required: StakerPublicKey,
    },
    /// Too few members could sign the spend of the previous stake.
    #[error("{common} members are in both committees, the previous stake needs {quorum}")]
    CommitteesDisjoint {
        /// Members in both.
        common: usize,
        /// Quorum of the previous committee.
        quorum: u32,
    },
}

/// Proof that one checked stake expands another.
#[derive(Debug, Clone)]
pub struct CheckedExpansion<'a> {
    new: &'a CheckedDelegation,
    previous: &'a CheckedDelegation,
    funding_output: TxOut,
    sighash: TapSighash,
}

impl ExpansionRequest {
    /// Checks the parts of an expansion that need no knowledge of the previous stake, and returns the output that
    /// input 1 spends.
    ///
    /// # Errors
    /// [`ExpansionTxRefusal`].
    pub fn find_funding_output(&self, staking_tx: &Transaction) -> Result<TxOut, ExpansionTxRefusal> {
        let [first, second] = staking_tx.input.as_slice() else {
            return Err(ExpansionTxRefusal::InputCount(staking_tx.input.len()));
        };
        let (found, previous) = (first.previous_output, self.previous_staking_txid);
        if found.txid != previous {
            return Err(ExpansionTxRefusal::NotThePreviousTx { found, previous });
        }
        let (found, funding) = (second.previous_output, self.funding_tx.compute_txid());
        if found.txid != funding {
            return Err(ExpansionTxRefusal::NotTheFundingTx { found, funding });
        }
        let (index, outputs) = (found.vout, self.funding_tx.output.len());
        let position = usize::try_from(index).ok();
        let output = position.and_then(|position| self.funding_tx.output.get(position));
        let output = output.ok_or(ExpansionTxRefusal::FundingIndex { index, outputs })?;
        if output.value == bitcoin::Amount::ZERO {
            return Err(ExpansionTxRefusal::NoFundingValue);
        }
        Ok(output.clone())
    }
}

impl CheckedDelegation {
    /// Checks that this stake expands `previous`, with `funding_output` spent by input 1 of its staking transaction, and
    /// that both have the same owner. For whoever signs: a signer does not let an expansion change the owner, whatever
    /// the chain's release allows.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn check_expansion<'a>(
        &'a self,
        previous: &'a CheckedDelegation,
        funding_output: &TxOut,
    ) -> Result<CheckedExpansion<'a>, ExpansionRefusal> {
        check_staker(self, previous)?;
        self.check_expansion_by_any_staker(previous, funding_output)
    }

    /// As [`check_expansion`](Self::check_expansion), but the staker keys may differ. For a chain that judges expansions
    /// it registered: only later releases compare the keys, and only at registration (`chain.md` 6.8 row 12, 6.9).
    ///
    /// # Errors
    /// The first rule broken; never [`ExpansionRefusal::OtherStaker`].
    pub fn check_expansion_by_any_staker<'a>(
        &'a self,
        previous: &'a CheckedDelegation,
        funding_output: &TxOut,
    ) -> Result<CheckedExpansion<'a>, ExpansionRefusal> {
        check_providers(self, previous)?;
        let (tx, value) = (&self.terms().staking_tx, self.terms().staking_value);
        check_stored_expansion_tx(tx, previous.as_previous_stake(), funding_output, value)?;
        check_committees(self, previous)?;
        let prevouts = [previous.staking_prevout(), funding_output.clone()];
        let sighash = leaf_sighash(tx, 0, &prevouts, previous.outputs().staking.unbonding_leaf())
            .expect("an expansion has two inputs, checked above");
        Ok(CheckedExpansion { new: self, previous, funding_output: funding_output.clone(), sighash })
    }
}

fn check_providers(new: &CheckedDelegation, previous: &CheckedDelegation) -> Result<(), ExpansionRefusal> {
    let (found, required) = (&new.terms().finality_providers, &previous.terms().finality_providers);
    if found != required {
        return Err(ExpansionRefusal::OtherFinalityProviders {
            found: found.clone(),
            required: required.clone(),
        });
    }
    Ok(())
}

fn check_staker(new: &CheckedDelegation, previous: &CheckedDelegation) -> Result<(), ExpansionRefusal> {
    let (found, required) = (new.terms().staker, previous.terms().staker);
    if found != required {
        return Err(ExpansionRefusal::OtherStaker { found, required });
    }
    Ok(())
}

fn check_committees(new: &CheckedDelegation, previous: &CheckedDelegation) -> Result<(), ExpansionRefusal> {
    let (old, now) = (previous.outputs().keys().committee(), new.outputs().keys().committee());
    let common = old.keys().iter().filter(|member| now.contains(member)).count();
    let quorum = old.quorum();
    if common < usize::try_from(quorum).expect("u32 fits usize on every supported target") {
        return Err(ExpansionRefusal::CommitteesDisjoint { common, quorum });
    }
    Ok(())
}

impl CheckedExpansion<'_> {
    /// The new stake.
    pub const fn new_stake(&self) -> &CheckedDelegation {
        self.new
    }
    /// The stake that is spent.
    pub const fn previous_stake(&self) -> &CheckedDelegation {
        self.previous
    }
    /// The output that input 1 spends.
    pub const fn funding_output(&self) -> &TxOut {
        &self.funding_output
    }
    /// The hash that covenant members and the staker sign for input 0. It commits to both inputs.
    pub const fn sighash(&self) -> TapSighash {
        self.sighash
    }

    /// Signs everything a committee member signs for the new stake, and the spend of the previous one.
    ///
    /// # Errors
    /// [`CannotSign`]; a member of only one of the committees cannot sign at all.
    pub fn sign_covenant(
        &self,
        secret: &CovenantSecret,
        aux: &[u8; 32],
    ) -> Result<CovenantSignatureSet, CannotSign> {
        let covenant = secret.public_key();
        if !self.previous.outputs().keys().committee().contains(&covenant) {
            return Err(CannotSign::NotAMember(covenant));
        }
        let mut set = self.new.sign_new_stake(secret, aux)?;
        set.expansion = Some(secret.sign_unbonding(self.sighash, aux));
        Ok(set)
    }

    /// Verifies one member's signatures, as the chain does on receipt.
    ///
    /// # Errors
    /// [`CovenantSignatureRefusal`].
    pub fn verify_covenant(&self, set: &CovenantSignatureSet) -> Result<(), CovenantSignatureRefusal> {
        self.new.verify_new_stake(set)?;
        let member = set.covenant;
        if !self.previous.outputs().keys().committee().contains(&member) {
            return Err(CovenantSignatureRefusal::NotAMember(member));
        }
        let signature = set.expansion.as_ref().ok_or(CovenantSignatureRefusal::ExpansionMissing)?;
        if !signature_is_valid(signature, member.x_only(), self.sighash) {
            return Err(CovenantSignatureRefusal::Invalid { list: CovenantList::Expansion, member });
        }
        Ok(())
    }

    /// Verifies that a quorum of the previous committee signed the spend of the previous stake.
    ///
    /// # Errors
    /// [`QuorumMissing`].
    pub fn verify_previous_quorum(
        &self,
        signatures: &[(CovenantPublicKey, schnorr::Signature)],
    ) -> Result<(), QuorumMissing> {
        let verdicts = signatures.iter().map(|(member, signature)| {
            (member, signature_is_valid(signature, member.x_only(), self.sighash))
        });
        self.previous.count_quorum(CovenantList::Expansion, verdicts)
    }

    /// Returns the expansion transaction with input 0 signed. Input 1 stays with the wallet.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn assemble_previous_input(
        &self,
        signatures: &[(CovenantPublicKey, schnorr::Signature)],
        staker_signature: &schnorr::Signature,
    ) -> Result<Transaction, AssemblyError> {
        let mut tx = self.new.terms().staking_tx.clone();
        let prevouts = [self.previous.staking_prevout(), self.funding_output.clone()];
        let leaf = self.previous.outputs().staking.unbonding_leaf();
        let spend = LeafSpend::new(&tx, 0, &prevouts, leaf)?;
        let keys = self.previous.outputs().keys();
        tx.input[0].witness = assemble_unbonding_witness(&spend, keys, signatures, staker_signature)?;
        Ok(tx)
    }
}
