//! `keys`: making, importing and showing keys. A secret is read from a file or standard input, never from the command
//! line, and a new mnemonic is printed once.

use crate::{
    account,
    config::{Config, InvalidConfig},
};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, Output},
    entropy::{Entropy, OsEntropy},
    keyfile::{KdfParams, import_secret32, open_secret32},
    passphrase::{Asking, PassphraseSource},
};
use btc_staking_eots_manager::{
    keyfiles::{peek_key, store_key},
    keys::{Derivation, EotsKey, MNEMONIC_ENTROPY_BYTES, mnemonic_from_entropy},
    legacy::armor::{is_armor, open_armor},
};
use btc_staking_pos_chain::connect::{AccountSecret, ChainEndpoint, Connector};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const ACCOUNT_LABEL: &str = "account of a finality provider";
/// Longest secret read: 24 words and then some.
const MAX_SECRET_TEXT: u64 = 1024;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a new key from a new mnemonic, which is printed once; an existing file is never overwritten.
    Create {
        /// Which key.
        #[arg(long)]
        which: Which,
        /// Where to; by default the first configured file that does not exist.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Show the phrase even where standard output is no terminal.
        #[arg(long)]
        show_phrase: bool,
    },
    /// Take over a key: a BIP-39 phrase, or 64 hexadecimal digits that are kept exactly as they are.
    Import {
        /// Which key.
        #[arg(long)]
        which: Which,
        /// Where to; by default the first configured file that does not exist.
        #[arg(long)]
        file: Option<PathBuf>,
        /// File with the phrase, the digits, or (EOTS only) the armor that the Go manager exports; `-` for standard
        /// input.
        #[arg(long)]
        from: PathBuf,
        /// EOTS only: the public key it must be, x-only, in hex.
        #[arg(long)]
        expect: Option<FinalityProviderPublicKey>,
        /// EOTS only: how the key comes from a phrase.
        #[arg(long, default_value = "master")]
        derivation: KeyPath,
        /// Where the passphrase of an armor comes from: prompt, file:PATH, env:NAME or fd:NUMBER.
        #[arg(long, default_value = "prompt")]
        armor_passphrase: PassphraseSource,
    },
    /// List the configured key files; asks for no passphrase.
    List,
    /// Show the address of the account that pays on a chain.
    Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyPath {
    /// The BIP-32 master key, as the Go manager makes them.
    Master,
    /// 44'/118'/0'/0/0, as Cosmos wallets make them.
    Cosmos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The key a finality provider votes with.
    Eots,
    /// The account on the chain.
    Account,
}

pub fn run(
    command: Keys,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    match command {
        Keys::Create { which, file, show_phrase } => {
            if !show_phrase && !std::io::stdout().is_terminal() {
                let unseen =
                    "the phrase would be shown to nobody: run this on a terminal, or add --show-phrase";
                return Err(Failure::new(Exit::Usage, unseen));
            }
            let file = target(config, which, file)?;
            let mut entropy = Zeroizing::new([0; MNEMONIC_ENTROPY_BYTES]);
            OsEntropy.fill(&mut *entropy)?;
            let phrase = mnemonic_from_entropy(&entropy);
            let known_by = store(config, which, &file, &phrase, passphrase, connector)?;
            print_created(&file, known_by, &phrase, output)
        }
        Keys::Import { which: Which::Eots, file, from, expect, derivation, armor_passphrase } => {
            let file = target(config, Which::Eots, file)?;
            let mut key = eots_key(read_secret(&from)?.trim(), derivation, &armor_passphrase)?;
            if let Some(expected) = expect {
                key = key.require(&expected).fail_with(Exit::Refused)?;
            }
            let known_by = store_eots(&key, &file, passphrase)?;
            print(&file, known_by, output);
            Ok(())
        }
        Keys::Import { which: Which::Account, file, from, .. } => {
            let which = Which::Account;
            let file = target(config, which, file)?;
            let known_by = store(config, which, &file, read_secret(&from)?.trim(), passphrase, connector)?;
            print(&file, known_by, output);
            Ok(())
        }
        Keys::List => list(config, output),
        Keys::Address => {
            let plan = config.only_chain().fail_with(Exit::Usage)?;
            let secret = AccountSecret(open_secret32(&plan.account_key_file, passphrase)?);
            let address = connector.account_address(&plan.endpoint, &secret)?;
            print(&plan.account_key_file, ("address", address.to_string()), output);
            Ok(())
        }
    }
}

/// What a key is known by: the name and the value.
type KnownBy = (&'static str, String);

/// The file to write: the one given, or the first configured one that is free.
fn target(config: &Config, which: Which, given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let configured = match which {
        Which::Eots => config.eots_key_files.clone(),
        Which::Account => account_files(config)?,
    };
    given.or_else(|| configured.iter().find(|file| !file.exists()).cloned()).ok_or_else(|| {
        Failure::new(Exit::Refused, "every configured key file exists already; name another one with --file")
    })
}

/// The accounts that pay on the configured chains, each once.
fn account_files(config: &Config) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for plan in config.plans().fail_with(Exit::Usage)? {
        if !files.contains(&plan.account_key_file) {
            files.push(plan.account_key_file);
        }
    }
    Ok(files)
}

/// The chain whose addresses an account file is shown with: one on which it pays, else the first.
fn chain_of(config: &Config, file: &Path) -> Result<ChainEndpoint, Failure> {
    let plans = config.plans().fail_with(Exit::Usage)?;
    let plan = plans.iter().find(|plan| plan.account_key_file == file).or(plans.first());
    let plan = plan.ok_or_else(|| Failure::new(Exit::Usage, InvalidConfig::NoChain))?;
    Ok(plan.endpoint.clone())
}

/// Reads an EOTS key from a phrase, from digits or from the armor of the Go manager.
fn eots_key(
    text: &str,
    derivation: KeyPath,
    armor_passphrase: &PassphraseSource,
) -> Result<EotsKey, Failure> {
    if is_armor(text) {
        let words = armor_passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
        return open_armor(text, words.bytes()).fail_with(Exit::Usage);
    }
    let derivation = match derivation {
        KeyPath::Master => Derivation::Master,
        KeyPath::Cosmos => Derivation::Cosmos,
    };
    let is_phrase = text.contains(char::is_whitespace);
    let key =
        if is_phrase { EotsKey::from_mnemonic_at(text, derivation) } else { EotsKey::from_secret_hex(text) };
    key.fail_with(Exit::Usage)
}

fn store_eots(key: &EotsKey, file: &Path, passphrase: &PassphraseSource) -> Result<KnownBy, Failure> {
    let words = passphrase.read(Asking::Twice).fail_with(Exit::Usage)?;
    store_key(file, key, &words, KdfParams::recommended(), &OsEntropy).fail_with(Exit::Refused)?;
    Ok(("public_key", key.public_key().to_string()))
}

/// Seals a new EOTS key given as phrase, or an account given as phrase or digits.
fn store(
    config: &Config,
    which: Which,
    file: &Path,
    text: &str,
    passphrase: &PassphraseSource,
    connector: &dyn Connector,
) -> Result<KnownBy, Failure> {
    let is_phrase = text.contains(char::is_whitespace);
    match which {
        Which::Eots => store_eots(&EotsKey::from_mnemonic(text).fail_with(Exit::Usage)?, file, passphrase),
        Which::Account => {
            let secret = if is_phrase {
                account::secret_of_mnemonic(text).fail_with(Exit::Usage)?
            } else {
                let mut secret = Zeroizing::new([0; 32]);
                hex::decode_to_slice(text, secret.as_mut_slice()).map_err(|_| {
                    Failure::new(Exit::Usage, "give a BIP-39 phrase or 64 hexadecimal digits")
                })?;
                secret
            };
            // Before it is sealed: a secret that is no key is refused here.
            let endpoint = chain_of(config, file)?;
            let address = connector.account_address(&endpoint, &AccountSecret(secret.clone()));
            let address = address.fail_with(Exit::Usage)?;
            import_secret32(&secret, file, passphrase, ACCOUNT_LABEL, &OsEntropy)?;
            Ok(("address", address.to_string()))
        }
    }
}

fn read_secret(from: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(2 * usize::try_from(MAX_SECRET_TEXT)?));
    if from == Path::new("-") {
        std::io::stdin().lock().take(MAX_SECRET_TEXT).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(from).fail_with(Exit::Usage)?;
        file.take(MAX_SECRET_TEXT).read_to_string(&mut text)?;
    }
    Ok(text)
}

fn list(config: &Config, output: Output) -> Result<(), Failure> {
    let eots: Vec<Value> = config
        .eots_key_files
        .iter()
        .map(|file| match peek_key(file) {
            Ok(key) => json!({"file": file, "public_key": key}),
            Err(error) => json!({"file": file, "problem": error.to_string()}),
        })
        .collect();
    let account = |file: &PathBuf| json!({"file": file, "exists": file.exists()});
    let accounts: Vec<Value> = account_files(config)?.iter().map(account).collect();
    match output {
        Output::Json => println!("{}", json!({"eots": eots, "accounts": accounts})),
        Output::Text => {
            for key in &eots {
                let what = key["public_key"].as_str().or(key["problem"].as_str()).unwrap_or_default();
                println!("eots     {what}  {}", key["file"].as_str().unwrap_or_default());
            }
            for account in &accounts {
                let missing = if account["exists"] == true { "" } else { "  (does not exist)" };
                println!("account  {}{missing}", account["file"].as_str().unwrap_or_default());
            }
        }
    }
    Ok(())
}

fn print(file: &Path, (name, value): KnownBy, output: Output) {
    match output {
        Output::Json => println!("{}", json!({"file": file, name: value})),
        Output::Text => println!("{value}"),
    }
}

/// Shows the phrase once. Written out piece by piece, so that no copy of it stays behind in a buffer of ours.
fn print_created(file: &Path, (name, value): KnownBy, phrase: &str, output: Output) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match output {
        // The words are plain lower-case letters and spaces and need no escaping.
        Output::Json => {
            write!(out, "{{\"file\":{},\"{name}\":{},\"mnemonic\":\"", json!(file), json!(value))?;
            out.write_all(phrase.as_bytes())?;
            writeln!(out, "\"}}")?;
        }
        Output::Text => {
            writeln!(out, "{value}")?;
            writeln!(out, "Write these words down; they are the key and are not shown again:")?;
            out.write_all(phrase.as_bytes())?;
            writeln!(out)?;
        }
    }
    Ok(())
}
