use super::*;
use async_trait::async_trait;
use btc_staking_babylon::{
    proto::{
        Any, BaseAccount, Query, QueryAccountRequest, QueryAccountResponse,
        btclightclient::QueryContainsBytesResponse,
        checkpointing::{QueryRawCheckpointResponse, RawCheckpointResponse, RawCheckpointWithMetaResponse},
    },
    rpc::{AbciAnswer, BlockResults, Header, IncludedTx, NodeStatus, Rpc, RpcError, TxResult},
    tx::{AccountKey, read_tx},
};
use btc_staking_bitcoin_node::{dev::DevNode as _, ports::Broadcaster as _, simulator::Simulator};
use btc_staking_protocol::inclusion::InclusionProof;
use prost::{Message, Name as _};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard},
};

const TAG: [u8; 4] = [1, 2, 3, 4];
/// Longer than any of these tests takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A chain that seals, knows headers and takes proofs as it is told to.
#[derive(Default)]
struct FakeChain(Mutex<State>);

#[derive(Default)]
struct State {
    /// Checkpoints' statuses it answers before the first sealed one; `None`: no such checkpoint.
    before_sealed: VecDeque<Option<CheckpointStatus>>,
    /// How often it does not know a header.
    unknown_headers: usize,
    /// How many proofs it refuses.
    refusals: usize,
    /// Every proof it was sent, and whether it took it.
    sent: Vec<(MsgInsertBTCSpvProof, bool)>,
}

impl FakeChain {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn taken(&self) -> Vec<MsgInsertBTCSpvProof> {
        self.lock().sent.iter().filter(|(_, taken)| *taken).map(|(message, _)| message.clone()).collect()
    }

    fn account() -> BaseAccount {
        BaseAccount { account_number: 3, sequence: 5, ..BaseAccount::default() }
    }

    fn checkpoint(&self, data: &[u8]) -> AbciAnswer {
        let epoch = QueryRawCheckpointRequest::decode(data).unwrap().epoch_num;
        let mut state = self.lock();
        let status = state.before_sealed.pop_front().unwrap_or(Some(CheckpointStatus::Sealed));
        let Some(status) = status else {
            return AbciAnswer { code: 6, codespace: "sdk".to_owned(), ..AbciAnswer::default() };
        };
        let ckpt = Some(RawCheckpointResponse {
            epoch_num: epoch,
            block_hash_hex: "aa".repeat(32),
            bitmap: vec![0xbb; 13],
            bls_multi_sig: vec![0xcc; 48],
        });
        let found = RawCheckpointWithMetaResponse { ckpt, status: status as i32, ..Default::default() };
        answer(&QueryRawCheckpointResponse { raw_checkpoint: Some(found) })
    }
}

fn answer(message: &impl Message) -> AbciAnswer {
    AbciAnswer { value: message.encode_to_vec(), ..AbciAnswer::default() }
}

#[async_trait]
impl Rpc for FakeChain {
    async fn status(&self) -> Result<NodeStatus, RpcError> {
        unreachable!("a reporter does not ask for the status")
    }
    async fn abci_query(&self, path: &str, data: Vec<u8>) -> Result<AbciAnswer, RpcError> {
        Ok(match path {
            QueryRawCheckpointRequest::PATH => self.checkpoint(&data),
            QueryContainsBytesRequest::PATH => {
                let mut state = self.lock();
                let contains = state.unknown_headers == 0;
                state.unknown_headers = state.unknown_headers.saturating_sub(1);
                answer(&QueryContainsBytesResponse { contains })
            }
            QueryAccountRequest::PATH => {
                let account = Self::account();
                let account = Any { type_url: BaseAccount::type_url(), value: account.encode_to_vec() };
                answer(&QueryAccountResponse { account: Some(account) })
            }
            other => panic!("asked {other}"),
        })
    }
    async fn broadcast_tx_sync(&self, tx: Vec<u8>) -> Result<TxResult, RpcError> {
        let messages = read_tx(&tx).unwrap().messages;
        let message = MsgInsertBTCSpvProof::decode(messages[0].value.as_slice()).unwrap();
        let mut state = self.lock();
        let taken = state.refusals == 0;
        state.refusals = state.refusals.saturating_sub(1);
        state.sent.push((message, taken));
        Ok(TxResult { code: u32::from(!taken), ..TxResult::default() })
    }
    async fn tx(&self, _: [u8; 32]) -> Result<Option<IncludedTx>, RpcError> {
        Ok(Some(IncludedTx { height: 1, result: TxResult::default() }))
    }
    async fn block_results(&self, _: u64) -> Result<BlockResults, RpcError> {
        unreachable!("a reporter reads no blocks")
    }
    async fn header(&self, _: u64) -> Result<Header, RpcError> {
        unreachable!("a reporter reads no headers")
    }
}

struct Scene {
    chain: Arc<FakeChain>,
    bitcoin: Arc<Simulator>,
    reporter: Reporter,
}

impl Scene {
    async fn new() -> Self {
        let (chain, bitcoin) = (Arc::new(FakeChain::default()), Arc::new(Simulator::with_system_clock()));
        let account = Account::new(chain.clone(), AccountKey::from_secret(&[7; 32]).unwrap(), "reported");
        let coins = SecretKey::from_slice(&[8; 32]).unwrap();
        let reporter = Reporter::new(account, bitcoin.clone(), TAG, coins).await.unwrap();
        Self { chain, bitcoin, reporter }
    }

    /// Reports an epoch while somebody mines.
    async fn report(&mut self, epoch: u64) -> Result<(), ReportError> {
        tokio::select! {
            reported = self.reporter.report(epoch) => reported,
            () = mine(&self.bitcoin) => unreachable!("a miner does not end"),
            () = tokio::time::sleep(DEADLINE) => panic!("epoch {epoch} is not reported within {DEADLINE:?}"),
        }
    }
}

async fn mine(bitcoin: &Simulator) {
    loop {
        bitcoin.mine(1, &ScriptBuf::new_op_return([])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The payload scripts a message proves, which must be in the blocks it names.
fn proven(message: &MsgInsertBTCSpvProof) -> Vec<ScriptBuf> {
    let script = |proof: &BTCSpvProof| {
        let tx: Transaction = consensus::deserialize(&proof.btc_transaction).unwrap();
        let header: bitcoin::block::Header = consensus::deserialize(&proof.confirming_btc_header).unwrap();
        let siblings = proof.merkle_nodes.chunks_exact(32).map(|node| node.try_into().unwrap()).collect();
        let (block_hash, index) = (header.block_hash(), proof.btc_transaction_index);
        let proof = InclusionProof { block_hash, index, siblings };
        proof.verify(&tx.compute_txid(), &header.merkle_root).unwrap();
        tx.output[0].script_pubkey.clone()
    };
    message.proofs.iter().map(script).collect()
}

fn expected(epoch: u64, reporter: &Reporter) -> Vec<ScriptBuf> {
    let sealed = Checkpoint { epoch, block_hash: [0xaa; 32], bitmap: [0xbb; 13], bls_signature: [0xcc; 48] };
    sealed.outputs(TAG, reporter.account.submitter()).map(|output| output.script_pubkey).to_vec()
}

#[tokio::test]
async fn both_parts_are_proven_once_the_epoch_is_sealed_and_the_header_known() {
    let mut scene = Scene::new().await;
    {
        let mut state = scene.chain.lock();
        state.before_sealed = [None, Some(CheckpointStatus::Accumulating)].into();
        state.unknown_headers = 2;
    }
    scene.report(1).await.unwrap();
    assert_eq!(scene.chain.lock().unknown_headers, 0);
    let taken = scene.chain.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].submitter, scene.reporter.account.address());
    assert_eq!(proven(&taken[0]), expected(1, &scene.reporter));
}

#[tokio::test]
async fn one_epoch_follows_the_other_and_a_refused_proof_is_made_again() {
    let Scene { chain, bitcoin, reporter } = Scene::new().await;
    let expected = [1, 1, 2].map(|epoch| expected(epoch, &reporter));
    chain.lock().refusals = 1;
    let three_sent = async {
        while chain.lock().sent.len() < 3 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        () = reporter.run() => unreachable!("a reporter does not end"),
        () = mine(&bitcoin) => unreachable!("a miner does not end"),
        () = three_sent => {}
        () = tokio::time::sleep(DEADLINE) => panic!("three proofs are not sent within {DEADLINE:?}"),
    }
    let sent = chain.lock().sent.clone();
    let scripts: Vec<_> = sent.iter().take(3).map(|(message, _)| proven(message)).collect();
    assert_eq!(scripts, expected);
    assert_eq!(sent.iter().take(3).map(|(_, taken)| *taken).collect::<Vec<_>>(), [false, true, true]);
    let txs: BTreeSet<_> = sent
        .iter()
        .take(3)
        .flat_map(|(message, _)| &message.proofs)
        .map(|proof| &proof.btc_transaction)
        .collect();
    assert_eq!(txs.len(), 6, "a coin was spent twice");
}

#[tokio::test]
async fn an_epoch_that_is_proven_already_costs_nothing() {
    use CheckpointStatus::{Confirmed, Finalized, Submitted};
    let mut scene = Scene::new().await;
    let coin = scene.reporter.purse.coin;
    for status in [Submitted, Confirmed, Finalized] {
        scene.chain.lock().before_sealed = [Some(status)].into();
        scene.report(1).await.unwrap();
    }
    assert_eq!(scene.reporter.purse.coin, coin);
    assert!(scene.chain.taken().is_empty());
}

#[tokio::test]
async fn a_transaction_that_the_node_refuses_spends_nothing() {
    let mut scene = Scene::new().await;
    let coin = scene.reporter.purse.coin;
    // The signature is over another value then.
    scene.reporter.purse.value += Amount::ONE_SAT;
    let refused = scene.report(1).await.unwrap_err();
    let ReportError::Refused { txid, .. } = refused else { panic!("{refused}") };
    assert_eq!(scene.bitcoin.locate(&txid).await.unwrap(), TxPlace::Unknown);
    assert_eq!(scene.reporter.purse.coin, coin);
    scene.reporter.purse.value -= Amount::ONE_SAT;
    scene.report(1).await.unwrap();
    assert_eq!(scene.chain.taken().len(), 1);
}
