//! Queries of the staking module (`wire.md` 5.2, 5.3).

use super::{
    expand::parse_padded_txid,
    params,
    records::{BY_CLASS, BY_PROVIDER, DELEGATIONS, PROVIDERS, provider},
    status::{self, Class},
};
use crate::{
    app::{light_client, page::page},
    error::{Broken, Failure, btcstaking as err, plain},
    state::{Order, State},
};
use bitcoin::Txid;
use btc_staking_babylon::{
    convert::params::encode_staking_params,
    proto::{PageRequest, PageResponse, btcstaking::*},
};
use btc_staking_protocol::{
    height::BtcHeight,
    keys::{FinalityProviderPublicKey, StakerPublicKey},
    params::{ParamsVersion, StakingParams},
};
use std::collections::BTreeMap;

fn wire_params(params: &StakingParams) -> Result<Params, Failure> {
    encode_staking_params(params)
        .map_err(|err| Broken::Corrupt { table: "params versions", reason: err.to_string() }.into())
}

/// The newest version.
pub(crate) fn latest_params(
    state: &State<'_>,
    _: QueryParamsRequest,
) -> Result<QueryParamsResponse, Failure> {
    Ok(QueryParamsResponse { params: Some(wire_params(&params::latest(state)?)?) })
}

/// All versions.
pub(crate) fn params_versions(
    state: &State<'_>,
    request: QueryParamsVersionsRequest,
) -> Result<QueryParamsVersionsResponse, Failure> {
    let keep =
        |version: ParamsVersion, params| Ok(Some(StoredParams { version: version.0, params: Some(params) }));
    let (params, pagination) = page(state, &params::VERSIONS, &(), request.pagination, keep)?;
    Ok(QueryParamsVersionsResponse { params, pagination: Some(pagination) })
}

/// One version.
pub(crate) fn params_by_version(
    state: &State<'_>,
    request: QueryParamsByVersionRequest,
) -> Result<QueryParamsByVersionResponse, Failure> {
    let params = params::find(state, ParamsVersion(request.version))?;
    let params =
        params.ok_or_else(|| err::PARAMS_NOT_FOUND.because(format!("version {}", request.version)))?;
    Ok(QueryParamsByVersionResponse { params: Some(wire_params(&params)?) })
}

/// The version that applies at a Bitcoin height.
pub(crate) fn params_by_height(
    state: &State<'_>,
    request: QueryParamsByBTCHeightRequest,
) -> Result<QueryParamsByBTCHeightResponse, Failure> {
    let params = params::find_at(state, BtcHeight::new(request.btc_height))?;
    let params =
        params.ok_or_else(|| err::PARAMS_NOT_FOUND.because(format!("btc height {}", request.btc_height)))?;
    let version = params.version.0;
    Ok(QueryParamsByBTCHeightResponse { params: Some(wire_params(&params)?), version })
}

/// All finality providers in key order.
pub(crate) fn finality_providers(
    state: &State<'_>,
    height: u64,
    request: QueryFinalityProvidersRequest,
) -> Result<QueryFinalityProvidersResponse, Failure> {
    let keep = |_, record| Ok(Some(provider_response(record, height)));
    let (finality_providers, pagination) = page(state, &PROVIDERS, &(), request.pagination, keep)?;
    Ok(QueryFinalityProvidersResponse { finality_providers, pagination: Some(pagination) })
}

/// One finality provider.
pub(crate) fn finality_provider(
    state: &State<'_>,
    height: u64,
    request: QueryFinalityProviderRequest,
) -> Result<QueryFinalityProviderResponse, Failure> {
    let record = provider(state, &parse_key(&request.fp_btc_pk_hex)?)?;
    Ok(QueryFinalityProviderResponse { finality_provider: Some(provider_response(record, height)) })
}

/// A finality provider's key in hex.
pub(crate) fn parse_key(hex: &str) -> Result<FinalityProviderPublicKey, Failure> {
    hex.parse().map_err(plain)
}

fn provider_response(record: FinalityProvider, height: u64) -> FinalityProviderResponse {
    FinalityProviderResponse {
        description: record.description,
        commission: record.commission.unwrap_or_default(),
        addr: record.addr,
        btc_pk: record.btc_pk,
        pop: record.pop,
        slashed_babylon_height: record.slashed_babylon_height,
        slashed_btc_height: record.slashed_btc_height,
        height,
        jailed: record.jailed,
        highest_voted_height: record.highest_voted_height,
        commission_info: record.commission_info,
        soft_deleted: false,
    }
}

/// Delegations with a status, by txid in internal order.
///
/// Where the facts alone decide, the index by class is walked; only a status that the tip decides across classes makes the
/// query look at every delegation, as it always does in the reference.
pub(crate) fn delegations(
    state: &State<'_>,
    request: QueryBTCDelegationsRequest,
) -> Result<QueryBTCDelegationsResponse, Failure> {
    let wanted = BTCDelegationStatus::try_from(request.status).map_err(plain)?;
    let (btc_delegations, pagination) = match wanted {
        BTCDelegationStatus::Pending => of_class(state, Class::Pending, wanted, request.pagination)?,
        BTCDelegationStatus::Verified => of_class(state, Class::Verified, wanted, request.pagination)?,
        BTCDelegationStatus::Active | BTCDelegationStatus::Expired => {
            of_class(state, Class::Proven, wanted, request.pagination)?
        }
        BTCDelegationStatus::Unbonded | BTCDelegationStatus::Any => {
            let tip = light_client::tip_height(state)?;
            let keep = |_, record| with_status(state, record, wanted, tip);
            page(state, &DELEGATIONS, &(), request.pagination, keep)?
        }
    };
    Ok(QueryBTCDelegationsResponse { btc_delegations, pagination: Some(pagination) })
}

fn of_class(
    state: &State<'_>,
    class: Class,
    wanted: BTCDelegationStatus,
    request: Option<PageRequest>,
) -> Result<(Vec<BTCDelegationResponse>, PageResponse), Failure> {
    let tip = light_client::tip_height(state)?;
    page(state, &BY_CLASS, &class.code(), request, |(_, txid), ()| match DELEGATIONS.get(state, &txid)? {
        Some(record) => with_status(state, record, wanted, tip),
        None => Ok(None),
    })
}

fn with_status(
    state: &State<'_>,
    record: BTCDelegation,
    wanted: BTCDelegationStatus,
    tip: BtcHeight,
) -> Result<Option<BTCDelegationResponse>, Failure> {
    let found = status::status(state, &record, tip)?;
    let keep = wanted == BTCDelegationStatus::Any || wanted == found;
    Ok(keep.then(|| delegation_response(record, found)))
}

/// Delegations to a finality provider: one item per staker key.
pub(crate) fn provider_delegations(
    state: &State<'_>,
    request: QueryFinalityProviderDelegationsRequest,
) -> Result<QueryFinalityProviderDelegationsResponse, Failure> {
    let key = parse_key(&request.fp_btc_pk_hex)?;
    let tip = light_client::tip_height(state)?;
    let mut stakers: BTreeMap<StakerPublicKey, Vec<Txid>> = BTreeMap::new();
    for entry in BY_PROVIDER.scan_under(state, &key, Order::Ascending) {
        let ((_, staker, txid), ()) = entry?;
        stakers.entry(staker).or_default().push(txid);
    }
    let (chosen, pagination) = page_of_stakers(stakers.into_iter().collect(), request.pagination)?;
    let mut items = vec![];
    for (_, txids) in chosen {
        let mut dels = vec![];
        for txid in txids {
            if let Some(record) = DELEGATIONS.get(state, &txid)? {
                dels.extend(with_status(state, record, BTCDelegationStatus::Any, tip)?);
            }
        }
        items.push(BTCDelegatorDelegationsResponse { dels });
    }
    Ok(QueryFinalityProviderDelegationsResponse {
        btc_delegator_delegations: items,
        pagination: Some(pagination),
    })
}

type ByStaker = Vec<(StakerPublicKey, Vec<Txid>)>;

/// A page over staker keys; its key is a staker's 32 bytes.
fn page_of_stakers(
    mut stakers: ByStaker,
    request: Option<PageRequest>,
) -> Result<(ByStaker, PageResponse), Failure> {
    let request = request.unwrap_or_default();
    if request.offset > 0 && !request.key.is_empty() {
        return Err(plain("invalid request, either offset or key is expected, got both"));
    }
    if request.reverse {
        stakers.reverse();
    }
    let total = u64::try_from(stakers.len()).unwrap_or(u64::MAX);
    let limit = if request.limit == 0 { 100 } else { request.limit };
    let counted = (request.count_total || request.limit == 0) && request.key.is_empty();
    let start = match request.key.as_slice() {
        [] => usize::try_from(request.offset).unwrap_or(usize::MAX),
        key => {
            let before = |staker: &StakerPublicKey| match request.reverse {
                false => staker.to_bytes().as_slice() < key,
                true => staker.to_bytes().as_slice() > key,
            };
            stakers.iter().take_while(|(staker, _)| before(staker)).count()
        }
    };
    let mut rest = stakers.into_iter().skip(start);
    let chosen = rest.by_ref().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    let next_key = rest.next().map_or(vec![], |(staker, _)| staker.to_bytes().to_vec());
    Ok((chosen, PageResponse { next_key, total: if counted { total } else { 0 } }))
}

/// One delegation.
pub(crate) fn delegation(
    state: &State<'_>,
    request: QueryBTCDelegationRequest,
) -> Result<QueryBTCDelegationResponse, Failure> {
    let txid = parse_padded_txid(&request.staking_tx_hash_hex)?;
    let record = DELEGATIONS.get(state, &txid)?.ok_or_else(|| err::DELEGATION_NOT_FOUND.bare())?;
    let found = status::status(state, &record, light_client::tip_height(state)?)?;
    Ok(QueryBTCDelegationResponse { btc_delegation: Some(delegation_response(record, found)) })
}

fn delegation_response(record: BTCDelegation, status: BTCDelegationStatus) -> BTCDelegationResponse {
    BTCDelegationResponse {
        staker_addr: record.staker_addr,
        btc_pk: record.btc_pk,
        fp_btc_pk_list: record.fp_btc_pk_list,
        staking_time: record.staking_time,
        start_height: record.start_height,
        end_height: record.end_height,
        total_sat: record.total_sat,
        staking_tx_hex: hex::encode(record.staking_tx),
        slashing_tx_hex: hex::encode(record.slashing_tx),
        delegator_slash_sig_hex: hex::encode(record.delegator_sig),
        covenant_sigs: record.covenant_sigs,
        staking_output_idx: record.staking_output_idx,
        active: status == BTCDelegationStatus::Active,
        status_desc: status::name(status).to_owned(),
        unbonding_time: record.unbonding_time,
        undelegation_response: record.btc_undelegation.map(undelegation_response),
        params_version: record.params_version,
        stk_exp: record.stk_exp.map(expansion_response),
    }
}

fn undelegation_response(part: BTCUndelegation) -> BTCUndelegationResponse {
    BTCUndelegationResponse {
        unbonding_tx_hex: hex::encode(part.unbonding_tx),
        covenant_unbonding_sig_list: part.covenant_unbonding_sig_list,
        slashing_tx_hex: hex::encode(part.slashing_tx),
        delegator_slashing_sig_hex: hex::encode(part.delegator_slashing_sig),
        covenant_slashing_sigs: part.covenant_slashing_sigs,
        delegator_unbonding_info_response: part.delegator_unbonding_info.map(|info| {
            DelegatorUnbondingInfoResponse { spend_stake_tx_hex: hex::encode(info.spend_stake_tx) }
        }),
    }
}

fn expansion_response(part: StakeExpansion) -> StakeExpansionResponse {
    let mut previous = part.previous_staking_tx_hash;
    previous.reverse();
    StakeExpansionResponse {
        previous_staking_tx_hash_hex: hex::encode(previous),
        other_funding_tx_out_hex: hex::encode(part.other_funding_tx_out),
        previous_stk_covenant_sigs: part.previous_stk_covenant_sigs,
    }
}
