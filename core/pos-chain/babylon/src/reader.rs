//! Reads a Babylon chain over `abci_query`: every reading port of `pos-chain`.
//!
//! Lists are followed to their last page with bounded pages and a bounded total. Pages are read by key, so that no
//! member is seen twice; each page is as of its own height. Members of a list that do not convert are reported beside
//! the others. Spec: `wire.md` 4.5, 5.

mod account;
mod bulk;
mod delegations;
mod events;
mod fetch;
mod finality;
mod list;
mod params;
pub(crate) mod query;
pub mod sdk;
mod watch;

pub use list::ListQuery;
pub use query::Refused;

use crate::rpc::{HttpRpc, InvalidEndpoints, Rpc};
use async_trait::async_trait;
use btc_staking_pos_chain::{ChainError, ChainHead, ErrorKind, HeadReader, Result};
use btc_staking_protocol::height::PosHeight;
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Reads one chain. Clones share connections.
#[derive(Clone)]
pub struct BabylonReader {
    rpc: Arc<dyn Rpc>,
    limits: Limits,
}

/// How much a list may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members asked for at once. A page of 500 delegations of a nine-member committee has about 6 MB.
    pub page: u64,
    /// Bytes of one page. A larger one is asked for again in halves.
    pub page_bytes: usize,
    /// Members of a whole list. What lies behind is told as one malformed member of a listing, and is an error of a list
    /// that cannot tell.
    pub total: usize,
    /// Bytes of all answers of a list, because memory is finite; ends a list as `total` does. A delegation of a
    /// nine-member committee has about 12 kB.
    pub bytes: u64,
    /// Longest time for a whole list. A node that takes longer is set aside, so that the next try is another's.
    pub duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page: 500,
            page_bytes: 24 * 1024 * 1024,
            total: 2_000_000,
            bytes: 1_000_000_000,
            duration: Duration::from_secs(120),
        }
    }
}

/// The node belongs to another network, or could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrongNetwork {
    /// Another chain id.
    #[error("node is on chain {found:?}, the configuration says {expected:?}")]
    ChainId {
        /// What the node says.
        found: String,
        /// What was configured.
        expected: String,
    },
    /// No answer.
    #[error("node could not be asked for its chain id")]
    Unknown(#[source] ChainError),
}

impl WrongNetwork {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::ChainId { .. } => false,
            Self::Unknown(error) => error.is_transient(),
        }
    }
}

impl BabylonReader {
    /// Reads through `rpc`.
    pub fn new(rpc: Arc<dyn Rpc>) -> Self {
        Self { rpc, limits: Limits::default() }
    }

    /// Reads over HTTP from the first of `urls` that answers; `timeout` bounds each call.
    ///
    /// # Errors
    /// [`InvalidEndpoints`]; nothing is sent yet.
    pub fn over_http(urls: &[String], timeout: Duration) -> std::result::Result<Self, InvalidEndpoints> {
        Ok(Self::new(Arc::new(HttpRpc::new(urls, timeout)?)))
    }

    /// Replaces the limits of lists.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The connection, for a [`BabylonSender`](crate::sender::BabylonSender) beside this reader.
    pub fn rpc(&self) -> Arc<dyn Rpc> {
        Arc::clone(&self.rpc)
    }

    /// Asks the node for its chain id and compares it.
    ///
    /// # Errors
    /// [`WrongNetwork`] with both ids, or why the node could not be asked.
    pub async fn check_network(&self, expected: &str) -> std::result::Result<(), WrongNetwork> {
        let head = self.fetch_head().await.map_err(WrongNetwork::Unknown)?;
        if head.chain_id == expected {
            return Ok(());
        }
        Err(WrongNetwork::ChainId { found: head.chain_id, expected: expected.to_owned() })
    }
}

#[async_trait]
impl HeadReader for BabylonReader {
    async fn fetch_head(&self) -> Result<ChainHead> {
        let status = self.rpc.status().await.map_err(|error| error.into_chain_error("status"))?;
        if status.network.is_empty() {
            return Err(ChainError::new(ErrorKind::Broken, "status: node names no chain id"));
        }
        Ok(ChainHead {
            chain_id: status.network,
            height: PosHeight::new(status.latest_height),
            catching_up: status.catching_up,
        })
    }
}

#[cfg(test)]
mod tests;
