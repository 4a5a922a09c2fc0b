//! The commands about stakes and coins: `stake`, `resume`, `abandon`, `list`, `show`, `unbond`, `withdraw`, `address`,
//! `balance`.

use super::{
    Context,
    keys::open_keys,
    parse_timelock,
    session::{service_failure, stake_failure, unbond_failure, withdraw_failure},
    talk::{agree, describe_plan, explain},
};
use crate::{
    amount::{AmountArg, FeeRateArg},
    config::Config,
    keys::Keys,
    machine::Report,
    report::{ListReport, StakeReport, WithdrawalReport},
    service::{ChainAccess, Goal, Progress, Service, StakeOrder, WithdrawalOrder},
    table::Table,
    wallet::NextAddress,
};
use bitcoin::Txid;
use btc_staking_daemon::cli::{Exit, Failure};
use btc_staking_pos_chain::PosChain;
use btc_staking_protocol::{
    height::Timelock,
    keys::FinalityProviderPublicKey,
    params::ParamsVersion,
    tx::withdrawal::{InvalidDestination, parse_destination},
};
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Largest fee unless the holder says otherwise.
const MAX_FEE: &str = "100000sat";

#[derive(Debug, Args)]
pub(super) struct StakeArgs {
    /// How much: 500000sat, 0.005btc, or satoshis alone.
    #[arg(long)]
    amount: AmountArg,
    /// The finality provider's key.
    #[arg(long, value_name = "HEX32")]
    finality_provider: FinalityProviderPublicKey,
    /// How long.
    #[arg(long, value_name = "BLOCKS", value_parser = parse_timelock)]
    timelock: Timelock,
    #[command(flatten)]
    fees: FeeArgs,
    /// Trust a params version of a public network that this program does not know; the plan shows it.
    #[arg(long, value_name = "N")]
    accept_params_version: Option<u32>,
    /// Do not ask before the stake is made.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
struct FeeArgs {
    /// Feerate in sat/vB, such as 1.5; the node's estimate otherwise.
    #[arg(long, value_name = "SAT/VB")]
    fee_rate: Option<FeeRateArg>,
    /// Largest fee.
    #[arg(long, value_name = "AMOUNT", default_value = MAX_FEE)]
    max_fee: AmountArg,
}

#[derive(Debug, Args)]
struct WaitArgs {
    /// How far to go before returning.
    #[arg(long, value_enum, default_value = "broadcast")]
    wait: Goal,
    /// Longest wait in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u32,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The stake; all that are under way when absent.
    txid: Option<Txid>,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(super) struct StakeName {
    /// Staking transaction of the stake.
    txid: Txid,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Do not ask the staking chain.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    /// Staking transactions of the stakes.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    txid: Vec<Txid>,
    /// Everything that can be withdrawn now, in one transaction.
    #[arg(long)]
    all: bool,
    /// Where the coins go; an address of the wallet otherwise.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    #[command(flatten)]
    fees: FeeArgs,
}

#[derive(Debug, Args)]
pub(super) struct AddressArgs {
    /// Show one that was never shown before.
    #[arg(long)]
    new: bool,
}

impl Context {
    pub(super) async fn stake(&self, config: &Config, args: StakeArgs) -> Result<(), Failure> {
        let keys = open_keys(self, config)?;
        let mut service = self.open_service(config, Some(&keys)).await?;
        let chain = self.open_chain(config, &keys).await?;
        let order = StakeOrder {
            amount: args.amount.0,
            finality_provider: args.finality_provider,
            staking_time: args.timelock,
            feerate: args.fees.fee_rate.map(|rate| rate.0),
            max_fee: args.fees.max_fee.0,
            accepted_params: args.accept_params_version.map(ParamsVersion),
        };
        let plan = service.plan(&order, &chain, &config.chain.fee_denom, &keys).await;
        let plan = plan.map_err(stake_failure)?;
        eprint!("{}", describe_plan(&plan));
        if !args.yes {
            agree()?;
        }
        let txid = service.record_plan(plan).map_err(service_failure)?;
        self.take_up_others(&mut service, &txid, &chain, &keys).await;
        self.go_on(&mut service, txid, &args.wait, &chain, &keys).await?;
        self.print_stake(&service, &txid, Some(&*chain.reader)).await
    }

    pub(super) async fn resume(&self, config: &Config, args: ResumeArgs) -> Result<(), Failure> {
        let keys = open_keys(self, config)?;
        let mut service = self.open_service(config, Some(&keys)).await?;
        let chain = self.open_chain(config, &keys).await?;
        let txids = match args.txid {
            Some(txid) => vec![service.stake(&txid).map_err(service_failure)?.stake().txid()],
            None => under_way(&service),
        };
        service.send_again().await.map_err(service_failure)?;
        let mut failed = None;
        for txid in &txids {
            if let Err(failure) = self.go_on(&mut service, *txid, &args.wait, &chain, &keys).await {
                failed = Some(failure);
            }
        }
        match failed {
            Some(failure) if txids.len() == 1 => Err(failure),
            Some(failure) => Err(Failure::new(Exit::Partial, failure.error)),
            None => self.print_list(&service, txids, Some(&*chain.reader)).await,
        }
    }

    pub(super) async fn abandon(&self, config: &Config, name: &StakeName) -> Result<(), Failure> {
        let mut service = self.open_service(config, None).await?;
        let report = service.abandon(&name.txid).map_err(service_failure)?;
        if let Some(report @ Report::TooLateToAbandon) = report {
            return Err(Failure::new(Exit::Refused, report));
        }
        self.print_stake(&service, &name.txid, None).await
    }

    pub(super) async fn list(&self, config: &Config, args: &ListArgs) -> Result<(), Failure> {
        let mut service = self.open_service(config, None).await?;
        service.sync().await.map_err(service_failure)?;
        let reader = if args.offline { None } else { self.open_reader_if_up(config).await? };
        let all = service.stakes().map(|machine| machine.stake().txid()).collect();
        self.print_list(&service, all, reader.as_deref()).await
    }

    pub(super) async fn show(&self, config: &Config, name: &StakeName) -> Result<(), Failure> {
        let mut service = self.open_service(config, None).await?;
        service.sync().await.map_err(service_failure)?;
        let reader = self.open_reader_if_up(config).await?;
        self.print_stake(&service, &name.txid, reader.as_deref()).await
    }

    pub(super) async fn unbond(&self, config: &Config, name: &StakeName) -> Result<(), Failure> {
        let keys = open_keys(self, config)?;
        let mut service = self.open_service(config, Some(&keys)).await?;
        service.unbond(&name.txid, &keys).await.map_err(unbond_failure)?;
        self.print_stake(&service, &name.txid, None).await
    }

    pub(super) async fn withdraw(&self, config: &Config, args: WithdrawArgs) -> Result<(), Failure> {
        let destination = args.to.as_deref().map(|text| parse_destination(text, config.bitcoin.network));
        let destination = destination.transpose().map_err(|error| {
            let exit = match error {
                InvalidDestination::NotAnAddress(_) => Exit::Usage,
                InvalidDestination::ForeignNetwork { .. } => Exit::Refused,
            };
            Failure::new(exit, error)
        })?;
        let keys = open_keys(self, config)?;
        let mut service = self.open_service(config, Some(&keys)).await?;
        let order = WithdrawalOrder {
            stakes: if args.all { None } else { Some(args.txid) },
            destination,
            feerate: args.fees.fee_rate.map(|rate| rate.0),
            max_fee: args.fees.max_fee.0,
        };
        let withdrawn = service.withdraw(order, &keys).await.map_err(withdraw_failure)?;
        self.print(&WithdrawalReport::new(&withdrawn), WithdrawalReport::to_table)
    }

    pub(super) async fn address(&self, config: &Config, args: &AddressArgs) -> Result<(), Failure> {
        let mut service = self.open_service(config, None).await?;
        service.sync().await.map_err(service_failure)?;
        let which = if args.new { NextAddress::New } else { NextAddress::Unused };
        let address = service.address(which).map_err(service_failure)?;
        self.print(&json!({"address": address.to_string()}), |_| format!("{address}\n"))
    }

    pub(super) async fn balance(&self, config: &Config) -> Result<(), Failure> {
        let mut service = self.open_service(config, None).await?;
        let tip = service.sync().await.map_err(service_failure)?;
        let balance = service.wallet().balance();
        let report = json!({
            "btc_height": tip.height,
            "spendable_sat": balance.spendable.to_sat(),
            "reserved_sat": balance.reserved.to_sat(),
            "pending_sat": balance.pending.to_sat(),
            "immature_sat": balance.immature.to_sat(),
        });
        self.print(&report, |_| {
            let mut table = Table::fields();
            for (name, amount) in [
                ("spendable", balance.spendable),
                ("reserved", balance.reserved),
                ("pending", balance.pending),
                ("immature", balance.immature),
            ] {
                table.row([name, &format!("{} sat", amount.to_sat())]);
            }
            table.to_string()
        })
    }

    /// Brings a stake as far as asked for and says why if it does not come there.
    async fn go_on(
        &self,
        service: &mut Service,
        txid: Txid,
        wait: &WaitArgs,
        chain: &ChainAccess,
        keys: &Keys,
    ) -> Result<(), Failure> {
        let timeout = Duration::from_secs(wait.timeout.into());
        let progress = service.advance_until(&txid, wait.wait, timeout, chain, keys).await;
        match progress.map_err(service_failure)? {
            Progress::Reached => Ok(()),
            Progress::Waiting(report) => {
                let machine = service.stake(&txid).map_err(service_failure)?;
                let state = StakeReport::new(service, machine, None).state();
                Err(explain(txid, state, &machine.stake().step, report))
            }
        }
    }

    /// Brings stakes that an earlier command left behind further, as far as that takes no waiting. One that is not
    /// signed stays so: its holder may have stopped it there on purpose.
    async fn take_up_others(&self, service: &mut Service, but: &Txid, chain: &ChainAccess, keys: &Keys) {
        for txid in under_way(service).into_iter().filter(|txid| txid != but) {
            let signed = service.stake(&txid).is_ok_and(|machine| machine.stake().signed_tx().is_some());
            let goal = if signed { Goal::Broadcast } else { Goal::Verified };
            if let Err(error) = service.advance(&txid, goal, chain, keys).await {
                tracing::warn!(staking_txid = %txid, %error, "an earlier stake could not be taken up");
            }
        }
    }

    async fn print_stake(
        &self,
        service: &Service,
        txid: &Txid,
        reader: Option<&dyn PosChain>,
    ) -> Result<(), Failure> {
        let report = describe(service, txid, reader).await?;
        self.print(&report, StakeReport::to_table)
    }

    async fn print_list(
        &self,
        service: &Service,
        txids: Vec<Txid>,
        reader: Option<&dyn PosChain>,
    ) -> Result<(), Failure> {
        let mut stakes = Vec::new();
        for txid in &txids {
            stakes.push(describe(service, txid, reader).await?);
        }
        let report = ListReport { btc_height: service.tip().map(|tip| tip.height), stakes };
        self.print(&report, ListReport::to_table)
    }
}

/// Describes a stake; a chain that does not answer leaves its part out.
async fn describe(
    service: &Service,
    txid: &Txid,
    reader: Option<&dyn PosChain>,
) -> Result<StakeReport, Failure> {
    let machine = service.stake(txid).map_err(service_failure)?;
    let status = match reader {
        None => None,
        Some(reader) => service.fetch_status(txid, reader).await.unwrap_or_else(|error| {
            tracing::warn!(staking_txid = %txid, %error, "the staking chain does not tell the stake's status");
            None
        }),
    };
    Ok(StakeReport::new(service, machine, status))
}

fn under_way(service: &Service) -> Vec<Txid> {
    let open = service.stakes().filter(|machine| machine.stake().end_reason().is_none());
    open.map(|machine| machine.stake().txid()).collect()
}
