//! Queries of the staking module (`wire.md` 5.2, 5.3).

use super::{
    expand::parse_padded_txid,
    index::{self, BY_STATUS},
    lists, params,
    records::{BY_PROVIDER, DELEGATIONS, PROVIDERS, corrupt, provider},
    status,
};
use crate::{
    app::{light_client, page::internal},
    error::{Failure, btcstaking as err, plain, sdk},
    state::{Order, State, successor},
};
use bitcoin::Txid;
use btc_staking_babylon::proto::{PageRequest, PageResponse, btcstaking::*};
use btc_staking_protocol::{
    height::BtcHeight,
    keys::{FinalityProviderPublicKey, InvalidKey, StakerPublicKey},
    params::ParamsVersion,
};

/// The newest version.
pub(crate) fn latest_params(
    state: &State<'_>,
    _: QueryParamsRequest,
) -> Result<QueryParamsResponse, Failure> {
    Ok(QueryParamsResponse { params: Some(params::latest(state)?) })
}

/// All versions.
pub(crate) fn params_versions(
    state: &State<'_>,
    request: QueryParamsVersionsRequest,
) -> Result<QueryParamsVersionsResponse, Failure> {
    let keep =
        |version: ParamsVersion, params| Ok(Some(StoredParams { version: version.0, params: Some(params) }));
    let (params, pagination) = params::VERSIONS.page(state, &(), request.pagination, keep)?;
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
    Ok(QueryParamsByVersionResponse { params: Some(params) })
}

/// The version that applies at a Bitcoin height.
pub(crate) fn params_by_height(
    state: &State<'_>,
    request: QueryParamsByBTCHeightRequest,
) -> Result<QueryParamsByBTCHeightResponse, Failure> {
    let found = params::find_at(state, BtcHeight::new(request.btc_height))?;
    let (version, params) =
        found.ok_or_else(|| err::PARAMS_NOT_FOUND.because(format!("btc height {}", request.btc_height)))?;
    Ok(QueryParamsByBTCHeightResponse { params: Some(params), version: version.0 })
}

/// All finality providers in key order.
pub(crate) fn finality_providers(
    state: &State<'_>,
    height: u64,
    request: QueryFinalityProvidersRequest,
) -> Result<QueryFinalityProvidersResponse, Failure> {
    let keep = |key, record| {
        let soft_deleted = lists::is_soft_deleted(state, &key)?;
        Ok(Some(FinalityProviderResponse { soft_deleted, ..provider_response(record, height) }))
    };
    let (finality_providers, pagination) = PROVIDERS.page(state, &(), request.pagination, keep)?;
    Ok(QueryFinalityProvidersResponse { finality_providers, pagination: Some(pagination) })
}

/// One finality provider.
pub(crate) fn finality_provider(
    state: &State<'_>,
    height: u64,
    request: QueryFinalityProviderRequest,
) -> Result<QueryFinalityProviderResponse, Failure> {
    let key = required_key(&request.fp_btc_pk_hex)?.ok_or_else(|| err::FP_NOT_FOUND.bare())?;
    let record = provider(state, &key)?;
    let soft_deleted = lists::is_soft_deleted(state, &key)?;
    let response = FinalityProviderResponse { soft_deleted, ..provider_response(record, height) };
    Ok(QueryFinalityProviderResponse { finality_provider: Some(response) })
}

/// A finality provider's key in hex; nobody for 32 bytes that are no key.
pub(crate) fn parse_key(hex: &str) -> Result<Option<FinalityProviderPublicKey>, Failure> {
    match hex.parse() {
        Ok(key) => Ok(Some(key)),
        Err(InvalidKey::NotOnCurve(_)) => Ok(None),
        Err(refused) => Err(plain(refused)),
    }
}

fn required_key(hex: &str) -> Result<Option<FinalityProviderPublicKey>, Failure> {
    if hex.is_empty() {
        return Err(sdk::INVALID_REQUEST.because("finality provider BTC public key cannot be empty"));
    }
    parse_key(hex)
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

/// Delegations with a status, by txid in internal order, from the index by status.
pub(crate) fn delegations(
    state: &State<'_>,
    request: QueryBTCDelegationsRequest,
) -> Result<QueryBTCDelegationsResponse, Failure> {
    let Ok(wanted) = BTCDelegationStatus::try_from(request.status) else {
        return Ok(QueryBTCDelegationsResponse {
            pagination: Some(Default::default()),
            ..Default::default()
        });
    };
    let tip = light_client::tip_height(state)?;
    let total = index::count(state, wanted)?;
    let load = |record| with_status(state, record, tip);
    let (btc_delegations, pagination) = match wanted {
        BTCDelegationStatus::Any => {
            DELEGATIONS.page_of_all(state, &(), request.pagination, total, |_, record| load(record))
        }
        BTCDelegationStatus::Pending
        | BTCDelegationStatus::Verified
        | BTCDelegationStatus::Active
        | BTCDelegationStatus::Unbonded
        | BTCDelegationStatus::Expired => {
            let code = index::code(wanted);
            BY_STATUS.page_of_all(state, &code, request.pagination, total, |(_, txid), ()| {
                load(indexed(state, &txid)?)
            })
        }
    }
    .map_err(internal)?;
    Ok(QueryBTCDelegationsResponse { btc_delegations, pagination: Some(pagination) })
}

fn indexed(state: &State<'_>, txid: &Txid) -> Result<BTCDelegation, Failure> {
    Ok(DELEGATIONS.get(state, txid)?.ok_or_else(|| corrupt(format!("{txid} is indexed but not stored")))?)
}

fn with_status(
    state: &State<'_>,
    record: BTCDelegation,
    tip: BtcHeight,
) -> Result<BTCDelegationResponse, Failure> {
    let found = status::status(state, &record, tip)?;
    Ok(delegation_response(record, found))
}

/// Delegations to a finality provider: one item per staker key.
pub(crate) fn provider_delegations(
    state: &State<'_>,
    request: QueryFinalityProviderDelegationsRequest,
) -> Result<QueryFinalityProviderDelegationsResponse, Failure> {
    let Some(key) = required_key(&request.fp_btc_pk_hex)? else {
        return Ok(QueryFinalityProviderDelegationsResponse::default());
    };
    let tip = light_client::tip_height(state)?;
    let (stakers, pagination) = page_of_stakers(state, key, request.pagination)?;
    let mut items = vec![];
    for staker in stakers {
        let mut dels = vec![];
        for entry in BY_PROVIDER.scan_under(state, &(key, staker), Order::Ascending) {
            let ((_, _, txid), ()) = entry?;
            dels.push(with_status(state, indexed(state, &txid)?, tip)?);
        }
        items.push(BTCDelegatorDelegationsResponse { dels });
    }
    Ok(QueryFinalityProviderDelegationsResponse {
        btc_delegator_delegations: items,
        pagination: Some(pagination),
    })
}

/// The staker keys of a page; the page's key is a staker's 32 bytes. The walk goes from staker to staker over the index
/// and ends with the page unless the total is asked for.
fn page_of_stakers(
    state: &State<'_>,
    provider: FinalityProviderPublicKey,
    request: Option<PageRequest>,
) -> Result<(Vec<StakerPublicKey>, PageResponse), Failure> {
    let request = request.unwrap_or_default();
    if request.offset > 0 && !request.key.is_empty() {
        return Err(plain("invalid request, either offset or key is expected, got both"));
    }
    let order = if request.reverse { Order::Descending } else { Order::Ascending };
    let limit = if request.limit == 0 { 100 } else { request.limit };
    let counted = (request.count_total || request.limit == 0) && request.key.is_empty();
    let end = request.offset.saturating_add(limit);
    let (mut stakers, mut answer, mut number) = (vec![], PageResponse::default(), 0u64);
    let mut from = request.key;
    while let Some(staker) = first_staker(state, provider, &from, order)? {
        let bytes = staker.to_bytes().to_vec();
        if number == end {
            answer.next_key.clone_from(&bytes);
        }
        if number >= end && !counted {
            break;
        }
        if (request.offset..end).contains(&number) {
            stakers.push(staker);
        }
        number = number.saturating_add(1);
        let beyond = match order {
            Order::Ascending => successor(&bytes),
            Order::Descending => predecessor(&bytes),
        };
        let Some(beyond) = beyond else { break };
        from = beyond;
    }
    answer.total = if counted { number } else { 0 };
    Ok((stakers, answer))
}

/// The first staker of a finality provider whose key is `from` or behind it.
fn first_staker(
    state: &State<'_>,
    provider: FinalityProviderPublicKey,
    from: &[u8],
    order: Order,
) -> Result<Option<StakerPublicKey>, Failure> {
    let entry = BY_PROVIDER.scan_raw(state, &provider, from, order).next().transpose()?;
    Ok(entry.map(|(_, (_, staker, _), ())| staker))
}

/// The number before a key, in as many bytes.
fn predecessor(key: &[u8]) -> Option<Vec<u8>> {
    let last = key.iter().rposition(|byte| *byte != 0)?;
    let mut before = key.to_vec();
    before[last] -= 1;
    before[last + 1..].fill(u8::MAX);
    Some(before)
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
