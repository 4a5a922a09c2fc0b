//! Who may call the signer.
//!
//! | door | caller is known by | for |
//! |---|---|---|
//! | Unix socket | the kernel: same user, socket mode 0600 | the default |
//! | loopback TCP, `mac-v2` | a MAC over method, session, nonce, time and body ([`mac`]) | our own clients |
//! | loopback TCP, `header-mac` | a MAC over the body ([`header_mac`]) | the established daemon; opt-in |
//!
//! | mutual TLS with `mac-v2` | a certificate, and a MAC ([`tls`]) | other hosts |
//!
//! There is no TCP without authentication, and none beyond loopback but mutual TLS. A secret, certificate or key that
//! cannot be read stops the start.

pub mod header_mac;
pub mod mac;
pub mod replay;
pub mod secret;
pub mod tls;
pub mod unix;

use crate::service::{Call, Method, Origin, Refusal};
use btc_staking_daemon::clock::Clock;
use header_mac::HeaderMac;
use mac::MacGate;
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};
use thiserror::Error;
use tls::{Identity, TlsError, TlsListener};
use tokio::net::TcpListener;
use tonic::{Code, metadata::MetadataMap};
use unix::OwnersSocket;

/// Why a door does not open.
#[derive(Debug, Error)]
pub enum DoorError {
    /// Beyond loopback anybody could listen and try.
    #[error("{0} is not a loopback address: beyond this host the signer is offered over mutual TLS only")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {at}")]
    Bind {
        /// Socket or address.
        at: String,
        /// What the system said.
        source: io::Error,
    },
    /// Certificates and key do not work together.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something that is no socket of ours is in the way.
    #[error("{0} exists and is no socket; it is not replaced")]
    InTheWay(PathBuf),
    /// Somebody is listening there.
    #[error("a process listens on {0} already")]
    InUse(PathBuf),
}

/// How a caller over TCP shows that it may call.
pub enum Authentication {
    /// [`header_mac`].
    Header(HeaderMac),
    /// [`mac`].
    V2(MacGate),
}

/// A bound door.
pub struct Door {
    pub(crate) listener: Listener,
    pub(crate) guard: Guard,
}

pub(crate) enum Listener {
    Unix(OwnersSocket),
    Tcp(TcpListener),
    Tls(TlsListener),
}

/// Decides for each request whether it is answered.
#[derive(Clone)]
pub(crate) enum Guard {
    /// The kernel said who it is when the connection was made.
    Owner,
    Authenticated(Arc<Authentication>),
    /// The handshake said who it is, and every request must say so again.
    MutualTls(Arc<MacGate>),
}

impl Door {
    /// Binds a Unix socket that only processes of this user can use. A dead socket in its place is replaced.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn unix(path: PathBuf) -> Result<Self, DoorError> {
        Ok(Self { listener: Listener::Unix(OwnersSocket::bind(path)?), guard: Guard::Owner })
    }

    /// Binds a loopback address whose callers must authenticate every request.
    ///
    /// # Errors
    /// [`DoorError::NotLoopback`] and [`DoorError::Bind`].
    pub async fn tcp(address: SocketAddr, authentication: Authentication) -> Result<Self, DoorError> {
        if !address.ip().is_loopback() {
            return Err(DoorError::NotLoopback(address));
        }
        let failed = |source| DoorError::Bind { at: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self { listener: Listener::Tcp(listener), guard: Guard::Authenticated(Arc::new(authentication)) })
    }

    /// Binds any address, whose callers must show a certificate that the identity knows, and a MAC with every request.
    ///
    /// # Errors
    /// [`DoorError::Bind`] and [`DoorError::Tls`].
    pub async fn tls(address: SocketAddr, identity: Identity, gate: MacGate) -> Result<Self, DoorError> {
        let failed = |source| DoorError::Bind { at: address.to_string(), source };
        let listener = TlsListener::new(TcpListener::bind(address).await.map_err(failed)?, identity)?;
        Ok(Self { listener: Listener::Tls(listener), guard: Guard::MutualTls(Arc::new(gate)) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`io::Error`] from the system.
    pub fn place(&self) -> io::Result<String> {
        match &self.listener {
            Listener::Unix(socket) => Ok(socket.path().display().to_string()),
            Listener::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            Listener::Tls(listener) => Ok(listener.local_addr()?.to_string()),
        }
    }
}

impl Guard {
    /// Checks that a request comes from somebody who may call.
    ///
    /// # Errors
    /// Unauthenticated, without saying more than the caller knows.
    pub(crate) fn check(
        &self,
        method: Method,
        metadata: &MetadataMap,
        body: &[u8],
        call: &Call,
        clock: &dyn Clock,
    ) -> Result<(), Refusal> {
        match self {
            Self::Owner => Ok(()),
            Self::MutualTls(gate) => gate.check(method, metadata, body, clock.since_epoch()),
            Self::Authenticated(authentication) => match authentication.as_ref() {
                Authentication::Header(mac) => mac.check(method, metadata, call),
                Authentication::V2(gate) => gate.check(method, metadata, body, clock.since_epoch()),
            },
        }
    }

    /// What a caller over this door is trusted with.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Owner => Origin::Local,
            Self::MutualTls(_) => Origin::Encrypted,
            Self::Authenticated(authentication) => match authentication.as_ref() {
                Authentication::Header(_) => Origin::Replayable,
                Authentication::V2(_) => Origin::Clear,
            },
        }
    }

    /// Metadata to put on every answer.
    pub(crate) fn announcement(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Owner => None,
            Self::MutualTls(gate) => Some((mac::SESSION_HEADER, gate.session().to_string())),
            Self::Authenticated(authentication) => match authentication.as_ref() {
                Authentication::Header(_) => None,
                Authentication::V2(gate) => Some((mac::SESSION_HEADER, gate.session().to_string())),
            },
        }
    }
}

fn unauthenticated(why: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, why)
}
