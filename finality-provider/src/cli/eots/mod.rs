//! `eots`: keys and sign records as they move between machines and programs.

mod migrate;
mod moving;
mod transfer;

use super::records_failure;
use crate::config::Config;
use btc_staking_daemon::{
    cli::{Failure, Output},
    passphrase::PassphraseSource,
};
use btc_staking_eots_manager::records::{OpenError, SignRecords};
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum Eots {
    /// Take keys and sign records over from the Go manager, and keep it from starting again.
    Migrate(migrate::Migration),
    /// Write what one key signed on the configured chain; the daemon must be stopped, and stay so if the key moves.
    Export(transfer::Export),
    /// Let another host sign with a key: bar this one above what it signed, then write what the other must import.
    HandOver(moving::HandOver),
    /// Sign with a key again that another host has handed back.
    TakeBack(moving::TakeBack),
    /// Take in what a key signed elsewhere. It only ever bars more.
    Import(transfer::Import),
    /// Write the smallest file that bars the same.
    Minify(transfer::Minify),
    /// Join files about one key on one chain.
    Merge(transfer::Merge),
}

pub fn run(
    command: &Eots,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Eots::Migrate(migration) => migrate::run(migration, config, passphrase, output),
        Eots::Export(export) => transfer::export(export, config, output),
        Eots::HandOver(over) => moving::hand_over(over, config, output),
        Eots::TakeBack(back) => moving::take_back(back, config, output),
        Eots::Import(import) => transfer::import(import, config, output),
        Eots::Minify(minify) => transfer::minify(minify, output),
        Eots::Merge(merge) => transfer::merge(merge, output),
    }
}

/// Opens the sign records; where there never were any, the ones taken over are the first.
pub(super) fn open_records(data_dir: &Path) -> Result<SignRecords, Failure> {
    std::fs::create_dir_all(data_dir)?;
    match SignRecords::open(data_dir) {
        Err(OpenError::Missing(_)) => {
            SignRecords::create(data_dir).map_err(records_failure)?;
            SignRecords::open(data_dir).map_err(records_failure)
        }
        opened => opened.map_err(records_failure),
    }
}
