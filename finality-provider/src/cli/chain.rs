//! `register` and `unjail`: one message each, followed to its outcome.

use super::signer::{Holder, fetch_holders};
use crate::config::{ChainPlan, Config};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, Output},
    keyfile::open_secret32,
    passphrase::PassphraseSource,
};
use btc_staking_pos_chain::{
    connect::{AccountSecret, Connector},
    message::{ChainMessage, CommissionRates, Description, FinalityProviderRegistration, MessageOutcome},
    ports::Submitter,
};
use btc_staking_protocol::{keys::FinalityProviderPublicKey, rate::Decimal};
use clap::Args;
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Chosen {
    /// Public key of the finality provider; may be left out if only one is configured.
    #[arg(long)]
    key: Option<FinalityProviderPublicKey>,
}

#[derive(Debug, Args)]
pub struct Registration {
    #[command(flatten)]
    chosen: Chosen,
    /// Name.
    #[arg(long)]
    moniker: String,
    /// Identity at a signature service.
    #[arg(long, default_value = "")]
    identity: String,
    /// Web site.
    #[arg(long, default_value = "")]
    website: String,
    /// Where to report problems.
    #[arg(long, default_value = "")]
    security_contact: String,
    /// Anything else.
    #[arg(long, default_value = "")]
    details: String,
    /// Commission, as a fraction.
    #[arg(long, default_value = "0.05")]
    commission_rate: Decimal,
    /// Highest commission it can ever have.
    #[arg(long, default_value = "0.2")]
    commission_max_rate: Decimal,
    /// Largest change of the commission within a day.
    #[arg(long, default_value = "0.01")]
    commission_max_change_rate: Decimal,
}

pub async fn register(
    registration: Registration,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    let (key, holder) = choose(config, &registration.chosen).await?;
    let plan = config.only_chain().fail_with(Exit::Usage)?;
    let chain = connector.connect(&plan.endpoint).await.fail_with(Exit::Unreachable)?;
    if chain.fetch_finality_provider(&key).await.fail_with(Exit::Unreachable)?.is_some() {
        print(output, &key, "registered already", None);
        return Ok(());
    }
    let account = open_account(&plan, passphrase, connector).await?;
    let message = FinalityProviderRegistration {
        account: account.account().clone(),
        finality_provider: key,
        possession: holder.prove_possession(&key, account.account(), passphrase).await?,
        description: Description {
            moniker: registration.moniker,
            identity: registration.identity,
            website: registration.website,
            security_contact: registration.security_contact,
            details: registration.details,
        },
        commission: CommissionRates {
            rate: registration.commission_rate,
            max_rate: registration.commission_max_rate,
            max_change_rate: registration.commission_max_change_rate,
        },
    };
    let address = account.account().clone();
    let message = ChainMessage::CreateFinalityProvider(Box::new(message));
    send(message, account, output, &key, "registered").await?;
    // The chain says "registered already" of an account that has another provider, too.
    if chain.fetch_finality_provider(&key).await.fail_with(Exit::Unreachable)?.is_none() {
        return Err(Failure::new(
            Exit::Rejected,
            format!(
                "{key} is not registered: account {address} belongs to another finality provider already"
            ),
        ));
    }
    Ok(())
}

pub async fn unjail(
    chosen: Chosen,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    let (key, _) = choose(config, &chosen).await?;
    let plan = config.only_chain().fail_with(Exit::Usage)?;
    let account = open_account(&plan, passphrase, connector).await?;
    send(ChainMessage::UnjailFinalityProvider(key), account, output, &key, "unjailed").await
}

/// The provider that is meant, and who holds its key.
async fn choose(config: &Config, chosen: &Chosen) -> Result<(FinalityProviderPublicKey, Holder), Failure> {
    let mut held = fetch_holders(config).await?;
    match chosen.key {
        None if held.len() > 1 => {
            Err(Failure::new(Exit::Usage, "several finality providers are configured, choose one with --key"))
        }
        None => held.pop_first().ok_or_else(|| Failure::new(Exit::Usage, "the signer has no unlocked key")),
        Some(key) => held.remove_entry(&key).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("no configured key file or signer holds finality provider {key}"),
            )
        }),
    }
}

async fn open_account(
    plan: &ChainPlan,
    passphrase: &PassphraseSource,
    connector: &dyn Connector,
) -> Result<Arc<dyn Submitter>, Failure> {
    let secret = AccountSecret(open_secret32(&plan.account_key_file, passphrase)?);
    connector.open_account(&plan.endpoint, secret).await.fail_with(Exit::Unreachable)
}

async fn send(
    message: ChainMessage,
    account: Arc<dyn Submitter>,
    output: Output,
    key: &FinalityProviderPublicKey,
    done: &str,
) -> Result<(), Failure> {
    let outcomes = account.submit(vec![message]).await.fail_with(Exit::Unreachable)?;
    match outcomes.into_iter().next() {
        Some(MessageOutcome::Accepted { tx_hash, .. }) => print(output, key, done, Some(&tx_hash)),
        Some(MessageOutcome::AlreadyDone(text)) => print(output, key, &text, None),
        Some(MessageOutcome::Refused(refusal)) => {
            return Err(Failure::new(Exit::Rejected, format!("the chain refused: {refusal}")));
        }
        Some(MessageOutcome::Unknown(error)) => return Err(Failure::new(Exit::Unreachable, error)),
        None => return Err(Failure::new(Exit::Failure, "the chain gave no outcome")),
    }
    Ok(())
}

fn print(output: Output, key: &FinalityProviderPublicKey, result: &str, tx_hash: Option<&str>) {
    match output {
        Output::Json => {
            println!("{}", json!({"finality_provider": key, "result": result, "tx_hash": tx_hash}))
        }
        Output::Text => println!("{key} {result} {}", tx_hash.unwrap_or_default()),
    }
}
