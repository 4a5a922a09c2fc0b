//! The client: one constructor for every way in.

use super::{MAX_MESSAGE, ascii};
use crate::{
    channel::{
        header_mac, mac,
        secret::Secret,
        tls::{Identity, TlsConnector, TlsError, TlsName},
    },
    service::{
        Method,
        proto::{
            BackupRequest, BackupResponse, CreateRandomnessPairListRequest, CreateRandomnessPairListResponse,
            Empty, SaveEotsKeyNameRequest, SignBatchEotsRequest, SignBatchEotsResponse, SignEotsRequest,
            SignEotsResponse, SignSchnorrSigRequest, SignSchnorrSigResponse, UnlockKeyRequest,
        },
    },
};
use axum::http::{Uri, uri::PathAndQuery};
use btc_staking_daemon::{
    clock::Clock,
    entropy::{Entropy, OsEntropy},
    grpc::RawCodec,
};
use prost::Message;
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes for this long is asked for a sign of life, and given up without one after as long
/// again: a host that vanished says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Longest wait for an answer, longer than the server's own deadline.
const PATIENCE: Duration = Duration::from_secs(75);

/// How a request shows that it may be sent.
pub enum Credentials {
    /// Nothing: the socket's owner is known by the kernel.
    Owner,
    /// The established header MAC.
    Header(Secret),
    /// The MAC of version 2.
    V2(Secret, Arc<dyn Clock>),
}

/// The signer does not exist at this address.
#[derive(Debug, Error)]
#[error("the address of the signer is not usable")]
pub struct BadAddress(#[from] tonic::transport::Error);

/// There is no way to the signer.
#[derive(Debug, Error)]
pub enum NoClient {
    /// The address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// Certificates and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A connection to a signer, made when it is first used and again whenever it broke.
pub struct Client {
    channel: Channel,
    credentials: Credentials,
    session: Mutex<Option<mac::Session>>,
}

impl Client {
    /// A signer behind a Unix socket.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn unix(socket: &Path) -> Result<Self, BadAddress> {
        Self::new(format!("unix:{}", socket.display()), Credentials::Owner)
    }

    /// A signer at a TCP address.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn tcp(address: SocketAddr, credentials: Credentials) -> Result<Self, BadAddress> {
        Self::new(format!("http://{address}"), credentials)
    }

    /// A signer at `place` (host and port) over mutual TLS, whose certificate must be for `name`.
    ///
    /// # Errors
    /// [`BadAddress`], and [`TlsError`] when certificates and key do not work together.
    pub fn tls(
        place: &str,
        name: TlsName,
        identity: Identity,
        secret: Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NoClient> {
        let connector = TlsConnector::new(place, name, identity)?;
        let connect = service_fn(move |_: Uri| connector.clone().connect());
        // The connector knows where to go and does what https would; the rest is HTTP/2 as ever.
        let endpoint = endpoint(format!("http://{place}"))?;
        let channel = endpoint.connect_with_connector_lazy(connect);
        Ok(Self::over(channel, Credentials::V2(secret, clock)))
    }

    fn new(uri: String, credentials: Credentials) -> Result<Self, BadAddress> {
        Ok(Self::over(endpoint(uri)?.connect_lazy(), credentials))
    }

    fn over(channel: Channel, credentials: Credentials) -> Self {
        Self { channel, credentials, session: Mutex::new(None) }
    }

    /// Whether anybody answers.
    ///
    /// # Errors
    /// The server's status.
    pub async fn ping(&self) -> Result<(), Status> {
        self.ask::<Empty>(Method::Ping, &Empty {}).await.map(|_| ())
    }

    /// Public randomness.
    ///
    /// # Errors
    /// The server's status.
    pub async fn create_randomness_pair_list(
        &self,
        request: &CreateRandomnessPairListRequest,
    ) -> Result<CreateRandomnessPairListResponse, Status> {
        self.ask(Method::CreateRandomnessPairList, request).await
    }

    /// One EOTS signature.
    ///
    /// # Errors
    /// The server's status.
    pub async fn sign_eots(&self, request: &SignEotsRequest) -> Result<SignEotsResponse, Status> {
        self.ask(Method::SignEots, request).await
    }

    /// What is never granted here.
    ///
    /// # Errors
    /// The server's status.
    pub async fn unsafe_sign_eots(&self, request: &SignEotsRequest) -> Result<SignEotsResponse, Status> {
        self.ask(Method::UnsafeSignEots, request).await
    }

    /// Signatures at different heights, without those that may not be signed.
    ///
    /// # Errors
    /// The server's status.
    pub async fn sign_batch_eots(
        &self,
        request: &SignBatchEotsRequest,
    ) -> Result<SignBatchEotsResponse, Status> {
        self.ask(Method::SignBatchEots, request).await
    }

    /// A BIP-340 signature.
    ///
    /// # Errors
    /// The server's status.
    pub async fn sign_schnorr_sig(
        &self,
        request: &SignSchnorrSigRequest,
    ) -> Result<SignSchnorrSigResponse, Status> {
        self.ask(Method::SignSchnorrSig, request).await
    }

    /// Names a key.
    ///
    /// # Errors
    /// The server's status.
    pub async fn save_eots_key_name(&self, request: &SaveEotsKeyNameRequest) -> Result<(), Status> {
        self.ask::<Empty>(Method::SaveEotsKeyName, request).await.map(|_| ())
    }

    /// Unlocks a key.
    ///
    /// # Errors
    /// The server's status.
    pub async fn unlock_key(&self, request: &UnlockKeyRequest) -> Result<(), Status> {
        self.ask::<Empty>(Method::UnlockKey, request).await.map(|_| ())
    }

    /// Copies the sign records.
    ///
    /// # Errors
    /// The server's status.
    pub async fn backup(&self, request: &BackupRequest) -> Result<BackupResponse, Status> {
        self.ask(Method::Backup, request).await
    }

    async fn ask<A: Message + Default>(&self, method: Method, request: &impl Message) -> Result<A, Status> {
        let body = request.encode_to_vec();
        let answer = self.call(method, body).await?;
        A::decode(answer.as_slice()).map_err(|error| Status::internal(format!("no answer: {error}")))
    }

    /// Sends bytes to a method. A server that was started anew is recognised and asked once more; every method may be
    /// asked twice.
    ///
    /// # Errors
    /// The server's status.
    pub async fn call(&self, method: Method, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        if body.len() > MAX_MESSAGE {
            let why = format!("the request has {} bytes, at most {MAX_MESSAGE} are sent", body.len());
            return Err(Status::resource_exhausted(why));
        }
        if method != Method::Ping && self.needs_session() {
            self.send(Method::Ping, Vec::new()).await?;
        }
        let before = self.session();
        match self.send(method, body.clone()).await {
            Err(status) if status.code() == Code::Unauthenticated && self.session() != before => {
                self.send(method, body).await
            }
            answer => answer,
        }
    }

    async fn send(&self, method: Method, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        let header = self.header(method, &body)?;
        let mut request = Request::new(body);
        if let Some((name, value)) = header {
            let value = ascii(&value).ok_or_else(|| Status::internal("the MAC is no ASCII"))?;
            request.metadata_mut().insert(name, value);
        }
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        grpc.ready().await.map_err(|error| Status::unavailable(format!("no signer: {error}")))?;
        let path = PathAndQuery::from_static(method.path());
        let answer = grpc.unary(request, path, RawCodec).await;
        self.note_session(match &answer {
            Ok(response) => response.metadata(),
            Err(status) => status.metadata(),
        });
        Ok(answer?.into_inner())
    }

    fn header(&self, method: Method, body: &[u8]) -> Result<Option<(&'static str, String)>, Status> {
        Ok(match (&self.credentials, method) {
            (Credentials::Owner, _) | (_, Method::Ping) => None,
            (Credentials::Header(secret), _) => {
                Some((header_mac::HEADER, header_mac::build_header(secret, body)))
            }
            (Credentials::V2(secret, clock), _) => {
                let session =
                    self.session().ok_or_else(|| Status::unavailable("the signer gave no session"))?;
                let mut nonce = [0; 16];
                OsEntropy.fill(&mut nonce).map_err(|error| Status::internal(error.to_string()))?;
                let now = clock.since_epoch();
                Some((mac::HEADER, mac::build_header(secret, session, &nonce, now, method, body)))
            }
        })
    }

    fn needs_session(&self) -> bool {
        matches!(self.credentials, Credentials::V2(..)) && self.session().is_none()
    }

    fn session(&self) -> Option<mac::Session> {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_session(&self, metadata: &MetadataMap) {
        let told = metadata.get(mac::SESSION_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(session) = told {
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        }
    }
}

fn endpoint(uri: String) -> Result<Endpoint, BadAddress> {
    Ok(Endpoint::from_shared(uri)?
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true))
}
