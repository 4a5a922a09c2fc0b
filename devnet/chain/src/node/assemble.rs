//! Puts blocks together in CometBFT's form.
//!
//! There is one validator, made from the chain id; it proposes every block. Header hashes, data hashes, result hashes and
//! validator hashes are the true ones. Only commit signatures are not: nobody votes on a single-process chain, so the
//! place of the validator's signature holds the block hash twice and no light client can verify it.

use super::ledger::BlockRecord;
use crate::{
    app::{BlockInput, TxResult, tx_hash},
    error::Broken,
};
use cosmrs::proto::tendermint::v0_38::{abci::ExecTxResult, types::HashedParams};
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    AppHash, Hash, PublicKey, Signature, Time,
    block::{self, CommitSig, Header, header::Version, parts},
    chain, merkle, private_key, validator, vote,
};

/// Largest block.
pub(crate) const MAX_BLOCK_BYTES: i64 = 22_020_096;
/// Most gas in a block.
pub(crate) const MAX_BLOCK_GAS: i64 = 300_000_000;
/// Consensus parameters as a genesis file of CometBFT 0.38 has them; no vote extensions.
pub fn consensus_params() -> serde_json::Value {
    serde_json::json!({
        "block": {"max_bytes": MAX_BLOCK_BYTES.to_string(), "max_gas": MAX_BLOCK_GAS.to_string()},
        "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "0"},
    })
}

const BLOCK_PROTOCOL: u64 = 11;

/// The one validator.
#[derive(Debug, Clone)]
pub(crate) struct Validator {
    pub(crate) info: validator::Info,
    chain_id: chain::Id,
    set_hash: Hash,
}

/// A block that was put together but not executed.
#[derive(Debug, Clone)]
pub(crate) struct Assembled {
    pub(crate) header: Header,
    pub(crate) commit: block::Commit,
}

fn broken(err: impl std::fmt::Display) -> Broken {
    Broken::Halt(format!("block cannot be assembled: {err}"))
}

impl Validator {
    /// The validator of a chain.
    pub(crate) fn of_chain(chain_id: &str) -> Result<Self, Broken> {
        let seed = Sha256::new().chain_update("devnet validator of ").chain_update(chain_id).finalize();
        let key = private_key::Ed25519::try_from(seed.as_slice()).map_err(broken)?;
        let public_key = PublicKey::Ed25519(key.verification_key());
        let info = validator::Info::new(public_key, vote::Power::from(10u32));
        let set_hash = validator::Set::without_proposer(vec![info.clone()]).hash();
        Ok(Self { info, chain_id: chain_id.parse().map_err(broken)?, set_hash })
    }

    /// Builds header and commit of the block after `previous`.
    pub(crate) fn build_block(
        &self,
        input: &BlockInput,
        app_hash: [u8; 32],
        previous: Option<&BlockRecord>,
    ) -> Result<Assembled, Broken> {
        let last_commit = previous.map(BlockRecord::commit).transpose()?;
        let time = i64::from(input.time.nanos);
        let time = u32::try_from(time).map_err(broken)?;
        let time = Time::from_unix_timestamp(input.time.seconds, time).map_err(broken)?;
        let header = Header {
            version: Version { block: BLOCK_PROTOCOL, app: 0 },
            chain_id: self.chain_id.clone(),
            height: block::Height::try_from(input.height.to_u64()).map_err(broken)?,
            time,
            last_block_id: last_commit.as_ref().map(|commit| commit.block_id),
            last_commit_hash: Some(commit_hash(last_commit.as_ref())?),
            data_hash: Some(root(input.txs.iter().map(|tx| tx_hash(tx)))),
            validators_hash: self.set_hash,
            next_validators_hash: self.set_hash,
            consensus_hash: consensus_hash(),
            app_hash: AppHash::try_from(app_hash.to_vec()).map_err(broken)?,
            last_results_hash: Some(results_hash(previous.map_or(&[], |record| &record.results))),
            evidence_hash: Some(root(std::iter::empty::<Vec<u8>>())),
            proposer_address: self.info.address,
        };
        let commit = self.build_commit(&header)?;
        Ok(Assembled { header, commit })
    }

    fn build_commit(&self, header: &Header) -> Result<block::Commit, Broken> {
        let hash = header.hash();
        let part_set_header = parts::Header::new(1, hash).map_err(broken)?;
        let filler = [hash.as_bytes(), hash.as_bytes()].concat();
        Ok(block::Commit {
            height: header.height,
            round: block::Round::default(),
            block_id: block::Id { hash, part_set_header },
            signatures: vec![CommitSig::BlockIdFlagCommit {
                validator_address: self.info.address,
                timestamp: header.time,
                signature: Signature::new(filler).map_err(broken)?,
            }],
        })
    }
}

fn root<T: AsRef<[u8]>>(leaves: impl Iterator<Item = T>) -> Hash {
    let leaves: Vec<T> = leaves.collect();
    Hash::Sha256(merkle::simple_hash_from_byte_vectors::<tendermint::crypto::default::Sha256>(&leaves))
}

/// Root over the encoded signatures of a commit; of nothing for the first block.
fn commit_hash(commit: Option<&block::Commit>) -> Result<Hash, Broken> {
    use cosmrs::proto::tendermint::v0_38::types::CommitSig as RawCommitSig;
    let signatures = commit.map_or(vec![], |commit| commit.signatures.clone());
    Ok(root(signatures.into_iter().map(|signature| RawCommitSig::from(signature).encode_to_vec())))
}

/// Root over what is deterministic of results: code, data and gas.
fn results_hash(results: &[TxResult]) -> Hash {
    root(results.iter().map(|result| {
        ExecTxResult {
            code: result.code,
            data: result.data.clone().into(),
            gas_wanted: i64::try_from(result.gas_wanted).unwrap_or(i64::MAX),
            gas_used: i64::try_from(result.gas_used).unwrap_or(i64::MAX),
            ..Default::default()
        }
        .encode_to_vec()
    }))
}

fn consensus_hash() -> Hash {
    let params = HashedParams { block_max_bytes: MAX_BLOCK_BYTES, block_max_gas: MAX_BLOCK_GAS };
    Hash::Sha256(Sha256::digest(params.encode_to_vec()).into())
}
