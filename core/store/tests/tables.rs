//! What a table promises: order, ranges, limits, and that one store cannot be mistaken for another.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_store::{OpenError, Options, Schema, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tempfile::TempDir;

const SCHEMA: Schema = Schema::new("test", 1);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Vote {
    block: String,
    weight: u64,
}

fn vote(block: &str, weight: u64) -> Vote {
    Vote { block: block.to_owned(), weight }
}

fn open(dir: &TempDir) -> Store {
    Store::open(&dir.path().join("store"), SCHEMA).unwrap()
}

fn keys(entries: impl Iterator<Item = Result<((u8, u64), Vote), StoreError>>) -> Vec<(u8, u64)> {
    entries.map(|entry| entry.unwrap().0).collect()
}

fn filled(store: &Store) -> Table<(u8, u64), Vote> {
    let votes = store.table("votes").unwrap();
    store
        .commit(|batch| {
            for key in [(2, 1), (1, 300), (1, 5), (2, u64::MAX), (1, 256)] {
                batch.put(&votes, &key, &vote("a", key.1))?;
            }
            batch.put(&store.table("vote")?, &(1u8, 9u64), &vote("of another table", 9))
        })
        .unwrap();
    votes
}

#[test]
fn records_come_back_in_key_order_from_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    let votes = filled(&open(&dir));
    let all = [(1, 5), (1, 256), (1, 300), (2, 1), (2, u64::MAX)];
    assert_eq!(keys(votes.iter()), all);
    assert_eq!(keys(votes.iter().rev()), all.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(keys(votes.range((1, 256)..(2, 1))), [(1, 256), (1, 300)]);
    assert_eq!(keys(votes.range(..=(1, 256)).rev()), [(1, 256), (1, 5)]);
    assert_eq!(keys(votes.range((2, 2)..(2, 2))), []);
    #[allow(clippy::reversed_empty_ranges)] // the case itself
    let reversed = votes.range((2, 0)..(1, 0));
    assert_eq!(keys(reversed), []);
    assert_eq!(keys(votes.prefix(&2)), [(2, 1), (2, u64::MAX)]);
    assert_eq!(keys(votes.prefix(&3)), []);
    assert_eq!(votes.first().unwrap(), Some(((1, 5), vote("a", 5))));
    assert_eq!(votes.last().unwrap(), Some(((2, u64::MAX), vote("a", u64::MAX))));
    let mut both = votes.iter();
    let meeting: Vec<_> = std::iter::from_fn(|| both.next().or_else(|| both.next_back())).collect();
    assert_eq!(meeting.len(), 5);
    assert!(both.next_back().is_none());
}

#[test]
fn an_iterator_may_be_held_across_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let votes = filled(&store);
    let mut seen = 0;
    for entry in votes.iter() {
        let (key, _) = entry.unwrap();
        store.commit(|batch| batch.delete(&votes, &key)).unwrap();
        seen += 1;
    }
    assert_eq!((seen, votes.first().unwrap()), (5, None));
}

#[test]
fn values_of_any_length_survive_replacement_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let lengths = [0usize, 1, 4096, 4097, 200_000, 4095, 70_000, 8192, 0, 1_000_000];
    let value = |length: usize| -> Vec<u8> { (0..length).map(|i| (i % 251) as u8).collect() };
    for length in lengths {
        let store = open(&dir);
        let table = store.raw_table("blocks").unwrap();
        store.commit(|batch| batch.put_bytes(&table, b"tip", &value(length))).unwrap();
        assert_eq!(table.get(b"tip").unwrap(), Some(value(length)), "{length}");
        drop((table, store));
        let store = open(&dir);
        let table = store.raw_table("blocks").unwrap();
        assert_eq!(table.get(b"tip").unwrap(), Some(value(length)), "{length} reopened");
    }
    let store = open(&dir);
    let table = store.raw_table("blocks").unwrap();
    assert_eq!(table.iter().count(), 1, "pieces are no records");
    store.commit(|batch| batch.delete_bytes(&table, b"tip")).unwrap();
    assert_eq!(table.get(b"tip").unwrap(), None);
    assert_eq!(files_in(&dir.path().join("store/sled/blobs")), 0, "all data is in the one file we sync");
}

#[test]
fn many_long_values_and_long_keys_stay_in_the_synced_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let table = store.raw_table("blocks").unwrap();
    for round in 0..3u8 {
        for n in 0..120u32 {
            let mut key = vec![round ^ 0x5a; 252];
            key.extend_from_slice(&n.to_be_bytes());
            store.commit(|batch| batch.put_bytes(&table, &key, &vec![round; 9_000])).unwrap();
        }
    }
    assert_eq!(table.iter().count(), 360);
    assert_eq!(files_in(&dir.path().join("store/sled/blobs")), 0);
}

fn files_in(path: &Path) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn a_batch_reads_what_it_will_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let votes = filled(&store);
    store
        .commit(|batch| {
            assert_eq!(batch.get(&votes, &(1, 5))?, Some(vote("a", 5)));
            batch.put(&votes, &(1, 5), &vote("b", 5))?;
            batch.delete(&votes, &(2, 1))?;
            assert_eq!(batch.get(&votes, &(1, 5))?, Some(vote("b", 5)));
            assert_eq!(batch.get(&votes, &(2, 1))?, None);
            assert_eq!(votes.get(&(2, 1))?, Some(vote("a", 1)), "others see the state before");
            Ok(())
        })
        .unwrap();
    assert!(!votes.contains(&(2, 1)).unwrap());
}

#[test]
fn an_error_or_a_panic_in_the_closure_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let votes = filled(&store);
    let before = store.commit_count();
    let refused: Result<(), StoreError> = store.commit(|batch| {
        batch.put(&votes, &(1, 5), &vote("b", 5))?;
        Err(StoreError::TableName("refused by the caller".to_owned()))
    });
    assert!(refused.is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.commit(|batch| -> Result<(), StoreError> {
            batch.put(&votes, &(1, 5), &vote("b", 5))?;
            panic!("in the closure")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(votes.get(&(1, 5)).unwrap(), Some(vote("a", 5)));
    assert_eq!(store.commit_count(), before);
    store.commit(|batch| batch.put(&votes, &(1, 5), &vote("c", 5))).unwrap();
}

#[test]
fn threads_that_count_in_commits_lose_no_update() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let counter = store.table::<(), u64>("counter").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    store
                        .commit(|batch| {
                            let next = batch.get(&counter, &())?.unwrap_or(0) + 1;
                            batch.put(&counter, &(), &next)
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(counter.get(&()).unwrap(), Some(200));
}

#[test]
fn limits_and_misuse_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_value_bytes: 100, max_commit_bytes: 300, ..Options::default() };
    let store = Store::open_with(&dir.path().join("store"), SCHEMA, options).unwrap();
    let raw = store.raw_table("raw").unwrap();
    let try_put = |key: &[u8], value: &[u8]| store.commit(|batch| batch.put_bytes(&raw, key, value));
    assert!(matches!(try_put(b"k", &[0; 101]), Err(StoreError::ValueTooLarge { size: 101, limit: 100, .. })));
    assert!(matches!(try_put(&[0; 257], b""), Err(StoreError::KeyTooLarge { size: 257, limit: 256, .. })));
    let large = store.commit(|batch| (0..4u8).try_for_each(|n| batch.put_bytes(&raw, &[n], &[n; 90])));
    assert!(matches!(large, Err(StoreError::CommitTooLarge { limit: 300 })));
    assert!(matches!(store.commit(|_| store.commit(|_| Ok(()))), Err(StoreError::Nested)));
    assert!(matches!(store.raw_table("No Spaces"), Err(StoreError::TableName(_))));
    assert_eq!(raw.iter().count(), 0);

    let other_dir = tempfile::tempdir().unwrap();
    let other = open(&other_dir);
    let foreign = other.commit(|batch| batch.put_bytes(&raw, b"k", b"v"));
    assert!(matches!(foreign, Err(StoreError::ForeignTable(name)) if name == "raw"));
}

#[test]
fn a_record_of_another_type_is_damaged_and_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    filled(&store);
    let wrong_value = store.table::<(u8, u64), u64>("votes").unwrap();
    let error = wrong_value.get(&(1, 5)).unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { table, key, .. } if table == "votes" && key == "010000000000000005")
    );
    assert!(!error.must_stop());
    let wrong_key = store.table::<u32, Vote>("votes").unwrap();
    assert!(matches!(wrong_key.first(), Err(StoreError::Damaged { .. })));
    assert_eq!(wrong_key.iter().filter(|entry| entry.is_ok()).count(), 0);
}

#[test]
fn a_directory_in_use_is_locked_until_its_last_handle_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let votes = filled(&store);
    drop(store);
    let error = Store::open(&dir.path().join("store"), SCHEMA).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "the table still holds it: {error}");
    drop(votes);
    assert_eq!(open(&dir).table::<(u8, u64), Vote>("votes").unwrap().iter().count(), 5);
}

#[test]
fn a_directory_of_another_program_or_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(filled(&open(&dir)));
    let open = |schema| Store::open(&path, schema).map(|_| ());
    assert!(
        matches!(open(Schema::new("other", 1)), Err(OpenError::ForeignSchema { found, .. }) if found == "test")
    );
    assert!(matches!(open(Schema::new("test", 2)), Err(OpenError::SchemaVersion { found: 1, expected: 2 })));
    assert!(open(SCHEMA).is_ok());
}

#[test]
fn a_file_in_the_way_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, b"not a directory").unwrap();
    let error = Store::open(&path, SCHEMA).unwrap_err();
    assert!(error.to_string().contains("store"), "{error}");
}
