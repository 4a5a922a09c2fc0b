//! How a role is connected to its chain without knowing which chain it is.
//!
//! A role's configuration holds a [`ChainEndpoint`]; its `main.rs` brings a [`Connector`], the only place where an
//! adapter is named. The devnet brings the same connector.

use crate::{
    outbox::{MemoryOutbox, Outbox},
    ports::{PosChain, Result, Submitter},
};
use async_trait::async_trait;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};
use std::{fmt, sync::Arc};

/// Where a chain is and how to pay on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainEndpoint {
    /// Chain id, checked against every node: `bbn-1`, `bbn-test-6`, or the devnet's.
    pub id: String,
    /// RPC endpoints of as many nodes as one likes: a list, or one text with commas between them. The best one that
    /// answers is used.
    #[serde(deserialize_with = "one_or_many")]
    pub rpc: Vec<String>,
    /// How many of the endpoints must say the same about one height before it is acted on; 1 believes each of them. More
    /// than half of them is what makes a single dishonest node harmless. Simulated gas, events and headers are one node's
    /// word all the same.
    #[serde(default = "default_agreement")]
    pub agreement: usize,
    /// Facts of a public network in which the chain is believed over this program, by the names a refusal tells: for what
    /// governance has changed since.
    #[serde(default)]
    pub accept_changed: Vec<String>,
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

impl ChainEndpoint {
    /// Nodes of the chain `id`, everything else as on Babylon Genesis.
    pub fn new(id: impl Into<String>, rpc: Vec<String>) -> Self {
        Self {
            id: id.into(),
            rpc,
            agreement: default_agreement(),
            accept_changed: Vec::new(),
            account_prefix: default_prefix(),
            fee_denom: default_denom(),
            gas_price: default_gas_price(),
            gas_adjustment: default_gas_adjustment(),
        }
    }
}

/// Reads a list of texts, or one text that is cut at commas.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address or a list of addresses")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(str::to_owned).collect())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

fn default_agreement() -> usize {
    1
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
    /// Returns a reader. Every node's chain id is checked, and what the chain tells about itself is held against the
    /// configuration and, for a public network, against what this program knows of it.
    ///
    /// # Errors
    /// [`ChainError`](crate::ChainError); what differs is [`ErrorKind::Broken`](crate::ErrorKind::Broken) and both values
    /// are named.
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

/// Makes both ports of a chain: the reader and the one sender of an account, which remembers what is on its way in
/// `outbox`. May be tried again; see [`ChainError::is_transient`](crate::ChainError::is_transient).
///
/// # Errors
/// As [`Connector::connect`] and [`Connector::open_account_with`].
pub async fn open_both(
    connector: &dyn Connector,
    endpoint: &ChainEndpoint,
    secret: &AccountSecret,
    outbox: &Arc<dyn Outbox>,
) -> Result<(Arc<dyn PosChain>, Arc<dyn Submitter>)> {
    let chain = connector.connect(endpoint).await?;
    let secret = AccountSecret(secret.0.clone());
    let submitter = connector.open_account_with(endpoint, secret, Arc::clone(outbox)).await?;
    Ok((chain, submitter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::{IntoDeserializer, value};

    #[derive(Debug, Deserialize)]
    struct Only {
        #[serde(deserialize_with = "one_or_many")]
        rpc: Vec<String>,
    }

    #[test]
    fn one_address_and_a_list_of_them_are_read_alike() {
        type Text<'a> = value::MapDeserializer<'a, std::vec::IntoIter<(&'a str, &'a str)>, value::Error>;
        type List<'a> = value::MapDeserializer<'a, std::vec::IntoIter<(&'a str, Vec<&'a str>)>, value::Error>;
        for (text, expected) in
            [("http://a", vec!["http://a"]), ("http://a, http://b,", vec!["http://a", "http://b"])]
        {
            let one: Text<'_> = value::MapDeserializer::new(vec![("rpc", text)].into_iter());
            assert_eq!(Only::deserialize(one).unwrap().rpc, expected);
            let many: List<'_> = value::MapDeserializer::new(vec![("rpc", expected.clone())].into_iter());
            assert_eq!(Only::deserialize(many).unwrap().rpc, expected);
        }
        let number: value::U32Deserializer<value::Error> = 7u32.into_deserializer();
        assert!(one_or_many(number).is_err());
    }

    #[test]
    fn an_endpoint_that_says_no_more_is_one_of_babylon_and_believes_each_node() {
        let endpoint = ChainEndpoint::new("bbn-1", vec!["http://a".into()]);
        assert_eq!((endpoint.agreement, endpoint.account_prefix.as_str()), (1, "bbn"));
        assert!(endpoint.accept_changed.is_empty());
    }
}
