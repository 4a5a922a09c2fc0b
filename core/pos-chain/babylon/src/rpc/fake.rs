//! A node for tests: scripted answers, and by default a chain that accepts everything.

use super::{AbciAnswer, BlockResults, Header, IncludedTx, NodeStatus, Rpc, RpcError, TxResult};
use crate::proto::{
    Any, AuthInfo, BaseAccount, GasInfo, Query, QueryAccountRequest, QueryAccountResponse, SimulateRequest,
    SimulateResponse, TxBody, TxRaw,
};
use async_trait::async_trait;
use prost::{Message, Name};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
};

/// A transaction the fake was handed.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) messages: Vec<Any>,
    pub(crate) sequence: u64,
    pub(crate) gas_limit: u64,
    pub(crate) fee: String,
}

/// Scripted answers; an empty queue means the default.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) account: Option<BaseAccount>,
    pub(crate) simulations: VecDeque<Result<AbciAnswer, RpcError>>,
    pub(crate) broadcasts: VecDeque<Result<TxResult, RpcError>>,
    /// Results of transactions in blocks, in the order of broadcast.
    pub(crate) results: VecDeque<TxResult>,
    /// How often `tx` answers that it has not seen a transaction yet.
    pub(crate) unseen: usize,
    pub(crate) answers: HashMap<&'static str, VecDeque<AbciAnswer>>,
    pub(crate) requests: Vec<(String, Vec<u8>)>,
    pub(crate) blocks: BTreeMap<u64, BlockResults>,
    pub(crate) status: Option<NodeStatus>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) simulated: usize,
    /// How often the node was said to be of no use.
    pub(crate) set_aside: usize,
    /// Blocks of included transactions, in order; block 2 by default.
    pub(crate) heights: VecDeque<u64>,
    included: HashMap<[u8; 32], IncludedTx>,
}

#[derive(Default)]
pub(crate) struct FakeRpc(Mutex<Script>);

pub(crate) fn refused(codespace: &str, code: u32, log: &str) -> AbciAnswer {
    AbciAnswer { code, codespace: codespace.into(), log: log.into(), ..AbciAnswer::default() }
}
pub(crate) fn failed(codespace: &str, code: u32, log: &str) -> TxResult {
    TxResult { code, codespace: codespace.into(), log: log.into() }
}
pub(crate) fn answered(message: &impl Message) -> AbciAnswer {
    AbciAnswer { value: message.encode_to_vec(), height: 1, ..AbciAnswer::default() }
}
pub(crate) fn node_error(data: &str) -> RpcError {
    RpcError::Refused { code: -32603, message: "Internal error".into(), data: data.into() }
}

impl FakeRpc {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
    /// Scripts the next answer to a query.
    pub(crate) fn answer<Q: Query>(&self, answer: AbciAnswer) {
        self.script().answers.entry(Q::PATH).or_default().push_back(answer);
    }
}

#[async_trait]
impl Rpc for FakeRpc {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        self.script().status.clone().ok_or_else(|| RpcError::Unreachable("no status".into()))
    }

    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        let mut script = self.script();
        script.requests.push((path.to_owned(), data));
        if let Some(answer) = script.answers.get_mut(path).and_then(VecDeque::pop_front) {
            return Ok(answer);
        }
        if path == SimulateRequest::PATH {
            script.simulated += 1;
            let gas_info = Some(GasInfo { gas_wanted: 0, gas_used: 100_000 });
            let default = || Ok(answered(&SimulateResponse { gas_info, result: None }));
            return script.simulations.pop_front().unwrap_or_else(default);
        }
        if path == QueryAccountRequest::PATH {
            let Some(account) = &script.account else {
                let log = "rpc error: code = NotFound desc = account bbn1 not found: key not found";
                return Ok(refused("sdk", 22, log));
            };
            let any = Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() };
            return Ok(answered(&QueryAccountResponse { account: Some(any) }));
        }
        Ok(refused("sdk", 6, "unknown query path: unknown request"))
    }

    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        let mut script = self.script();
        let answer = script.broadcasts.pop_front().unwrap_or_else(|| Ok(TxResult::default()));
        let taken = match &answer {
            Ok(result) => result.code == 0,
            // The node has it, whatever it says.
            Err(error) => error.is_duplicate_tx() || matches!(error, RpcError::Unreachable(_)),
        };
        if taken {
            let raw = TxRaw::decode(tx.as_slice()).unwrap();
            let body = TxBody::decode(raw.body_bytes.as_slice()).unwrap();
            let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).unwrap();
            let fee = auth.fee.unwrap();
            script.sent.push(Sent {
                messages: body.messages,
                sequence: auth.signer_infos[0].sequence,
                gas_limit: fee.gas_limit,
                fee: fee.amount.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect(),
            });
            let result = script.results.pop_front().unwrap_or_default();
            let height = script.heights.pop_front().unwrap_or(2);
            script.included.insert(Sha256::digest(&tx).into(), IncludedTx { height, result });
        }
        answer
    }

    async fn tx(&self, hash: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        let mut script = self.script();
        if script.unseen > 0 {
            script.unseen -= 1;
            return Ok(None);
        }
        Ok(script.included.get(&hash).cloned())
    }

    fn set_aside(&self, _why: &str) {
        self.script().set_aside += 1;
    }

    async fn block_results(&self, height: u64) -> Result<BlockResults, RpcError> {
        let not_yet = || node_error(&format!("could not find results for height #{height}"));
        self.script().blocks.get(&height).cloned().ok_or_else(not_yet)
    }

    async fn header(&self, height: u64) -> Result<Header, RpcError> {
        Err(node_error(&format!("height {height} is not available, lowest height is {}", u64::MAX)))
    }
}
