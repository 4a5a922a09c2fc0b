//! The command line of the signer as a process of its own.
//!
//! | command | does |
//! |---|---|
//! | `config` | prints a complete configuration file |
//! | `init` | creates the data directory with empty sign records, and says of which keys the history is empty |
//! | `serve` | answers at the Unix socket, and at a loopback address if configured, until SIGTERM |
//! | `ping` | asks a running signer whether it answers |
//! | `unlock` | gives a running signer the passphrase of a key |

pub mod config;
mod serve;

use crate::{
    grpc::client::Client,
    records::{ChainId, OpenError, SignRecords, Subject},
    service::proto::UnlockKeyRequest,
};
use btc_staking_daemon::{
    cli::{self, Exit, FailWith, Failure, Output},
    config::{Loader, set_flag},
    passphrase::{Asking, PassphraseSource},
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use clap::{Args, Parser, Subcommand};
use config::{Config, SAMPLE};
use std::{ffi::OsString, path::PathBuf, process::ExitCode};
use tonic::{Code, Status};

/// The signer of finality providers: the only holder of their keys, and of the record of what was signed.
#[derive(Debug, Parser)]
#[command(name = "eots-manager", version)]
struct Cli {
    /// Configuration file; see `eots-manager config`.
    #[arg(long, global = true, default_value = "eots-manager.toml", env = "EOTS_MANAGER_CONFIG")]
    config: PathBuf,
    /// Print failures as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the passphrase of key files comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, global = true, default_value = "prompt", env = "EOTS_MANAGER_PASSPHRASE_FROM")]
    passphrase: PassphraseSource,
    #[command(flatten)]
    overrides: Overrides,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Default, Args)]
struct Overrides {
    /// Where the sign records are kept.
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// The Unix socket.
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a complete configuration file to start from.
    Config,
    /// Create the data directory with empty sign records, or say of a key that it is new. Until then a key without
    /// records is refused.
    Init {
        /// A key that never signed on the chain, here or anywhere else: 64 hexadecimal digits. May be given more than
        /// once.
        #[arg(long, requires = "chain")]
        key: Vec<FinalityProviderPublicKey>,
        /// The chain.
        #[arg(long, requires = "key")]
        chain: Option<ChainId>,
    },
    /// Answer until SIGTERM.
    Serve,
    /// Ask a running signer whether it answers.
    Ping,
    /// Give a running signer the passphrase of a key.
    Unlock {
        /// The public key, 64 hexadecimal digits.
        key: FinalityProviderPublicKey,
    },
}

/// Runs the program with its arguments; the first is its name.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let output = |cli: &Cli| if cli.json { Output::Json } else { Output::Text };
    cli::parse_and_run(args, output, |cli, _| run(cli))
}

fn run(cli: Cli) -> Result<(), Failure> {
    if matches!(cli.command, Command::Config) {
        print!("{SAMPLE}");
        return Ok(());
    }
    let config = load(&cli)?;
    match cli.command {
        Command::Config => Ok(()),
        Command::Init { key, chain } => init(&config, &key, chain.as_ref()),
        Command::Serve => block_on(serve::serve(&config, &cli.passphrase)),
        Command::Ping => block_on(async {
            client(&config)?.ping().await.map_err(refused)?;
            println!("the signer answers at {}", config.socket().display());
            Ok(())
        }),
        Command::Unlock { key } => {
            let words = cli.passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
            let text = std::str::from_utf8(words.bytes()).fail_with(Exit::Usage)?.to_owned();
            let request = UnlockKeyRequest { uid: key.to_bytes().to_vec(), passphrase: text };
            block_on(async { client(&config)?.unlock_key(&request).await.map_err(refused) })
        }
    }
}

/// Creates records, or declares keys new in those that are there.
fn init(config: &Config, keys: &[FinalityProviderPublicKey], chain: Option<&ChainId>) -> Result<(), Failure> {
    std::fs::create_dir_all(&config.data_dir)?;
    let Some(chain_id) = chain else {
        return SignRecords::create(&config.data_dir).map_err(records_failure);
    };
    let records = match SignRecords::open(&config.data_dir) {
        Err(OpenError::Missing(_)) => {
            SignRecords::create(&config.data_dir).and_then(|()| SignRecords::open(&config.data_dir))
        }
        opened => opened,
    };
    let records = records.map_err(records_failure)?;
    for key in keys {
        let subject = Subject { finality_provider: *key, chain_id: chain_id.clone() };
        match records.declare_new(&subject)? {
            true => println!("{key} is new on {chain_id} and may sign"),
            false => println!("{key} has a history on {chain_id} already; nothing changed"),
        }
    }
    Ok(())
}

fn client(config: &Config) -> Result<Client, Failure> {
    Client::unix(&config.socket()).fail_with(Exit::Usage)
}

fn refused(status: Status) -> Failure {
    let exit = if status.code() == Code::Unavailable { Exit::Unreachable } else { Exit::Refused };
    Failure::new(exit, status.message().to_owned())
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn load(cli: &Cli) -> Result<Config, Failure> {
    let mut flags = toml::Table::new();
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    set_flag(&mut flags, "data_dir", cli.overrides.data_dir.as_ref().map(text));
    set_flag(&mut flags, "socket", cli.overrides.socket.as_ref().map(text));
    Loader::new("EOTS_MANAGER")
        .file(&cli.config)
        .reserved(&["EOTS_MANAGER_CONFIG", "EOTS_MANAGER_PASSPHRASE_FROM", "EOTS_MANAGER_PASSPHRASE"])
        .environment(std::env::vars_os())
        .flags(flags)
        .load()
        .fail_with(Exit::Usage)
}

/// Locked records, records to be mended, and an unreadable disk end the program differently.
fn records_failure(error: OpenError) -> Failure {
    let exit = match &error {
        OpenError::InUse(_) => Exit::Locked,
        OpenError::Io { .. } => Exit::Failure,
        _ => Exit::Refused,
    };
    Failure::new(exit, error)
}
