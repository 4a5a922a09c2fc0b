//! Kills at every point of every commit: what was acknowledged is there, what was not is absent or whole.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_store::{
    Schema, Store, StoreError, Table,
    testing::{self, Cut},
};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

const SCHEMA: Schema = Schema::new("crash-test", 1);
const CHILD_STORE: &str = "BTC_STAKING_STORE_CRASH_TEST_CHILD";

/// Two tables that a commit always changes together; the second value is long enough to be cut into pieces.
struct Pair {
    store: Store,
    count: Table<(), u64>,
    ledger: Table<u64, String>,
}

impl Pair {
    fn new(store: Store) -> Self {
        let (count, ledger) = (store.table("count").unwrap(), store.table("ledger").unwrap());
        Self { store, count, ledger }
    }

    fn open(path: &Path) -> Self {
        Self::new(Store::open(path, SCHEMA).unwrap())
    }

    /// One commit: the next number in one table, its entry in the other, an old entry removed.
    fn step(&self) -> Result<u64, StoreError> {
        self.store.commit(|batch| {
            let next = batch.get(&self.count, &())?.unwrap_or(0) + 1;
            batch.put(&self.count, &(), &next)?;
            batch.put(&self.ledger, &next, &entry(next))?;
            batch.delete(&self.ledger, &next.saturating_sub(10))?;
            Ok(next)
        })
    }

    /// The number of commits that are there, all of them whole.
    fn check(&self) -> u64 {
        let count = self.count.get(&()).unwrap().unwrap_or(0);
        let entries: Vec<(u64, String)> = self.ledger.iter().map(Result::unwrap).collect();
        let expected: Vec<(u64, String)> =
            (count.saturating_sub(9).max(1)..=count).map(|number| (number, entry(number))).collect();
        assert_eq!(entries, expected, "both tables show the same {count} commits");
        count
    }
}

fn entry(number: u64) -> String {
    let length = usize::try_from(number * 977 % 20_000).unwrap();
    format!("{number}:{}", "x".repeat(length))
}

#[test]
fn a_failed_commit_shows_nothing_and_stops_the_store() {
    for cut in Cut::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let image = dir.path().join("image");
        let pair = Pair::new(testing::open_crashing(&path, SCHEMA, 3, cut).unwrap());
        assert_eq!((pair.step().unwrap(), pair.step().unwrap()), (1, 2));
        let error = pair.step().unwrap_err();
        assert!(matches!(error, StoreError::Crash) && error.must_stop());
        assert!(matches!(pair.count.get(&()), Err(StoreError::Stopped { .. })), "{cut:?}");
        assert!(matches!(pair.ledger.last(), Err(StoreError::Stopped { .. })), "{cut:?}");
        assert!(matches!(pair.step(), Err(StoreError::Stopped { .. })), "{cut:?}");

        testing::copy_directory(&path, &image).unwrap();
        let found = Pair::open(&image).check();
        match cut {
            Cut::BeforeApply => assert_eq!(found, 2),
            Cut::BeforeSync => assert!(found == 2 || found == 3, "{found}"),
            Cut::AfterSync => assert_eq!(found, 3),
        }
    }
}

#[test]
fn every_image_of_every_commit_opens_with_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (store, images) = testing::open_recorded(&path, SCHEMA, &dir.path().join("images")).unwrap();
    let pair = Pair::new(store);
    for number in 1..=25 {
        assert_eq!(pair.step().unwrap(), number);
    }
    for number in 1..=25 {
        for cut in Cut::ALL {
            let reopened = Pair::open(&images.path(number, cut));
            let found = reopened.check();
            match cut {
                Cut::BeforeApply => assert_eq!(found, number - 1),
                Cut::BeforeSync => assert!(found == number - 1 || found == number, "{found} of {number}"),
                Cut::AfterSync => assert_eq!(found, number),
            }
            assert_eq!(reopened.step().unwrap(), found + 1, "it goes on from there");
        }
    }
}

/// The child: commits without end and says so after each one. Does nothing when run as a test.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(path) = env::var_os(CHILD_STORE) else { return };
    let pair = Pair::open(Path::new(&path));
    let mut out = std::io::stdout().lock();
    loop {
        let number = pair.step().unwrap();
        // To the raw descriptor in one write, so that the parent never reads half a line as a number.
        out.write_all(format!("\ndone {number} .\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

fn start_child(path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_that_commits_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD_STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_loses_no_commit_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut acknowledged = 0;
    for round in 0..30u64 {
        let mut child = start_child(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Reads a varying number of acknowledgements, so that the kill lands anywhere in the work that follows.
        let target = acknowledged + 1 + round * 7 % 23;
        while acknowledged < target {
            acknowledged = number_in(&lines.next().expect("the child runs").unwrap()).unwrap_or(acknowledged);
        }
        for _ in 0..round * 1_299_721 % 40_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap(); // SIGKILL
        for line in lines.map_while(Result::ok) {
            acknowledged = number_in(&line).unwrap_or(acknowledged);
        }
        child.wait().unwrap();
        let found = Pair::open(&path).check();
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "round {round}: {acknowledged} acknowledged, {found} found"
        );
        acknowledged = found;
    }
}

fn number_in(line: &str) -> Option<u64> {
    line.strip_prefix("done ")?.strip_suffix(" .")?.parse().ok()
}
