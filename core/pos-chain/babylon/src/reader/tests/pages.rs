//! Pages over HTTP: what is too large is asked for in smaller pieces.

use super::*;
use crate::rpc::server::{Node, query, status};
use std::time::Duration;

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_halves() {
    // Ten members of 6 kB: four of them are more than a page may be.
    let node = Node::answer(|call| {
        if call["method"] == "status" {
            return status("c", 9);
        }
        let data = hex::decode(call["params"]["data"].as_str().unwrap()).unwrap();
        let asked = QueryFinalityProvidersRequest::decode(data.as_slice()).unwrap().pagination.unwrap();
        let first = asked.key.first().copied().unwrap_or(0);
        let end = u8::try_from(asked.limit).map_or(10, |limit| first.saturating_add(limit).min(10));
        let member = FinalityProviderResponse { addr: "x".repeat(6_000), ..Default::default() };
        let next = if end < 10 { vec![end] } else { Vec::new() };
        let count = usize::from(end - first);
        let response = QueryFinalityProvidersResponse {
            finality_providers: vec![member; count],
            pagination: page(&next),
        };
        query(&response.encode_to_vec(), 9)
    })
    .await;
    let reader = BabylonReader::over_http(std::slice::from_ref(&node.url), Duration::from_secs(20)).unwrap();
    let limits = Limits { page: 8, page_bytes: 20_000, ..Limits::default() };
    let listing = reader.with_limits(limits).fetch_finality_providers().await.unwrap();
    assert_eq!(listing.malformed.len(), 10);
    // 8, 4, then five pages of 2.
    assert_eq!(node.count("abci_query"), 7);
}

#[tokio::test]
async fn a_holder_with_more_stakes_than_fit_into_an_answer_hides_none_of_them() {
    let node = Node::answer(|call| {
        let stake = BTCDelegationResponse { staker_addr: "x".repeat(10_000), ..Default::default() };
        let value = match call["params"]["path"].as_str() {
            None => return status("c", 9),
            Some("/babylon.btcstaking.v1.Query/FinalityProviderDelegations") => {
                let holder = BTCDelegatorDelegationsResponse { dels: vec![stake; 3] };
                let btc_delegator_delegations = vec![holder];
                QueryFinalityProviderDelegationsResponse { btc_delegator_delegations, pagination: None }
                    .encode_to_vec()
            }
            Some(_) => {
                QueryBTCDelegationsResponse { btc_delegations: vec![stake], pagination: None }.encode_to_vec()
            }
        };
        query(&value, 9)
    })
    .await;
    let reader = BabylonReader::over_http(std::slice::from_ref(&node.url), Duration::from_secs(20)).unwrap();
    let limits = Limits { page: 8, page_bytes: 20_000, ..Limits::default() };
    let listing = reader.with_limits(limits).fetch_delegations_to(&provider()).await.unwrap();
    // The one of the list of all, which is malformed here.
    assert_eq!((listing.items.len(), listing.malformed.len()), (0, 1));
    // Pages of 8, 4, 2, 1, and then the list of all.
    assert_eq!(node.count("abci_query"), 5);
}
