//! How fast a voter catches up on the embedded chain, through its RPC and up to the transaction.
//!
//!     cargo run --release -p btc-staking-tests --example catch_up -- [BLOCKS] [PROVIDERS] [--json]
//!
//! A chain is generated on which the providers have power, and so many blocks are made without a vote. Then it is served, and
//! the time is taken from the start of the voters to the last vote handed to the sender, which takes them and does nothing.
//! What is measured is both sides of the RPC on one machine; beside it stands the bare rate of the one question that has to be
//! asked for every height, who has power there.

// A measuring program: what goes wrong ends it, and nobody calls it.
#![allow(clippy::unwrap_used, missing_docs)]

use async_trait::async_trait;
use btc_staking_babylon::reader::BabylonReader;
use btc_staking_daemon::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SeededEntropy},
    health::Health,
    metrics::Metrics,
    tasks::StopSource,
};
use btc_staking_devnet_chain::{
    Driver, Genesis, Node, NodeConfig,
    load::{LoadKeys, LoadPlan, Mix, generate},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::{Local, Signer},
};
use btc_staking_finality_provider::{
    machine::planner::{Lead, Plan},
    meters::Meters,
    records::Records,
    service::{Brake, ChainWatch, Guard, Provider, Settings, run_voter, run_watch},
    status::Board,
};
use btc_staking_pos_chain::{
    ChainMessage, MessageOutcome,
    ports::{FinalityProviderReader, FinalityReader, HeadReader, Result, Submitter},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::PosHeight,
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey},
};
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const CHAIN: &str = "chain-catch-up";
const SEED: u64 = 3;

/// Takes every vote and remembers it.
struct Sink {
    account: AccountAddress,
    votes: Mutex<BTreeSet<(FinalityProviderPublicKey, PosHeight)>>,
}

#[async_trait]
impl Submitter for Sink {
    fn account(&self) -> &AccountAddress {
        &self.account
    }
    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>> {
        let mut votes = self.votes.lock().unwrap();
        for message in &messages {
            if let ChainMessage::AddFinalitySignature(vote) = message {
                votes.insert((vote.finality_provider, vote.message.height));
            }
        }
        let taken = || MessageOutcome::Accepted { tx_hash: "0".repeat(64), height: PosHeight::new(1) };
        Ok(messages.iter().map(|_| taken()).collect())
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let (blocks, providers) = (numbers.next().unwrap_or(20_000), numbers.next().unwrap_or(1));
    let providers = u32::try_from(providers).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(measure(blocks, providers));
    if is_json {
        println!("{}", serde_json::to_string_pretty(&figures).unwrap());
    } else {
        for (name, value) in figures.as_object().unwrap() {
            println!("{name:32} {value}");
        }
    }
}

/// A key of a generated state, made as its documentation says.
fn key(number: u32) -> EotsKey {
    let hash = Sha256::new()
        .chain_update("btc-staking/load/1")
        .chain_update(SEED.to_be_bytes())
        .chain_update("provider")
        .chain_update(u64::from(number).to_be_bytes());
    EotsKey::from_secret_bytes(&hash.finalize().into()).unwrap()
}

/// A chain that has made so many blocks since its providers have power.
fn make(folder: &Path, blocks: u64, providers: u32) -> Genesis {
    let committee = LoadKeys::new(SEED).committee().iter().map(CovenantSecret::public_key).collect();
    let mut genesis = Genesis::fast(CHAIN, CovenantCommittee::new(3, committee).unwrap(), vec![]).unwrap();
    genesis.finality.signed_blocks_window = 1_000_000_000;
    let mix = Mix { pending: 0, verified: 0, active: 1, unbonded: 0, expired: 0 };
    let delegations = u64::from(providers) * 2;
    let plan = LoadPlan { mix, randomness: blocks + 1_000, ..LoadPlan::new(providers, delegations, SEED) };
    generate(&plan, genesis, folder, &mut |_| ()).unwrap();
    let genesis = std::fs::read_to_string(folder.join("genesis.json")).unwrap();
    let genesis = Genesis::from_json(&genesis).unwrap();
    let mut driver = Driver::open(&folder.join("chain"), &genesis).unwrap();
    for _ in 0..blocks {
        let block = driver.execute(vec![]).unwrap();
        driver.commit(block).unwrap();
    }
    genesis
}

async fn measure(blocks: u64, providers: u32) -> serde_json::Value {
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let genesis = make(&directory.path().join("load"), blocks, providers);
    eprintln!("{blocks} blocks made in {:.1?}", begun.elapsed());
    let node = Node::start(NodeConfig::new(genesis, directory.path().join("load/chain"))).await.unwrap();
    let url = format!("http://{}", node.rpc_addr());
    let reader = BabylonReader::over_http(&[url], Duration::from_secs(30)).unwrap();
    let first = reader.fetch_activated_height().await.unwrap().unwrap();
    let tip = reader.fetch_head().await.unwrap().height.to_u64();
    let bare = bare_rate(&reader, providers, first, tip).await;

    let data = directory.path().join("daemon");
    std::fs::create_dir(&data).unwrap();
    SignRecords::create(&data).unwrap();
    let manager = EotsManager::new(SignRecords::open(&data).unwrap(), (0..providers).map(key));
    let keys = manager.public_keys();
    let subjects: Vec<_> = keys.iter().map(|key| subject(*key)).collect();
    subjects.iter().for_each(|subject| assert!(manager.records().declare_new(subject).unwrap()));
    let signer: Arc<dyn Signer> = Arc::new(Local::new(Arc::new(manager)));
    let records = Records::open(&data).unwrap();
    let brake = Arc::new(Brake::open(records.clone()).unwrap());
    let (board, health, metrics) = (Board::default(), Health::new(), Metrics::new("fp"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
    let meters = Meters::register(&metrics, board.clone(), Arc::clone(&clock)).unwrap();
    let settings = Settings {
        plan: Plan { count: 50_000, lead: Lead::Auto },
        batch: 100,
        poll_interval: Duration::from_secs(1),
        request_timeout: Duration::from_secs(20),
        submit_timeout: Duration::from_secs(90),
    };
    let account = AccountAddress::from_bytes("bbn", &[5; 20]).unwrap();
    let sink = Arc::new(Sink { account, votes: Mutex::default() });
    let port = Arc::new(reader.clone());
    let watch = ChainWatch::new(port, settings.pace(), Arc::clone(&clock), Arc::clone(&entropy));
    let stop = StopSource::new();
    let begun = Instant::now();
    let mut tasks = vec![tokio::spawn(run_watch(Arc::clone(&watch), stop.stop()))];
    for subject in subjects {
        board.add(&subject);
        let provider = Provider {
            meters: meters.provider(&subject),
            guard: Guard::new(subject.clone(), Arc::clone(&brake)),
            health: health.check(&subject.finality_provider.to_string()),
            subject,
            signer: Arc::clone(&signer),
            watch: Arc::clone(&watch),
            submitter: Arc::clone(&sink) as Arc<dyn Submitter>,
            records: records.clone(),
            settings,
            board: board.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        tasks.push(tokio::spawn(run_voter(Arc::new(provider), stop.stop())));
    }
    let heights = tip - first.to_u64() + 1;
    let due = usize::try_from(heights * u64::from(providers)).unwrap();
    while sink.votes.lock().unwrap().range(..).filter(|(_, height)| height.to_u64() <= tip).count() < due {
        assert!(begun.elapsed() < Duration::from_secs(3_600), "votes are missing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = begun.elapsed();
    stop.trigger();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    node.stop().await;
    serde_json::json!({
        "blocks": heights,
        "providers": providers,
        "seconds": took.as_secs_f64(),
        "blocks_per_second": rate(heights, took),
        "bar_blocks_per_second": 5_000,
        "bare_power_questions_per_second": bare,
    })
}

/// How many questions about power the node answers in a second, asked as the voter asks them.
async fn bare_rate(reader: &BabylonReader, providers: u32, first: PosHeight, tip: u64) -> f64 {
    let keys: Vec<_> = (0..providers).map(|number| key(number).public_key()).collect();
    let asked = (tip - first.to_u64()).min(5_000);
    let begun = Instant::now();
    let heights = stream::iter(first.to_u64()..first.to_u64() + asked);
    let keys = &keys;
    let ask = |height| async move { reader.fetch_voting_powers(keys, PosHeight::new(height)).await.unwrap() };
    heights.map(ask).buffer_unordered(64).for_each(|_| std::future::ready(())).await;
    rate(asked, begun.elapsed())
}

#[allow(clippy::cast_precision_loss, clippy::as_conversions)] // a figure for people
fn rate(count: u64, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}

fn subject(key: FinalityProviderPublicKey) -> Subject {
    Subject { finality_provider: key, chain_id: CHAIN.parse().unwrap() }
}
