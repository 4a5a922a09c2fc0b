//! The SDK's services that answer from blocks and mempool instead of the application's state.
//!
//! `/cosmos.tx.v1beta1.Service` BroadcastTx and GetTx, `/cosmos.base.tendermint.v1beta1.Service` GetLatestBlock and
//! GetNodeInfo, `/cosmos.base.node.v1beta1.Service` Config. Simulate is a query of the application.

use crate::{
    abci::form,
    app::tx_hash,
    error::Broken,
    node::{
        core::{Core, NotTaken},
        ledger::BlockRecord,
        mempool::NotAdmitted,
    },
    rpc::{hex_upper, node_id},
};
use btc_staking_protocol::keys::AccountAddress;
use cosmrs::proto::{
    cosmos::{
        base::{
            abci::v1beta1::TxResponse,
            node::v1beta1::ConfigResponse,
            tendermint::v1beta1::{
                Block as SdkBlock, GetLatestBlockResponse, GetNodeInfoResponse, Header, VersionInfo,
            },
        },
        tx::v1beta1::{
            BroadcastMode, BroadcastTxRequest, BroadcastTxResponse, GetTxRequest, GetTxResponse, Tx, TxRaw,
        },
    },
    tendermint::{p2p, types::BlockId, v0_38},
};
use prost::Message;
use tonic::Status;

/// Answers a method of these services; `None` for any other path.
pub(super) fn answer(core: &Core, path: &str, data: &[u8]) -> Option<Result<Vec<u8>, Status>> {
    Some(match path {
        "/cosmos.tx.v1beta1.Service/BroadcastTx" => broadcast_tx(core, data),
        "/cosmos.tx.v1beta1.Service/GetTx" => get_tx(core, data),
        "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock" => latest_block(core),
        "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo" => Ok(node_info(core)),
        "/cosmos.base.node.v1beta1.Service/Config" => Ok(config()),
        _ => return None,
    })
}

fn broken(broken: Broken) -> Status {
    Status::internal(broken.to_string())
}

fn decode<M: Message + Default>(data: &[u8]) -> Result<M, Status> {
    M::decode(data).map_err(|err| Status::internal(format!("grpc: error unmarshalling request: {err}")))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn broadcast_tx(core: &Core, data: &[u8]) -> Result<Vec<u8>, Status> {
    let request: BroadcastTxRequest = decode(data)?;
    if request.tx_bytes.is_empty() {
        return Err(Status::invalid_argument("invalid empty tx"));
    }
    let answers_early = match BroadcastMode::try_from(request.mode) {
        Ok(BroadcastMode::Sync) => false,
        Ok(BroadcastMode::Async) => true,
        Ok(BroadcastMode::Unspecified | BroadcastMode::Block) | Err(_) => {
            let why = format!("unsupported return type {}; supported types: sync, async", request.mode);
            return Err(Status::unknown(why));
        }
    };
    let txhash = hex_upper(&tx_hash(&request.tx_bytes));
    let response = match core.take_over(request.tx_bytes) {
        Err(NotTaken::Broken(err)) => return Err(broken(err)),
        Ok(_) if answers_early => TxResponse { txhash, ..Default::default() },
        Ok(checked) => TxResponse {
            txhash,
            codespace: checked.result.codespace,
            code: checked.result.code,
            raw_log: checked.result.log,
            ..Default::default()
        },
        Err(NotTaken::NotAdmitted(why)) => {
            let code = match why {
                NotAdmitted::Known => 19,
                NotAdmitted::Full { .. } => 20,
                NotAdmitted::TooLarge(_) => 21,
            };
            TxResponse {
                txhash,
                code,
                codespace: "sdk".into(),
                raw_log: why.to_string(),
                ..Default::default()
            }
        }
    };
    Ok(BroadcastTxResponse { tx_response: Some(response) }.encode_to_vec())
}

fn get_tx(core: &Core, data: &[u8]) -> Result<Vec<u8>, Status> {
    let request: GetTxRequest = decode(data)?;
    if request.hash.is_empty() {
        return Err(Status::invalid_argument("tx hash cannot be empty"));
    }
    let hash = hex::decode(&request.hash).map_err(|err| Status::unknown(err.to_string()))?;
    let missing = || Status::not_found(format!("tx not found: {}", request.hash));
    let place = core.place(&hash).map_err(broken)?.ok_or_else(missing)?;
    let record = core.block(place.height).map_err(broken)?.ok_or_else(missing)?;
    let index = usize::try_from(place.index).map_err(|_| missing())?;
    let (Some(bytes), Some(result)) = (record.txs.get(index), record.results.get(index)) else {
        return Err(missing());
    };
    let response = TxResponse {
        height: signed(place.height),
        txhash: hex_upper(&hash),
        codespace: result.codespace.clone(),
        code: result.code,
        data: hex_upper(&result.data),
        raw_log: result.log.clone(),
        gas_wanted: signed(result.gas_wanted),
        gas_used: signed(result.gas_used),
        timestamp: record.header().map_err(broken)?.time.to_rfc3339(),
        events: form::events(result.events.clone()),
        ..Default::default()
    };
    Ok(GetTxResponse { tx: whole_tx(bytes), tx_response: Some(response) }.encode_to_vec())
}

/// A transaction in its decoded form; `None` for bytes that are none, which a block may hold.
fn whole_tx(bytes: &[u8]) -> Option<Tx> {
    let raw = TxRaw::decode(bytes).ok()?;
    Some(Tx {
        body: Some(Message::decode(raw.body_bytes.as_slice()).ok()?),
        auth_info: Some(Message::decode(raw.auth_info_bytes.as_slice()).ok()?),
        signatures: raw.signatures,
    })
}

fn latest_block(core: &Core) -> Result<Vec<u8>, Status> {
    let height = core.height();
    let missing = || Status::not_found("there is no block yet");
    let record = core.block(height).map_err(broken)?.ok_or_else(missing)?;
    let previous = core.block(height.saturating_sub(1)).map_err(broken)?;
    let response = block_response(&record, previous.as_ref()).map_err(broken)?;
    Ok(response.encode_to_vec())
}

fn block_response(
    record: &BlockRecord,
    previous: Option<&BlockRecord>,
) -> Result<GetLatestBlockResponse, Broken> {
    let block = record.to_proto(previous)?;
    let sdk_block = SdkBlock {
        header: block.header.clone().map(sdk_header),
        data: block.data.clone(),
        evidence: block.evidence.clone(),
        last_commit: block.last_commit.clone(),
    };
    let block_id: BlockId = record.commit()?.block_id.into();
    Ok(GetLatestBlockResponse { block_id: Some(block_id), block: Some(block), sdk_block: Some(sdk_block) })
}

/// The same header, with the proposer's address as text.
fn sdk_header(header: v0_38::types::Header) -> Header {
    Header {
        version: header.version,
        chain_id: header.chain_id,
        height: header.height,
        time: header.time,
        last_block_id: header.last_block_id,
        last_commit_hash: header.last_commit_hash,
        data_hash: header.data_hash,
        validators_hash: header.validators_hash,
        next_validators_hash: header.next_validators_hash,
        consensus_hash: header.consensus_hash,
        app_hash: header.app_hash,
        last_results_hash: header.last_results_hash,
        evidence_hash: header.evidence_hash,
        proposer_address: validator_address(&header.proposer_address),
    }
}

fn validator_address(address: &[u8]) -> String {
    AccountAddress::from_bytes("bbnvalcons", address).map_or_else(|_| hex_upper(address), String::from)
}

fn node_info(core: &Core) -> Vec<u8> {
    let chain_id = core.genesis.chain_id.clone();
    let node = p2p::DefaultNodeInfo {
        protocol_version: Some(p2p::ProtocolVersion { p2p: 8, block: 11, app: 0 }),
        default_node_id: node_id(&chain_id),
        network: chain_id,
        version: crate::rpc::COMETBFT_VERSION.to_owned(),
        moniker: "devnet".to_owned(),
        ..Default::default()
    };
    let version = VersionInfo {
        name: "btc-staking".to_owned(),
        app_name: "devnet".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    };
    GetNodeInfoResponse { default_node_info: Some(node), application_version: Some(version) }.encode_to_vec()
}

fn config() -> Vec<u8> {
    ConfigResponse { minimum_gas_price: "0.002ubbn".to_owned(), ..Default::default() }.encode_to_vec()
}
