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
/// Set for a child that has rivals: it waits until it can open the records, and compacts them now and then.
const RACE: &str = "EOTS_TEST_RACE";

fn open(directory: &Path) -> Result<(EotsManager, Subject), OpenError> {
    let key = EotsKey::from_secret_bytes(&[7; 32]).unwrap();
    let subject = Subject { finality_provider: key.public_key(), chain_id: "bbn-1".parse().unwrap() };
    Ok((EotsManager::new(SignRecords::open(directory)?, [key]), subject))
}

/// Creates records for the new key.
fn create(directory: &Path) {
    SignRecords::create(directory).unwrap();
    let (manager, subject) = open(directory).unwrap();
    assert!(manager.records().declare_new(&subject).unwrap());
}

/// Not a test of its own: what the killed process runs. Without the variables it does nothing.
#[test]
fn child_that_signs_until_it_is_killed() {
    let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else { return };
    let race = std::env::var(RACE).is_ok();
    let (manager, subject) = loop {
        match open(Path::new(&directory)) {
            Err(OpenError::InUse(_)) if race => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    let highest = manager.records().highest(&subject).map_or(0, PosHeight::to_u64);
    let message = |height| VoteMessage {
        height: PosHeight::new(height),
        app_hash: Sha256::digest(format!("{round}/{height}")).into(),
    };
    for height in (highest.saturating_sub(3).max(1)..).step_by(3) {
        // One alone and two in a batch.
        let alone = manager.sign_vote(&subject, message(height)).ok().map(|signature| (height, signature));
        let batch = manager.sign_batch(&subject, &[message(height + 1), message(height + 2)]).unwrap();
        let batch =
            batch.into_iter().filter_map(|answer| Some((answer.height.to_u64(), answer.result.ok()?)));
        for (height, signature) in alone.into_iter().chain(batch) {
            let app_hash = hex::encode(message(height).app_hash);
            println!("signed {height} {app_hash} {}", hex::encode(signature.to_bytes()));
        }
        if race {
            manager.records().compact().unwrap();
        }
    }
}

fn start_child(directory: &Path, round: &str) -> Child {
    child(directory, round).spawn().unwrap()
}

fn child(directory: &Path, round: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_that_signs_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
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
    let (rounds, seed) = (variable(ROUNDS, 300), variable(SEED, 2_024));
    println!("{SEED}={seed} {ROUNDS}={rounds}");
    let directory = tempfile::tempdir().unwrap();
    create(directory.path());
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
        let again = manager.sign_vote(&subject, message(hex::decode(app_hash).unwrap()));
        // Of a long run the first votes are forgotten, and their heights barred.
        if manager.records().watermark(&subject) < Some(PosHeight::new(height)) {
            assert_eq!(hex::encode(again.unwrap().to_bytes()), signature, "released at {height}");
        } else {
            assert!(again.is_err(), "barred at {height}");
        }
        assert!(manager.sign_vote(&subject, message(vec![0xee; 32])).is_err(), "other block at {height}");
    }
}

#[test]
fn a_second_process_cannot_open_the_records_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path());
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

/// Two processes want the same records all the time. One has them, compacting as it goes, so that the file they race for
/// is another one at every moment; it is killed, and its successor is started at once.
#[test]
fn two_processes_racing_for_the_records_never_sign_two_messages_at_a_height() {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path());
    let mut released = Released { by_height: HashMap::new() };
    let start = |name: String| child(directory.path(), &name).env(RACE, "1").spawn().unwrap();
    let (mut state, mut holder) = (variable(SEED, 2_024), start("first".into()));
    for round in 0..variable(ROUNDS, 300).div_ceil(10) {
        let context = format!("race {round}");
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let mut see = |wanted| {
            let mut seen = 0;
            while seen < wanted {
                let line = lines.next().unwrap_or_else(|| panic!("the holder ended: {context}")).unwrap();
                seen += u64::from(released.take(&line, &context));
            }
        };
        see(1); // it has the records
        let rival = start(context.clone());
        see(1 + next(&mut state) % 12);
        holder.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            released.take(&line, &context);
        }
        holder.wait().unwrap();
        holder = rival;
    }
    holder.kill().unwrap();
    for line in BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok) {
        released.take(&line, "the last");
    }
    holder.wait().unwrap();
    assert!(open(directory.path()).is_ok() && !released.by_height.is_empty());
}
