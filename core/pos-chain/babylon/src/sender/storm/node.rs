//! A node for the sender's storm: a chain of one account whose calls get lost, late and doubled, and which restarts.
//!
//! Time is the paused clock's and chance comes from a seed, so a run repeats exactly. What a real node does is kept:
//! a mempool with a cache and checked sequences, blocks at intervals, timeout heights, an index of transactions, answers
//! of an endpoint that lags behind. What happens on the way to it is as bad as the [`Weather`] says.

use super::super::ledger::{Digest, digest};
use crate::{
    proto::{
        Any, BaseAccount, GasInfo, Query, QueryAccountRequest, QueryAccountResponse, SimulateRequest,
        SimulateResponse, TxBody, TxRaw,
    },
    rpc::{
        AbciAnswer, BlockResults, Header, IncludedTx, NodeStatus, Rpc, RpcError, TxResult,
        fake::{answered, failed, node_error, refused},
    },
    tx::read_tx,
};
use async_trait::async_trait;
use prost::{Message, Name};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;

/// How likely what goes wrong is, in percent of calls or of blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    /// Calls that never arrive.
    pub(super) dropped: u64,
    /// Answers that never arrive.
    pub(super) unanswered: u64,
    /// Calls that take seconds.
    pub(super) slow: u64,
    /// Broadcasts of which a copy arrives much later.
    pub(super) doubled: u64,
    /// Answers of an endpoint that is blocks behind.
    pub(super) stale: u64,
    /// Blocks after which the node restarts and forgets its mempool.
    pub(super) restarts: u64,
    /// Blocks that take no transaction.
    pub(super) empty: u64,
}

/// What is wrong with a message, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// The chain refuses it, and simulation shows that.
    Always,
    /// The chain refuses it in blocks only.
    InBlocks,
}

pub(super) const BLOCK_TIME: Duration = Duration::from_secs(6);
const REFUSAL: &str = "the BTC delegation is not found";
/// Transactions of a block.
const BLOCK: usize = 3;

/// Numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn hits(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What is counted, so that a test can say that the storm was one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) dropped: u64,
    pub(super) unanswered: u64,
    pub(super) doubled: u64,
    pub(super) stale: u64,
    pub(super) restarts: u64,
    pub(super) refused_by_sequence: u64,
    pub(super) too_late: u64,
    pub(super) failed_in_blocks: u64,
}

struct Chain {
    chance: Chance,
    weather: Weather,
    address: String,
    flaws: HashMap<Digest, Flaw>,
    height: u64,
    next_block: Instant,
    down_until: Instant,
    /// Sequence after each block, from height 0.
    sequences: Vec<u64>,
    checked: u64,
    mempool: VecDeque<Vec<u8>>,
    cache: HashSet<[u8; 32]>,
    transit: BTreeMap<(Instant, u64), Vec<u8>>,
    index: HashMap<[u8; 32], IncludedTx>,
    landed: Vec<Digest>,
    damage: Damage,
}

/// See the module.
pub(super) struct StormyNode(Mutex<Chain>);

fn hash(tx: &[u8]) -> [u8; 32] {
    Sha256::digest(tx).into()
}

fn timeout_height(tx: &[u8]) -> u64 {
    let raw = TxRaw::decode(tx).unwrap();
    TxBody::decode(raw.body_bytes.as_slice()).unwrap().timeout_height
}

impl Chain {
    fn sequence(&self) -> u64 {
        *self.sequences.last().unwrap()
    }

    /// Lets happen what has happened by now.
    fn advance(&mut self) {
        let now = Instant::now();
        while self.next_block <= now {
            self.deliver(self.next_block);
            self.make_block();
            self.next_block += BLOCK_TIME;
        }
        self.deliver(now);
    }

    /// Copies that were on their way arrive; nobody hears what became of them.
    fn deliver(&mut self, until: Instant) {
        while let Some(entry) = self.transit.first_entry() {
            if entry.key().0 > until {
                return;
            }
            let tx = entry.remove();
            let _ = self.check_tx(tx);
        }
    }

    fn check_tx(&mut self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        if self.cache.contains(&hash(&tx)) {
            return Err(node_error("tx already exists in cache"));
        }
        let (sequence, last) = (read_tx(&tx).unwrap().sequence, timeout_height(&tx));
        if last < self.height + 1 {
            self.damage.too_late += 1;
            return Ok(failed("sdk", 30, "block height: 1, timeout height: 1: tx timeout height"));
        }
        if sequence != self.checked {
            self.damage.refused_by_sequence += 1;
            return Ok(failed("sdk", 32, &mismatch(self.checked, sequence)));
        }
        self.checked += 1;
        self.cache.insert(hash(&tx));
        self.mempool.push_back(tx);
        Ok(TxResult::default())
    }

    fn make_block(&mut self) {
        self.height += 1;
        let mut sequence = self.sequence();
        let count = if self.chance.hits(self.weather.empty) { 0 } else { BLOCK.min(self.mempool.len()) };
        for tx in self.mempool.drain(..count).collect::<Vec<_>>() {
            let read = read_tx(&tx).unwrap();
            if read.sequence != sequence || timeout_height(&tx) < self.height {
                continue;
            }
            sequence += 1;
            let result = self.execute(&read.messages);
            self.index.insert(hash(&tx), IncludedTx { height: self.height, result });
        }
        self.sequences.push(sequence);
        if self.chance.hits(self.weather.restarts) {
            self.damage.restarts += 1;
            self.mempool.clear();
            self.cache.clear();
            self.down_until = self.next_block + Duration::from_secs(self.chance.below(25));
        }
        self.recheck();
    }

    fn execute(&mut self, messages: &[Any]) -> TxResult {
        let flawed = |message: &Any| self.flaws[&digest(message)] != Flaw::None;
        if let Some(position) = messages.iter().position(flawed) {
            self.damage.failed_in_blocks += 1;
            let log = format!("failed to execute message; message index: {position}: {REFUSAL}");
            return failed("btcstaking", 1102, &log);
        }
        self.landed.extend(messages.iter().map(digest));
        TxResult::default()
    }

    /// What can no longer be executed leaves the mempool, and the cache with it.
    fn recheck(&mut self) {
        self.checked = self.sequence();
        let next = self.height + 1;
        for tx in std::mem::take(&mut self.mempool) {
            if read_tx(&tx).unwrap().sequence == self.checked && timeout_height(&tx) >= next {
                self.checked += 1;
                self.mempool.push_back(tx);
            } else {
                self.cache.remove(&hash(&tx));
            }
        }
    }

    /// The block an answer is as of, and the sequence there as transactions are checked against it.
    fn view(&mut self) -> (u64, u64) {
        if !self.chance.hits(self.weather.stale) {
            return (self.height, self.checked);
        }
        self.damage.stale += 1;
        let back = 1 + self.chance.below(4);
        let height = self.height.saturating_sub(back).max(1);
        (height, self.sequences[usize::try_from(height).unwrap()])
    }

    fn simulate(&mut self, data: &[u8]) -> AbciAnswer {
        let (height, expected) = self.view();
        let request = SimulateRequest::decode(data).unwrap();
        let raw = TxRaw::decode(request.tx_bytes.as_slice()).unwrap();
        // A simulated transaction carries an empty signature.
        let signed = TxRaw { signatures: vec![vec![0; 64]], ..raw }.encode_to_vec();
        let tx = read_tx(&signed).unwrap();
        if tx.sequence != expected {
            let text = mismatch(expected, tx.sequence);
            return refused("sdk", 6, &format!("{text} with gas used: '0': unknown request"));
        }
        let shown = |message: &Any| self.flaws[&digest(message)] == Flaw::Always;
        if let Some(position) = tx.messages.iter().position(shown) {
            let log = format!(
                "rpc error: code = Unknown desc = failed to execute message; message index: {position}: {REFUSAL} with gas used: '57041': unknown request"
            );
            return refused("sdk", 6, &log);
        }
        let gas_used = 50_000 * u64::try_from(tx.messages.len()).unwrap();
        let gas_info = Some(GasInfo { gas_wanted: 0, gas_used });
        AbciAnswer { height, ..answered(&SimulateResponse { gas_info, result: None }) }
    }

    fn account(&mut self) -> AbciAnswer {
        let (height, _) = self.view();
        let sequence = self.sequences[usize::try_from(height).unwrap()];
        let address = self.address.clone();
        let account = BaseAccount { address, account_number: 3, sequence, ..BaseAccount::default() };
        let any = Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() };
        AbciAnswer { height, ..answered(&QueryAccountResponse { account: Some(any) }) }
    }
}

fn mismatch(expected: u64, got: u64) -> String {
    format!("account sequence mismatch, expected {expected}, got {got}: incorrect account sequence")
}

impl StormyNode {
    pub(super) fn new(seed: u64, weather: Weather, address: String, flaws: HashMap<Digest, Flaw>) -> Self {
        let now = Instant::now();
        Self(Mutex::new(Chain {
            chance: Chance::new(seed),
            weather,
            address,
            flaws,
            height: 1,
            next_block: now + BLOCK_TIME,
            down_until: now,
            sequences: vec![0, 0],
            checked: 0,
            mempool: VecDeque::new(),
            cache: HashSet::new(),
            transit: BTreeMap::new(),
            index: HashMap::new(),
            landed: Vec::new(),
            damage: Damage::default(),
        }))
    }

    /// Messages executed so far, in the order of the chain.
    pub(super) fn landed(&self) -> Vec<Digest> {
        self.chain().landed.clone()
    }
    pub(super) fn damage(&self) -> Damage {
        self.chain().damage
    }

    /// The end of the storm.
    pub(super) fn calm(&self) {
        let none =
            Weather { dropped: 0, unanswered: 0, slow: 0, doubled: 0, stale: 0, restarts: 0, empty: 0 };
        self.chain().weather = none;
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        let mut chain = self.0.lock().unwrap();
        chain.advance();
        chain
    }

    /// The way of a call to the node, its effect there, and the way back.
    async fn call<T>(&self, effect: impl FnOnce(&mut Chain) -> Result<T, RpcError>) -> Result<T, RpcError> {
        let (delay, dropped, unanswered) = {
            let mut chain = self.chain();
            let Weather { dropped, unanswered, slow, .. } = chain.weather;
            let most = if chain.chance.hits(slow) { 12_000 } else { 60 };
            (chain.chance.below(most), chain.chance.hits(dropped), chain.chance.hits(unanswered))
        };
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let mut chain = self.chain();
        if dropped || Instant::now() < chain.down_until {
            chain.damage.dropped += 1;
            return Err(RpcError::Unreachable("connection refused".into()));
        }
        let answer = effect(&mut chain);
        if unanswered {
            chain.damage.unanswered += 1;
            return Err(RpcError::Unreachable("timed out".into()));
        }
        answer
    }
}

#[async_trait]
impl Rpc for StormyNode {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        Err(RpcError::Unreachable("not asked".into()))
    }

    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        let answer = |chain: &mut Chain| match path {
            SimulateRequest::PATH => Ok(chain.simulate(&data)),
            QueryAccountRequest::PATH => Ok(chain.account()),
            other => panic!("nobody asks {other}"),
        };
        self.call(answer).await
    }

    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        {
            let mut chain = self.chain();
            let doubled = chain.weather.doubled;
            if chain.chance.hits(doubled) {
                chain.damage.doubled += 1;
                let later = Duration::from_millis(chain.chance.below(90_000));
                let number = chain.chance.next();
                chain.transit.insert((Instant::now() + later, number), tx.clone());
            }
        }
        self.call(|chain| chain.check_tx(tx)).await
    }

    async fn tx(&self, hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        let find = |chain: &mut Chain| {
            let (height, _) = chain.view();
            Ok(chain.index.get(&hash).filter(|tx| tx.height <= height).cloned())
        };
        self.call(find).await
    }

    async fn block_results(&self, _: u64) -> Result<BlockResults, RpcError> {
        Err(RpcError::Unreachable("not asked".into()))
    }

    async fn header(&self, _: u64) -> Result<Header, RpcError> {
        Err(RpcError::Unreachable("not asked".into()))
    }
}
