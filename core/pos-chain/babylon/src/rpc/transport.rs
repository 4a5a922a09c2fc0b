//! One HTTP exchange with bounds: so many bytes, so much time.
//!
//! A node may answer with anything: 100 MB, a body that never ends, one that trickles. The body is read piece by piece
//! and given up at the first byte beyond the limit or at the deadline, whichever comes first, so that neither memory nor
//! time depends on the node. Redirects are not followed and compressed bodies not asked for.

use super::{InvalidEndpoints, RpcError};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, DATE},
    redirect::Policy,
};
use std::{
    error::Error as _,
    time::{Duration, UNIX_EPOCH},
};

/// What a node may take for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// From the first byte sent to the last byte received.
    pub(super) deadline: Duration,
    /// Bytes of the answer's body.
    pub(super) bytes: usize,
}

/// Posts to one address.
pub(super) struct Transport {
    client: Client,
    url: Url,
}

/// What came back.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// The node's clock in seconds since 1970, if it tells one.
    pub(super) clock: Option<u64>,
}

/// First allocation for a body, whatever length the node announces.
const FIRST_PIECE: usize = 64 * 1024;

impl Transport {
    /// Prepares a client; nothing is sent yet.
    pub(super) fn new(url: &str) -> Result<Self, InvalidEndpoints> {
        let invalid = |reason: String| InvalidEndpoints::Url { url: hide_password(url), reason };
        let parsed: Url = url.parse().map_err(|error| invalid(format!("{error}")))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(invalid("it is no http or https address".to_owned()));
        }
        let client = Client::builder().redirect(Policy::none()).build();
        let client = client.map_err(|error| invalid(words_of(&error)))?;
        Ok(Self { client, url: parsed })
    }

    /// Host and port, for logs and errors; the address itself may hold a password.
    pub(super) fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Which node this is, however the address is spelt: scheme, host, port and path.
    pub(super) fn place(&self) -> (&str, String, Option<u16>, &str) {
        let host = self.url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        (self.url.scheme(), host, self.url.port_or_known_default(), self.url.path().trim_end_matches('/'))
    }

    /// The address of the node's WebSocket.
    pub(super) fn websocket(&self) -> Url {
        let mut url = self.url.clone();
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        let path = format!("{}/websocket", url.path().trim_end_matches('/'));
        // Both schemes are special ones with a host, between which a change is always allowed.
        let _ = url.set_scheme(scheme);
        url.set_path(&path);
        url
    }

    /// Sends `body` and returns the answer.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] without an answer in time, [`RpcError::TooLarge`] beyond the bound and
    /// [`RpcError::Malformed`] for an answer that is none of a node.
    pub(super) async fn post(&self, body: Vec<u8>, bounds: Bounds) -> Result<Answer, RpcError> {
        let late = |_| Err(RpcError::Unreachable(format!("not answered within {:?}", bounds.deadline)));
        tokio::time::timeout(bounds.deadline, self.exchange(body, bounds.bytes)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, body: Vec<u8>, limit: usize) -> Result<Answer, RpcError> {
        let unreachable = |error: reqwest::Error| RpcError::Unreachable(words_of(&error));
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let mut answer = request.body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        let clock = answer.headers().get(DATE).and_then(|date| seconds_of(date.to_str().ok()?));
        let announced = answer.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |announced| announced > limit) {
            return Err(RpcError::TooLarge { limit });
        }
        let mut bytes = Vec::with_capacity(FIRST_PIECE.min(limit));
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len().saturating_add(piece.len()) > limit {
                return Err(RpcError::TooLarge { limit });
            }
            bytes.extend_from_slice(&piece);
        }
        check_status(status, &bytes)?;
        Ok(Answer { body: bytes, clock })
    }
}

/// Seconds since 1970 of a date as HTTP writes it.
fn seconds_of(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// A node wraps its errors in JSON whatever the status; a proxy in front of it does not.
fn check_status(status: StatusCode, body: &[u8]) -> Result<(), RpcError> {
    let is_json = body.trim_ascii_start().starts_with(b"{");
    if status.is_success() || (is_json && !status.is_redirection()) {
        return Ok(());
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(RpcError::Unreachable(format!("HTTP status {status}")));
    }
    Err(RpcError::Malformed(format!("HTTP status {status}, expected 200")))
}

/// What went wrong and why, in one line, without the address.
fn words_of(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    // The outermost text holds the address and says less than its causes.
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push(inner.to_string());
        cause = inner.source();
    }
    words.dedup();
    if words.is_empty() { "the exchange failed".to_owned() } else { words.join(": ") }
}

/// The address as it may be shown.
pub(super) fn hide_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://***{}", url.get(..scheme).unwrap_or_default(), url.get(at..).unwrap_or_default())
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(hide_password("http://me:secret@host:1/x"), "http://***@host:1/x");
        assert_eq!(hide_password("http://host:1"), "http://host:1");
        let refused = Transport::new("ftp://me:secret@host").err().unwrap().to_string();
        assert!(!refused.contains("secret"), "{refused}");
        let transport = Transport::new("https://me:secret@host/rpc/").unwrap();
        assert_eq!(transport.name(), "host:443");
        assert_eq!(transport.websocket().path(), "/rpc/websocket");
        assert_eq!(transport.websocket().scheme(), "wss");
    }

    #[test]
    fn dates_are_read_as_http_writes_them() {
        assert_eq!(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for text in ["", "yesterday", "Sun, 06 Nov 1904 08:49:37 GMT"] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_status_counts_only_where_the_body_is_no_answer() {
        let error = |status: u16, body: &[u8]| check_status(StatusCode::from_u16(status).unwrap(), body);
        assert_eq!(error(500, b" {\"error\": {}}"), Ok(()));
        assert!(matches!(error(503, b"<html>"), Err(RpcError::Unreachable(_))));
        assert!(matches!(error(429, b""), Err(RpcError::Unreachable(_))));
        assert!(matches!(error(404, b"not found"), Err(RpcError::Malformed(_))));
        assert!(matches!(error(302, b"{}"), Err(RpcError::Malformed(_))));
    }
}
