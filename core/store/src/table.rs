//! Tables: sorted maps inside a store, typed or of raw bytes.

use crate::{
    error::StoreError,
    key::{HasPrefix, Key},
    layout,
    store::Inner,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt::Write as _,
    marker::PhantomData,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

/// A sorted map from `K` to `V`, stored as JSON. Cheap to clone.
///
/// Reading never blocks on an iterator, only on a commit that is on its way to the disk.
#[derive(Debug)]
pub struct Table<K, V> {
    raw: RawTable,
    types: PhantomData<fn() -> (K, V)>,
}

/// A sorted map from bytes to bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RawTable {
    store: Arc<Inner>,
    name: Arc<str>,
    prefix: Arc<[u8]>,
}

/// Entries of a [`Table`] in key order, from both ends.
///
/// Not a snapshot: each step finds the next record that is there at that moment, so writing while iterating is
/// allowed. Inside a commit's closure nobody else writes, so there it is one.
#[derive(Debug)]
pub struct Entries<K, V> {
    raw: RawEntries,
    table: Table<K, V>,
}

/// Entries of a [`RawTable`] in key order, from both ends. Not a snapshot, see [`Entries`].
#[derive(Debug)]
pub struct RawEntries {
    table: RawTable,
    low: Bound<Vec<u8>>,
    high: Bound<Vec<u8>>,
    finished: bool,
}

/// Key and value of a record.
pub(crate) type RawEntry = (Vec<u8>, Vec<u8>);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), types: PhantomData }
    }
}

impl<K, V> Table<K, V> {
    pub(crate) fn new(raw: RawTable) -> Self {
        Self { raw, types: PhantomData }
    }
    /// The table's name.
    pub fn name(&self) -> &str {
        self.raw.name()
    }
    /// The same table as bytes.
    pub fn raw(&self) -> &RawTable {
        &self.raw
    }
}

impl<K, V: Serialize> Table<K, V> {
    pub(crate) fn encode(&self, value: &V) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value)
            .map_err(|source| StoreError::Encode { table: self.name().to_owned(), source })
    }
}

impl<K: Key, V> Table<K, V> {
    /// Whether there is a record.
    ///
    /// # Errors
    /// [`StoreError`] when the store has stopped or the record is damaged.
    pub fn contains(&self, key: &K) -> Result<bool, StoreError> {
        self.raw.contains(&key.to_key_bytes())
    }
}

impl<K: Key, V: DeserializeOwned> Table<K, V> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`StoreError`] when the store has stopped, or the record is damaged or of another type.
    pub fn get(&self, key: &K) -> Result<Option<V>, StoreError> {
        let key = key.to_key_bytes();
        match self.raw.get(&key)? {
            Some(value) => self.decode_value(&key, &value).map(Some),
            None => Ok(None),
        }
    }

    /// The record with the lowest key.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn first(&self) -> Result<Option<(K, V)>, StoreError> {
        self.iter().next().transpose()
    }

    /// The record with the highest key.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn last(&self) -> Result<Option<(K, V)>, StoreError> {
        self.iter().next_back().transpose()
    }

    /// All records by key; `.rev()` for the highest first.
    pub fn iter(&self) -> Entries<K, V> {
        Entries { raw: self.raw.iter(), table: self.clone() }
    }

    /// The records whose key lies in `range`; `.rev()` for the highest first.
    pub fn range(&self, range: impl RangeBounds<K>) -> Entries<K, V> {
        let bytes = (range.start_bound().map(Key::to_key_bytes), range.end_bound().map(Key::to_key_bytes));
        Entries { raw: self.raw.range(bytes), table: self.clone() }
    }

    /// The records whose key starts with `prefix`; `.rev()` for the highest first.
    pub fn prefix<P: Key>(&self, prefix: &P) -> Entries<K, V>
    where
        K: HasPrefix<P>,
    {
        Entries { raw: self.raw.prefix(&prefix.to_key_bytes()), table: self.clone() }
    }

    pub(crate) fn decode_value(&self, key: &[u8], value: &[u8]) -> Result<V, StoreError> {
        serde_json::from_slice(value).map_err(|error| self.raw.damaged(key, error.to_string()))
    }

    fn decode_entry(&self, (key, value): RawEntry) -> Result<(K, V), StoreError> {
        let decoded = K::from_key_bytes(&key).map_err(|error| self.raw.damaged(&key, error.to_string()))?;
        Ok((decoded, self.decode_value(&key, &value)?))
    }
}

impl RawTable {
    pub(crate) fn new(store: Arc<Inner>, name: &str) -> Result<Self, StoreError> {
        let prefix = layout::table_prefix(name)?;
        Ok(Self { store, name: name.into(), prefix: prefix.into() })
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is a record.
    ///
    /// # Errors
    /// [`StoreError`] when the store has stopped or the record is damaged.
    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.store.contains(&self.record_key(key))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`StoreError`] when the store has stopped or the record is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(self, &self.record_key(key))
    }

    /// All records by key.
    pub fn iter(&self) -> RawEntries {
        self.range((Bound::Unbounded, Bound::Unbounded))
    }

    /// The records whose key starts with `prefix`.
    pub fn prefix(&self, prefix: &[u8]) -> RawEntries {
        let high = layout::after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        self.range((Bound::Included(prefix.to_vec()), high))
    }

    /// The records whose key lies between the two bounds.
    pub fn range(&self, (low, high): (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> RawEntries {
        let low = match low {
            Bound::Unbounded => Bound::Included(self.prefix.to_vec()),
            bound => bound.map(|key| self.record_key(&key)),
        };
        let high = match high {
            // A table's prefix ends in a letter of its name, so something follows it.
            Bound::Unbounded => layout::after_prefix(&self.prefix).map_or(Bound::Unbounded, Bound::Excluded),
            bound => bound.map(|key| self.record_key(&key)),
        };
        RawEntries { table: self.clone(), low, high, finished: false }
    }

    pub(crate) fn is_of(&self, store: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.store, store)
    }

    pub(crate) fn record_key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    pub(crate) fn damaged(&self, key: &[u8], reason: String) -> StoreError {
        let key = key.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
            text
        });
        StoreError::Damaged { table: self.name().to_owned(), key, reason }
    }

    /// The part of a record key that follows the table's prefix.
    pub(crate) fn strip<'a>(&self, record_key: &'a [u8]) -> &'a [u8] {
        record_key.get(self.prefix.len()..).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
pub(crate) enum End {
    Low,
    High,
}

impl RawEntries {
    fn step(&mut self, end: End) -> Option<Result<RawEntry, StoreError>> {
        if self.finished || is_empty(&self.low, &self.high) {
            return None;
        }
        let range = (self.low.clone(), self.high.clone());
        match self.table.store.outermost(&self.table, range, end) {
            Ok(Some((record_key, value))) => {
                let key = self.table.strip(&record_key).to_vec();
                match end {
                    End::Low => self.low = Bound::Excluded(record_key),
                    End::High => self.high = Bound::Excluded(record_key),
                }
                Some(Ok((key, value)))
            }
            Ok(None) => {
                self.finished = true;
                None
            }
            Err(error) => {
                self.finished = true; // whoever skips errors still reaches an end
                Some(Err(error))
            }
        }
    }
}

fn is_empty(low: &Bound<Vec<u8>>, high: &Bound<Vec<u8>>) -> bool {
    match (low, high) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low), Bound::Excluded(high))
        | (Bound::Excluded(low), Bound::Included(high))
        | (Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
    }
}

impl Iterator for RawEntries {
    type Item = Result<RawEntry, StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.step(End::Low)
    }
}
impl DoubleEndedIterator for RawEntries {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(End::High)
    }
}
impl<K: Key, V: DeserializeOwned> Iterator for Entries<K, V> {
    type Item = Result<(K, V), StoreError>;
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.raw.next()?.and_then(|entry| self.table.decode_entry(entry)))
    }
}
impl<K: Key, V: DeserializeOwned> DoubleEndedIterator for Entries<K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        Some(self.raw.next_back()?.and_then(|entry| self.table.decode_entry(entry)))
    }
}
