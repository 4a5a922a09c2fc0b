//! gRPC as clients use it, with messages as raw bytes: every query path, the SDK's services, errors in the standard form.

use super::support::{CHAIN, GAS, World, account, address, any, grpc::Client, provider::Provider};
use btc_staking_babylon::{
    proto::{
        Query,
        btclightclient::{QueryTipRequest, QueryTipResponse},
        btcstaking::QueryBTCDelegationRequest,
        incentive::MsgSetWithdrawAddress,
    },
    tx::{GasAndFee, build_simulation, sign_tx},
};
use cosmrs::proto::cosmos::{
    base::{
        node::v1beta1::ConfigResponse,
        tendermint::v1beta1::{GetLatestBlockResponse, GetNodeInfoResponse},
    },
    tx::v1beta1::{
        BroadcastMode, BroadcastTxRequest, BroadcastTxResponse, GetTxRequest, GetTxResponse, SimulateRequest,
        SimulateResponse, Tx,
    },
};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Request};

fn at_height(height: &str) -> Request<Vec<u8>> {
    let mut request = Request::new(QueryTipRequest {}.encode_to_vec());
    request.metadata_mut().insert("x-cosmos-block-height", height.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_answer_as_over_abci_and_a_height_can_be_pinned() {
    let mut world = World::start().await;
    world.mine(2, &[]).await;
    let mut client = Client::connect(&world).await;
    let tip = client.ask(QueryTipRequest::PATH, &QueryTipRequest {}).await.unwrap();
    let tip = QueryTipResponse::decode(tip.as_slice()).unwrap();
    assert_eq!(tip, world.query(QueryTipRequest {}).await.unwrap());
    assert_eq!(tip.header.unwrap().height, 2);

    let pinned = client.send(QueryTipRequest::PATH, at_height("1")).await.unwrap();
    assert_eq!(pinned.metadata().get("x-cosmos-block-height").unwrap(), "1");
    assert_eq!(QueryTipResponse::decode(pinned.get_ref().as_slice()).unwrap().header.unwrap().height, 0);
    let malformed = client.send(QueryTipRequest::PATH, at_height("x")).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    let future = client.send(QueryTipRequest::PATH, at_height("99999")).await.unwrap_err();
    let expected = "codespace sdk code 26: invalid height: cannot query with height in the future";
    assert!(future.code() == Code::Unknown && future.message().starts_with(expected), "{future}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_standard_form() {
    let world = World::start().await;
    let mut client = Client::connect(&world).await;
    let unknown = QueryBTCDelegationRequest { staking_tx_hash_hex: "ab".repeat(32) };
    let status = client.ask(QueryBTCDelegationRequest::PATH, &unknown).await.unwrap_err();
    let told = "codespace btcstaking code 1102: the BTC delegation is not found";
    assert_eq!((status.code(), status.message()), (Code::Unknown, told));

    let malformed = QueryBTCDelegationRequest { staking_tx_hash_hex: "zz".into() };
    let status = client.ask(QueryBTCDelegationRequest::PATH, &malformed).await.unwrap_err();
    assert!(status.code() == Code::Unknown && !status.message().contains("invalid request"), "{status}");

    for path in ["/no.such.Query/Thing", "/babylon.finality.v1.Query/Thing"] {
        let status = client.ask(path, &unknown).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
    }
    let too_much = client.send(QueryTipRequest::PATH, Request::new(vec![0; 5_000_000])).await.unwrap_err();
    assert_eq!(too_much.code(), Code::OutOfRange);
    world.stop().await;
}

/// The Go finality provider sends it so.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_in_the_deprecated_field_is_simulated_as_well() {
    let world = World::start().await;
    let mut client = Client::connect(&world).await;
    let state = world.state("provider-1").await;
    let register = any(&Provider::new("provider-1", 1, 4).registration());
    let bytes = build_simulation(&account("provider-1"), state, vec![register]).tx_bytes;
    let apart = Tx::decode(bytes.as_slice()).unwrap();
    #[allow(deprecated)] // that this field is read is what is tested
    let requests = [
        SimulateRequest { tx: None, tx_bytes: bytes.clone() },
        SimulateRequest { tx: Some(apart.clone()), tx_bytes: Vec::new() },
        SimulateRequest { tx: Some(Tx { body: None, ..apart }), tx_bytes: bytes },
    ];
    for request in requests {
        let answer = client.ask("/cosmos.tx.v1beta1.Service/Simulate", &request).await.unwrap();
        let gas = SimulateResponse::decode(answer.as_slice()).unwrap().gas_info.unwrap();
        assert!(gas.gas_used > 10_000, "{gas:?}");
    }
    let nothing = client.ask("/cosmos.tx.v1beta1.Service/Simulate", &SimulateRequest::default()).await;
    assert!(nothing.is_err());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_fails_says_which_message_and_why() {
    let world = World::start().await;
    let provider = Provider::new("provider-1", 1, 100);
    world.register(&provider).await;
    let mut client = Client::connect(&world).await;
    let state = world.state("provider-1").await;
    let simulation = |height| {
        let vote = provider.vote(height, [7; 32]);
        build_simulation(&account("provider-1"), state, vec![any(&vote)])
    };
    let status = client.ask("/cosmos.tx.v1beta1.Service/Simulate", &simulation(50)).await.unwrap_err();
    let expected = "failed to execute message; message index: 0: Block is not found [";
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().starts_with(expected), "{status}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_broadcast_and_looked_up() {
    let world = World::start().await;
    let mut client = Client::connect(&world).await;
    let me = address("other");
    let message = any(&MsgSetWithdrawAddress { delegator_address: me.clone(), withdraw_address: me });
    let gas = GasAndFee { limit: GAS, fee: 50_000 };
    let signed = sign_tx(&account("other"), CHAIN, world.state("other").await, vec![message], gas).unwrap();
    const BROADCAST: &str = "/cosmos.tx.v1beta1.Service/BroadcastTx";
    let request =
        |mode: BroadcastMode| BroadcastTxRequest { tx_bytes: signed.bytes.clone(), mode: mode.into() };
    let refused = client.ask(BROADCAST, &request(BroadcastMode::Unspecified)).await.unwrap_err();
    assert!(refused.message().starts_with("unsupported return type"), "{refused}");
    let mut codes = vec![];
    let mut hash = String::new();
    for _ in 0..2 {
        let answer = client.ask(BROADCAST, &request(BroadcastMode::Sync)).await.unwrap();
        let answer = BroadcastTxResponse::decode(answer.as_slice()).unwrap().tx_response.unwrap();
        codes.push((answer.codespace, answer.code));
        hash = answer.txhash;
    }
    assert_eq!(codes, [(String::new(), 0), ("sdk".to_owned(), 19)]);

    let asked = GetTxRequest { hash: hash.clone() };
    let client = tokio::sync::Mutex::new(client);
    let found = world.until("transaction in a block", || async {
        client.lock().await.ask("/cosmos.tx.v1beta1.Service/GetTx", &asked).await.ok()
    });
    let found = GetTxResponse::decode(found.await.as_slice()).unwrap();
    let (tx, result) = (found.tx.unwrap(), found.tx_response.unwrap());
    assert_eq!((result.txhash, result.code, result.gas_wanted), (hash, 0, 5_000_000));
    assert!(result.height > 0 && !result.events.is_empty() && !result.timestamp.is_empty());
    assert_eq!(tx.body.unwrap().messages.len(), 1);

    let mut client = client.into_inner();
    let missing = GetTxRequest { hash: "00".repeat(32) };
    let missing = client.ask("/cosmos.tx.v1beta1.Service/GetTx", &missing).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_tells_about_itself() {
    let world = World::start().await;
    world.wait_for_height(2).await;
    let mut client = Client::connect(&world).await;
    let mut ask = async |path: &str| client.ask(path, &QueryTipRequest {}).await.unwrap();
    let block = ask("/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock").await;
    let block = GetLatestBlockResponse::decode(block.as_slice()).unwrap();
    let (header, sdk_header) =
        (block.block.unwrap().header.unwrap(), block.sdk_block.unwrap().header.unwrap());
    assert!(header.height >= 2 && header.height == sdk_header.height && header.chain_id == CHAIN);
    assert!(sdk_header.proposer_address.starts_with("bbnvalcons1"));
    assert_eq!(block.block_id.unwrap().hash.len(), 32);
    let info = ask("/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo").await;
    let info = GetNodeInfoResponse::decode(info.as_slice()).unwrap();
    assert_eq!(info.default_node_info.unwrap().network, CHAIN);
    let config = ask("/cosmos.base.node.v1beta1.Service/Config").await;
    assert_eq!(ConfigResponse::decode(config.as_slice()).unwrap().minimum_gas_price, "0.002ubbn");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_refused_and_the_door_stays_open() {
    let world = World::start().await;
    let noise: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        vec![0xff; 4_000],
        vec![0; 4_000],
        b"POST /x HTTP/1.1\r\nHost: x\r\ncontent-type: application/grpc\r\ncontent-length: 9\r\nConnection: close\r\n\r\n\xff\xff\xff\xff\xff0000".to_vec(),
    ];
    let mut client = Client::connect(&world).await;
    for bytes in noise {
        let mut stream = tokio::net::TcpStream::connect(world.node.grpc_addr()).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut vec![]).await;
        for data in [bytes, vec![0x0a, 0xff]] {
            let answer = client.send(QueryBTCDelegationRequest::PATH, Request::new(data)).await;
            assert_eq!(answer.unwrap_err().code(), Code::Unknown);
        }
        client.ask(QueryTipRequest::PATH, &QueryTipRequest {}).await.unwrap();
    }
    world.stop().await;
}
