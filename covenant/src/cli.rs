//! The command line.

use crate::{
    config::{Config, SAMPLE},
    machine::ParamsTrust,
    records::SignLog,
    service::{Board, Service},
    signer::Signer,
};
use axum::{Json, Router, routing::get};
use btc_staking_daemon::{
    backoff::Backoff,
    cli::{self, DaemonFlags, Exit, FailWith, Failure, Output, block_on},
    config::Loader,
    entropy::OsEntropy,
    health::Health,
    http,
    keyfile::{KeySource, open_secret32},
    metrics::Metrics,
    passphrase::PassphraseSource,
    tasks::{Signals, Supervisor},
    telemetry,
};
use btc_staking_pos_chain::{
    ChainError, MemoryOutbox, Outbox,
    connect::{AccountSecret, Connector, open_both},
};
use btc_staking_protocol::keys::CovenantSecret;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// How long a stopping daemon may finish what it is doing.
const DRAIN: Duration = Duration::from_secs(10);

/// A covenant committee member's daemon: checks pending delegations and signs their slashing and unbonding
/// transactions with one key.
#[derive(Debug, Parser)]
#[command(name = "covenant", version)]
struct Cli {
    /// Configuration file; see `covenant config`.
    #[arg(long, global = true, default_value = "covenant.toml", env = "COVENANT_CONFIG")]
    config: PathBuf,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the passphrase of key files comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, global = true, default_value = "prompt", env = "COVENANT_PASSPHRASE_FROM")]
    passphrase: PassphraseSource,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until SIGTERM.
    Start(DaemonFlags),
    /// Ask a running daemon what it is doing.
    Status,
    /// The member's key and the key of the account that pays.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Print a complete configuration file to start from.
    Config,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Make a new key and seal it in the configured file; an existing file is never overwritten.
    Create {
        /// Which of the two keys.
        #[arg(long)]
        which: Which,
    },
    /// Seal an existing key in the configured file; an existing file is never overwritten.
    Import {
        /// Which of the two keys.
        #[arg(long)]
        which: Which,
        /// File with the key as 64 hexadecimal digits, or - for standard input.
        #[arg(long)]
        from: PathBuf,
    },
    /// Show what the key is known by: the member's public key, or the account's address.
    Show {
        /// Which of the two keys.
        #[arg(long)]
        which: Which,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// The committee member's key.
    Member,
    /// The account on the staking chain.
    Account,
}

/// Runs the program with its arguments (the first is its name); `connector` brings the chain's adapter.
pub fn main_with(args: impl IntoIterator<Item = OsString>, connector: Arc<dyn Connector>) -> ExitCode {
    let output = |cli: &Cli| if cli.json { Output::Json } else { Output::Text };
    cli::parse_and_run(args, output, |cli, output| run(cli, output, connector))
}

fn run(cli: Cli, output: Output, connector: Arc<dyn Connector>) -> Result<(), Failure> {
    match cli.command {
        Command::Config => {
            print!("{SAMPLE}");
            Ok(())
        }
        Command::Status => {
            let config = load(&cli.config, &DaemonFlags::default())?;
            let status = http::fetch_json(config.listen, "/status").fail_with(Exit::Unreachable)?;
            print_status(&status, output);
            Ok(())
        }
        Command::Keys { command } => {
            let config = load(&cli.config, &DaemonFlags::default())?;
            keys(&command, &config, &cli.passphrase, output, &*connector)
        }
        Command::Start(flags) => {
            let config = load(&cli.config, &flags)?;
            telemetry::init(&config.log).fail_with(Exit::Usage)?;
            let member = open_member(&config, &cli.passphrase)?;
            let account = AccountSecret(open_secret32(&config.account_key_file, &cli.passphrase)?);
            block_on(start(config, member, account, connector))
        }
    }
}

fn load(file: &Path, flags: &DaemonFlags) -> Result<Config, Failure> {
    Loader::of_program("COVENANT", file).flags(flags.to_table()).load().fail_with(Exit::Usage)
}

fn open_member(config: &Config, passphrase: &PassphraseSource) -> Result<CovenantSecret, Failure> {
    let secret = open_secret32(&config.covenant_key_file, passphrase)?;
    CovenantSecret::from_bytes(&secret).fail_with(Exit::Usage)
}

fn keys(
    command: &Keys,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    let file_of = |which: Which| match which {
        Which::Member => (&config.covenant_key_file, "key of a covenant committee member"),
        Which::Account => (&config.account_key_file, "account of a covenant committee member"),
    };
    let (which, source) = match command {
        Keys::Create { which } => (*which, KeySource::New),
        Keys::Import { which, from } => (*which, KeySource::Hex(from)),
        Keys::Show { which } => (*which, KeySource::Sealed),
    };
    let (file, label) = file_of(which);
    let secret = source.secret32(file, passphrase, label, &OsEntropy)?;
    let (name, value) = match which {
        Which::Member => {
            let secret = CovenantSecret::from_bytes(&secret).fail_with(Exit::Usage)?;
            ("public_key", secret.public_key().to_string())
        }
        Which::Account => {
            let address = connector.account_address(&config.chain, &AccountSecret(secret))?;
            ("address", address.to_string())
        }
    };
    match output {
        Output::Json => println!("{}", json!({name: value, "file": file})),
        Output::Text => println!("{value}"),
    }
    Ok(())
}

async fn start(
    config: Config,
    member: CovenantSecret,
    account: AccountSecret,
    connector: Arc<dyn Connector>,
) -> Result<(), Failure> {
    let log = SignLog::open(&config.data_dir).map_err(|error| {
        let exit = if error.is_locked() { Exit::Locked } else { Exit::Failure };
        Failure::new(exit, error)
    })?;
    let signer = Arc::new(Signer::new(member, log));
    // A daemon that starts before its node is no failure.
    let mut signals = Signals::new()?;
    let outbox: Arc<dyn Outbox> = Arc::new(MemoryOutbox::default());
    let open = || open_both(&*connector, &config.chain, &account, &outbox);
    let opening = Backoff::default().keep_trying(&OsEntropy, ChainError::is_transient, open);
    let Ok(opened) = signals.race(opening).await else { return Ok(()) };
    let (chain, submitter) = opened.fail_with(Exit::Unreachable)?;
    let (metrics, health) = (Metrics::new("covenant"), Health::new());
    let board = Board::new(&metrics, &health)?;
    let status = board.clone();
    let page = Router::new().route("/status", get(move || async move { Json(status.status()) }));
    let server = http::Server::bind(config.listen, metrics, health.clone(), page).await?;
    tracing::info!(address = %server.address(), covenant = %signer.public_key(), account = %submitter.account(), "signing");

    let interval = Duration::from_millis(config.poll_interval_ms.max(50));
    let trust = ParamsTrust::new(&config.chain.id, config.accept_params_versions);
    let service = Arc::new(Service::new(signer, chain, submitter, trust, interval, board));
    let mut supervisor = Supervisor::new(health, Arc::new(OsEntropy)).with_signals(signals);
    supervisor.spawn("sign", move |stop| {
        let service = Arc::clone(&service);
        async move { service.run(stop).await }
    });
    supervisor.serve(server, DRAIN).await
}

fn print_status(status: &serde_json::Value, output: Output) {
    if output == Output::Json {
        println!("{status}");
        return;
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    println!("member     {}", text(&status["covenant"]));
    println!("account    {}", text(&status["account"]));
    println!("signed     {}", status["signed"]);
    println!("in flight  {}", status["in_flight"]);
    for refused in status["untrusted_params"].as_array().into_iter().flatten() {
        println!("  no signing under  {}", text(&refused["reason"]));
    }
    for parked in status["parked"].as_array().into_iter().flatten() {
        println!("  not signed  {}  {}", text(&parked["staking_txid"]), text(&parked["reason"]));
    }
}
