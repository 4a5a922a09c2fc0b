//! `ha`: the engine that the daemons of a standby pair share, and how this one joins it.

use super::{records_failure, signer::fetch_holders, start::open_store};
use crate::{
    config::{ChainPlan, Config},
    records::Records,
    standby::{
        Ha, Setup, Standby,
        engine::{Engine, EngineError, Txn},
        options::Plan,
        protocol::{
            build_history, build_initialise, build_look, build_raise, names::Keys, read_history, read_look,
            read_low, values::Instance,
        },
        run_keeper,
        seen::{Sighting, Watched},
    },
};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure, Output},
    clock::SystemClock,
    entropy::{Entropy, OsEntropy},
    tasks::Supervisor,
};
use btc_staking_eots_manager::{
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::{Local, Signer},
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use clap::{Args, Subcommand};
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub enum HaCommand {
    /// Make keys known to the cluster, from what this instance signed; the daemon must be stopped. Once for each key and
    /// chain, on the instance that signed last.
    Init,
    /// Show who has the right to sign, and what the cluster knows.
    Status,
    /// Bar every height up to the highest this instance knows of, and take the cluster for the one that is meant: for a
    /// cluster that lost its memory. The daemon must be stopped.
    Raise(Raise),
}

#[derive(Debug, Args)]
pub struct Raise {
    /// Bar everything up to this height, if it is higher: the chain's latest block, or higher.
    #[arg(long)]
    to: Option<u64>,
}

/// Puts an instance of a pair in front of a signer, if the configuration asks for it, and starts its keeper.
pub fn join(
    config: &Config,
    plans: &[ChainPlan],
    held: &[FinalityProviderPublicKey],
    inner: Arc<dyn Signer>,
    records: &Records,
    supervisor: &mut Supervisor,
) -> Result<Arc<dyn Signer>, Failure> {
    let Some(ha) = &config.ha else { return Ok(inner) };
    let Plan { engine, prefix, name, lease } = ha.plan().fail_with(Exit::Usage)?;
    let setup = Setup {
        inner,
        engine,
        prefix,
        name,
        lease,
        subjects: subjects(plans, held),
        records: records.clone(),
        entropy: Arc::new(OsEntropy),
    };
    let standby = Arc::new(Standby::new(setup)?);
    let keeper = Arc::clone(&standby);
    supervisor.spawn("standby", move |stop| run_keeper(Arc::clone(&keeper), stop));
    Ok(standby)
}

pub async fn run(command: HaCommand, config: &Config, output: Output) -> Result<(), Failure> {
    let Some(ha) = &config.ha else {
        return Err(Failure::new(Exit::Usage, "the configuration has no [ha] section"));
    };
    let plans = config.plans().fail_with(Exit::Usage)?;
    let held: Vec<_> = fetch_holders(config).await?.into_keys().collect();
    let subjects = subjects(&plans, &held);
    match command {
        HaCommand::Init => init(ha, config, &subjects, output).await,
        HaCommand::Status => status(ha, &subjects, output).await,
        HaCommand::Raise(raise) => run_raise(&raise, ha, config, &subjects, output).await,
    }
}

fn subjects(plans: &[ChainPlan], held: &[FinalityProviderPublicKey]) -> Vec<Subject> {
    let subjects = plans.iter().flat_map(|plan| {
        let keys = plan.keys.as_deref().unwrap_or(held);
        keys.iter().map(|key| Subject { finality_provider: *key, chain_id: plan.id.clone() })
    });
    subjects.collect()
}

async fn init(ha: &Ha, config: &Config, subjects: &[Subject], output: Output) -> Result<(), Failure> {
    let Plan { engine, prefix, .. } = ha.plan().fail_with(Exit::Usage)?;
    let own = open_own(config)?;
    let engine = Watched::open(engine, open_store(config)?, new_home()?)?;
    for subject in subjects {
        let history = own.history(subject).await?;
        if !history.initialised {
            let hint = format!(
                "{} has no history on {} here, so the cluster would begin with none: run this on the instance that signed last, \
                 or say with `init --key` that the key is new",
                subject.finality_provider, subject.chain_id
            );
            return Err(Failure::new(Exit::Refused, hint));
        }
        let low = history.highest.unwrap_or(PosHeight::new(0));
        let answer = commit(&engine, build_initialise(&prefix.keys(subject), low)).await?;
        let before = read_low(answer).fail_with(Exit::Refused)?;
        show(subject, before.unwrap_or(low), before.is_none(), output);
    }
    Ok(engine.record()?)
}

async fn run_raise(
    raise: &Raise,
    ha: &Ha,
    config: &Config,
    subjects: &[Subject],
    output: Output,
) -> Result<(), Failure> {
    let Plan { engine, prefix, .. } = ha.plan().fail_with(Exit::Usage)?;
    let own = open_own(config)?;
    let records = open_store(config)?;
    for subject in subjects {
        let asked = raise.to.map(PosHeight::new);
        let Some(to) = own.history(subject).await?.highest.max(asked) else {
            let hint = format!(
                "this instance knows nothing of {} on {}; give --to with the height of the chain's latest block",
                subject.finality_provider, subject.chain_id
            );
            return Err(Failure::new(Exit::Refused, hint));
        };
        // The cluster first: what the own records bar, the cluster must know of.
        let keys = prefix.keys(subject);
        commit(&*engine, build_initialise(&keys, to)).await?;
        commit(&*engine, build_raise(&keys, to)).await?;
        own.record_signed_elsewhere(subject, Vec::new(), to).await?;
        show(subject, to, true, output);
    }
    let now = commit(&*engine, build_look(&prefix)).await?;
    let home = records.sighting()?.map_or_else(new_home, |seen| Ok(seen.home))?;
    Ok(records.record_sighting(Sighting { home, cluster: Some(now.cluster), revision: now.revision })?)
}

/// The sign records, without keys, unless another process has them.
fn open_own(config: &Config) -> Result<Arc<dyn Signer>, Failure> {
    if let Some(address) = &config.signer {
        return Ok(Arc::new(address.open(Arc::new(SystemClock::new())).fail_with(Exit::Usage)?));
    }
    let records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    Ok(Arc::new(Local::new(Arc::new(EotsManager::new(records, [])))))
}

async fn status(ha: &Ha, subjects: &[Subject], output: Output) -> Result<(), Failure> {
    let Plan { engine, prefix, .. } = ha.plan().fail_with(Exit::Usage)?;
    let holders = read_look(commit(&*engine, build_look(&prefix)).await?).fail_with(Exit::Refused)?;
    for subject in subjects {
        let keys = prefix.keys(subject);
        let holder = holders.iter().find(|entry| entry.key == keys.holder);
        let holder = holder.map(Instance::parse).transpose().fail_with(Exit::Refused)?;
        let holder = holder.map(|holder| holder.name.to_string());
        let known = fetch_extent(&*engine, &keys).await?;
        let Subject { finality_provider, chain_id } = subject;
        if output == Output::Json {
            let (low, highest) = known.unzip();
            let known = json!({"low_watermark": low, "highest": highest, "holder": holder});
            println!(
                "{}",
                json!({"public_key": finality_provider, "chain_id": chain_id.as_str(), "known": known})
            );
            continue;
        }
        let holder = holder.unwrap_or_else(|| "nobody".to_owned());
        match known {
            None => println!("{finality_provider} on {chain_id}: not known to the cluster, see `ha init`"),
            Some((low, highest)) => println!(
                "{finality_provider} on {chain_id}: {holder} may sign; low watermark {}, highest vote {}",
                low.to_u64(),
                highest.to_u64()
            ),
        }
    }
    Ok(())
}

/// Low watermark and highest height, if the cluster knows the subject.
async fn fetch_extent(engine: &dyn Engine, keys: &Keys) -> Result<Option<(PosHeight, PosHeight)>, Failure> {
    let mut above = None;
    loop {
        let committed = commit(engine, build_history(keys, above)).await?;
        let Some(shared) = read_history(keys, committed).fail_with(Exit::Refused)? else { return Ok(None) };
        above = shared.votes.last().map(|vote| vote.message.height).or(above);
        if !shared.more {
            return Ok(Some((shared.low, above.map_or(shared.low, |above| above.max(shared.low)))));
        }
    }
}

async fn commit(engine: &dyn Engine, txn: Txn) -> Result<crate::standby::engine::Committed, Failure> {
    engine.commit(txn).await.map_err(|error| {
        let exit = match &error {
            EngineError::NoAnswer(_) => Exit::Unreachable,
            EngineError::Refused(_) | EngineError::Broken(_) | EngineError::NotTheSame(_) => Exit::Refused,
        };
        Failure::new(exit, error)
    })
}

fn new_home() -> Result<[u8; 16], Failure> {
    let mut home = [0; 16];
    OsEntropy.fill(&mut home)?;
    Ok(home)
}

fn show(subject: &Subject, low: PosHeight, is_new: bool, output: Output) {
    let Subject { finality_provider, chain_id } = subject;
    match (output, is_new) {
        (Output::Json, _) => {
            let low = low.to_u64();
            println!(
                "{}",
                json!({"public_key": finality_provider, "chain_id": chain_id.as_str(), "low_watermark": low, "changed": is_new})
            );
        }
        (Output::Text, true) => {
            println!("{finality_provider} on {chain_id}: nothing is signed up to height {}", low.to_u64());
        }
        (Output::Text, false) => {
            println!("{finality_provider} on {chain_id}: known to the cluster already; nothing changed");
        }
    }
}
