//! Questions about many heights or many providers at once: one page of the chain's own lists each.
//!
//! A page begins at a key the list is ordered by, a height in eight bytes, big-endian (`wire.md` 5.1). It is a page and no
//! whole list: whoever needs more asks again behind its last member.

use super::{
    BabylonReader,
    query::{broken, malformed},
};
use crate::{
    convert::finality::decode_block,
    proto::{
        PageRequest, Query,
        finality::{
            QueriedBlockStatus, QueryActiveFinalityProvidersAtHeightRequest, QueryListBlocksRequest,
            QueryListPublicRandomnessRequest,
        },
    },
};
use btc_staking_pos_chain::{
    ChainError, ErrorKind, FinalityProviderReader, IndexedBlock, Result, VotingPower,
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use std::collections::HashMap;

/// Members of a page: blocks and votes have about fifty bytes each.
const PAGE: u64 = 1_000;
/// Members of a page of a power table. The active set has 100 by default and 60 on mainnet.
const TABLE_PAGE: u64 = 1_000;

fn from_height(height: PosHeight, most: usize) -> PageRequest {
    let limit = u64::try_from(most).unwrap_or(PAGE).clamp(1, PAGE);
    PageRequest { key: height.to_u64().to_be_bytes().to_vec(), limit, ..PageRequest::default() }
}

impl BabylonReader {
    pub(super) async fn read_blocks(&self, from: PosHeight, most: usize) -> Result<Vec<IndexedBlock>> {
        let pagination = Some(from_height(from, most));
        let status = QueriedBlockStatus::Any.into();
        let response = self.query(&QueryListBlocksRequest { status, pagination }).await?;
        let blocks: std::result::Result<Vec<_>, _> = response.blocks.iter().map(decode_block).collect();
        let blocks = blocks.map_err(malformed::<QueryListBlocksRequest>)?;
        check_ascent(QueryListBlocksRequest::PATH, from, blocks.iter().map(|block| block.height))?;
        Ok(blocks)
    }

    pub(super) async fn read_voted_heights(
        &self,
        key: &FinalityProviderPublicKey,
        from: PosHeight,
        most: usize,
    ) -> Result<Vec<PosHeight>> {
        let pagination = Some(from_height(from, most));
        let request = QueryListPublicRandomnessRequest { fp_btc_pk_hex: key.to_string(), pagination };
        let heights: Vec<_> =
            self.query(&request).await?.pub_rand_map.into_keys().map(PosHeight::new).collect();
        check_ascent(QueryListPublicRandomnessRequest::PATH, from, heights.iter().copied())?;
        Ok(heights)
    }

    /// The power of one provider is asked for alone; of several, in their table.
    pub(super) async fn read_powers(
        &self,
        keys: &[FinalityProviderPublicKey],
        height: PosHeight,
    ) -> Result<Vec<VotingPower>> {
        match keys {
            [] => Ok(Vec::new()),
            [only] => Ok(vec![self.fetch_voting_power(only, height).await?]),
            several => self.read_table(several, height).await,
        }
    }

    async fn read_table(
        &self,
        keys: &[FinalityProviderPublicKey],
        height: PosHeight,
    ) -> Result<Vec<VotingPower>> {
        type Request = QueryActiveFinalityProvidersAtHeightRequest;
        let mut table: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut pagination = PageRequest { limit: TABLE_PAGE, ..PageRequest::default() };
        loop {
            let request = Request { height: height.to_u64(), pagination: Some(pagination.clone()) };
            let (page, at) = self.query_at(&request).await?;
            let is_empty = page.finality_providers.is_empty();
            // Only state from that height on can tell that there is no table for it.
            if is_empty && table.is_empty() && at < height.to_u64() {
                let why = format!("{}: state of height {at} has no table for {height} yet", Request::PATH);
                return Err(ChainError::new(ErrorKind::NotYet, why));
            }
            for entry in page.finality_providers {
                if entry.height != height.to_u64() {
                    let why = format!("asked for height {height}, got {}", entry.height);
                    return Err(broken(Request::PATH, why));
                }
                table.insert(entry.btc_pk_hex, entry.voting_power);
            }
            let next = page.pagination.unwrap_or_default().next_key;
            if next.is_empty() {
                break;
            }
            if is_empty || next == pagination.key {
                return Err(broken(Request::PATH, "list does not move on"));
            }
            pagination.key = next;
        }
        let power = |key: &FinalityProviderPublicKey| match table.get(key.to_bytes().as_slice()) {
            _ if table.is_empty() => VotingPower::NoTable,
            None | Some(0) => VotingPower::None,
            Some(power) => VotingPower::Has(*power),
        };
        Ok(keys.iter().map(power).collect())
    }
}

/// What is told in the order of heights begins where it was asked for and ascends.
fn check_ascent(asked: &str, from: PosHeight, heights: impl Iterator<Item = PosHeight>) -> Result<()> {
    let mut least = from;
    for height in heights {
        if height < least {
            return Err(broken(asked, format!("heights from {from} on do not ascend at {height}")));
        }
        least = height.next();
    }
    Ok(())
}
