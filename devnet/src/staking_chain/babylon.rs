//! A real Babylon node with one validator, in the place of the embedded chain.
//!
//! It is a `babylond` that the user names; this program neither contains nor fetches one. `babylond testnet` prepares its
//! home, then the genesis gets our parameters, committee and accounts ([`genesis`]), so that both chains start alike.
//! Beside it runs a [`reporter`] of checkpoints, without which no epoch would become final.
//!
//! | module | holds |
//! |---|---|
//! | [`genesis`] | our genesis in the node's form |
//! | [`checkpoint`] | a checkpoint as it stands on Bitcoin |
//! | [`reporter`] | who puts it there and proves it |
//! | [`account`] | an account for messages no role has |

pub mod account;
pub mod checkpoint;
pub mod genesis;
pub mod reporter;

use super::{Founder, Founding, StakingChain};
use crate::{
    install::free_address,
    processes::{Process, leash_words},
};
use account::Account;
use async_trait::async_trait;
use btc_staking_babylon::{
    rpc::{HttpRpc, Rpc},
    tx::AccountKey,
};
use btc_staking_daemon::cli::{Exit, Failure};
use btc_staking_devnet_chain::{Genesis, GenesisAccount};
use futures::{FutureExt as _, future::BoxFuture};
use reporter::Reporter;
use std::{
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::task::JoinHandle;

/// What the reporter's account starts with.
const BALANCE: u64 = 1_000_000_000_000;
/// How long a node may take to its first block.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Founds a Babylon chain of one validator.
#[derive(Debug, Clone)]
pub struct Babylond {
    /// The program.
    pub exe: PathBuf,
}

/// Why a Babylon node does not start.
#[derive(Debug, Error)]
pub enum BabylondError {
    /// A file or the system.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The program refuses to prepare a home.
    #[error("`{command}` failed: {output}")]
    Prepare {
        /// The command.
        command: String,
        /// What it said.
        output: String,
    },
    /// Its configuration has another form than ours was written for.
    #[error("{file} has no {missing}: is this babylond v4?")]
    Form {
        /// The file.
        file: &'static str,
        /// What is missing.
        missing: String,
    },
    /// No block within the deadline.
    #[error("no block within {DEADLINE:?}; the last answer: {0}")]
    Silent(String),
}

/// A running node: one process, and the task that reports its checkpoints.
pub struct BabylonChain {
    version: String,
    rpc: SocketAddr,
    grpc: SocketAddr,
    process: Arc<Mutex<Process>>,
    reporter: Option<JoinHandle<()>>,
}

#[async_trait]
impl Founder for Babylond {
    async fn found(&self, mut founding: Founding) -> Result<Box<dyn StakingChain>, Failure> {
        let key = AccountKey::from_secret(&founding.seed.account("checkpoint-reporter").0)?;
        let account = GenesisAccount { address: key.account().clone(), ubbn: BALANCE };
        founding.genesis.accounts.push(account);
        let mut chain = self
            .start(&leash_words()?, &founding.genesis, founding.block_time, &founding.home, &founding.logs)
            .await?;
        let rpc: Arc<dyn Rpc> = Arc::new(HttpRpc::new(&chain.rpc(), CALL_TIMEOUT)?);
        let account = Account::new(rpc, key, &founding.genesis.chain_id);
        let mut tag = [0; 4];
        hex::decode_to_slice(&founding.genesis.checkpoint_tag, &mut tag)?;
        let coins = bitcoin::secp256k1::SecretKey::from_slice(&*founding.seed.secret("checkpoint coins"))?;
        let reporter = Reporter::new(account, founding.bitcoin, tag, coins).await?;
        chain.reporter = Some(tokio::spawn(reporter.run()));
        Ok(Box::new(chain))
    }
}

impl Babylond {
    /// Starts a node with this genesis and no reporter, and returns once it has a block. `leash` holds the words of a
    /// leash, or none where this executable has no such command: the node then outlives a parent that is killed.
    ///
    /// # Errors
    /// [`Failure`] with what did not start.
    pub async fn start(
        &self,
        leash: &[OsString],
        genesis: &Genesis,
        block_time: Duration,
        home: &Path,
        logs: &Path,
    ) -> Result<BabylonChain, Failure> {
        let node = self.prepare(genesis, home).await?;
        let version = self.fetch_version().await?;
        edit_json(&node.join("config/genesis.json"), |value| genesis::adjust(value, genesis))?;
        let [rpc, p2p, grpc] = [free_address(), free_address(), free_address()];
        let (rpc, p2p, grpc) = (rpc?, p2p?, grpc?);
        edit_toml(&node.join("config/config.toml"), &config(rpc, p2p, block_time))?;
        edit_toml(&node.join("config/app.toml"), &app_config(grpc))?;
        let password = node.join("config/bls_password.txt");
        let mut command = self.command(leash);
        command.args(["start", "--home"]).arg(&node).arg("--bls-password-file").arg(&password);
        command.stdin(Stdio::null());
        let process = Process::spawn("babylond", command, &logs.join("babylond.log"))?;
        let chain =
            BabylonChain { version, rpc, grpc, process: Arc::new(Mutex::new(process)), reporter: None };
        chain.wait_for_block().await?;
        Ok(chain)
    }

    /// The program behind the words of a leash, or behind none, without arguments.
    fn command(&self, leash: &[OsString]) -> Command {
        match leash {
            [] => Command::new(&self.exe),
            [program, words @ ..] => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.exe);
                command
            }
        }
    }

    /// Has the program make a home for one validator.
    async fn prepare(&self, genesis: &Genesis, home: &Path) -> Result<PathBuf, BabylondError> {
        let args: Vec<OsString> = vec![
            "testnet".into(),
            "--v=1".into(),
            "--output-dir".into(),
            home.into(),
            "--starting-ip-address=127.0.0.1".into(),
            "--keyring-backend=test".into(),
            "--btc-network=regtest".into(),
            format!("--chain-id={}", genesis.chain_id).into(),
            format!("--epoch-interval={}", genesis.epoch_interval).into(),
        ];
        self.run(&args).await?;
        Ok(home.join("node0/babylond"))
    }

    async fn fetch_version(&self) -> Result<String, BabylondError> {
        let said = self.run(&["version".into()]).await?;
        let said = said.trim();
        Ok(if said.is_empty() { "of unknown version".to_owned() } else { said.to_owned() })
    }

    async fn run(&self, args: &[OsString]) -> Result<String, BabylondError> {
        let output = tokio::process::Command::new(&self.exe).args(args).kill_on_drop(true).output().await;
        let what = || format!("cannot run {}", self.exe.display());
        let output = output.map_err(|source| BabylondError::Io { what: what(), source })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
        let command = format!("{} {}", self.exe.display(), words.join(" "));
        Err(BabylondError::Prepare { command, output: text(&output.stderr) })
    }
}

impl BabylonChain {
    /// Where its gRPC listens.
    pub fn grpc(&self) -> String {
        format!("http://{}", self.grpc)
    }

    async fn wait_for_block(&self) -> Result<(), Failure> {
        let rpc = HttpRpc::new(&self.rpc(), CALL_TIMEOUT)?;
        let started = Instant::now();
        loop {
            self.lock().check()?;
            let seen = match rpc.status().await {
                Ok(status) if status.latest_height > 0 => return Ok(()),
                Ok(_) => "no block yet".to_owned(),
                Err(error) => error.to_string(),
            };
            if started.elapsed() > DEADLINE {
                return Err(Failure::new(Exit::Unreachable, BabylondError::Silent(seen)));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StakingChain for BabylonChain {
    fn describe(&self) -> String {
        format!("babylond {}", self.version)
    }

    fn rpc(&self) -> Vec<String> {
        vec![format!("http://{}", self.rpc)]
    }

    fn ended(&self) -> BoxFuture<'static, String> {
        let process = Arc::clone(&self.process);
        async move {
            loop {
                let checked = process.lock().unwrap_or_else(PoisonError::into_inner).check();
                if let Err(ended) = checked {
                    return ended.to_string();
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        .boxed()
    }

    async fn stop(self: Box<Self>) {
        // Dropping the process ends it.
        drop(self);
    }
}

impl Drop for BabylonChain {
    fn drop(&mut self) {
        if let Some(task) = self.reporter.take() {
            task.abort();
        }
    }
}

type Change = (&'static str, &'static str, toml::Value);

/// Everything on loopback, blocks at our pace, and every transaction indexed.
fn config(rpc: SocketAddr, p2p: SocketAddr, block_time: Duration) -> Vec<Change> {
    let pace = format!("{}ms", block_time.as_millis());
    vec![
        ("rpc", "laddr", format!("tcp://{rpc}").into()),
        ("rpc", "pprof_laddr", String::new().into()),
        ("p2p", "laddr", format!("tcp://{p2p}").into()),
        ("consensus", "timeout_commit", pace.into()),
        ("instrumentation", "prometheus", false.into()),
    ]
}

fn app_config(grpc: SocketAddr) -> Vec<Change> {
    vec![
        ("api", "enable", false.into()),
        ("grpc", "enable", true.into()),
        ("grpc", "address", grpc.to_string().into()),
        ("telemetry", "enabled", false.into()),
    ]
}

fn edit_json(
    file: &Path,
    change: impl FnOnce(&mut serde_json::Value) -> Result<(), BabylondError>,
) -> Result<(), Failure> {
    let mut value = serde_json::from_str(&fs::read_to_string(file)?)?;
    change(&mut value)?;
    fs::write(file, serde_json::to_string(&value)?)?;
    Ok(())
}

/// Sets keys that must be there, so that a node with other ones is noticed.
fn edit_toml(file: &Path, changes: &[Change]) -> Result<(), Failure> {
    let mut table: toml::Table = toml::from_str(&fs::read_to_string(file)?)?;
    for (section, key, value) in changes {
        let found = table.get_mut(*section).and_then(|section| section.get_mut(*key));
        let missing = || BabylondError::Form { file: "configuration", missing: format!("{section}.{key}") };
        *found.ok_or_else(missing)? = value.clone();
    }
    fs::write(file, toml::to_string(&table)?)?;
    Ok(())
}
