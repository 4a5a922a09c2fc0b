//! The door as CometBFT uses it, and as nobody should.

use super::{application::Application, frames, *};
use crate::{
    app::{App, BlockInput, BlockTime},
    genesis::{Genesis, GenesisAccount, presets::default_committee},
    load,
    state::{Writes, memory::MemoryBackend},
};
use bitcoin::{block::Header, consensus::serialize};
use btc_staking_babylon::{
    proto::{Any, Coin, btclightclient::MsgInsertHeaders},
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_store::testing::{Cut, open_recorded};
use cosmrs::proto::{
    Timestamp,
    cosmos::bank::v1beta1::MsgSend,
    tendermint::v0_38::abci::{
        self, CheckTxType, RequestCheckTx, RequestCommit, RequestEcho, RequestFinalizeBlock, RequestInfo,
        RequestInitChain, RequestPrepareProposal, RequestProcessProposal, RequestQuery,
        request::Value as Asked, response::Value as Answer, response_process_proposal::ProposalStatus,
    },
};
use proptest::prelude::*;
use prost::{Message, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CHAIN: &str = "chain-test";
const START: i64 = 1_800_000_000;

fn key(byte: u8) -> AccountKey {
    AccountKey::from_secret(&[byte; 32]).unwrap()
}
fn address(byte: u8) -> String {
    key(byte).account().bech32().to_owned()
}

fn genesis() -> Genesis {
    let rich = |byte| GenesisAccount { address: key(byte).account().clone(), ubbn: 1_000_000_000 };
    let genesis = Genesis::fast(CHAIN, default_committee(), vec![rich(7), rich(8)]).unwrap();
    Genesis { genesis_time: START, ..genesis }
}

fn tx<M: Message + Name>(byte: u8, sequence: u64, message: &M) -> Vec<u8> {
    let any = Any { type_url: M::type_url(), value: message.encode_to_vec() };
    let gas = GasAndFee { limit: 5_000_000, fee: 50_000 };
    let number = u64::from(byte - 7);
    sign_tx(&key(byte), CHAIN, AccountState { number, sequence }, vec![any], gas).unwrap().bytes
}

fn send(byte: u8, sequence: u64) -> Vec<u8> {
    let amount = vec![Coin { denom: "ubbn".into(), amount: (sequence + 1).to_string() }];
    tx(byte, sequence, &MsgSend { from_address: address(byte), to_address: address(9), amount })
}

/// `count` headers on top of `parent`, unlike those of another `salt`.
fn mine(mut parent: Header, count: u32, salt: u32) -> Vec<Header> {
    let mut next = |number| {
        parent = load::write::mine(&parent, 100 * salt + number, &[]);
        parent
    };
    (0..count).map(&mut next).collect()
}

fn report(byte: u8, sequence: u64, headers: &[Header]) -> Vec<u8> {
    let headers = headers.iter().map(serialize).collect();
    tx(byte, sequence, &MsgInsertHeaders { signer: address(byte), headers })
}

fn application() -> Application {
    Application::open(Box::new(MemoryBackend::default())).unwrap()
}

fn ask(application: &Application, value: Asked) -> Answer {
    application.answer(Request { value: Some(value) }).0.value.unwrap()
}

fn exception(application: &Application, value: Asked) -> String {
    match ask(application, value) {
        Answer::Exception(exception) => exception.error,
        answer => panic!("answered: {answer:?}"),
    }
}

fn init() -> RequestInitChain {
    RequestInitChain {
        time: Some(Timestamp { seconds: START, nanos: 0 }),
        chain_id: CHAIN.to_owned(),
        app_state_bytes: serde_json::to_vec(&genesis()).unwrap().into(),
        initial_height: 1,
        ..Default::default()
    }
}

fn block(height: i64, txs: Vec<Vec<u8>>) -> RequestFinalizeBlock {
    RequestFinalizeBlock {
        txs: txs.into_iter().map(Into::into).collect(),
        height,
        time: Some(Timestamp { seconds: START + height, nanos: 7 }),
        ..Default::default()
    }
}

fn finalize(application: &Application, request: RequestFinalizeBlock) -> abci::ResponseFinalizeBlock {
    match ask(application, Asked::FinalizeBlock(request)) {
        Answer::FinalizeBlock(response) => response,
        answer => panic!("{answer:?}"),
    }
}

fn commit(application: &Application) -> Answer {
    ask(application, Asked::Commit(RequestCommit {}))
}

fn started() -> Application {
    let application = application();
    assert!(matches!(ask(&application, Asked::InitChain(init())), Answer::InitChain(_)));
    application
}

fn script() -> Vec<Vec<Vec<u8>>> {
    let base = genesis().bitcoin.header().unwrap();
    vec![
        vec![],
        vec![send(7, 0), send(8, 0)],
        vec![report(7, 1, &mine(base, 3, 0)), vec![1, 2, 3]],
        vec![],
        vec![send(8, 1), send(8, 7)],
    ]
}

/// Goes on from where the application stands, as CometBFT does after a handshake.
fn go_on(application: &Application) -> Vec<Vec<u8>> {
    let Answer::Info(info) = ask(application, Asked::Info(RequestInfo::default())) else { panic!() };
    let mut hashes = vec![];
    if info.last_block_height == 0 {
        let Answer::InitChain(start) = ask(application, Asked::InitChain(init())) else { panic!() };
        hashes.push(start.app_hash.to_vec());
    } else {
        hashes.push(info.last_block_app_hash.to_vec());
    }
    for (height, txs) in (1i64..).zip(script()).filter(|(height, _)| *height > info.last_block_height) {
        hashes.push(finalize(application, block(height, txs)).app_hash.to_vec());
        assert!(matches!(commit(application), Answer::Commit(response) if response.retain_height == 0));
    }
    hashes
}

#[test]
fn both_doors_make_the_same_hashes_from_the_same_blocks() {
    let mut app = App::open(Box::new(MemoryBackend::default()), &genesis()).unwrap();
    let mut expected = vec![app.app_hash().to_vec()];
    for (height, txs) in (1i64..).zip(script()) {
        let time = BlockTime { seconds: START + height, nanos: 7 };
        let executed = app
            .finalize_block(&BlockInput { height: app.height().next(), time, txs, validators: 0 })
            .unwrap();
        app.commit(executed, &Writes::new()).unwrap();
        expected.push(app.app_hash().to_vec());
    }
    let application = application();
    assert_eq!(go_on(&application), expected);
    assert_eq!(application.position().unwrap().0, 5);
}

#[test]
fn killed_at_any_point_of_any_commit_it_goes_on_to_the_same_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let expected = go_on(&application());
    let (store, images) =
        open_recorded(&dir.path().join("application"), SCHEMA, &dir.path().join("images")).unwrap();
    let open = |store| Application::open(Box::new(DiskBackend::new(store).unwrap())).unwrap();
    go_on(&open(store.clone()));
    // The first commit is the store's own header.
    for commit in 2..=store.commit_count() {
        for cut in Cut::ALL {
            let application = open(Store::open(&images.path(commit, cut), SCHEMA).unwrap());
            let at = usize::try_from(application.position().map_or(0, |(height, _)| height)).unwrap();
            assert_eq!(go_on(&application), expected[at..], "killed in commit {commit} at {cut:?}");
        }
    }
}

#[test]
fn a_block_counts_once_it_is_committed_and_not_before() {
    let application = started();
    let first = finalize(&application, block(1, vec![send(7, 0)]));
    // CometBFT restarted between the two and asks again, even for another block.
    let second = finalize(&application, block(1, vec![send(8, 0)]));
    assert_ne!(first.app_hash, second.app_hash);
    assert_eq!(application.position().unwrap().0, 0);
    commit(&application);
    assert_eq!(application.position().unwrap().1.to_vec(), second.app_hash.to_vec());
    assert_eq!((second.tx_results[0].code, second.tx_results[0].events.is_empty()), (0, false));
    assert!(second.tx_results[0].events.iter().flat_map(|event| &event.attributes).all(|a| a.index));
}

#[test]
fn calls_out_of_order_are_refused_with_a_reason_and_change_nothing() {
    let early = application();
    for (asked, reason) in [
        (Asked::FinalizeBlock(block(1, vec![])), "chain has not been initialised"),
        (Asked::CheckTx(RequestCheckTx::default()), "chain has not been initialised"),
        (Asked::Commit(RequestCommit {}), "nothing to commit: no block was finalized"),
    ] {
        assert_eq!(exception(&early, asked), reason);
    }
    assert!(!early.answer(Request::default()).1);

    let application = started();
    let timeless = RequestFinalizeBlock { time: None, ..block(1, vec![]) };
    let garbled = Timestamp { seconds: START, nanos: -1 };
    for (asked, reason) in [
        (block(0, vec![]), "block 0 was asked for, the next is 1"),
        (block(-1, vec![]), "block -1 was asked for, the next is 1"),
        (block(2, vec![]), "block 2 was asked for, the next is 1"),
        (timeless, "block has no valid time"),
        (RequestFinalizeBlock { time: Some(garbled), ..block(1, vec![]) }, "block has no valid time"),
    ] {
        assert_eq!(exception(&application, Asked::FinalizeBlock(asked)), reason);
    }
    assert_eq!(
        exception(&application, Asked::Commit(RequestCommit {})),
        "nothing to commit: no block was finalized"
    );
    finalize(&application, block(1, vec![]));
    commit(&application);
    assert_eq!(
        exception(&application, Asked::InitChain(init())),
        "init chain: the chain is at height 1 already"
    );
}

#[test]
fn a_chain_starts_only_from_a_genesis_that_agrees_with_cometbfts() {
    let change = |change: &dyn Fn(&mut RequestInitChain)| {
        let mut asked = init();
        change(&mut asked);
        exception(&application(), Asked::InitChain(asked))
    };
    for (reason, expected) in [
        (
            change(&|asked| asked.chain_id = "other".into()),
            "app_state is of chain chain-test, the chain is other",
        ),
        (change(&|asked| asked.initial_height = 5), "initial height is 5, it must be 1"),
        (change(&|asked| asked.time = Some(Timestamp { seconds: 1, nanos: 5 })), "app_state says 1800000000"),
        (change(&|asked| asked.app_state_bytes = b"{}".to_vec().into()), "app_state: genesis is malformed"),
        (change(&|asked| asked.app_state_bytes = vec![0xff].into()), "app_state is no text"),
    ] {
        assert!(reason.contains(expected), "{reason}");
    }
    // The same again, before the first block, is how CometBFT finds its way back.
    let application = started();
    assert!(matches!(ask(&application, Asked::InitChain(init())), Answer::InitChain(_)));
    let other = Genesis { epoch_interval: 7, ..genesis() };
    let other = RequestInitChain { app_state_bytes: serde_json::to_vec(&other).unwrap().into(), ..init() };
    let reason = exception(&application, Asked::InitChain(other));
    assert_eq!(reason, "init chain: the data directory belongs to another chain");
}

#[test]
fn a_halt_is_a_refusal_with_a_reason_that_every_restart_repeats() {
    let base = genesis().bitcoin.header().unwrap();
    let application = started();
    finalize(&application, block(1, vec![report(7, 0, &mine(base, 3, 0))]));
    commit(&application);
    let before = application.position();
    let deep = block(2, vec![report(7, 1, &mine(base, 4, 1))]);
    let reason = exception(&application, Asked::FinalizeBlock(deep));
    assert!(reason.starts_with("chain halted: ") && reason.contains("confirmation depth"), "{reason}");
    // No later call gets past it, and nothing was written.
    for asked in [
        Asked::Commit(RequestCommit {}),
        Asked::FinalizeBlock(block(2, vec![])),
        Asked::CheckTx(RequestCheckTx { tx: send(8, 0).into(), r#type: CheckTxType::New.into() }),
    ] {
        assert_eq!(exception(&application, asked), reason);
    }
    assert_eq!(application.position(), before);
    assert_eq!(application.broken().borrow().as_ref().map(ToString::to_string), Some(reason));
    // Reads go on.
    let query = RequestQuery { path: "/babylon.btclightclient.v1.Query/Tip".into(), ..Default::default() };
    assert!(matches!(ask(&application, Asked::Query(query)), Answer::Query(answer) if answer.code == 0));
}

#[test]
fn the_mempool_sees_what_waits_and_looks_again_after_a_block() {
    let application = started();
    let check = |tx: Vec<u8>, kind: CheckTxType| match ask(
        &application,
        Asked::CheckTx(RequestCheckTx { tx: tx.into(), r#type: kind.into() }),
    ) {
        Answer::CheckTx(answer) => (answer.codespace, answer.code),
        answer => panic!("{answer:?}"),
    };
    let (fine, wrong_sequence) = ((String::new(), 0), ("sdk".to_owned(), 32));
    assert_eq!(check(send(7, 1), CheckTxType::New), wrong_sequence);
    assert_eq!(check(send(7, 0), CheckTxType::New), fine);
    assert_eq!(check(send(7, 1), CheckTxType::New), fine);
    finalize(&application, block(1, vec![send(7, 0)]));
    commit(&application);
    assert_eq!(check(send(7, 0), CheckTxType::Recheck), wrong_sequence);
    assert_eq!(check(send(7, 1), CheckTxType::Recheck), fine);
    assert_eq!(check(vec![1, 2, 3], CheckTxType::New), ("sdk".to_owned(), 2));
}

#[test]
fn proposals_put_refundable_kinds_first_and_hold_only_transactions() {
    let base = genesis().bitcoin.header().unwrap();
    let (first, refundable, garbage) = (send(7, 0), report(8, 0, &mine(base, 1, 0)), vec![9; 40]);
    let prepare = |max_tx_bytes| {
        let txs = [&first, &garbage, &refundable].map(|tx| tx.clone().into()).to_vec();
        let asked = RequestPrepareProposal { max_tx_bytes, txs, ..Default::default() };
        match ask(&application(), Asked::PrepareProposal(asked)) {
            Answer::PrepareProposal(answer) => answer.txs.iter().map(|tx| tx.to_vec()).collect::<Vec<_>>(),
            answer => panic!("{answer:?}"),
        }
    };
    assert_eq!(prepare(1_000_000), [refundable.clone(), first.clone()]);
    assert_eq!(prepare(i64::try_from(refundable.len()).unwrap() + 10), std::slice::from_ref(&refundable));
    assert_eq!(prepare(-1), Vec::<Vec<u8>>::new());

    let accepted = |txs: &[&Vec<u8>]| {
        let txs = txs.iter().map(|tx| tx.to_vec().into()).collect();
        match ask(
            &application(),
            Asked::ProcessProposal(RequestProcessProposal { txs, ..Default::default() }),
        ) {
            Answer::ProcessProposal(answer) => answer.status() == ProposalStatus::Accept,
            answer => panic!("{answer:?}"),
        }
    };
    assert!(accepted(&[&refundable, &first]));
    assert!(!accepted(&[&first, &garbage]));
    // 61 transactions of 5,000,000 gas are more than a block's 300,000,000.
    assert!(accepted(&[&first; 60]) && !accepted(&[&first; 61]));
}

/// One connection: what comes back, until the server closes it.
async fn exchange(server: &RunningAbciServer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_own_connection_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = AbciServer::start(AbciConfig::new(dir.path())).await.unwrap();
    let echo = Request { value: Some(Asked::Echo(RequestEcho { message: "still here".into() })) };
    let mut noise: Vec<Vec<u8>> = (0u8..64)
        .map(|seed| (0..200u8).map(|at| seed.wrapping_mul(37) ^ at.wrapping_mul(11)).collect())
        .collect();
    noise.extend([vec![0xff; 4_000], b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0x80], vec![0], vec![1]]);
    for bytes in &noise {
        exchange(&server, bytes).await;
        let answer = exchange(&server, &echo.encode_length_delimited_to_vec()).await;
        let answer: Response = frames::fetch_frame(&mut answer.as_slice()).await.unwrap().unwrap();
        assert!(matches!(answer.value, Some(Answer::Echo(echo)) if echo.message == "still here"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_stopped_server_are_free_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let server = AbciServer::start(AbciConfig::new(dir.path())).await.unwrap();
        let idle = TcpStream::connect(server.addr()).await.unwrap();
        assert!(AbciServer::start(AbciConfig::new(dir.path())).await.is_err());
        server.stop().await;
        drop(idle);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_request_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 1u32..21) {
        let application = started();
        let mut framed = vec![];
        prost::encoding::bytes::encode(kind, &bytes, &mut framed);
        if let Ok(request) = Request::decode(framed.as_slice()) {
            application.answer(request);
        }
        prop_assert_eq!(application.position().map(|(height, _)| height), Some(0));
    }
}
