//! The contract suite: laws every implementation of the ports obeys, run on the simulator, on the simulator through
//! JSON-RPC, and on a real bitcoind.
//!
//! A law returns the first [`Violation`] instead of panicking. Laws build on one another's blocks but not on one
//! another's transactions; each takes the coins it needs from a [`Bench`]. Their scripts need no key, so that the suite
//! says nothing about signing.

use crate::{
    dev::RegtestNode,
    ports::{BroadcastOutcome, NodeError, RefusalKind},
};
use std::fmt;
use thiserror::Error;

mod bench;
mod blocks;
mod broadcast;
mod follow;
mod locks;

pub use bench::{Bench, Coin};
pub use blocks::{answers_about_blocks_agree, mining_extends_the_tip, replaced_blocks_leave_the_best_chain};
pub use broadcast::{
    burns_are_bounded, dust_is_refused, fees_below_the_minimum_are_refused, missing_inputs_are_named,
    outputs_are_seen_in_both_views, reorged_transactions_come_back,
    rivals_are_replaced_only_for_a_higher_fee, transactions_go_from_unknown_to_confirmed,
};
pub use follow::{a_follower_sees_every_change_once, a_watch_proves_what_it_saw};
pub use locks::{absolute_locks_hold, coinbases_mature, relative_locks_hold, scripts_that_fail_are_refused};

/// A broken promise of a port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    /// A call failed that must not.
    #[error("{call} failed")]
    Failed {
        /// The call.
        call: &'static str,
        /// How it failed.
        #[source]
        source: NodeError,
    },
    /// An answer that contradicts the contract.
    #[error("{clause}: {found}")]
    Broken {
        /// What must hold.
        clause: &'static str,
        /// What was found.
        found: String,
    },
}

/// Result of a law.
pub type Check = Result<(), Violation>;

/// Runs every law on a fresh regtest node and returns their names.
///
/// # Errors
/// The first [`Violation`], with the name of its law.
pub async fn check_all(node: &dyn RegtestNode) -> Result<Vec<&'static str>, (&'static str, Violation)> {
    let mut bench = Bench::prepare(node).await.map_err(|violation| ("prepare", violation))?;
    let mut kept = Vec::new();
    macro_rules! laws {
        ($($law:ident),+ $(,)?) => {
            $(
                $law(&mut bench).await.map_err(|violation| (stringify!($law), violation))?;
                kept.push(stringify!($law));
            )+
        };
    }
    laws!(
        answers_about_blocks_agree,
        mining_extends_the_tip,
        replaced_blocks_leave_the_best_chain,
        outputs_are_seen_in_both_views,
        transactions_go_from_unknown_to_confirmed,
        missing_inputs_are_named,
        rivals_are_replaced_only_for_a_higher_fee,
        burns_are_bounded,
        dust_is_refused,
        fees_below_the_minimum_are_refused,
        reorged_transactions_come_back,
        absolute_locks_hold,
        relative_locks_hold,
        coinbases_mature,
        scripts_that_fail_are_refused,
        a_follower_sees_every_change_once,
        a_watch_proves_what_it_saw,
    );
    Ok(kept)
}

/// Unpacks the answer of a call that must not fail.
fn call<T>(call: &'static str, answer: crate::ports::Result<T>) -> Result<T, Violation> {
    answer.map_err(|source| Violation::Failed { call, source })
}

/// Holds an answer against a clause.
fn require(clause: &'static str, holds: bool, found: impl fmt::Debug) -> Check {
    if holds { Ok(()) } else { Err(Violation::Broken { clause, found: format!("{found:?}") }) }
}

/// Unpacks something the contract promises to be there.
fn present<T>(clause: &'static str, found: Option<T>) -> Result<T, Violation> {
    found.ok_or_else(|| Violation::Broken { clause, found: "nothing".to_owned() })
}

/// Holds a broadcast's outcome against the refusal it must be.
fn require_refused(clause: &'static str, outcome: &BroadcastOutcome, kind: RefusalKind) -> Check {
    let refused = match outcome {
        BroadcastOutcome::Refused(refusal) => refusal.kind == kind,
        BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => false,
    };
    require(clause, refused, outcome)
}
