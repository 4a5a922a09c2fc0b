//! Commands that act for a provider on a chain: by the running daemon if there is one, since one process alone may send
//! from its accounts; otherwise here, under the lock of the data directory.

use super::signer::{Holder, fetch_holders};
use crate::{
    chains::open_registrar,
    config::{ChainPlan, Config},
    control::{Action, CannotDo, Client, Edit, Errand, Place, Prover, Registration, Resumed, Reward, Text},
    records::Records,
    service::Brake,
};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, Output},
    keyfile::unseal_secret32,
    passphrase::{Asking, PassphraseSource},
};
use btc_staking_eots_manager::records::Subject;
use btc_staking_pos_chain::connect::{AccountSecret, Connector};
use btc_staking_protocol::{
    keys::{AccountAddress, FinalityProviderPublicKey},
    rate::Decimal,
};
use btc_staking_store::OpenError;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::{fmt::Display, sync::Arc};

#[derive(Debug, Clone, Copy, Args)]
pub struct Chosen {
    /// Public key of the finality provider; may be left out if only one is configured.
    #[arg(long, alias = "eots-pk")]
    key: Option<FinalityProviderPublicKey>,
}

/// A provider named as here or, without `--key`, as the Go daemon's commands do.
#[derive(Debug, Clone, Copy, Args)]
pub struct Named {
    #[command(flatten)]
    chosen: Chosen,
    #[arg(hide = true, conflicts_with = "key")]
    pk: Option<FinalityProviderPublicKey>,
}

impl Named {
    /// The provider that is meant.
    pub fn key(self) -> Chosen {
        Chosen { key: self.chosen.key.or(self.pk) }
    }
}

#[derive(Debug, Args)]
pub struct Register {
    #[command(flatten)]
    pub chosen: Chosen,
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
    /// Commission, as a fraction: 5 % is 0.05.
    #[arg(long, default_value = "0.05")]
    commission_rate: Decimal,
    /// Highest commission it can ever have; it can never be changed.
    #[arg(long, default_value = "0.2")]
    commission_max_rate: Decimal,
    /// Largest change of the commission within a day; it can never be changed.
    #[arg(long, default_value = "0.01")]
    commission_max_change_rate: Decimal,
}

#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    pub named: Named,
    /// Name.
    #[arg(long)]
    moniker: Option<String>,
    /// Identity at a signature service.
    #[arg(long)]
    identity: Option<String>,
    /// Web site.
    #[arg(long)]
    website: Option<String>,
    /// Where to report problems.
    #[arg(long)]
    security_contact: Option<String>,
    /// Anything else.
    #[arg(long)]
    details: Option<String>,
    /// Commission, as a fraction: 5 % is 0.05. Once a day at most, within the limits given when it registered.
    #[arg(long)]
    commission_rate: Option<Decimal>,
}

#[derive(Debug, Args)]
pub struct Withdrawal {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Which rewards of the account.
    #[arg(long, default_value = "finality-provider")]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// What the finality provider earned as commission.
    FinalityProvider,
    /// What the account earned as a Bitcoin staker.
    BtcStaker,
    /// What the account earned by staking both coins.
    Costaker,
}

#[derive(Debug, Args)]
pub struct WithdrawTo {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Account that gets the rewards from now on.
    pub address: AccountAddress,
}

impl From<Register> for Action {
    fn from(register: Register) -> Self {
        let Register { moniker, identity, website, security_contact, details, .. } = register;
        Self::Register(Registration {
            description: Text { moniker, identity, website, security_contact, details },
            commission_rate: register.commission_rate,
            commission_max_rate: register.commission_max_rate,
            commission_max_change_rate: register.commission_max_change_rate,
        })
    }
}

impl From<Change> for Action {
    fn from(change: Change) -> Self {
        let Change { named: _, moniker, identity, website, security_contact, details, commission_rate } =
            change;
        Self::Edit(Edit { moniker, identity, website, security_contact, details, commission_rate })
    }
}

impl From<Withdrawal> for Action {
    fn from(withdrawal: Withdrawal) -> Self {
        Self::WithdrawRewards(match withdrawal.kind {
            Kind::FinalityProvider => Reward::FinalityProvider,
            Kind::BtcStaker => Reward::BtcStaker,
            Kind::Costaker => Reward::Costaker,
        })
    }
}

/// Does something about a provider, through the daemon if one is running.
pub async fn run(
    chosen: Chosen,
    action: Action,
    config: &Config,
    passphrase: &PassphraseSource,
    output: Output,
    connector: &dyn Connector,
) -> Result<(), Failure> {
    let answer = match Client::find(&config.data_dir).await.fail_with(Exit::Unreachable)? {
        Some(daemon) => {
            let chain = config.only_chain().fail_with(Exit::Usage)?.id.to_string();
            daemon.errand(&Errand { chain: Some(chain), key: chosen.key, action }).await?
        }
        None => {
            let records = lock(config)?;
            let place = open_place(chosen, &action, config, passphrase, connector, &records).await?;
            place.perform(action).await.map_err(CannotDo::into_failure)?
        }
    };
    show(output, &answer);
    Ok(())
}

/// Lets all keys sign again, through the daemon if one is running.
pub async fn resume(config: &Config, output: Output) -> Result<(), Failure> {
    let resumed = match Client::find(&config.data_dir).await.fail_with(Exit::Unreachable)? {
        Some(daemon) => daemon.resume().await?,
        None => Resumed { other_signer: Brake::open(lock(config)?)?.release()? },
    };
    show(output, &resumed);
    Ok(())
}

/// Prints a result as a line of JSON or in words.
pub fn show(output: Output, result: &(impl Serialize + Display)) {
    match output {
        Output::Json => println!("{}", serde_json::json!(result)),
        Output::Text => println!("{result}"),
    }
}

/// Opens the store: whoever has it open is the only one to send from the accounts.
fn lock(config: &Config) -> Result<Records, Failure> {
    Records::open(&config.data_dir).map_err(|error| match error {
        OpenError::Locked { .. } => Failure::new(
            Exit::Locked,
            format!(
                "{} is in use by a process that has no control socket there: another command, or a daemon that is just \
                 starting or stopping; wait for it or stop it",
                config.data_dir.display()
            ),
        ),
        error => Failure::new(Exit::Failure, error),
    })
}

async fn open_place(
    chosen: Chosen,
    action: &Action,
    config: &Config,
    passphrase: &PassphraseSource,
    connector: &dyn Connector,
    records: &Records,
) -> Result<Place, Failure> {
    let plan = config.only_chain().fail_with(Exit::Usage)?;
    let (key, holder) = choose(config, &plan, chosen).await?;
    let chain = connector.connect(&plan.endpoint).await.fail_with(Exit::Unreachable)?;
    let words = passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
    let prover = match action {
        Action::Register(_) => holder.into_prover(&words)?,
        Action::Edit(_)
        | Action::Unjail
        | Action::Rewards
        | Action::WithdrawRewards(_)
        | Action::SetWithdrawAddress(_) => Prover::Nobody,
    };
    let secret = AccountSecret(unseal_secret32(&plan.account_key_file, &words)?);
    let account = connector.account_address(&plan.endpoint, &secret).fail_with(Exit::Usage)?;
    let outbox = Arc::new(records.outbox(plan.id.as_str(), &account)?);
    let submitter =
        connector.open_account_with(&plan.endpoint, secret, outbox).await.fail_with(Exit::Unreachable)?;
    let registrar = match (action, &plan.unjail.account_key_file) {
        (Action::Unjail, Some(file)) => {
            let secret = AccountSecret(unseal_secret32(file, &words)?);
            let opened = open_registrar(connector, &plan.endpoint, &secret, &submitter, records).await;
            Some(opened.fail_with(Exit::Unreachable)?)
        }
        (_, _) => None,
    };
    Ok(Place {
        subject: Subject { finality_provider: key, chain_id: plan.id.clone() },
        chain,
        submitter,
        registrar,
        prover,
        denom: plan.endpoint.fee_denom.clone(),
        patience: plan.settings.submit_timeout,
    })
}

/// The provider that is meant, and who holds its key.
async fn choose(
    config: &Config,
    plan: &ChainPlan,
    chosen: Chosen,
) -> Result<(FinalityProviderPublicKey, Holder), Failure> {
    let mut held = fetch_holders(config).await?;
    held.retain(|key, _| plan.keys.as_ref().is_none_or(|keys| keys.contains(key)));
    match chosen.key {
        None if held.len() > 1 => Err(CannotDo::WhichKey(held.into_keys().collect()).into_failure()),
        None => held.pop_first().ok_or_else(|| Failure::new(Exit::Usage, "the signer has no unlocked key")),
        Some(key) => held.remove_entry(&key).ok_or_else(|| {
            let nobody =
                format!("no configured key file or signer holds finality provider {key} for {}", plan.id);
            Failure::new(Exit::Usage, nobody)
        }),
    }
}
