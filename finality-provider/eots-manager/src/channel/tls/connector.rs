//! The connecting end.

use super::{Fingerprint, Identity, TlsError, check_peer};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use std::{io, str::FromStr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The name that the listening end's certificate must be for: a DNS name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsName(ServerName<'static>);

impl FromStr for TlsName {
    type Err = InvalidDnsNameError;
    fn from_str(text: &str) -> Result<Self, InvalidDnsNameError> {
        Ok(Self(ServerName::try_from(text.to_owned())?))
    }
}

/// Makes connections to one place.
#[derive(Clone)]
pub struct TlsConnector {
    /// Host and port.
    place: Arc<str>,
    name: ServerName<'static>,
    tls: tokio_rustls::TlsConnector,
    only: Arc<[Fingerprint]>,
}

impl TlsConnector {
    /// Connects to a place, a host and a port, where a certificate for this name must be shown.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn new(place: &str, TlsName(name): TlsName, identity: Identity) -> Result<Self, TlsError> {
        let (config, only) = identity.into_client()?;
        Ok(Self {
            place: Arc::from(place),
            name,
            tls: tokio_rustls::TlsConnector::from(config),
            only: Arc::from(only),
        })
    }

    /// Connects and looks at who answers; nothing was sent before.
    ///
    /// # Errors
    /// Of the connection, the handshake, or a certificate that is not among the fingerprints.
    pub async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(&*self.place).await?;
        tcp.set_nodelay(true)?;
        let stream = self.tls.connect(self.name, tcp).await?;
        check_peer(stream.get_ref().1, &self.only)?;
        Ok(TokioIo::new(stream))
    }
}
