//! `devnet chain generate` and `devnet chain export`: states without a running node.

use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_devnet_chain::{
    Driver, Genesis, GenesisAccount,
    load::{LoadKeys, LoadPlan, Mix, Signatures, generate},
};
use btc_staking_protocol::{committee::CovenantCommittee, keys::CovenantSecret};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Instant};

/// Members of the presets' committee whose signatures are needed.
const QUORUM: u32 = 3;

/// What can be done to a chain's data.
#[derive(Debug, Subcommand)]
pub enum ChainTool {
    /// Write a chain with many finality providers and delegations, for load tests.
    Generate(GenerateArgs),
    /// Write the state of a chain that does not run as a genesis document.
    Export(ExportArgs),
}

/// Parameters a chain starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// A stake lives its whole life within a minute.
    Fast,
    /// Those of the reference's default genesis.
    DefaultGenesis,
    /// Those of mainnet.
    MainnetLike,
}

/// Arguments of `devnet chain generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Finality providers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    providers: u32,
    /// Delegations.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    delegations: u64,
    /// Weights of the statuses.
    #[arg(
        long,
        value_name = "WEIGHTS",
        default_value = "pending=1,verified=1,active=6,unbonded=1,expired=1"
    )]
    mix: Mix,
    /// Stakers; else one for ten delegations.
    #[arg(long, value_name = "N")]
    stakers: Option<u64>,
    /// What all keys and choices follow from.
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Sign only the first stake and repeat its signatures: an order of magnitude faster.
    #[arg(long)]
    copy_signatures: bool,
    /// Parameters of the chain; Bitcoin is regtest.
    #[arg(long, value_enum, default_value = "fast")]
    preset: Preset,
    /// Chain id.
    #[arg(long, default_value = "devnet-1")]
    chain_id: String,
    /// An absent or empty folder: the genesis goes to genesis.json, the data to chain.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `devnet chain export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Genesis file that the chain started from.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Where the chain is kept.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The document.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl Preset {
    /// The genesis of the preset with the presets' committee, whose keys are known.
    ///
    /// # Errors
    /// [`Failure`] never in practice: the presets are valid.
    pub fn genesis(self, chain_id: &str, accounts: Vec<GenesisAccount>) -> Result<Genesis, Failure> {
        let keys = LoadKeys::new(0).committee().iter().map(CovenantSecret::public_key).collect();
        let committee = CovenantCommittee::new(QUORUM, keys)?;
        Ok(match self {
            Self::Fast => Genesis::fast(chain_id, committee, accounts)?,
            Self::DefaultGenesis => Genesis::default_genesis(chain_id, accounts),
            Self::MainnetLike => Genesis::mainnet_like(chain_id, committee, accounts)?,
        })
    }
}

/// Runs a tool; returns what it prints.
///
/// # Errors
/// [`Failure`] with what cannot be done.
pub fn run(tool: &ChainTool) -> Result<Value, Failure> {
    match tool {
        ChainTool::Generate(args) => run_generate(args),
        ChainTool::Export(args) => run_export(args),
    }
}

impl ChainTool {
    /// Whether the result is printed as JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Generate(args) => args.json,
            Self::Export(args) => args.json,
        }
    }
}

fn run_generate(args: &GenerateArgs) -> Result<Value, Failure> {
    let mut genesis = args.preset.genesis(&args.chain_id, vec![])?;
    // Headers are mined, which only regtest lets anybody do.
    let regtest = Preset::Fast.genesis(&args.chain_id, vec![])?;
    genesis.bitcoin = regtest.bitcoin;
    let plan = LoadPlan {
        mix: args.mix,
        stakers: args.stakers.unwrap_or(args.delegations.div_ceil(10)),
        signatures: if args.copy_signatures { Signatures::Copied } else { Signatures::Valid },
        randomness: genesis.finality.min_pub_rand.max(1_000),
        ..LoadPlan::new(args.providers, args.delegations, args.seed)
    };
    let start = Instant::now();
    let generated = generate(&plan, genesis, &args.out, &mut |done| {
        eprintln!("{done} of {} delegations, {:.0?}", args.delegations, start.elapsed());
    })
    .fail_with(Exit::Failure)?;
    let [pending, verified, active, unbonded, expired] = generated.statuses;
    Ok(json!({
        "genesis": args.out.join("genesis.json"),
        "data_dir": args.out.join("chain"),
        "height": generated.height,
        "app_hash": hex::encode_upper(generated.app_hash),
        "bitcoin_height": generated.btc_tip,
        "pending": pending,
        "verified": verified,
        "active": active,
        "unbonded": unbonded,
        "expired": expired,
    }))
}

fn run_export(args: &ExportArgs) -> Result<Value, Failure> {
    let genesis = std::fs::read_to_string(&args.genesis).fail_with(Exit::Usage)?;
    let genesis = Genesis::from_json(&genesis).fail_with(Exit::Usage)?;
    if !args.data_dir.is_dir() {
        let why = format!("{} is no folder with a chain", args.data_dir.display());
        return Err(Failure::new(Exit::Usage, why));
    }
    let driver = Driver::open(&args.data_dir, &genesis).fail_with(Exit::Failure)?;
    let document = driver.export()?;
    std::fs::write(&args.out, serde_json::to_vec_pretty(&document)?)?;
    Ok(json!({
        "file": args.out,
        "chain_id": document["chain_id"],
        "initial_height": document["initial_height"],
    }))
}
