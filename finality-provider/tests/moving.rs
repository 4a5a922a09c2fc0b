//! A key moves to another host and back, by the commands of the guide; at no moment can two hosts sign a new height.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_daemon::cli::Exit;
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::{EotsManager, SigningError},
    records::{NotSafe, SignRecords, Subject},
};
use btc_staking_finality_provider::{cli::main_with, config::SAMPLE};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, ChainEndpoint, Connector},
    ports::{PosChain, Result, Submitter},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight, keys::AccountAddress};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Moving a key asks no chain.
struct NoChain;

#[async_trait::async_trait]
impl Connector for NoChain {
    async fn connect(&self, _: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        panic!("a chain was asked")
    }
    async fn open_account_with(
        &self,
        _: &ChainEndpoint,
        _: AccountSecret,
        _: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        panic!("a chain was asked")
    }
    fn account_address(&self, _: &ChainEndpoint, _: &AccountSecret) -> Result<AccountAddress> {
        panic!("a chain was asked")
    }
}

fn key() -> EotsKey {
    EotsKey::from_secret_bytes(&[9; 32]).unwrap()
}

fn subject() -> Subject {
    Subject { finality_provider: key().public_key(), chain_id: "bbn-1".parse().unwrap() }
}

struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        let data = host.0.path().join("data").display().to_string();
        std::fs::write(host.0.path().join("config.toml"), SAMPLE.replace("finality-provider-data", &data))
            .unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> ExitCode {
        let config = self.path("config.toml").display().to_string();
        let fixed = ["finality-provider", "--config", &config].map(OsString::from);
        main_with(fixed.into_iter().chain(arguments.iter().map(OsString::from)), Arc::new(NoChain))
    }

    /// Whether a new vote at a height is signed.
    fn signs(&self, height: u64) -> bool {
        let records = SignRecords::open(&self.path("data")).unwrap();
        let manager = EotsManager::new(records, [key()]);
        let vote = VoteMessage { height: PosHeight::new(height), app_hash: [7; 32] };
        match manager.sign_vote(&subject(), vote) {
            Ok(_) => true,
            Err(SigningError::NotSafe(refused)) => {
                assert!(!matches!(refused, NotSafe::DoubleSign { .. }));
                false
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn hand_over(&self, file: &Path) -> ExitCode {
        let key = subject().finality_provider.to_string();
        self.run(&["eots", "hand-over", "--key", &key, "--to", &file.display().to_string()])
    }

    fn take_back(&self, file: &Path, more: &[&str]) -> ExitCode {
        let file = file.display().to_string();
        self.run(&[&["eots", "take-back", "--from", &file], more].concat())
    }

    fn import(&self, file: &Path) -> ExitCode {
        self.run(&["eots", "import", "--from", &file.display().to_string()])
    }
}

fn done() -> ExitCode {
    Exit::Done.into()
}

fn refused() -> ExitCode {
    Exit::Refused.into()
}

#[test]
fn a_key_moves_and_comes_back_and_only_one_host_ever_signs() {
    let (old, new) = (Host::new(), Host::new());
    assert_eq!(old.run(&["init", "--key", &subject().finality_provider.to_string()]), done());
    assert!(old.signs(100));
    let (there, back) = (old.path("there.json"), new.path("back.json"));
    assert_eq!(old.hand_over(&there), done());
    // From here on the old host is harmless, also if it is started by mistake.
    assert!(!old.signs(101) && old.signs(100), "what was signed is signed alike again");
    assert_eq!(new.import(&there), done());
    assert!(!new.signs(99) && new.signs(101));
    // The file the old host wrote itself does not give it the key back.
    assert_eq!(old.take_back(&there, &[]), refused());
    assert!(!old.signs(102));
    assert_eq!(new.hand_over(&back), done());
    assert!(!new.signs(102));
    assert_eq!(old.take_back(&back, &[]), done());
    assert!(old.signs(101) && old.signs(102), "what the other signed is signed alike, and it goes on above");
    assert_eq!(old.take_back(&back, &[]), refused(), "nor does an old one, once it has signed on");
}

#[test]
fn a_key_that_the_other_host_never_used_is_taken_back_when_that_is_said() {
    let old = Host::new();
    assert_eq!(old.run(&["init", "--key", &subject().finality_provider.to_string()]), done());
    assert!(old.signs(100));
    let there = old.path("there.json");
    assert_eq!(old.hand_over(&there), done());
    assert_eq!(old.take_back(&there, &["--signed-nothing"]), done());
    assert!(!old.signs(99) && old.signs(101));
}

#[test]
fn a_key_of_which_nothing_is_known_is_not_handed_over() {
    let old = Host::new();
    assert_eq!(old.run(&["init"]), done());
    let there = old.path("there.json");
    assert_eq!(old.hand_over(&there), refused());
    assert!(!there.exists());
}
