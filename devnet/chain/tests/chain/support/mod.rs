//! A chain to test on: a node with blocks every 200 ms, a client, a Bitcoin to mine on, and everyone's keys.

pub mod bitcoin;
pub mod by_hand;
pub mod child;
pub mod grpc;
pub mod provider;
pub mod set_clock;
pub mod stake;

use ::bitcoin::hashes::{Hash, sha256};
use btc_staking_babylon::{
    proto::{
        Any, BaseAccount, Query, QueryAccountRequest, QueryBalanceRequest, btclightclient::MsgInsertHeaders,
        checkpointing::RawCheckpointResponse,
    },
    tx::{AccountKey, AccountState, GasAndFee, build_simulation, sign_tx},
};
use btc_staking_devnet_chain::{
    Broken, Clock, Genesis, GenesisAccount, Node, NodeConfig, RunningNode, SystemClock,
};
use btc_staking_protocol::{
    committee::CovenantCommittee, delegation::CovenantSignatureSet, keys::CovenantSecret,
    params::StakingParams,
};
use prost::{Message, Name};
use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tendermint_rpc::{Client, HttpClient, endpoint::tx};
use tokio::sync::watch;

pub const CHAIN: &str = "chain-test";
pub const GAS: u64 = 5_000_000;
const DEADLINE: Duration = Duration::from_secs(60);
const RICH: u64 = 1_000_000_000_000;

/// A deterministic secret.
pub fn secret(label: &str) -> [u8; 32] {
    sha256::Hash::hash(label.as_bytes()).to_byte_array()
}

/// The committee's members, as in the reference's default genesis.
pub fn covenant() -> Vec<CovenantSecret> {
    (0..5u8).map(|i| CovenantSecret::from_bytes(&sha256::Hash::hash(&[i]).to_byte_array()).unwrap()).collect()
}

pub fn committee() -> CovenantCommittee {
    CovenantCommittee::new(3, covenant().iter().map(CovenantSecret::public_key).collect()).unwrap()
}

/// A message in an `Any`.
pub fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

/// An account's key by its label.
pub fn account(label: &str) -> AccountKey {
    AccountKey::from_secret(&secret(label)).unwrap()
}

/// Bech32 text of an account.
pub fn address(label: &str) -> String {
    account(label).account().bech32().to_owned()
}

/// Accounts that start with coins.
pub const ACCOUNTS: [&str; 9] = [
    "reporter",
    "staker",
    "provider-1",
    "provider-2",
    "provider-3",
    "covenant",
    "watchtower",
    "other",
    "authority",
];

pub fn genesis() -> Genesis {
    let rich = |label: &&str| GenesisAccount { address: account(label).account().clone(), ubbn: RICH };
    Genesis::fast(CHAIN, committee(), ACCOUNTS.iter().map(rich).collect()).unwrap()
}

/// What runs the chain.
pub enum TestNode {
    /// The embedded chain.
    Embedded(RunningNode),
    /// A node of another make. The tests of a real node bring one; they include this file.
    #[allow(dead_code)] // not built by the embedded chain's own tests
    Foreign(Box<dyn ForeignNode>),
}

/// A node of another make, on which the same cases are tried.
pub trait ForeignNode: Send + Sync {
    /// Where its RPC listens.
    fn rpc_url(&self) -> String;
    /// Where its gRPC listens.
    fn grpc_url(&self) -> String;
    /// Height of its tip.
    fn height(&self) -> u64;
    /// The two outputs that put a sealed checkpoint on Bitcoin. The embedded chain needs none.
    fn checkpoint_outputs(
        &self,
        checkpoint: &RawCheckpointResponse,
        submitter: [u8; 20],
    ) -> [::bitcoin::TxOut; 2];
}

impl TestNode {
    pub fn height(&self) -> u64 {
        match self {
            Self::Embedded(node) => node.height(),
            Self::Foreign(node) => node.height(),
        }
    }

    /// Why the embedded chain halted.
    pub fn halted(&self) -> watch::Receiver<Option<Broken>> {
        self.embedded().halted()
    }

    /// Where the embedded node's RPC listens.
    pub fn rpc_addr(&self) -> SocketAddr {
        self.embedded().rpc_addr()
    }

    /// Where the embedded node's gRPC listens.
    #[allow(dead_code)] // not asked for by the tests of a real node
    pub fn grpc_addr(&self) -> SocketAddr {
        self.embedded().grpc_addr().unwrap()
    }

    fn embedded(&self) -> &RunningNode {
        match self {
            Self::Embedded(node) => node,
            Self::Foreign(_) => panic!("this test is about the embedded node"),
        }
    }

    /// Where the node's RPC listens.
    pub fn rpc_url(&self) -> String {
        match self {
            Self::Embedded(node) => format!("http://{}", node.rpc_addr()),
            Self::Foreign(node) => node.rpc_url(),
        }
    }

    /// Where the node's gRPC listens.
    pub fn grpc_url(&self) -> String {
        match self {
            Self::Embedded(_) => format!("http://{}", self.grpc_addr()),
            Self::Foreign(node) => node.grpc_url(),
        }
    }

    async fn stop(self) {
        match self {
            Self::Embedded(node) => node.stop().await,
            Self::Foreign(node) => drop(node),
        }
    }
}

/// A running chain and what tests need around it.
pub struct World {
    pub node: TestNode,
    pub client: HttpClient,
    pub bitcoin: bitcoin::Bitcoin,
    pub params: StakingParams,
    states: Mutex<BTreeMap<String, AccountState>>,
    /// Last epoch whose checkpoint is on Bitcoin, where that needs somebody to do it.
    checkpointed: u64,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(genesis()).await
    }

    pub async fn start_with(genesis: Genesis) -> Self {
        Self::start_on_clock(genesis, Arc::new(SystemClock)).await
    }

    pub async fn start_on_clock(genesis: Genesis, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let params = genesis.staking_params.latest().clone();
        let mut config = NodeConfig::new(genesis, dir.path());
        config.block_time = Duration::from_millis(200);
        config.clock = clock;
        config.grpc_addr = Some(([127, 0, 0, 1], 0).into());
        let node = Node::start(config).await.unwrap();
        Self::around(TestNode::Embedded(node), params, dir).await
    }

    /// Around a node that runs already; `dir` goes away with it.
    pub async fn around(node: TestNode, params: StakingParams, dir: tempfile::TempDir) -> Self {
        let world = Self {
            client: HttpClient::new(node.rpc_url().as_str()).unwrap(),
            node,
            bitcoin: bitcoin::Bitcoin::new(),
            params,
            states: Mutex::default(),
            checkpointed: 0,
            _dir: dir,
        };
        world.wait_for_height(1).await;
        world
    }

    /// Asks a query.
    pub async fn query<Q: Query>(&self, request: Q) -> Result<Q::Response, Refused> {
        let data = request.encode_to_vec();
        let answer = self.client.abci_query(Some(Q::PATH.to_owned()), data, None, false).await.unwrap();
        if answer.code.is_err() {
            return Err(Refused { codespace: answer.codespace, code: answer.code.value(), log: answer.log });
        }
        Ok(Q::Response::decode(answer.value.as_slice()).unwrap())
    }

    async fn fetch_state(&self, label: &str) -> AccountState {
        let answer = self.query(QueryAccountRequest { address: address(label) }).await.unwrap();
        let base = BaseAccount::decode(answer.account.unwrap().value.as_slice()).unwrap();
        AccountState { number: base.account_number, sequence: base.sequence }
    }

    /// The account's state, counted by ourselves after the first look.
    pub async fn state(&self, label: &str) -> AccountState {
        if let Some(state) = self.states.lock().unwrap().get(label) {
            return *state;
        }
        let state = self.fetch_state(label).await;
        self.states.lock().unwrap().insert(label.to_owned(), state);
        state
    }

    pub async fn balance(&self, label: &str) -> u64 {
        let request = QueryBalanceRequest { address: address(label), denom: "ubbn".into() };
        self.query(request).await.unwrap().balance.unwrap().amount.parse().unwrap()
    }

    /// Corrects the count after a transaction sent by hand.
    pub fn set_state(&self, label: &str, state: AccountState) {
        self.states.lock().unwrap().insert(label.to_owned(), state);
    }

    /// Sends messages in one transaction and waits for its result; `Err` when it is refused anywhere on the way.
    pub async fn send(&self, label: &str, messages: Vec<Any>) -> Result<tx::Response, Refused> {
        let state = self.state(label).await;
        let gas = GasAndFee { limit: GAS, fee: 50_000 };
        let signed = sign_tx(&account(label), CHAIN, state, messages, gas).unwrap();
        let included = self.broadcast(signed.bytes).await?;
        let next = AccountState { sequence: state.sequence + 1, ..state };
        self.states.lock().unwrap().insert(label.to_owned(), next);
        let result = &included.tx_result;
        if result.code.is_err() {
            return Err(Refused {
                codespace: result.codespace.clone(),
                code: result.code.value(),
                log: result.log.clone(),
            });
        }
        Ok(included)
    }

    /// Broadcasts bytes and waits until they are in a block.
    pub async fn broadcast(&self, bytes: Vec<u8>) -> Result<tx::Response, Refused> {
        let answer = self.client.broadcast_tx_sync(bytes).await.unwrap();
        if answer.code.is_err() {
            return Err(Refused { codespace: answer.codespace, code: answer.code.value(), log: answer.log });
        }
        let hash = answer.hash;
        Ok(self
            .until("transaction in a block", || async move { self.client.tx(hash, false).await.ok() })
            .await)
    }

    /// Sends one message that must succeed.
    pub async fn must<M: Message + Name>(&self, label: &str, message: &M) -> tx::Response {
        match self.send(label, vec![any(message)]).await {
            Ok(included) => included,
            Err(refused) => panic!("{} of {label} refused: {refused:?}", M::NAME),
        }
    }

    /// Simulates messages.
    pub async fn simulate(&self, label: &str, messages: Vec<Any>) -> Result<u64, Refused> {
        let state = self.state(label).await;
        let answer = self.query(build_simulation(&account(label), state, messages)).await?;
        Ok(answer.gas_info.unwrap().gas_used)
    }

    /// Waits until `fact` has a value.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, fact: impl Fn() -> F) -> T {
        let wait = async {
            loop {
                if let Some(value) = fact().await {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(value) => value,
            Err(_) => panic!("{what}: not within {DEADLINE:?}, chain at {}", self.node.height()),
        }
    }

    pub async fn wait_for_height(&self, height: u64) {
        self.until("height", || async { (self.node.height() >= height).then_some(()) }).await;
    }

    /// Waits for the next block.
    pub async fn next_block(&self) -> u64 {
        let next = self.node.height() + 1;
        self.wait_for_height(next).await;
        next
    }

    /// What happened in a block outside its transactions.
    pub async fn block_events(&self, height: u64) -> Vec<tendermint::abci::Event> {
        self.wait_for_height(height).await;
        self.client.block_results(u32::try_from(height).unwrap()).await.unwrap().finalize_block_events
    }

    /// Mines Bitcoin blocks and reports their headers; the first block holds `txs`.
    pub async fn mine(&mut self, blocks: u32, txs: &[&::bitcoin::Transaction]) -> u32 {
        let height = self.bitcoin.tip_height() + 1;
        let mut headers = vec![self.bitcoin.mine(txs)];
        headers.extend((1..blocks).map(|_| self.bitcoin.mine(&[])));
        self.report(&headers).await.unwrap();
        height
    }

    /// Reports headers.
    pub async fn report(&self, headers: &[::bitcoin::block::Header]) -> Result<tx::Response, Refused> {
        let headers = headers.iter().map(::bitcoin::consensus::serialize).collect();
        self.send("reporter", vec![any(&MsgInsertHeaders { signer: address("reporter"), headers })]).await
    }

    /// Stops the node and returns its data.
    pub async fn stop_and_keep(self) -> tempfile::TempDir {
        self.node.stop().await;
        self._dir
    }

    /// A node of its own goes down with its tasks.
    pub async fn stop(self) {
        self.node.stop().await;
    }
}

/// What a client sees of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub codespace: String,
    pub code: u32,
    pub log: String,
}

impl Refused {
    /// The refusal in an included transaction's result.
    pub fn of(result: &tendermint::abci::types::ExecTxResult) -> Self {
        Self { codespace: result.codespace.clone(), code: result.code.value(), log: result.log.clone() }
    }
    /// `codespace/code` as the spec writes it.
    pub fn short(&self) -> String {
        format!("{}/{}", self.codespace, self.code)
    }
}

/// The value of an attribute of the first event of a type.
pub fn attribute(events: &[tendermint::abci::Event], kind: &str, key: &str) -> Option<String> {
    let event = events.iter().find(|event| event.kind == kind)?;
    let attribute = event.attributes.iter().find(|attribute| attribute.key_str().unwrap() == key)?;
    Some(attribute.value_str().unwrap().to_owned())
}

/// Members' signature sets as messages.
pub fn covenant_message(
    set: &CovenantSignatureSet,
) -> btc_staking_babylon::proto::btcstaking::MsgAddCovenantSigs {
    btc_staking_babylon::convert::covenant::encode_signature_set(set, &address("covenant"))
}
