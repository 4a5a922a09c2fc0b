//! etcd as the engine, over gRPC.
//!
//! A call goes to the member that answered last; if it gives no answer, or has lost its leader, to the next one, until
//! all were asked or the time is over. Every call may be made twice, so it does not matter whether the first arrived.
//! Reads are never served from a member's own copy: what is read through a transaction has been agreed on.

mod convert;
mod proto;

use super::engine::{Committed, Engine, EngineError, LeaseId, Txn};
use async_trait::async_trait;
use axum::http::{Uri, uri::PathAndQuery};
use btc_staking_eots_manager::channel::tls::{TlsConnector, TlsError, TlsFiles};
use convert::{broken, committed, txn_request};
use prost::Message;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use thiserror::Error;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::ProstCodec,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

/// Largest answer.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Tells a member to refuse at once while it has no leader, rather than to wait for one.
const REQUIRE_LEADER: &str = "hasleader";

/// The members of an etcd cluster.
pub struct Etcd {
    members: Vec<Member>,
    preferred: AtomicUsize,
    deadline: Duration,
}

struct Member {
    address: String,
    channel: Channel,
}

/// The members cannot be addressed.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// None was named.
    #[error("ha.endpoints must name at least one member of the cluster")]
    NoMembers,
    /// Not an address.
    #[error("ha.endpoints: {0:?} is no address such as http://10.0.0.1:2379")]
    Address(String, #[source] tonic::transport::Error),
    /// TLS was asked for and the address is for none, or the other way round.
    #[error(
        "ha.endpoints: {0:?} must begin with https:// if there is a table [ha.tls], with http:// if there is none, and hold a port"
    )]
    Scheme(String),
    /// Certificates.
    #[error("ha.tls: {0}")]
    Tls(#[source] TlsError),
}

impl Etcd {
    /// Takes the members' addresses. Connections are made when they are first needed, with mutual TLS if there are files
    /// for it: then each member's certificate must be for the host in its address.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(
        endpoints: &[String],
        tls: Option<&TlsFiles>,
        deadline: Duration,
    ) -> Result<Self, ConnectError> {
        if endpoints.is_empty() {
            return Err(ConnectError::NoMembers);
        }
        let connect = |address: &String| {
            let channel = match tls {
                None => plain(address, deadline)?,
                Some(files) => secured(address, files, deadline)?,
            };
            Ok(Member { address: address.clone(), channel })
        };
        let members = endpoints.iter().map(connect).collect::<Result<_, ConnectError>>()?;
        Ok(Self { members, preferred: AtomicUsize::new(0), deadline })
    }

    async fn call<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let count = self.members.len();
        let patience = self.deadline / u32::try_from(count).unwrap_or(u32::MAX);
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = Status::unavailable("no member was asked");
        for member in (0..count).map(|next| (first + next) % count) {
            let Member { address, channel } = &self.members[member];
            let answer = tokio::time::timeout(patience, send(channel, path, request.clone())).await;
            last = match answer {
                Ok(Ok(answer)) => {
                    self.preferred.store(member, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(Err(status)) if !may_know_better(&status) => return Err(status),
                Ok(Err(status)) => Status::unavailable(format!("{address}: {}", status.message())),
                Err(_) => Status::unavailable(format!("{address}: silent for {} ms", patience.as_millis())),
            };
        }
        Err(last)
    }
}

fn plain(address: &str, deadline: Duration) -> Result<Channel, ConnectError> {
    if address.starts_with("https:") {
        return Err(ConnectError::Scheme(address.to_owned()));
    }
    Ok(endpoint(address, deadline)?.connect_lazy())
}

fn secured(address: &str, files: &TlsFiles, deadline: Duration) -> Result<Channel, ConnectError> {
    let scheme = || ConnectError::Scheme(address.to_owned());
    let uri: Uri = address.parse().map_err(|_| scheme())?;
    let place = uri.authority().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(scheme)?;
    let host = place.host().trim_start_matches('[').trim_end_matches(']');
    let name = host.parse().ok().filter(|_| place.port().is_some()).ok_or_else(scheme)?;
    let identity = files.read().map_err(ConnectError::Tls)?;
    let connector = TlsConnector::new(place.as_str(), name, identity).map_err(ConnectError::Tls)?;
    let connect = service_fn(move |_: Uri| connector.clone().connect());
    // The connector does what https would; the rest is HTTP/2 as ever.
    Ok(endpoint(&format!("http://{place}"), deadline)?.connect_with_connector_lazy(connect))
}

fn endpoint(address: &str, deadline: Duration) -> Result<Endpoint, ConnectError> {
    let endpoint = Endpoint::from_shared(address.to_owned());
    let endpoint = endpoint.map_err(|error| ConnectError::Address(address.to_owned(), error))?;
    Ok(endpoint.connect_timeout(deadline))
}

async fn send<Q, A>(channel: &Channel, path: &'static str, request: Q) -> Result<A, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut request = Request::new(request);
    request.metadata_mut().insert(REQUIRE_LEADER, MetadataValue::from_static("true"));
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<Q, A>::default();
    Ok(grpc.unary(request, PathAndQuery::from_static(path), codec).await?.into_inner())
}

/// Whether another member may answer what this one did not.
fn may_know_better(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::Aborted
    )
}

fn failure(status: Status) -> EngineError {
    let text = status.message().to_owned();
    if may_know_better(&status) { EngineError::NoAnswer(text) } else { EngineError::Refused(text) }
}

#[async_trait]
impl Engine for Etcd {
    async fn commit(&self, txn: Txn) -> Result<Committed, EngineError> {
        let response = self.call("/etcdserverpb.KV/Txn", txn_request(&txn)).await.map_err(failure)?;
        committed(response)
    }

    async fn grant(&self, lease: LeaseId, life: Duration) -> Result<(), EngineError> {
        let ttl = i64::try_from(life.as_secs()).map_err(|_| broken("a lease for ever"))?;
        let request = proto::LeaseGrantRequest { ttl, id: lease.0 };
        let answer = self.call::<_, proto::LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", request);
        match answer.await {
            Ok(response) if response.id == lease.0 => Ok(()),
            Ok(_) => Err(broken("another lease than asked for")),
            // It exists: the answer to an earlier try was lost.
            Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
            Err(status) => Err(failure(status)),
        }
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EngineError> {
        let request = proto::LeaseKeepAliveRequest { id: lease.0 };
        let answer =
            self.call::<_, proto::LeaseKeepAliveResponse>("/etcdserverpb.Lease/LeaseKeepAlive", request);
        match answer.await {
            Ok(response) if response.id == lease.0 => Ok(response.ttl > 0),
            Ok(_) => Err(broken("another lease than asked for")),
            Err(status) => Err(failure(status)),
        }
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), EngineError> {
        let request = proto::LeaseRevokeRequest { id: lease.0 };
        let answer = self.call::<_, proto::LeaseRevokeResponse>("/etcdserverpb.Lease/LeaseRevoke", request);
        match answer.await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::NotFound => Ok(()),
            Err(status) => Err(failure(status)),
        }
    }
}
