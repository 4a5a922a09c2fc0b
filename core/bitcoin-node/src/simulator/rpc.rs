//! The simulator over bitcoind's JSON-RPC, so that separate processes can share it and every client of a real node
//! talks to it unchanged.
//!
//! It answers the methods our adapter and the devnet use, with Bitcoin Core's result shapes and error codes, in
//! JSON-RPC 1.0, 2.0 and batches, behind basic authentication. It is a tool for one machine: bind it to loopback.

use super::Simulator;
use crate::bitcoind::{Auth, code};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{io, net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

mod answers;
mod methods;
mod params;

use params::Params;

/// User name in a cookie file.
const COOKIE_USER: &str = "__cookie__";
/// Most calls in one batch.
const MAX_BATCH: usize = 1_000;

/// Who may call.
pub struct Credentials {
    user: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: Zeroizing::new(password.into()) }
    }

    /// The user of a cookie file, with a password the caller drew at random.
    pub fn cookie(password: impl Into<String>) -> Self {
        Self::new(COOKIE_USER, password)
    }

    /// Writes a cookie file like bitcoind's, readable by its owner only.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_cookie(&self, path: &Path) -> io::Result<()> {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = Zeroizing::new(format!("{}:{}", self.user, self.password.as_str()));
        options.open(path)?.write_all(text.as_bytes())
    }

    /// The same for a client.
    pub fn to_auth(&self) -> Auth {
        Auth::UserPassword { user: self.user.clone(), password: self.password.clone() }
    }

    /// The value of the `Authorization` header that is let in.
    fn header(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.user, self.password.as_str()));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }
}

/// A running server. Dropping it stops it.
pub struct RpcServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

struct Shared {
    simulator: Arc<Simulator>,
    authorization: Zeroizing<String>,
    stop: watch::Sender<bool>,
}

impl RpcServer {
    /// Serves `simulator` at `bind`; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(
        simulator: Arc<Simulator>,
        bind: SocketAddr,
        credentials: &Credentials,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let (stop, mut stopping) = watch::channel(false);
        let shared = Shared { simulator, authorization: credentials.header(), stop: stop.clone() };
        let router = Router::new().fallback(answer_http).with_state(Arc::new(shared));
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
            // An error means that every sender is gone, and then nobody wants the server any more.
            let _ = stopping.wait_for(|stop| *stop).await;
        });
        Ok(Self { address, stop, task: tokio::spawn(async move { serving.await }) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a client writes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns when somebody called `stop`.
    pub async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Ends the server and waits for calls under way.
    ///
    /// # Errors
    /// What the server ended with.
    pub async fn stop(mut self) -> io::Result<()> {
        self.stop.send_replace(true);
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for RpcServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// What a call is answered with when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcError {
    code: i32,
    message: String,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

async fn answer_http(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let authorized = headers
        .get(header::AUTHORIZATION)
        .is_some_and(|given| given.as_bytes() == shared.authorization.as_bytes());
    if !authorized {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let (status, answer) = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(calls)) if calls.len() > MAX_BATCH => {
            let error =
                RpcError::new(code::INVALID_REQUEST, format!("a batch has at most {MAX_BATCH} calls"));
            (StatusCode::BAD_REQUEST, envelope(&Value::Null, Err(error)))
        }
        Ok(Value::Array(calls)) => {
            let answers = calls.iter().map(|call| answer_call(&shared, call).1).collect();
            (StatusCode::OK, Value::Array(answers))
        }
        Ok(call) => answer_call(&shared, &call),
        Err(_) => {
            let error = RpcError::new(code::PARSE, "Parse error");
            (StatusCode::INTERNAL_SERVER_ERROR, envelope(&Value::Null, Err(error)))
        }
    };
    (status, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

fn answer_call(shared: &Shared, call: &Value) -> (StatusCode, Value) {
    let result = dispatch(shared, call);
    let status = match &result {
        Ok(_) => StatusCode::OK,
        // Version 2.0 keeps HTTP's status for HTTP.
        Err(_) if is_version_2(call) => StatusCode::OK,
        Err(RpcError { code: code::METHOD_NOT_FOUND, .. }) => StatusCode::NOT_FOUND,
        Err(RpcError { code: code::INVALID_REQUEST, .. }) => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, envelope(call, result))
}

fn dispatch(shared: &Shared, call: &Value) -> Result<Value, RpcError> {
    let method = call
        .get("method")
        .and_then(Value::as_str)
        .ok_or_else(|| RpcError::new(code::INVALID_REQUEST, "Missing method"))?;
    let params = Params::of(call)?;
    if method == "stop" {
        shared.stop.send_replace(true);
        return Ok(json!("simulator stopping"));
    }
    methods::call(&mut shared.simulator.lock(), method, &params)
}

fn envelope(call: &Value, result: Result<Value, RpcError>) -> Value {
    let id = call.get("id").cloned().unwrap_or(Value::Null);
    let (result, error) = match result {
        Ok(result) => (result, Value::Null),
        Err(RpcError { code, message }) => (Value::Null, json!({"code": code, "message": message})),
    };
    match (is_version_2(call), error.is_null()) {
        (true, true) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        (true, false) => json!({"jsonrpc": "2.0", "error": error, "id": id}),
        (false, _) => json!({"result": result, "error": error, "id": id}),
    }
}

fn is_version_2(call: &Value) -> bool {
    call.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
}

#[cfg(test)]
mod tests;
