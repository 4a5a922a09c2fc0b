//! The operator's end of the control socket: one request, one answer.

use super::{Answer, Errand, Resumed, socket_path};
use crate::status::Report;
use btc_staking_daemon::cli::{Exit, Failure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// Longest answer read.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// A daemon that can be asked.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
}

/// Why a daemon could not be asked.
#[derive(Debug, Error)]
pub enum NoClient {
    /// The socket is there and cannot be used.
    #[error("the control socket {} cannot be used; run this as the user of the daemon", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the daemon broke off; what became of the command is not known, look before repeating it")]
    Broken(#[source] io::Error),
    /// The answer is none.
    #[error("the daemon gave an answer that is none of this version; are both of the same version?")]
    Answer,
}

impl Client {
    /// The daemon of a data directory; `None` if none is running.
    ///
    /// # Errors
    /// [`NoClient::Connect`].
    pub async fn find(data_dir: &Path) -> Result<Option<Self>, NoClient> {
        let path = socket_path(data_dir);
        match UnixStream::connect(&path).await {
            Ok(_) => Ok(Some(Self { path })),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(NoClient::Connect { path, source: error }),
            },
        }
    }

    /// Lets the daemon do something.
    ///
    /// # Errors
    /// What the daemon says, with the exit code it chose; or [`NoClient`].
    pub async fn errand(&self, errand: &Errand) -> Result<Answer, Failure> {
        self.ask("POST", "/errand", &serde_json::to_vec(errand)?).await
    }

    /// Lets all keys sign again.
    ///
    /// # Errors
    /// As [`Client::errand`].
    pub async fn resume(&self) -> Result<Resumed, Failure> {
        self.ask("POST", "/resume", &[]).await
    }

    /// What each provider is doing.
    ///
    /// # Errors
    /// As [`Client::errand`].
    pub async fn status(&self) -> Result<Report, Failure> {
        self.ask("GET", "/status", &[]).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &[u8]) -> Result<T, Failure> {
        let answer = self.exchange(method, path, body).await.map_err(unreachable)?;
        let (is_done, body) = parse(&answer).ok_or_else(|| unreachable(NoClient::Answer))?;
        if is_done {
            return serde_json::from_slice(body).map_err(|_| unreachable(NoClient::Answer));
        }
        let told: Option<Failure> = serde_json::from_slice(body).ok().and_then(|value| failure(&value));
        Err(told.unwrap_or_else(|| unreachable(NoClient::Answer)))
    }

    /// One request over one connection. In HTTP/1.0 the answer ends with the connection and is never cut into chunks.
    async fn exchange(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, NoClient> {
        let connected = UnixStream::connect(&self.path).await;
        let mut stream = connected.map_err(|source| NoClient::Connect { path: self.path.clone(), source })?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: control\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await?;
            stream.take(MAX_ANSWER).read_to_end(&mut answer).await
        };
        exchange.await.map_err(NoClient::Broken)?;
        // A socket that lets nobody in closes at once.
        if answer.is_empty() {
            return Err(NoClient::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(answer)
    }
}

/// Whether the answer is a success, and its body.
fn parse(answer: &[u8]) -> Option<(bool, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(end)?;
    let status = str::from_utf8(head).ok()?.split(' ').nth(1)?;
    Some((status == "200", body.get(4..)?))
}

/// What a daemon says of its failure, as a failure of this program.
fn failure(answer: &Value) -> Option<Failure> {
    let error = &answer["error"];
    let kind = error["kind"].as_str()?;
    let exit = Exit::ALL.into_iter().find(|exit| exit.word() == kind)?;
    let causes = error["causes"].as_array()?;
    let words = std::iter::once(&error["message"]).chain(causes).map(Value::as_str);
    let told = words
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .rev()
        .fold(None, |cause, message| Some(Box::new(Told { message: message.to_owned(), cause })));
    Some(Failure::new(exit, *told?))
}

fn unreachable(error: NoClient) -> Failure {
    Failure::new(Exit::Unreachable, error)
}

/// A failure in another process' words.
#[derive(Debug)]
struct Told {
    message: String,
    cause: Option<Box<Told>>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_daemon_is_shown_as_its_own_with_every_cause() {
        let inner = Told { message: "disk on fire".to_owned(), cause: None };
        let told = Told { message: "cannot do it".to_owned(), cause: Some(Box::new(inner)) };
        let original = Failure::new(Exit::NotReady, told);
        let here = failure(&original.to_json()).unwrap();
        assert_eq!((here.exit, here.chain()), (Exit::NotReady, original.chain()));
        assert!(failure(&serde_json::json!({"error": {"kind": "no_such_kind"}})).is_none());
    }

    #[test]
    fn an_answer_is_its_status_and_what_follows_the_empty_line() {
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{}"), Some((true, b"{}".as_slice())));
        assert_eq!(parse(b"HTTP/1.0 409 Conflict\r\n\r\nx"), Some((false, b"x".as_slice())));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n"), None);
    }
}
