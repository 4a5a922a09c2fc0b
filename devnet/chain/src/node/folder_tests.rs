//! What a data folder may be: ours, whole, and of this version; or torn at its end, which is what a power cut leaves.

use super::{SCHEMA, StartError};
use crate::{
    app::Founding,
    driver::Driver,
    error::Broken,
    genesis::{Genesis, presets::default_committee},
    node::LIMITS,
    state::disk::DiskBackend,
};
use btc_staking_store::{OpenError, Schema, Store};
use std::{fs, path::Path};

fn genesis() -> Genesis {
    Genesis::fast("chain-test", default_committee(), vec![]).unwrap()
}

fn refused(path: &Path, genesis: &Genesis) -> StartError {
    match Driver::open(path, genesis) {
        Ok(driver) => panic!("{} was opened at {}", path.display(), driver.height()),
        Err(refused) => refused,
    }
}

#[test]
fn folders_of_others_and_of_other_versions_are_refused_by_their_kind() {
    let dir = tempfile::tempdir().unwrap();
    let (foreign, newer, file) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    drop(Store::open(&foreign, Schema::new("slasher", 1)).unwrap());
    drop(Store::open(&newer, Schema::new(SCHEMA.name, SCHEMA.version + 1)).unwrap());
    fs::write(&file, "no folder").unwrap();
    let open = |path: &Path| match refused(path, &genesis()) {
        StartError::Open(error) => error,
        other => panic!("{other}"),
    };
    assert!(matches!(open(&foreign), OpenError::ForeignSchema { .. }));
    assert!(matches!(open(&newer), OpenError::SchemaVersion { .. }));
    assert!(matches!(open(&file), OpenError::Io { .. }));
}

#[test]
fn another_genesis_and_an_unfinished_state_are_refused_by_their_kind() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, half) = (dir.path().join("a"), dir.path().join("b"));
    drop(Driver::open(&ours, &genesis()).unwrap());
    let other = Genesis { epoch_interval: 7, ..genesis() };
    assert!(matches!(refused(&ours, &other), StartError::State(Broken::OtherGenesis)));
    let store = Store::open_with(&half, SCHEMA, LIMITS).unwrap();
    let mut founding = Founding::new(Box::new(DiskBackend::new(store).unwrap()), &genesis()).unwrap();
    founding.part(|state| crate::app::block::init(state, &genesis())).unwrap();
    drop(founding);
    assert!(matches!(refused(&half, &genesis()), StartError::State(Broken::Unfinished)));
}

#[test]
fn a_file_torn_at_its_end_opens_at_a_height_it_had_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let mut driver = Driver::open(&whole, &genesis()).unwrap();
    let mut hashes = vec![driver.app_hash()];
    for _ in 0..12 {
        let block = driver.execute(vec![]).unwrap();
        driver.commit(block).unwrap();
        hashes.push(driver.app_hash());
    }
    drop(driver);
    let length = fs::metadata(whole.join("sled/db")).unwrap().len();
    let mut opened = 0;
    for torn in [1, 7, 100, 1_000, 4_096, 10_000, 50_000] {
        let copy = dir.path().join(format!("torn-{torn}"));
        btc_staking_store::testing::copy_directory(&whole, &copy).unwrap();
        let file = fs::OpenOptions::new().write(true).open(copy.join("sled/db")).unwrap();
        file.set_len(length.saturating_sub(torn)).unwrap();
        drop(file);
        // A snapshot describes the whole file; a power cut that tears the one leaves no newer other.
        for entry in fs::read_dir(copy.join("sled")).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("snap.") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        if let Ok(mut again) = Driver::open(&copy, &genesis()) {
            opened += 1;
            let mut height = usize::try_from(again.height()).unwrap();
            assert_eq!(again.app_hash(), hashes[height], "{torn} bytes torn, height {height}");
            while height < 12 {
                let block = again.execute(vec![]).unwrap();
                again.commit(block).unwrap();
                height += 1;
                assert_eq!(again.app_hash(), hashes[height], "{torn} bytes torn, then height {height}");
            }
        }
    }
    assert!(opened > 0, "a tear within the unused end of the file loses nothing");
}
