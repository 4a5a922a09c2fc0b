//! JSON-RPC over HTTP to several nodes of one chain.

use super::{
    AbciAnswer, BlockResults, Header, HealthPolicy, IncludedTx, InvalidEndpoints, NodeStatus, Read, Rpc,
    RpcError, TxResult,
    calls::{BlockResultsAnswer, Call, HeaderAnswer, QueryAnswer, StatusAnswer, TxAnswer, parse},
    hints::Listener,
    standing::{Rank, Standing, reference_height},
    transport::{Bounds, Transport, hide_password},
};
use async_trait::async_trait;
use btc_staking_pos_chain::{
    event::Hints,
    watch::{NodeReport, NodeTold},
};
use btc_staking_protocol::height::PosHeight;
use futures::future::join_all;
use serde::de::DeserializeOwned;
use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Talks to the best endpoint that answers, and stays with it as long as it is one of the best.
///
/// Every node is asked for its chain id and height before its first use, after any trouble, and from time to time
/// ([`HealthPolicy`]). Silence, malformed and oversized answers, "not yet", a node's own trouble and a call it does not
/// offer move on to the next endpoint; that the call itself is wrong is an answer, since another node would refuse it
/// alike. State is never read at a lower height than before,
/// whichever node answers: a node that is behind answers [`RpcError::Behind`].
///
/// With an agreement of `q`, [`Rpc::read`] asks every usable node at one height and returns what `q` of them say alike;
/// `agree` tells what else needs `q` voices.
pub struct HttpRpc {
    nodes: Vec<Node>,
    current: AtomicUsize,
    network: Option<String>,
    timeout: Duration,
    policy: HealthPolicy,
    pub(super) agreement: usize,
    /// State is never read below this height again.
    pub(super) floor: AtomicU64,
    /// The tip is never told below this height again.
    head: AtomicU64,
    ids: AtomicU64,
    /// Started by the first who waits for hints.
    listener: OnceLock<Listener>,
    /// When all nodes were last asked how they are.
    refreshed: tokio::sync::Mutex<Option<Instant>>,
}

pub(super) struct Node {
    /// Host and port, for the log; an address may hold a password.
    pub(super) name: String,
    transport: Transport,
    standing: Mutex<Standing>,
}

impl Node {
    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        // Nothing panics while it holds the lock, and a half-made judgement is renewed at the next check.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest wait for a status when all nodes are asked, so that a silent one does not hold up the others' use.
const STATUS_DEADLINE: Duration = Duration::from_secs(3);

/// Largest value of a query that is no list; the largest known are simulations of full batches.
const MAX_VALUE: usize = 8 * 1024 * 1024;

impl HttpRpc {
    /// Prepares clients; nothing is sent yet. `timeout` bounds each call at each endpoint.
    ///
    /// # Errors
    /// [`InvalidEndpoints`].
    pub fn new(urls: &[String], timeout: Duration) -> Result<Self, InvalidEndpoints> {
        if urls.is_empty() {
            return Err(InvalidEndpoints::None);
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(urls.len());
        for url in urls {
            let transport = Transport::new(url)?;
            if nodes.iter().any(|known| known.transport.place() == transport.place()) {
                return Err(InvalidEndpoints::Twice(hide_password(url)));
            }
            nodes.push(Node { name: transport.name(), transport, standing: Mutex::default() });
        }
        Ok(Self {
            nodes,
            current: AtomicUsize::new(0),
            network: None,
            timeout,
            policy: HealthPolicy::default(),
            agreement: 1,
            floor: AtomicU64::new(0),
            head: AtomicU64::new(0),
            ids: AtomicU64::new(1),
            listener: OnceLock::new(),
            refreshed: tokio::sync::Mutex::new(None),
        })
    }

    /// Uses only nodes that name this chain id.
    #[must_use]
    pub fn for_network(mut self, chain_id: &str) -> Self {
        self.network = Some(chain_id.to_owned());
        self
    }

    /// Replaces the rules by which nodes count as worse than others.
    #[must_use]
    pub fn with_policy(mut self, policy: HealthPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets what is read count only when `agreement` nodes say it alike; 1 trusts each node.
    ///
    /// # Errors
    /// [`InvalidEndpoints::Agreement`] unless it is from 1 to the number of endpoints.
    pub fn with_agreement(mut self, agreement: usize) -> Result<Self, InvalidEndpoints> {
        if !(1..=self.nodes.len()).contains(&agreement) {
            return Err(InvalidEndpoints::Agreement { wanted: agreement, endpoints: self.nodes.len() });
        }
        self.agreement = agreement;
        Ok(self)
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One exchange with one node.
    pub(super) async fn call<A: DeserializeOwned>(&self, node: &Node, call: &Call) -> Result<A, RpcError> {
        self.call_within(node, call, self.timeout).await
    }

    async fn call_within<A: DeserializeOwned>(
        &self,
        node: &Node,
        call: &Call,
        deadline: Duration,
    ) -> Result<A, RpcError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let bounds = Bounds { deadline, bytes: call.max_bytes };
        parse(id, &node.transport.post(call.body(id), bounds).await?.body)
    }

    /// Asks a node how it is, judges what it says, and tells both.
    async fn report(&self, node: &Node) -> NodeReport {
        let (asked, id) = (Instant::now(), self.ids.fetch_add(1, Ordering::Relaxed));
        let call = Call::status();
        let bounds = Bounds { deadline: self.timeout.min(STATUS_DEADLINE), bytes: call.max_bytes };
        let answer = node.transport.post(call.body(id), bounds).await;
        let told = answer.and_then(|answer| {
            let report = parse::<StatusAnswer>(id, &answer.body).and_then(StatusAnswer::into_report)?;
            Ok((report, answer.clock))
        });
        let (report, clock_told) = match told {
            Ok(told) => told,
            Err(error) => {
                node.standing().note_trouble(error.clone(), Instant::now());
                return NodeReport { name: node.name.clone(), trouble: Some(error.to_string()), told: None };
            }
        };
        let now = (Instant::now(), clock());
        let judged = node.standing().judge(&report, self.network.as_deref(), &self.policy, now);
        NodeReport {
            name: node.name.clone(),
            trouble: judged.err().map(|fault| fault.to_string()),
            told: Some(NodeTold {
                chain_id: report.status.network,
                height: PosHeight::new(report.status.latest_height),
                catching_up: report.status.catching_up,
                block_time: report.block_time,
                clock: clock_told,
                has_tx_index: report.has_index,
                latency: asked.elapsed(),
            }),
        }
    }

    /// Asks a node how it is and judges what it says.
    async fn check_node(&self, node: &Node, deadline: Duration) -> Result<NodeStatus, RpcError> {
        let answer: Result<StatusAnswer, _> = self.call_within(node, &Call::status(), deadline).await;
        let report = match answer.and_then(StatusAnswer::into_report) {
            Ok(report) => report,
            Err(error) => {
                node.standing().note_trouble(error.clone(), Instant::now());
                return Err(error);
            }
        };
        let now = (Instant::now(), clock());
        node.standing().judge(&report, self.network.as_deref(), &self.policy, now)?;
        Ok(report.status)
    }

    /// Asks all nodes how they are, unless that was done less than `age` ago, and finds out who is behind.
    pub(super) async fn refresh(&self, age: Duration) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < age) {
            return;
        }
        let deadline = self.timeout.min(STATUS_DEADLINE);
        let now = Instant::now();
        let awake = self.nodes.iter().filter(|node| !node.standing().is_resting(now));
        let checks = awake.map(|node| async move { (node, self.check_node(node, deadline).await) });
        for (node, outcome) in join_all(checks).await {
            if let Err(error) = outcome {
                tracing::warn!(endpoint = node.name, %error, "endpoint set aside");
            }
        }
        let heights = self.nodes.iter().filter_map(|node| node.standing().comparable_tip()).collect();
        let reference = reference_height(heights);
        for node in &self.nodes {
            let placed = node.standing().note_reference(reference, &self.policy, clock());
            if let Err(error) = placed {
                tracing::warn!(endpoint = node.name, %error, "endpoint set aside");
            }
        }
        *refreshed = Some(Instant::now());
    }

    /// Nodes in the order of use: the best first, among equals the present one.
    pub(super) async fn order(&self) -> Vec<&Node> {
        if self.nodes.len() > 1 {
            self.refresh(self.policy.recheck).await;
        }
        let first = self.current.load(Ordering::Relaxed);
        let count = self.nodes.len();
        let mut order: Vec<(Rank, usize)> = (0..count)
            .map(|step| first.wrapping_add(step) % count)
            .map(|i| (self.nodes[i].standing().rank(), i))
            .collect();
        order.sort_by_key(|(rank, _)| *rank);
        order.into_iter().map(|(_, index)| &self.nodes[index]).collect()
    }

    fn stay_with(&self, node: &Node) {
        if let Some(index) = self.nodes.iter().position(|known| std::ptr::eq(known, node)) {
            self.current.store(index, Ordering::Relaxed);
        }
    }

    /// Makes a call at the first node that answers it.
    async fn perform<A, R>(
        &self,
        call: &Call,
        needs: Needs,
        take: impl Fn(&Node, A) -> Result<R, RpcError> + Sync,
    ) -> Result<R, RpcError>
    where
        A: DeserializeOwned + Send,
        R: Send,
    {
        let mut failure: Option<RpcError> = None;
        for node in self.order().await {
            let answer = self.perform_at(node, call, needs, &take).await;
            match answer {
                Ok(answer) => {
                    self.stay_with(node);
                    return Ok(answer);
                }
                Err(error) if error.is_answer() => {
                    self.stay_with(node);
                    return Err(error);
                }
                Err(error) => {
                    self.pass_over(node, &error);
                    failure = Some(worse(failure, error));
                }
            }
        }
        Err(failure.unwrap_or_else(|| RpcError::Unreachable("no endpoint".to_owned())))
    }

    /// Makes a call at one node, if the node is fit for it.
    pub(super) async fn perform_at<A, R>(
        &self,
        node: &Node,
        call: &Call,
        needs: Needs,
        take: &(impl Fn(&Node, A) -> Result<R, RpcError> + Sync),
    ) -> Result<R, RpcError>
    where
        A: DeserializeOwned + Send,
    {
        self.check_fit(node, needs).await?;
        take(node, self.call(node, call).await?)
    }

    pub(super) async fn check_fit(&self, node: &Node, needs: Needs) -> Result<(), RpcError> {
        let is_due = node.standing().needs_check(&self.policy, Instant::now());
        if is_due {
            self.check_node(node, self.timeout).await?;
        }
        let is_catching_up = node.standing().is_catching_up();
        match needs {
            Needs::State | Needs::Index if is_catching_up => Err(RpcError::CatchingUp),
            Needs::Index if !node.standing().has_index() => {
                Err(RpcError::NoIndex { indexed: 0, wanted: self.agreement })
            }
            Needs::State | Needs::Index | Needs::Chain => Ok(()),
        }
    }

    /// Notes what a node failed with. Knowing less than others is no trouble.
    pub(super) fn pass_over(&self, node: &Node, error: &RpcError) {
        if error.is_without_index() {
            node.standing().note_no_index();
        }
        let lacks_index = error.is_without_index() || matches!(error, RpcError::NoIndex { .. });
        if error.is_lack() || lacks_index {
            tracing::debug!(endpoint = node.name, %error, "endpoint does not know");
            return;
        }
        node.standing().note_trouble(error.clone(), Instant::now());
        if self.nodes.len() > 1 {
            tracing::warn!(endpoint = node.name, %error, "endpoint passed over");
        }
    }

    /// Refuses an answer from before what was read already. An answer without a height tells no state.
    pub(super) fn check_floor(
        &self,
        node: &Node,
        floor: u64,
        answer: AbciAnswer,
    ) -> Result<AbciAnswer, RpcError> {
        node.standing().check_answered(answer.height)?;
        if answer.height > 0 && answer.height < floor {
            return Err(RpcError::Behind { at: answer.height, needed: floor });
        }
        match answer.is_unknown() {
            // Another node may know; if none does, this is what is told.
            Some(_) => Err(RpcError::Unknown(answer)),
            None => {
                self.floor.fetch_max(answer.height, Ordering::Relaxed);
                Ok(answer)
            }
        }
    }

    async fn query_best(&self, path: &str, data: &[u8], max_bytes: usize) -> Result<AbciAnswer, RpcError> {
        let call = Call::abci_query(path, data, 0, max_bytes);
        // What was read before this call began; a slower call that began earlier may lawfully be older.
        let floor = self.floor.load(Ordering::Relaxed);
        let take =
            |node: &Node, answer: QueryAnswer| self.check_floor(node, floor, answer.into_answer(max_bytes)?);
        match self.perform(&call, Needs::State, take).await {
            Err(RpcError::Unknown(answer)) => Ok(answer),
            answer => answer,
        }
    }

    /// Asks all nodes how they are and whether enough of them can tell what became of a transaction. Silent ones may.
    ///
    /// # Errors
    /// [`RpcError::NoIndex`].
    pub async fn check_index(&self) -> Result<(), RpcError> {
        self.refresh(Duration::ZERO).await;
        let wanted = self.agreement;
        let indexed = self.nodes.iter().filter(|node| node.standing().has_index()).count();
        if indexed < wanted { Err(RpcError::NoIndex { indexed, wanted }) } else { Ok(()) }
    }
}

/// Seconds since 1970 by our clock.
fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What a call asks of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Needs {
    /// Any block it has.
    Chain,
    /// The latest state.
    State,
    /// The latest state and the index of transactions.
    Index,
}

/// The failure that says more: that of a fit node which lacks something, then a fault, then silence. Of equals the later.
pub(super) fn worse(before: Option<RpcError>, error: RpcError) -> RpcError {
    let weight = |error: &RpcError| match error {
        error if error.is_lack() => 2,
        RpcError::Unreachable(_) => 0,
        _ => 1,
    };
    match before {
        Some(before) if weight(&before) > weight(&error) => before,
        Some(_) | None => error,
    }
}

#[async_trait]
impl Rpc for HttpRpc {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        let floor = self.head.load(Ordering::Relaxed);
        if self.agreement > 1 {
            return self.agreed_status(floor).await;
        }
        let mut failure = None;
        for node in self.order().await {
            match self.check_node(node, self.timeout).await {
                Ok(status) if status.latest_height >= floor => {
                    self.stay_with(node);
                    self.head.fetch_max(status.latest_height, Ordering::Relaxed);
                    return Ok(status);
                }
                Ok(status) => {
                    let behind = RpcError::Behind { at: status.latest_height, needed: floor };
                    failure = Some(worse(failure, behind));
                }
                Err(error) => {
                    self.pass_over(node, &error);
                    failure = Some(worse(failure, error));
                }
            }
        }
        Err(failure.unwrap_or_else(|| RpcError::Unreachable("no endpoint".to_owned())))
    }

    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        if self.agreement > 1 {
            return self.query_unless_refused(path, &data, MAX_VALUE).await;
        }
        self.query_best(path, &data, MAX_VALUE).await
    }

    async fn read(&self, read: Read<'_>) -> Result<AbciAnswer, RpcError> {
        if self.agreement > 1 {
            return self.agreed_read(read).await;
        }
        self.query_best(read.path, &read.data, read.max_bytes).await
    }

    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        self.broadcast(&tx).await
    }

    async fn tx(&self, hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        if self.agreement > 1 {
            return self.agreed_tx(&hash).await;
        }
        let found = self
            .perform(&Call::tx(&hash), Needs::Index, |_: &Node, answer: TxAnswer| answer.into_included(&hash))
            .await;
        match found {
            Ok(tx) => Ok(Some(tx)),
            Err(error) if error.is_tx_not_found() => Ok(None),
            Err(error) if error.is_without_index() => {
                Err(RpcError::NoIndex { indexed: 0, wanted: self.agreement })
            }
            Err(error) => Err(error),
        }
    }

    async fn block_results(&self, height: u64) -> Result<BlockResults, RpcError> {
        let take = |_: &Node, answer: BlockResultsAnswer| answer.into_results(height);
        self.perform(&Call::block_results(height), Needs::Chain, take).await
    }

    async fn header(&self, height: u64) -> Result<Header, RpcError> {
        let chain = self.network.as_deref();
        let take = |_: &Node, answer: HeaderAnswer| answer.into_header(height, chain);
        self.perform(&Call::header(height), Needs::Chain, take).await
    }

    async fn node_reports(&self) -> Vec<NodeReport> {
        join_all(self.nodes.iter().map(|node| self.report(node))).await
    }

    fn block_hints(&self) -> Box<dyn Hints> {
        let start = || {
            let nodes = self.nodes.iter().map(|node| (node.name.clone(), node.transport.websocket()));
            Listener::start(nodes.collect())
        };
        Box::new(self.listener.get_or_init(start).hints())
    }

    fn set_aside(&self, why: &str) {
        // With agreement no node is in use alone.
        if self.agreement > 1 {
            return;
        }
        let Some(node) = self.nodes.get(self.current.load(Ordering::Relaxed)) else { return };
        tracing::warn!(endpoint = node.name, why, "endpoint set aside");
        node.standing().note_trouble(RpcError::Unreachable(why.to_owned()), Instant::now());
    }
}

impl HttpRpc {
    /// The highest tip that as many nodes as must agree have reached.
    async fn agreed_status(&self, floor: u64) -> Result<NodeStatus, RpcError> {
        self.refresh(Duration::ZERO).await;
        let height = self.agreed_height()?;
        if height < floor {
            return Err(RpcError::Behind { at: height, needed: floor });
        }
        self.head.fetch_max(height, Ordering::Relaxed);
        let network = match &self.network {
            Some(network) => network.clone(),
            // Without an expected chain id the nodes must at least name the same one.
            None => self.common_network().await?,
        };
        Ok(NodeStatus { network, latest_height: height, catching_up: false })
    }

    async fn common_network(&self) -> Result<String, RpcError> {
        let deadline = self.timeout.min(STATUS_DEADLINE);
        let told = join_all(self.nodes.iter().map(|node| self.check_node(node, deadline))).await;
        let mut names: Vec<String> = told.into_iter().flatten().map(|status| status.network).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(RpcError::Unreachable("no endpoint names its chain".to_owned())),
            [first, .., last] => Err(RpcError::WrongChain { expected: first.clone(), found: last.clone() }),
        }
    }
}

#[cfg(test)]
mod tests;
