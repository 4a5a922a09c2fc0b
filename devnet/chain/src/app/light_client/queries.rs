//! Queries of the light client (`wire.md` 5.5).

use super::{HEADERS, HEIGHTS, LargestReorg, base, find, hash_bytes, tip};
use crate::{
    error::{Failure, Status, btcstaking, lightclient as err, panicked, plain, status},
    state::{Order, State},
};
use bitcoin::{BlockHash, consensus, hashes::Hash};
use btc_staking_babylon::proto::{PageResponse, btclightclient::*, btcstaking::QueryLargestBtcReOrgResponse};
use btc_staking_protocol::{headers::ChainedHeader, height::BtcHeight};

const MAX_PAGE: u64 = 1000;
const DEFAULT_PAGE: u64 = 100;

/// The allow list.
pub(crate) fn params(state: &State<'_>, _: QueryParamsRequest) -> Result<QueryParamsResponse, Failure> {
    let insert_headers_allow_list = super::ALLOW_LIST.get(state, &())?.unwrap_or_default().reporters;
    Ok(QueryParamsResponse { params: Some(Params { insert_headers_allow_list }) })
}

/// The header at the end of the main chain.
pub(crate) fn query_tip(state: &State<'_>, _: QueryTipRequest) -> Result<QueryTipResponse, Failure> {
    Ok(QueryTipResponse { header: Some(info(&tip(state)?)) })
}

/// The first header.
pub(crate) fn base_header(
    state: &State<'_>,
    _: QueryBaseHeaderRequest,
) -> Result<QueryBaseHeaderResponse, Failure> {
    Ok(QueryBaseHeaderResponse { header: Some(info(&base(state)?)) })
}

/// A page of the main chain, newest first unless reversed.
pub(crate) fn main_chain(
    state: &State<'_>,
    request: QueryMainChainRequest,
) -> Result<QueryMainChainResponse, Failure> {
    let asked = request.pagination.unwrap_or_default();
    if asked.limit > MAX_PAGE {
        let why = format!("pagination limit is larger than the maximum limit of {MAX_PAGE}");
        return Err(status(Status::InvalidArgument, why));
    }
    let limit = if asked.limit == 0 { DEFAULT_PAGE } else { asked.limit };
    let order = if asked.reverse { Order::Ascending } else { Order::Descending };
    let start = match asked.key.as_slice() {
        [] if asked.reverse => base(state)?.height,
        [] => tip(state)?.height,
        key => header_of(state, key)?.height,
    };
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: Vec<ChainedHeader> = vec![];
    let mut behind = None;
    for entry in HEADERS.scan_from(state, &(), &start, order) {
        let (height, record) = entry?;
        let header = record.chained(height)?;
        if found.len() == wanted {
            behind = Some(header.hash);
            break;
        }
        found.push(header);
    }
    let next = if asked.reverse { behind } else { found.last().map(|last| last.header.prev_blockhash) };
    Ok(QueryMainChainResponse {
        headers: found.iter().map(info).collect(),
        pagination: Some(PageResponse { next_key: next.map_or(vec![], |hash| hash_bytes(&hash)), total: 0 }),
    })
}

/// How deep a header lies.
pub(crate) fn header_depth(
    state: &State<'_>,
    request: QueryHeaderDepthRequest,
) -> Result<QueryHeaderDepthResponse, Failure> {
    let hash: BlockHash = request
        .hash
        .parse()
        .map_err(|_| status(Status::InvalidArgument, "provided hash is not a valid hex string"))?;
    let header = find(state, &hash)?.ok_or_else(|| err::HEADER_NOT_FOUND.bare())?;
    let depth = header.height.depth_under(tip(state)?.height).map_or(0, |depth| depth.to_u32());
    Ok(QueryHeaderDepthResponse { depth })
}

/// Whether a header is on the main chain.
pub(crate) fn contains(
    state: &State<'_>,
    request: QueryContainsRequest,
) -> Result<QueryContainsResponse, Failure> {
    Ok(QueryContainsResponse { contains: find(state, &hash_of(&request.hash)?)?.is_some() })
}

/// As [`contains`], over plain bytes.
pub(crate) fn contains_bytes(
    state: &State<'_>,
    request: QueryContainsBytesRequest,
) -> Result<QueryContainsBytesResponse, Failure> {
    Ok(QueryContainsBytesResponse { contains: find(state, &hash_of(&request.hash)?)?.is_some() })
}

/// Hashes of the main chain in order of the hash.
pub(crate) fn hashes(state: &State<'_>, request: QueryHashesRequest) -> Result<QueryHashesResponse, Failure> {
    let Some(pagination) = request.pagination else {
        // The reference reads its key without asking whether it is there.
        return Err(panicked("runtime error: invalid memory address or nil pointer dereference"));
    };
    let (hashes, pagination) =
        HEIGHTS.page(state, &(), Some(pagination), |hash, _| Ok(Some(hash_bytes(&hash))))?;
    Ok(QueryHashesResponse { hashes, pagination: Some(pagination) })
}

/// The deepest reorg, which the staking module answers for.
pub(crate) fn largest_reorg(state: &State<'_>) -> Result<QueryLargestBtcReOrgResponse, Failure> {
    let LargestReorg { depth, from_height, from, to_height, to } =
        super::largest_reorg(state)?.ok_or_else(|| btcstaking::NO_REORG.bare())?;
    Ok(QueryLargestBtcReOrgResponse {
        block_diff: depth,
        rollback_from: Some(info(&from.chained(BtcHeight::new(from_height))?)),
        rollback_to: Some(info(&to.chained(BtcHeight::new(to_height))?)),
    })
}

fn hash_of(bytes: &[u8]) -> Result<BlockHash, Failure> {
    BlockHash::from_slice(bytes)
        .map_err(|_| plain(format!("a header hash has 32 bytes, not {}", bytes.len())))
}

fn header_of(state: &State<'_>, key: &[u8]) -> Result<ChainedHeader, Failure> {
    let refused = |why| status(Status::InvalidArgument, why);
    let hash = hash_of(key).map_err(|_| refused("key does not correspond to a header hash"))?;
    find(state, &hash)?.ok_or_else(|| refused("header specified by key does not exist"))
}

fn info(header: &ChainedHeader) -> BTCHeaderInfoResponse {
    BTCHeaderInfoResponse {
        header_hex: consensus::encode::serialize_hex(&header.header),
        hash_hex: header.hash.to_string(),
        height: header.height.to_u32(),
        work: header.work.to_string(),
    }
}
