//! The program's start, with a node that is not up yet.

use async_trait::async_trait;
use btc_staking_covenant::{cli::main_with, config::SAMPLE};
use btc_staking_daemon::cli::Exit;
use btc_staking_pos_chain::{
    ChainError, ErrorKind, Outbox, PosChain, Result, Submitter,
    connect::{AccountSecret, ChainEndpoint, Connector},
};
use btc_staking_protocol::keys::AccountAddress;
use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Is silent twice, then answers for another chain.
#[derive(Default)]
struct Late(AtomicU32);

#[async_trait]
impl Connector for Late {
    async fn connect(&self, _: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        let kind =
            if self.0.fetch_add(1, Ordering::Relaxed) < 2 { ErrorKind::Transient } else { ErrorKind::Broken };
        Err(ChainError::new(kind, "no node, then a wrong one"))
    }

    async fn open_account_with(
        &self,
        _: &ChainEndpoint,
        _: AccountSecret,
        _: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        panic!("nobody is connected")
    }

    fn account_address(&self, endpoint: &ChainEndpoint, _: &AccountSecret) -> Result<AccountAddress> {
        Ok(AccountAddress::from_bytes(&endpoint.account_prefix, &[1; 20]).unwrap())
    }
}

#[test]
fn a_node_that_does_not_answer_is_waited_for_and_a_wrong_one_ends_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (config, words) = (dir.path().join("covenant.toml"), dir.path().join("words"));
    let folder = dir.path().display().to_string();
    std::fs::write(&config, SAMPLE.replace("= \"covenant-", &format!("= \"{folder}/covenant-"))).unwrap();
    std::fs::write(&words, "correct horse battery staple\n").unwrap();
    let connector = Arc::new(Late::default());
    let run = |words_of_command: &[&str]| {
        let passphrase = format!("file:{}", words.display());
        let options = ["covenant", "--config", config.to_str().unwrap(), "--passphrase", &passphrase];
        let args = options.iter().chain(words_of_command).map(OsString::from);
        main_with(args, Arc::clone(&connector) as Arc<dyn Connector>)
    };
    for which in ["member", "account"] {
        assert_eq!(run(&["keys", "create", "--which", which]), Exit::Done.into());
    }
    assert_eq!(run(&["start"]), Exit::Unreachable.into());
    assert_eq!(connector.0.load(Ordering::Relaxed), 3);
}
