//! Lists, read page by page to their end or to a limit (`wire.md` 5.1).
//!
//! Pages are asked for by key, so that no member is seen twice. A page that is too large is asked for again in halves. A
//! list whose key comes back, or that goes on without members, is an error: it would never end. One that takes too long
//! is an error too, and its node is set aside.

use super::{
    BabylonReader,
    query::{NoPage, broken},
};
use crate::proto::{
    PageRequest, PageResponse, Query, btccheckpoint, btclightclient, btcstaking, checkpointing, epoching,
    finality,
};
use btc_staking_pos_chain::{ChainError, ErrorKind, Result};
use std::collections::HashSet;
use tokio::time::{Instant, timeout_at};

/// Longest key of a next page; keys of the chain's stores have less than a hundred bytes.
const MAX_KEY: usize = 256;

/// A query that is answered page by page.
pub trait ListQuery: Query + Clone + Sync {
    /// A member of the list.
    type Item: Send;
    /// The same query for a page.
    #[must_use]
    fn at_page(&self, page: PageRequest) -> Self;
    /// Takes a page apart.
    fn take(response: Self::Response) -> (Vec<Self::Item>, Option<PageResponse>);
}

/// Implements [`ListQuery`] for requests whose page and list are fields.
macro_rules! list_query {
    ($($request:ty, $field:ident: $item:ty;)*) => {$(
        impl $crate::reader::ListQuery for $request {
            type Item = $item;
            fn at_page(&self, page: $crate::proto::PageRequest) -> Self {
                let mut query = self.clone();
                query.pagination = Some(page);
                query
            }
            fn take(response: Self::Response) -> (Vec<Self::Item>, Option<$crate::proto::PageResponse>) {
                (response.$field.into_iter().collect(), response.pagination)
            }
        }
    )*};
}
pub(super) use list_query;

macro_rules! lists {
    ($($module:ident { $($request:ident.$field:ident: $item:ty;)* })*) => {
        list_query! { $($($module::$request, $field: $item;)*)* }
    };
}
// The light client's MainChain and the list of BLS keys are paged in ways of their own.
lists! {
    btcstaking {
        QueryParamsVersionsRequest.params: btcstaking::StoredParams;
        QueryFinalityProvidersRequest.finality_providers: btcstaking::FinalityProviderResponse;
        QueryBTCDelegationsRequest.btc_delegations: btcstaking::BTCDelegationResponse;
        QueryFinalityProviderDelegationsRequest.btc_delegator_delegations:
            btcstaking::BTCDelegatorDelegationsResponse;
    }
    finality {
        QueryActiveFinalityProvidersAtHeightRequest.finality_providers:
            finality::ActiveFinalityProvidersAtHeightResponse;
        QueryListPublicRandomnessRequest.pub_rand_map: (u64, Vec<u8>);
        QueryListPubRandCommitRequest.pub_rand_commit_map: (u64, finality::PubRandCommitResponse);
        QueryListBlocksRequest.blocks: finality::IndexedBlock;
        QueryListEvidencesRequest.evidences: finality::EvidenceResponse;
        QuerySigningInfosRequest.signing_infos: finality::SigningInfoResponse;
    }
    btclightclient {
        QueryHashesRequest.hashes: Vec<u8>;
    }
    btccheckpoint {
        QueryBtcCheckpointsInfoRequest.info_list: btccheckpoint::BTCCheckpointInfoResponse;
    }
    checkpointing {
        QueryRawCheckpointsRequest.raw_checkpoints: checkpointing::RawCheckpointWithMetaResponse;
        QueryRawCheckpointListRequest.raw_checkpoints: checkpointing::RawCheckpointWithMetaResponse;
    }
    epoching {
        QueryEpochsInfoRequest.epochs: epoching::EpochResponse;
        QueryEpochMsgsRequest.msgs: epoching::QueuedMessageResponse;
        QueryLatestEpochMsgsRequest.latest_epoch_msgs: epoching::QueuedMessageList;
        QueryEpochValSetRequest.validators: epoching::Validator;
    }
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
    /// Follows a list to its end, or to the limits. `take` gets the members of a page and returns how many they count for.
    pub(super) async fn follow<Q: ListQuery>(
        &self,
        request: Q,
        mut take: impl FnMut(Vec<Q::Item>) -> usize + Send,
    ) -> std::result::Result<Followed, NoPage>
    where
        Q::Response: Send,
    {
        let mut keys = HashSet::new();
        let mut key = Vec::new();
        let mut limit = self.limits.page.max(1);
        let (mut seen, mut bytes) = (0usize, 0u64);
        let until = Instant::now() + self.limits.duration;
        loop {
            let page = PageRequest { key: key.clone(), limit, ..PageRequest::default() };
            let request = request.at_page(page);
            let (response, size) = match timeout_at(until, self.ask_page(&request)).await {
                Ok(Ok(page)) => page,
                Ok(Err(NoPage::TooLarge(_))) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                Ok(Err(no_page)) => return Err(no_page),
                Err(_) => return Err(self.give_up_list::<Q>(seen)),
            };
            bytes = bytes.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
            let (members, next) = Q::take(response);
            let is_empty = members.is_empty();
            seen = seen.saturating_add(take(members));
            let next = next.unwrap_or_default().next_key;
            if next.is_empty() {
                return Ok(Followed::All);
            }
            if next.len() > MAX_KEY {
                let why =
                    format!("key of the next page has {} bytes, at most {MAX_KEY} are a key", next.len());
                return Err(NoPage::Failed(broken(Q::PATH, why)));
            }
            if Instant::now() >= until {
                return Err(self.give_up_list::<Q>(seen));
            }
            // A page is only left when it is full, so one without members cannot have a next.
            if is_empty || !keys.insert(next.clone()) {
                return Err(NoPage::Failed(broken(Q::PATH, "list does not move on")));
            }
            if seen >= self.limits.total || bytes >= self.limits.bytes {
                let read = format!("list goes on behind its first {seen} members of {bytes} bytes");
                return Ok(Followed::Cut(format!("{}: {read}", Q::PATH)));
            }
            key = next;
        }
    }

    fn give_up_list<Q: ListQuery>(&self, seen: usize) -> NoPage {
        let why = format!("list has no end within {:?}, {seen} members were read", self.limits.duration);
        let error = ChainError::new(ErrorKind::Transient, format!("{}: {why}", Q::PATH));
        self.rpc.set_aside(&error.detail);
        NoPage::Failed(error)
    }
}
