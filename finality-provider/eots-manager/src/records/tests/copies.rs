//! Data directories that were copied or put back.
//!
//! What the files can tell: that records are older than the anchor beside them. What they cannot: that both were put
//! back together, or that another host goes on with a copy, because every byte is as it was. Then the chain tells: no
//! daemon signs before the records were raised to the chain's highest vote, and a vote there that is not in them stops
//! it (`finality-provider/src/service/guard.rs`).

use super::{files, fresh, subject, vote, with_votes};
use crate::records::{NotSafe, OpenError, RECORDS_FILE, SignRecords};
use btc_staking_protocol::height::PosHeight;
use std::{fs, path::Path};
use tempfile::TempDir;

fn copy(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn sign_up_to(records: &SignRecords, heights: std::ops::RangeInclusive<u64>) {
    let requests = heights.map(|height| vote(height, 1)).collect();
    for answer in records.check_and_record_batch(requests).unwrap() {
        let _ = answer.unwrap();
    }
}

#[test]
fn a_backup_of_ten_thousand_blocks_ago_signs_nothing_that_is_on_the_chain() {
    let (directory, records) = fresh();
    sign_up_to(&records, 1..=500);
    drop(records);
    let backup = copy(directory.path());
    let records = SignRecords::open(directory.path()).unwrap();
    sign_up_to(&records, 501..=10_500);
    drop(records);

    // The records alone: the anchor knows better.
    fs::copy(files(&backup).0, files(&directory).0).unwrap();
    let refused = SignRecords::open(directory.path()).err().unwrap();
    assert!(matches!(refused, OpenError::RolledBack { expected: 10_501, found: 501, .. }), "{refused}");

    // Both files: only the chain knows better, and its highest vote bars what was signed since.
    let records = SignRecords::open(backup.path()).unwrap();
    records.record_watermark(&subject(), PosHeight::new(10_500)).unwrap();
    let requests = (501..=10_500).map(|height| vote(height, 2)).collect();
    for answer in records.check_and_record_batch(requests).unwrap() {
        assert!(matches!(answer, Err(NotSafe::BelowWatermark { .. })));
    }
    let _ = records.check_and_record(vote(10_501, 2)).unwrap();
}

#[test]
fn a_copy_opens_beside_the_original_and_is_held_back_by_the_chain_alone() {
    let original = with_votes(5);
    let copied = copy(original.path());
    let [first, second] = [&original, &copied].map(|directory| SignRecords::open(directory.path()).unwrap());
    let _ = first.check_and_record(vote(6, 1)).unwrap();
    second.record_watermark(&subject(), PosHeight::new(6)).unwrap(); // what the chain says before it may sign
    assert!(matches!(second.check_and_record(vote(6, 2)), Err(NotSafe::BelowWatermark { .. })));
    assert!(matches!(second.check_and_record(vote(5, 2)), Err(NotSafe::DoubleSign { .. })));
}

#[test]
fn another_name_of_a_file_that_was_compacted_cannot_be_signed_with() {
    let directory = with_votes(5);
    let elsewhere = tempfile::tempdir_in(directory.path()).unwrap();
    fs::copy(files(&directory).1, files(&elsewhere).1).unwrap();
    fs::hard_link(files(&directory).0, files(&elsewhere).0).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    records.compact().unwrap();
    assert!(matches!(SignRecords::open(elsewhere.path()), Err(OpenError::Damaged { .. })));
    assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::InUse(_))));
    let _ = records.check_and_record(vote(6, 1)).unwrap();
    drop(records);
    assert!(SignRecords::open(directory.path()).is_ok());
}

#[test]
fn a_file_stops_growing_once_it_holds_all_that_is_remembered() {
    let (directory, records) = fresh();
    let mut largest = 0;
    for start in (1..=80_000).step_by(4_000) {
        sign_up_to(&records, start..=start + 3_999);
        largest = largest.max(fs::metadata(directory.path().join(RECORDS_FILE)).unwrap().len());
    }
    assert!(largest < 10_000_000, "{largest} bytes");
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(records.watermark(&subject()), Some(PosHeight::new(60_000)));
    assert!(matches!(records.check_and_record(vote(60_001, 2)), Err(NotSafe::DoubleSign { .. })));
}
