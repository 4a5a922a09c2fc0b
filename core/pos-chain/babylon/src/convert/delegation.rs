//! Delegations as the chain reports them (`wire.md` 5.3).

use super::{
    InvalidField, Problem, Result,
    bytes::{
        decode_account, decode_schnorr_text, decode_staker_key, decode_timelock, decode_told_output_text,
        decode_told_tx_text, decode_total, decode_txid_text, encode_text, required,
    },
    covenant::{
        decode_adaptor_lists_with, decode_signature_list_with, encode_adaptor_lists, encode_signature_list,
    },
    known::KnownKeys,
};
use crate::proto::btcstaking::{
    BTCDelegationResponse, BTCDelegationStatus, BTCUndelegationResponse, DelegatorUnbondingInfoResponse,
    StakeExpansionResponse,
};
use btc_staking_protocol::{
    delegation::{
        CovenantSignatures, Delegation, DelegationStatus, DelegationTerms, ExpansionRecord, InclusionHeights,
        ReportedSpend,
    },
    height::BtcHeight,
    params::ParamsVersion,
};

/// The status as a filter of queries.
pub fn encode_status(status: DelegationStatus) -> BTCDelegationStatus {
    match status {
        DelegationStatus::Pending => BTCDelegationStatus::Pending,
        DelegationStatus::Verified => BTCDelegationStatus::Verified,
        DelegationStatus::Active => BTCDelegationStatus::Active,
        DelegationStatus::Unbonded => BTCDelegationStatus::Unbonded,
        DelegationStatus::Expired => BTCDelegationStatus::Expired,
    }
}

/// The status as answers and events name it.
pub const fn status_name(status: DelegationStatus) -> &'static str {
    match status {
        DelegationStatus::Pending => "PENDING",
        DelegationStatus::Verified => "VERIFIED",
        DelegationStatus::Active => "ACTIVE",
        DelegationStatus::Unbonded => "UNBONDED",
        DelegationStatus::Expired => "EXPIRED",
    }
}

/// Parses a status name.
///
/// # Errors
/// [`Problem::UnknownName`].
pub fn decode_status_name(field: &str, name: &str) -> Result<DelegationStatus> {
    use DelegationStatus::{Active, Expired, Pending, Unbonded, Verified};
    let known = [Pending, Verified, Active, Unbonded, Expired];
    known
        .into_iter()
        .find(|status| status_name(*status) == name)
        .ok_or_else(|| InvalidField::new(field, Problem::UnknownName(name.to_owned())))
}

/// Encodes a delegation as the chain answers it.
pub fn encode_delegation(delegation: &Delegation) -> BTCDelegationResponse {
    let terms = &delegation.terms;
    BTCDelegationResponse {
        staker_addr: delegation.staker_account.bech32().to_owned(),
        btc_pk: terms.staker.to_bytes().to_vec(),
        fp_btc_pk_list: terms.finality_providers.iter().map(|key| key.to_bytes().to_vec()).collect(),
        staking_time: terms.staking_time.into(),
        start_height: delegation.inclusion.map_or(0, |heights| heights.start.to_u32()),
        end_height: delegation.inclusion.map_or(0, |heights| heights.end.to_u32()),
        total_sat: terms.staking_value.to_sat(),
        staking_tx_hex: encode_text(&terms.staking_tx),
        slashing_tx_hex: encode_text(&terms.slashing_tx),
        delegator_slash_sig_hex: terms.staker_slashing_signature.to_string(),
        covenant_sigs: encode_adaptor_lists(&delegation.covenant.slashing),
        staking_output_idx: delegation.staking_output_index,
        active: delegation.status == DelegationStatus::Active,
        status_desc: status_name(delegation.status).to_owned(),
        unbonding_time: terms.unbonding_time.into(),
        undelegation_response: Some(encode_undelegation(delegation)),
        params_version: delegation.params_version.0,
        stk_exp: delegation.expansion.as_ref().map(encode_expansion),
    }
}

fn encode_undelegation(delegation: &Delegation) -> BTCUndelegationResponse {
    let spend = delegation.unbonded.as_ref().map(|spend| match spend {
        ReportedSpend::RegisteredUnbonding => String::new(),
        ReportedSpend::Other(tx) => encode_text(tx.as_ref()),
    });
    BTCUndelegationResponse {
        unbonding_tx_hex: encode_text(&delegation.terms.unbonding_tx),
        covenant_unbonding_sig_list: encode_signature_list(&delegation.covenant.unbonding),
        slashing_tx_hex: encode_text(&delegation.terms.unbonding_slashing_tx),
        delegator_slashing_sig_hex: delegation.terms.staker_unbonding_slashing_signature.to_string(),
        covenant_slashing_sigs: encode_adaptor_lists(&delegation.covenant.unbonding_slashing),
        delegator_unbonding_info_response: spend
            .map(|spend_stake_tx_hex| DelegatorUnbondingInfoResponse { spend_stake_tx_hex }),
    }
}

fn encode_expansion(record: &ExpansionRecord) -> StakeExpansionResponse {
    StakeExpansionResponse {
        previous_staking_tx_hash_hex: record.previous_staking_txid.to_string(),
        other_funding_tx_out_hex: encode_text(&record.other_funding_output),
        previous_stk_covenant_sigs: encode_signature_list(&record.previous_covenant),
    }
}

/// Decodes a delegation from an answer; nothing is verified.
///
/// # Errors
/// An [`InvalidField`] for any field, and [`Problem::Contradicts`] where two fields cannot both be true.
pub fn decode_delegation(response: &BTCDelegationResponse) -> Result<Delegation> {
    decode_delegation_with(&KnownKeys::default(), response)
}

/// Decodes one delegation of many; `keys` makes the next one cheaper.
///
/// # Errors
/// As [`decode_delegation`].
pub fn decode_delegation_with(keys: &KnownKeys, response: &BTCDelegationResponse) -> Result<Delegation> {
    let undelegation = required("undelegation_response", response.undelegation_response.as_ref())?;
    let within = |error: InvalidField| error.within("undelegation_response");
    let status = decode_status_name("status_desc", &response.status_desc)?;
    if response.active != (status == DelegationStatus::Active) {
        return Err(InvalidField::new("active", Problem::Contradicts("status_desc")));
    }
    let expansion = response.stk_exp.as_ref().map(|record| decode_expansion(keys, record)).transpose();
    Ok(Delegation {
        staker_account: decode_account("staker_addr", &response.staker_addr)?,
        terms: decode_terms(keys, response, undelegation)?,
        staking_output_index: response.staking_output_idx,
        params_version: ParamsVersion(response.params_version),
        inclusion: decode_heights(response)?,
        covenant: CovenantSignatures {
            slashing: decode_adaptor_lists_with(keys, "covenant_sigs", &response.covenant_sigs)?,
            unbonding: decode_signature_list_with(
                keys,
                "covenant_unbonding_sig_list",
                &undelegation.covenant_unbonding_sig_list,
            )
            .map_err(within)?,
            unbonding_slashing: decode_adaptor_lists_with(
                keys,
                "covenant_slashing_sigs",
                &undelegation.covenant_slashing_sigs,
            )
            .map_err(within)?,
        },
        unbonded: decode_spend(undelegation).map_err(within)?,
        expansion: expansion.map_err(|error| error.within("stk_exp"))?,
        status,
    })
}

fn decode_terms(
    keys: &KnownKeys,
    response: &BTCDelegationResponse,
    undelegation: &BTCUndelegationResponse,
) -> Result<DelegationTerms> {
    let within = |error: InvalidField| error.within("undelegation_response");
    let unbonding_tx =
        decode_told_tx_text("unbonding_tx_hex", &undelegation.unbonding_tx_hex).map_err(within)?;
    // The answer has no unbonding value; the chain accepts exactly one output.
    let [unbonding_output] = unbonding_tx.output.as_slice() else {
        return Err(within(InvalidField::new("unbonding_tx_hex", Problem::Contradicts("its one output"))));
    };
    Ok(DelegationTerms {
        staker: decode_staker_key("btc_pk", &response.btc_pk)?,
        finality_providers: keys.providers("fp_btc_pk_list", &response.fp_btc_pk_list)?,
        staking_time: decode_timelock("staking_time", response.staking_time)?,
        staking_value: decode_total("total_sat", response.total_sat)?,
        staking_tx: decode_told_tx_text("staking_tx_hex", &response.staking_tx_hex)?,
        slashing_tx: decode_told_tx_text("slashing_tx_hex", &response.slashing_tx_hex)?,
        staker_slashing_signature: decode_schnorr_text(
            "delegator_slash_sig_hex",
            &response.delegator_slash_sig_hex,
        )?,
        unbonding_time: decode_timelock("unbonding_time", response.unbonding_time)?,
        unbonding_value: unbonding_output.value,
        unbonding_slashing_tx: decode_told_tx_text("slashing_tx_hex", &undelegation.slashing_tx_hex)
            .map_err(within)?,
        staker_unbonding_slashing_signature: decode_schnorr_text(
            "delegator_slashing_sig_hex",
            &undelegation.delegator_slashing_sig_hex,
        )
        .map_err(within)?,
        unbonding_tx,
    })
}

fn decode_heights(response: &BTCDelegationResponse) -> Result<Option<InclusionHeights>> {
    match (response.start_height, response.end_height) {
        (0, 0) => Ok(None),
        (start, end) if start < end => {
            Ok(Some(InclusionHeights { start: BtcHeight::new(start), end: BtcHeight::new(end) }))
        }
        _ => Err(InvalidField::new("start_height", Problem::Contradicts("end_height"))),
    }
}

fn decode_spend(undelegation: &BTCUndelegationResponse) -> Result<Option<ReportedSpend>> {
    let Some(info) = &undelegation.delegator_unbonding_info_response else { return Ok(None) };
    if info.spend_stake_tx_hex.is_empty() {
        return Ok(Some(ReportedSpend::RegisteredUnbonding));
    }
    let tx = decode_told_tx_text("spend_stake_tx_hex", &info.spend_stake_tx_hex)
        .map_err(|error| error.within("delegator_unbonding_info_response"))?;
    Ok(Some(ReportedSpend::Other(Box::new(tx))))
}

fn decode_expansion(keys: &KnownKeys, record: &StakeExpansionResponse) -> Result<ExpansionRecord> {
    Ok(ExpansionRecord {
        previous_staking_txid: decode_txid_text(
            "previous_staking_tx_hash_hex",
            &record.previous_staking_tx_hash_hex,
        )?,
        other_funding_output: decode_told_output_text(
            "other_funding_tx_out_hex",
            &record.other_funding_tx_out_hex,
        )?,
        previous_covenant: decode_signature_list_with(
            keys,
            "previous_stk_covenant_sigs",
            &record.previous_stk_covenant_sigs,
        )?,
    })
}
