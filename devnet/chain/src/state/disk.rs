//! The backend on disk: two tables of one store, one commit per block.

use super::{
    backend::Backend,
    cache::Cache,
    layer::{Entries, KeyRange, Order, ReadState, Writes},
};
use crate::error::Broken;
use btc_staking_store::{Batch, RawTable, Store, StoreError};
use std::ops::Bound;

/// State and the door's records in a [`Store`].
#[derive(Debug)]
pub(crate) struct DiskBackend {
    store: Store,
    state: RawTable,
    door: RawTable,
    cache: Cache,
}

impl DiskBackend {
    /// Uses the store's tables `state` and `blocks`.
    pub(crate) fn new(store: Store) -> Result<Self, Broken> {
        let state = store.raw_table("state").map_err(failed)?;
        let door = store.raw_table("blocks").map_err(failed)?;
        Ok(Self { store, state, door, cache: Cache::default() })
    }
}

fn failed(err: StoreError) -> Broken {
    let mut text = err.to_string();
    let mut source = std::error::Error::source(&err);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    Broken::Storage(text)
}

impl ReadState for DiskBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        if let Some(known) = self.cache.get(key) {
            return Ok(known);
        }
        let value = self.state.get(key).map_err(failed)?;
        self.cache.read(key, value.as_ref());
        Ok(value)
    }

    fn scan<'a>(&'a self, range: &KeyRange, order: Order) -> Entries<'a> {
        scan(&self.state, range, order)
    }
}

fn scan<'a>(table: &'a RawTable, range: &KeyRange, order: Order) -> Entries<'a> {
    if range.is_empty() {
        return Box::new(std::iter::empty());
    }
    let end = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
    let entries = table.range((Bound::Included(range.start.clone()), end));
    match order {
        Order::Ascending => Box::new(entries.map(|entry| entry.map_err(failed))),
        Order::Descending => Box::new(entries.rev().map(|entry| entry.map_err(failed))),
    }
}

impl Backend for DiskBackend {
    fn commit(&mut self, state: &Writes, door: &Writes) -> Result<(), Broken> {
        let fill = |batch: &mut Batch| {
            put_all(batch, &self.state, state)?;
            put_all(batch, &self.door, door)
        };
        match self.store.commit(fill) {
            Ok(()) => {
                self.cache.committed(state);
                Ok(())
            }
            Err(err) => {
                self.cache.close();
                Err(failed(err))
            }
        }
    }

    fn door_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        self.door.get(key).map_err(failed)
    }

    fn door_scan<'a>(&'a self, range: &KeyRange) -> Entries<'a> {
        scan(&self.door, range, Order::Ascending)
    }
}

fn put_all(batch: &mut Batch, table: &RawTable, writes: &Writes) -> Result<(), StoreError> {
    for (key, value) in writes {
        match value {
            Some(value) => batch.put_bytes(table, key, value)?,
            None => batch.delete_bytes(table, key)?,
        }
    }
    Ok(())
}
