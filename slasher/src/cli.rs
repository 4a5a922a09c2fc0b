//! The command line.

use crate::{
    board::Board,
    config::{Config, SAMPLE},
    records::Records,
    service::{Bitcoin, Service},
};
use axum::{Json, Router, routing::get};
use btc_staking_bitcoin_node::NodeError;
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
use clap::{Parser, Subcommand};
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

/// The watchtower: relays Bitcoin headers, activates stakes, reports unbondings, extracts the keys of finality
/// providers that sign twice and slashes every stake under them.
#[derive(Debug, Parser)]
#[command(name = "slasher", version)]
struct Cli {
    /// Configuration file; see `slasher config`.
    #[arg(long, global = true, default_value = "slasher.toml", env = "SLASHER_CONFIG")]
    config: PathBuf,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the passphrase of key files comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, global = true, default_value = "prompt", env = "SLASHER_PASSPHRASE_FROM")]
    passphrase: PassphraseSource,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until SIGTERM.
    Start(DaemonFlags),
    /// Ask a running watchtower what it is doing.
    Status,
    /// The key of the account that pays on the staking chain.
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
    Create,
    /// Seal an existing key in the configured file; an existing file is never overwritten.
    Import {
        /// File with the key as 64 hexadecimal digits, or - for standard input.
        #[arg(long)]
        from: PathBuf,
    },
    /// Show the account's address.
    Show,
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
            let secret = AccountSecret(open_secret32(&config.account_key_file, &cli.passphrase)?);
            block_on(start(config, secret, connector))
        }
    }
}

fn load(file: &Path, flags: &DaemonFlags) -> Result<Config, Failure> {
    Loader::of_program("SLASHER", file).flags(flags.to_table()).load().fail_with(Exit::Usage)
}

fn keys(
    command: &Keys,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    const LABEL: &str = "account of a watchtower";
    let file = &config.account_key_file;
    let source = match command {
        Keys::Create => KeySource::New,
        Keys::Import { from } => KeySource::Hex(from),
        Keys::Show => KeySource::Sealed,
    };
    let secret = source.secret32(file, passphrase, LABEL, &OsEntropy)?;
    let address = connector.account_address(&config.chain, &AccountSecret(secret))?;
    match output {
        Output::Json => println!("{}", json!({"address": address, "file": config.account_key_file})),
        Output::Text => println!("{address}"),
    }
    Ok(())
}

async fn start(config: Config, secret: AccountSecret, connector: Arc<dyn Connector>) -> Result<(), Failure> {
    let records = Records::open(&config.data_dir).map_err(|error| {
        let exit = if error.is_locked() { Exit::Locked } else { Exit::Failure };
        Failure::new(exit, error)
    })?;
    // A daemon that starts before its nodes is no failure.
    let mut signals = Signals::new()?;
    let connecting =
        Backoff::default().keep_trying(&OsEntropy, NodeError::is_transient, || config.bitcoin.connect());
    let Ok(connected) = signals.race(connecting).await else { return Ok(()) };
    let bitcoin: Arc<dyn Bitcoin> = Arc::new(connected.fail_with(Exit::Unreachable)?);
    let outbox: Arc<dyn Outbox> = Arc::new(MemoryOutbox::default());
    let open = || open_both(&*connector, &config.chain, &secret, &outbox);
    let opening = Backoff::default().keep_trying(&OsEntropy, ChainError::is_transient, open);
    let Ok(opened) = signals.race(opening).await else { return Ok(()) };
    let (chain, submitter) = opened.fail_with(Exit::Unreachable)?;
    let (metrics, health) = (Metrics::new("slasher"), Health::new());
    let board = Board::new(&metrics, &health)?;
    let status = board.clone();
    let page = Router::new().route("/status", get(move || async move { Json(status.status()) }));
    let server = http::Server::bind(config.listen, metrics, health.clone(), page).await?;
    tracing::info!(address = %server.address(), account = %submitter.account(), "watching");

    let interval = Duration::from_millis(config.poll_interval_ms.max(50));
    let service = Arc::new(Service::new(bitcoin, chain, submitter, Arc::new(records), interval, board));
    let mut supervisor = Supervisor::new(health, Arc::new(OsEntropy)).with_signals(signals);
    let relay = Arc::clone(&service);
    supervisor.spawn("relay", move |stop| {
        let service = Arc::clone(&relay);
        async move { service.relay_headers(stop).await }
    });
    supervisor.spawn("watch", move |stop| {
        let service = Arc::clone(&service);
        async move { service.watch(stop).await }
    });
    supervisor.serve(server, DRAIN).await
}

fn print_status(status: &serde_json::Value, output: Output) {
    if output == Output::Json {
        println!("{status}");
        return;
    }
    println!("bitcoin height  {}", status["btc_height"]);
    println!("stakes          {}", status["stakes"]);
    println!("open cases      {}", status["cases"]);
    for slashing in status["slashings"].as_array().into_iter().flatten() {
        let text = |key: &str| slashing[key].as_str().unwrap_or_default().to_owned();
        println!("  {}  {}  {}", text("staking_txid"), text("state"), text("reason"));
    }
}
