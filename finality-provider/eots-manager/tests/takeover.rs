//! Taking over from the Go manager, with the files its programs wrote (`data/go/README.md`).

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_eots_manager::{
    keys::EotsKey,
    legacy::eots_db::LegacyDbError,
    manager::{EotsManager, SigningError},
    records::{ChainId, NotSafe, SignRecords, Subject},
    takeover::{HistoryReport, MarkError, Reading, Takeover, TakeoverError},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/go").join(name)
}

fn key(first: u8) -> EotsKey {
    let bytes: Vec<u8> = (first..first + 32).collect();
    EotsKey::from_secret_bytes(&bytes.try_into().unwrap()).unwrap()
}

fn subject(first: u8, chain: &str) -> Subject {
    Subject { finality_provider: key(first).public_key(), chain_id: chain.parse().unwrap() }
}

fn vote(height: u64) -> VoteMessage {
    VoteMessage { height: PosHeight::new(height), app_hash: Sha256::digest(format!("app{height}")).into() }
}

fn other_vote(height: u64) -> VoteMessage {
    VoteMessage { app_hash: [9; 32], ..vote(height) }
}

/// An old home and a new data directory.
struct Move {
    directory: tempfile::TempDir,
    chain: Option<ChainId>,
    keyring: PathBuf,
    with_daemon: bool,
    chains: Vec<ChainId>,
}

impl Move {
    fn new(database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(data(database), directory.path().join("eots.db")).unwrap();
        fs::copy(data("finality-provider.db"), directory.path().join("fp.db")).unwrap();
        fs::create_dir(directory.path().join("ours")).unwrap();
        SignRecords::create(&directory.path().join("ours")).unwrap();
        let keyring = data("test-home/keyring-test");
        Self { directory, chain: Some("bbn-1".parse().unwrap()), keyring, with_daemon: false, chains: vec![] }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("eots.db")
    }

    fn kept(&self) -> PathBuf {
        self.directory.path().join("eots.db.taken-over")
    }

    fn read(&self) -> Result<Takeover, TakeoverError> {
        let provider = self.directory.path().join("fp.db");
        Takeover::read(&Reading {
            database: &self.database(),
            keyring: &self.keyring,
            passphrase: b"test",
            provider_database: self.with_daemon.then_some(provider.as_path()),
            chain_of_v0_13: self.chain.as_ref(),
            chains: &self.chains,
        })
    }

    fn records(&self) -> SignRecords {
        SignRecords::open(&self.directory.path().join("ours")).unwrap()
    }

    /// The signer, with one key that somebody said was new.
    fn declared(&self) -> EotsManager {
        let manager = self.manager();
        manager.records().declare_new(&subject(1, "bbn-1")).unwrap();
        manager
    }

    fn manager(&self) -> EotsManager {
        EotsManager::new(self.records(), [key(1), key(2)])
    }
}

fn report<'a>(reports: &'a [HistoryReport], subject: &Subject) -> &'a HistoryReport {
    let is_it = |report: &&HistoryReport| {
        report.public_key == subject.finality_provider.to_string()
            && report.chain_id == subject.chain_id.as_str()
    };
    reports.iter().find(is_it).unwrap()
}

#[test]
fn every_signature_of_the_go_manager_is_reproduced_and_its_heights_are_barred() {
    let old = Move::new("test-home/data/eots.db");
    let takeover = old.read().unwrap();
    let histories = takeover.histories();
    assert_eq!(histories.len(), 3);
    let alice = report(&histories, &subject(1, "bbn-1"));
    assert_eq!((alice.records, alice.reproduced, alice.votes_taken_over), (9, 9, 9));
    assert_eq!((alice.lowest, alice.highest, alice.watermark), (Some(100), Some(108), Some(108)));
    assert_eq!((alice.not_reproduced, alice.unverified, alice.contradicting), (0, 0, 0));
    assert_eq!(report(&histories, &subject(1, "bbn-test-6")).watermark, Some(9));
    assert_eq!(report(&histories, &subject(2, "bbn-1")).reproduced, 1);
    assert_eq!(takeover.keys().map(|(name, _)| name).collect::<Vec<_>>(), ["bob/odd", "alice"]);

    takeover.record(&old.records()).unwrap();
    let manager = old.manager();
    let alice = subject(1, "bbn-1");
    let again = manager.sign_vote(&alice, vote(100)).unwrap();
    // What the Go manager answered over gRPC.
    assert_eq!(
        hex::encode(again.to_bytes()),
        "324853fbc4a74826632bf99a74beddd5b314528f58c99fddca53b67c8d3a2d69"
    );
    let double = manager.sign_vote(&alice, other_vote(100));
    assert!(matches!(double, Err(SigningError::NotSafe(NotSafe::DoubleSign { .. }))));
    for height in [1, 99] {
        let below = manager.sign_vote(&alice, vote(height));
        assert!(matches!(below, Err(SigningError::NotSafe(NotSafe::BelowWatermark { .. }))));
    }
    assert!(manager.sign_vote(&alice, vote(109)).is_ok());
    // A height between two signed ones.
    let gap = manager.sign_vote(&subject(1, "bbn-test-6"), vote(8));
    assert!(matches!(gap, Err(SigningError::NotSafe(NotSafe::BelowWatermark { .. }))));
}

#[test]
fn records_of_the_first_layout_and_randomness_are_taken_over() {
    let old = Move::new("v0_13.db");
    let takeover = old.read().unwrap();
    let histories = takeover.histories();
    let alice = report(&histories, &subject(1, "bbn-1"));
    assert_eq!((alice.records, alice.reproduced, alice.reproduced_with_v0), (3, 0, 3));
    takeover.record(&old.records()).unwrap();
    let records = old.records();
    assert_eq!(records.watermark(&subject(1, "bbn-1")), Some(PosHeight::new(52)));
    assert_eq!(records.vote_at(&subject(1, "bbn-1"), PosHeight::new(51)), Some(vote(51)));

    let unnamed = Move { chain: None, ..Move::new("v0_13.db") };
    assert!(matches!(unnamed.read(), Err(TakeoverError::Database(LegacyDbError::Entry { .. }))));
}

#[test]
fn the_last_height_of_the_vote_daemon_raises_the_bar() {
    let old = Move { with_daemon: true, ..Move::new("test-home/data/eots.db") };
    let takeover = old.read().unwrap();
    assert_eq!(takeover.watermark(&subject(1, "bbn-1")), Some(PosHeight::new(110)));
    assert_eq!(takeover.watermark(&subject(1, "bbn-test-6")), Some(PosHeight::new(9)));
}

#[test]
fn a_signature_that_the_key_does_not_give_is_reported_and_its_height_barred() {
    let old = Move::new("test-home/data/eots.db");
    let mut bytes = fs::read(old.database()).unwrap();
    let good = hex::decode("324853fbc4a74826632bf99a74beddd5b314528f58c99fddca53b67c8d3a2d69").unwrap();
    let places: Vec<usize> = (0..bytes.len() - 32).filter(|at| bytes[*at..at + 32] == good).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at] ^= 1);
    fs::write(old.database(), bytes).unwrap();
    let takeover = old.read().unwrap();
    let histories = takeover.histories();
    let alice = report(&histories, &subject(1, "bbn-1"));
    assert_eq!((alice.reproduced, alice.not_reproduced), (8, 1));
    assert_eq!(alice.not_reproduced_heights, [100]);
    takeover.record(&old.records()).unwrap();
    let refused = old.manager().sign_vote(&subject(1, "bbn-1"), vote(100));
    assert!(matches!(refused, Err(SigningError::NotSafe(NotSafe::BelowWatermark { .. }))));
}

#[test]
fn a_secret_that_is_not_there_is_named_and_its_heights_are_barred() {
    let empty = tempfile::tempdir().unwrap();
    let old = Move { keyring: empty.path().to_owned(), ..Move::new("test-home/data/eots.db") };
    let takeover = old.read().unwrap();
    assert_eq!(takeover.missing().len(), 2);
    assert_eq!(report(&takeover.histories(), &subject(1, "bbn-1")).unverified, 9);
    takeover.record(&old.records()).unwrap();
    assert_eq!(old.records().watermark(&subject(1, "bbn-1")), Some(PosHeight::new(108)));
}

#[test]
fn a_contradiction_with_our_own_records_ends_it_before_anything_is_written() {
    let old = Move::new("test-home/data/eots.db");
    // Ascending, as a signer signs.
    old.declared().sign_vote(&subject(1, "bbn-1"), other_vote(104)).unwrap();
    let takeover = old.read().unwrap();
    match takeover.record(&old.records()) {
        Err(TakeoverError::Conflict { old, ours, .. }) => {
            assert_eq!((old, ours), (vote(104), other_vote(104)));
        }
        other => panic!("{:?}", other.map_err(|error| error.to_string())),
    }
    assert_eq!(old.records().watermark(&subject(2, "bbn-1")), None, "nothing of another key either");
}

#[test]
fn running_it_again_changes_nothing_wherever_it_was_cut_short() {
    let old = Move::new("test-home/data/eots.db");
    let size =
        |old: &Move| fs::metadata(old.directory.path().join("ours/sign-records")).map(|file| file.len());
    let whole = |old: &Move| old.read().unwrap().record(&old.records());
    // The same votes were signed here: no contradiction.
    for height in 100..104 {
        old.declared().sign_vote(&subject(1, "bbn-1"), vote(height)).unwrap();
    }
    whole(&old).unwrap();
    let (histories, length) = (old.read().unwrap().histories(), size(&old).ok());
    whole(&old).unwrap();
    assert_eq!(old.read().unwrap().mark().unwrap(), old.kept());
    whole(&old).unwrap();
    assert_eq!(old.read().unwrap().mark().unwrap(), old.kept());
    assert_eq!((old.read().unwrap().histories(), size(&old).ok()), (histories, length));
    assert_eq!(old.records().watermark(&subject(1, "bbn-1")), Some(PosHeight::new(108)));
}

#[test]
fn a_marked_database_is_kept_whole_and_a_note_takes_its_place() {
    let old = Move::new("test-home/data/eots.db");
    let before = fs::read(old.database()).unwrap();
    old.read().unwrap().mark().unwrap();
    assert_eq!(fs::read(old.kept()).unwrap(), before);
    assert!(fs::read_to_string(old.database()).unwrap().starts_with("This is no database."));
}

#[test]
fn marking_that_was_cut_short_after_any_of_its_steps_is_finished_later() {
    // After the second name was given: one file under both names.
    let old = Move::new("test-home/data/eots.db");
    fs::hard_link(old.database(), old.kept()).unwrap();
    old.read().unwrap().mark().unwrap();
    assert!(fs::read_to_string(old.database()).is_ok());
    // The operator removed the note.
    fs::remove_file(old.database()).unwrap();
    assert_eq!(old.read().unwrap().histories().len(), 3);
    old.read().unwrap().mark().unwrap();
    assert!(fs::read_to_string(old.database()).is_ok());
}

#[test]
fn a_database_that_came_back_after_it_was_taken_over_is_refused() {
    let old = Move::new("test-home/data/eots.db");
    old.read().unwrap().mark().unwrap();
    fs::remove_file(old.database()).unwrap();
    fs::copy(data("v0_13.db"), old.database()).unwrap();
    assert!(matches!(old.read(), Err(TakeoverError::Source(MarkError::CameBack { .. }))));
}

#[test]
fn nothing_is_read_while_the_old_manager_could_have_it_open() {
    let old = Move::new("test-home/data/eots.db");
    let takeover = old.read().unwrap();
    assert!(matches!(old.read(), Err(TakeoverError::Database(LegacyDbError::InUse(_)))));
    drop(takeover);
    assert!(old.read().is_ok());
}
