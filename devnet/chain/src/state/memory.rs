//! State in memory, for tests of what lies above.

use super::{
    backend::Backend,
    layer::{Entries, KeyRange, Order, ReadState, Writes},
};
use crate::error::Broken;
use std::collections::BTreeMap;

/// A backend that is gone with its owner.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    door: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryBackend {
    /// A state that begins with `entries`.
    pub(crate) fn from_entries(entries: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { entries, door: BTreeMap::new() }
    }
}

impl ReadState for MemoryBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan<'a>(&'a self, range: &KeyRange, order: Order) -> Entries<'a> {
        scan(&self.entries, range, order)
    }
}

fn scan<'a>(entries: &'a BTreeMap<Vec<u8>, Vec<u8>>, range: &KeyRange, order: Order) -> Entries<'a> {
    if range.is_empty() {
        return Box::new(std::iter::empty());
    }
    let found = entries.range::<[u8], _>(range.bounds());
    let own = |(key, value): (&Vec<u8>, &Vec<u8>)| Ok((key.clone(), value.clone()));
    match order {
        Order::Ascending => Box::new(found.map(own)),
        Order::Descending => Box::new(found.rev().map(own)),
    }
}

impl Backend for MemoryBackend {
    fn commit(&mut self, state: &Writes, door: &Writes) -> Result<(), Broken> {
        apply(&mut self.entries, state);
        apply(&mut self.door, door);
        Ok(())
    }

    fn door_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        Ok(self.door.get(key).cloned())
    }

    fn door_scan<'a>(&'a self, range: &KeyRange) -> Entries<'a> {
        scan(&self.door, range, Order::Ascending)
    }
}

fn apply(to: &mut BTreeMap<Vec<u8>, Vec<u8>>, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => to.insert(key.clone(), value.clone()),
            None => to.remove(key),
        };
    }
}
