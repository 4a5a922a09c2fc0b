//! Staking parameters and their versions.
//!
//! Spec: `bitcoin.md` 11.4, `chain.md` 4. Every version applies from its activation height on; a delegation keeps the
//! version it was checked against for life.

use crate::{
    committee::CovenantCommittee,
    height::{BtcHeight, Timelock},
    rate::{Decimal, SlashingRate},
};
use bitcoin::{Amount, ScriptBuf};
use serde::{Deserialize, Serialize};
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

/// Why the fields are no valid version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidParams {}
impl StakingParams {
    /// Checks the fields.
    pub fn new(fields: ParamsFields) -> Result<Self, InvalidParams> {
        Ok(Self(fields))
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
