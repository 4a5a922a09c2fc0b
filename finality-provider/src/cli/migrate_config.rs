//! `migrate-config`: a configuration of ours from the ones of the Go software, with a report of what became of each option
//! (`finality-provider.md` 3).
//!
//! Both files are INI; names are read without regard to case and dashes. Keys and sign records are moved by `eots migrate`.

use crate::{
    config::{Config, SAMPLE},
    machine::planner::{Lead, MAX_COUNT},
};
use btc_staking_daemon::cli::{Exit, FailWith, Failure, Output};
use clap::Args;
use serde::Serialize;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Longest file read.
const MAX_FILE: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub struct MigrateConfig {
    /// Configuration of the Go vote daemon, usually ~/.fpd/fpd.conf.
    #[arg(long)]
    fpd: PathBuf,
    /// Configuration of the Go key manager, usually ~/.eotsd/eotsd.conf.
    #[arg(long)]
    eotsd: Option<PathBuf>,
    /// New file to write; an existing one is never overwritten.
    #[arg(long)]
    to: PathBuf,
}

/// What became of one option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fate {
    option: String,
    fate: &'static str,
    note: String,
}

/// Options without a counterpart that do not matter here, each with the reason.
const IGNORED: [(&str, &str); 11] = [
    ("timestampingdelayblocks", "randomness.lead = \"auto\" computes it from the chain"),
    ("randomnesscommitinterval", "randomness is looked after all the time"),
    ("maxsubmissionretries", "nothing is given up after a number of tries"),
    ("submissionretryinterval", "retries have a backoff"),
    ("signaturesubmissioninterval", "votes go out as blocks come in"),
    ("contextsigningheight", "it has no meaning on this version of the chain"),
    ("autochainscanningmode", "the first height follows from the chain"),
    ("staticchainscanningstartheight", "the first height follows from the chain"),
    ("advancedresetlastvotedheight", "the chain and the sign records say what was voted on"),
    ("eotsmanageraddress", "keys are in eots_key_files, or with the process that [signer] names"),
    ("hmackey", "a secret stays where it is; see [signer] if the keys are in a process of their own"),
];

pub fn run(migrate: &MigrateConfig, output: Output) -> Result<(), Failure> {
    let mut config: Config = toml::from_str(SAMPLE)?;
    let mut report = Vec::new();
    for (section, name, value) in read(&migrate.fpd)? {
        let fate = take(&mut config, &section, &name, &value).fail_with(Exit::Usage)?;
        report.push(Fate { option: label(&section, &name), ..fate });
    }
    for (section, name, _) in migrate.eotsd.as_deref().map(read).transpose()?.unwrap_or_default() {
        let note =
            "eots migrate takes over keys and sign records; unsafe methods do not exist here".to_owned();
        report.push(Fate { option: format!("eotsd {}", label(&section, &name)), fate: "ignored", note });
    }
    config.plans().fail_with(Exit::Usage)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&migrate.to).fail_with(Exit::Refused)?;
    file.write_all(toml::to_string(&config)?.as_bytes())?;
    file.sync_all()?;
    match output {
        Output::Json => println!("{}", serde_json::json!({"file": migrate.to, "options": report})),
        Output::Text => {
            for Fate { option, fate, note } in &report {
                println!("{fate:8} {option}: {note}");
            }
            println!(
                "wrote {}; set data_dir and key files, then run keys import and eots migrate",
                migrate.to.display()
            );
        }
    }
    Ok(())
}

fn label(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("[{section}] {name}") }
}

/// Takes one option over, if it has a counterpart.
fn take(config: &mut Config, section: &str, name: &str, value: &str) -> Result<Fate, String> {
    let option = String::new();
    let taken = |as_what: &str| Ok(Fate { option: option.clone(), fate: "taken", note: as_what.to_owned() });
    let unreadable = || format!("{}: {value:?} cannot be read", label(section, name));
    let number = || value.parse::<u64>().map_err(|_| unreadable());
    let chain = config.chain.0.first_mut().ok_or("the sample has no chain")?;
    let endpoint = &mut chain.endpoint;
    match (section, name) {
        ("babylon", "chainid") => endpoint.id = value.to_owned(),
        ("babylon", "rpcaddress") => {
            endpoint.rpc = vec![value.to_owned()];
            return taken("chain.rpc; more nodes may be listed");
        }
        ("babylon", "accprefix") => endpoint.account_prefix = value.to_owned(),
        ("babylon", "gasadjustment") => endpoint.gas_adjustment = value.to_owned(),
        ("babylon", "gasprices") => {
            let at = value.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(unreadable)?;
            let (price, denom) = value.split_at(at);
            (endpoint.gas_price, endpoint.fee_denom) = (price.to_owned(), denom.to_owned());
            return taken("chain.gas_price and chain.fee_denom");
        }
        ("", "numpubrand") => {
            let count = number()?;
            config.randomness.count = count.min(MAX_COUNT);
            config.randomness.lead = Lead::Auto;
            if count > MAX_COUNT {
                let note = format!("randomness.count is {MAX_COUNT}, the most that is committed to at once");
                return Ok(Fate { option, fate: "changed", note });
            }
            return taken("randomness.count");
        }
        ("", "batchsubmissionsize") => {
            config.voting.batch = usize::try_from(number()?).map_err(|_| unreadable())?;
            return taken("voting.batch");
        }
        ("", "loglevel") => {
            config.log.filter = value.to_owned();
            return taken("log.filter");
        }
        ("chainpollerconfig", "pollinterval") => {
            config.voting.poll_interval_ms = milliseconds(value).ok_or_else(unreadable)?.max(10);
            return taken("voting.poll_interval_ms");
        }
        ("babylon", "timeout") => {
            config.voting.request_timeout_ms = milliseconds(value).ok_or_else(unreadable)?.max(100);
            return taken("voting.request_timeout_ms");
        }
        ("metrics", "host") => config.listen.set_ip(value.parse().map_err(|_| unreadable())?),
        ("metrics", "port") => config.listen.set_port(value.parse().map_err(|_| unreadable())?),
        ("babylon", "key" | "keyringtype" | "keydir") => {
            let note =
                "export the account's key and take it over with `keys import --which account`".to_owned();
            return Ok(Fate { option, fate: "changed", note });
        }
        (_, name) => {
            let known = IGNORED.iter().find(|(ignored, _)| *ignored == name);
            let note = known.map_or("it has no counterpart", |(_, why)| why).to_owned();
            return Ok(Fate { option, fate: "ignored", note });
        }
    }
    taken("as it is")
}

/// A duration as Go prints it, in one unit.
fn milliseconds(text: &str) -> Option<u64> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.parse::<u64>().ok()?, factor)))?;
    number.checked_mul(*factor)
}

/// The options of a file: section, name, value. The Go software's own section has an empty name.
fn read(path: &Path) -> Result<Vec<(String, String, String)>, Failure> {
    let mut text = String::new();
    File::open(path)
        .fail_with(Exit::Usage)?
        .take(MAX_FILE)
        .read_to_string(&mut text)
        .fail_with(Exit::Usage)?;
    let mut section = String::new();
    let mut options = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = plain(name);
            if section == "applicationoptions" {
                section.clear();
            }
        } else if let Some((name, value)) = line.split_once('=') {
            options.push((section.clone(), plain(name), value.trim().trim_matches('"').to_owned()));
        } else {
            let odd = format!("{}: {line:?} is no option, which is written NAME = VALUE", path.display());
            return Err(Failure::new(Exit::Usage, odd));
        }
    }
    Ok(options)
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPD: &str = "[Application Options]\nLogLevel = warn\nNumPubRand = 900000\nTimestampingDelayBlocks = 6000\n\
        HMACKey = s3cr3t\n; a comment\nBatchSubmissionSize = 1000\n\n[chainpollerconfig]\nPollInterval = 2s\n\n\
        [babylon]\nKey = finality-provider\nchain-id = bbn-1\nrpc-address = http://localhost:26657\n\
        gas-prices = 0.002ubbn\ngas-adjustment = 1.7\ntimeout = 20s\n[metrics]\nHost = 127.0.0.1\nPort = 2119\n";

    #[test]
    fn what_has_a_counterpart_is_taken_and_every_option_is_told_of() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("fpd.conf"), FPD).unwrap();
        std::fs::write(path("eotsd.conf"), "DisableUnsafeEndpoints = false\n").unwrap();
        let migrate =
            MigrateConfig { fpd: path("fpd.conf"), eotsd: Some(path("eotsd.conf")), to: path("new.toml") };
        run(&migrate, Output::Text).unwrap();
        let text = std::fs::read_to_string(path("new.toml")).unwrap();
        assert!(!text.contains("s3cr3t"));
        let config: Config = toml::from_str(&text).unwrap();
        let endpoint = &config.chain.0[0].endpoint;
        assert_eq!(
            (endpoint.id.as_str(), endpoint.rpc.as_slice()),
            ("bbn-1", ["http://localhost:26657".to_owned()].as_slice())
        );
        assert_eq!((endpoint.gas_price.as_str(), endpoint.fee_denom.as_str()), ("0.002", "ubbn"));
        assert_eq!((config.randomness.count, config.randomness.lead), (MAX_COUNT, Lead::Auto));
        assert_eq!((config.voting.batch, config.voting.poll_interval_ms), (1_000, 2_000));
        assert_eq!((config.listen.port(), config.log.filter.as_str()), (2119, "warn"));
        let again = run(&migrate, Output::Json).unwrap_err();
        assert_eq!(again.exit, Exit::Refused, "a file is never overwritten");
    }

    #[test]
    fn every_option_has_a_fate_and_a_value_that_cannot_be_read_is_named() {
        let mut config: Config = toml::from_str(SAMPLE).unwrap();
        let table = [
            ("", "numpubrand", "50000", "taken"),
            ("", "numpubrand", "900000", "changed"),
            ("babylon", "key", "x", "changed"),
            ("", "hmackey", "s3cr3t", "ignored"),
            ("", "whatever", "x", "ignored"),
        ];
        for (section, name, value, fate) in table {
            let told = take(&mut config, section, name, value).unwrap();
            assert_eq!(told.fate, fate, "{name}");
            assert!(!told.note.is_empty() && !told.note.contains("s3cr3t"));
        }
        assert!(
            take(&mut config, "", "batchsubmissionsize", "many").unwrap_err().contains("batchsubmissionsize")
        );
        assert_eq!(
            [milliseconds("20s"), milliseconds("1m"), milliseconds("5ms")],
            [Some(20_000), Some(60_000), Some(5)]
        );
        assert_eq!(milliseconds("1h30m"), None);
    }
}
