//! From an intention to a request: what to fund, what to sign, in the order in which nothing can go wrong.
//!
//! [`plan_stake`] builds all transactions once with a made-up outpoint, so that a stake too small to be slashed or
//! unbonded is refused before a coin moves. The wallet then funds the staking output, [`StakePlan::with_funded`] builds
//! the transactions that depend on its txid, and the staker signs.

use super::DelegationTerms;
use crate::{
    height::Timelock,
    keys::{FinalityProviderPublicKey, StakerPublicKey, StakerSecret},
    output::StakeOutputs,
    params::StakingParams,
    script::{InvalidStakeKeys, StakeKeys},
    sighash::{signature_is_valid, single_input_sighash},
    tx::{
        slashing::{CannotSlash, SlashingRules, SlashingTxVersion, build_slashing_tx},
        staking::{StakingTxRefusal, check_staking_tx},
        unbonding::{FeeNotCovered, build_unbonding_tx},
    },
};
use bitcoin::{Amount, OutPoint, TapSighash, Transaction, TxOut, secp256k1::schnorr};
use thiserror::Error;

/// Why a stake is not to be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanRefusal {
    /// The keys cannot form scripts.
    #[error("keys cannot form a stake")]
    Keys(#[from] InvalidStakeKeys),
    /// Staking time outside the bounds.
    #[error("staking time is {found} blocks, the params allow {min} to {max}")]
    StakingTime {
        /// Time asked for.
        found: Timelock,
        /// Shortest time.
        min: Timelock,
        /// Longest time.
        max: Timelock,
    },
    /// Amount outside the bounds.
    #[error("amount is {found}, the params allow {min} to {max}")]
    Amount {
        /// Amount asked for.
        found: Amount,
        /// Smallest stake.
        min: Amount,
        /// Largest stake.
        max: Amount,
    },
    /// The stake could not be unbonded.
    #[error("stake could not be unbonded")]
    Unbonding(#[from] FeeNotCovered),
    /// The staking output could not be slashed.
    #[error("staking output could not be slashed")]
    Slashing(#[source] CannotSlash),
    /// The unbonding output could not be slashed.
    #[error("unbonding output could not be slashed")]
    UnbondingSlashing(#[source] CannotSlash),
    /// The funded transaction does not hold the staking output.
    #[error("funded transaction is refused")]
    StakingTx(#[from] StakingTxRefusal),
}

/// A signature that is not the staker's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotTheStaker {
    /// The secret belongs to another key.
    #[error("secret belongs to {found}, the stake is by {required}")]
    Secret {
        /// Key of the secret.
        found: StakerPublicKey,
        /// Key of the stake.
        required: StakerPublicKey,
    },
    /// The signature on the slashing transaction does not verify.
    #[error("signature on the slashing transaction is not the staker's")]
    Slashing,
    /// The signature on the unbonding slashing transaction does not verify.
    #[error("signature on the unbonding slashing transaction is not the staker's")]
    UnbondingSlashing,
}

/// A stake that can be made: its output is ready to be funded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakePlan {
    params: StakingParams,
    finality_providers: Vec<FinalityProviderPublicKey>,
    amount: Amount,
    outputs: StakeOutputs,
}

/// Plans a stake under `params` and makes sure that it can be unbonded and slashed.
///
/// # Errors
/// [`PlanRefusal`].
pub fn plan_stake(
    params: &StakingParams,
    staker: StakerPublicKey,
    finality_providers: &[FinalityProviderPublicKey],
    amount: Amount,
    staking_time: Timelock,
) -> Result<StakePlan, PlanRefusal> {
    let (min, max) = (params.min_staking_time, params.max_staking_time);
    if staking_time < min || staking_time > max {
        return Err(PlanRefusal::StakingTime { found: staking_time, min, max });
    }
    let (min, max) = (params.min_staking_value, params.max_staking_value);
    if amount < min || amount > max {
        return Err(PlanRefusal::Amount { found: amount, min, max });
    }
    let keys = StakeKeys::new(staker, finality_providers, &params.covenant_committee)?;
    let outputs = StakeOutputs::new(keys, staking_time, params.unbonding_time);
    let finality_providers = finality_providers.to_vec();
    let plan = StakePlan { params: params.clone(), finality_providers, amount, outputs };
    plan.build_presigned(OutPoint::null(), SlashingTxVersion::default())?;
    Ok(plan)
}

/// The three transactions that are built over a staking output.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Presigned {
    unbonding: Transaction,
    slashing: Transaction,
    unbonding_slashing: Transaction,
}

impl StakePlan {
    /// The output to fund. Exactly one output of the staking transaction must be this one.
    pub fn staking_output(&self) -> TxOut {
        TxOut { value: self.amount, script_pubkey: self.outputs.staking.script_pubkey() }
    }
    /// Staking, unbonding and refund output.
    pub const fn outputs(&self) -> &StakeOutputs {
        &self.outputs
    }
    /// The params planned for.
    pub const fn params(&self) -> &StakingParams {
        &self.params
    }

    /// Builds the unbonding and both slashing transactions over a funded staking transaction. It need not be signed,
    /// but its txid must be final: native segwit inputs only.
    ///
    /// # Errors
    /// [`PlanRefusal::StakingTx`] when the transaction does not hold the planned output exactly once.
    pub fn with_funded(self, staking_tx: Transaction) -> Result<FundedStake, PlanRefusal> {
        self.with_funded_version(staking_tx, SlashingTxVersion::default())
    }

    /// Like [`StakePlan::with_funded`], with the version of the slashing transactions to build.
    ///
    /// # Errors
    /// As [`StakePlan::with_funded`].
    pub fn with_funded_version(
        self,
        staking_tx: Transaction,
        version: SlashingTxVersion,
    ) -> Result<FundedStake, PlanRefusal> {
        let output = self.staking_output();
        let staking_outpoint = check_staking_tx(&staking_tx, &output.script_pubkey, output.value)?;
        let presigned = self.build_presigned(staking_outpoint, version)?;
        Ok(FundedStake { plan: self, staking_tx, staking_outpoint, presigned })
    }

    fn build_presigned(
        &self,
        staking_outpoint: OutPoint,
        version: SlashingTxVersion,
    ) -> Result<Presigned, PlanRefusal> {
        let rules = SlashingRules::from(&*self.params);
        let refund = &self.outputs.refund;
        let slashing = build_slashing_tx(staking_outpoint, &self.staking_output(), refund, rules, version)
            .map_err(PlanRefusal::Slashing)?;
        let unbonding_script = self.outputs.unbonding.script_pubkey();
        let unbonding =
            build_unbonding_tx(staking_outpoint, self.amount, unbonding_script, self.params.unbonding_fee)?;
        let unbonding_outpoint = OutPoint::new(unbonding.compute_txid(), 0);
        let unbonding_slashing =
            build_slashing_tx(unbonding_outpoint, &unbonding.output[0], refund, rules, version)
                .map_err(PlanRefusal::UnbondingSlashing)?;
        Ok(Presigned { unbonding, slashing, unbonding_slashing })
    }
}

/// A stake whose staking transaction exists: ready for the staker's two signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundedStake {
    plan: StakePlan,
    staking_tx: Transaction,
    staking_outpoint: OutPoint,
    presigned: Presigned,
}

impl FundedStake {
    /// The plan it follows.
    pub const fn plan(&self) -> &StakePlan {
        &self.plan
    }
    /// The staking transaction.
    pub const fn staking_tx(&self) -> &Transaction {
        &self.staking_tx
    }
    /// The staking output on Bitcoin.
    pub const fn staking_outpoint(&self) -> OutPoint {
        self.staking_outpoint
    }
    /// Leads to the unbonding output; the staker signs it only when leaving.
    pub const fn unbonding_tx(&self) -> &Transaction {
        &self.presigned.unbonding
    }
    /// Slashes the staking output.
    pub const fn slashing_tx(&self) -> &Transaction {
        &self.presigned.slashing
    }
    /// Slashes the unbonding output.
    pub const fn unbonding_slashing_tx(&self) -> &Transaction {
        &self.presigned.unbonding_slashing
    }
    /// What the staker signs to have the staking output slashed.
    pub fn slashing_sighash(&self) -> TapSighash {
        let leaf = self.plan.outputs.staking.slashing_leaf();
        single_input_sighash(&self.presigned.slashing, &self.plan.staking_output(), leaf)
            .expect("built with one input")
    }
    /// What the staker signs to have the unbonding output slashed.
    pub fn unbonding_slashing_sighash(&self) -> TapSighash {
        let leaf = self.plan.outputs.unbonding.slashing_leaf();
        let prevout = &self.presigned.unbonding.output[0];
        single_input_sighash(&self.presigned.unbonding_slashing, prevout, leaf).expect("built with one input")
    }

    /// Signs both slashing transactions and returns the terms to register.
    ///
    /// # Errors
    /// [`NotTheStaker::Secret`] when the secret belongs to another key.
    pub fn sign(self, secret: &StakerSecret, aux: &[u8; 32]) -> Result<DelegationTerms, NotTheStaker> {
        let (found, required) = (secret.public_key(), *self.plan.outputs.keys().staker());
        if found != required {
            return Err(NotTheStaker::Secret { found, required });
        }
        let slashing = secret.sign(self.slashing_sighash(), aux);
        let unbonding_slashing = secret.sign(self.unbonding_slashing_sighash(), aux);
        Ok(self.into_terms(slashing, unbonding_slashing))
    }

    /// Takes signatures made elsewhere, such as on a hardware device, verifies them and returns the terms to register.
    ///
    /// # Errors
    /// [`NotTheStaker`] when one does not verify.
    pub fn with_signatures(
        self,
        slashing: schnorr::Signature,
        unbonding_slashing: schnorr::Signature,
    ) -> Result<DelegationTerms, NotTheStaker> {
        let staker = *self.plan.outputs.keys().staker();
        if !signature_is_valid(&slashing, staker.x_only(), self.slashing_sighash()) {
            return Err(NotTheStaker::Slashing);
        }
        if !signature_is_valid(&unbonding_slashing, staker.x_only(), self.unbonding_slashing_sighash()) {
            return Err(NotTheStaker::UnbondingSlashing);
        }
        Ok(self.into_terms(slashing, unbonding_slashing))
    }

    fn into_terms(
        self,
        staker_slashing_signature: schnorr::Signature,
        staker_unbonding_slashing_signature: schnorr::Signature,
    ) -> DelegationTerms {
        let unbonding_value = self.presigned.unbonding.output[0].value;
        DelegationTerms {
            staker: *self.plan.outputs.keys().staker(),
            finality_providers: self.plan.finality_providers,
            staking_time: self.plan.outputs.staking.timelock(),
            staking_value: self.plan.amount,
            staking_tx: self.staking_tx,
            slashing_tx: self.presigned.slashing,
            staker_slashing_signature,
            unbonding_time: self.plan.outputs.unbonding.timelock(),
            unbonding_tx: self.presigned.unbonding,
            unbonding_value,
            unbonding_slashing_tx: self.presigned.unbonding_slashing,
            staker_unbonding_slashing_signature,
        }
    }
}
