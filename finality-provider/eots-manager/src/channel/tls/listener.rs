//! The listening end: handshakes go on side by side, within bounds, and only finished ones are served.

use super::{Fingerprint, Identity, TlsError, check_peer};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Handshakes under way at a time; the next callers wait in the system's queue.
const MAX_HANDSHAKES: usize = 64;
/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

type Shaken = io::Result<TlsStream<TcpStream>>;

/// A listener whose streams are those of known peers.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    only: Vec<Fingerprint>,
    shaking: JoinSet<(SocketAddr, Shaken)>,
}

impl TlsListener {
    pub(crate) fn new(tcp: TcpListener, identity: Identity) -> Result<Self, TlsError> {
        let (config, only) = identity.into_server()?;
        Ok(Self { tcp, acceptor: TlsAcceptor::from(config), only, shaking: JoinSet::new() })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    fn shake_hands(&mut self, stream: TcpStream, from: SocketAddr) {
        let (acceptor, only) = (self.acceptor.clone(), self.only.clone());
        self.shaking.spawn(async move {
            let shaken = async {
                let stream = acceptor.accept(stream).await?;
                check_peer(stream.get_ref().1, &only)?;
                Ok(stream)
            };
            (from, tokio::time::timeout(HANDSHAKE, shaken).await.unwrap_or_else(|late| Err(late.into())))
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept(), if self.shaking.len() < MAX_HANDSHAKES => match accepted {
                    Ok((stream, from)) => self.shake_hands(stream, from),
                    // Out of descriptors, say: others may be freed meanwhile.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(shaken) = self.shaking.join_next() => match shaken {
                    Ok((from, Ok(stream))) => return (stream, from),
                    Ok((from, Err(error))) => tracing::warn!(%from, %error, "caller not known"),
                    Err(error) => tracing::error!(%error, "a handshake ended unexpectedly"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
