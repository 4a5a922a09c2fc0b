//! Blocks, votes, randomness, epochs and evidence.

use super::{
    BabylonReader,
    query::{broken, malformed},
};
use crate::{
    convert::{
        bytes::{decode_provider_keys, required},
        finality::{decode_block, decode_evidence, decode_stored_commitment},
    },
    proto::{
        PageRequest, Query,
        checkpointing::{CheckpointStatus, QueryLastCheckpointWithStatusRequest},
        finality::{
            QueriedBlockStatus, QueryActivatedHeightRequest, QueryBlockRequest, QueryListBlocksRequest,
            QueryListEvidencesRequest, QueryListPubRandCommitRequest, QueryVotesAtHeightRequest,
        },
    },
};
use async_trait::async_trait;
use btc_staking_pos_chain::{
    EvidenceReader, FinalityReader, IndexedBlock, Listing, Result, StoredCommitment,
};
use btc_staking_protocol::{
    finality::evidence::Evidence,
    height::{Epoch, PosHeight},
    keys::FinalityProviderPublicKey,
};
use std::collections::BTreeMap;

#[async_trait]
impl FinalityReader for BabylonReader {
    async fn fetch_activated_height(&self) -> Result<Option<PosHeight>> {
        match self.ask(&QueryActivatedHeightRequest {}).await? {
            Ok(response) => Ok(Some(PosHeight::new(response.height))),
            Err(refused) if refused.is("finality", 1114) => Ok(None),
            Err(refused) => Err(refused.into_chain_error()),
        }
    }

    async fn fetch_indexed_block(&self, height: PosHeight) -> Result<Option<IndexedBlock>> {
        let response = match self.ask(&QueryBlockRequest { height: height.to_u64() }).await? {
            Ok(response) => response,
            Err(refused) if refused.is("finality", 1100) => return Ok(None),
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let block = required("block", response.block.as_ref())
            .and_then(decode_block)
            .map_err(malformed::<QueryBlockRequest>)?;
        if block.height != height {
            let why = format!("asked for block {height}, got {}", block.height);
            return Err(broken(QueryBlockRequest::PATH, why));
        }
        Ok(Some(block))
    }

    async fn fetch_indexed_blocks(&self, from: PosHeight, most: usize) -> Result<Vec<IndexedBlock>> {
        self.read_blocks(from, most).await
    }

    async fn fetch_last_finalised(&self) -> Result<Option<IndexedBlock>> {
        let newest = PageRequest { limit: 1, reverse: true, ..PageRequest::default() };
        let status = QueriedBlockStatus::Finalized.into();
        let response = self.query(&QueryListBlocksRequest { status, pagination: Some(newest) }).await?;
        let block = response.blocks.first().map(decode_block).transpose();
        block.map_err(malformed::<QueryListBlocksRequest>)
    }

    async fn fetch_votes(&self, height: PosHeight) -> Result<Vec<FinalityProviderPublicKey>> {
        let response = self.query(&QueryVotesAtHeightRequest { height: height.to_u64() }).await?;
        decode_provider_keys("btc_pks", &response.btc_pks).map_err(malformed::<QueryVotesAtHeightRequest>)
    }

    async fn fetch_voted_heights(
        &self,
        key: &FinalityProviderPublicKey,
        from: PosHeight,
        most: usize,
    ) -> Result<Vec<PosHeight>> {
        self.read_voted_heights(key, from, most).await
    }

    async fn fetch_randomness_commitments(
        &self,
        key: &FinalityProviderPublicKey,
    ) -> Result<Vec<StoredCommitment>> {
        let mut stored = BTreeMap::new();
        let request = QueryListPubRandCommitRequest { fp_btc_pk_hex: key.to_string(), pagination: None };
        let followed = self
            .follow(request, |entries| {
                let count = entries.len();
                stored.extend(entries);
                count
            })
            .await?;
        followed.require_all()?;
        let decode = |(start, entry)| decode_stored_commitment(start, &entry);
        let commitments: std::result::Result<_, _> = stored.into_iter().map(decode).collect();
        commitments.map_err(malformed::<QueryListPubRandCommitRequest>)
    }

    async fn fetch_last_finalised_epoch(&self) -> Result<Epoch> {
        let request = QueryLastCheckpointWithStatusRequest { status: CheckpointStatus::Finalized.into() };
        let response = match self.ask(&request).await? {
            Ok(response) => response,
            // Before anything is final the answer is an error, of one kind in epoch 1 and another later.
            Err(refused) if refused.log.to_lowercase().contains("raw checkpoint") => {
                return Ok(Epoch::new(0));
            }
            Err(refused) => return Err(refused.into_chain_error()),
        };
        let checkpoint = required("raw_checkpoint", response.raw_checkpoint.as_ref())
            .map_err(malformed::<QueryLastCheckpointWithStatusRequest>)?;
        Ok(Epoch::new(checkpoint.epoch_num))
    }
}

#[async_trait]
impl EvidenceReader for BabylonReader {
    /// The chain lists a provider's first evidence once for every evidence it has; each is returned once here.
    async fn fetch_evidences(&self, from: PosHeight) -> Result<Listing<Evidence>> {
        let mut first: BTreeMap<FinalityProviderPublicKey, Evidence> = BTreeMap::new();
        let mut malformed = Vec::new();
        let request = QueryListEvidencesRequest { start_height: from.to_u64(), pagination: None };
        let followed = self
            .follow(request, |entries| {
                for entry in &entries {
                    match decode_evidence(entry) {
                        Ok(evidence) if evidence.height < from => {}
                        Ok(evidence) => {
                            first.entry(evidence.finality_provider).or_insert(evidence);
                        }
                        Err(error) => {
                            malformed.push(format!("evidence against {}: {error}", entry.fp_btc_pk_hex))
                        }
                    }
                }
                entries.len()
            })
            .await?;
        followed.tell(&mut malformed);
        malformed.sort_unstable();
        malformed.dedup();
        Ok(Listing { items: first.into_values().collect(), malformed })
    }
}
