//! Staking parameters and their versions.
//!
//! Spec: `bitcoin.md` 11.4, `chain.md` 4. Every version applies from its activation height on; a delegation keeps the
//! version it was checked against for life. [`ParamsHistory`] holds the versions of a chain and selects among them;
//! [`phase1`] reads the global parameter files from before the staking chain existed.

pub mod history;
pub mod phase1;

pub use history::{InvalidHistory, InvalidParamsJson, NoParams, ParamsHistory};

use crate::{
    committee::CovenantCommittee,
    dust::is_dust,
    height::{BtcHeight, Timelock},
    rate::{Decimal, SlashingRate},
};
use bitcoin::{Amount, ScriptBuf};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Number of a params version, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParamsVersion(pub u32);

/// One version of the staking parameters. Build it with [`StakingParams::new`], which checks its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ParamsFields", into = "ParamsFields")]
pub struct StakingParams(ParamsFields);

/// The fields of one params version, unchecked.
///
/// The JSON form is the one a user may give in a file: snake case, amounts as integer satoshis, scripts in hex,
/// rates as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamsFields {
    /// Version number.
    pub version: ParamsVersion,
    /// First Bitcoin height at which the version applies.
    pub btc_activation_height: BtcHeight,
    /// Covenant committee and quorum.
    pub covenant_committee: CovenantCommittee,
    /// Smallest stake.
    #[serde(rename = "min_staking_value_sat", with = "bitcoin::amount::serde::as_sat")]
    pub min_staking_value: Amount,
    /// Largest stake.
    #[serde(rename = "max_staking_value_sat", with = "bitcoin::amount::serde::as_sat")]
    pub max_staking_value: Amount,
    /// Shortest staking timelock.
    #[serde(rename = "min_staking_time_blocks")]
    pub min_staking_time: Timelock,
    /// Longest staking timelock.
    #[serde(rename = "max_staking_time_blocks")]
    pub max_staking_time: Timelock,
    /// Script that receives slashed coins, byte for byte.
    #[serde(rename = "slashing_pk_script_hex")]
    pub slashing_script: ScriptBuf,
    /// Least fee of a slashing transaction.
    #[serde(rename = "min_slashing_tx_fee_sat", with = "bitcoin::amount::serde::as_sat")]
    pub min_slashing_fee: Amount,
    /// Share of a stake that a slashing takes.
    pub slashing_rate: SlashingRate,
    /// Timelock of the unbonding output and of slashing change.
    #[serde(rename = "unbonding_time_blocks")]
    pub unbonding_time: Timelock,
    /// Exact fee of the unbonding transaction.
    #[serde(rename = "unbonding_fee_sat", with = "bitcoin::amount::serde::as_sat")]
    pub unbonding_fee: Amount,
    /// Least commission of a finality provider.
    pub min_commission_rate: Decimal,
    /// Extra gas that registering a delegation without inclusion proof costs.
    pub delegation_creation_base_gas_fee: u64,
    /// Height of the staking chain until which only listed stakes are accepted; 0 for never.
    pub allow_list_expiration_height: u64,
}

/// Why the fields are no valid version (`bitcoin.md` 11.4).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidParams {
    /// A minority of the committee could sign.
    #[error("covenant quorum {quorum} is no majority of {members} members")]
    QuorumNotMajority {
        /// The quorum.
        quorum: u32,
        /// Size of the committee.
        members: usize,
    },
    /// An amount does not fit the chain's signed 64-bit satoshis.
    #[error("{field} of {value} is above what the chain can store, at most {} sat", i64::MAX)]
    AmountTooLarge {
        /// Name of the field as in the JSON form.
        field: &'static str,
        /// Its value.
        value: Amount,
    },
    /// An amount that must be positive is zero.
    #[error("{0} is zero, it must be positive")]
    Zero(&'static str),
    /// The smallest stake is above the largest.
    #[error("min_staking_value_sat is {min}, above max_staking_value_sat of {max}")]
    StakingValues {
        /// Smallest stake.
        min: Amount,
        /// Largest stake.
        max: Amount,
    },
    /// The shortest staking timelock is above the longest.
    #[error("min_staking_time_blocks is {min}, above max_staking_time_blocks of {max}")]
    StakingTimes {
        /// Shortest timelock.
        min: Timelock,
        /// Longest timelock.
        max: Timelock,
    },
    /// Unbonding would eat the smallest stake.
    #[error("unbonding_fee_sat is {fee}, it must be below min_staking_value_sat of {min}")]
    UnbondingFee {
        /// Fee of the unbonding transaction.
        fee: Amount,
        /// Smallest stake.
        min: Amount,
    },
    /// A commission is at most everything.
    #[error("min_commission_rate is {0}, it must be 0 to 1")]
    CommissionRate(Decimal),
    /// Slashing the smallest stake after unbonding would make an output that does not relay.
    #[error("slashing the smallest stake pays {amount} to {script}, which is dust")]
    SlashingOutputDust {
        /// What the slashing output of the smallest unbonded stake would hold.
        amount: Amount,
        /// Where it would go.
        script: ScriptBuf,
    },
}

impl StakingParams {
    /// Checks the fields.
    ///
    /// Timelocks, the committee and the slashing rate are valid by their types. That the unbonding time exceeds the
    /// chain's checkpoint finalization timeout is a rule of the network, not of one version: see
    /// [`network`](crate::network).
    ///
    /// # Errors
    /// [`InvalidParams`] with the first field that breaks a rule.
    pub fn new(fields: ParamsFields) -> Result<Self, InvalidParams> {
        check_quorum(&fields)?;
        check_amounts(&fields)?;
        check_staking_range(&fields)?;
        check_unbonding_fee(&fields)?;
        check_commission(&fields)?;
        check_slashing_output(&fields)?;
        Ok(Self(fields))
    }
}

fn check_quorum(fields: &ParamsFields) -> Result<(), InvalidParams> {
    let committee = &fields.covenant_committee;
    if committee.quorum_is_majority() {
        return Ok(());
    }
    Err(InvalidParams::QuorumNotMajority { quorum: committee.quorum(), members: committee.keys().len() })
}

fn check_amounts(fields: &ParamsFields) -> Result<(), InvalidParams> {
    for (field, value) in [
        ("min_staking_value_sat", fields.min_staking_value),
        ("max_staking_value_sat", fields.max_staking_value),
        ("min_slashing_tx_fee_sat", fields.min_slashing_fee),
        ("unbonding_fee_sat", fields.unbonding_fee),
    ] {
        if value == Amount::ZERO {
            return Err(InvalidParams::Zero(field));
        }
        if i64::try_from(value.to_sat()).is_err() {
            return Err(InvalidParams::AmountTooLarge { field, value });
        }
    }
    Ok(())
}

fn check_staking_range(fields: &ParamsFields) -> Result<(), InvalidParams> {
    if fields.min_staking_value > fields.max_staking_value {
        return Err(InvalidParams::StakingValues {
            min: fields.min_staking_value,
            max: fields.max_staking_value,
        });
    }
    if fields.min_staking_time > fields.max_staking_time {
        return Err(InvalidParams::StakingTimes {
            min: fields.min_staking_time,
            max: fields.max_staking_time,
        });
    }
    Ok(())
}

fn check_unbonding_fee(fields: &ParamsFields) -> Result<(), InvalidParams> {
    if fields.unbonding_fee < fields.min_staking_value {
        return Ok(());
    }
    Err(InvalidParams::UnbondingFee { fee: fields.unbonding_fee, min: fields.min_staking_value })
}

fn check_commission(fields: &ParamsFields) -> Result<(), InvalidParams> {
    if fields.min_commission_rate <= Decimal::ONE {
        return Ok(());
    }
    Err(InvalidParams::CommissionRate(fields.min_commission_rate))
}

/// The slashing output of the smallest unbonded stake must relay, unless the script burns.
fn check_slashing_output(fields: &ParamsFields) -> Result<(), InvalidParams> {
    if fields.slashing_script.is_op_return() {
        return Ok(());
    }
    // Cannot underflow: the fee was found below the smallest stake.
    let smallest = fields.min_staking_value.checked_sub(fields.unbonding_fee).unwrap_or(Amount::ZERO);
    let amount = fields.slashing_rate.amount_of(smallest);
    if is_dust(amount, &fields.slashing_script) {
        return Err(InvalidParams::SlashingOutputDust { amount, script: fields.slashing_script.clone() });
    }
    Ok(())
}

impl fmt::Display for ParamsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl std::ops::Deref for StakingParams {
    type Target = ParamsFields;
    fn deref(&self) -> &ParamsFields {
        &self.0
    }
}
impl TryFrom<ParamsFields> for StakingParams {
    type Error = InvalidParams;
    fn try_from(fields: ParamsFields) -> Result<Self, InvalidParams> {
        Self::new(fields)
    }
}
impl From<StakingParams> for ParamsFields {
    fn from(params: StakingParams) -> Self {
        params.0
    }
}

#[cfg(test)]
mod tests;
