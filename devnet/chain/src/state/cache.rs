//! Values read or written lately, in memory: what a block reads is mostly what the blocks before it read and wrote.
//!
//! Two generations, each bounded: when the young one is full it becomes the old one, and what the old one held is
//! forgotten. Absence is remembered like a value. The cache is told of every commit, and forgets everything and stays
//! empty once one failed, because then nobody knows what is on disk.

use super::layer::Writes;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

type Values = HashMap<Vec<u8>, Option<Vec<u8>>>;

/// Keys and values of one generation, at most.
const GENERATION_BYTES: usize = 24 * 1024 * 1024;
/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: usize = 96;

/// A bounded memory of values.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: Values,
    young_bytes: usize,
    old: Values,
    closed: bool,
}

impl Cache {
    // What the lock guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key, if it is known; `Some(None)` for a key known to have none.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        generations.remember(key, value.clone());
        Some(value)
    }

    /// Remembers what was read.
    pub(super) fn read(&self, key: &[u8], value: Option<&Vec<u8>>) {
        self.lock().remember(key.to_vec(), value.cloned());
    }

    /// Remembers what was committed.
    pub(super) fn committed(&self, writes: &Writes) {
        let mut generations = self.lock();
        for (key, value) in writes {
            generations.old.remove(key);
            generations.remember(key.clone(), value.clone());
        }
    }

    /// Forgets everything for good.
    pub(super) fn close(&self) {
        *self.lock() = Generations { closed: true, ..Default::default() };
    }
}

impl Generations {
    fn remember(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        if self.closed {
            return;
        }
        let size = key.len() + value.as_ref().map_or(0, Vec::len) + ENTRY_BYTES;
        if self.young_bytes.saturating_add(size) > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += size;
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_last_is_what_is_known() {
        let cache = Cache::default();
        assert_eq!(cache.get(b"a"), None);
        cache.read(b"a", None);
        assert_eq!(cache.get(b"a"), Some(None));
        cache.committed(&Writes::from([(b"a".to_vec(), Some(vec![1])), (b"b".to_vec(), None)]));
        assert_eq!((cache.get(b"a"), cache.get(b"b")), (Some(Some(vec![1])), Some(None)));
        cache.close();
        cache.read(b"a", Some(&vec![2]));
        assert_eq!(cache.get(b"a"), None, "a closed cache stays empty");
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        let megabyte = vec![0; 1024 * 1024];
        cache.read(b"kept", Some(&vec![7]));
        for number in 0u32..200 {
            cache.read(&number.to_be_bytes(), Some(&megabyte));
            assert_eq!(cache.get(b"kept"), Some(Some(vec![7])), "after {number}");
        }
        let generations = cache.lock();
        let bytes = |values: &Values| values.values().flatten().map(Vec::len).sum::<usize>();
        assert!(bytes(&generations.young) + bytes(&generations.old) <= 2 * GENERATION_BYTES);
        assert!(!generations.young.contains_key(0u32.to_be_bytes().as_slice()));
    }

    #[test]
    fn an_old_value_never_comes_back_over_a_new_one() {
        let cache = Cache::default();
        cache.read(b"a", Some(&vec![1]));
        let big = vec![0; GENERATION_BYTES - 1000];
        cache.read(b"big", Some(&big));
        cache.read(b"big2", Some(&big));
        cache.committed(&Writes::from([(b"a".to_vec(), Some(vec![2]))]));
        cache.read(b"big3", Some(&big));
        assert_eq!(cache.get(b"a"), Some(Some(vec![2])));
    }
}
