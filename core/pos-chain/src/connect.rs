//! How a role is connected to its chain without knowing which chain it is.
//!
//! A role's configuration holds a [`ChainEndpoint`]; its `main.rs` brings a [`Connector`], the only place where an
//! adapter is named. The devnet brings the same connector.

use crate::{
    outbox::{MemoryOutbox, Outbox},
    ports::{PosChain, Result, Submitter},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a chain is and how to pay on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainEndpoint {
    /// Chain id, checked against every node: `bbn-1`, `bbn-test-6`, or the devnet's.
    pub id: String,
    /// RPC endpoints, tried in order.
    pub rpc: Vec<String>,
    /// Prefix of account addresses.
    #[serde(default = "default_prefix")]
    pub account_prefix: String,
    /// Coin that pays fees.
    #[serde(default = "default_denom")]
    pub fee_denom: String,
    /// Fee per unit of gas, as decimal text; never below the chain's floor of 0.002.
    #[serde(default = "default_gas_price")]
    pub gas_price: String,
    /// What simulated gas is multiplied with, as decimal text.
    #[serde(default = "default_gas_adjustment")]
    pub gas_adjustment: String,
}

fn default_prefix() -> String {
    "bbn".to_owned()
}
fn default_denom() -> String {
    "ubbn".to_owned()
}
fn default_gas_price() -> String {
    "0.01".to_owned()
}
fn default_gas_adjustment() -> String {
    "1.5".to_owned()
}

/// A secp256k1 secret of an account, 32 bytes big-endian, on its way from a key file to the adapter. Neither printable
/// nor clonable; wiped on drop by its type.
pub struct AccountSecret(pub zeroize::Zeroizing<[u8; 32]>);

/// Makes the ports of one kind of chain.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Returns a reader. Every node's chain id is checked.
    ///
    /// # Errors
    /// [`ChainError`](crate::ChainError); a node of another network is [`ErrorKind::Broken`](crate::ErrorKind::Broken)
    /// and both chain ids are named.
    async fn connect(&self, endpoint: &ChainEndpoint) -> Result<Arc<dyn PosChain>>;

    /// Returns the one sender of an account, which remembers what is on its way as long as the program runs.
    ///
    /// # Errors
    /// As [`Connector::open_account_with`].
    async fn open_account(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
    ) -> Result<Arc<dyn Submitter>> {
        self.open_account_with(endpoint, secret, Arc::new(MemoryOutbox::default())).await
    }

    /// Returns the one sender of an account, which remembers what is on its way in `outbox`.
    ///
    /// # Errors
    /// As [`Connector::connect`], and when the secret is no valid key.
    async fn open_account_with(
        &self,
        endpoint: &ChainEndpoint,
        secret: AccountSecret,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Arc<dyn Submitter>>;

    /// Returns the address of an account without asking a node.
    ///
    /// # Errors
    /// When the secret is no valid key or the prefix no valid prefix.
    fn account_address(
        &self,
        endpoint: &ChainEndpoint,
        secret: &AccountSecret,
    ) -> Result<btc_staking_protocol::keys::AccountAddress>;
}
