//! Embedded chains with power from the beginning, and the daemon as the program assembles it, with its control socket.

use btc_staking_babylon::{connector::BabylonConnector, reader::BabylonReader};
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
    control::{self, Client, Control},
    machine::planner::{Lead, Plan},
    meters::Meters,
    records::Records,
    service::{Brake, Settings},
    status::{Board, ProviderStatus},
};
use btc_staking_pos_chain::{
    connect::{AccountSecret, ChainEndpoint},
    ports::{FinalityProviderReader as _, FinalityReader as _, HeadReader as _, VotingPower},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    height::PosHeight,
    keys::{CovenantSecret, FinalityProviderPublicKey},
};
use sha2::{Digest, Sha256};
use std::{future::Future, path::Path, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// A chain with one provider, which has power from the first block on.
pub struct Chain {
    pub id: &'static str,
    seed: u64,
    node: RunningNode,
    _folder: tempfile::TempDir,
    /// Reads the chain beside the daemon.
    pub reader: BabylonReader,
    pub key: FinalityProviderPublicKey,
    pace: Duration,
}

impl Chain {
    /// Starts a chain; `change` may change what it starts from.
    pub async fn start(
        id: &'static str,
        seed: u64,
        pace: Duration,
        change: impl FnOnce(&mut Genesis),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let committee = LoadKeys::new(seed).committee().iter().map(CovenantSecret::public_key).collect();
        let committee = CovenantCommittee::new(3, committee).unwrap();
        let mut genesis = Genesis::fast(id, committee, vec![]).unwrap();
        // Nobody is jailed unless the test wants it.
        genesis.finality.signed_blocks_window = 1_000_000;
        change(&mut genesis);
        let mix = Mix { pending: 0, verified: 0, active: 1, unbonded: 0, expired: 0 };
        let plan = LoadPlan { mix, randomness: 2_000, ..LoadPlan::new(1, 2, seed) };
        let home = folder.path().join("chain");
        generate(&plan, genesis, &home, &mut |_| ()).unwrap();
        let genesis = std::fs::read_to_string(home.join("genesis.json")).unwrap();
        let mut config = NodeConfig::new(Genesis::from_json(&genesis).unwrap(), home.join("chain"));
        config.block_time = pace;
        let node = Node::start(config).await.unwrap();
        let url = format!("http://{}", node.rpc_addr());
        let reader = BabylonReader::over_http(&[url], Duration::from_secs(20)).unwrap();
        Self { id, seed, node, _folder: folder, reader, key: eots_key(seed).public_key(), pace }
    }

    /// How the daemon is told about it.
    pub fn plan(&self, unjail: Unjail) -> ChainPlan {
        let url = format!("http://{}", self.node.rpc_addr());
        ChainPlan { unjail, ..plan(self.id, &url, self.pace, self.key) }
    }

    /// The account that registered the provider, which pays as well.
    pub fn account(&self) -> AccountSecret {
        AccountSecret(secret(self.seed, "provider account").into())
    }

    pub async fn tip(&self) -> PosHeight {
        self.reader.fetch_head().await.unwrap().height
    }

    pub async fn is_jailed(&self) -> bool {
        self.reader.fetch_finality_provider(&self.key).await.unwrap().unwrap().jailed
    }

    pub async fn has_power(&self, height: PosHeight) -> bool {
        matches!(self.reader.fetch_voting_power(&self.key, height).await, Ok(VotingPower::Has(_)))
    }

    pub async fn has_voted(&self, height: PosHeight) -> bool {
        self.reader.fetch_votes(height).await.unwrap().contains(&self.key)
    }

    pub async fn stop(self) {
        self.node.stop().await;
    }
}

/// A plan for a chain that may not even be there.
pub fn plan(id: &str, url: &str, pace: Duration, key: FinalityProviderPublicKey) -> ChainPlan {
    ChainPlan {
        id: id.parse().unwrap(),
        endpoint: ChainEndpoint::new(id, vec![url.to_owned()]),
        account_key_file: "none".into(),
        keys: Some(vec![key]),
        settings: Settings {
            plan: Plan { count: 100, lead: Lead::Blocks(50) },
            batch: 50,
            poll_interval: pace / 5,
            request_timeout: Duration::from_secs(5),
            submit_timeout: Duration::from_secs(60),
        },
        unjail: Unjail::default(),
    }
}

/// The bytes of a key of a generated state, as its documentation says they are made.
fn secret(seed: u64, label: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update("btc-staking/load/1")
        .chain_update(seed.to_be_bytes())
        .chain_update(label)
        .chain_update(0_u64.to_be_bytes());
    hash.finalize().into()
}

fn eots_key(seed: u64) -> EotsKey {
    EotsKey::from_secret_bytes(&secret(seed, "provider")).unwrap()
}

/// A running daemon.
pub struct Daemon {
    board: Board,
    stop: StopSource,
    running: JoinHandle<Ended>,
    _metrics: Metrics,
}

impl Daemon {
    /// Starts the daemon on a data folder with the keys of these chains, each of which is new there if it has no records.
    pub fn start(directory: &Path, chains: &[&Chain], plans: Vec<(ChainPlan, AccountSecret)>) -> Self {
        if !directory.join("sign-records").exists() {
            SignRecords::create(directory).unwrap();
        }
        let sign_records = SignRecords::open(directory).unwrap();
        for (plan, _) in &plans {
            for key in plan.keys.iter().flatten() {
                let subject = Subject { finality_provider: *key, chain_id: plan.id.clone() };
                sign_records.declare_new(&subject).unwrap();
            }
        }
        let keys: Vec<_> = chains.iter().map(|chain| chain.key).collect();
        let manager = EotsManager::new(sign_records, chains.iter().map(|chain| eots_key(chain.seed)));
        let records = Records::open(directory).unwrap();
        let (metrics, health, board) = (Metrics::new("fp"), Health::new(), Board::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
        let shared = Shared {
            signer: Arc::new(Local::new(Arc::new(manager))),
            brake: Arc::new(Brake::open(records.clone()).unwrap()),
            records,
            board: board.clone(),
            meters: Meters::register(&metrics, board.clone(), Arc::clone(&clock)).unwrap(),
            health: health.clone(),
            clock,
            entropy: Arc::clone(&entropy),
            connector: Arc::new(BabylonConnector),
        };
        let mut supervisor = Supervisor::new(health, entropy);
        let socket = control::bind(directory).unwrap();
        let mut seats = Vec::new();
        for (plan, account) in plans {
            let seat = Arc::new(ChainSeat::new(plan, account, &keys, shared.clone()).unwrap());
            seat.spawn(&mut supervisor);
            seats.push(seat);
        }
        Control { seats, shared }.spawn(socket, &mut supervisor);
        let stop = supervisor.stop_source();
        let running = tokio::spawn(async move { supervisor.run(Duration::from_secs(20)).await.unwrap() });
        Self { board, stop, running, _metrics: metrics }
    }

    pub fn status(&self, chain: &str) -> ProviderStatus {
        let report = self.board.report(0);
        report.providers.into_iter().find(|provider| provider.chain_id == chain).unwrap()
    }

    pub async fn stop(self) {
        self.stop.trigger();
        assert_eq!(self.running.await.unwrap().outcome, Outcome::Stopped);
    }
}

/// The daemon's end of the socket.
pub async fn client(directory: &Path) -> Client {
    Client::find(directory).await.unwrap().unwrap()
}

/// Waits for a fact, with a deadline.
pub async fn until<F: Future<Output = bool>>(what: &str, fact: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !fact().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
