//! The embedded chain with one provider that has power from the beginning, and hosts that run the program.

use crate::{ARGUMENTS, witness::Witness};
use btc_staking_babylon::reader::BabylonReader;
use btc_staking_daemon::{
    entropy::OsEntropy,
    keyfile::{KdfParams, KeyFile},
    passphrase::Passphrase,
};
use btc_staking_devnet_chain::{
    Genesis, Node, NodeConfig, RunningNode,
    load::{LoadKeys, LoadPlan, Mix, generate},
};
use btc_staking_eots_manager::{keyfiles::store_key, keys::EotsKey};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    keys::{CovenantSecret, FinalityProviderPublicKey},
};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// As long as the lease: the least for which blocks are counted.
pub const PACE: Duration = Duration::from_secs(2);
const CHAIN: &str = "chain-pair";
const SEED: u64 = 7;
const WORDS: &str = "correct horse battery staple";

pub struct Network {
    folder: tempfile::TempDir,
    node: RunningNode,
    endpoints: Vec<String>,
    pub witness: Witness,
    /// Reads the chain past the witness.
    pub reader: BabylonReader,
    pub key: FinalityProviderPublicKey,
}

/// The bytes of a key of a generated state, as its documentation says they are made.
fn secret(label: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update("btc-staking/load/1")
        .chain_update(SEED.to_be_bytes())
        .chain_update(label)
        .chain_update(0_u64.to_be_bytes());
    hash.finalize().into()
}

fn eots_key() -> EotsKey {
    EotsKey::from_secret_bytes(&secret("provider")).unwrap()
}

impl Network {
    pub async fn start(endpoints: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let committee = LoadKeys::new(SEED).committee().iter().map(CovenantSecret::public_key).collect();
        let mut genesis =
            Genesis::fast(CHAIN, CovenantCommittee::new(3, committee).unwrap(), vec![]).unwrap();
        genesis.finality.signed_blocks_window = 1_000_000;
        let mix = Mix { pending: 0, verified: 0, active: 1, unbonded: 0, expired: 0 };
        let plan = LoadPlan { mix, randomness: 5_000, ..LoadPlan::new(1, 4, SEED) };
        let chain = folder.path().join("chain");
        generate(&plan, genesis, &chain, &mut |_| ()).unwrap();
        let genesis = std::fs::read_to_string(chain.join("genesis.json")).unwrap();
        let mut config = NodeConfig::new(Genesis::from_json(&genesis).unwrap(), chain.join("chain"));
        config.block_time = PACE;
        let node = Node::start(config).await.unwrap();
        let url = format!("http://{}", node.rpc_addr());
        let witness = Witness::start(url.clone()).await;
        let reader = BabylonReader::over_http(&[url], Duration::from_secs(20)).unwrap();
        let key = eots_key().public_key();
        Self { folder, node, endpoints: endpoints.to_vec(), witness, reader, key }
    }

    /// A host with keys and a configuration of its own.
    pub fn host(&self, name: &str) -> Host {
        let home = self.folder.path().join(name);
        std::fs::create_dir(&home).unwrap();
        let passphrase = Passphrase::new(WORDS.to_owned()).unwrap();
        store_key(&home.join("eots.key"), &eots_key(), &passphrase, KdfParams::MINIMUM, &OsEntropy).unwrap();
        let account = secret("provider account");
        let account =
            KeyFile::seal(&account, &passphrase, "account", KdfParams::MINIMUM, &OsEntropy).unwrap();
        account.write(&home.join("account.key")).unwrap();
        std::fs::write(home.join("words"), WORDS).unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            r#"
                data_dir = {data:?}
                eots_key_files = [{eots:?}]
                account_key_file = {account:?}
                listen = "{listen}"

                [chain]
                id = "{CHAIN}"
                rpc = ["{rpc}"]

                [randomness]
                count = 100
                lead = 50

                [voting]
                poll_interval_ms = 250

                [ha]
                engine = "etcd"
                endpoints = {endpoints:?}
                instance = "{name}"
                lease_seconds = {lease}
            "#,
            data = home.join("data"),
            eots = home.join("eots.key"),
            account = home.join("account.key"),
            rpc = self.witness.url,
            endpoints = self.endpoints,
            lease = PACE.as_secs(),
        );
        std::fs::write(home.join("config.toml"), config).unwrap();
        Host { home, listen, child: None }
    }

    pub async fn stop(self) {
        self.node.stop().await;
    }
}

pub struct Host {
    home: PathBuf,
    pub listen: SocketAddr,
    child: Option<Child>,
}

impl Host {
    fn command(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| self.home.join(name).display().to_string();
        let fixed = ["--config".to_owned(), path("config.toml"), "--passphrase".to_owned()];
        let words = [format!("file:{}", path("words"))];
        let given = arguments.iter().map(|argument| (*argument).to_owned());
        let all: Vec<_> = fixed.into_iter().chain(words).chain(given).collect();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_program", "--nocapture"]).env(ARGUMENTS, all.join("\n"));
        command
    }

    /// Runs a command to its end.
    pub fn done(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the daemon.
    pub fn start(&mut self) {
        let log = log(&self.home.join("log"));
        let mut command = self.command(&["start"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Tells the daemon to stop; it must end well.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(status.success(), "{}", std::fs::read_to_string(self.home.join("log")).unwrap());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                println!("{}", std::fs::read_to_string(self.home.join("log")).unwrap_or_default());
            }
        }
    }
}

fn log(path: &Path) -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(path).unwrap()
}
