//! The check of a stake's terms against one params version, predicate by predicate.
//!
//! Spec: `bitcoin.md` 11.2, `chain.md` 6.6, in that order; every refusal names the fact that broke a rule. The chain, the
//! covenant, the slasher and the staker all call this one function.

use super::{CheckedDelegation, DelegationTerms};
use crate::{
    height::Timelock,
    output::StakeOutputs,
    params::StakingParams,
    script::{InvalidStakeKeys, StakeKeys},
    sighash::{signature_is_valid, single_input_sighash},
    tx::{
        sanity::NotPresignable,
        slashing::{SlashingRules, SlashingTxRefusal, check_slashing_tx},
        staking::{StakingTxRefusal, check_staking_form, find_staking_output},
        unbonding::check_unbonding_shape,
    },
};
use bitcoin::{Amount, OutPoint, ScriptBuf, TapSighash, TxOut, secp256k1::schnorr};
use thiserror::Error;

/// Why terms are not acceptable under a params version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DelegationRefusal {
    /// Unbonding time is fixed by the params.
    #[error("unbonding time is {found} blocks, the params require exactly {required}")]
    UnbondingTime {
        /// Time in the terms.
        found: Timelock,
        /// Time in the params.
        required: Timelock,
    },
    /// The keys cannot form scripts.
    #[error("keys cannot form a stake")]
    Keys(#[from] InvalidStakeKeys),
    /// The staking transaction lacks the staking output, or is no transaction to stake with.
    #[error("staking transaction is refused")]
    StakingTx(#[from] StakingTxRefusal),
    /// Staking time outside the bounds.
    #[error("staking time is {found} blocks, the params allow {min} to {max}")]
    StakingTime {
        /// Time in the terms.
        found: Timelock,
        /// Shortest time.
        min: Timelock,
        /// Longest time.
        max: Timelock,
    },
    /// Staking value outside the bounds.
    #[error("staking value is {found}, the params allow {min} to {max}")]
    StakingValue {
        /// Value in the terms.
        found: Amount,
        /// Smallest value.
        min: Amount,
        /// Largest value.
        max: Amount,
    },
    /// The slashing transaction does not slash the staking output by the rules.
    #[error("slashing transaction is refused")]
    SlashingTx(#[source] SlashingTxRefusal),
    /// The staker did not sign the slashing transaction.
    #[error("staker's signature on the slashing transaction is invalid")]
    StakerSlashingSignature,
    /// The unbonding transaction has the wrong shape.
    #[error("unbonding transaction cannot be pre-signed")]
    UnbondingShape(#[source] NotPresignable),
    /// The unbonding transaction pays somewhere else.
    #[error("unbonding transaction pays script {found:x}, the unbonding output is {required:x}")]
    UnbondingScript {
        /// Script of its output.
        found: ScriptBuf,
        /// Script of the unbonding output.
        required: ScriptBuf,
    },
    /// The unbonding transaction pays another amount than declared.
    #[error("unbonding transaction pays {found}, the declared unbonding value is {declared}")]
    UnbondingValue {
        /// Value of its output.
        found: Amount,
        /// Value in the terms.
        declared: Amount,
    },
    /// The unbonding slashing transaction does not slash the unbonding output by the rules.
    #[error("unbonding slashing transaction is refused")]
    UnbondingSlashingTx(#[source] SlashingTxRefusal),
    /// The staker did not sign the unbonding slashing transaction.
    #[error("staker's signature on the unbonding slashing transaction is invalid")]
    StakerUnbondingSlashingSignature,
    /// The unbonding transaction spends something else.
    #[error("unbonding transaction spends {found}, it must spend staking output {required}")]
    UnbondingInput {
        /// Outpoint it spends.
        found: OutPoint,
        /// Outpoint of the staking output.
        required: OutPoint,
    },
    /// Unbonding pays out everything or more.
    #[error("unbonding value {unbonding} is not below staking value {staking}")]
    UnbondingNotBelowStaking {
        /// Value of the unbonding output.
        unbonding: Amount,
        /// Value of the staking output.
        staking: Amount,
    },
    /// The unbonding fee is fixed by the params.
    #[error("unbonding fee is {found}, the params require exactly {required}")]
    UnbondingFee {
        /// Staking value less unbonding value.
        found: Amount,
        /// Fee in the params.
        required: Amount,
    },
}

/// The three hashes that are signed for a stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StakeSighashes {
    /// Unbonding transaction, unbonding leaf of the staking output.
    pub unbonding: TapSighash,
    /// Slashing transaction, slashing leaf of the staking output.
    pub slashing: TapSighash,
    /// Unbonding slashing transaction, slashing leaf of the unbonding output.
    pub unbonding_slashing: TapSighash,
}

impl DelegationTerms {
    /// Checks the terms against `params` and returns the proof, with everything rebuilt that signing and spending need.
    ///
    /// Terms do not say whether they expand another stake; [`DelegationRequest::check`](super::DelegationRequest::check)
    /// and [`Delegation::rebuild`](super::Delegation::rebuild) know and keep it in the proof.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn check(&self, params: &StakingParams) -> Result<CheckedDelegation, DelegationRefusal> {
        self.check_unbonding_time(params)?;
        let outputs = self.build_outputs(params)?;
        let staking_outpoint = self.find_staking_outpoint(&outputs)?;
        self.check_staking_time(params)?;
        self.check_staking_value(params)?;
        check_staking_form(&self.staking_tx)?;
        self.check_slashing(&outputs, staking_outpoint, params)?;
        let slashing = self.verify_slashing_signature(&outputs)?;
        check_unbonding_shape(&self.unbonding_tx).map_err(DelegationRefusal::UnbondingShape)?;
        self.check_unbonding_output(&outputs)?;
        self.check_unbonding_slashing(&outputs, params)?;
        let unbonding_slashing = self.verify_unbonding_slashing_signature(&outputs)?;
        self.check_unbonding_input(staking_outpoint)?;
        self.check_unbonding_below_staking()?;
        self.check_unbonding_fee(params)?;
        let unbonding = self.unbonding_sighash(&outputs);
        let sighashes = StakeSighashes { unbonding, slashing, unbonding_slashing };
        Ok(CheckedDelegation::new(self.clone(), params.version, outputs, staking_outpoint, sighashes))
    }

    fn check_unbonding_time(&self, params: &StakingParams) -> Result<(), DelegationRefusal> {
        let (found, required) = (self.unbonding_time, params.unbonding_time);
        if found != required {
            return Err(DelegationRefusal::UnbondingTime { found, required });
        }
        Ok(())
    }

    fn build_outputs(&self, params: &StakingParams) -> Result<StakeOutputs, DelegationRefusal> {
        let keys = StakeKeys::new(self.staker, &self.finality_providers, &params.covenant_committee)?;
        Ok(StakeOutputs::new(keys, self.staking_time, self.unbonding_time))
    }

    fn find_staking_outpoint(&self, outputs: &StakeOutputs) -> Result<OutPoint, DelegationRefusal> {
        let script = outputs.staking.script_pubkey();
        let index = find_staking_output(&self.staking_tx, &script, self.staking_value)?;
        Ok(OutPoint::new(self.staking_tx.compute_txid(), index))
    }

    fn check_staking_time(&self, params: &StakingParams) -> Result<(), DelegationRefusal> {
        let (found, min, max) = (self.staking_time, params.min_staking_time, params.max_staking_time);
        if found < min || found > max {
            return Err(DelegationRefusal::StakingTime { found, min, max });
        }
        Ok(())
    }

    fn check_staking_value(&self, params: &StakingParams) -> Result<(), DelegationRefusal> {
        let (found, min, max) = (self.staking_value, params.min_staking_value, params.max_staking_value);
        if found < min || found > max {
            return Err(DelegationRefusal::StakingValue { found, min, max });
        }
        Ok(())
    }

    fn check_slashing(
        &self,
        outputs: &StakeOutputs,
        staking: OutPoint,
        params: &StakingParams,
    ) -> Result<(), DelegationRefusal> {
        let rules = SlashingRules::from(&**params);
        check_slashing_tx(&self.slashing_tx, &self.staking_tx, staking.vout, &outputs.refund, rules)
            .map_err(DelegationRefusal::SlashingTx)
    }

    fn verify_slashing_signature(&self, outputs: &StakeOutputs) -> Result<TapSighash, DelegationRefusal> {
        let leaf = outputs.staking.slashing_leaf();
        let sighash = single_input_sighash(&self.slashing_tx, &self.staking_prevout(outputs), leaf)
            .expect("the slashing transaction has one input, checked with its shape");
        if !self.staker_signed(&self.staker_slashing_signature, sighash) {
            return Err(DelegationRefusal::StakerSlashingSignature);
        }
        Ok(sighash)
    }

    fn check_unbonding_output(&self, outputs: &StakeOutputs) -> Result<(), DelegationRefusal> {
        let output = &self.unbonding_tx.output[0];
        let required = outputs.unbonding.script_pubkey();
        if output.script_pubkey != required {
            return Err(DelegationRefusal::UnbondingScript { found: output.script_pubkey.clone(), required });
        }
        if output.value != self.unbonding_value {
            return Err(DelegationRefusal::UnbondingValue {
                found: output.value,
                declared: self.unbonding_value,
            });
        }
        Ok(())
    }

    fn check_unbonding_slashing(
        &self,
        outputs: &StakeOutputs,
        params: &StakingParams,
    ) -> Result<(), DelegationRefusal> {
        let rules = SlashingRules::from(&**params);
        check_slashing_tx(&self.unbonding_slashing_tx, &self.unbonding_tx, 0, &outputs.refund, rules)
            .map_err(DelegationRefusal::UnbondingSlashingTx)
    }

    fn verify_unbonding_slashing_signature(
        &self,
        outputs: &StakeOutputs,
    ) -> Result<TapSighash, DelegationRefusal> {
        let leaf = outputs.unbonding.slashing_leaf();
        let prevout = &self.unbonding_tx.output[0];
        let sighash = single_input_sighash(&self.unbonding_slashing_tx, prevout, leaf)
            .expect("the unbonding slashing transaction has one input, checked with its shape");
        if !self.staker_signed(&self.staker_unbonding_slashing_signature, sighash) {
            return Err(DelegationRefusal::StakerUnbondingSlashingSignature);
        }
        Ok(sighash)
    }

    fn check_unbonding_input(&self, required: OutPoint) -> Result<(), DelegationRefusal> {
        let found = self.unbonding_tx.input[0].previous_output;
        if found != required {
            return Err(DelegationRefusal::UnbondingInput { found, required });
        }
        Ok(())
    }

    fn check_unbonding_below_staking(&self) -> Result<(), DelegationRefusal> {
        let (unbonding, staking) = (self.unbonding_value, self.staking_value);
        if unbonding >= staking {
            return Err(DelegationRefusal::UnbondingNotBelowStaking { unbonding, staking });
        }
        Ok(())
    }

    fn check_unbonding_fee(&self, params: &StakingParams) -> Result<(), DelegationRefusal> {
        let found = self.staking_value.checked_sub(self.unbonding_value).unwrap_or(Amount::ZERO);
        if found != params.unbonding_fee {
            return Err(DelegationRefusal::UnbondingFee { found, required: params.unbonding_fee });
        }
        Ok(())
    }

    fn unbonding_sighash(&self, outputs: &StakeOutputs) -> TapSighash {
        let leaf = outputs.staking.unbonding_leaf();
        single_input_sighash(&self.unbonding_tx, &self.staking_prevout(outputs), leaf)
            .expect("the unbonding transaction has one input, checked with its shape")
    }

    fn staking_prevout(&self, outputs: &StakeOutputs) -> TxOut {
        TxOut { value: self.staking_value, script_pubkey: outputs.staking.script_pubkey() }
    }

    fn staker_signed(&self, signature: &schnorr::Signature, sighash: TapSighash) -> bool {
        signature_is_valid(signature, self.staker.x_only(), sighash)
    }
}
