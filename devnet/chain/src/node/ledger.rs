//! Blocks and their results as the node keeps them, beside the application's state.

use super::index;
use crate::{
    app::TxResult,
    error::Broken,
    event::Event,
    genesis::Genesis,
    state::{Backend, Writes},
};
use cosmrs::proto::tendermint::v0_38::types;
use prost::Message;
use tendermint::{Hash, block};

/// A committed block with what came of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlockRecord {
    /// The header as JSON.
    #[prost(bytes = "vec", tag = "1")]
    header: Vec<u8>,
    /// The commit for this block as JSON; the next block carries it.
    #[prost(bytes = "vec", tag = "2")]
    commit: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(crate) txs: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) results: Vec<TxResult>,
    /// Events of the phases before and after the transactions.
    #[prost(message, repeated, tag = "5")]
    pub(crate) events: Vec<Event>,
    /// Hash of the state after this block.
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) app_hash: Vec<u8>,
}

/// Where a transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct TxPlace {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) index: u32,
}

impl BlockRecord {
    /// Puts a block together with its results.
    pub(crate) fn new(
        header: &block::Header,
        commit: &block::Commit,
        txs: Vec<Vec<u8>>,
        results: Vec<TxResult>,
        events: Vec<Event>,
        app_hash: [u8; 32],
    ) -> Result<Self, Broken> {
        let json = |err: serde_json::Error| corrupt(err.to_string());
        Ok(Self {
            header: serde_json::to_vec(header).map_err(json)?,
            commit: serde_json::to_vec(commit).map_err(json)?,
            txs,
            results,
            events,
            app_hash: app_hash.to_vec(),
        })
    }

    /// The header.
    pub(crate) fn header(&self) -> Result<block::Header, Broken> {
        serde_json::from_slice(&self.header).map_err(|err| corrupt(err.to_string()))
    }
    /// The commit for this block.
    pub(crate) fn commit(&self) -> Result<block::Commit, Broken> {
        serde_json::from_slice(&self.commit).map_err(|err| corrupt(err.to_string()))
    }

    /// The block in CometBFT's protobuf form, with the commit of the one before.
    pub(crate) fn to_proto(&self, previous: Option<&Self>) -> Result<types::Block, Broken> {
        let last_commit = previous.map(Self::commit).transpose()?;
        Ok(types::Block {
            header: Some(self.header()?.into()),
            data: Some(types::Data { txs: self.txs.clone() }),
            evidence: Some(types::EvidenceList::default()),
            last_commit: Some(last_commit.map(types::Commit::from).unwrap_or_default()),
        })
    }
}

fn corrupt(reason: String) -> Broken {
    Broken::Corrupt { table: "blocks", reason }
}

fn block_key(height: u64) -> Vec<u8> {
    [b"b".as_slice(), &height.to_be_bytes()].concat()
}

fn tx_key(hash: &[u8]) -> Vec<u8> {
    [b"t", hash].concat()
}

fn hash_key(hash: &[u8]) -> Vec<u8> {
    [b"h", hash].concat()
}

/// What must be written for a block: itself, and all ways to find it.
pub(crate) fn writes(height: u64, hash: &Hash, record: &BlockRecord) -> Writes {
    let mut writes = Writes::from([
        (block_key(height), Some(record.encode_to_vec())),
        (hash_key(hash.as_bytes()), Some(height.to_be_bytes().to_vec())),
    ]);
    index::add_writes(&mut writes, height, record);
    for (index, tx) in (0u32..).zip(&record.txs) {
        let place = TxPlace { height, index };
        writes.insert(tx_key(&crate::app::tx_hash(tx)), Some(place.encode_to_vec()));
    }
    writes
}

/// Where the genesis lies, for a door that learns it from outside.
const GENESIS: &[u8] = b"genesis";

/// What must be written to remember the genesis.
pub(crate) fn genesis_writes(genesis: &Genesis) -> Result<Writes, Broken> {
    let json = serde_json::to_vec(genesis).map_err(|err| corrupt(err.to_string()))?;
    Ok(Writes::from([(GENESIS.to_vec(), Some(json))]))
}

/// The genesis, if one was remembered.
pub(crate) fn genesis(backend: &dyn Backend) -> Result<Option<Genesis>, Broken> {
    let json = backend.door_get(GENESIS)?;
    json.map(|json| serde_json::from_slice(&json).map_err(|err| corrupt(err.to_string()))).transpose()
}

/// Where the reason lies for which the chain halted.
const HALT: &[u8] = b"halt";

/// What must be written when the chain halts.
pub(crate) fn halt_writes(reason: &str) -> Writes {
    Writes::from([(HALT.to_vec(), Some(reason.as_bytes().to_vec()))])
}

/// Why the chain halted, if it has.
pub(crate) fn halt(backend: &dyn Backend) -> Result<Option<String>, Broken> {
    let reason = backend.door_get(HALT)?;
    reason.map(|bytes| String::from_utf8(bytes).map_err(|err| corrupt(err.to_string()))).transpose()
}

/// Reads a block.
pub(crate) fn block(backend: &dyn Backend, height: u64) -> Result<Option<BlockRecord>, Broken> {
    decode(backend.door_get(&block_key(height))?)
}

/// Finds the height of the block with a hash.
pub(crate) fn height_of(backend: &dyn Backend, hash: &[u8]) -> Result<Option<u64>, Broken> {
    let bytes = backend.door_get(&hash_key(hash))?;
    let height = bytes.map(|bytes| bytes.try_into().map(u64::from_be_bytes)).transpose();
    height.map_err(|_| corrupt("a height has not 8 bytes".into()))
}

/// Finds a transaction by its hash.
pub(crate) fn place(backend: &dyn Backend, hash: &[u8]) -> Result<Option<TxPlace>, Broken> {
    decode(backend.door_get(&tx_key(hash))?)
}

fn decode<T: Message + Default>(bytes: Option<Vec<u8>>) -> Result<Option<T>, Broken> {
    bytes.map(|bytes| T::decode(bytes.as_slice()).map_err(|err| corrupt(err.to_string()))).transpose()
}
