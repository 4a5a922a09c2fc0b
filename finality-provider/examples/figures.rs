//! Figures of voting over doubles of chains, with real keys, real randomness and sign records on a real disk.
//!
//!     cargo run --release -p btc-staking-finality-provider --example figures -- [--json] [catch-up] [latency] [many]
//!
//! | scenario | measures | bar |
//! |---|---|---|
//! | `catch-up` | a backlog of 100,000 blocks, from the start of the tasks to the last vote handed to the sender | 5,000 blocks/s |
//! | `latency` | block seen to vote handed to the sender, 10 providers on a chain | p99 200 ms |
//! | `many` | the same, 100 providers on 4 chains, all of which have their blocks at one moment | p99 500 ms |
//!
//! The doubles answer at once, so what is measured is this program, its disk and its signatures. Beside the figures stands
//! what a bare append and fdatasync of a record costs in the same run. `BLOCKS` and `BLOCK_MS` change the scenarios.

// A measuring program: what goes wrong ends it, and nobody calls it.
#![allow(clippy::unwrap_used, missing_docs)]

use async_trait::async_trait;
use btc_staking_daemon::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SeededEntropy},
    health::Health,
    metrics::Metrics,
    tasks::{StopSource, TaskError},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{ChainId, SignRecords, Subject},
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
    double::{ChainState, ScriptedChain, ScriptedSubmitter},
    message::{CommissionRates, Description},
    ports::{FinalityProvider, Result, StoredCommitment, Submitter},
};
use btc_staking_protocol::{
    height::{Epoch, PosHeight},
    keys::{AccountAddress, FinalityProviderPublicKey},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// First height with power.
const FIRST: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let wanted = |name: &str| {
        let mut scenarios = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        scenarios.peek().is_none() || scenarios.any(|scenario| scenario == name)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut figures = vec![fdatasync()];
    if wanted("catch-up") {
        figures.push(runtime.block_on(catch_up(number("BLOCKS", 100_000))));
    }
    if wanted("latency") {
        figures.push(runtime.block_on(latency("latency", 1, 10, number("BLOCKS", 300))));
    }
    if wanted("many") {
        figures.push(runtime.block_on(latency("many", 4, 25, number("BLOCKS", 100))));
        figures.push(runtime.block_on(latency("100 keys on each of 4 chains", 4, 100, number("BLOCKS", 50))));
    }
    if is_json {
        println!("{}", serde_json::to_string_pretty(&figures).unwrap());
    } else {
        figures.iter().for_each(print);
    }
}

fn print(figure: &Value) {
    let members = figure.as_object().unwrap();
    println!("{}", members["scenario"].as_str().unwrap());
    for (name, value) in members.iter().filter(|(name, _)| *name != "scenario") {
        println!("  {name:32} {value}");
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// The bare cost of making a record durable.
fn fdatasync() -> Value {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut times: Vec<Duration> = (0..500)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 256]).unwrap();
            file.as_file().sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    json!({
        "scenario": "append of 256 bytes and fdatasync",
        "p50_ms": milliseconds(times[250]),
        "p99_ms": milliseconds(times[495]),
    })
}

fn app_hash(height: u64) -> [u8; 32] {
    let mut hash = [0xaa; 32];
    hash[..8].copy_from_slice(&height.to_be_bytes());
    hash
}

/// When votes were handed over, by provider and height.
type Handed = Arc<Mutex<HashMap<(FinalityProviderPublicKey, u64), Instant>>>;

/// Notes when it is handed a vote, and hands it on.
struct Stopwatch {
    inner: ScriptedSubmitter,
    handed: Handed,
}

#[async_trait]
impl Submitter for Stopwatch {
    fn account(&self) -> &AccountAddress {
        self.inner.account()
    }

    async fn submit(&self, messages: Vec<ChainMessage>) -> Result<Vec<MessageOutcome>> {
        self.note(&messages);
        self.inner.submit(messages).await
    }
}

impl Stopwatch {
    fn note(&self, messages: &[ChainMessage]) {
        let now = Instant::now();
        let mut handed = self.handed.lock().unwrap();
        for message in messages {
            if let ChainMessage::AddFinalitySignature(vote) = message {
                let place = (vote.finality_provider, vote.message.height.to_u64());
                handed.entry(place).or_insert(now);
            }
        }
    }
}

/// A chain with its providers' tasks.
struct Network {
    chain: ScriptedChain,
    keys: Vec<FinalityProviderPublicKey>,
    handed: Handed,
    pushed: HashMap<u64, Instant>,
}

impl Network {
    fn push(&mut self, height: u64) {
        self.chain.update(|state| {
            state.push_block(PosHeight::new(height), app_hash(height));
            for key in &self.keys {
                state.set_power(PosHeight::new(height), *key, 1_000);
            }
        });
        self.pushed.insert(height, Instant::now());
        self.chain.hint();
    }
}

struct Daemon {
    networks: Vec<Network>,
    stop: StopSource,
    tasks: Vec<JoinHandle<std::result::Result<(), TaskError>>>,
}

/// Chains on which every provider is registered and has committed to `heights` heights from [`FIRST`] on.
async fn start(directory: &Path, chains: usize, providers: usize, heights: u64, blocks: u64) -> Daemon {
    let key = |number: usize| {
        let mut secret = [1; 32];
        secret[..8].copy_from_slice(&u64::try_from(number + 1).unwrap().to_be_bytes());
        EotsKey::from_secret_bytes(&secret).unwrap()
    };
    let ids: Vec<ChainId> = (0..chains).map(|chain| format!("chain-{chain}").parse().unwrap()).collect();
    SignRecords::create(directory).unwrap();
    let mut networks = Vec::new();
    {
        let manager = EotsManager::new(SignRecords::open(directory).unwrap(), (0..providers).map(key));
        for id in &ids {
            networks.push(network(&manager, id, heights, blocks));
        }
    }
    // Opened anew, so that what a start derives is derived within the measured time.
    let manager = EotsManager::new(SignRecords::open(directory).unwrap(), (0..providers).map(key));
    let signer: Arc<dyn Signer> = Arc::new(Local::new(Arc::new(manager)));
    let records = Records::open(directory).unwrap();
    let brake = Arc::new(Brake::open(records.clone()).unwrap());
    let (board, health, metrics) = (Board::default(), Health::new(), Metrics::new("fp"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
    let meters = Meters::register(&metrics, board.clone(), Arc::clone(&clock)).unwrap();
    let settings = Settings {
        plan: Plan { count: heights, lead: Lead::Auto },
        batch: 100,
        poll_interval: Duration::from_secs(1),
        request_timeout: Duration::from_secs(20),
        submit_timeout: Duration::from_secs(90),
    };
    let stop = StopSource::new();
    let mut tasks = Vec::new();
    for (network, id) in networks.iter().zip(&ids) {
        let port = Arc::new(network.chain.clone());
        let watch = ChainWatch::new(port, settings.pace(), Arc::clone(&clock), Arc::clone(&entropy));
        tasks.push(tokio::spawn(run_watch(Arc::clone(&watch), stop.stop())));
        let account = AccountAddress::from_bytes("bbn", &[5; 20]).unwrap();
        let submitter: Arc<dyn Submitter> = Arc::new(Stopwatch {
            inner: network.chain.submitter(account),
            handed: Arc::clone(&network.handed),
        });
        for key in &network.keys {
            let subject = Subject { finality_provider: *key, chain_id: id.clone() };
            board.add(&subject);
            let provider = Provider {
                meters: meters.provider(&subject),
                health: health.check(&format!("voting.{id}.{key}")),
                guard: Guard::new(subject.clone(), Arc::clone(&brake)),
                subject,
                signer: Arc::clone(&signer),
                watch: Arc::clone(&watch),
                submitter: Arc::clone(&submitter),
                records: records.clone(),
                settings,
                board: board.clone(),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
            };
            tasks.push(tokio::spawn(run_voter(Arc::new(provider), stop.stop())));
        }
    }
    Daemon { networks, stop, tasks }
}

/// A chain with this many blocks that wait for votes.
fn network(manager: &EotsManager, id: &ChainId, heights: u64, blocks: u64) -> Network {
    let mut state = ChainState::new(id.as_str());
    state.last_finalised_epoch = Epoch::new(1);
    state.epoch_interval = None;
    state.head.height = PosHeight::new(FIRST - 1);
    let keys = manager.public_keys();
    for key in &keys {
        state.finality_providers.insert(*key, registered(*key));
        let subject = Subject { finality_provider: *key, chain_id: id.clone() };
        manager.records().declare_new(&subject).unwrap();
        let commitments = (0..heights.div_ceil(50_000)).map(|part| {
            let (start, count) = (FIRST + part * 50_000, 50_000.min(heights - part * 50_000));
            let signed = manager.sign_commitment(&subject, PosHeight::new(start), count).unwrap();
            StoredCommitment {
                start_height: signed.start_height,
                count,
                root: signed.root,
                epoch: Epoch::new(1),
            }
        });
        state.commitments.insert(*key, commitments.collect());
    }
    for height in FIRST..FIRST + blocks {
        state.push_block(PosHeight::new(height), app_hash(height));
        for key in &keys {
            state.set_power(PosHeight::new(height), *key, 1_000);
        }
    }
    Network { chain: ScriptedChain::new(state), keys, handed: Handed::default(), pushed: HashMap::new() }
}

fn registered(key: FinalityProviderPublicKey) -> FinalityProvider {
    let rate = |text: &str| text.parse().unwrap();
    FinalityProvider {
        key,
        account: AccountAddress::from_bytes("bbn", &[5; 20]).unwrap(),
        description: Description::default(),
        commission: CommissionRates {
            rate: rate("0.1"),
            max_rate: rate("0.2"),
            max_change_rate: rate("0.01"),
        },
        commission_set_at: None,
        slashed: None,
        jailed: false,
        highest_voted_height: PosHeight::new(0),
    }
}

impl Daemon {
    /// Waits until so many votes were handed over on every chain.
    async fn until_handed(&self, votes: u64) {
        let is_done =
            |network: &Network| u64::try_from(network.handed.lock().unwrap().len()).unwrap() >= votes;
        let deadline = Instant::now() + Duration::from_secs(600);
        while !self.networks.iter().all(is_done) {
            assert!(Instant::now() < deadline, "votes are missing");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn end(self) {
        self.stop.trigger();
        for task in self.tasks {
            task.await.unwrap().unwrap();
        }
    }
}

async fn catch_up(blocks: u64) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start(directory.path(), 1, 1, blocks, blocks).await;
    let begun = Instant::now();
    daemon.until_handed(blocks).await;
    let took = begun.elapsed();
    let reads = daemon.networks[0].chain.reads();
    daemon.end().await;
    #[allow(clippy::cast_precision_loss, clippy::as_conversions)] // a figure for people
    let rate = (blocks as f64 / took.as_secs_f64()).round();
    json!({
        "scenario": "catch-up",
        "blocks": blocks,
        "seconds": milliseconds(took) / 1e3,
        "blocks_per_second": rate,
        "bar_blocks_per_second": 5_000,
        "questions_to_the_chain": reads,
    })
}

async fn latency(name: &str, chains: usize, providers: usize, blocks: u64) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let warm = 5;
    let mut daemon = start(directory.path(), chains, providers, blocks + warm, 0).await;
    let pace = Duration::from_millis(number("BLOCK_MS", 1_000));
    for height in FIRST..FIRST + blocks + warm {
        daemon.networks.iter_mut().for_each(|network| network.push(height));
        tokio::time::sleep(pace).await;
    }
    daemon.until_handed((blocks + warm) * u64::try_from(providers).unwrap()).await;
    let mut times = Vec::new();
    for network in &daemon.networks {
        let handed = network.handed.lock().unwrap();
        for ((_, height), at) in handed.iter().filter(|((_, height), _)| *height >= FIRST + warm) {
            times.push(at.saturating_duration_since(network.pushed[height]));
        }
    }
    daemon.end().await;
    times.sort_unstable();
    let share = |percent: usize| milliseconds(times[(times.len() * percent / 100).min(times.len() - 1)]);
    json!({
        "scenario": name,
        "chains": chains,
        "providers_on_each": providers,
        "votes": times.len(),
        "block_ms": milliseconds(pace),
        "p50_ms": share(50),
        "p99_ms": share(99),
        "max_ms": share(100),
        "bar_p99_ms": if chains > 1 { 500 } else { 200 },
    })
}
