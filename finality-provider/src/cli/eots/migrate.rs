//! `eots migrate`: takes keys and sign records over from the Go manager, in one command that may be run again.
//!
//! Order: history first, then the old database is moved away, then keys. A crash in between leaves a history whose keys no
//! daemon can load yet, and an old database that can be taken over once more under either name; never a key without its
//! history, and at no instant two daemons that could both start with a key.

use super::open_records;
use crate::config::Config;
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, Output},
    entropy::OsEntropy,
    keyfile::{KdfParams, Strength},
    passphrase::{Asking, Passphrase, PassphraseSource},
};
use btc_staking_eots_manager::{
    keyfiles::{load_key, peek_key, store_key},
    keys::EotsKey,
    legacy::keyring::{Backend, TEST_PASSPHRASE},
    takeover::{HistoryReport, Reading, Takeover},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Where the Go manager's data is.
#[derive(Debug, Args)]
pub struct Migration {
    /// Home of the old manager; usually ~/.eotsd. It must be stopped, and stay so.
    #[arg(long)]
    from: PathBuf,
    /// Its database, if it is not data/eots.db below its home.
    #[arg(long)]
    db: Option<PathBuf>,
    /// Its keyring; needed only if it has both.
    #[arg(long)]
    keyring_backend: Option<KeyringBackend>,
    /// Where the passphrase of its file keyring comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
    #[arg(long, default_value = "prompt")]
    keyring_passphrase: PassphraseSource,
    /// Database of the old vote daemon (finality-provider.db), for the last height it voted for.
    #[arg(long)]
    daemon_db: Option<PathBuf>,
    /// Only read and report; write nothing anywhere.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyringBackend {
    /// Keys that in effect lie in the clear.
    Test,
    /// Keys under a passphrase.
    File,
}

/// Where a key goes.
struct Place {
    file: PathBuf,
    /// Whether an earlier run sealed it there.
    is_there: bool,
}

pub fn run(
    migration: &Migration,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
) -> Result<(), Failure> {
    let takeover = read(migration, config)?;
    let places = assign(config, &takeover)?;
    if migration.dry_run {
        print_report(&takeover, &places, None, output);
        return Ok(());
    }
    let asking = if places.iter().all(|place| place.is_there) { Asking::Once } else { Asking::Twice };
    let words = passphrase.read(asking).fail_with(Exit::Usage)?;
    let records = open_records(&config.data_dir)?;
    takeover.record(&records).fail_with(Exit::Refused)?;
    let kept = takeover.mark().fail_with(Exit::Refused)?;
    for ((_, key), place) in takeover.keys().zip(&places) {
        seal(key, place, &words)?;
    }
    print_report(&takeover, &places, Some(&kept), output);
    Ok(())
}

fn read(migration: &Migration, config: &Config) -> Result<Takeover, Failure> {
    let backend = backend(migration)?;
    let words = match backend {
        Backend::Test => Zeroizing::new(TEST_PASSPHRASE.to_vec()),
        Backend::File => {
            let words = migration.keyring_passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
            Zeroizing::new(words.bytes().to_vec())
        }
    };
    let database = migration.db.clone().unwrap_or_else(|| migration.from.join("data").join("eots.db"));
    let chain_id = config.only_chain().fail_with(Exit::Usage)?.id;
    Takeover::read(&Reading {
        database: &database,
        keyring: &migration.from.join(backend.directory()),
        passphrase: &words,
        provider_database: migration.daemon_db.as_deref(),
        chain_of_v0_13: Some(&chain_id),
        chains: std::slice::from_ref(&chain_id),
    })
    .fail_with(Exit::Refused)
}

fn backend(migration: &Migration) -> Result<Backend, Failure> {
    let has = |backend: Backend| migration.from.join(backend.directory()).is_dir();
    match (migration.keyring_backend, has(Backend::Test), has(Backend::File)) {
        (Some(KeyringBackend::Test), _, _) | (None, true, false) => Ok(Backend::Test),
        (Some(KeyringBackend::File), _, _) | (None, false, true) => Ok(Backend::File),
        (None, true, true) => {
            let both = "the old manager has a test and a file keyring: choose with --keyring-backend";
            Err(Failure::new(Exit::Usage, both))
        }
        (None, false, false) => {
            let none = format!("{} holds neither keyring-test nor keyring-file", migration.from.display());
            Err(Failure::new(Exit::Usage, none))
        }
    }
}

/// Finds a configured file for each key, in the order of [`Takeover::keys`], before anything is written.
fn assign(config: &Config, takeover: &Takeover) -> Result<Vec<Place>, Failure> {
    let holds = |file: &&PathBuf, key: &EotsKey| peek_key(file).is_ok_and(|held| held == key.public_key());
    let mut free = config.eots_key_files.iter().filter(|file| !file.exists());
    let (mut places, mut homeless) = (Vec::new(), 0_usize);
    for (_, key) in takeover.keys() {
        let there = config.eots_key_files.iter().find(|file| holds(file, key));
        match there.map(|file| (file, true)).or_else(|| free.next().map(|file| (file, false))) {
            Some((file, is_there)) => places.push(Place { file: file.clone(), is_there }),
            None => homeless += 1,
        }
    }
    let distinct: BTreeSet<&Path> = places.iter().map(|place| place.file.as_path()).collect();
    if distinct.len() < places.len() {
        return Err(Failure::new(Exit::Usage, "eots_key_files names one file twice"));
    }
    if homeless == 0 {
        return Ok(places);
    }
    let all = places.len() + homeless;
    Err(Failure::new(
        Exit::Usage,
        format!(
            "{all} keys are to be taken over: add {homeless} new file names to eots_key_files in the configuration"
        ),
    ))
}

/// Seals a key, or checks the one that is there, and reads it back: only then is the command done.
fn seal(key: &EotsKey, place: &Place, words: &Passphrase) -> Result<(), Failure> {
    if !place.is_there {
        store_key(&place.file, key, words, KdfParams::recommended(), &OsEntropy).fail_with(Exit::Refused)?;
    }
    let back = load_key(&place.file, words, Strength::Required).fail_with(Exit::Refused)?;
    back.require(&key.public_key()).fail_with(Exit::Refused)?;
    Ok(())
}

fn print_report(takeover: &Takeover, places: &[Place], kept: Option<&Path>, output: Output) {
    let histories = takeover.histories();
    if output == Output::Json {
        let keys: Vec<Value> = takeover
            .keys()
            .zip(places)
            .map(|((name, key), place)| json!({"public_key": key.public_key(), "name": name, "file": place.file}))
            .collect();
        let missing: Vec<Value> =
            takeover.missing().iter().map(|(key, name)| json!({"public_key": key, "name": name})).collect();
        let report = json!({
            "dry_run": kept.is_none(),
            "keys": keys,
            "keys_without_secret": missing,
            "names_not_taken_over": takeover.unmapped(),
            "histories": histories,
            "old_database": kept,
        });
        println!("{report}");
        return;
    }
    for ((name, key), place) in takeover.keys().zip(places) {
        println!("key      {}  {name:?} in {}", key.public_key(), place.file.display());
    }
    for (key, name) in takeover.missing() {
        println!("MISSING  {key}  the old keyring has no secret named {name:?}");
    }
    for name in takeover.unmapped() {
        println!("ignored  {name:?}: the old manager used this name for no key");
    }
    histories.iter().for_each(print_history);
    match kept {
        None => println!("nothing was written"),
        Some(kept) => {
            println!("the old database is now {}; the old manager cannot start with it", kept.display());
            println!("the chain is asked for further votes before the first signature");
        }
    }
}

fn print_history(history: &HistoryReport) {
    let HistoryReport { public_key, chain_id, records, reproduced, reproduced_with_v0, .. } = history;
    println!("history  {public_key}  {chain_id}");
    if history.watermark.is_none() {
        println!("         the old software signed nothing here, so the key counts as new");
    }
    if let (Some(lowest), Some(highest)) = (history.lowest, history.highest) {
        println!("         {records} records of heights {lowest} to {highest}");
        println!(
            "         {reproduced} signatures recomputed, {reproduced_with_v0} more with the first randomness"
        );
    }
    if let Some(watermark) = history.watermark {
        let votes = history.votes_taken_over;
        println!("         nothing new is signed up to {watermark}; {votes} votes are answered again");
    }
    let doubts = [
        (history.unverified, "could not be recomputed without the key", &Vec::new()),
        (
            history.not_reproduced,
            "are not what the key gives, barred all the same",
            &history.not_reproduced_heights,
        ),
        (history.contradicting, "heights have two votes, CHECK THE CHAIN", &history.contradicting_heights),
    ];
    for (count, what, heights) in doubts {
        if count > 0 {
            println!("WARNING  {count} {what} {heights:?}");
        }
    }
}
