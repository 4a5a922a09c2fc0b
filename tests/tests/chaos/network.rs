//! The embedded chain with power from the beginning, four nodes in front of it, and the daemon as the program assembles it.

use super::proxy::{Conduct, Proxy};
use async_trait::async_trait;
use btc_staking_babylon::{
    connector::BabylonConnector,
    proto::{TxBody, TxRaw, finality::MsgAddFinalitySig},
    reader::BabylonReader,
    rpc::HttpRpc,
    sender::{BabylonSender, SenderConfig},
    tx::AccountKey,
};
use btc_staking_daemon::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SeededEntropy},
    health::Health,
    metrics::Metrics,
    tasks::{Ended, Outcome, StopSource, Supervisor},
};
use btc_staking_devnet_chain::{
    Genesis, Node, NodeConfig, RunningNode,
    load::{LoadKeys, LoadPlan, Mix, generate},
};
use btc_staking_eots_manager::{
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::Local,
};
use btc_staking_finality_provider::{
    chains::{ChainSeat, Shared},
    config::{ChainPlan, Unjail},
    machine::planner::{Lead, Plan},
    meters::Meters,
    records::Records,
    service::{Brake, Settings},
    status::Board,
};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, ChainEndpoint, Connector},
    ports::{FinalityProviderReader, PosChain, Result, Submitter, VotingPower},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::PosHeight,
    keys::{AccountAddress, CovenantSecret, FinalityProviderPublicKey},
};
use prost::{Message, Name};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tendermint_rpc::{Client, HttpClient};
use tokio::task::JoinHandle;

const CHAIN: &str = "chain-chaos";
const SEED: u64 = 7;
const PROVIDERS: u32 = 3;
/// Nodes that must agree.
const AGREEMENT: usize = 2;

pub struct Network {
    folder: tempfile::TempDir,
    node: RunningNode,
    proxies: Vec<Proxy>,
    /// Reads the chain past all faults.
    pub reader: BabylonReader,
    pub keys: Vec<FinalityProviderPublicKey>,
    /// Blocks within which a vote counts.
    pub timeout: u64,
    pace: Duration,
}

/// The bytes of a key of a generated state, as its documentation says they are made.
fn secret(label: &str, number: u32) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update("btc-staking/load/1")
        .chain_update(SEED.to_be_bytes())
        .chain_update(label)
        .chain_update(u64::from(number).to_be_bytes());
    hash.finalize().into()
}

fn eots_key(number: u32) -> EotsKey {
    EotsKey::from_secret_bytes(&secret("provider", number)).unwrap()
}

impl Network {
    /// A chain on which every provider has power, and usable randomness for so many heights.
    pub async fn start(randomness: u64, pace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let committee = LoadKeys::new(SEED).committee().iter().map(CovenantSecret::public_key).collect();
        let committee = CovenantCommittee::new(3, committee).unwrap();
        let mut genesis = Genesis::fast(CHAIN, committee, vec![]).unwrap();
        // Nobody is jailed, and every miss is counted to the end.
        genesis.finality.signed_blocks_window = 1_000_000;
        let mix = Mix { pending: 0, verified: 0, active: 1, unbonded: 0, expired: 0 };
        let plan = LoadPlan { mix, randomness, ..LoadPlan::new(PROVIDERS, 12, SEED) };
        let chain = folder.path().join("chain");
        generate(&plan, genesis, &chain, &mut |_| ()).unwrap();
        let genesis = std::fs::read_to_string(chain.join("genesis.json")).unwrap();
        let genesis = Genesis::from_json(&genesis).unwrap();
        let timeout = u64::from(genesis.finality.finality_sig_timeout);
        let mut config = NodeConfig::new(genesis, chain.join("chain"));
        config.block_time = pace;
        let node = Node::start(config).await.unwrap();
        let url = format!("http://{}", node.rpc_addr());
        let keys: Vec<_> = (0..PROVIDERS).map(|number| eots_key(number).public_key()).collect();
        let daemon = folder.path().join("daemon");
        std::fs::create_dir(&daemon).unwrap();
        SignRecords::create(&daemon).unwrap();
        let records = SignRecords::open(&daemon).unwrap();
        keys.iter().for_each(|key| assert!(records.declare_new(&subject(*key)).unwrap()));
        let conducts = [Conduct::Honest, Conduct::Restarting, Conduct::Lagging, Conduct::Lying];
        let mut proxies = Vec::new();
        for (conduct, seed) in conducts.into_iter().zip(1..) {
            proxies.push(Proxy::start(url.clone(), conduct, pace, seed).await);
        }
        let reader = BabylonReader::over_http(&[url], Duration::from_secs(20)).unwrap();
        Self { folder, node, proxies, reader, keys, timeout, pace }
    }

    /// Starts the daemon on its data folder.
    pub fn start_daemon(&self, run: u64) -> Daemon {
        let directory = self.folder.path().join("daemon");
        let manager = EotsManager::new(open_records(&directory), (0..PROVIDERS).map(eots_key));
        let records = Records::open(&directory).unwrap();
        let (metrics, health, board) = (Metrics::new("fp"), Health::new(), Board::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(run));
        let shared = Shared {
            signer: Arc::new(Local::new(Arc::new(manager))),
            brake: Arc::new(Brake::open(records.clone()).unwrap()),
            records,
            board: board.clone(),
            meters: Meters::register(&metrics, board.clone(), Arc::clone(&clock)).unwrap(),
            health: health.clone(),
            clock,
            entropy: Arc::clone(&entropy),
            connector: Arc::new(Quick(self.pace)),
        };
        let urls = self.proxies.iter().map(Proxy::url).collect();
        let plan = ChainPlan {
            id: CHAIN.parse().unwrap(),
            endpoint: ChainEndpoint { agreement: AGREEMENT, ..ChainEndpoint::new(CHAIN, urls) },
            account_key_file: "none".into(),
            keys: None,
            settings: Settings {
                plan: Plan { count: 100, lead: Lead::Blocks(50) },
                batch: 50,
                poll_interval: self.pace / 5,
                request_timeout: Duration::from_secs(5),
                submit_timeout: Duration::from_secs(60),
            },
            unjail: Unjail::default(),
        };
        let account = AccountSecret(secret("provider account", 0).into());
        let seat = Arc::new(ChainSeat::new(plan, account, &self.keys, shared).unwrap());
        let mut supervisor = Supervisor::new(health, entropy);
        seat.spawn(&mut supervisor);
        let stop = supervisor.stop_source();
        let running = tokio::spawn(async move { supervisor.run(Duration::from_secs(20)).await.unwrap() });
        Daemon { board, stop, running, _metrics: metrics }
    }

    /// Who has power at which of the heights from `first` to `last`.
    pub async fn eligible(&self, first: u64, last: u64) -> Vec<(FinalityProviderPublicKey, u64)> {
        let mut eligible = Vec::new();
        for height in first..=last {
            let powers = self.reader.fetch_voting_powers(&self.keys, PosHeight::new(height)).await.unwrap();
            let with_power = self.keys.iter().zip(powers);
            let with_power = with_power.filter(|(_, power)| matches!(power, VotingPower::Has(_)));
            eligible.extend(with_power.map(|(key, _)| (*key, height)));
        }
        eligible
    }

    /// The first block with each vote, read from the transactions of the blocks from `first` to `last`.
    pub async fn votes_included(
        &self,
        first: u64,
        last: u64,
    ) -> BTreeMap<(FinalityProviderPublicKey, u64), u64> {
        let client = HttpClient::new(format!("http://{}", self.node.rpc_addr()).as_str()).unwrap();
        let mut included = BTreeMap::new();
        for height in first..=last {
            let at = u32::try_from(height).unwrap();
            let block = client.block(at).await.unwrap().block;
            if block.data.is_empty() {
                continue;
            }
            let results = client.block_results(at).await.unwrap().txs_results.unwrap();
            for (tx, result) in block.data.iter().zip(results) {
                if !result.code.is_ok() {
                    continue;
                }
                let raw = TxRaw::decode(tx.as_slice()).unwrap();
                for message in TxBody::decode(raw.body_bytes.as_slice()).unwrap().messages {
                    if message.type_url == MsgAddFinalitySig::type_url() {
                        let vote = MsgAddFinalitySig::decode(message.value.as_slice()).unwrap();
                        let key = self.keys.iter().find(|key| key.to_bytes() == *vote.fp_btc_pk).unwrap();
                        included.entry((*key, vote.block_height)).or_insert(height);
                    }
                }
            }
        }
        included
    }

    /// An account that only pays, past all faults.
    pub async fn reporter(&self) -> Arc<dyn Submitter> {
        let endpoint = ChainEndpoint::new(CHAIN, vec![format!("http://{}", self.node.rpc_addr())]);
        let secret = AccountSecret(secret("reporter", 0).into());
        BabylonConnector.open_account(&endpoint, secret).await.unwrap()
    }

    /// Faults that nodes have shown.
    pub fn faults(&self) -> u64 {
        self.proxies.iter().map(Proxy::faults).sum()
    }

    pub async fn stop(self) {
        drop(self.proxies);
        self.node.stop().await;
    }
}

fn subject(key: FinalityProviderPublicKey) -> Subject {
    Subject { finality_provider: key, chain_id: CHAIN.parse().unwrap() }
}

fn open_records(directory: &Path) -> SignRecords {
    SignRecords::open(directory).unwrap()
}

/// A running daemon.
pub struct Daemon {
    pub board: Board,
    stop: StopSource,
    running: JoinHandle<Ended>,
    _metrics: Metrics,
}

impl Daemon {
    /// Stops it; it must end well, and must not have ended before.
    pub async fn end(self) {
        assert!(!self.running.is_finished(), "the daemon ended by itself");
        self.stop.trigger();
        let ended = self.running.await.unwrap();
        assert_eq!(ended.outcome, Outcome::Stopped, "{ended:?}");
    }
}

/// The adapter as the program uses it, but that it looks for its transactions as often as the chain's pace asks for.
struct Quick(Duration);

#[async_trait]
impl Connector for Quick {
    async fn connect(&self, endpoint: &ChainEndpoint) -> Result<Arc<dyn PosChain>> {
        BabylonConnector.connect(endpoint).await
    }

    async fn open_account_with(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>> {
        let rpc = HttpRpc::new(&endpoint.rpc, Duration::from_secs(5)).unwrap();
        let rpc = rpc.for_network(&endpoint.id).with_agreement(endpoint.agreement).unwrap();
        let config = SenderConfig { poll_interval: self.0 / 5, ..SenderConfig::new(&endpoint.id) };
        let key = AccountKey::from_secret(&secret.0).unwrap();
        Ok(Arc::new(BabylonSender::with_outbox(Arc::new(rpc), key, config, outbox).unwrap()))
    }

    fn account_address(&self, endpoint: &ChainEndpoint, secret: &AccountSecret) -> Result<AccountAddress> {
        BabylonConnector.account_address(endpoint, secret)
    }
}
