//! One query, and a list of pages.

use super::BabylonReader;
use crate::{
    convert::InvalidField,
    errors::{Failure, Registered, find_registered},
    proto::{PageRequest, PageResponse, Query},
    rpc::{Rpc, kind_of_text},
};
use btc_staking_pos_chain::{ChainError, ErrorKind, Result};
use prost::Message;

/// A query the chain answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) path: &'static str,
    pub(crate) codespace: String,
    pub(crate) code: u32,
    pub(crate) log: String,
}

impl Refused {
    /// Whether this is the registered error; told by text, since queries lose the code.
    pub(crate) fn is(&self, codespace: &str, code: u32) -> bool {
        self.registered().is_some_and(|entry| entry.codespace == codespace && entry.code == code)
    }

    /// Whether the chain says that a key is not there (gRPC status NotFound).
    pub(crate) fn is_key_not_found(&self) -> bool {
        self.codespace == "sdk" && self.code == 22
    }

    /// Whether the node, not the chain's rules, is what refused.
    pub(crate) fn is_trouble(&self) -> bool {
        let log = self.log.to_lowercase();
        let of_node = log.contains("unknown query path") || kind_of_text(&log).is_some();
        of_node || kind_of_status(&log) == ErrorKind::Transient
    }

    fn registered(&self) -> Option<&'static Registered> {
        find_registered(&Failure { codespace: &self.codespace, code: self.code, log: &self.log })
    }

    /// The port's view of a refusal that nobody expected.
    pub(crate) fn into_chain_error(self) -> ChainError {
        let kind = match (self.codespace.as_str(), self.code) {
            ("sdk", 26) => ErrorKind::NotYet,
            ("sdk", 38) => ErrorKind::Pruned,
            _ => kind_of_text(&self.log).unwrap_or_else(|| kind_of_status(&self.log)),
        };
        let detail = format!("{}: {} ({}/{})", self.path, self.log, self.codespace, self.code);
        ChainError::new(kind, detail)
    }
}

/// Trouble inside the node may pass; anything else would be answered alike again.
fn kind_of_status(log: &str) -> ErrorKind {
    let passing =
        ["code = internal", "code = unavailable", "code = deadlineexceeded", "code = resourceexhausted"];
    let log = log.to_lowercase();
    if passing.iter().any(|status| log.contains(status)) { ErrorKind::Transient } else { ErrorKind::Broken }
}

/// Asks; the outer error is trouble, the inner one the chain's answer.
pub(crate) async fn ask<Q: Query>(
    rpc: &dyn Rpc,
    request: &Q,
) -> Result<std::result::Result<Q::Response, Refused>> {
    let answer = rpc.abci_query(Q::PATH, request.encode_to_vec()).await;
    let answer = answer.map_err(|error| error.into_chain_error(Q::PATH))?;
    if answer.code != 0 {
        let refused =
            Refused { path: Q::PATH, codespace: answer.codespace, code: answer.code, log: answer.log };
        return Ok(Err(refused));
    }
    let response = Q::Response::decode(answer.value.as_slice());
    response.map(Ok).map_err(|error| broken(Q::PATH, error))
}

/// An answer that cannot be understood.
pub(crate) fn broken(asked: &str, why: impl std::fmt::Display) -> ChainError {
    ChainError::new(ErrorKind::Broken, format!("{asked}: {why}"))
}

/// How far a list was read.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Followed {
    /// To its end.
    All,
    /// To a limit; says which.
    Cut(String),
}

impl Followed {
    /// Tells a listing what it lacks: the members read are as good as they would be with the others.
    pub(super) fn tell(self, malformed: &mut Vec<String>) {
        if let Self::Cut(why) = self {
            malformed.push(why);
        }
    }

    /// Refuses a list that is only of use whole.
    pub(super) fn require_all(self) -> Result<()> {
        match self {
            Self::All => Ok(()),
            Self::Cut(why) => Err(ChainError::new(ErrorKind::Broken, why)),
        }
    }
}

impl BabylonReader {
    /// Asks for something that is always there.
    pub(super) async fn query<Q: Query>(&self, request: &Q) -> Result<Q::Response> {
        self.ask(request).await?.map_err(Refused::into_chain_error)
    }

    /// Asks for something that may not be there.
    pub(super) async fn ask<Q: Query>(
        &self,
        request: &Q,
    ) -> Result<std::result::Result<Q::Response, Refused>> {
        ask(self.rpc.as_ref(), request).await
    }

    /// Follows a list to its end, or to the limits. `request` builds the request of a page; `take` hands its members
    /// over and returns how many there were and the chain's page information.
    pub(super) async fn follow<Q>(
        &self,
        request: impl Fn(PageRequest) -> Q + Send + Sync,
        mut take: impl FnMut(Q::Response) -> (usize, Option<PageResponse>) + Send,
    ) -> Result<Followed>
    where
        Q: Query + Sync,
        Q::Response: Send,
    {
        let mut key = Vec::new();
        let (mut seen, mut bytes) = (0usize, 0u64);
        loop {
            let page = PageRequest { key: key.clone(), limit: self.limits.page, ..PageRequest::default() };
            let response = self.query(&request(page)).await?;
            bytes = bytes.saturating_add(u64::try_from(response.encoded_len()).unwrap_or(u64::MAX));
            let (count, next) = take(response);
            seen = seen.saturating_add(count);
            let next = next.unwrap_or_default().next_key;
            if next.is_empty() {
                return Ok(Followed::All);
            }
            // A page is only left when it is full, so one without members cannot have a next.
            if next == key || count == 0 {
                return Err(broken(Q::PATH, "list does not move on"));
            }
            if seen >= self.limits.total || bytes >= self.limits.bytes {
                let read = format!("list goes on behind its first {seen} members of {bytes} bytes");
                return Ok(Followed::Cut(format!("{}: {read}", Q::PATH)));
            }
            key = next;
        }
    }
}

/// Turns a field that does not convert into the port's error.
pub(super) fn malformed<Q: Query>(error: InvalidField) -> ChainError {
    broken(Q::PATH, error)
}
