//! The signer on a disk that is really full or read-only. The same and a broken disk, at every single step, are in the
//! simulation (`src/records/tests/crashes.rs`).

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{OpenError, SignRecords, Subject},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

const DIRECTORY: &str = "EOTS_TEST_DIRECTORY";
const BLOCK: &str = "EOTS_TEST_BLOCK";
/// No disk of these tests holds so many.
const HEIGHTS: u64 = 2_000;

fn open(directory: &Path) -> Result<(EotsManager, Subject), OpenError> {
    let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
    let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
    Ok((EotsManager::new(SignRecords::open(directory)?, [key]), subject))
}

/// Not a test of its own: what signs until the disk does not take a record. Without the variables it does nothing.
#[test]
fn child_that_signs_until_a_record_is_not_durable() {
    let (Ok(directory), Ok(block)) = (std::env::var(DIRECTORY), std::env::var(BLOCK)) else { return };
    let directory = Path::new(&directory);
    if !directory.join("sign-records").exists() {
        SignRecords::create(directory).unwrap();
        let (manager, subject) = open(directory).unwrap();
        assert!(manager.records().declare_new(&subject).unwrap());
    }
    let (manager, subject) = match open(directory) {
        Ok(opened) => opened,
        Err(error) => return println!("closed {error}"),
    };
    let app_hash = [block.parse().unwrap(); 32];
    let sign = |height| manager.sign_vote(&subject, VoteMessage { height: PosHeight::new(height), app_hash });
    for height in 1..=HEIGHTS {
        match sign(height) {
            Ok(signature) => println!("signed {height} {block} {}", hex::encode(signature.to_bytes())),
            Err(error) if error.is_fatal() => {
                println!("stopped {error}");
                // The process has not listened and goes on.
                assert!((1..=HEIGHTS).all(|height| sign(height).is_err()));
                return;
            }
            Err(_double_sign) => {}
        }
    }
}

/// Runs a shell script that starts the child with `sign`.
fn shell(directory: &Path, before: &[&str], script: &str) -> Output {
    let child = "sign() { EOTS_TEST_BLOCK=$1 \"$CHILD\" --exact child_that_signs_until_a_record_is_not_durable \
                 --nocapture 2>&1 || echo \"failed $?\"; }";
    let mut words = before.to_vec();
    let script = format!("{child}\n{script}");
    words.extend(["sh", "-e", "-c", &script]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(DIRECTORY, directory).env("CHILD", std::env::current_exe().unwrap());
    command.output().unwrap()
}

/// What a script's children said, and the check that no two signatures of one height left them.
struct Heard {
    released: BTreeMap<u64, (String, String)>,
    /// Signatures, refusals and failures in their order.
    words: Vec<String>,
    text: String,
}

fn hear(output: &Output) -> Heard {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut released, mut words) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        let kinds = ["signed ", "stopped ", "closed ", "failed "];
        let Some(start) = kinds.iter().find_map(|kind| line.find(kind)) else { continue };
        let parts: Vec<_> = line[start..].split(' ').collect();
        if let ["signed", height, block, signature] = parts[..] {
            let vote = (block.to_owned(), signature.to_owned());
            let before = released.insert(height.parse().unwrap(), vote.clone());
            assert!(before.is_none_or(|before| before == vote), "two signatures at height {height}");
        }
        if words.last().is_none_or(|last| last != parts[0]) {
            words.push(parts[0].to_owned());
        }
    }
    Heard { released, words, text }
}

#[test]
fn a_file_that_may_not_grow_stops_the_signer_and_it_goes_on_where_it_was_once_it_may() {
    let directory = tempfile::tempdir().unwrap();
    // In blocks of 512 bytes or 1,024, and the signal for too large a file is not to kill.
    let script = "(trap '' XFSZ; ulimit -f 40; sign 1); sign 2";
    let output = shell(directory.path(), &[], script);
    let heard = hear(&output);
    assert_eq!(heard.words, ["signed", "stopped", "signed"], "{}", heard.text);
    assert!(
        heard.text.contains("stop this process and mend the disk before starting again"),
        "{}",
        heard.text
    );
    assert_eq!(heard.released.len() as u64, HEIGHTS, "{}", heard.text);
    let firsts = heard.released.values().filter(|(block, _)| block == "1").count();
    assert!((40..200).contains(&firsts), "{firsts} votes in 40 blocks");
}

/// Where mounts of one's own are allowed: `unshare` gives them to every user unless the system forbids it.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-r", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    let may = tried.is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("skipped: no mounts of one's own here");
    }
    may
}

const MOUNT: [&str; 3] = ["unshare", "-r", "-m"];

#[test]
fn a_full_disk_stops_the_signer_and_it_goes_on_where_it_was_once_there_is_room() {
    if !may_mount() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs $EOTS_TEST_DIRECTORY
        head -c 131072 /dev/zero > $EOTS_TEST_DIRECTORY/other
        sign 1
        rm $EOTS_TEST_DIRECTORY/other
        sign 2
        mount -o remount,size=8m $EOTS_TEST_DIRECTORY
        sign 3";
    let heard = hear(&shell(directory.path(), &MOUNT, script));
    assert_eq!(
        heard.words,
        ["signed", "stopped", "signed", "stopped", "signed"],
        "full, full again, room: {}",
        heard.text
    );
    assert!(
        heard.text.contains("stop this process and mend the disk before starting again"),
        "{}",
        heard.text
    );
    assert_eq!(heard.released.len() as u64, HEIGHTS, "{}", heard.text);
    let blocks: Vec<_> = heard.released.values().map(|(block, _)| block.as_str()).collect();
    assert!(blocks.is_sorted() && blocks.contains(&"2"), "each went on where the one before was stopped");
}

#[test]
fn records_on_a_disk_that_was_made_read_only_are_not_opened() {
    if !may_mount() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs tmpfs $EOTS_TEST_DIRECTORY
        sign 1
        mount -o remount,ro $EOTS_TEST_DIRECTORY
        sign 2
        mount -o remount,rw $EOTS_TEST_DIRECTORY
        sign 1";
    let heard = hear(&shell(directory.path(), &MOUNT, script));
    assert_eq!(heard.words, ["signed", "closed", "signed"], "{}", heard.text);
    assert!(heard.text.contains("cannot be opened"), "{}", heard.text);
    assert!(heard.released.values().all(|(block, _)| block == "1"));
}
