//! `eots`: keys and sign records as they move between machines and programs.

mod migrate;

use crate::config::Config;
use btc_staking_daemon::{
    cli::{Failure, Output},
    passphrase::PassphraseSource,
};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Eots {
    /// Take keys and sign records over from the Go manager, and keep it from starting again.
    Migrate(migrate::Migration),
}

pub fn run(
    command: &Eots,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Eots::Migrate(migration) => migrate::run(migration, config, passphrase, output),
    }
}
