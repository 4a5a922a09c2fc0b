//! The records under edits, truncation, torn writes, failing disks and racing threads.

use super::{
    layout::{Record, SLOT},
    *,
};
use btc_staking_protocol::{finality::vote::PublicRandomness, keys::FinalityProviderPublicKey};
use proptest::prelude::*;
use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Barrier},
};
use tempfile::TempDir;

mod copies;
mod crashes;
mod edits;
mod every_write;
mod new_keys;
mod simulated;

const KEY: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";
const OTHER_KEY: &str = "460a7b966efffb36946f6dc3c17ff73ad789fc1c2df43c1258039ca2f9a1e3e6";

/// A number that the long form of a test sets.
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn subject_of(key: &str, chain_id: &str) -> Subject {
    let finality_provider: FinalityProviderPublicKey = key.parse().unwrap();
    Subject { finality_provider, chain_id: chain_id.parse().unwrap() }
}

fn subject() -> Subject {
    subject_of(KEY, "bbn-1")
}

fn vote(height: u64, block: u8) -> VoteRequest {
    VoteRequest {
        subject: subject(),
        message: VoteMessage { height: PosHeight::new(height), app_hash: [block; 32] },
        public_randomness: PublicRandomness::from_bytes([7; 32]),
    }
}

/// Records in which one key was declared new.
fn fresh() -> (TempDir, SignRecords) {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    assert!(records.declare_new(&subject()).unwrap());
    (directory, records)
}

fn with_votes(count: u64) -> TempDir {
    let (directory, records) = fresh();
    for height in 1..=count {
        let _ = records.check_and_record(vote(height, 1)).unwrap();
    }
    directory
}

fn files(directory: &TempDir) -> (PathBuf, PathBuf) {
    (directory.path().join(RECORDS_FILE), directory.path().join(ANCHOR_FILE))
}

fn is_recorded(records: &SignRecords, height: u64, block: u8) -> bool {
    records.vote_at(&subject(), PosHeight::new(height)) == Some(vote(height, block).message)
}

#[test]
fn a_second_vote_at_a_height_is_refused_with_both_votes_and_the_first_again_is_allowed() {
    let (directory, records) = fresh();
    assert_eq!(records.check_and_record(vote(5, 1)).unwrap().safe(), Safe::Fresh);
    for records in [records, {
        // The same after a restart.
        SignRecords::open(with_votes(5).path()).unwrap()
    }] {
        let refused = records.check_and_record(vote(5, 2)).err().unwrap();
        let NotSafe::DoubleSign { recorded, requested, .. } = refused else { panic!("{refused}") };
        assert_eq!((recorded, requested), (vote(5, 1).message, vote(5, 2).message));
        assert_eq!(records.check_and_record(vote(5, 1)).unwrap().safe(), Safe::SameAgain);
    }
    drop(directory);
}

#[test]
fn a_refusal_or_a_repetition_writes_nothing() {
    let (directory, records) = fresh();
    let _ = records.check_and_record(vote(5, 1)).unwrap();
    let before = fs::metadata(files(&directory).0).unwrap().len();
    let _ = records.check_and_record(vote(5, 1)).unwrap();
    assert!(records.check_and_record(vote(5, 2)).is_err());
    assert_eq!(fs::metadata(files(&directory).0).unwrap().len(), before);
}

#[test]
fn one_height_belongs_to_each_key_and_chain_apart() {
    let (_directory, records) = fresh();
    for subject in [subject(), subject_of(OTHER_KEY, "bbn-1"), subject_of(KEY, "bbn-test-6")] {
        records.declare_new(&subject).unwrap();
        let request = VoteRequest { subject: subject.clone(), ..vote(5, 9) };
        assert_eq!(records.check_and_record(request).unwrap().safe(), Safe::Fresh, "{subject:?}");
    }
}

#[test]
fn the_same_vote_with_other_randomness_is_refused() {
    let (_directory, records) = fresh();
    let _ = records.check_and_record(vote(5, 1)).unwrap();
    let other = VoteRequest { public_randomness: PublicRandomness::from_bytes([8; 32]), ..vote(5, 1) };
    assert!(matches!(records.check_and_record(other), Err(NotSafe::OtherRandomness { .. })));
}

#[test]
fn nothing_new_is_signed_at_or_below_the_watermark_which_never_falls() {
    let (directory, records) = fresh();
    let _ = records.check_and_record(vote(5, 1)).unwrap();
    records.record_watermark(&subject(), PosHeight::new(10)).unwrap();
    records.record_watermark(&subject(), PosHeight::new(3)).unwrap();
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(records.watermark(&subject()), Some(PosHeight::new(10)));
    assert_eq!(records.highest(&subject()), Some(PosHeight::new(10)));
    for height in [1, 4, 10] {
        let refused = records.check_and_record(vote(height, 1)).err().unwrap();
        assert!(matches!(refused, NotSafe::BelowWatermark { .. }), "{refused}");
    }
    assert_eq!(records.check_and_record(vote(5, 1)).unwrap().safe(), Safe::SameAgain);
    assert_eq!(records.check_and_record(vote(11, 1)).unwrap().safe(), Safe::Fresh);
}

#[test]
fn commitments_come_back_after_a_restart() {
    let (directory, records) = fresh();
    let range = |start, root| CommittedRandomness {
        start_height: PosHeight::new(start),
        count: 100,
        root: [root; 32],
    };
    for range in [range(101, 2), range(1, 1), range(1, 1)] {
        records.record_commitment(&subject(), range).unwrap();
    }
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(records.commitments(&subject()), vec![range(1, 1), range(101, 2)]);
    assert_eq!(fs::metadata(files(&directory).0).unwrap().len(), 4 * SLOT as u64);
}

#[test]
fn forgetting_old_votes_only_ever_refuses_more() {
    let mut history = History::new(Limits::default());
    let kept = RECENT_HEIGHTS as u64;
    for height in 1..=kept + 3 {
        let request = vote(height, 1);
        history.apply(&request.subject, &Fact::Vote(request.message, request.public_randomness));
    }
    assert_eq!(history.watermark(&subject()), Some(PosHeight::new(3)));
    for block in [1, 2] {
        assert!(matches!(history.check(&vote(3, block)), Err(NotSafe::BelowWatermark { .. })));
    }
    assert_eq!(history.check(&vote(4, 1)).unwrap(), Safe::SameAgain);
    assert!(matches!(history.check(&vote(4, 2)), Err(NotSafe::DoubleSign { .. })));
}

#[test]
fn records_are_opened_by_one_at_a_time_and_created_once() {
    let (directory, records) = fresh();
    assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::InUse(_))));
    assert!(matches!(SignRecords::create(directory.path()), Err(OpenError::Exists(_))));
    // A second name for the same file is the same file.
    let elsewhere = tempfile::tempdir_in(directory.path()).unwrap();
    fs::hard_link(directory.path().join(RECORDS_FILE), elsewhere.path().join(RECORDS_FILE)).unwrap();
    assert!(matches!(SignRecords::open(elsewhere.path()), Err(OpenError::InUse(_))));
    drop(records);
    assert!(SignRecords::open(directory.path()).is_ok());
}

#[test]
fn missing_records_are_never_replaced_by_an_empty_history() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(SignRecords::open(empty.path()), Err(OpenError::Missing(_))));
    let directory = with_votes(3);
    let (records, anchor) = files(&directory);
    fs::rename(&records, records.with_extension("moved")).unwrap();
    assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::Missing(_))));
    let refused = SignRecords::create(directory.path());
    assert!(matches!(refused, Err(OpenError::RolledBack { expected: 4, found: 0, .. })));
    fs::rename(records.with_extension("moved"), &records).unwrap();
    fs::remove_file(anchor).unwrap();
    assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::AnchorLost(_))));
}

#[test]
fn a_creation_cut_short_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    fs::remove_file(files(&directory).0).unwrap(); // the anchor is written first
    SignRecords::create(directory.path()).unwrap();
    assert!(SignRecords::open(directory.path()).is_ok());
}

#[test]
fn an_older_copy_or_another_file_in_place_is_detected() {
    let directory = with_votes(3);
    let (path, _) = files(&directory);
    let older = fs::read(&path).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    let _ = records.check_and_record(vote(4, 1)).unwrap();
    drop(records);
    fs::write(&path, older).unwrap();
    let refused = SignRecords::open(directory.path()).err().unwrap();
    assert!(matches!(refused, OpenError::RolledBack { expected: 5, found: 4, .. }), "{refused}");
    fs::copy(files(&with_votes(9)).0, &path).unwrap();
    assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::AnchorLost(_))));
}

#[test]
fn a_file_replaced_while_in_use_stops_the_signer() {
    let (directory, records) = fresh();
    let (path, _) = files(&directory);
    fs::copy(&path, directory.path().join("copy")).unwrap();
    fs::rename(directory.path().join("copy"), &path).unwrap();
    assert!(matches!(records.check_and_record(vote(1, 1)), Err(NotSafe::NotDurable(_))));
    assert!(matches!(records.check_and_record(vote(1, 1)), Err(NotSafe::Poisoned)));
}

#[test]
fn every_edited_byte_is_detected() {
    let directory = with_votes(3);
    let (path, _) = files(&directory);
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut edited = whole.clone();
            edited[position] ^= flip;
            fs::write(&path, &edited).unwrap();
            assert!(SignRecords::open(directory.path()).is_err(), "byte {position} ^ {flip:#x}");
        }
    }
    fs::write(&path, &whole).unwrap();
    assert!(SignRecords::open(directory.path()).is_ok());
}

#[test]
fn records_exchanged_repeated_or_followed_by_garbage_are_detected() {
    let directory = with_votes(3);
    let (path, _) = files(&directory);
    let whole = fs::read(&path).unwrap();
    let record = |n: usize| &whole[n * SLOT..(n + 1) * SLOT];
    let garbage = [0xa5; SLOT];
    let zeros = [0; SLOT];
    let wrong: [&[&[u8]]; 5] = [
        &[record(0), record(2), record(1), record(3)],
        &[record(0), record(1), record(2), record(3), record(3)],
        &[record(0), record(2), record(3)],
        &[record(0), record(1), record(2), record(3), &garbage],
        &[record(0), record(1), &zeros, record(3)],
    ];
    for (case, parts) in wrong.iter().enumerate() {
        fs::write(&path, parts.concat()).unwrap();
        assert!(matches!(SignRecords::open(directory.path()), Err(OpenError::Damaged { .. })), "case {case}");
    }
}

/// Whatever length of the file a crash leaves while a record is being written: the unreleased record vanishes, the
/// released ones stay. Every length below that is a truncation and is refused.
#[test]
fn a_record_torn_at_any_byte_is_cut_and_a_released_one_is_never_lost() {
    let directory = with_votes(2);
    let (path, anchor_path) = files(&directory);
    let anchor = fs::read(&anchor_path).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    let _ = records.check_and_record(vote(3, 1)).unwrap();
    drop(records);
    let whole = fs::read(&path).unwrap();
    let released = whole.len() - SLOT;
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        fs::write(&anchor_path, &anchor).unwrap(); // as it was before the third record
        let opened = SignRecords::open(directory.path());
        if length < released {
            assert!(opened.is_err(), "truncated to {length} bytes");
            continue;
        }
        let records = opened.unwrap_or_else(|error| panic!("torn at {length}: {error}"));
        assert!(is_recorded(&records, 1, 1) && is_recorded(&records, 2, 1));
        assert_eq!(is_recorded(&records, 3, 1), length == whole.len());
        let _ = records.check_and_record(vote(4, 1)).unwrap();
        drop(records);
        assert!(
            is_recorded(&SignRecords::open(directory.path()).unwrap(), 4, 1),
            "written on after {length}"
        );
    }
}

#[test]
fn a_last_record_whose_bytes_never_arrived_is_cut() {
    let directory = with_votes(2);
    let (path, _) = files(&directory);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; SLOT]); // the length reached the disk, the data did not
    fs::write(&path, &bytes).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    assert!(is_recorded(&records, 2, 1));
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * SLOT as u64);
}

#[test]
fn a_batch_is_answered_one_by_one_and_no_member_hinders_another() {
    let (directory, records) = fresh();
    let _ = records.check_and_record(vote(5, 1)).unwrap();
    records.record_watermark(&subject(), PosHeight::new(2)).unwrap();
    let before = fs::metadata(files(&directory).0).unwrap().len();
    let requests = [vote(2, 1), vote(5, 2), vote(5, 1), vote(7, 1), vote(7, 1), vote(7, 2), vote(6, 1)];
    let answers = records.check_and_record_batch(requests.to_vec()).unwrap();
    let safe: Vec<_> = answers.iter().map(|answer| answer.as_ref().ok().map(Permit::safe)).collect();
    let (fresh, same) = (Some(Safe::Fresh), Some(Safe::SameAgain));
    assert_eq!(safe, [None, None, same, fresh, same, None, fresh]);
    assert!(matches!(answers[0], Err(NotSafe::BelowWatermark { .. })));
    for (index, height) in [(1, 5), (5, 7)] {
        let Err(NotSafe::DoubleSign { recorded, requested, .. }) = &answers[index] else { panic!("{index}") };
        assert_eq!((recorded, requested), (&vote(height, 1).message, &vote(height, 2).message));
    }
    assert_eq!(fs::metadata(files(&directory).0).unwrap().len(), before + 2 * SLOT as u64);
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert!(is_recorded(&records, 7, 1) && is_recorded(&records, 6, 1));
}

#[test]
fn nothing_new_is_signed_above_the_high_watermark_until_the_key_is_taken_back() {
    let (directory, records) = fresh();
    let _ = records.check_and_record(vote(12, 1)).unwrap();
    records.record_high_watermark(&subject(), PosHeight::new(10)).unwrap();
    records.record_high_watermark(&subject(), PosHeight::new(11)).unwrap(); // it never rises
    drop(records);
    let records = SignRecords::open(directory.path()).unwrap();
    assert_eq!(records.high_watermark(&subject()), Some(PosHeight::new(10)));
    let refused = records.check_and_record(vote(11, 1)).err().unwrap();
    assert!(matches!(refused, NotSafe::AboveWatermark { .. }), "{refused}");
    assert_eq!(records.check_and_record(vote(12, 1)).unwrap().safe(), Safe::SameAgain);
    assert_eq!(records.check_and_record(vote(10, 1)).unwrap().safe(), Safe::Fresh);
    records.lift_high_watermark(&subject(), PosHeight::new(20)).unwrap();
    assert!(matches!(records.check_and_record(vote(20, 1)), Err(NotSafe::BelowWatermark { .. })));
    assert_eq!(records.check_and_record(vote(21, 1)).unwrap().safe(), Safe::Fresh);
}

#[test]
fn ten_threads_racing_for_one_height_get_one_message_signed() {
    let (_directory, records) = fresh();
    let records = Arc::new(records);
    for height in 1..=50 {
        let barrier = Arc::new(Barrier::new(10));
        let threads: Vec<_> = (0..10)
            .map(|block| {
                let (records, barrier) = (Arc::clone(&records), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    records.check_and_record(vote(height, block)).ok().map(|p| p.request().message)
                })
            })
            .collect();
        let signed: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(signed.len(), 1, "height {height}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Vote { height: u64, block: u8 },
    Watermark(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..12_u64, 0..3_u8).prop_map(|(height, block)| Step::Vote { height, block }),
        1 => (1..12_u64).prop_map(Step::Watermark),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_requests_and_restarts_signs_two_messages_at_a_height(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let (directory, records) = fresh();
        let mut records = Some(records);
        let mut signed: HashMap<u64, u8> = HashMap::new();
        let mut watermark = 0;
        for step in steps {
            let open = records.as_ref().unwrap();
            match step {
                Step::Vote { height, block } => {
                    let allowed = open.check_and_record(vote(height, block)).is_ok();
                    let expected = match signed.get(&height) {
                        Some(before) => *before == block,
                        None => height > watermark,
                    };
                    prop_assert_eq!(allowed, expected);
                    if allowed {
                        signed.insert(height, block);
                    }
                }
                Step::Watermark(height) => {
                    open.record_watermark(&subject(), PosHeight::new(height)).unwrap();
                    watermark = watermark.max(height);
                }
                Step::Restart => {
                    drop(records.take());
                    records = Some(SignRecords::open(directory.path()).unwrap());
                }
            }
        }
    }

    #[test]
    fn a_record_has_one_encoding(
        height: u64, count: u64, hash: [u8; 32], randomness: [u8; 32], sequence: u64, previous: [u8; 32],
        kind in 0..5, before: u16, after: u16, chain_id in "[ -~]{1,62}",
    ) {
        let fact = match kind {
            0 => Fact::Vote(
                VoteMessage { height: PosHeight::new(height), app_hash: hash },
                PublicRandomness::from_bytes(randomness),
            ),
            1 => Fact::Commitment(CommittedRandomness { start_height: PosHeight::new(height), count, root: hash }),
            2 => Fact::Watermark(PosHeight::new(height)),
            3 => Fact::HighWatermark(PosHeight::new(height)),
            _ => Fact::New,
        };
        let record = Record { sequence, previous, subject: subject_of(KEY, &chain_id), fact, place: layout::Place { before, after } };
        prop_assert_eq!(layout::Decoder::default().decode(&layout::encode(&record)), Ok(record));
    }
}
