//! Where a signer in another process is: the `[signer]` section of a daemon's configuration.

use super::Remote;
use crate::{
    channel::{
        secret::{Secret, SecretError},
        tls::{TlsError, TlsFiles, TlsName},
    },
    grpc::client::{BadAddress, Client, Credentials, NoClient},
};
use btc_staking_daemon::clock::Clock;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// A socket, or an address with what it takes to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerAddress {
    /// The signer's Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The signer's host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where the secret shared with the signer comes from: `file:PATH`, `env:NAME` or `fd:NUMBER`. With an address only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Mutual TLS; without it the address must be on loopback, in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// The name in the signer's certificate, if it is not the host of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
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
    /// A socket has no certificate.
    #[error("signer.tls and signer.tls_name are for signer.address")]
    NeedlessTls,
    /// In the clear anybody on the way could listen.
    #[error(
        "signer.address {0} is no loopback address with a port, such as 127.0.0.1:12582; for any other host signer.tls is \
         needed"
    )]
    NotLoopback(String),
    /// Nothing to hold a certificate to.
    #[error("signer.address {0} is no host with a port, or signer.tls_name no name")]
    NoName(String),
    /// The secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The address, certificates or key.
    #[error(transparent)]
    Client(#[from] NoClient),
    /// Certificates and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl SignerAddress {
    /// Checks that the section says one thing.
    ///
    /// # Errors
    /// [`UnusableAddress`], naming the key.
    pub fn check(&self) -> Result<(), UnusableAddress> {
        self.way().map(drop)
    }

    /// Reads secret, certificates and key, if there are any. Nobody is asked yet.
    ///
    /// # Errors
    /// [`UnusableAddress`].
    pub fn open(&self, clock: Arc<dyn Clock>) -> Result<Remote, UnusableAddress> {
        let secret = |source| -> Result<_, UnusableAddress> { Ok(Secret::read(source)?.long_enough()?) };
        Ok(Remote::new(match self.way()? {
            Way::Socket(socket) => Client::unix(socket)?,
            Way::Loopback(address, source) => Client::tcp(address, Credentials::V2(secret(source)?, clock))?,
            Way::Tls { place, name, files, source } => {
                Client::tls(place, name, files.read()?, secret(source)?, clock)?
            }
        }))
    }

    fn way(&self) -> Result<Way<'_>, UnusableAddress> {
        match (self.socket.as_deref(), self.address.as_deref(), self.secret.as_deref(), &self.tls) {
            (None, None, ..) | (Some(_), Some(_), ..) => Err(UnusableAddress::Which),
            (Some(_), None, Some(_), _) => Err(UnusableAddress::NeedlessSecret),
            (Some(_), None, None, Some(_)) => Err(UnusableAddress::NeedlessTls),
            (_, _, _, None) if self.tls_name.is_some() => Err(UnusableAddress::NeedlessTls),
            (Some(socket), None, None, None) => Ok(Way::Socket(socket)),
            (None, Some(_), None, _) => Err(UnusableAddress::NoSecret),
            (None, Some(place), Some(source), None) => {
                let address: Option<SocketAddr> = place.parse().ok();
                let loopback = address.filter(|address| address.ip().is_loopback());
                let address = loopback.ok_or_else(|| UnusableAddress::NotLoopback(place.to_owned()))?;
                Ok(Way::Loopback(address, source))
            }
            (None, Some(place), Some(source), Some(files)) => {
                let none = || UnusableAddress::NoName(place.to_owned());
                let (host, port) = place.rsplit_once(':').ok_or_else(none)?;
                port.parse::<u16>().map_err(|_| none())?;
                let host = self.tls_name.as_deref().unwrap_or(host.trim_matches(['[', ']']));
                let name = host.parse().map_err(|_| none())?;
                Ok(Way::Tls { place, name, files, source })
            }
        }
    }
}

/// A section that says one thing.
enum Way<'a> {
    Socket(&'a Path),
    Loopback(SocketAddr, &'a str),
    Tls { place: &'a str, name: TlsName, files: &'a TlsFiles, source: &'a str },
}
