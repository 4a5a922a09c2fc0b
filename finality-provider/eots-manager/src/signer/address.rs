//! Where a signer in another process is: the `[signer]` section of a daemon's configuration.

use super::Remote;
use crate::{
    channel::secret::{Secret, SecretError},
    grpc::client::{BadAddress, Client, Credentials},
};
use btc_staking_daemon::clock::Clock;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use thiserror::Error;

/// A socket, or an address with what it takes to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerAddress {
    /// The signer's Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The signer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Where the secret shared with the signer comes from: `file:PATH`, `env:NAME` or `fd:NUMBER`. With an address only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An address that cannot be used as it is.
#[derive(Debug, Error)]
pub enum UnusableAddress {
    /// Neither or both.
    #[error("signer needs either socket or address")]
    Which,
    /// Nobody is let in without.
    #[error("signer.address needs signer.secret")]
    NoSecret,
    /// A socket knows its owner.
    #[error("signer.secret is for signer.address; a socket needs none")]
    NeedlessSecret,
    /// In the clear anybody on the way could listen.
    #[error("signer.address {0} is not on this host")]
    NotLoopback(SocketAddr),
    /// The secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The address.
    #[error(transparent)]
    Address(#[from] BadAddress),
}

impl SignerAddress {
    /// Checks that the section says one thing.
    ///
    /// # Errors
    /// [`UnusableAddress`], naming the key.
    pub fn check(&self) -> Result<(), UnusableAddress> {
        match (&self.socket, self.address, &self.secret) {
            (Some(_), None, None) => Ok(()),
            (Some(_), None, Some(_)) => Err(UnusableAddress::NeedlessSecret),
            (None, Some(_), None) => Err(UnusableAddress::NoSecret),
            (None, Some(address), Some(_)) if !address.ip().is_loopback() => {
                Err(UnusableAddress::NotLoopback(address))
            }
            (None, Some(_), Some(_)) => Ok(()),
            (None, None, _) | (Some(_), Some(_), _) => Err(UnusableAddress::Which),
        }
    }

    /// Reads the secret, if there is one. Nobody is asked yet.
    ///
    /// # Errors
    /// [`UnusableAddress`].
    pub fn open(&self, clock: Arc<dyn Clock>) -> Result<Remote, UnusableAddress> {
        self.check()?;
        let client = match (&self.socket, self.address, &self.secret) {
            (Some(socket), _, _) => Client::unix(socket)?,
            (None, Some(address), Some(secret)) => {
                Client::tcp(address, Credentials::V2(Secret::read(secret)?.long_enough()?, clock))?
            }
            (None, ..) => return Err(UnusableAddress::Which),
        };
        Ok(Remote::new(client))
    }
}
