//! A network of CometBFT validators on this machine, each driving its own copy of the embedded chain's application
//! through the ABCI door.
//!
//! ```text
//! validator i:  cometbft (RPC, p2p)  --ABCI over loopback-->  devnet chain --abci
//! ```
//!
//! Everything is a process of its own, so that any of them can be killed and started again. All ports are free ones,
//! taken once: a validator comes back where it was.

mod home;

use crate::processes::{Process, ProcessError};
use btc_staking_devnet_chain::Genesis;
use home::{Home, Ports};
use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use tokio::{net::TcpStream, time::Instant};

/// How long a process may take until it listens.
const LISTEN_DEADLINE: Duration = Duration::from_secs(60);
/// Between two attempts to reach it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How to run a network.
#[derive(Debug, Clone)]
pub struct CometOptions {
    /// The `cometbft` program, release 0.38.
    pub cometbft: PathBuf,
    /// The `devnet` program, whose `chain --abci` is the application.
    pub devnet: PathBuf,
    /// Words before a program that tie it to this process; none for none.
    pub leash: Vec<OsString>,
    /// An absent or empty folder for the validators' homes.
    pub folder: PathBuf,
    /// Where logs go.
    pub logs: PathBuf,
    /// What the chain starts from; its time becomes now.
    pub genesis: Genesis,
    /// How many validators, at least 1.
    pub validators: usize,
    /// Between two blocks, roughly.
    pub block_time: Duration,
}

/// A running network. Dropping it ends all of its processes.
#[derive(Debug)]
pub struct CometNetwork {
    options: CometOptions,
    validators: Vec<Validator>,
}

#[derive(Debug)]
struct Validator {
    home: Home,
    /// How often it was started; names its logs.
    starts: usize,
    /// CometBFT before its application, in the order in which they end.
    processes: Vec<Process>,
}

/// Why a network does not run.
#[derive(Debug, Error)]
pub enum CometError {
    /// A file or port cannot be had.
    #[error("home of a validator cannot be made")]
    Home(#[from] io::Error),
    /// A process cannot be started, or ended.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A process runs but does not listen.
    #[error("{name} does not listen on {address} within {LISTEN_DEADLINE:?}; the end of its log:\n{tail}")]
    Silent {
        /// Which one.
        name: String,
        /// Where it should listen.
        address: SocketAddr,
        /// The last lines of its log.
        tail: String,
    },
}

impl CometNetwork {
    /// Makes homes for all validators and starts them. Returns once every RPC listens; blocks follow.
    ///
    /// # Errors
    /// [`CometError`] with what did not start.
    pub async fn start(mut options: CometOptions) -> Result<Self, CometError> {
        // CometBFT gives the first block the time of the genesis.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        options.genesis.genesis_time = i64::try_from(now).unwrap_or(i64::MAX);
        std::fs::create_dir_all(&options.logs)?;
        let ports = Ports::take(options.validators)?;
        let homes = home::write_homes(&options.folder, &options.genesis, &ports, options.block_time)?;
        let validators = homes.into_iter().map(|home| Validator { home, starts: 0, processes: vec![] });
        let mut network = Self { validators: validators.collect(), options };
        for index in 0..network.validators.len() {
            network.launch(index).await?;
        }
        for index in 0..network.validators.len() {
            network.wait_for_rpc(index).await?;
        }
        Ok(network)
    }

    /// What the chain started from.
    pub fn genesis(&self) -> &Genesis {
        &self.options.genesis
    }
    /// URLs of the validators' RPC.
    pub fn rpc(&self) -> Vec<String> {
        self.validators.iter().map(|validator| format!("http://{}", validator.home.ports.rpc)).collect()
    }

    /// Kills a validator and its application without a warning, as a power cut does. Nothing for one that is down.
    pub fn kill(&mut self, index: usize) {
        if let Some(validator) = self.validators.get_mut(index) {
            for process in validator.processes.drain(..) {
                process.kill();
            }
        }
    }

    /// Starts a validator again where it was killed.
    ///
    /// # Errors
    /// [`CometError`] with what did not start.
    pub async fn restart(&mut self, index: usize) -> Result<(), CometError> {
        self.kill(index);
        self.launch(index).await?;
        self.wait_for_rpc(index).await
    }

    /// Checks that every validator that was not killed still runs.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] with the end of its log.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        self.validators.iter_mut().flat_map(|validator| &mut validator.processes).try_for_each(Process::check)
    }

    /// Ends all processes in good order.
    pub fn stop(mut self) {
        let all = self.validators.iter_mut().flat_map(|validator| validator.processes.drain(..));
        crate::processes::stop_all(&mut all.collect());
    }

    async fn launch(&mut self, index: usize) -> Result<(), CometError> {
        let Some(validator) = self.validators.get_mut(index) else { return Ok(()) };
        validator.starts += 1;
        let suffix = if validator.starts == 1 { String::new() } else { format!(".{}", validator.starts) };
        let Home { folder, ports, .. } = &validator.home;
        let app_address = ports.abci.to_string();
        let app_data = folder.join("application");
        let app: [&Path; 5] =
            ["chain".as_ref(), "--abci".as_ref(), app_address.as_ref(), "--data-dir".as_ref(), &app_data];
        let name = format!("validator-{index}-app{suffix}");
        let mut app = spawn(&self.options, &name, &self.options.devnet, &app)?;
        wait_for_listener(&mut app, ports.abci).await?;
        let name = format!("validator-{index}{suffix}");
        let comet = spawn(
            &self.options,
            &name,
            &self.options.cometbft,
            &["start".as_ref(), "--home".as_ref(), folder],
        )?;
        validator.processes = vec![comet, app];
        Ok(())
    }

    async fn wait_for_rpc(&mut self, index: usize) -> Result<(), CometError> {
        match self.validators.get_mut(index) {
            Some(Validator { home, processes, .. }) => match processes.first_mut() {
                Some(comet) => wait_for_listener(comet, home.ports.rpc).await,
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

fn spawn(
    options: &CometOptions,
    name: &str,
    program: &Path,
    args: &[&Path],
) -> Result<Process, ProcessError> {
    let mut words = options.leash.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
    command.args(words).args(args).stdin(Stdio::null());
    Process::spawn(name, command, &options.logs.join(format!("{name}.log")))
}

async fn wait_for_listener(process: &mut Process, address: SocketAddr) -> Result<(), CometError> {
    let deadline = Instant::now() + LISTEN_DEADLINE;
    while TcpStream::connect(address).await.is_err() {
        process.check()?;
        if Instant::now() > deadline {
            let (name, tail) = (process.name().to_owned(), process.log_tail());
            return Err(CometError::Silent { name, address, tail });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}
