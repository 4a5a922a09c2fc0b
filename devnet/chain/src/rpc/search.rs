//! `tx_search` and `block_search` over the index of events.
//!
//! The index answers one condition, the most telling one; the blocks it names are then looked at for the others. A
//! search that sets nothing but heights reads the blocks between them.

use super::{
    error::RpcError,
    form,
    params::Params,
    query::{Condition, Query, Test, meets},
};
use crate::{
    error::Broken,
    event::Event,
    node::{
        core::Core,
        index::{Kind, Place, Wanted},
        ledger::BlockRecord,
    },
};
use serde_json::{Value, json};

/// Most results on a page.
const MAX_PER_PAGE: u64 = 100;
const DEFAULT_PER_PAGE: u64 = 30;

/// Answers `tx_search`.
pub(crate) fn tx_search(core: &Core, params: &Params) -> Result<Value, RpcError> {
    let query = asked_query(params)?;
    let found = match query.fixed("tx.hash") {
        Some(hash) => find_by_hash(core, hash)?.into_iter().collect(),
        None => find(core, Kind::Tx, &query)?,
    };
    let (page, total) = page_of(found, Sorted::asked(params, Sorted::Ascending)?, params)?;
    let prove = params.flag("prove")?;
    let txs = page.into_iter().map(|(height, index)| {
        let record = core.block(height)?;
        Ok(record.and_then(|record| form::tx(height, index, &record, prove)).unwrap_or(Value::Null))
    });
    Ok(json!({"txs": txs.collect::<Result<Vec<_>, Broken>>()?, "total_count": total.to_string()}))
}

/// Answers `block_search`.
pub(crate) fn block_search(core: &Core, params: &Params) -> Result<Value, RpcError> {
    let query = asked_query(params)?;
    let found = find(core, Kind::Block, &query)?;
    let (page, total) = page_of(found, Sorted::asked(params, Sorted::Descending)?, params)?;
    let mut blocks = vec![];
    for (height, _) in page {
        if let Some(record) = core.block(height)? {
            let previous = core.block(height.saturating_sub(1))?;
            blocks.push(json!({
                "block_id": form::block_id(&record)?,
                "block": form::block(&record, previous.as_ref())?,
            }));
        }
    }
    Ok(json!({"blocks": blocks, "total_count": total.to_string()}))
}

fn asked_query(params: &Params) -> Result<Query, RpcError> {
    let text = params.text("query")?.ok_or_else(|| RpcError::invalid_params("query is missing"))?;
    Query::parse(&text).map_err(|err| RpcError::internal(format!("failed to parse query: {err}")))
}

fn find_by_hash(core: &Core, hash: &str) -> Result<Option<Place>, RpcError> {
    let hash = hex::decode(hash).map_err(|err| {
        RpcError::internal(format!("error during searching for a hash in the query: {err}"))
    })?;
    let place = core.place(&hash)?;
    Ok(place.map(|place| (place.height, usize::try_from(place.index).unwrap_or(usize::MAX))))
}

/// Everything that meets a query, in order.
fn find(core: &Core, kind: Kind, query: &Query) -> Result<Vec<Place>, Broken> {
    let height_key = match kind {
        Kind::Tx => "tx.height",
        Kind::Block => "block.height",
    };
    let (low, high) = query.heights(height_key, core.height());
    let conditions = query.without(height_key);
    let Some((key, wanted)) = most_telling(&conditions) else {
        return find_all(core, kind, (low, high));
    };
    let candidates = core.find(kind, key, wanted, (low, high))?;
    if let ([_], Wanted::Value(_)) = (conditions.as_slice(), wanted) {
        return Ok(candidates.into_iter().collect());
    }
    let mut found = vec![];
    let mut at: Option<(u64, BlockRecord)> = None;
    for place in candidates {
        if at.as_ref().is_none_or(|(height, _)| *height != place.0) {
            at = core.block(place.0)?.map(|record| (place.0, record));
        }
        let events = at.as_ref().map(|(_, record)| events_at(kind, place, record)).unwrap_or_default();
        if events.iter().any(|event| meets(event, &conditions)) {
            found.push(place);
        }
    }
    Ok(found)
}

fn events_at(kind: Kind, (_, index): Place, record: &BlockRecord) -> &[Event] {
    match kind {
        Kind::Tx => record.results.get(index).map(|result| result.events.as_slice()).unwrap_or_default(),
        Kind::Block => &record.events,
    }
}

/// The condition that the index answers best: an equality before anything else.
fn most_telling<'a>(conditions: &[&'a Condition]) -> Option<(&'a str, Wanted<'a>)> {
    let exact = conditions.iter().find_map(|condition| match &condition.test {
        Test::Equals(value) => Some((condition.key.as_str(), Wanted::Value(value))),
        Test::Exists | Test::Contains(_) | Test::Compare(..) => None,
    });
    exact.or_else(|| conditions.first().map(|condition| (condition.key.as_str(), Wanted::Any)))
}

/// All between two heights, inclusive.
fn find_all(core: &Core, kind: Kind, (low, high): (u64, u64)) -> Result<Vec<Place>, Broken> {
    let mut found = vec![];
    for height in low..=high {
        match kind {
            Kind::Block => found.push((height, 0)),
            Kind::Tx => {
                let count = core.block(height)?.map_or(0, |record| record.txs.len());
                found.extend((0..count).map(|index| (height, index)));
            }
        }
    }
    Ok(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sorted {
    Ascending,
    Descending,
}

impl Sorted {
    fn asked(params: &Params, otherwise: Self) -> Result<Self, RpcError> {
        match params.text("order_by")?.as_deref() {
            None | Some("") => Ok(otherwise),
            Some("asc") => Ok(Self::Ascending),
            Some("desc") => Ok(Self::Descending),
            Some(_) => Err(RpcError::internal("expected order_by to be either `asc` or `desc` or empty")),
        }
    }
}

/// How many results a caller wants on a page.
pub(crate) fn per_page(params: &Params, name: &str) -> Result<usize, RpcError> {
    let asked = params.signed(name)?.and_then(|asked| u64::try_from(asked).ok()).filter(|asked| *asked > 0);
    Ok(usize::try_from(asked.unwrap_or(DEFAULT_PER_PAGE).min(MAX_PER_PAGE)).unwrap_or(usize::MAX))
}

/// The part of `total` results that a caller wants to see: how many to skip, and how many to show.
pub(crate) fn asked_page(params: &Params, total: usize) -> Result<(usize, usize), RpcError> {
    let per_page = per_page(params, "per_page")?;
    let pages = total.div_ceil(per_page).max(1);
    let page = params.signed("page")?.unwrap_or(1);
    let valid = usize::try_from(page).ok().filter(|page| (1..=pages).contains(page));
    let page = valid.ok_or_else(|| {
        RpcError::internal(format!("page should be within [1, {pages}] range, given {page}"))
    })?;
    Ok(((page - 1).saturating_mul(per_page), per_page))
}

fn page_of(mut found: Vec<Place>, sorted: Sorted, params: &Params) -> Result<(Vec<Place>, usize), RpcError> {
    if sorted == Sorted::Descending {
        found.reverse();
    }
    let total = found.len();
    let (skip, take) = asked_page(params, total)?;
    Ok((found.into_iter().skip(skip).take(take).collect(), total))
}
