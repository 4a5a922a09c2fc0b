//! Section 12: fees that somebody else pays.

use super::{
    Outcome, refuse,
    transactions::{coins, granted, paid_by, refused, state},
};
use crate::support::{World, address, any};
use btc_staking_babylon::{proto::Any, tx::AccountState};
use cosmrs::proto::cosmos::feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance, MsgRevokeAllowance};

/// An allowance for the account "other".
fn grant(granter: &str, limit: &str) -> MsgGrantAllowance {
    let allowance = BasicAllowance { spend_limit: coins("ubbn", limit), expiration: None };
    MsgGrantAllowance {
        granter: address(granter),
        grantee: address("other"),
        allowance: Some(any(&allowance)),
    }
}

/// Breaks the rule of a case; `None` for cases of other sections.
pub async fn violate(case: &str, w: &World) -> Option<Outcome> {
    Some(match case {
        "grant_to_oneself" => refuse(w, "other", &grant("other", "1")).await,
        "grant_of_nothing" => refuse(w, "provider-3", &grant("provider-3", "0")).await,
        "grant_twice" => {
            w.must("provider-3", &grant("provider-3", "1000000")).await;
            refuse(w, "provider-3", &grant("provider-3", "1000000")).await
        }
        "grant_of_unknown_type" => {
            let allowance = Some(Any { type_url: "/cosmos.bank.v1beta1.MsgSend".into(), value: vec![] });
            refuse(w, "provider-3", &MsgGrantAllowance { allowance, ..grant("provider-3", "1") }).await
        }
        "grant_revoked_without_one" => {
            let message = MsgRevokeAllowance { granter: address("other"), grantee: address("staker") };
            refuse(w, "other", &message).await
        }
        "grant_exceeded" => {
            w.must("watchtower", &grant("watchtower", "49999")).await;
            refused(w.broadcast(paid_by("watchtower", state(w).await)).await)
        }
        "grant_for_a_refundable_fee" => {
            w.must("provider-2", &grant("provider-2", "50000")).await;
            refused(w.broadcast(granted(state(w).await, "provider-2", "50000")).await)
        }
        _ => return None,
    })
}

/// A fee that was granted is the granter's alone. For after the cases, which leave a grant behind.
pub async fn pay_with_a_grant(w: &World) {
    let (granter, grantee) = (w.balance("provider-3").await, w.balance("other").await);
    let before = state(w).await;
    refused(w.broadcast(paid_by("provider-3", before)).await).unwrap();
    w.set_state("other", AccountState { sequence: before.sequence + 1, ..before });
    assert_eq!((w.balance("provider-3").await, w.balance("other").await), (granter - 50_000, grantee));
}
