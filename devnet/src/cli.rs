//! The command line.

use crate::{
    bitcoin,
    chain_only::{
        self, Doors,
        tools::{self, ChainTool, Preset},
    },
    daemons::Residence,
    demo,
    dev::{self, DevArgs},
    install::Boards,
    keys::Seed,
    network::{NetworkOptions, Pace},
    processes,
    roles::Role,
    staking_chain::{Founder, babylon::Babylond, comet::Comet, embedded::Embedded},
    up,
};
use btc_staking_bitcoin_node::regtest;
use btc_staking_daemon::cli::{self, Exit, FailWith, Failure, Output};
use clap::{Args, Parser, Subcommand};
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

/// Bitcoin staking on this machine: a regtest Bitcoin node, a staking chain and every role.
#[derive(Debug, Parser)]
#[command(name = "devnet", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the whole story of three stakes, check every step, and end.
    Demo(DemoArgs),
    /// Start everything and stay until Ctrl-C.
    Up(UpArgs),
    /// The real Bitcoin node.
    Bitcoind {
        #[command(subcommand)]
        command: BitcoindCommand,
    },
    /// Act on a running devnet: mine, reorganise, finalise epochs, change parameters, export.
    Dev(DevArgs),
    /// Run the embedded staking chain alone until Ctrl-C.
    Chain(ChainArgs),
    /// Run one of the programs this one contains.
    #[command(disable_help_flag = true)]
    Role {
        /// Which program.
        name: Role,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Become a program that ends when its parent does.
    #[command(hide = true)]
    Leash {
        /// Process id of the parent.
        parent: u32,
        /// The program.
        program: PathBuf,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum BitcoindCommand {
    /// Fetch one into the cache folder, without touching the system (Debian and its relatives).
    Install,
    /// Print the one that demo and up would run.
    Path,
}

#[derive(Debug, Args)]
struct NetworkArgs {
    /// The bitcoind to run. Else BITCOIND_EXE, bitcoind on PATH, an installed one, the simulator.
    #[arg(long, value_name = "PATH", conflicts_with = "simulator")]
    bitcoind: Option<PathBuf>,
    /// Run the simulator instead of a bitcoind.
    #[arg(long)]
    simulator: bool,
    /// Run this babylond (v4) with one validator instead of the embedded staking chain; it needs a real bitcoind.
    #[arg(long, value_name = "PATH", conflicts_with = "simulator")]
    babylond: Option<PathBuf>,
    /// Run this cometbft (v0.38) with four validators over the embedded chain's application; the demo kills one of them.
    #[arg(long, value_name = "PATH", conflicts_with = "babylond")]
    cometbft: Option<PathBuf>,
    /// Milliseconds between blocks of the staking chain, at least 200.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(200..=60_000))]
    block_time_ms: Option<u64>,
    /// Milliseconds between Bitcoin blocks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(50..=600_000))]
    bitcoin_block_time_ms: Option<u64>,
    /// Put data and logs here and keep them; else a temporary folder is used and removed.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Run the roles installed in this folder instead of those this program contains.
    #[arg(long, value_name = "DIR", conflicts_with = "in_process")]
    bin_dir: Option<PathBuf>,
    /// Run the daemons inside this process, for debugging.
    #[arg(long)]
    in_process: bool,
    /// What all test keys follow from; else a new one is drawn and printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
struct DemoArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// Print progress to standard error and the result as one JSON object to standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct UpArgs {
    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct ChainArgs {
    #[command(subcommand)]
    tool: Option<ChainTool>,
    /// Genesis file: a plain one, or a document with an application state, as exported.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Parameters where no genesis is given.
    #[arg(long, value_enum, default_value = "default-genesis", conflicts_with = "genesis")]
    preset: Preset,
    /// Where the chain is kept.
    #[arg(long, value_name = "DIR", required = true)]
    data_dir: Option<PathBuf>,
    /// Run only the application and listen here for a CometBFT 0.38, which brings genesis, blocks and RPC.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["genesis", "listen", "grpc", "block_time_ms"])]
    abci: Option<SocketAddr>,
    /// Where its RPC listens.
    #[arg(long, default_value = "127.0.0.1:26657")]
    listen: SocketAddr,
    /// Answer the same queries over gRPC here.
    #[arg(long, value_name = "ADDR")]
    grpc: Option<SocketAddr>,
    /// Milliseconds between blocks, at least 200.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u64).range(200..=60_000))]
    block_time_ms: u64,
}

impl NetworkArgs {
    fn options(self, pace: Pace, boards: Boards) -> std::io::Result<NetworkOptions> {
        let block_time = self.block_time_ms.map_or(pace.block_time, Duration::from_millis);
        let bitcoin_block_time =
            self.bitcoin_block_time_ms.map_or(pace.bitcoin_block_time, Duration::from_millis);
        let chain: Arc<dyn Founder> = match (self.babylond, self.cometbft) {
            (Some(exe), _) => Arc::new(Babylond { exe }),
            (None, Some(exe)) => Arc::new(Comet { exe }),
            (None, None) => Arc::new(Embedded),
        };
        Ok(NetworkOptions {
            bitcoind: self.bitcoind,
            simulator: self.simulator,
            chain,
            pace: Pace { block_time, bitcoin_block_time, ..pace },
            boards,
            folder: self.keep,
            bin_dir: self.bin_dir,
            residence: if self.in_process { Residence::ThisProcess } else { Residence::Processes },
            seed: self.seed.map_or_else(Seed::draw, |seed| Ok(Seed(seed)))?,
        })
    }
}

/// Runs the program with its arguments; the first is its name.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Writing fails only when nobody reads; the code still tells.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    match cli.command {
        Command::Role { name, args } => name.run(args),
        Command::Leash { parent, program, args } => {
            let error = processes::leash(parent, &program, &args);
            eprintln!("error: cannot become {}: {error}", program.display());
            Exit::Failure.into()
        }
        Command::Demo(args) => {
            let output = if args.json { Output::Json } else { Output::Text };
            let mut exit = Exit::Done;
            let failed = cli::run(output, || {
                let options = args.network.options(demo::PACE, Boards::Anywhere)?;
                exit = demo::run(options, output)?;
                Ok(())
            });
            if exit == Exit::Done { failed } else { exit.into() }
        }
        Command::Up(args) => {
            cli::run(Output::Text, || up::run(args.network.options(up::PACE, Boards::Announced)?))
        }
        Command::Dev(args) => {
            cli::run(if args.json { Output::Json } else { Output::Text }, || dev::run(args))
        }
        Command::Bitcoind { command } => cli::run(Output::Text, || bitcoind(&command)),
        Command::Chain(ChainArgs { tool: Some(tool), .. }) => {
            let output = if tool.json() { Output::Json } else { Output::Text };
            cli::run(output, || {
                dev::print(&tools::run(&tool)?, tool.json());
                Ok(())
            })
        }
        Command::Chain(ChainArgs { abci: Some(listen), data_dir, .. }) => {
            cli::run(Output::Text, || chain_only::run_abci(&data_dir.unwrap_or_default(), listen))
        }
        Command::Chain(args) => cli::run(Output::Text, || {
            let block_time = Duration::from_millis(args.block_time_ms);
            let doors = Doors { rpc: args.listen, grpc: args.grpc, block_time };
            // Clap requires it wherever no tool is named.
            let data_dir = args.data_dir.unwrap_or_default();
            chain_only::run(args.genesis.as_deref(), args.preset, &data_dir, doors)
        }),
    }
}

fn bitcoind(command: &BitcoindCommand) -> Result<(), Failure> {
    match command {
        BitcoindCommand::Install => {
            let cache = regtest::cache_folder().fail_with(Exit::Usage)?;
            let mut progress = |line: &str| eprintln!("{line}");
            let installed = bitcoin::install(&cache, &mut progress)?;
            println!("{}", installed.exe.display());
            Ok(())
        }
        BitcoindCommand::Path => {
            let found = regtest::find(None).fail_with(Exit::Usage)?;
            let none = "no bitcoind: none in BITCOIND_EXE, on PATH or installed; `devnet bitcoind install` fetches one";
            let found = found.ok_or_else(|| Failure::new(Exit::NotReady, none))?;
            println!("{}", found.exe.display());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_roles_arguments_are_its_own() {
        for own in [&["--help"][..], &["--json", "list"], &["script", "--", "x"], &[]] {
            let line = ["devnet", "role", "staker"].iter().chain(own);
            let Command::Role { name, args } = Cli::try_parse_from(line).unwrap().command else { panic!() };
            assert_eq!(name, Role::Staker);
            assert_eq!(args, own, "{own:?}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [
            &["devnet", "demo", "--block-time-ms", "199"][..],
            &["devnet", "demo", "--simulator", "--bitcoind", "x"],
            &["devnet", "up", "--bin-dir", "x", "--in-process"],
            &["devnet", "role", "miner"],
            &["devnet", "chain", "--data-dir", "x", "--abci", "127.0.0.1:0", "--genesis", "y"],
        ] {
            assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        }
    }
}
