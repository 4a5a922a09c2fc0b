//! `devnet dev`: what a developer does to a running devnet (`devnet up --keep DIR`) from another terminal.
//!
//! | command | what it does |
//! |---|---|
//! | `mine` | mines Bitcoin blocks at once |
//! | `reorg` | replaces the topmost Bitcoin blocks by one more of others |
//! | `finalise-epoch` | waits for the running epoch's end and mines until it is final on Bitcoin |
//! | `jump-params` | appends a version of the staking parameters |
//! | `resume-finality` | jails absent finality providers and takes their power back to where finality halted |
//! | `export` | writes the chain's state as a genesis document; `devnet chain --genesis` goes on from it |
//!
//! Every command finds the devnet by its folder ([`place`]) and ends when what it was asked for is seen on the chain.
//! Results go to standard output, as one JSON object with `--json`; progress goes to standard error.

mod authority;
mod bitcoin;
mod client;
pub mod place;

use self::{client::Client, place::Place};
use btc_staking_daemon::cli::{Exit, Failure};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::{path::PathBuf, time::Duration};

/// How long a fact may take to be seen on the chain, beyond the blocks it waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// Arguments of `devnet dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Folder of the running devnet, the one that `devnet up --keep` was given.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(subcommand)]
    command: DevCommand,
}

#[derive(Debug, Subcommand)]
enum DevCommand {
    /// Mine Bitcoin blocks at once.
    Mine {
        /// How many.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        blocks: u32,
    },
    /// Replace the topmost Bitcoin blocks by one more of others.
    Reorg {
        /// How many blocks are replaced.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        depth: u32,
        /// Go so deep that the staking chain halts: to its confirmation depth or beyond.
        #[arg(long)]
        halt: bool,
    },
    /// Wait for the end of the running epoch and mine until it is final on Bitcoin.
    FinaliseEpoch,
    /// Append a version of the staking parameters: the newest one with changes.
    JumpParams {
        /// A field and its new value as JSON, such as `unbonding_time_blocks=8`; may be repeated.
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        changes: Vec<String>,
        /// Bitcoin height from which it applies; else the next one.
        #[arg(long, value_name = "HEIGHT")]
        at: Option<u32>,
    },
    /// Jail finality providers that stopped voting and take their power back to where finality halted.
    ResumeFinality {
        /// Their keys; else those with power at that height that did not vote.
        absent: Vec<FinalityProviderPublicKey>,
        /// First height that is not final; else the one after the last final block.
        #[arg(long, value_name = "HEIGHT")]
        halted_at: Option<u64>,
    },
    /// Write the chain's state as a genesis document.
    Export {
        /// The file.
        #[arg(value_name = "FILE")]
        out: PathBuf,
    },
}

/// Runs a command.
///
/// # Errors
/// [`Failure`]: no devnet runs in the folder, or what was asked for is refused or not seen in time.
pub fn run(args: DevArgs) -> Result<(), Failure> {
    let place = Place::read(&args.folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let client = Client::connect(place).await?;
        match args.command {
            DevCommand::Mine { blocks } => bitcoin::mine(&client, blocks).await,
            DevCommand::Reorg { depth, halt } => bitcoin::reorg(&client, depth, halt).await,
            DevCommand::FinaliseEpoch => bitcoin::finalise_epoch(&client).await,
            DevCommand::JumpParams { changes, at } => authority::jump_params(&client, &changes, at).await,
            DevCommand::ResumeFinality { absent, halted_at } => {
                authority::resume_finality(&client, absent, halted_at).await
            }
            DevCommand::Export { out } => client.export(&out).await,
        }
    })?;
    print(&result, args.json);
    Ok(())
}

/// One JSON object, or a line for each of its fields.
pub fn print(result: &Value, json: bool) {
    match result {
        Value::Object(fields) if !json => {
            for (name, value) in fields {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                println!("{:24} {text}", name.replace('_', " "));
            }
        }
        other => println!("{other}"),
    }
}

/// Says on standard error what is being waited for.
fn progress(text: std::fmt::Arguments<'_>) {
    eprintln!("{text}");
}

/// Waits until `fact` has a value.
async fn until<T, F: Future<Output = Result<Option<T>, Failure>>>(
    what: &str,
    deadline: Duration,
    fact: impl Fn() -> F,
) -> Result<T, Failure> {
    let wait = async {
        loop {
            if let Some(value) = fact().await? {
                return Ok(value);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let late = |_| Failure::new(Exit::NotReady, format!("{what}: not seen within {deadline:?}"));
    tokio::time::timeout(deadline, wait).await.map_err(late)?
}
