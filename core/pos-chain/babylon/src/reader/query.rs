//! One query: asked, bounded, understood.

use super::BabylonReader;
use crate::{
    convert::InvalidField,
    errors::{Failure, Registered, find_registered},
    proto::{
        Query,
        btcstaking::QueryFinalityProviderDelegationsRequest,
        finality::{QueryVotesAtHeightRequest, QueryVotesAtHeightResponse},
    },
    rpc::{AbciAnswer, Read, Rpc, RpcError, kind_of_text},
};
use btc_staking_pos_chain::{ChainError, ErrorKind, Result};
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint},
};
use thiserror::Error;

/// A query the chain answered with an error: something is not there, or the request is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {log} ({codespace}/{code})")]
pub struct Refused {
    /// What was asked.
    pub path: &'static str,
    /// Namespace of the code.
    pub codespace: String,
    /// The code; queries lose that of the module.
    pub code: u32,
    /// The chain's words.
    pub log: String,
    /// Height of the state that was asked; 0 when the node does not say.
    pub height: u64,
}

impl Refused {
    /// Whether this is the registered error; told by text, since queries lose the code.
    pub fn is(&self, codespace: &str, code: u32) -> bool {
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

/// An answer and the height of the state it was read from, or the chain's refusal.
pub(crate) type AnsweredAt<T> = std::result::Result<(T, u64), Refused>;

/// Asks one node; the outer error is trouble, the inner one the chain's answer.
pub(crate) async fn ask_at<Q: Query>(rpc: &dyn Rpc, request: &Q) -> Result<AnsweredAt<Q::Response>> {
    let answer = rpc.abci_query(Q::PATH, request.encode_to_vec()).await;
    let answer = answer.map_err(|error| error.into_chain_error(Q::PATH))?;
    let height = answer.height;
    Ok(understand::<Q>(answer)?.map(|response| (response, height)))
}

/// As [`ask_at`], but by agreement of several nodes where that is configured.
pub(crate) async fn read_at<Q: Query>(rpc: &dyn Rpc, request: &Q) -> Result<AnsweredAt<Q::Response>> {
    let data = request.encode_to_vec();
    let read = Read { path: Q::PATH, data, max_bytes: MAX_RESPONSE, comparable: comparable::<Q> };
    let answer = rpc.read(read).await.map_err(|error| error.into_chain_error(Q::PATH))?;
    let height = answer.height;
    Ok(understand::<Q>(answer)?.map(|response| (response, height)))
}

fn understand<Q: Query>(answer: AbciAnswer) -> Result<std::result::Result<Q::Response, Refused>> {
    if answer.code != 0 {
        let AbciAnswer { codespace, code, log, height, .. } = answer;
        return Ok(Err(Refused { path: Q::PATH, codespace, code, log, height }));
    }
    decode::<Q>(&answer.value).map(Ok).map_err(|error| broken(Q::PATH, error))
}

/// Decodes a response that cannot grow out of proportion in memory: a member of a few bytes may become a structure of
/// hundreds, so a response of very many very small members is none.
fn decode<Q: Query>(bytes: &[u8]) -> std::result::Result<Q::Response, String> {
    let is_nested = Q::PATH == QueryFinalityProviderDelegationsRequest::PATH;
    let members = count_members(bytes, is_nested).ok_or("no protobuf message")?;
    if members > MANY_MEMBERS && bytes.len() / members < SMALL_MEMBER {
        return Err(format!("{members} members in {} bytes, which no chain has", bytes.len()));
    }
    Q::Response::decode(bytes).map_err(|error| error.to_string())
}

/// Members of a full page, and more than any page asked for here has.
const MANY_MEMBERS: usize = 1_001;
/// Members of what the chain has much of are larger than this.
const SMALL_MEMBER: usize = 32;

/// Counts the members of a message's lists: its fields of variable length and, if `is_nested`, theirs.
fn count_members(mut bytes: &[u8], is_nested: bool) -> Option<usize> {
    let mut count = 0usize;
    while !bytes.is_empty() {
        let (_, wire_type) = decode_key(&mut bytes).ok()?;
        let skipped = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).ok()?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut bytes).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let member = bytes.get(..skipped)?;
        bytes = bytes.get(skipped..)?;
        if matches!(wire_type, WireType::LengthDelimited) {
            count = count.checked_add(1)?;
            if is_nested {
                count = count.checked_add(count_members(member, false).unwrap_or(0))?;
            }
        }
    }
    Some(count)
}

/// Equal content in equal bytes: maps are ordered by decoding, and members whose order the node leaves open are sorted.
fn comparable<Q: Query>(bytes: &[u8]) -> Option<Vec<u8>> {
    let response = decode::<Q>(bytes).ok()?.encode_to_vec();
    if Q::PATH != QueryVotesAtHeightRequest::PATH {
        return Some(response);
    }
    let mut votes = QueryVotesAtHeightResponse::decode(response.as_slice()).ok()?;
    votes.btc_pks.sort_unstable();
    Some(votes.encode_to_vec())
}

/// An answer that cannot be understood.
pub(crate) fn broken(asked: &str, why: impl std::fmt::Display) -> ChainError {
    ChainError::new(ErrorKind::Broken, format!("{asked}: {why}"))
}

impl BabylonReader {
    /// Asks for something that is always there.
    pub(super) async fn query<Q: Query>(&self, request: &Q) -> Result<Q::Response> {
        self.ask(request).await?.map_err(Refused::into_chain_error)
    }

    /// As [`query`](Self::query), with the height of the state that answered.
    pub(super) async fn query_at<Q: Query>(&self, request: &Q) -> Result<(Q::Response, u64)> {
        let answer = self.read(request, MAX_RESPONSE).await;
        let answer = answer.map_err(|error| error.into_chain_error(Q::PATH))?;
        let height = answer.height;
        let response = understand::<Q>(answer)?.map_err(Refused::into_chain_error)?;
        Ok((response, height))
    }

    /// Asks for something that may not be there.
    pub(super) async fn ask<Q: Query>(
        &self,
        request: &Q,
    ) -> Result<std::result::Result<Q::Response, Refused>> {
        let answer = self.read(request, MAX_RESPONSE).await;
        understand::<Q>(answer.map_err(|error| error.into_chain_error(Q::PATH))?)
    }

    /// Asks for one page; returns its size too. The failure tells whether a smaller page may fit.
    pub(super) async fn ask_page<Q: Query>(
        &self,
        request: &Q,
    ) -> std::result::Result<(Q::Response, usize), NoPage> {
        match self.read(request, self.limits.page_bytes).await {
            Ok(answer) => {
                let size = answer.value.len();
                let response = understand::<Q>(answer).map_err(NoPage::Failed)?;
                let refused = |refused: Refused| NoPage::Failed(refused.into_chain_error());
                response.map(|response| (response, size)).map_err(refused)
            }
            Err(error @ RpcError::TooLarge { .. }) => Err(NoPage::TooLarge(error.into_chain_error(Q::PATH))),
            Err(error) => Err(NoPage::Failed(error.into_chain_error(Q::PATH))),
        }
    }

    async fn read<Q: Query>(
        &self,
        request: &Q,
        max_bytes: usize,
    ) -> std::result::Result<AbciAnswer, RpcError> {
        let data = request.encode_to_vec();
        self.rpc.read(Read { path: Q::PATH, data, max_bytes, comparable: comparable::<Q> }).await
    }
}

/// Largest response that is no page of a list.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum NoPage {
    /// It is larger than a page may be, although it has but one member.
    TooLarge(ChainError),
    /// Anything else.
    Failed(ChainError),
}

impl From<NoPage> for ChainError {
    fn from(no_page: NoPage) -> Self {
        match no_page {
            NoPage::TooLarge(error) | NoPage::Failed(error) => error,
        }
    }
}

/// Turns a field that does not convert into the port's error.
pub(super) fn malformed<Q: Query>(error: InvalidField) -> ChainError {
    broken(Q::PATH, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::btcstaking::{QueryBTCDelegationsRequest, QueryFinalityProvidersRequest};

    #[test]
    fn a_page_that_would_grow_out_of_proportion_is_refused_before_it_does() {
        // A million empty members in two megabytes, each of which would become a structure of hundreds of bytes.
        let many: Vec<u8> = [0x0a, 0x00].repeat(1_000_000);
        let refused = decode::<QueryBTCDelegationsRequest>(&many).unwrap_err();
        assert!(refused.contains("1000000 members"), "{refused}");
        let mut hidden = Vec::new();
        prost::encoding::bytes::encode(1, &many, &mut hidden);
        assert!(decode::<QueryFinalityProviderDelegationsRequest>(&hidden).is_err());
        let few: Vec<u8> = [0x0a, 0x00].repeat(1_000);
        assert_eq!(decode::<QueryFinalityProvidersRequest>(&few).unwrap().finality_providers.len(), 1_000);
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [&[0xff][..], &[0x0a, 0x05, 1], &[0x0b], &[0x09, 1], &[0x08, 0x80]] {
            assert!(decode::<QueryBTCDelegationsRequest>(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn votes_are_compared_without_their_order() {
        let of = |keys: [u8; 2]| {
            let btc_pks = keys.iter().map(|key| vec![*key; 32]).collect();
            comparable::<QueryVotesAtHeightRequest>(&QueryVotesAtHeightResponse { btc_pks }.encode_to_vec())
        };
        assert_eq!(of([1, 2]), of([2, 1]));
        assert_ne!(of([1, 2]), of([1, 3]));
        assert_eq!(comparable::<QueryVotesAtHeightRequest>(&[0xff]), None);
    }
}
