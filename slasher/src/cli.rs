//! The command line.

use crate::{
    config::{Config, SAMPLE},
    records::Records,
    service::{Bitcoin, Board, Service},
};
use axum::{Json, Router, routing::get};
use btc_staking_daemon::{
    cli::{self, Exit, FailWith, Failure, Output},
    config::{Loader, set_flag},
    entropy::OsEntropy,
    health::Health,
    http,
    keyfile::{create_secret32, import_secret32, open_secret32, read_hex_secret32},
    metrics::Metrics,
    passphrase::PassphraseSource,
    tasks::Supervisor,
    telemetry,
};
use btc_staking_pos_chain::connect::{AccountSecret, Connector};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::{
    ffi::OsString,
    net::SocketAddr,
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
    Start(Overrides),
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

/// Values of the configuration file that a flag may replace.
#[derive(Debug, Default, Args)]
struct Overrides {
    /// Where records are kept.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where /metrics, /healthz, /readyz and /status are served.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// How often both chains are looked at, in milliseconds.
    #[arg(long)]
    poll_interval_ms: Option<u32>,
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
            let config = load(&cli.config, &Overrides::default())?;
            let status = http::fetch_json(config.listen, "/status").fail_with(Exit::Unreachable)?;
            print_status(&status, output);
            Ok(())
        }
        Command::Keys { command } => {
            let config = load(&cli.config, &Overrides::default())?;
            keys(&command, &config, &cli.passphrase, output, &*connector)
        }
        Command::Start(overrides) => {
            let config = load(&cli.config, &overrides)?;
            telemetry::init(&config.log).fail_with(Exit::Usage)?;
            let secret = AccountSecret(open_secret32(&config.account_key_file, &cli.passphrase)?);
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(start(config, secret, connector))
        }
    }
}

fn load(path: &Path, overrides: &Overrides) -> Result<Config, Failure> {
    let mut flags = toml::Table::new();
    let data_dir = overrides.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    set_flag(&mut flags, "data_dir", data_dir);
    set_flag(&mut flags, "listen", overrides.listen.map(|address| address.to_string()));
    set_flag(&mut flags, "poll_interval_ms", overrides.poll_interval_ms.map(i64::from));
    Loader::new("SLASHER")
        .file(path)
        .reserved(&["SLASHER_CONFIG", "SLASHER_PASSPHRASE_FROM", "SLASHER_PASSPHRASE"])
        .environment(std::env::vars_os())
        .flags(flags)
        .load()
        .fail_with(Exit::Usage)
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
    let secret = match command {
        Keys::Create => create_secret32(file, passphrase, LABEL, &OsEntropy)?,
        Keys::Import { from } => {
            let secret = read_hex_secret32(from)?;
            import_secret32(&secret, file, passphrase, LABEL, &OsEntropy)?;
            secret
        }
        Keys::Show => open_secret32(file, passphrase)?,
    };
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
    let bitcoin: Arc<dyn Bitcoin> = Arc::new(config.bitcoin.connect().await.fail_with(Exit::Unreachable)?);
    let chain = connector.connect(&config.chain).await.fail_with(Exit::Unreachable)?;
    let submitter = connector.open_account(&config.chain, secret).await.fail_with(Exit::Unreachable)?;
    let (metrics, health) = (Metrics::new("slasher"), Health::new());
    let board = Board::new(&metrics, &health)?;
    let status = board.clone();
    let page = Router::new().route("/status", get(move || async move { Json(status.status()) }));
    let server = http::Server::bind(config.listen, metrics, health.clone(), page).await?;
    tracing::info!(address = %server.address(), account = %submitter.account(), "watching");

    let interval = Duration::from_millis(config.poll_interval_ms.max(50));
    let service = Arc::new(Service::new(bitcoin, chain, submitter, Arc::new(records), interval, board));
    let mut supervisor = Supervisor::new(health, Arc::new(OsEntropy));
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
