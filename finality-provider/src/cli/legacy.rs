//! Commands of the Go daemon that have no counterpart: read, and answered with what to do instead. The others are hidden
//! aliases of ours (`finality-provider.md` 2.2).

use btc_staking_daemon::cli::{Exit, Failure, Output};
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Debug, Clone, Subcommand)]
pub enum Legacy {
    /// Commit randomness by hand.
    #[command(name = "unsafe-commit-pubrand", alias = "unsafe-cpr", hide = true)]
    CommitRandomness(Anything),
    /// Sign a vote by hand.
    #[command(name = "unsafe-add-finality-sig", alias = "unsafe-afs", hide = true)]
    AddVote(Anything),
    /// Rebuild proofs.
    #[command(name = "recover-rand-proof", alias = "rrp", hide = true)]
    RecoverProofs(Anything),
    /// Delete proofs.
    #[command(name = "unsafe-prune-merkle-proof", alias = "rmp", hide = true)]
    PruneProofs(Anything),
    /// Copy the database.
    #[command(name = "backup", alias = "bkp", hide = true)]
    Backup(Anything),
}

/// Whatever the Go daemon's command takes.
#[derive(Debug, Clone, Args)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _words: Vec<String>,
}

const NO_PROOFS: &str =
    "nothing to do: there is no database of proofs, each one is recomputed from the key and its commitment";

/// Says what to do instead.
pub fn run(command: &Legacy, output: Output) -> Result<(), Failure> {
    let refusal = match command {
        Legacy::RecoverProofs(_) | Legacy::PruneProofs(_) => {
            match output {
                Output::Json => println!("{}", json!({"result": NO_PROOFS})),
                Output::Text => println!("{NO_PROOFS}"),
            }
            return Ok(());
        }
        Legacy::CommitRandomness(_) => {
            "randomness is committed by the daemon alone, ahead and without holes; to commit further ahead raise \
             randomness.lead in the configuration"
        }
        Legacy::AddVote(_) => {
            "no vote is signed past the sign records, with or without --check-double-sign: two votes for one height give \
             the key away. The daemon votes for every height that can still be voted on; `status` says what it waits for"
        }
        Legacy::Backup(_) => {
            "a copy of the sign records made while they are in use is out of date at once, and signing from it would be \
             slashed. Stop the daemon and copy data_dir as a whole, or write what one key signed with `eots export`"
        }
    };
    Err(Failure::new(Exit::Refused, refusal))
}
