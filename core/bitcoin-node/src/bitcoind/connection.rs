//! One JSON-RPC connection: credentials, a deadline on every call, and what kind of failure an answer is.

use crate::ports::{NodeError, NodeErrorKind};
use jsonrpc::{
    bitreq_http_async::{self, BitreqHttpTransport},
    client_async::Client,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{fmt, path::PathBuf, time::Duration};
use zeroize::Zeroizing;

/// How long a call may take unless the caller says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a node is and how it knows us.
#[derive(Debug)]
pub struct BitcoindConfig {
    url: String,
    auth: Auth,
    timeout: Duration,
}

/// How a node knows us.
pub enum Auth {
    /// The cookie file bitcoind writes into its data directory at every start; read anew for every call.
    CookieFile(PathBuf),
    /// A user and a password, as given by `rpcauth`.
    UserPassword {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auth::CookieFile(path) => f.debug_tuple("CookieFile").field(path).finish(),
            Auth::UserPassword { user, .. } => {
                f.debug_struct("UserPassword").field("user", user).finish_non_exhaustive()
            }
        }
    }
}

impl BitcoindConfig {
    /// A node at `url`: `http://127.0.0.1:8332`, or just `127.0.0.1:8332`.
    pub fn new(url: impl Into<String>, auth: Auth) -> Self {
        Self { url: url.into(), auth, timeout: DEFAULT_TIMEOUT }
    }

    /// Sets how long a call may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Bitcoin Core's RPC error codes that are told apart (`src/rpc/protocol.h`).
pub(crate) mod code {
    pub(crate) const MISC: i32 = -1;
    pub(crate) const WRONG_TYPE: i32 = -3;
    /// Invalid address or key; unknown block or transaction.
    pub(crate) const NOT_FOUND: i32 = -5;
    pub(crate) const INVALID_PARAMETER: i32 = -8;
    pub(crate) const NOT_CONNECTED: i32 = -9;
    pub(crate) const INITIAL_DOWNLOAD: i32 = -10;
    pub(crate) const DESERIALIZATION: i32 = -22;
    pub(crate) const VERIFY: i32 = -25;
    pub(crate) const VERIFY_REJECTED: i32 = -26;
    pub(crate) const ALREADY_IN_CHAIN: i32 = -27;
    pub(crate) const WARM_UP: i32 = -28;
    pub(crate) const INVALID_REQUEST: i32 = -32600;
    pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
    pub(crate) const PARSE: i32 = -32700;

    /// Whether `sendrawtransaction` answers with this code about the transaction, not about itself.
    pub(crate) fn is_refusal(code: i32) -> bool {
        matches!(code, DESERIALIZATION | VERIFY | VERIFY_REJECTED | ALREADY_IN_CHAIN)
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum RpcFailure {
    /// The node understood and said no.
    Refused { code: i32, message: String },
    /// Everything else.
    Node(NodeError),
}

impl From<RpcFailure> for NodeError {
    fn from(failure: RpcFailure) -> NodeError {
        match failure {
            RpcFailure::Node(error) => error,
            RpcFailure::Refused { code, message } => {
                NodeError::new(kind_of_code(code), format!("{message} (code {code})"))
            }
        }
    }
}

fn kind_of_code(code: i32) -> NodeErrorKind {
    match code {
        code::WARM_UP | code::NOT_CONNECTED | code::INITIAL_DOWNLOAD => NodeErrorKind::Transient,
        code::METHOD_NOT_FOUND => NodeErrorKind::Misconfigured,
        _ => NodeErrorKind::Broken,
    }
}

/// Turns one refusal code into "there is none".
pub(crate) fn missing_is_none<T>(
    answer: Result<T, RpcFailure>,
    missing: i32,
) -> Result<Option<T>, NodeError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(RpcFailure::Refused { code, .. }) if code == missing => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// A way to one node.
#[derive(Debug)]
pub(crate) struct Connection {
    url: String,
    auth: Auth,
    timeout: Duration,
}

impl Connection {
    pub(crate) fn new(config: BitcoindConfig) -> Result<Self, NodeError> {
        let BitcoindConfig { url, auth, timeout } = config;
        Ok(Self { url: check_url(url)?, auth, timeout })
    }

    /// Calls `method` and decodes the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
    ) -> Result<T, RpcFailure> {
        let value = self.call(method, params).await?;
        serde_json::from_value(value).map_err(|error| {
            RpcFailure::Node(NodeError::new(
                NodeErrorKind::Broken,
                format!("{method} answered oddly: {error}"),
            ))
        })
    }

    /// Calls `method`.
    pub(crate) async fn call(&self, method: &str, params: &[Value]) -> Result<Value, RpcFailure> {
        let params = serde_json::value::to_raw_value(params).map_err(|error| {
            RpcFailure::Node(NodeError::new(NodeErrorKind::Broken, format!("{method}: {error}")))
        })?;
        let client = self.client().await.map_err(RpcFailure::Node)?;
        // The transport's own deadline does not cover resolving a name, so there is one around all of it.
        match tokio::time::timeout(self.timeout, client.call::<Value>(method, Some(&params))).await {
            Ok(answer) => answer.map_err(|error| self.failure(method, error)),
            Err(_) => Err(RpcFailure::Node(NodeError::new(
                NodeErrorKind::Transient,
                format!("{method} at {}: no answer within {:?}", self.url, self.timeout),
            ))),
        }
    }

    async fn client(&self) -> Result<Client, NodeError> {
        let transport = bitreq_http_async::Builder::new()
            .url(&self.url)
            .map_err(|error| NodeError::new(NodeErrorKind::Misconfigured, error.to_string()))?
            .timeout(self.timeout);
        let transport: BitreqHttpTransport = match &self.auth {
            Auth::UserPassword { user, password } => {
                transport.basic_auth(user.clone(), Some(password.to_string())).build()
            }
            Auth::CookieFile(path) => {
                let cookie = tokio::fs::read_to_string(path).await.map(Zeroizing::new).map_err(|error| {
                    NodeError::new(
                        NodeErrorKind::Transient,
                        format!("cookie file {}: {error}", path.display()),
                    )
                })?;
                transport.cookie_auth(cookie.trim_end()).build()
            }
        };
        Ok(Client::with_transport(transport))
    }

    fn failure(&self, method: &str, error: jsonrpc::Error) -> RpcFailure {
        let at = |kind, detail: String| {
            RpcFailure::Node(NodeError::new(kind, format!("{method} at {}: {detail}", self.url)))
        };
        match error {
            jsonrpc::Error::Rpc(rpc) => RpcFailure::Refused { code: rpc.code, message: rpc.message },
            jsonrpc::Error::Transport(cause) => at(kind_of_transport(&*cause), cause.to_string()),
            other => at(NodeErrorKind::Broken, other.to_string()),
        }
    }
}

fn kind_of_transport(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> NodeErrorKind {
    if let Some(bitreq_http_async::Error::Http(answer)) = cause.downcast_ref() {
        return match answer.status_code {
            401 | 403 | 404 | 405 => NodeErrorKind::Misconfigured,
            _ => NodeErrorKind::Transient,
        };
    }
    // The status was fine and the body was no JSON: whoever answers there is no bitcoind.
    let first: &(dyn std::error::Error + 'static) = cause;
    let mut chain = std::iter::successors(Some(first), |error| error.source());
    if chain.any(|error| error.is::<serde_json::Error>()) {
        NodeErrorKind::Broken
    } else {
        NodeErrorKind::Transient
    }
}

fn check_url(url: String) -> Result<String, NodeError> {
    let refused = |why: &str| {
        Err(NodeError::new(
            NodeErrorKind::Misconfigured,
            format!("{why}: give the node's address as http://HOST:PORT, without user and password"),
        ))
    };
    match url.split_once("://") {
        Some(("http", rest)) if rest.contains('@') => refused("credentials in the URL would end up in logs"),
        Some(("http", rest)) if !rest.is_empty() => Ok(url),
        None if !url.is_empty() && !url.contains('@') => Ok(format!("http://{url}")),
        Some(_) | None => refused("not an http address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_addressed_by_http_and_without_credentials() {
        for (given, kept) in [
            ("http://127.0.0.1:8332", Some("http://127.0.0.1:8332")),
            ("127.0.0.1:8332", Some("http://127.0.0.1:8332")),
            ("http://node.internal:8332/", Some("http://node.internal:8332/")),
            ("https://127.0.0.1:8332", None),
            ("http://user:secret@127.0.0.1:8332", None),
            ("user:secret@127.0.0.1:8332", None),
            ("http://", None),
            ("", None),
        ] {
            let got = check_url(given.to_owned());
            assert_eq!(got.as_deref().ok(), kept, "{given}");
            if let Err(error) = got {
                assert_eq!(error.kind, NodeErrorKind::Misconfigured);
                assert!(!error.detail.contains("secret"));
            }
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let auth = Auth::UserPassword { user: "alice".into(), password: Zeroizing::new("secret".into()) };
        assert!(!format!("{auth:?}").contains("secret"));
    }

    #[test]
    fn codes_tell_waiting_from_acting() {
        for (code, kind) in [
            (-28, NodeErrorKind::Transient),
            (-9, NodeErrorKind::Transient),
            (-10, NodeErrorKind::Transient),
            (-32601, NodeErrorKind::Misconfigured),
            (-1, NodeErrorKind::Broken),
            (-32603, NodeErrorKind::Broken),
        ] {
            let failure = RpcFailure::Refused { code, message: "Loading block index…".into() };
            assert_eq!(NodeError::from(failure).kind, kind, "{code}");
        }
    }

    #[tokio::test]
    async fn answers_of_other_servers_are_told_apart() {
        let served = |answer: &'static str| async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serving = tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            let auth = Auth::UserPassword { user: "a".into(), password: Zeroizing::new("b".into()) };
            let connection = Connection::new(BitcoindConfig::new(address.to_string(), auth)).unwrap();
            let failure = connection.call("getblockcount", &[]).await.unwrap_err();
            serving.await.unwrap();
            NodeError::from(failure).kind
        };
        for (answer, kind) in [
            ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", NodeErrorKind::Misconfigured),
            ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", NodeErrorKind::Misconfigured),
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", NodeErrorKind::Transient),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", NodeErrorKind::Broken),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", NodeErrorKind::Broken),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", NodeErrorKind::Transient),
        ] {
            assert_eq!(served(answer).await, kind, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_missing_cookie_and_a_closed_port_may_heal() {
        let cookie = Auth::CookieFile("/nonexistent/.cookie".into());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let free = listener.local_addr().unwrap();
        drop(listener);
        let password = Auth::UserPassword { user: "a".into(), password: Zeroizing::new("b".into()) };
        for auth in [cookie, password] {
            let connection = Connection::new(BitcoindConfig::new(free.to_string(), auth)).unwrap();
            let error = NodeError::from(connection.call("getblockcount", &[]).await.unwrap_err());
            assert!(error.is_transient(), "{error}");
        }
    }

    #[tokio::test]
    async fn a_node_that_never_answers_runs_into_the_deadline() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let auth = Auth::UserPassword { user: "a".into(), password: Zeroizing::new("b".into()) };
        let config = BitcoindConfig::new(listener.local_addr().unwrap().to_string(), auth)
            .with_timeout(Duration::from_millis(50));
        let error =
            NodeError::from(Connection::new(config).unwrap().call("getblockcount", &[]).await.unwrap_err());
        assert!(error.is_transient(), "{error}");
    }
}
