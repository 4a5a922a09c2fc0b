//! The embedded chain's own tests, tried on a real Babylon node: where the two differ, the node is right.
//!
//! `BABYLOND_EXE` names a babylond v4; without it every test says that it was skipped. No Bitcoin node is needed: the
//! headers are mined here. What is compared and what was found is told in `docs/babylon-compatibility.md`.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod node;
// The very files of the embedded chain's tests, so that a case cannot mean two things. Not all of their help is used here.
#[allow(dead_code)]
#[path = "../../../devnet/chain/tests/chain/rules/mod.rs"]
mod rules;
#[allow(dead_code, unused_imports)]
#[path = "../../../devnet/chain/tests/chain/support/mod.rs"]
mod support;

use btc_staking_babylon::errors::{Failure, outcome};
use btc_staking_pos_chain::MessageOutcome;
use node::real_world;
use rules::{Answer, answers, answers_about_jail, genesis_of_jail, genesis_of_rules, wrong};
use support::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_is_answered_as_the_table_says() {
    let Some(real) = real_world(genesis_of_rules()).await else { return };
    let embedded = World::start_with(genesis_of_rules()).await;
    let (real, embedded) = tokio::join!(answers(real), answers(embedded));
    judge(&real, &embedded);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_jail_is_answered_as_the_table_says() {
    let Some(real) = real_world(genesis_of_jail()).await else { return };
    let embedded = World::start_with(genesis_of_jail()).await;
    let (real, embedded) = tokio::join!(answers_about_jail(real), answers_about_jail(embedded));
    judge(&real, &embedded);
}

/// The real node answers as the table says, and the adapter cannot tell the two chains apart.
fn judge(real: &[Answer], embedded: &[Answer]) {
    let mut wrong = wrong(real);
    for (real, embedded) in real.iter().zip(embedded) {
        let ([real_kind, embedded_kind], [real_log, embedded_log]) =
            ([real, embedded].map(meaning), [real, embedded].map(log));
        if real_log != embedded_log {
            println!("{}\n  babylond: {real_log}\n  embedded: {embedded_log}", real.case);
        }
        if real_kind != embedded_kind {
            wrong.push(format!(
                "{}: {real_kind} of {real_log:?}, {embedded_kind} of {embedded_log:?}",
                real.case
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rules are answered otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a refusal means to a role; without its words, which it carries along.
fn meaning(answer: &Answer) -> String {
    let Some(Err(refused)) = &answer.outcome else { return "accepted".to_owned() };
    let failure = Failure { codespace: &refused.codespace, code: refused.code, log: &refused.log };
    match outcome(&failure) {
        MessageOutcome::Refused(refusal) => format!("{:?}", refusal.kind),
        MessageOutcome::AlreadyDone(_) => "already done".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The first line of a refusal's log: the reference appends a stack to a crash.
fn log(answer: &Answer) -> String {
    let Some(Err(refused)) = &answer.outcome else { return String::new() };
    let first = refused.log.lines().next().unwrap_or_default();
    format!("{} {first}", refused.short())
}
