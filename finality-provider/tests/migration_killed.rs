//! `eots migrate` killed with SIGKILL at any of its steps, and run again.
//!
//! After every kill: the old daemon and the new one cannot both start, and a key has its whole history or none, with which
//! nothing is signed. The same command run again ends as if it had never been killed.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_eots_manager::{
    keyfiles::peek_key,
    records::{OpenError, SignRecords, Subject},
};
use btc_staking_finality_provider::config::SAMPLE;
use btc_staking_protocol::height::PosHeight;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The keys of the home below.
const ALICE: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";
const BOB: &str = "460a7b966efffb36946f6dc3c17ff73ad789fc1c2df43c1258039ca2f9a1e3e6";

/// What a kill waits for.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    /// Nothing: it comes at any time from the start on.
    Start,
    Records,
    Summary,
    Kept,
    Note,
    FirstKey,
    SecondKey,
}

impl Trigger {
    const ALL: [Self; 7] =
        [Self::Start, Self::Records, Self::Summary, Self::Kept, Self::Note, Self::FirstKey, Self::SecondKey];

    fn has_come(self, home: &Home) -> bool {
        match self {
            Self::Start => true,
            Self::Records => home.path("data/sign-records").exists(),
            Self::Summary => fs::metadata(home.path("data/sign-records")).is_ok_and(|file| file.len() > 1024),
            Self::Kept => home.path("eotsd/data/eots.db.taken-over").exists(),
            Self::Note => !home.old_can_start(),
            Self::FirstKey => home.path("eots-0.key").exists(),
            Self::SecondKey => home.path("eots-1.key").exists(),
        }
    }

    /// Longest wait after that, in microseconds: reading the old data and sealing take far longer than the rest.
    fn window(self) -> u64 {
        match self {
            Self::Start | Self::FirstKey => 400_000,
            Self::Records | Self::Summary | Self::Kept | Self::Note | Self::SecondKey => 2_000,
        }
    }
}

struct Home(tempfile::TempDir);

impl Home {
    /// An old home as the Go programs wrote it, and a configuration with room for its two keys.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| home.path(name).display().to_string();
        let keys = format!("{:?}, {:?}", path("eots-0.key"), path("eots-1.key"));
        let config = SAMPLE
            .replace("finality-provider-data", &path("data"))
            .replace("\"finality-provider-eots.key\"", &keys)
            .replace("finality-provider-account.key", &path("account.key"));
        fs::write(home.path("config.toml"), config).unwrap();
        fs::write(home.path("words"), "battery staple\n").unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("eots-manager/tests/data/go/test-home");
        for folder in ["data", "keyring-test"] {
            let to = home.path("eotsd").join(folder);
            fs::create_dir_all(&to).unwrap();
            for file in fs::read_dir(from.join(folder)).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn migrate(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_finality-provider"));
        let words = format!("file:{}", self.path("words").display());
        command.arg("--config").arg(self.path("config.toml")).args(["--passphrase", &words, "--json"]);
        command.args(["eots", "migrate", "--from"]).arg(self.path("eotsd"));
        command
    }

    fn report(&self) -> Value {
        let output = self.migrate().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Whether a bbolt file lies where the old manager looks for it; it opens nothing else.
    fn old_can_start(&self) -> bool {
        match fs::read(self.path("eotsd/data/eots.db")) {
            Ok(bytes) => bytes.get(16..20) == Some(&0xed0c_daed_u32.to_le_bytes()),
            // It would make an empty one.
            Err(_) => true,
        }
    }

    fn new_can_sign(&self) -> bool {
        ["eots-0.key", "eots-1.key"].iter().any(|file| peek_key(&self.path(file)).is_ok())
    }

    fn check_after_kill(&self, context: &str) {
        assert!(!(self.old_can_start() && self.new_can_sign()), "both could start: {context}");
        let records = match SignRecords::open(&self.path("data")) {
            Ok(records) => records,
            Err(OpenError::Missing(_)) => return assert!(!self.new_can_sign(), "{context}"),
            Err(error) => panic!("{error}: {context}"),
        };
        for (key, chain, highest, votes) in
            [(ALICE, "bbn-1", 108, 9), (ALICE, "bbn-test-6", 9, 2), (BOB, "bbn-1", 101, 1)]
        {
            let subject =
                Subject { finality_provider: key.parse().unwrap(), chain_id: chain.parse().unwrap() };
            if records.has_history(&subject) {
                assert_eq!(records.watermark(&subject), Some(PosHeight::new(highest)), "{context}");
                assert_eq!(records.votes(&subject).len(), votes, "{context}");
            } else {
                assert!(!self.new_can_sign(), "a key without its history: {context}");
                assert!(self.old_can_start(), "taken over without its history: {context}");
            }
        }
    }
}

/// SplitMix64.
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

/// Starts the migration and kills it; false when it was done before.
fn kill(home: &Home, trigger: Trigger, pause: Duration) -> bool {
    let mut child = home.migrate().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = |fact: &mut dyn FnMut() -> bool| while !fact() {};
    until(&mut || trigger.has_come(home) || child.try_wait().unwrap().is_some());
    let instant = Instant::now() + pause;
    until(&mut || Instant::now() >= instant);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn a_migration_killed_at_any_step_leaves_one_daemon_that_can_start_and_is_finished_by_the_same_command() {
    let (rounds, seed) = (variable("MIGRATION_TEST_ROUNDS", 7), variable("MIGRATION_TEST_SEED", 2_024));
    println!("MIGRATION_TEST_ROUNDS={rounds} MIGRATION_TEST_SEED={seed}");
    let (mut state, mut killed) = (seed, 0);
    let whole = Home::new().report();
    for (round, trigger) in (0..rounds).zip(Trigger::ALL.into_iter().cycle()) {
        let home = Home::new();
        // Killed again and again before it is let through.
        for attempt in 0..3 {
            let pause = Duration::from_micros(next(&mut state) % trigger.window());
            let context = format!("seed {seed} round {round} attempt {attempt} {trigger:?} {pause:?}");
            killed += u64::from(kill(&home, trigger, pause));
            home.check_after_kill(&context);
        }
        let report = home.report();
        assert_eq!(report["histories"], whole["histories"], "round {round}");
        assert_eq!(report["keys"].as_array().unwrap().len(), 2);
        home.check_after_kill("the end");
        assert!(home.new_can_sign() && !home.old_can_start());
    }
    println!("{killed} kills");
    assert!(killed * 2 > rounds, "{killed} kills in {rounds} rounds");
}
