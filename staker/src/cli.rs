//! The command line: arguments, and which file answers which command.

use crate::{
    config::{Config, SAMPLE},
    script::ScriptQuestion,
};
use bitcoin::Network;
use btc_staking_daemon::{
    cli::{self, Exit, FailWith, Failure, Output, block_on},
    config::{Loader, set_flag},
    passphrase::PassphraseSource,
    telemetry::{self, TelemetryError},
};
use btc_staking_pos_chain::connect::Connector;
use btc_staking_protocol::{
    height::{Timelock, TimelockOutOfRange},
    keys::{CovenantPublicKey, FinalityProviderPublicKey, StakerPublicKey},
};
use clap::{Args, Parser, Subcommand};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

mod keys;
mod session;
mod stakes;
mod talk;

/// The holder's command line: locks bitcoins in a stake, leaves early, and takes them back.
#[derive(Debug, Parser)]
#[command(name = "staker", version)]
struct Cli {
    /// Configuration file; see `staker config`.
    #[arg(long, global = true, default_value = "staker.toml", env = "STAKER_CONFIG")]
    config: PathBuf,
    /// Where records are kept, in place of the configuration's folder.
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the passphrase of the key file comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, global = true, default_value = "prompt", env = "STAKER_PASSPHRASE_FROM")]
    passphrase: PassphraseSource,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a stake locks, offline: scripts, addresses and descriptors of its three outputs.
    Script(ScriptArgs),
    /// The phrase that gives the wallet, the staking key and the account of the staking chain.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Print a complete configuration file to start from.
    Config,
    #[command(flatten)]
    Chains(ChainCommand),
}

/// The commands that talk to a node.
#[derive(Debug, Subcommand)]
enum ChainCommand {
    /// Show an address to receive bitcoins at.
    Address(stakes::AddressArgs),
    /// Show what the wallet holds.
    Balance,
    /// Lock bitcoins in a stake.
    Stake(stakes::StakeArgs),
    /// Go on with stakes that are under way.
    Resume(stakes::ResumeArgs),
    /// Give up a stake that is not signed yet; its coins are free again.
    Abandon(stakes::StakeName),
    /// List all stakes.
    List(stakes::ListArgs),
    /// Show one stake.
    Show(stakes::StakeName),
    /// Leave a stake early; its coins are free after the unbonding time.
    Unbond(stakes::StakeName),
    /// Take coins back: of an expired stake, of an unbonding, or what a slashing left.
    Withdraw(stakes::WithdrawArgs),
}

#[derive(Debug, Args)]
struct ScriptArgs {
    /// The holder's key: 32 bytes x-only, in hex.
    #[arg(long, value_name = "HEX32")]
    staker_key: StakerPublicKey,
    /// Finality providers' keys, in any order.
    #[arg(long, value_name = "HEX32", num_args = 1.., required = true)]
    finality_provider: Vec<FinalityProviderPublicKey>,
    /// Covenant members' keys, in any order.
    #[arg(long, value_name = "HEX32", num_args = 1.., required = true)]
    covenant: Vec<CovenantPublicKey>,
    /// Covenant signatures that are needed.
    #[arg(long, value_name = "N")]
    quorum: u32,
    /// Timelock of the stake.
    #[arg(long, value_name = "BLOCKS", value_parser = parse_timelock)]
    timelock: Timelock,
    /// Timelock of the unbonding output and of slashing refunds.
    #[arg(long, value_name = "BLOCKS", value_parser = parse_timelock)]
    unbonding_time: Timelock,
    /// Bitcoin network of the addresses: mainnet, testnet, testnet4, signet or regtest.
    #[arg(long, value_name = "NAME", value_parser = parse_network)]
    network: Network,
}

/// Runs the program with its arguments (the first is its name); `connector` brings the chain's adapter.
pub fn main_with(args: impl IntoIterator<Item = OsString>, connector: Arc<dyn Connector>) -> ExitCode {
    let output = |cli: &Cli| if cli.json { Output::Json } else { Output::Text };
    cli::parse_and_run(args, output, |cli, output| Context::new(&cli, output, connector).run(cli.command))
}

/// What every command needs.
struct Context {
    config_file: PathBuf,
    data_dir: Option<PathBuf>,
    passphrase: PassphraseSource,
    output: Output,
    connector: Arc<dyn Connector>,
}

impl Context {
    fn new(cli: &Cli, output: Output, connector: Arc<dyn Connector>) -> Self {
        let (config_file, data_dir) = (cli.config.clone(), cli.data_dir.clone());
        Self { config_file, data_dir, passphrase: cli.passphrase.clone(), output, connector }
    }

    fn run(&self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Config => {
                print!("{SAMPLE}");
                Ok(())
            }
            Command::Script(args) => self.script(args),
            Command::Keys { command } => keys::run(self, &self.load()?, &command),
            Command::Chains(command) => {
                let config = self.load()?;
                start_logging(&config)?;
                block_on(self.ask_chains(&config, command))
            }
        }
    }

    async fn ask_chains(&self, config: &Config, command: ChainCommand) -> Result<(), Failure> {
        match command {
            ChainCommand::Address(args) => self.address(config, &args).await,
            ChainCommand::Balance => self.balance(config).await,
            ChainCommand::Stake(args) => self.stake(config, args).await,
            ChainCommand::Resume(args) => self.resume(config, args).await,
            ChainCommand::Abandon(name) => self.abandon(config, &name).await,
            ChainCommand::List(args) => self.list(config, &args).await,
            ChainCommand::Show(name) => self.show(config, &name).await,
            ChainCommand::Unbond(name) => self.unbond(config, &name).await,
            ChainCommand::Withdraw(args) => self.withdraw(config, args).await,
        }
    }

    fn script(&self, args: ScriptArgs) -> Result<(), Failure> {
        let question = ScriptQuestion {
            staker: args.staker_key,
            finality_providers: args.finality_provider,
            covenant: args.covenant,
            quorum: args.quorum,
            staking_time: args.timelock,
            unbonding_time: args.unbonding_time,
            network: args.network,
        };
        let report = question.answer().fail_with(Exit::Usage)?;
        self.print(&report, |report| report.to_table())
    }

    fn load(&self) -> Result<Config, Failure> {
        load(&self.config_file, self.data_dir.as_deref())
    }

    /// Prints a result for scripts or, as `text` puts it, for people.
    fn print<T: serde::Serialize>(&self, result: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.output {
            Output::Json => println!("{}", serde_json::to_string(result)?),
            Output::Text => print!("{}", text(result)),
        }
        Ok(())
    }
}

/// Starts logging; a program that runs this one inside itself has started it already.
fn start_logging(config: &Config) -> Result<(), Failure> {
    match telemetry::init(&config.log) {
        Ok(()) | Err(TelemetryError::AlreadyStarted) => Ok(()),
        Err(error @ TelemetryError::Filter { .. }) => Err(Failure::new(Exit::Usage, error)),
    }
}

fn load(file: &Path, data_dir: Option<&Path>) -> Result<Config, Failure> {
    let mut flags = toml::Table::new();
    set_flag(&mut flags, "data_dir", data_dir.map(|path| path.to_string_lossy().into_owned()));
    Loader::of_program("STAKER", file).flags(flags).load().fail_with(Exit::Usage)
}

fn parse_timelock(text: &str) -> Result<Timelock, String> {
    let blocks: u32 = text.parse().map_err(|_| "a number of blocks from 1 to 65535 is wanted".to_owned())?;
    Timelock::from_blocks(blocks).map_err(|error: TimelockOutOfRange| error.to_string())
}

fn parse_network(text: &str) -> Result<Network, String> {
    match text {
        "mainnet" | "bitcoin" => Ok(Network::Bitcoin),
        "testnet" => Ok(Network::Testnet),
        "testnet4" => Ok(Network::Testnet4),
        "signet" => Ok(Network::Signet),
        "regtest" => Ok(Network::Regtest),
        _ => Err("it must be mainnet, testnet, testnet4, signet or regtest".to_owned()),
    }
}
