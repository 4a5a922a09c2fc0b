//! The program as an operator meets it: its commands one after the other, over the scripted chain.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use async_trait::async_trait;
use btc_staking_daemon::{cli::Exit, http::fetch_json};
use btc_staking_eots_manager::keys::EotsKey;
use btc_staking_finality_provider::{
    cli::main_with,
    config::SAMPLE,
    control::{Action, Client, Errand, socket_path},
    records::Records,
};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, ChainEndpoint, Connector},
    double::{ChainState, ScriptedChain},
    ports::{ChainError, ErrorKind, PosChain, Result, Submitter},
};
use btc_staking_protocol::{
    height::{Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use std::{
    ffi::OsString,
    io::Write,
    net::{SocketAddr, TcpListener},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const DIRECTORY: &str = "FP_TEST_DIRECTORY";
const CHAIN: &str = "bbn-1";
/// Of the bytes 01 to 20 (`finality-provider.md` 5.1).
const KEY: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";
const SECRET: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";

/// Stands where an adapter would: knows one chain, cannot reach any whose id begins with `dead`, and finds others to be
/// not what was configured.
struct Double(ScriptedChain);

#[async_trait]
impl Connector for Double {
    async fn connect(&self, endpoint: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        match endpoint.id.as_str() {
            CHAIN => Ok(Arc::new(self.0.clone())),
            id if id.starts_with("dead") => Err(ChainError::new(ErrorKind::Transient, "connection refused")),
            id => Err(ChainError::new(ErrorKind::Broken, format!("the node is on bbn-1, not on {id}"))),
        }
    }
    async fn open_account_with(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
        _: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        Ok(Arc::new(self.0.submitter(self.account_address(endpoint, &secret)?)))
    }
    fn account_address(&self, endpoint: &ChainEndpoint, secret: &AccountSecret) -> Result<AccountAddress> {
        Ok(AccountAddress::from_bytes(&endpoint.account_prefix, &secret.0[..20]).unwrap())
    }
}

fn scripted() -> ScriptedChain {
    let mut state = ChainState::new(CHAIN);
    state.last_finalised_epoch = Epoch::new(1);
    ScriptedChain::new(state)
}

struct Operator {
    directory: PathBuf,
    chain: ScriptedChain,
}

impl Operator {
    /// Writes a configuration, a passphrase and the secrets to import below a directory.
    fn new(directory: &Path, listen: SocketAddr) -> Self {
        let path = |name: &str| directory.join(name).display().to_string();
        let config = SAMPLE
            .replace("finality-provider-data", &path("data"))
            .replace("\"finality-provider-eots.key\"", &format!("\"{}\"", path("eots.key")))
            .replace("\"finality-provider-account.key\"", &format!("\"{}\"", path("account.key")))
            .replace("127.0.0.1:2112", &listen.to_string())
            .replace("poll_interval_ms = 1000", "poll_interval_ms = 10")
            .replace("count = 50000", "count = 500")
            .replace("lead = \"auto\"", "lead = 400");
        std::fs::write(directory.join("config.toml"), config).unwrap();
        std::fs::write(directory.join("words"), "correct horse\n").unwrap();
        std::fs::write(directory.join("secret"), SECRET).unwrap();
        let phrase =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
        std::fs::write(directory.join("phrase"), phrase).unwrap();
        Self { directory: directory.to_owned(), chain: scripted() }
    }

    /// Adds a chain nobody answers for and one that is not what it should be, before and after the one that lives.
    fn with_bad_chains(&self) {
        let config = self.directory.join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let table = |id: &str| format!("[[chain]]\nid = \"{id}\"\nrpc = \"http://127.0.0.1:1\"\n\n");
        let text = text
            .replace("\n[chain]\n", &format!("\n{}[[chain]]\n", table("dead-1")))
            .replace("[randomness]", &format!("{}[randomness]", table("other-1")));
        std::fs::write(&config, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> ExitCode {
        let words = self.directory.join("words");
        self.run_with(&format!("file:{}", words.display()), arguments)
    }

    fn run_with(&self, passphrase: &str, arguments: &[&str]) -> ExitCode {
        let fixed = [
            "finality-provider".to_owned(),
            "--config".to_owned(),
            self.directory.join("config.toml").display().to_string(),
            "--passphrase".to_owned(),
            passphrase.to_owned(),
        ];
        let given =
            arguments.iter().map(|argument| argument.replace("DIR", &self.directory.display().to_string()));
        main_with(fixed.into_iter().chain(given).map(OsString::from), Arc::new(Double(self.chain.clone())))
    }

    fn done(&self, arguments: &[&str]) {
        assert_eq!(self.run(arguments), Exit::Done.into(), "{arguments:?}");
    }

    fn import_keys(&self) {
        self.done(&["keys", "import", "--which", "eots", "--from", "DIR/secret"]);
        self.done(&["keys", "import", "--which", "account", "--from", "DIR/phrase"]);
    }
}

#[test]
fn a_passphrase_from_a_pipe_opens_every_file_a_command_needs() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new(directory.path(), anywhere());
    operator.done(&["init"]);
    operator.import_keys();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"correct horse\n").unwrap();
    drop(writer);
    // Registering opens the voting key and the account's; from a pipe each byte comes once.
    let passphrase = format!("fd:{}", reader.as_raw_fd());
    assert_eq!(operator.run_with(&passphrase, &["register", "--moniker", "piped"]), Exit::Done.into());
}

fn key() -> FinalityProviderPublicKey {
    KEY.parse().unwrap()
}

fn anywhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn keys_are_made_and_imported_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new(directory.path(), anywhere());
    operator.import_keys();
    for which in ["eots", "account"] {
        let again = operator.run(&["keys", "import", "--which", which, "--from", "DIR/secret"]);
        assert_eq!(again, Exit::Refused.into());
        let file = format!("DIR/{which}.new");
        let create = ["--json", "keys", "create", "--which", which, "--file", &file];
        assert_eq!(operator.run(&create), Exit::Usage.into(), "the words would be shown to nobody");
        let create = ["--json", "keys", "create", "--show-phrase", "--which", which, "--file", &file];
        operator.done(&create);
        let onto = operator.run(&create);
        assert_eq!(onto, Exit::Refused.into());
    }
    operator.done(&["keys", "list"]);
    operator.done(&["--json", "keys", "address"]);
    std::fs::write(directory.path().join("secret"), "not a secret").unwrap();
    let refused =
        operator.run(&["keys", "import", "--which", "eots", "--from", "DIR/secret", "--file", "DIR/x"]);
    assert_eq!(refused, Exit::Usage.into());
    assert!(!directory.path().join("x").exists());
}

#[test]
fn a_provider_is_registered_once_with_a_proof_that_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new(directory.path(), anywhere());
    operator.import_keys();
    operator.done(&["register", "--moniker", "test", "--commission-rate", "0.07"]);
    operator.done(&["register", "--moniker", "test"]);
    let sent = operator.chain.submitted();
    assert_eq!(sent.len(), 1, "an existing registration is left alone");
    let btc_staking_pos_chain::ChainMessage::CreateFinalityProvider(registration) = &sent[0].message else {
        panic!("{sent:?}")
    };
    assert_eq!(registration.finality_provider, key());
    registration.possession.verify(key().x_only(), &sent[0].account).unwrap();
    assert_eq!(registration.commission.rate, "0.07".parse().unwrap());
    operator.chain.update(|state| state.finality_providers.get_mut(&key()).unwrap().jailed = true);
    operator.done(&["ufp", KEY]);
    assert!(!operator.chain.update(|state| state.finality_providers[&key()].jailed));
    assert_eq!(operator.run(&["unjail", "--key", &KEY.replace("84bf", "84be")]), Exit::Usage.into());
}

#[test]
fn what_cannot_be_done_ends_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let operator = Operator::new(directory.path(), anywhere());
    assert_eq!(operator.run(&["no-such-command"]), Exit::Usage.into());
    for unsafe_one in [
        ["unsafe-afs", KEY, "7", "--check-double-sign=false"],
        ["unsafe-cpr", KEY, "900", "--home=x"],
        ["bkp", "--db-path", "x", "--backup-dir=y"],
    ] {
        assert_eq!(operator.run(&unsafe_one), Exit::Refused.into(), "{unsafe_one:?}");
    }
    operator.done(&["rrp", KEY, "--start-height", "1"]);
    assert_eq!(operator.run(&["status"]), Exit::Unreachable.into());
    assert_eq!(operator.run(&["register", "--moniker", "no keys yet"]), Exit::Usage.into());
    operator.done(&["init"]);
    assert_eq!(operator.run(&["init"]), Exit::Refused.into(), "sign records are never replaced");
    operator.done(&["init", "--key", KEY]);
    operator.done(&["--json", "init", "--key", KEY]);
    operator.done(&["config"]);
    let config = directory.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[voting]", "[voting]\nbatches = 7")).unwrap();
    assert_eq!(operator.run(&["keys", "list"]), Exit::Usage.into(), "unknown keys are refused");
}

/// Not a test of its own: the daemon that the test below starts, over a chain that makes a block every few
/// milliseconds. Without the variable it does nothing.
#[test]
fn child_that_votes_until_it_is_stopped() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let listen = std::fs::read_to_string(Path::new(&directory).join("listen")).unwrap();
    let operator = Operator::new(Path::new(&directory), listen.parse().unwrap());
    if Path::new(&directory).join("bad-chains").exists() {
        operator.with_bad_chains();
    }
    let is_new = Path::new(&directory).join("not-registered").exists();
    if !is_new {
        operator.done(&["--chain", CHAIN, "register", "--moniker", "test"]);
    }
    let chain = operator.chain.clone();
    std::thread::spawn(move || {
        for height in 2.. {
            std::thread::sleep(Duration::from_millis(5)); // the pace of blocks, not a wait for a fact
            chain.update(|state| {
                state.push_block(PosHeight::new(height), [7; 32]);
                state.set_power(PosHeight::new(height), key(), 5);
            });
        }
    });
    operator.done(&["start"]);
}

fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_votes_until_it_is_stopped", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A running daemon that does not outlive its test.
struct Daemon(Child);

impl Daemon {
    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success(), "SIGTERM drains and ends well");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the running daemon's page satisfies a fact, with a deadline.
fn until(listen: SocketAddr, path: &str, fact: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = fetch_json(listen, path);
        match answer {
            Ok(page) if fact(&page) => return page,
            last => assert!(Instant::now() < deadline, "{last:?}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn the_daemon_votes_tells_what_it_does_keeps_a_second_one_out_and_stops_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let listen = anywhere();
    std::fs::write(directory.path().join("listen"), listen.to_string()).unwrap();
    let operator = Operator::new(directory.path(), listen);
    operator.import_keys();
    operator.done(&["init", "--key", KEY]);
    let mut daemon = Daemon(start_child(directory.path()));
    let page = until(listen, "/status", |page| page["providers"][0]["last_voted_height"].as_u64() > Some(20));
    assert_eq!(page["providers"][0]["finality_provider"], KEY);
    until(listen, "/healthz", |page| page["alive"] == true);
    until(listen, "/readyz", |page| page["ready"] == true);
    operator.done(&["status"]);
    operator.done(&["--json", "status"]);
    assert_eq!(operator.run(&["start"]), Exit::Locked.into(), "one daemon per data directory");
    assert!(fetch_json(listen, "/status").is_ok(), "the first one does not mind");
    daemon.stop();
    // Started again, it goes on where it was.
    let mut daemon = Daemon(start_child(directory.path()));
    until(listen, "/status", |page| page["providers"][0]["chain_height"].as_u64() > Some(5));
    daemon.stop();
}

#[test]
fn a_chain_that_is_dead_and_one_that_is_another_do_not_hold_up_the_third() {
    let directory = tempfile::tempdir().unwrap();
    let listen = anywhere();
    std::fs::write(directory.path().join("listen"), listen.to_string()).unwrap();
    std::fs::write(directory.path().join("bad-chains"), "").unwrap();
    let operator = Operator::new(directory.path(), listen);
    operator.import_keys();
    operator.done(&["init", "--key", KEY, "--chain", CHAIN]);
    let mut daemon = Daemon(start_child(directory.path()));
    // By key and then by chain id: bbn-1, dead-1, other-1.
    let page = until(listen, "/status", |page| {
        page["providers"][0]["last_voted_height"].as_u64() > Some(20)
            && page["providers"][1]["reason_code"] == "unreachable"
            && page["providers"][2]["reason_code"] == "chain_refused"
    });
    let providers = page["providers"].as_array().unwrap();
    assert!(providers.iter().all(|provider| provider["finality_provider"] == KEY));
    assert!(providers[1]["reason"].as_str().unwrap().contains("connection refused"), "{page}");
    assert!(providers[2]["reason"].as_str().unwrap().contains("bbn-1, not on other-1"), "{page}");
    until(listen, "/healthz", |page| page["alive"] == true);
    let voting = format!("voting.{CHAIN}.{KEY}");
    let health =
        until(listen, "/readyz", |page| page["ready"] == false && page["checks"][&voting]["state"] == "ok");
    let dead = &health["checks"][format!("voting.dead-1.{KEY}")];
    assert_eq!(dead["state"], "degraded");
    assert!(dead["reason"].as_str().unwrap().starts_with("unreachable: "), "{dead}");
    operator.done(&["status"]);
    assert_eq!(operator.run(&["unjail"]), Exit::Usage.into(), "which chain was not said");
    assert_eq!(operator.run(&["--chain", "bbn-2", "unjail"]), Exit::Usage.into(), "there is no such chain");
    daemon.stop();
}

fn ask<T>(data_dir: &Path, ask: impl AsyncFnOnce(Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { ask(Client::find(data_dir).await.unwrap().unwrap()).await })
}

#[test]
fn commands_go_through_the_running_daemon_and_a_new_provider_votes_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let listen = anywhere();
    std::fs::write(directory.path().join("listen"), listen.to_string()).unwrap();
    std::fs::write(directory.path().join("not-registered"), "").unwrap();
    let operator = Operator::new(directory.path(), listen);
    operator.import_keys();
    operator.done(&["init", "--key", KEY]);
    let mut daemon = Daemon(start_child(directory.path()));
    until(listen, "/status", |page| page["providers"][0]["reason_code"] == "not_registered");
    // The chain is inside the daemon's process: what these do, they do through the socket.
    assert_eq!(operator.run(&["rewards"]), Exit::NotReady.into(), "not registered yet");
    operator.done(&["register", "--moniker", "test"]);
    operator.done(&["--json", "register", "--moniker", "test"]);
    until(listen, "/status", |page| page["providers"][0]["last_voted_height"].as_u64() > Some(20));
    operator.done(&["edit", "--website", "https://example.org"]);
    operator.done(&["rewards"]);
    operator.done(&["--json", "rewards"]);
    operator.done(&["withdraw-rewards"]);
    operator.done(&["set-withdraw-address", "bbn1cjjgut7wzjqu6v55k3ys7encpy82nrfaw98m7r"]);
    operator.done(&["unjail"]);
    operator.done(&["resume", "--i-stopped-the-other-signer"]);
    operator.done(&["--json", "resume", "--i-stopped-the-other-signer"]);
    assert_eq!(operator.run(&["resume"]), Exit::Usage.into(), "not without the operator's word");
    assert_eq!(operator.run(&["edit", "--commission-rate", "0.9"]), Exit::Refused.into());
    assert!(operator.chain.submitted().is_empty(), "nothing was done beside the daemon");

    let data_dir = directory.path().join("data");
    let socket = socket_path(&data_dir);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let errand = |chain: &str, action| Errand { chain: Some(chain.to_owned()), key: None, action };
    ask(&data_dir, async |client| {
        let report = client.status().await.unwrap();
        assert!(report.providers[0].last_voted_height.is_some());
        let refused = client.errand(&errand("bbn-2", Action::Rewards)).await.unwrap_err();
        assert!(refused.exit == Exit::Usage && refused.to_string().contains("bbn-1"), "{refused}");
        let key = Some(EotsKey::from_secret_bytes(&[8; 32]).unwrap().public_key());
        let stranger = Errand { chain: None, key, action: Action::Unjail };
        assert_eq!(client.errand(&stranger).await.unwrap_err().exit, Exit::Usage);
        let done = client.errand(&errand(CHAIN, Action::Unjail)).await.unwrap();
        assert!(done.to_string().contains("not jailed"), "{done}");
    });
    daemon.stop();
    assert!(!socket.exists());
    // Without a daemon the same commands act here, under its lock.
    operator.done(&["register", "--moniker", "test"]);
    assert_eq!(operator.chain.submitted().len(), 1);
    let held = Records::open(&data_dir).unwrap();
    assert_eq!(operator.run(&["unjail"]), Exit::Locked.into(), "somebody without a socket holds the lock");
    drop(held);
    operator.done(&["unjail"]);
}
