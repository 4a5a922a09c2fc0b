//! Where committed state lies.

use super::layer::{Entries, KeyRange, Order, ReadState, Writes};
use crate::error::Broken;
use std::collections::BTreeMap;

/// A committed state that takes a block's writes in one piece.
///
/// Beside the state there is room for the door's own records: blocks, results, indexes. They are no part of the
/// application and of no app hash, but must never be ahead of it or behind it, so they travel in the same commit.
pub(crate) trait Backend: ReadState + Send + Sync {
    /// Applies all writes or none, durably when it returns.
    fn commit(&mut self, state: &Writes, door: &Writes) -> Result<(), Broken>;
    /// A record of the door.
    fn door_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken>;
}

/// State in memory only, for tests and throw-away chains.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    door: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryBackend {
    /// A state that begins with `entries`.
    #[cfg(test)]
    pub(crate) fn from_entries(entries: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { entries, door: BTreeMap::new() }
    }
}

impl ReadState for MemoryBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan<'a>(&'a self, range: &KeyRange, order: Order) -> Entries<'a> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let found = self.entries.range::<[u8], _>(range.bounds());
        let own = |(key, value): (&Vec<u8>, &Vec<u8>)| Ok((key.clone(), value.clone()));
        match order {
            Order::Ascending => Box::new(found.map(own)),
            Order::Descending => Box::new(found.rev().map(own)),
        }
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
}

fn apply(to: &mut BTreeMap<Vec<u8>, Vec<u8>>, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => to.insert(key.clone(), value.clone()),
            None => to.remove(key),
        };
    }
}
