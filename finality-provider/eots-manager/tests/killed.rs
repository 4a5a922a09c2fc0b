//! The signer killed at random instants, by a parent that saw every signature it released.
//!
//! The child signs height after height, each time for a block of its own invention, and prints what it signed. The
//! parent kills it with SIGKILL and starts it again, and it invents other blocks for the heights around the end. No
//! two signatures for one height may ever have come out.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{OpenError, SignRecords, Subject},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const DIRECTORY: &str = "EOTS_TEST_DIRECTORY";
const ROUND: &str = "EOTS_TEST_ROUND";
const ROUNDS: &str = "EOTS_TEST_ROUNDS";
const SEED: &str = "EOTS_TEST_SEED";

fn open(directory: &Path) -> Result<(EotsManager, Subject), OpenError> {
    let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
    let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
    Ok((EotsManager::new(SignRecords::open(directory)?, [key]), subject))
}

/// Not a test of its own: what the killed process runs. Without the variables it does nothing.
#[test]
fn child_that_signs_until_it_is_killed() {
    let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else { return };
    let (manager, subject) = open(Path::new(&directory)).unwrap();
    let highest = manager.records().highest(&subject).map_or(0, PosHeight::to_u64);
    for height in highest.saturating_sub(3).max(1).. {
        let app_hash = Sha256::digest(format!("{round}/{height}")).into();
        let message = VoteMessage { height: PosHeight::new(height), app_hash };
        if let Ok(signature) = manager.sign_vote(&subject, message) {
            println!("signed {height} {} {}", hex::encode(app_hash), hex::encode(signature.to_bytes()));
        }
    }
}

fn start_child(directory: &Path, round: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_signs_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

struct Released {
    by_height: HashMap<u64, (String, String)>,
}

impl Released {
    /// Takes in one line of output; a line cut by the kill is no released signature.
    fn take(&mut self, line: &str, context: &str) -> bool {
        let mut words = line.split(' ').skip_while(|word| !word.ends_with("signed")).skip(1);
        let (Some(height), Some(app_hash), Some(signature)) = (words.next(), words.next(), words.next())
        else {
            return false;
        };
        let vote = (app_hash.to_owned(), signature.to_owned());
        let before = self.by_height.insert(height.parse().unwrap(), vote.clone());
        assert!(before.is_none_or(|before| before == vote), "two signatures at height {height}: {context}");
        true
    }
}

/// SplitMix64, so that a failing run can be repeated from its printed seed as far as the scheduler allows.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run_and_kill(directory: &Path, released: &mut Released, state: &mut u64, context: &str) {
    let mut child = start_child(directory, context);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wanted = next(state) % 12;
    let mut seen = 0;
    while seen < wanted {
        let line = lines.next().unwrap_or_else(|| panic!("child ended by itself: {context}")).unwrap();
        seen += u64::from(released.take(&line, context));
    }
    let instant = Instant::now() + Duration::from_micros(next(state) % 600);
    while Instant::now() < instant {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    for line in lines.map_while(Result::ok) {
        released.take(&line, context);
    }
    child.wait().unwrap();
}

#[test]
fn a_signer_killed_at_random_instants_never_signs_two_messages_at_a_height() {
    let (rounds, seed) = (variable(ROUNDS, 60), variable(SEED, 2_024));
    println!("{SEED}={seed} {ROUNDS}={rounds}");
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let mut released = Released { by_height: HashMap::new() };
    let mut state = seed;
    for round in 0..rounds {
        run_and_kill(directory.path(), &mut released, &mut state, &format!("seed {seed} round {round}"));
    }
    let (manager, subject) = open(directory.path()).unwrap();
    assert!(!released.by_height.is_empty());
    for (height, (app_hash, signature)) in released.by_height {
        let message = |app_hash: Vec<u8>| VoteMessage {
            height: PosHeight::new(height),
            app_hash: app_hash.try_into().unwrap(),
        };
        let again = manager.sign_vote(&subject, message(hex::decode(app_hash).unwrap())).unwrap();
        assert_eq!(hex::encode(again.to_bytes()), signature, "released at {height}");
        assert!(manager.sign_vote(&subject, message(vec![0xee; 32])).is_err(), "other block at {height}");
    }
}

#[test]
fn a_second_process_cannot_open_the_records_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let mut child = start_child(directory.path(), "holder");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut released = Released { by_height: HashMap::new() };
    while !released.take(&lines.next().unwrap().unwrap(), "holder") {}
    let refused = open(directory.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(refused, Err(OpenError::InUse(_))));
    assert!(open(directory.path()).is_ok());
}
