//! Queries of the finality module (`wire.md` 5.4).

use super::records::{
    ACTIVATED, BLOCKS, COMMITS, DISTRIBUTION, EVIDENCE, LAST_TABLE, POWER, RANDOMNESS, Ranked, SIGNING_INFO,
    VOTES, params,
};
use crate::{
    app::{
        page::internal,
        staking::{queries::parse_key, records::PROVIDERS},
    },
    error::{Failure, Status, btcstaking, finality as err, status},
    state::{Order, State},
};
use btc_staking_babylon::proto::finality::*;
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use std::collections::BTreeMap;

/// The parameters.
pub(crate) fn query_params(state: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    Ok(QueryParamsResponse { params: Some(params(state)?) })
}

/// The finality provider that a query names; nobody for bytes that are no key.
fn named(hex: &str) -> Result<Option<FinalityProviderPublicKey>, Failure> {
    parse_key(hex).map_err(|refused| match refused {
        Failure::Refused(refusal) => {
            let why = format!("failed to unmarshal finality provider BTC PK hex: {}", refusal.log);
            status(Status::InvalidArgument, why)
        }
        Failure::Broken(broken) => broken.into(),
    })
}

/// The power table of a height, in key order.
pub(crate) fn active_at(
    state: &State<'_>,
    request: QueryActiveFinalityProvidersAtHeightRequest,
) -> Result<QueryActiveFinalityProvidersAtHeightResponse, Failure> {
    let height = PosHeight::new(request.height);
    let (finality_providers, pagination) =
        POWER.page(state, &height, request.pagination, |(_, key), voting_power| {
            if voting_power == 0 {
                return Ok(None);
            }
            let record = PROVIDERS.get(state, &key)?.unwrap_or_default();
            Ok(Some(ActiveFinalityProvidersAtHeightResponse {
                btc_pk_hex: key.to_bytes().to_vec(),
                height: request.height,
                voting_power,
                slashed_babylon_height: record.slashed_babylon_height,
                slashed_btc_height: record.slashed_btc_height,
                jailed: false,
                highest_voted_height: record.highest_voted_height,
            }))
        })?;
    Ok(QueryActiveFinalityProvidersAtHeightResponse { finality_providers, pagination: Some(pagination) })
}

/// Power of a finality provider at a height.
pub(crate) fn power_at(
    state: &State<'_>,
    request: QueryFinalityProviderPowerAtHeightRequest,
) -> Result<QueryFinalityProviderPowerAtHeightResponse, Failure> {
    let key = named(&request.fp_btc_pk_hex)?.ok_or_else(|| btcstaking::FP_NOT_FOUND.bare())?;
    if !PROVIDERS.has(state, &key)? {
        return Err(btcstaking::FP_NOT_FOUND.bare());
    }
    let height = PosHeight::new(request.height);
    if let Some(voting_power) = POWER.get(state, &(height, key))? {
        return Ok(QueryFinalityProviderPowerAtHeightResponse { voting_power });
    }
    match POWER.scan_under(state, &height, Order::Ascending).next().transpose()? {
        Some(_) => Ok(QueryFinalityProviderPowerAtHeightResponse { voting_power: 0 }),
        None => Err(err::NO_POWER_TABLE.because(format!("height {height}"))),
    }
}

/// Power of a finality provider at the last height with a table.
pub(crate) fn current_power(
    state: &State<'_>,
    request: QueryFinalityProviderCurrentPowerRequest,
) -> Result<QueryFinalityProviderCurrentPowerResponse, Failure> {
    let key = named(&request.fp_btc_pk_hex)?;
    let height = LAST_TABLE.get(state, &())?.unwrap_or(0);
    let Some(key) = key else {
        return Ok(QueryFinalityProviderCurrentPowerResponse { height, voting_power: 0 });
    };
    let voting_power = POWER.get(state, &(PosHeight::new(height), key))?.unwrap_or(0);
    Ok(QueryFinalityProviderCurrentPowerResponse { height, voting_power })
}

/// The first height with a power table.
pub(crate) fn activated_height(
    state: &State<'_>,
    _: QueryActivatedHeightRequest,
) -> Result<QueryActivatedHeightResponse, Failure> {
    let height = ACTIVATED.get(state, &())?.ok_or_else(|| err::NOT_ACTIVATED.bare())?;
    Ok(QueryActivatedHeightResponse { height })
}

/// Public randomness of accepted votes.
pub(crate) fn public_randomness(
    state: &State<'_>,
    request: QueryListPublicRandomnessRequest,
) -> Result<QueryListPublicRandomnessResponse, Failure> {
    let Some(key) = named(&request.fp_btc_pk_hex)? else {
        return Ok(QueryListPublicRandomnessResponse::default());
    };
    let keep = |(_, height): (_, PosHeight), value| Ok(Some((height.to_u64(), value)));
    let (items, pagination) = RANDOMNESS.page(state, &key, request.pagination, keep).map_err(internal)?;
    Ok(QueryListPublicRandomnessResponse {
        pub_rand_map: items.into_iter().collect(),
        pagination: Some(pagination),
    })
}

/// Randomness commitments.
pub(crate) fn commits(
    state: &State<'_>,
    request: QueryListPubRandCommitRequest,
) -> Result<QueryListPubRandCommitResponse, Failure> {
    let Some(key) = named(&request.fp_btc_pk_hex)? else {
        return Ok(QueryListPubRandCommitResponse::default());
    };
    let keep = |(_, start): (_, PosHeight), record: PubRandCommit| {
        let PubRandCommit { num_pub_rand, commitment, epoch_num, .. } = record;
        Ok(Some((start.to_u64(), PubRandCommitResponse { num_pub_rand, commitment, epoch_num })))
    };
    let (items, pagination) = COMMITS.page(state, &key, request.pagination, keep).map_err(internal)?;
    Ok(QueryListPubRandCommitResponse {
        pub_rand_commit_map: items.into_iter().collect::<BTreeMap<_, _>>(),
        pagination: Some(pagination),
    })
}

/// An indexed block.
pub(crate) fn block(state: &State<'_>, request: QueryBlockRequest) -> Result<QueryBlockResponse, Failure> {
    let block = BLOCKS.get(state, &PosHeight::new(request.height))?;
    Ok(QueryBlockResponse { block: Some(block.ok_or_else(|| err::BLOCK_NOT_FOUND.bare())?) })
}

/// Indexed blocks, final or not.
pub(crate) fn blocks(
    state: &State<'_>,
    request: QueryListBlocksRequest,
) -> Result<QueryListBlocksResponse, Failure> {
    let wanted = QueriedBlockStatus::try_from(request.status).ok();
    let keep = |_, block: IndexedBlock| {
        let keep = match wanted {
            Some(QueriedBlockStatus::Any) => true,
            Some(QueriedBlockStatus::Finalized) => block.finalized,
            Some(QueriedBlockStatus::NonFinalized) => !block.finalized,
            None => false,
        };
        Ok(keep.then_some(block))
    };
    let (blocks, pagination) = BLOCKS.page(state, &(), request.pagination, keep).map_err(internal)?;
    Ok(QueryListBlocksResponse { blocks, pagination: Some(pagination) })
}

/// Who voted for a height.
pub(crate) fn votes_at(
    state: &State<'_>,
    request: QueryVotesAtHeightRequest,
) -> Result<QueryVotesAtHeightResponse, Failure> {
    let votes = VOTES.scan_under(state, &PosHeight::new(request.height), Order::Ascending);
    let keys = votes.map(|entry| entry.map(|((_, key), _)| key.to_bytes().to_vec()));
    Ok(QueryVotesAtHeightResponse { btc_pks: keys.collect::<Result<_, _>>()? })
}

/// The first complete evidence against a finality provider.
pub(crate) fn evidence(
    state: &State<'_>,
    request: QueryEvidenceRequest,
) -> Result<QueryEvidenceResponse, Failure> {
    let evidence = match named(&request.fp_btc_pk_hex)? {
        Some(key) => first_complete(state, &key)?,
        None => None,
    };
    let evidence = evidence.ok_or_else(|| err::NO_EVIDENCE.bare())?;
    Ok(QueryEvidenceResponse { evidence: Some(evidence_response(evidence)) })
}

/// For every stored evidence the first complete one of its finality provider, as the reference lists them.
pub(crate) fn evidences(
    state: &State<'_>,
    request: QueryListEvidencesRequest,
) -> Result<QueryListEvidencesResponse, Failure> {
    let keep = |(key, _): (FinalityProviderPublicKey, PosHeight), _| {
        let first = first_complete(state, &key)?;
        Ok(first.filter(|first| first.block_height >= request.start_height).map(evidence_response))
    };
    let (evidences, pagination) = EVIDENCE.page(state, &(), request.pagination, keep).map_err(internal)?;
    Ok(QueryListEvidencesResponse { evidences, pagination: Some(pagination) })
}

fn first_complete(state: &State<'_>, key: &FinalityProviderPublicKey) -> Result<Option<Evidence>, Failure> {
    for entry in EVIDENCE.scan_under(state, key, Order::Ascending) {
        let (_, evidence) = entry?;
        if evidence.canonical_finality_sig.is_some() {
            return Ok(Some(evidence));
        }
    }
    Ok(None)
}

fn evidence_response(evidence: Evidence) -> EvidenceResponse {
    EvidenceResponse {
        fp_btc_pk_hex: hex::encode(evidence.fp_btc_pk),
        block_height: evidence.block_height,
        pub_rand: evidence.pub_rand,
        canonical_app_hash: evidence.canonical_app_hash,
        fork_app_hash: evidence.fork_app_hash,
        canonical_finality_sig: evidence.canonical_finality_sig,
        fork_finality_sig: evidence.fork_finality_sig,
    }
}

/// Liveness of one finality provider.
pub(crate) fn signing_info(
    state: &State<'_>,
    request: QuerySigningInfoRequest,
) -> Result<QuerySigningInfoResponse, Failure> {
    if request.fp_btc_pk_hex.is_empty() {
        return Err(status(Status::InvalidArgument, "empty finality provider public key"));
    }
    let key = parse_key(&request.fp_btc_pk_hex)
        .map_err(|_| status(Status::InvalidArgument, "invalid finality provider public key"))?;
    let info = match key {
        Some(key) => SIGNING_INFO.get(state, &key)?,
        None => None,
    };
    let Some(info) = info else {
        let why = format!("SigningInfo not found for the finality provider {}", request.fp_btc_pk_hex);
        return Err(status(Status::NotFound, why));
    };
    Ok(QuerySigningInfoResponse { signing_info: Some(signing_response(info)) })
}

/// Liveness of all finality providers that were ever active.
pub(crate) fn signing_infos(
    state: &State<'_>,
    request: QuerySigningInfosRequest,
) -> Result<QuerySigningInfosResponse, Failure> {
    let keep = |_, info| Ok(Some(signing_response(info)));
    let (signing_infos, pagination) = SIGNING_INFO.page(state, &(), request.pagination, keep)?;
    Ok(QuerySigningInfosResponse { signing_infos, pagination: Some(pagination) })
}

fn signing_response(info: FinalityProviderSigningInfo) -> SigningInfoResponse {
    SigningInfoResponse {
        fp_btc_pk_hex: hex::encode(info.fp_btc_pk),
        start_height: info.start_height,
        missed_blocks_counter: info.missed_blocks_counter,
        jailed_until: info.jailed_until,
    }
}

/// Everyone with bonded satoshis at a height that is not settled yet, ranked.
pub(crate) fn distribution(
    state: &State<'_>,
    request: QueryVotingPowerDistributionRequest,
) -> Result<QueryVotingPowerDistributionResponse, Failure> {
    let found = DISTRIBUTION.get(state, &PosHeight::new(request.height))?;
    let found = found.ok_or_else(|| err::NO_POWER_CACHE.because(format!("height {}", request.height)))?;
    let total = found.active().iter().fold(0u64, |sum, ranked| sum.saturating_add(ranked.sats));
    let num_active_fps = u64::from(found.active);
    let response = |ranked: Ranked| FinalityProviderDistInfoResponse {
        btc_pk_hex: hex::encode(ranked.key),
        addr: ranked.address,
        commission: ranked.commission,
        total_bonded_sat: ranked.sats,
        is_timestamped: ranked.timestamped,
        is_jailed: ranked.jailed,
        is_slashed: false,
    };
    Ok(QueryVotingPowerDistributionResponse {
        total_voting_power: total,
        finality_providers: found.providers.into_iter().map(response).collect(),
        num_active_fps,
    })
}
