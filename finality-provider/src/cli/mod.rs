//! The command line.
//!
//! | command | does |
//! |---|---|
//! | `config` | prints a complete configuration file |
//! | `init` | creates the data directory with empty sign records, and says of which keys the history is empty |
//! | `ha` | the cluster that the daemons of a standby pair share |
//! | `keys` | makes, imports and shows keys |
//! | `eots` | takes over from the Go manager; exports, imports, minifies and merges sign records |
//! | `register`, `edit` | registers a provider on the chain, changes its description or commission |
//! | `rewards`, `withdraw-rewards`, `set-withdraw-address` | shows rewards, withdraws them, says where they go |
//! | `migrate-config` | writes a configuration from those of the Go software |
//! | `start` | votes until SIGTERM |
//! | `status` | asks the running daemon what each provider is doing |
//! | `doctor` | looks at everything a provider depends on, and says how to mend what is wrong |
//! | `unjail` | ends a jailing |
//! | `resume` | lets all keys sign again after another signer was seen |

mod doctor;
mod eots;
mod errands;
mod ha;
mod keys;
mod legacy;
mod migrate_config;
mod signer;
mod start;

use crate::{
    config::{Config, SAMPLE},
    control::{Action, Client},
    status::Report,
};
use btc_staking_daemon::{
    cli::{self, Exit, FailWith, Failure, Output},
    config::{Loader, set_flag},
    http,
    passphrase::PassphraseSource,
};
use btc_staking_eots_manager::records::{OpenError, SignRecords, Subject};
use btc_staking_pos_chain::connect::Connector;
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// A finality provider's daemon: commits public randomness ahead and votes for every block in which it has power.
#[derive(Debug, Parser)]
#[command(name = "finality-provider", version)]
struct Cli {
    /// Configuration file; see `finality-provider config`.
    #[arg(long, global = true, default_value = "finality-provider.toml", env = "FINALITY_PROVIDER_CONFIG")]
    config: PathBuf,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the passphrase of key files comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, global = true, default_value = "prompt", env = "FINALITY_PROVIDER_PASSPHRASE_FROM")]
    passphrase: PassphraseSource,
    /// The configured chain that is meant, by its id; may be left out if only one is configured. `start` without it runs
    /// all of them.
    #[arg(long, global = true)]
    chain: Option<String>,
    /// Values of the configuration file that a flag may replace.
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
    /// Where /metrics, /healthz, /readyz and /status are served.
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct Init {
    /// A key that never signed on the chain, here or anywhere else: x-only, in hex. May be given more than once.
    #[arg(long)]
    key: Vec<FinalityProviderPublicKey>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a complete configuration file to start from.
    Config,
    /// Write a configuration from those of the Go software, with a report of what became of each option.
    MigrateConfig(migrate_config::MigrateConfig),
    /// Create the data directory with empty sign records, or say of a key that it is new. Until then a key without
    /// records is refused.
    Init(Init),
    /// Keys of finality providers and of the account that pays.
    Keys {
        #[command(subcommand)]
        command: keys::Keys,
    },
    /// EOTS keys and sign records as they move between machines and programs.
    Eots {
        #[command(subcommand)]
        command: Box<eots::Eots>,
    },
    /// The cluster that the daemons of a standby pair share.
    Ha {
        #[command(subcommand)]
        command: ha::HaCommand,
    },
    /// Register a finality provider on the chain; does nothing if it is registered already.
    #[command(aliases = ["create-finality-provider", "cfp"])]
    Register(errands::Register),
    /// Change a finality provider's description or commission; what is left out stays.
    #[command(aliases = ["edit-finality-provider", "efp"])]
    Edit(errands::Change),
    /// Show what can be withdrawn, and what the paying account holds.
    #[command(aliases = ["reward-gauges"])]
    Rewards(errands::Chosen),
    /// Withdraw rewards to the account's withdraw address.
    #[command(aliases = ["withdraw-reward"])]
    WithdrawRewards(errands::Withdrawal),
    /// Say to which account rewards go from now on.
    #[command(aliases = ["set-withdraw-addr"])]
    SetWithdrawAddress(errands::WithdrawTo),
    /// Vote until SIGTERM.
    Start,
    /// Ask a running daemon what each provider is doing and, if it is not voting, why.
    #[command(aliases = ["list-finality-providers", "ls", "finality-provider-info", "fpi"])]
    Status,
    /// Look at everything a provider depends on, and say how to mend what is wrong. Works beside a running daemon and
    /// without one, and leaves nothing behind.
    Doctor(doctor::Examination),
    /// Let all keys sign again after a vote of another signer was seen on a chain and stopped them.
    Resume {
        /// Your word that no other process signs with any of these keys any more. If one does, stakes will be slashed.
        #[arg(long, required = true)]
        i_stopped_the_other_signer: bool,
    },
    /// End a jailing, once the jail time is over. The account must be the one that registered.
    #[command(aliases = ["unjail-finality-provider", "ufp"])]
    Unjail(errands::Named),
    #[command(flatten)]
    Legacy(legacy::Legacy),
}

/// Runs the program with its arguments (the first is its name); `connector` brings the chain's adapter.
pub fn main_with(args: impl IntoIterator<Item = OsString>, connector: Arc<dyn Connector>) -> ExitCode {
    let output = |cli: &Cli| if cli.json { Output::Json } else { Output::Text };
    cli::parse_and_run(args, output, |cli, output| run(cli, output, connector))
}

fn run(cli: Cli, output: Output, connector: Arc<dyn Connector>) -> Result<(), Failure> {
    if matches!(cli.command, Command::Config) {
        print!("{SAMPLE}");
        return Ok(());
    }
    if let Command::Legacy(command) = &cli.command {
        return legacy::run(command, output);
    }
    if let Command::MigrateConfig(migrate) = &cli.command {
        return migrate_config::run(migrate, output);
    }
    let mut config = load(&cli.config, &cli.overrides)?;
    if let Some(chain) = &cli.chain {
        config.choose_chain(chain).fail_with(Exit::Usage)?;
    }
    let plans = config.plans().fail_with(Exit::Usage)?;
    let errand = |chosen, action| {
        block_on(errands::run(chosen, action, &config, &cli.passphrase, output, &*connector))
    };
    match cli.command {
        Command::Config | Command::Legacy(_) | Command::MigrateConfig(_) => Ok(()),
        Command::Init(_) | Command::Eots { .. } if config.signer.is_some() => Err(elsewhere()),
        Command::Init(new) => init(&new, &config, output),
        Command::Keys { command } => keys::run(command, &config, &cli.passphrase, output, &*connector),
        Command::Eots { command } => eots::run(&command, &config, &cli.passphrase, output),
        Command::Ha { command } => block_on(ha::run(command, &config, output)),
        Command::Register(register) => errand(register.chosen, register.into()),
        Command::Edit(change) => errand(change.named.key(), change.into()),
        Command::Rewards(chosen) => errand(chosen, Action::Rewards),
        Command::WithdrawRewards(withdrawal) => errand(withdrawal.chosen, withdrawal.into()),
        Command::SetWithdrawAddress(to) => errand(to.chosen, Action::SetWithdrawAddress(to.address)),
        Command::Unjail(named) => errand(named.key(), Action::Unjail),
        Command::Resume { i_stopped_the_other_signer: _ } => block_on(errands::resume(&config, output)),
        Command::Status => block_on(status(&config, output)),
        Command::Doctor(examination) => block_on(doctor::examine(
            &examination,
            &cli.config,
            &config,
            &plans,
            &cli.passphrase,
            output,
            &*connector,
        )),
        Command::Start => block_on(start::start(&config, plans, &cli.passphrase, connector)),
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn load(path: &Path, overrides: &Overrides) -> Result<Config, Failure> {
    let mut flags = toml::Table::new();
    let data_dir = overrides.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    set_flag(&mut flags, "data_dir", data_dir);
    set_flag(&mut flags, "listen", overrides.listen.map(|address| address.to_string()));
    Loader::new("FINALITY_PROVIDER")
        .file(path)
        .reserved(&[
            "FINALITY_PROVIDER_CONFIG",
            "FINALITY_PROVIDER_PASSPHRASE_FROM",
            "FINALITY_PROVIDER_PASSPHRASE",
        ])
        .environment(std::env::vars_os())
        .flags(flags)
        .load()
        .fail_with(Exit::Usage)
}

/// Records of a key in two places are two signers.
fn elsewhere() -> Failure {
    Failure::new(
        Exit::Usage,
        "the sign records are with the process that signer names, not in data_dir; use a configuration without \
         signer whose data_dir is that of the eots-manager, while it is stopped",
    )
}

/// Creates records, or declares keys new in those that are there.
fn init(init: &Init, config: &Config, output: Output) -> Result<(), Failure> {
    if init.key.is_empty() {
        std::fs::create_dir_all(&config.data_dir)?;
        SignRecords::create(&config.data_dir).map_err(records_failure)?;
        match output {
            Output::Json => println!("{}", json!({"data_dir": config.data_dir})),
            Output::Text => println!("created empty sign records in {}", config.data_dir.display()),
        }
        return Ok(());
    }
    let chain_id = config.only_chain().fail_with(Exit::Usage)?.id;
    let records = eots::open_records(&config.data_dir)?;
    for key in &init.key {
        let subject = Subject { finality_provider: *key, chain_id: chain_id.clone() };
        let is_new = records.declare_new(&subject)?;
        let chain_id = chain_id.as_str();
        match (output, is_new) {
            (Output::Json, _) => {
                println!("{}", json!({"public_key": key, "chain_id": chain_id, "declared_new": is_new}));
            }
            (Output::Text, true) => println!("{key} is new on {chain_id} and may sign"),
            (Output::Text, false) => println!("{key} has a history on {chain_id} already; nothing changed"),
        }
    }
    Ok(())
}

/// Locked records, records to be mended, and an unreadable disk end the program differently.
fn records_failure(error: OpenError) -> Failure {
    let exit = match &error {
        OpenError::InUse(_) => Exit::Locked,
        OpenError::Missing(_)
        | OpenError::Exists(_)
        | OpenError::Damaged { .. }
        | OpenError::RolledBack { .. }
        | OpenError::AnchorLost(_) => Exit::Refused,
        OpenError::Io { .. } => Exit::Failure,
    };
    Failure::new(exit, error)
}

/// Asks the running daemon by the control socket, else where the boards are served.
async fn fetch_report(config: &Config) -> Result<Report, Failure> {
    match Client::find(&config.data_dir).await {
        Ok(Some(daemon)) => daemon.status().await,
        Ok(None) | Err(_) => {
            let answer = http::fetch_json(config.listen, "/status").fail_with(Exit::Unreachable)?;
            Ok(serde_json::from_value(answer)?)
        }
    }
}

async fn status(config: &Config, output: Output) -> Result<(), Failure> {
    let report = fetch_report(config).await?;
    match output {
        Output::Json => println!("{}", json!(report)),
        Output::Text => print!("{report}"),
    }
    Ok(())
}

#[cfg(test)]
mod guide_tests;
