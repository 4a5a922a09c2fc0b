//! `staker keys`: making, restoring and showing the phrase.

use super::Context;
use crate::{
    config::Config,
    keys::{Keys, Phrase, WalletDescriptors},
    table::Table,
};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    entropy::OsEntropy,
    keyfile::{KdfParams, KeyFile, Strength},
    passphrase::Asking,
};
use btc_staking_protocol::keys::{AccountAddress, StakerPublicKey};
use clap::Subcommand;
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Read},
    path::PathBuf,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest phrase read; 24 words have less than 220 bytes.
const MAX_PHRASE_BYTES: u64 = 1_024;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Draw a new phrase, show it once and seal it in the configured key file.
    Create {
        /// Number of words: 12, 15, 18, 21 or 24.
        #[arg(long, default_value_t = 24)]
        words: u8,
        /// Show the phrase even where standard output is no terminal.
        #[arg(long)]
        show_phrase: bool,
    },
    /// Seal an existing phrase, typed at a prompt or read from standard input, in the configured key file.
    Restore,
    /// Show public keys, addresses and descriptors.
    Show {
        /// Show the phrase too.
        #[arg(long)]
        show_phrase: bool,
    },
}

/// Why there is no phrase to seal.
#[derive(Debug, Error)]
enum NoPhrase {
    #[error("the phrase would be shown to nobody: run this on a terminal, or add --show-phrase")]
    Unseen,
    #[error("cannot read the phrase")]
    Read(#[source] io::Error),
    #[error("the key file holds no phrase")]
    Foreign,
}

/// What `keys` prints. Not `Debug`: it may hold the phrase.
#[derive(Serialize)]
struct KeysReport {
    key_file: PathBuf,
    network: bitcoin::Network,
    staker_key: StakerPublicKey,
    account: AccountAddress,
    descriptors: WalletDescriptors,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "show")]
    phrase: Option<Zeroizing<String>>,
}

fn show<S: serde::Serializer>(phrase: &Option<Zeroizing<String>>, to: S) -> Result<S::Ok, S::Error> {
    phrase.as_ref().map(|words| words.as_str()).serialize(to)
}

pub(super) fn run(context: &Context, config: &Config, command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { words, show_phrase } => {
            if !show_phrase && !io::stdout().is_terminal() {
                return Err(Failure::new(Exit::Usage, NoPhrase::Unseen));
            }
            let phrase = Phrase::create(*words, &OsEntropy).fail_with(Exit::Usage)?;
            seal(context, config, &phrase)?;
            print(context, config, &phrase, Some(phrase.words()))
        }
        KeysCommand::Restore => {
            let phrase = Phrase::parse(&read_phrase().map_err(NoPhrase::Read)?).fail_with(Exit::Usage)?;
            seal(context, config, &phrase)?;
            print(context, config, &phrase, None)
        }
        KeysCommand::Show { show_phrase } => {
            let phrase = open_phrase(context, config)?;
            let words = show_phrase.then(|| phrase.words());
            print(context, config, &phrase, words)
        }
    }
}

/// Opens the key file and derives the keys.
pub(super) fn open_keys(context: &Context, config: &Config) -> Result<Keys, Failure> {
    Ok(open_phrase(context, config)?.keys(config.bitcoin.network))
}

fn open_phrase(context: &Context, config: &Config) -> Result<Phrase, Failure> {
    let file = KeyFile::read(&config.key_file).fail_with(Exit::Usage)?;
    let passphrase = context.passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
    let secret = file.open(&passphrase, Strength::Required).fail_with(Exit::Refused)?;
    let text = std::str::from_utf8(&secret).map_err(|_| NoPhrase::Foreign).fail_with(Exit::Usage)?;
    Phrase::parse(text).map_err(|_| NoPhrase::Foreign).fail_with(Exit::Usage)
}

fn seal(context: &Context, config: &Config, phrase: &Phrase) -> Result<(), Failure> {
    let passphrase = context.passphrase.read(Asking::Twice).fail_with(Exit::Usage)?;
    let words = phrase.words();
    let (label, params) = ("staker phrase (BIP-39)", KdfParams::recommended());
    let file = KeyFile::seal(words.as_bytes(), &passphrase, label, params, &OsEntropy)?;
    file.write(&config.key_file).fail_with(Exit::Refused)
}

fn read_phrase() -> io::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Phrase (not shown): ").map(Zeroizing::new);
    }
    let mut text = Zeroizing::new(String::with_capacity(2_048));
    io::stdin().lock().take(MAX_PHRASE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn print(
    context: &Context,
    config: &Config,
    phrase: &Phrase,
    words: Option<Zeroizing<String>>,
) -> Result<(), Failure> {
    let keys = phrase.keys(config.bitcoin.network);
    let report = KeysReport {
        key_file: config.key_file.clone(),
        network: config.bitcoin.network,
        staker_key: keys.staker_public_key(),
        account: context.connector.account_address(&config.chain, &keys.account()).fail_with(Exit::Usage)?,
        descriptors: keys.wallet_descriptors(),
        phrase: words,
    };
    context.print(&report, |report| {
        let mut table = Table::fields();
        table.row(["staking key", &report.staker_key.to_string()]);
        table.row(["account", report.account.bech32()]);
        table.row(["receive descriptor", &report.descriptors.receive]);
        table.row(["change descriptor", &report.descriptors.change]);
        table.row(["key file", &report.key_file.display().to_string()]);
        let mut text = table.to_string();
        if let Some(phrase) = &report.phrase {
            let advice = "\nWrite these words on paper, in this order. Whoever has them has the coins:\n\n";
            text = format!("{text}{advice}    {}\n", phrase.as_str());
        }
        text
    })
}
