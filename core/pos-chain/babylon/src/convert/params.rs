//! Parameters of the staking, finality and checkpoint modules.

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_amount, decode_covenant_key, decode_timelock, encode_amount, fit, required},
    decimal::{decode_decimal, decode_decimal_bytes, encode_decimal},
};
use crate::proto::{Duration, btccheckpoint, btcstaking, finality};
use bitcoin::ScriptBuf;
use btc_staking_pos_chain::{CheckpointParams, FinalityParams};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::{BtcDepth, BtcHeight, PosHeight},
    params::{ParamsFields, ParamsVersion, StakingParams},
    rate::SlashingRate,
};

/// Encodes one version of the staking parameters.
///
/// # Errors
/// [`Problem::OutOfRange`] for amounts above `i64::MAX`.
pub fn encode_staking_params(params: &StakingParams) -> Result<btcstaking::Params> {
    let committee = &params.covenant_committee;
    Ok(btcstaking::Params {
        covenant_pks: committee.keys().iter().map(|key| key.to_bytes().to_vec()).collect(),
        covenant_quorum: committee.quorum(),
        min_staking_value_sat: encode_amount("min_staking_value_sat", params.min_staking_value)?,
        max_staking_value_sat: encode_amount("max_staking_value_sat", params.max_staking_value)?,
        min_staking_time_blocks: params.min_staking_time.into(),
        max_staking_time_blocks: params.max_staking_time.into(),
        slashing_pk_script: params.slashing_script.to_bytes(),
        min_slashing_tx_fee_sat: encode_amount("min_slashing_tx_fee_sat", params.min_slashing_fee)?,
        slashing_rate: encode_decimal(params.slashing_rate.to_decimal()),
        unbonding_time_blocks: params.unbonding_time.into(),
        unbonding_fee_sat: encode_amount("unbonding_fee_sat", params.unbonding_fee)?,
        min_commission_rate: encode_decimal(params.min_commission_rate),
        delegation_creation_base_gas_fee: params.delegation_creation_base_gas_fee,
        allow_list_expiration_height: params.allow_list_expiration_height,
        btc_activation_height: params.btc_activation_height.to_u32(),
    })
}

/// Decodes and checks one version of the staking parameters.
///
/// # Errors
/// An [`InvalidField`] for any field, or with path `params` when the whole breaks a rule of the chain.
pub fn decode_staking_params(version: ParamsVersion, params: &btcstaking::Params) -> Result<StakingParams> {
    let rate = decode_decimal("slashing_rate", &params.slashing_rate)?;
    let fields = ParamsFields {
        version,
        btc_activation_height: BtcHeight::new(params.btc_activation_height),
        covenant_committee: decode_committee(params)?,
        min_staking_value: decode_amount("min_staking_value_sat", params.min_staking_value_sat)?,
        max_staking_value: decode_amount("max_staking_value_sat", params.max_staking_value_sat)?,
        min_staking_time: decode_timelock("min_staking_time_blocks", params.min_staking_time_blocks)?,
        max_staking_time: decode_timelock("max_staking_time_blocks", params.max_staking_time_blocks)?,
        slashing_script: ScriptBuf::from_bytes(params.slashing_pk_script.clone()),
        min_slashing_fee: decode_amount("min_slashing_tx_fee_sat", params.min_slashing_tx_fee_sat)?,
        slashing_rate: SlashingRate::from_decimal(rate)
            .map_err(|error| InvalidField::new("slashing_rate", error))?,
        unbonding_time: decode_timelock("unbonding_time_blocks", params.unbonding_time_blocks)?,
        unbonding_fee: decode_amount("unbonding_fee_sat", params.unbonding_fee_sat)?,
        min_commission_rate: decode_decimal("min_commission_rate", &params.min_commission_rate)?,
        delegation_creation_base_gas_fee: params.delegation_creation_base_gas_fee,
        allow_list_expiration_height: params.allow_list_expiration_height,
    };
    StakingParams::new(fields).map_err(|error| InvalidField::new("params", error))
}

fn decode_committee(params: &btcstaking::Params) -> Result<CovenantCommittee> {
    let key = |(index, key): (usize, &Vec<u8>)| decode_covenant_key(&format!("covenant_pks[{index}]"), key);
    let keys = params.covenant_pks.iter().enumerate().map(key).collect::<Result<Vec<_>>>()?;
    CovenantCommittee::new(params.covenant_quorum, keys)
        .map_err(|error| InvalidField::new("covenant_pks", error))
}

/// Encodes `k` and `w`. The tag of checkpoints is four zero bytes: nothing here reads it.
pub fn encode_checkpoint_params(params: &CheckpointParams) -> btccheckpoint::Params {
    btccheckpoint::Params {
        btc_confirmation_depth: params.confirmation_depth.to_u32(),
        checkpoint_finalization_timeout: params.finalization_timeout.to_u32(),
        checkpoint_tag: "00000000".to_owned(),
    }
}

/// Decodes `k` and `w`.
///
/// # Errors
/// [`Problem::Missing`] for a depth of zero: every network has both.
pub fn decode_checkpoint_params(params: &btccheckpoint::Params) -> Result<CheckpointParams> {
    let depth = |field, blocks| match blocks {
        0 => Err(InvalidField::new(field, Problem::Missing)),
        _ => Ok(BtcDepth::new(blocks)),
    };
    Ok(CheckpointParams {
        confirmation_depth: depth("btc_confirmation_depth", params.btc_confirmation_depth)?,
        finalization_timeout: depth(
            "checkpoint_finalization_timeout",
            params.checkpoint_finalization_timeout,
        )?,
    })
}

/// Encodes the finality parameters.
///
/// # Errors
/// [`Problem::OutOfRange`] above `i64::MAX`.
pub fn encode_finality_params(params: &FinalityParams) -> Result<finality::Params> {
    Ok(finality::Params {
        max_active_finality_providers: params.max_active_finality_providers,
        signed_blocks_window: fit("signed_blocks_window", params.signed_blocks_window, i64::MAX)?,
        finality_sig_timeout: fit("finality_sig_timeout", params.finality_sig_timeout, i64::MAX)?,
        min_signed_per_window: encode_decimal(params.min_signed_per_window).into_bytes(),
        min_pub_rand: params.min_pub_rand,
        jail_duration: Some(Duration {
            seconds: fit("jail_duration", params.jail_duration_s, i64::MAX)?,
            nanos: 0,
        }),
        finality_activation_height: params.activation_height.to_u64(),
    })
}

/// Decodes the finality parameters. Fractions of a second of the jail duration are dropped.
///
/// # Errors
/// An [`InvalidField`] for negative numbers and wrong decimals.
pub fn decode_finality_params(params: &finality::Params) -> Result<FinalityParams> {
    let jail = required("jail_duration", params.jail_duration.as_ref())?;
    Ok(FinalityParams {
        max_active_finality_providers: params.max_active_finality_providers,
        signed_blocks_window: fit("signed_blocks_window", params.signed_blocks_window, u64::MAX)?,
        finality_sig_timeout: fit("finality_sig_timeout", params.finality_sig_timeout, u64::MAX)?,
        min_signed_per_window: decode_decimal_bytes("min_signed_per_window", &params.min_signed_per_window)?,
        min_pub_rand: params.min_pub_rand,
        jail_duration_s: fit("jail_duration", jail.seconds, u64::MAX)?,
        activation_height: PosHeight::new(params.finality_activation_height),
    })
}
