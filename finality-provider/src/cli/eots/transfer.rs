//! `eots export`, `import`, `minify` and `merge`: sign records as files (`docs/interchange.md`).

use super::open_records;
use crate::{cli::records_failure, config::Config};
use btc_staking_daemon::cli::{Exit, FailWith, Failure, Output};
use btc_staking_eots_manager::{
    interchange::Interchange,
    records::{ChainId, SignRecords, Subject},
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use clap::Args;
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub struct Export {
    /// The key, x-only, in hex.
    #[arg(long)]
    key: FinalityProviderPublicKey,
    /// The chain, if not the configured one.
    #[arg(long)]
    chain_id: Option<ChainId>,
    /// New file to write; an existing one is never overwritten.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub struct Import {
    /// File to take in.
    #[arg(long)]
    from: PathBuf,
}

#[derive(Debug, Args)]
pub struct Minify {
    /// File to make smaller.
    file: PathBuf,
    /// New file to write.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub struct Merge {
    /// Files to join.
    #[arg(required = true, num_args = 2..)]
    files: Vec<PathBuf>,
    /// New file to write.
    #[arg(long)]
    to: PathBuf,
}

pub fn export(export: &Export, config: &Config, output: Output) -> Result<(), Failure> {
    let chain_id = match &export.chain_id {
        Some(chain_id) => chain_id.clone(),
        None => config.only_chain().fail_with(Exit::Usage)?.id,
    };
    let subject = Subject { finality_provider: export.key, chain_id };
    let records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    write(&Interchange::export(&records, &subject)?, &export.to, output)
}

pub fn import(import: &Import, config: &Config, output: Output) -> Result<(), Failure> {
    let file = read(&import.from)?;
    file.import(&open_records(&config.data_dir)?).fail_with(Exit::Refused)?;
    print(&file, &import.from, output);
    Ok(())
}

pub fn minify(minify: &Minify, output: Output) -> Result<(), Failure> {
    write(&read(&minify.file)?.minify(), &minify.to, output)
}

pub fn merge(merge: &Merge, output: Output) -> Result<(), Failure> {
    let mut merged: Option<Interchange> = None;
    for path in &merge.files {
        let file = read(path)?;
        merged = Some(match merged {
            None => file,
            Some(before) => before.merge(file).fail_with(Exit::Refused)?,
        });
    }
    let merged = merged.ok_or_else(|| Failure::new(Exit::Usage, "no files to merge"))?;
    write(&merged, &merge.to, output)
}

pub(super) fn read(path: &Path) -> Result<Interchange, Failure> {
    let file = File::open(path).fail_with(Exit::Usage)?;
    Interchange::read(file)?
        .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", path.display())))
}

pub(super) fn write(file: &Interchange, to: &Path, output: Output) -> Result<(), Failure> {
    let mut new = OpenOptions::new().write(true).create_new(true).open(to).fail_with(Exit::Refused)?;
    new.write_all(file.to_json().as_bytes())?;
    new.sync_all()?;
    print(file, to, output);
    Ok(())
}

pub(super) fn print(file: &Interchange, path: &Path, output: Output) {
    let Subject { finality_provider, chain_id } = file.subject();
    let high = file.watermarks().map(|marks| marks.high.to_u64());
    let signed = file.signed().count();
    match output {
        Output::Json => println!(
            "{}",
            json!({
                "file": path, "public_key": finality_provider, "chain_id": chain_id.as_str(),
                "signed": signed, "barred_up_to": high,
            })
        ),
        Output::Text => {
            let barred = high.map_or("nothing is barred".to_owned(), |high| format!("barred up to {high}"));
            println!(
                "{finality_provider} on {chain_id}: {signed} heights listed, {barred} ({})",
                path.display()
            );
        }
    }
}
