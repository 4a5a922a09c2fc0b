//! Pagination of queries as the SDK does it (`wire.md` 5.1).
//!
//! A page starts at `key` or after `offset` entries, never both; `key` is the part of the stored key behind what the
//! query fixes. Without a request, or with limit 0, a page has 100 entries and the total is counted. A filter decides
//! entry by entry; the answer's `next_key` is where the next page goes on.

use crate::{
    error::{Failure, Status, plain, status},
    state::{
        Order, State, Table,
        table::{Record, TableKey},
    },
};
use btc_staking_babylon::proto::{PageRequest, PageResponse};

const DEFAULT_LIMIT: u64 = 100;

impl<K: TableKey, V: Record> Table<K, V> {
    /// Returns the entries under `part` that `keep` turns into items, one page of them.
    pub(crate) fn page<T>(
        &self,
        state: &State<'_>,
        part: &impl TableKey,
        request: Option<PageRequest>,
        mut keep: impl FnMut(K, V) -> Result<Option<T>, Failure>,
    ) -> Result<(Vec<T>, PageResponse), Failure> {
        let request = Plan::new(request)?;
        let mut items = vec![];
        let mut answer = PageResponse::default();
        let mut hits = 0u64;
        for entry in self.scan_raw(state, part, &request.key, request.order) {
            let (suffix, key, record) = entry?;
            let full = hits >= request.end;
            if full && !request.filter_beyond {
                answer.next_key = suffix;
                break;
            }
            let Some(item) = keep(key, record)? else { continue };
            if hits >= request.offset && !full {
                items.push(item);
            }
            hits = hits.saturating_add(1);
            if hits == request.end.saturating_add(1) {
                answer.next_key = suffix;
                if !request.count_total {
                    break;
                }
            }
        }
        if request.count_total {
            answer.total = hits;
        }
        Ok((items, answer))
    }

    /// Returns one page of the entries under `part`, every one of which counts. Only those of the page are loaded, and their
    /// number `total` is known; so a page costs what it holds and what its offset skips, however long the table is.
    pub(crate) fn page_of_all<T>(
        &self,
        state: &State<'_>,
        part: &impl TableKey,
        request: Option<PageRequest>,
        total: u64,
        mut load: impl FnMut(K, V) -> Result<T, Failure>,
    ) -> Result<(Vec<T>, PageResponse), Failure> {
        let request = Plan::new(request)?;
        let mut items = vec![];
        let mut answer = PageResponse::default();
        if request.count_total {
            answer.total = total;
        }
        for (number, entry) in (0u64..).zip(self.scan_raw(state, part, &request.key, request.order)) {
            let (suffix, key, record) = entry?;
            if number >= request.end {
                answer.next_key = suffix;
                break;
            }
            if number >= request.offset {
                items.push(load(key, record)?);
            }
        }
        Ok((items, answer))
    }
}

/// What a page was refused for, as those queries report it that wrap it in a status.
pub(crate) fn internal(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) => status(Status::Internal, refusal.log),
        Failure::Broken(broken) => broken.into(),
    }
}

/// A page request with its defaults filled in.
struct Plan {
    key: Vec<u8>,
    offset: u64,
    end: u64,
    order: Order,
    count_total: bool,
    /// With a key the next raw entry starts the next page; with an offset the next that passes the filter.
    filter_beyond: bool,
}

impl Plan {
    fn new(request: Option<PageRequest>) -> Result<Self, Failure> {
        let request = request.unwrap_or_default();
        if request.offset > 0 && !request.key.is_empty() {
            return Err(plain("invalid request, either offset or key is expected, got both"));
        }
        let counted = request.count_total || request.limit == 0;
        let limit = if request.limit == 0 { DEFAULT_LIMIT } else { request.limit };
        Ok(Self {
            offset: request.offset,
            end: request.offset.saturating_add(limit),
            order: if request.reverse { Order::Descending } else { Order::Ascending },
            count_total: counted && request.key.is_empty(),
            filter_beyond: request.key.is_empty(),
            key: request.key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Meter, memory::MemoryBackend};

    const TABLE: Table<(u8, u64), u64> = Table::new("tt");

    fn ask(request: PageRequest, keep: impl Fn(u64) -> bool) -> (Vec<u64>, Vec<u8>, u64) {
        let (backend, meter) = (MemoryBackend::default(), Meter::unlimited());
        let mut state = State::new(&backend, &meter);
        for n in 0..10 {
            TABLE.put(&mut state, &(1, n), &n).unwrap();
            TABLE.put(&mut state, &(2, n), &n).unwrap();
        }
        let (items, answer) =
            TABLE.page(&state, &1u8, Some(request), |(_, n), _| Ok(keep(n).then_some(n))).unwrap();
        (items, answer.next_key, answer.total)
    }

    #[test]
    fn pages_chain_by_next_key_in_both_directions() {
        for reverse in [false, true] {
            let (mut key, mut all) = (vec![], vec![]);
            loop {
                let request = PageRequest { key, limit: 3, reverse, ..Default::default() };
                let (items, next, _) = ask(request, |n| n % 2 == 0);
                all.extend(items);
                if next.is_empty() {
                    break;
                }
                key = next;
            }
            if reverse {
                all.reverse();
            }
            assert_eq!(all, [0, 2, 4, 6, 8]);
        }
    }

    #[test]
    fn totals_are_counted_by_default_and_only_without_a_key() {
        let (items, next, total) = ask(PageRequest::default(), |_| true);
        assert_eq!((items.len(), next.len(), total), (10, 0, 10));
        let offset = PageRequest { offset: 4, limit: 2, count_total: true, ..Default::default() };
        assert_eq!(ask(offset, |_| true), (vec![4, 5], 6u64.to_be_bytes().to_vec(), 10));
        let key = PageRequest { key: 8u64.to_be_bytes().to_vec(), count_total: true, ..Default::default() };
        assert_eq!(ask(key, |_| true), (vec![8, 9], vec![], 0));
    }

    #[test]
    fn a_page_of_all_is_the_page_of_a_filter_that_keeps_all() {
        let (backend, meter) = (MemoryBackend::default(), Meter::unlimited());
        let mut state = State::new(&backend, &meter);
        for n in 0..10 {
            TABLE.put(&mut state, &(1, n), &n).unwrap();
        }
        let key = |n: u64| n.to_be_bytes().to_vec();
        let mut requests = vec![None];
        for (limit, reverse, count_total) in
            [(0, false, false), (3, false, true), (3, true, false), (20, true, true)]
        {
            let base = PageRequest { limit, reverse, count_total, ..Default::default() };
            requests.extend([0, 4, 9, 12].map(|offset| Some(PageRequest { offset, ..base.clone() })));
            requests.extend([0, 5, 9].map(|n| Some(PageRequest { key: key(n), ..base.clone() })));
        }
        for request in requests {
            let filtered = TABLE.page(&state, &1u8, request.clone(), |(_, n), _| Ok(Some(n))).unwrap();
            let all = TABLE.page_of_all(&state, &1u8, request.clone(), 10, |(_, n), _| Ok(n)).unwrap();
            assert_eq!(all, filtered, "{request:?}");
        }
    }

    #[test]
    fn key_and_offset_exclude_each_other() {
        assert!(Plan::new(Some(PageRequest { key: vec![1], offset: 1, ..Default::default() })).is_err());
    }
}
