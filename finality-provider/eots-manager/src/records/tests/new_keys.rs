//! A key of which nothing is known on a chain, next to others that signed for years.

use super::{
    KEY, OTHER_KEY,
    simulated::{Death, Random, Simulated},
    subject, subject_of, vote, with_votes,
};
use crate::records::{
    NotSafe, RECENT_HEIGHTS, Safe, SignRecords, Subject, VoteRequest, disk::Disk, history::Limits,
};
use btc_staking_protocol::{
    finality::{
        randomness::CommittedRandomness,
        vote::{PublicRandomness, VoteMessage},
    },
    height::PosHeight,
};
use std::path::Path;

fn strangers() -> [Subject; 2] {
    [subject_of(OTHER_KEY, "bbn-1"), subject_of(KEY, "bbn-test-6")]
}

fn vote_of(subject: &Subject, height: u64, block: u8) -> VoteRequest {
    VoteRequest { subject: subject.clone(), ..vote(height, block) }
}

fn signed(heights: std::ops::RangeInclusive<u64>) -> Vec<(VoteMessage, PublicRandomness)> {
    heights.map(|height| vote(height, 1)).map(|vote| (vote.message, vote.public_randomness)).collect()
}

#[test]
fn a_key_without_a_history_on_a_chain_signs_and_records_nothing_there() {
    let directory = with_votes(3);
    let records = SignRecords::open(directory.path()).unwrap();
    let range = CommittedRandomness { start_height: PosHeight::new(1), count: 5, root: [1; 32] };
    let height = PosHeight::new(9);
    for stranger in strangers() {
        assert!(!records.has_history(&stranger));
        let refusals = [
            records.check_and_record(vote_of(&stranger, 9, 1)).err().unwrap(),
            records.record_commitment(&stranger, range).unwrap_err(),
            records.record_watermark(&stranger, height).unwrap_err(),
            records.record_high_watermark(&stranger, height).unwrap_err(),
            records.lift_high_watermark(&stranger, height).unwrap_err(),
            records.check_history(&stranger).unwrap_err(),
        ];
        for refused in refusals {
            assert!(matches!(&refused, NotSafe::NoHistory { subject } if **subject == stranger), "{refused}");
            let words = refused.to_string();
            let way = format!("init --key {} --chain {}", stranger.finality_provider, stranger.chain_id);
            assert!(words.contains(&way) && words.contains("import what it signed"), "{words}");
            assert!(!refused.is_fatal(), "the other keys go on");
        }
        assert!(!records.has_history(&stranger), "asking begins no history");
    }
    let _ = records.check_and_record(vote(4, 1)).unwrap();
}

#[test]
fn a_key_said_to_be_new_signs_from_then_on_and_after_a_restart_and_a_compaction() {
    let directory = with_votes(3);
    let [key, _] = strangers();
    let records = SignRecords::open(directory.path()).unwrap();
    assert!(records.declare_new(&key).unwrap());
    assert!(!records.declare_new(&key).unwrap(), "it is known now");
    assert!(!records.declare_new(&subject()).unwrap(), "a key that signed is not new");
    records.compact().unwrap();
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!((records.highest(&key), records.watermark(&key)), (None, None));
    assert_eq!(records.check_and_record(vote_of(&key, 1, 1)).unwrap().safe(), Safe::Fresh);
    assert!(matches!(records.check_and_record(vote(3, 2)), Err(NotSafe::DoubleSign { .. })));
}

#[test]
fn an_import_is_a_history_whatever_it_holds() {
    let directory = with_votes(1);
    let records = SignRecords::open(directory.path()).unwrap();
    let [votes, bar] = strangers();
    let nothing = subject_of(OTHER_KEY, "another-chain");
    records.import(&votes, signed(5..=7), Some(PosHeight::new(8))).unwrap();
    records.import(&bar, [], Some(PosHeight::new(8))).unwrap();
    records.import(&nothing, [], None).unwrap();
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    for key in [&votes, &bar] {
        assert!(matches!(records.check_and_record(vote_of(key, 8, 1)), Err(NotSafe::BelowWatermark { .. })));
        let _ = records.check_and_record(vote_of(key, 9, 1)).unwrap();
    }
    assert_eq!(records.check_and_record(vote_of(&votes, 6, 1)).unwrap().safe(), Safe::SameAgain);
    assert!(matches!(records.check_and_record(vote_of(&votes, 6, 2)), Err(NotSafe::DoubleSign { .. })));
    let _ = records.check_and_record(vote_of(&nothing, 1, 1)).unwrap();
}

#[test]
fn an_import_that_contradicts_the_records_writes_nothing() {
    let directory = with_votes(3);
    let records = SignRecords::open(directory.path()).unwrap();
    let mut votes = signed(1..=9);
    votes[2].0.app_hash = [2; 32];
    let refused = records.import(&subject(), votes, Some(PosHeight::new(9))).unwrap_err();
    let NotSafe::DoubleSign { recorded, requested, .. } = refused else { panic!("{refused}") };
    assert_eq!((recorded, requested), (vote(3, 1).message, vote(3, 2).message));
    assert_eq!(records.highest(&subject()), Some(PosHeight::new(3)));
}

#[test]
fn an_import_that_contradicts_itself_writes_nothing_and_one_that_repeats_itself_is_taken() {
    let [key, _] = strangers();
    let votes = signed(5..=7);
    let other_message = (vote(6, 2).message, votes[1].1);
    let other_randomness = (votes[1].0, PublicRandomness::from_bytes([8; 32]));
    for contradiction in [other_message, other_randomness] {
        // Whichever comes first, and also where the watermark bars it: it is evidence.
        for (first, second) in [(votes[1], contradiction), (contradiction, votes[1])] {
            let directory = with_votes(1);
            let records = SignRecords::open(directory.path()).unwrap();
            let all = votes.iter().copied().filter(|vote| *vote != votes[1]).chain([first, second]);
            match records.import(&key, all, Some(PosHeight::new(9))).unwrap_err() {
                NotSafe::DoubleSign { subject, recorded, requested } => {
                    assert_eq!((*subject, recorded, requested), (key.clone(), first.0, second.0));
                    assert_ne!(recorded, requested);
                }
                NotSafe::OtherRandomness { height } => {
                    assert_eq!((height, first.0), (PosHeight::new(6), second.0));
                }
                refused => panic!("{refused}"),
            }
            drop(records);
            let records = SignRecords::open(directory.path()).unwrap();
            assert!(!records.has_history(&key), "nothing was written");
        }
    }
    let directory = with_votes(1);
    let records = SignRecords::open(directory.path()).unwrap();
    records.import(&key, votes.iter().chain(&votes).copied(), None).unwrap();
    assert_eq!(records.votes(&key), votes);
}

#[test]
fn an_import_of_more_than_is_remembered_bars_the_rest_and_fits_one_write() {
    let directory = with_votes(0);
    let records = SignRecords::open(directory.path()).unwrap();
    let kept = RECENT_HEIGHTS as u64;
    records.import(&subject(), signed(1..=kept + 7), None).unwrap();
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(records.watermark(&subject()), Some(PosHeight::new(7)));
    assert_eq!(records.votes(&subject()).len(), RECENT_HEIGHTS);
}

/// Half a history would let the key sign what the other half barred.
#[test]
fn an_import_cut_short_at_any_step_is_there_whole_or_leaves_the_key_without_a_history() {
    let [key, _] = strangers();
    let open = |folder: &Simulated| {
        let opened = Disk::open_on(Box::new(folder.clone()), Path::new("simulated")).unwrap();
        SignRecords::open_with(opened, Limits::default()).unwrap()
    };
    let whole = |records: &SignRecords| {
        records.import(&key, signed(1..=40).into_iter().step_by(2), Some(PosHeight::new(60)))
    };
    let folder = Simulated::new();
    let records = open(&folder);
    let (before, _) = (folder.steps(), whole(&records).unwrap());
    let (mut absent, mut there) = (0, 0);
    for step in before..folder.steps() {
        for (death, power) in
            [Death::Before, Death::Middle, Death::After].into_iter().flat_map(|d| (0..9).map(move |p| (d, p)))
        {
            let folder = Simulated::new();
            folder.start(Some((step, death)));
            let _cut_short = whole(&open(&folder));
            if power > 0 {
                folder.cut_power(&mut Random(power));
            }
            folder.start(None);
            let records = open(&folder);
            if records.has_history(&key) {
                there += 1;
                assert_eq!(records.votes(&key).len(), 20);
                assert_eq!(records.watermark(&key), Some(PosHeight::new(60)));
            } else {
                absent += 1;
                assert!(records.check_and_record(vote_of(&key, 61, 1)).is_err());
            }
            whole(&records).unwrap();
            assert_eq!(records.watermark(&key), Some(PosHeight::new(60)), "the same again finishes it");
            assert_eq!(records.votes(&key).len(), 20);
        }
    }
    assert!(absent > 0 && there > 0, "{absent} absent, {there} there");
}
