//! The changes of one commit.

use crate::{
    error::StoreError,
    key::Key,
    layout::{self, MAX_KEY},
    store::Inner,
    table::{RawTable, Table},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// The changes of one commit, collected in memory. A later change of a record replaces an earlier one.
#[derive(Debug)]
pub struct Batch {
    store: Arc<Inner>,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Batch {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self { store, writes: BTreeMap::new(), bytes: 0 }
    }

    /// Sets a record.
    ///
    /// # Errors
    /// [`StoreError`] when the key, the value or the whole commit is too long, or the table is another store's.
    pub fn put<K: Key, V: Serialize>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        let value = table.encode(value)?;
        self.put_bytes(table.raw(), &key.to_key_bytes(), &value)
    }

    /// Removes a record, which need not exist.
    ///
    /// # Errors
    /// [`StoreError`] when the key or the whole commit is too long, or the table is another store's.
    pub fn delete<K: Key, V>(&mut self, table: &Table<K, V>, key: &K) -> Result<(), StoreError> {
        self.delete_bytes(table.raw(), &key.to_key_bytes())
    }

    /// Reads a record as it will be after this commit.
    ///
    /// # Errors
    /// [`StoreError`] when the record is damaged or the store has stopped.
    pub fn get<K: Key, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let key = key.to_key_bytes();
        match self.get_bytes(table.raw(), &key)? {
            Some(value) => table.decode_value(&key, &value).map(Some),
            None => Ok(None),
        }
    }

    /// Sets a record of a raw table.
    ///
    /// # Errors
    /// As [`Batch::put`].
    pub fn put_bytes(&mut self, table: &RawTable, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let limit = self.store.options.max_value_bytes;
        if value.len() > limit {
            return Err(StoreError::ValueTooLarge {
                table: table.name().to_owned(),
                size: value.len(),
                limit,
            });
        }
        self.record(table, key, Some(value.to_vec()))
    }

    /// Removes a record of a raw table, which need not exist.
    ///
    /// # Errors
    /// As [`Batch::delete`].
    pub fn delete_bytes(&mut self, table: &RawTable, key: &[u8]) -> Result<(), StoreError> {
        self.record(table, key, None)
    }

    /// Reads a record of a raw table as it will be after this commit.
    ///
    /// # Errors
    /// As [`Batch::get`].
    pub fn get_bytes(&self, table: &RawTable, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check_table(table)?;
        match self.writes.get(&table.record_key(key)) {
            Some(pending) => Ok(pending.clone()),
            None => table.get(key),
        }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The same changes for sled, with long values cut and the pieces of replaced values removed.
    pub(crate) fn into_sled(self) -> Result<sled::Batch, StoreError> {
        let mut changes = sled::Batch::default();
        for (record_key, value) in self.writes {
            let old = self.store.pieces_of(&record_key)?;
            let mut new = 0;
            match value {
                None => changes.remove(record_key.as_slice()),
                Some(value) => {
                    let (stored, pieces) = layout::cut(&value);
                    for piece in pieces {
                        changes.insert(layout::piece_key(&record_key, new), piece);
                        new += 1;
                    }
                    changes.insert(record_key.as_slice(), stored);
                }
            }
            for number in new..old {
                changes.remove(layout::piece_key(&record_key, number));
            }
        }
        Ok(changes)
    }

    fn record(&mut self, table: &RawTable, key: &[u8], value: Option<Vec<u8>>) -> Result<(), StoreError> {
        self.check_table(table)?;
        if key.len() > MAX_KEY {
            let table = table.name().to_owned();
            return Err(StoreError::KeyTooLarge { table, size: key.len(), limit: MAX_KEY });
        }
        let record_key = table.record_key(key);
        let limit = self.store.options.max_commit_bytes;
        let added = record_key.len().saturating_add(value.as_ref().map_or(0, Vec::len));
        self.bytes = self.bytes.saturating_add(added);
        if self.bytes > limit {
            return Err(StoreError::CommitTooLarge { limit });
        }
        self.writes.insert(record_key, value);
        Ok(())
    }

    fn check_table(&self, table: &RawTable) -> Result<(), StoreError> {
        if table.is_of(&self.store) { Ok(()) } else { Err(StoreError::ForeignTable(table.name().to_owned())) }
    }
}
