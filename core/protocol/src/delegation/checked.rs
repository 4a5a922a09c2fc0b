//! A stake whose terms were checked: what can be signed for it and how its outputs are spent.
//!
//! Only [`DelegationTerms::check`] and the functions over it make one. Covenant signatures live in
//! [`super::covenant`]; here are the facts and the spends.

use super::{CovenantSignatures, DelegationTerms, check::StakeSighashes};
use crate::{
    finality::evidence::FinalityProviderSecret,
    keys::FinalityProviderPublicKey,
    output::{Leaf, SpendPath, StakeOutputs},
    params::ParamsVersion,
    sighash::SighashError,
    spend::{UnprovenSpend, classify_spend, find_spending_input, verify_staker_spend},
    tx::{expansion::PreviousStake, withdrawal::WithdrawalInput},
    witness::{
        AssemblyError, LeafSpend, SlashingSignatures, assemble_slashing_witness, assemble_unbonding_witness,
        recover_finality_provider_secret,
    },
};
use bitcoin::{OutPoint, Transaction, TxOut, Txid, secp256k1::schnorr};

/// Whether a stake stands alone or expands another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StakeKind {
    /// An ordinary stake.
    Ordinary,
    /// A stake made from a previous one; its covenant members must sign that spend too.
    Expansion,
}

/// Which of a stake's outputs a slashing spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlashedOutput {
    /// The staking output, by the slashing transaction.
    Staking,
    /// The unbonding output, by the unbonding slashing transaction.
    Unbonding,
}

/// Proof that a stake's terms hold under one params version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedDelegation {
    terms: DelegationTerms,
    params_version: ParamsVersion,
    outputs: StakeOutputs,
    staking_outpoint: OutPoint,
    sighashes: StakeSighashes,
    kind: StakeKind,
}

impl CheckedDelegation {
    pub(super) const fn new(
        terms: DelegationTerms,
        params_version: ParamsVersion,
        outputs: StakeOutputs,
        staking_outpoint: OutPoint,
        sighashes: StakeSighashes,
    ) -> Self {
        let kind = StakeKind::Ordinary;
        Self { terms, params_version, outputs, staking_outpoint, sighashes, kind }
    }
    pub(super) const fn into_kind(mut self, kind: StakeKind) -> Self {
        self.kind = kind;
        self
    }

    /// The terms that were checked.
    pub const fn terms(&self) -> &DelegationTerms {
        &self.terms
    }
    /// The params version they hold under.
    pub const fn params_version(&self) -> ParamsVersion {
        self.params_version
    }
    /// Whether the stake expands another one.
    pub const fn kind(&self) -> StakeKind {
        self.kind
    }
    /// Staking, unbonding and refund output.
    pub const fn outputs(&self) -> &StakeOutputs {
        &self.outputs
    }
    /// The staking output on Bitcoin.
    pub const fn staking_outpoint(&self) -> OutPoint {
        self.staking_outpoint
    }
    /// Names the delegation everywhere.
    pub const fn staking_txid(&self) -> Txid {
        self.staking_outpoint.txid
    }
    /// The unbonding output, once the unbonding transaction is on Bitcoin.
    pub fn unbonding_outpoint(&self) -> OutPoint {
        OutPoint::new(self.terms.unbonding_tx.compute_txid(), 0)
    }
    /// The three hashes that are signed.
    pub const fn sighashes(&self) -> &StakeSighashes {
        &self.sighashes
    }
    /// Value and script of the staking output.
    pub fn staking_prevout(&self) -> TxOut {
        TxOut { value: self.terms.staking_value, script_pubkey: self.outputs.staking.script_pubkey() }
    }
    /// Value and script of the unbonding output.
    pub fn unbonding_prevout(&self) -> TxOut {
        self.terms.unbonding_tx.output[0].clone()
    }
    /// What an expansion of this stake spends.
    pub const fn as_previous_stake(&self) -> PreviousStake {
        PreviousStake { outpoint: self.staking_outpoint, value: self.terms.staking_value }
    }
    /// The registered slashing transaction over an output, unsigned.
    pub const fn slashing_tx(&self, output: SlashedOutput) -> &Transaction {
        match output {
            SlashedOutput::Staking => &self.terms.slashing_tx,
            SlashedOutput::Unbonding => &self.terms.unbonding_slashing_tx,
        }
    }

    /// Completes the unbonding transaction with a quorum and the staker's signature over
    /// [`StakeSighashes::unbonding`].
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn assemble_unbonding(
        &self,
        covenant: &CovenantSignatures,
        staker_signature: &schnorr::Signature,
    ) -> Result<Transaction, AssemblyError> {
        let leaf = self.outputs.staking.unbonding_leaf();
        let spend = spend_of(&self.terms.unbonding_tx, &self.staking_prevout(), leaf)?;
        let keys = self.outputs.keys();
        let witness = assemble_unbonding_witness(&spend, keys, &covenant.unbonding, staker_signature)?;
        Ok(with_witness(&self.terms.unbonding_tx, witness))
    }

    /// Completes the slashing transaction over the staking output with a recovered secret.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn assemble_slashing(
        &self,
        covenant: &CovenantSignatures,
        secret: &FinalityProviderSecret,
        aux: &[u8; 32],
    ) -> Result<Transaction, AssemblyError> {
        let leaf = self.outputs.staking.slashing_leaf();
        let spend = spend_of(&self.terms.slashing_tx, &self.staking_prevout(), leaf)?;
        let signatures = SlashingSignatures {
            finality_providers: &self.terms.finality_providers,
            covenant: &covenant.slashing,
            staker: &self.terms.staker_slashing_signature,
        };
        let witness = assemble_slashing_witness(&spend, self.outputs.keys(), signatures, secret, aux)?;
        Ok(with_witness(&self.terms.slashing_tx, witness))
    }

    /// Completes the slashing transaction over the unbonding output with a recovered secret.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn assemble_unbonding_slashing(
        &self,
        covenant: &CovenantSignatures,
        secret: &FinalityProviderSecret,
        aux: &[u8; 32],
    ) -> Result<Transaction, AssemblyError> {
        let leaf = self.outputs.unbonding.slashing_leaf();
        let spend = spend_of(&self.terms.unbonding_slashing_tx, &self.unbonding_prevout(), leaf)?;
        let signatures = SlashingSignatures {
            finality_providers: &self.terms.finality_providers,
            covenant: &covenant.unbonding_slashing,
            staker: &self.terms.staker_unbonding_slashing_signature,
        };
        let witness = assemble_slashing_witness(&spend, self.outputs.keys(), signatures, secret, aux)?;
        Ok(with_witness(&self.terms.unbonding_slashing_tx, witness))
    }

    /// Withdraws the staking output after the staking time.
    pub fn withdraw_expired_stake(&self) -> WithdrawalInput {
        let output = &self.outputs.staking;
        WithdrawalInput::expired_stake(output, self.staking_outpoint, self.terms.staking_value)
    }
    /// Withdraws the unbonding output after the unbonding time.
    pub fn withdraw_unbonding_output(&self) -> WithdrawalInput {
        let output = &self.outputs.unbonding;
        WithdrawalInput::unbonding_output(output, self.unbonding_outpoint(), self.terms.unbonding_value)
    }
    /// Withdraws the change of a slashing after the unbonding time.
    pub fn withdraw_slashing_refund(&self, slashed: SlashedOutput) -> WithdrawalInput {
        let tx = self.slashing_tx(slashed);
        let outpoint = OutPoint::new(tx.compute_txid(), 1);
        WithdrawalInput::slashing_refund(&self.outputs.refund, outpoint, tx.output[1].value)
    }

    /// Returns the path by which `tx` spends the staking output; `None` when it does not, or not through a leaf.
    pub fn classify_staking_spend(&self, tx: &Transaction) -> Option<SpendPath> {
        let input = find_spending_input(tx, self.staking_outpoint)?;
        classify_spend(&tx.input[input].witness, self.outputs.staking.leaves())
    }
    /// Returns the path by which `tx` spends the unbonding output; `None` when it does not, or not through a leaf.
    pub fn classify_unbonding_spend(&self, tx: &Transaction) -> Option<SpendPath> {
        let input = find_spending_input(tx, self.unbonding_outpoint())?;
        classify_spend(&tx.input[input].witness, self.outputs.unbonding.leaves())
    }

    /// Verifies that the staker signed a reported spend of the staking output (`bitcoin.md` 10.3).
    ///
    /// # Errors
    /// [`UnprovenSpend`].
    pub fn verify_staker_spend(
        &self,
        tx: &Transaction,
        funding_txs: &[Transaction],
    ) -> Result<usize, UnprovenSpend> {
        verify_staker_spend(tx, self.staking_outpoint, &self.outputs.staking, funding_txs)
    }

    /// Recovers the secret of the finality provider that published a slashing of this stake itself.
    ///
    /// Recognises both registered slashing transactions by txid. Returns `None` when `tx` is neither of them or its
    /// witness gives no key away.
    pub fn recover_finality_provider_secret(
        &self,
        tx: &Transaction,
        covenant: &CovenantSignatures,
    ) -> Option<FinalityProviderSecret> {
        let txid = tx.compute_txid();
        let adaptors = if txid == self.terms.slashing_tx.compute_txid() {
            &covenant.slashing
        } else if txid == self.terms.unbonding_slashing_tx.compute_txid() {
            &covenant.unbonding_slashing
        } else {
            return None;
        };
        let providers: &[FinalityProviderPublicKey] = &self.terms.finality_providers;
        recover_finality_provider_secret(&tx.input.first()?.witness, self.outputs.keys(), providers, adaptors)
    }
}

fn spend_of<'a>(tx: &Transaction, prevout: &TxOut, leaf: &'a Leaf) -> Result<LeafSpend<'a>, SighashError> {
    LeafSpend::new(tx, 0, std::slice::from_ref(prevout), leaf)
}

fn with_witness(tx: &Transaction, witness: bitcoin::Witness) -> Transaction {
    let mut signed = tx.clone();
    signed.input[0].witness = witness;
    signed
}
