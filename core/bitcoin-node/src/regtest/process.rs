//! Runs a `bitcoind` on regtest, alone: no peers, no wallet, RPC on loopback behind a cookie.

use crate::{
    bitcoind::{Auth, Bitcoind, BitcoindConfig},
    ports::NodeError,
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use thiserror::Error;

/// How long a node may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a node may take to end by itself.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Between two looks at a node that is starting or ending.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often another port is tried when somebody else took the free one first.
const PORT_RACES: u32 = 3;
/// What of the log an error shows.
const LOG_TAIL: usize = 2_000;

/// Why a node did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The program cannot be run.
    #[error("cannot run {}: is it a bitcoind for this machine", .exe.display())]
    Run {
        /// The program.
        exe: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It does not say what a `bitcoind` says.
    #[error("{} does not look like a bitcoind, it answers -version with {answer:?}", .exe.display())]
    NotBitcoind {
        /// The program.
        exe: PathBuf,
        /// What it said.
        answer: String,
    },
    /// A file or a port is not to be had.
    #[error("preparing {} for bitcoind", .folder.display())]
    Prepare {
        /// The data directory.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("bitcoind ended with {status} before it answered; its log ends with: {log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It runs but does not answer.
    #[error("bitcoind does not answer; its log ends with: {log}")]
    Silent {
        /// Why the last question failed.
        #[source]
        source: NodeError,
        /// The end of its log.
        log: String,
    },
}

/// A running regtest node. Dropping it kills it.
#[derive(Debug)]
pub struct RunningBitcoind {
    child: Child,
    version: String,
    url: String,
    cookie_file: PathBuf,
    log_file: PathBuf,
}

impl RunningBitcoind {
    /// Starts `exe` with the data directory `folder`, which is created if need be, and waits until it answers.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(exe: &Path, folder: &Path) -> Result<Self, StartError> {
        Self::start_through(&[], exe, folder).await
    }

    /// As [`RunningBitcoind::start`], through a wrapper: a program and its first arguments, which becomes the program
    /// named after them.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_through(wrapper: &[OsString], exe: &Path, folder: &Path) -> Result<Self, StartError> {
        let version = fetch_version(exe).await?;
        let mut races = PORT_RACES;
        loop {
            match Self::try_start(wrapper, exe, folder, &version).await {
                Err(StartError::Ended { log, .. }) if races > 0 && log.contains("Unable to bind") => {
                    races -= 1
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_start(
        wrapper: &[OsString],
        exe: &Path,
        folder: &Path,
        version: &str,
    ) -> Result<Self, StartError> {
        let prepare = |source| StartError::Prepare { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(prepare)?;
        let port = free_port().map_err(prepare)?;
        let log_file = folder.join("bitcoind.log");
        let log = File::create(&log_file).map_err(prepare)?;
        let errors = log.try_clone().map_err(prepare)?;
        let mut command = match wrapper.split_first() {
            None => Command::new(exe),
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(exe);
                command
            }
        };
        let child = command
            .args(arguments(folder, port, version))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|source| StartError::Run { exe: exe.to_owned(), source })?;
        let mut running = Self {
            child,
            version: version.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            cookie_file: folder.join("regtest").join(".cookie"),
            log_file,
        };
        running.wait_until_answering().await?;
        Ok(running)
    }

    /// What the program says of itself: `Bitcoin Core daemon version v29.0.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where its RPC listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its cookie file.
    pub fn cookie_file(&self) -> &Path {
        &self.cookie_file
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log_file(&self) -> &Path {
        &self.log_file
    }

    /// A client for it.
    ///
    /// # Errors
    /// None with the address a running node has; the signature is [`Bitcoind::new`]'s.
    pub fn client(&self) -> Result<Bitcoind, NodeError> {
        let auth = Auth::CookieFile(self.cookie_file.clone());
        Bitcoind::new(BitcoindConfig::new(self.url.clone(), auth))
    }

    /// Asks the node to end and waits for it; kills it if it does not in time.
    ///
    /// # Errors
    /// What the system says when the process cannot be waited for.
    pub async fn stop(mut self) -> io::Result<()> {
        if let Ok(client) = self.client() {
            // A node that does not listen any more is killed below.
            let _ = client.call("stop", &[]).await;
        }
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn wait_until_answering(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let asked = match self.client() {
                Ok(client) => client.call("getblockchaininfo", &[]).await,
                Err(error) => Err(error),
            };
            let Err(source) = asked else { return Ok(()) };
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(StartError::Ended { status, log: self.log_tail() });
            }
            if !source.is_transient() || Instant::now() >= deadline {
                return Err(StartError::Silent { source, log: self.log_tail() });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log_file).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).trim().to_owned()
    }
}

impl Drop for RunningBitcoind {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the first line of `exe -version`.
///
/// # Errors
/// [`StartError::Run`], [`StartError::NotBitcoind`].
async fn fetch_version(exe: &Path) -> Result<String, StartError> {
    let output = tokio::process::Command::new(exe)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| StartError::Run { exe: exe.to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim();
    if !line.contains(" version v") {
        let answer = format!("{line}{}", String::from_utf8_lossy(&output.stderr).trim());
        return Err(StartError::NotBitcoind { exe: exe.to_owned(), answer });
    }
    Ok(line.to_owned())
}

fn arguments(folder: &Path, port: u16, version: &str) -> Vec<OsString> {
    let mut datadir = OsString::from("-datadir=");
    datadir.push(folder);
    let mut arguments = vec![datadir];
    arguments.extend(
        [
            "-regtest",
            "-server",
            "-txindex",
            "-disablewallet",
            "-listen=0",
            "-listenonion=0",
            "-dnsseed=0",
            "-discover=0",
            "-natpmp=0",
            "-printtoconsole",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            "-rpcthreads=8",
            "-rpcworkqueue=256",
            "-dbcache=32",
        ]
        .map(OsString::from),
    );
    arguments.push(format!("-rpcport={port}").into());
    if version.to_ascii_lowercase().contains("knots") {
        // Knots' own relay policy refuses the 71-byte OP_RETURN and slashing outputs that Core relays.
        arguments.push("-corepolicy=1".into());
    }
    arguments
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
