//! `doctor`: looks at everything a provider depends on, and says how to mend what is wrong.

use super::{
    fetch_report,
    signer::{Holder, fetch_holders},
};
use crate::{
    config::{ChainPlan, Config},
    doctor::{
        Diagnosis, Finding, Verdict,
        chain::{ChainExam, judge_keys_held},
        home::{self, KeyKind},
        pair::examine_pair,
    },
};
use btc_staking_daemon::{
    cli::{AlreadyTold, Exit, Failure, Output},
    clock::{Clock, SystemClock},
    http::fetch_json,
    keyfile::{Strength, unseal_secret32},
    passphrase::{Asking, Passphrase, PassphraseSource},
};
use btc_staking_eots_manager::{keyfiles::load_key, keys::EotsKey, records::Subject};
use btc_staking_pos_chain::connect::{AccountSecret, Connector};
use btc_staking_protocol::keys::{AccountAddress, FinalityProviderPublicKey};
use clap::Args;
use std::path::Path;

#[derive(Debug, Args)]
pub struct Examination {
    /// Open the sealed keys as well: recomputes the commitments on chain and reads the account's address.
    #[arg(long)]
    with_keys: bool,
}

pub async fn examine(
    examination: &Examination,
    path: &Path,
    config: &Config,
    plans: &[ChainPlan],
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    let mut findings = vec![home::check_config(path)];
    findings.extend(check_key_files(config, plans));
    let held = match fetch_holders(config).await {
        Ok(held) => held,
        Err(failure) => {
            if config.signer.is_some() {
                let mend = "start the eots-manager that signer names, and look at its socket's permissions";
                findings.push(Finding::failure("keys", failure.chain().join(": "), mend));
            }
            Default::default()
        }
    };
    let keys: Vec<FinalityProviderPublicKey> = held.keys().copied().collect();
    if held.values().any(|holder| matches!(holder, Holder::Elsewhere(_))) {
        findings.push(Finding::ok("keys", format!("the signer answers and holds {} keys", keys.len())));
    }
    findings.extend(home::check_data_dir(&config.data_dir));
    let subjects = |plan: &ChainPlan| -> Vec<Subject> {
        let keys = plan.keys.clone().unwrap_or_else(|| keys.clone());
        let subject = |key| Subject { finality_provider: key, chain_id: plan.id.clone() };
        keys.into_iter().map(subject).collect()
    };
    if config.signer.is_none() {
        let all: Vec<_> = plans.iter().flat_map(subjects).collect();
        findings.extend(home::check_records(&config.data_dir, &all));
    }
    let health = fetch_json(config.listen, "/healthz").ok();
    findings.extend(home::check_daemon(fetch_report(config).await.ok().as_ref(), health.as_ref()));
    if let Some(ha) = &config.ha {
        findings.extend(examine_pair(ha).await);
    }
    let words = match examination.with_keys {
        true => Some(passphrase.read(Asking::Once)?),
        false => None,
    };
    let opened = open_keys(config, words.as_ref(), &mut findings);
    for plan in plans {
        findings.extend(judge_keys_held(plan, &keys));
        let account = words.as_ref().and_then(|words| open_account(plan, words, connector, &mut findings));
        let now = SystemClock::new().since_epoch().as_secs();
        let exam = ChainExam { plan, subjects: subjects(plan), account, keys: &opened, now };
        findings.extend(exam.examine(connector).await);
    }
    tell(&Diagnosis { findings }, output)
}

fn tell(diagnosis: &Diagnosis, output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => println!("{}", serde_json::to_string(diagnosis)?),
        Output::Text => print!("{diagnosis}"),
    }
    match diagnosis.count(Verdict::Failure) {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Failure, AlreadyTold)),
    }
}

fn check_key_files(config: &Config, plans: &[ChainPlan]) -> Vec<Finding> {
    let mut accounts: Vec<&Path> = plans.iter().map(|plan| plan.account_key_file.as_path()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let eots = config.eots_key_files.iter().map(|file| home::check_key_file(file, KeyKind::Eots));
    eots.chain(accounts.into_iter().map(|file| home::check_key_file(file, KeyKind::Account))).collect()
}

fn open_keys(config: &Config, words: Option<&Passphrase>, findings: &mut Vec<Finding>) -> Vec<EotsKey> {
    let Some(words) = words else { return Vec::new() };
    let mut keys = Vec::new();
    for file in &config.eots_key_files {
        match load_key(file, words, Strength::Required) {
            Ok(key) => keys.push(key),
            Err(error) => findings.push(cannot_open(file, home::chain_of(&error))),
        }
    }
    keys
}

fn open_account(
    plan: &ChainPlan,
    words: &Passphrase,
    connector: &dyn Connector,
    findings: &mut Vec<Finding>,
) -> Option<AccountAddress> {
    let opened = unseal_secret32(&plan.account_key_file, words);
    let address = opened.map_err(|failure| failure.chain().join(": ")).and_then(|secret| {
        connector.account_address(&plan.endpoint, &AccountSecret(secret)).map_err(|e| e.to_string())
    });
    address.map_err(|error| findings.push(cannot_open(&plan.account_key_file, error))).ok()
}

fn cannot_open(file: &Path, why: String) -> Finding {
    Finding::failure(
        "keys",
        format!("{}: {why}", file.display()),
        "give the passphrase the file was sealed with",
    )
}
