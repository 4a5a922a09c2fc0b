//! Files that somebody or something changed: each is refused when it is opened.

use super::{
    simulated::{Random, Simulated},
    subject, vote,
};
use crate::records::{SignRecords, disk::Disk, history::Limits, layout::SLOT};
use btc_staking_protocol::height::PosHeight;
use std::path::Path;

const HEIGHTS: u64 = 30;

fn open(records: Vec<u8>, anchor: Vec<u8>) -> Option<SignRecords> {
    let folder = Simulated::holding(records, anchor);
    let opened = Disk::open_on(Box::new(folder), Path::new("simulated")).ok()?;
    SignRecords::open_with(opened, Limits::default()).ok()
}

/// A compacted file with single votes and batches behind its summary, every state it ever had, and the last anchor.
fn written() -> (Vec<Vec<u8>>, Vec<u8>) {
    let folder = Simulated::new();
    let opened = Disk::open_on(Box::new(folder.clone()), Path::new("simulated")).unwrap();
    let records = SignRecords::open_with(opened, Limits::default()).unwrap();
    let mut states = Vec::new();
    for height in (1..HEIGHTS).step_by(3) {
        let requests = vec![vote(height, 1), vote(height + 1, 1)];
        for answer in records.check_and_record_batch(requests).unwrap() {
            let _ = answer.unwrap();
        }
        states.push(folder.copy().0);
        let _ = records.check_and_record(vote(height + 2, 1)).unwrap();
        states.push(folder.copy().0);
        if height == 16 {
            records.compact().unwrap();
            states.push(folder.copy().0);
        }
    }
    (states, folder.copy().1)
}

fn edit(bytes: &mut Vec<u8>, older: &[Vec<u8>], random: &mut Random) {
    let slots = bytes.len() / SLOT;
    let (one, other) = (random.index(slots) * SLOT, random.index(slots) * SLOT);
    match random.below(8) {
        0 => {
            let length = random.index(bytes.len());
            bytes.truncate(length);
        }
        1 => bytes.clone_from(&older[random.index(older.len())]),
        2 => bytes.copy_within(one..one + SLOT, other),
        3 => bytes[one..one + SLOT].fill(0),
        4 => drop(bytes.drain(one..one + SLOT)),
        5 => {
            let from = &older[random.index(older.len())];
            let at = random.index(from.len() / SLOT) * SLOT;
            let room = bytes.len().saturating_sub(at).min(SLOT);
            bytes[at..at + room].copy_from_slice(&from[at..at + room]);
        }
        _ => {
            for _ in 0..=random.below(3) {
                let position = random.index(bytes.len());
                bytes[position] ^= u8::try_from(1 + random.below(255)).unwrap();
            }
        }
    }
}

#[test]
fn every_edited_truncated_or_older_file_is_refused() {
    let edits = super::variable("EOTS_TEST_EDITS", 3_000);
    let (mut states, anchor) = written();
    let whole = states.pop().unwrap();
    let records = open(whole.clone(), anchor.clone()).unwrap();
    assert!((1..=HEIGHTS).all(|height| records.vote_at(&subject(), PosHeight::new(height)).is_some()));
    let mut random = Random(super::variable("EOTS_TEST_SEED", 2_024));
    for number in 0..edits {
        let mut edited = whole.clone();
        edit(&mut edited, &states, &mut random);
        let refused = open(edited.clone(), anchor.clone()).is_none();
        assert!(refused || edited == whole, "edit {number}: {} of {} bytes", edited.len(), whole.len());
    }
}

#[test]
fn an_edited_anchor_is_refused_or_loses_no_vote() {
    let (mut states, anchor) = written();
    let whole = states.pop().unwrap();
    for (position, flip) in (0..anchor.len()).flat_map(|position| [0x01, 0x80].map(|flip| (position, flip))) {
        let mut edited = anchor.clone();
        edited[position] ^= flip;
        if let Some(records) = open(whole.clone(), edited) {
            assert!(
                (1..=HEIGHTS).all(|height| records.vote_at(&subject(), PosHeight::new(height)).is_some())
            );
        }
    }
    assert!(open(whole.clone(), anchor[..anchor.len() - 1].to_vec()).is_none());
}

#[test]
fn bytes_added_behind_the_end_are_refused_or_cut_and_lose_no_vote() {
    let (mut states, anchor) = written();
    let whole = states.pop().unwrap();
    let behind =
        [vec![7; SLOT - 1], vec![0; SLOT], vec![0; 40 * SLOT], vec![7; SLOT], whole[SLOT..].to_vec()];
    for (bytes, cut) in behind.into_iter().zip([true, true, true, false, false]) {
        let records = open([whole.clone(), bytes].concat(), anchor.clone());
        assert_eq!(records.is_some(), cut);
        if let Some(records) = records {
            assert_eq!(records.highest(&subject()), Some(PosHeight::new(HEIGHTS)));
        }
    }
}
