//! How a role's configuration names its Bitcoin node.

use crate::{
    bitcoind::{Auth, Bitcoind, BitcoindConfig},
    ports::{BlockSource, NodeError, NodeErrorKind, Result},
};
use bitcoin::Network;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where a Bitcoin node is: the `[bitcoin]` section of every role's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinEndpoint {
    /// Network, checked against the node: `bitcoin`, `signet`, `testnet`, `testnet4` or `regtest`.
    pub network: Network,
    /// RPC address.
    pub rpc_url: String,
    /// Cookie file of the node. Give this, or a user and a password file.
    #[serde(default)]
    pub cookie_file: Option<PathBuf>,
    /// RPC user.
    #[serde(default)]
    pub user: Option<String>,
    /// File that holds the RPC password, alone in its first line.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

impl BitcoinEndpoint {
    /// Opens the adapter; nothing is sent yet.
    ///
    /// # Errors
    /// [`NodeErrorKind::Misconfigured`] when credentials are missing, given twice or unreadable.
    pub fn open(&self) -> Result<Bitcoind> {
        let auth = match (&self.cookie_file, &self.user, &self.password_file) {
            (Some(cookie), None, None) => Auth::CookieFile(cookie.clone()),
            (None, Some(user), Some(file)) => {
                let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| {
                    misconfigured(format!("cannot read the password file {}: {error}", file.display()))
                })?);
                let password = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
                Auth::UserPassword { user: user.clone(), password }
            }
            _ => {
                return Err(misconfigured(
                    "give either cookie_file, or user and password_file, in the section [bitcoin]".to_owned(),
                ));
            }
        };
        Bitcoind::new(BitcoindConfig::new(self.rpc_url.clone(), auth))
    }

    /// Opens the adapter and refuses a node of another network.
    ///
    /// # Errors
    /// As [`BitcoinEndpoint::open`]; [`NodeErrorKind::Misconfigured`] with both networks named; trouble with the node.
    pub async fn connect(&self) -> Result<Bitcoind> {
        let node = self.open()?;
        let found = node.fetch_network().await?;
        if found != self.network {
            return Err(misconfigured(format!(
                "the node runs on {found}, the configuration says {}",
                self.network
            )));
        }
        Ok(node)
    }
}

fn misconfigured(detail: String) -> NodeError {
    NodeError::new(NodeErrorKind::Misconfigured, detail)
}
