//! Every other query, typed: for dashboards, reporters and tools that need more than the ports.
//!
//! Any [`Query`] is answered by [`BabylonReader::fetch`], and any [`ListQuery`] whole by [`BabylonReader::fetch_list`].
//! Two lists are paged in ways of their own: the light client's headers, by hash, and the keys of validators, by offset.
//!
//! ```no_run
//! # async fn example(reader: btc_staking_babylon::reader::BabylonReader) -> Result<(), Box<dyn std::error::Error>> {
//! use btc_staking_babylon::proto::{finality::QuerySigningInfosRequest, mint::QueryInflationRateRequest};
//! let inflation = reader.fetch(&QueryInflationRateRequest {}).await??.inflation_rate;
//! let infos = reader.fetch_list(QuerySigningInfosRequest::default()).await?;
//! # Ok(()) }
//! ```

use super::{
    BabylonReader, ListQuery, Refused,
    query::{broken, malformed},
};
use crate::{
    convert::headers::decode_light_client_header,
    proto::{
        PageRequest, Query,
        btclightclient::QueryMainChainRequest,
        checkpointing::{BlsPublicKeyListResponse, QueryBlsPublicKeyListRequest},
    },
    rpc::Header,
};
use bitcoin::{BlockHash, hashes::Hash};
use btc_staking_pos_chain::{LightClientHeader, LightClientReader, Result};
use btc_staking_protocol::height::{Epoch, PosHeight};

/// Headers asked for at once; the chain gives at most 1000.
const HEADERS: u64 = 500;

impl BabylonReader {
    /// Asks anything of the chain. The inner error is the chain's plain no, the outer one is that nobody knows.
    ///
    /// # Errors
    /// [`NotYet`](btc_staking_pos_chain::ErrorKind::NotYet) where the node does not know yet, and the other kinds of trouble.
    pub async fn fetch<Q: Query>(&self, request: &Q) -> Result<std::result::Result<Q::Response, Refused>> {
        match self.ask(request).await? {
            Err(refused) if refused.is_trouble() => Err(refused.into_chain_error()),
            answer => Ok(answer),
        }
    }

    /// Follows a list to its end.
    ///
    /// # Errors
    /// Also [`Broken`](btc_staking_pos_chain::ErrorKind::Broken) for a list beyond the limits: half a list is none here.
    pub async fn fetch_list<Q: ListQuery>(&self, request: Q) -> Result<Vec<Q::Item>>
    where
        Q::Response: Send,
    {
        let mut all = Vec::new();
        let followed = self
            .follow(request, |members| {
                let count = members.len();
                all.extend(members);
                count
            })
            .await?;
        followed.require_all()?;
        Ok(all)
    }

    /// Returns the header of a block of the chain itself: its app hash is what votes for that height sign, also where the
    /// height is not indexed for finality.
    ///
    /// # Errors
    /// [`NotYet`](btc_staking_pos_chain::ErrorKind::NotYet) above the tip, [`Pruned`](btc_staking_pos_chain::ErrorKind::Pruned) below what the node keeps.
    pub async fn fetch_header(&self, height: PosHeight) -> Result<Header> {
        self.rpc.header(height.to_u64()).await.map_err(|error| error.into_chain_error("header"))
    }

    /// Returns headers of the light client downwards from `newest`, or from its tip, at most `count`, each the parent of
    /// the one before. Ends at the base header.
    ///
    /// # Errors
    /// [`Broken`](btc_staking_pos_chain::ErrorKind::Broken) for headers that are no chain. A header that is not on the light client's chain (any
    /// more) is refused by the chain.
    pub async fn fetch_light_client_headers(
        &self,
        newest: Option<BlockHash>,
        count: usize,
    ) -> Result<Vec<LightClientHeader>> {
        let base = self.fetch_light_client_base().await?;
        let mut headers: Vec<LightClientHeader> = Vec::new();
        let mut key = newest;
        while headers.len() < count && headers.last().is_none_or(|last| last.hash != base.hash) {
            let left = u64::try_from(count.saturating_sub(headers.len())).unwrap_or(HEADERS);
            let page = PageRequest {
                key: key.map(|hash| hash.to_byte_array().to_vec()).unwrap_or_default(),
                limit: left.min(HEADERS),
                ..PageRequest::default()
            };
            let response = self.query(&QueryMainChainRequest { pagination: Some(page) }).await?;
            let before = headers.len();
            for info in &response.headers {
                let header = decode_light_client_header(info).map_err(malformed::<QueryMainChainRequest>)?;
                check_link(headers.last(), &header, newest)?;
                headers.push(header);
                if header.hash == base.hash || headers.len() == count {
                    return Ok(headers);
                }
            }
            if headers.len() == before {
                return Err(broken(QueryMainChainRequest::PATH, "list ends above the base header"));
            }
            // The next page begins with the parent of the last header.
            key = headers.last().map(|last| last.header.prev_blockhash);
        }
        Ok(headers)
    }

    /// Returns the BLS keys of an epoch's validators.
    ///
    /// # Errors
    /// Every kind; an unknown epoch is refused by the chain.
    pub async fn fetch_bls_public_keys(&self, epoch: Epoch) -> Result<Vec<BlsPublicKeyListResponse>> {
        let mut keys = Vec::new();
        loop {
            let offset = u64::try_from(keys.len()).map_err(|error| broken("BLS keys", error))?;
            let page = PageRequest { offset, limit: self.limits.page, ..PageRequest::default() };
            let request = QueryBlsPublicKeyListRequest { epoch_num: epoch.to_u64(), pagination: Some(page) };
            let members = self.query(&request).await?.validator_with_bls_keys;
            let is_last = u64::try_from(members.len()).is_ok_and(|count| count < self.limits.page);
            keys.extend(members);
            if is_last {
                return Ok(keys);
            }
            if keys.len() >= self.limits.total {
                return Err(broken(QueryBlsPublicKeyListRequest::PATH, "list goes on behind the limit"));
            }
        }
    }
}

/// Holds a header to the one above it.
fn check_link(
    above: Option<&LightClientHeader>,
    header: &LightClientHeader,
    newest: Option<BlockHash>,
) -> Result<()> {
    let path = QueryMainChainRequest::PATH;
    let Some(above) = above else {
        return match newest {
            Some(newest) if newest != header.hash => {
                Err(broken(path, format!("asked for headers from {newest}, got {}", header.hash)))
            }
            Some(_) | None => Ok(()),
        };
    };
    if above.header.prev_blockhash != header.hash {
        let why = format!("header {} is not the parent of {}", header.hash, above.hash);
        return Err(broken(path, why));
    }
    if header.height.checked_add(1) != Some(above.height) {
        let why = format!("header {} has height {}, its child {}", header.hash, header.height, above.height);
        return Err(broken(path, why));
    }
    Ok(())
}
