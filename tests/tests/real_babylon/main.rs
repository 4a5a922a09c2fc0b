//! The embedded chain's own tests, tried on a real Babylon node: where the two differ, the node is right.
//!
//! `BABYLOND_EXE` names a babylond v4; without it every test says that it was skipped. No Bitcoin node is needed: the
//! headers are mined here. What is compared and what was found is told in `docs/babylon-compatibility.md`.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod doors;
mod events;
mod node;
mod queries;
// The very files of the embedded chain's tests, so that a case cannot mean two things. Not all of their help is used here.
#[allow(dead_code)]
#[path = "../../../devnet/chain/tests/chain/expansion.rs"]
mod expansion;
#[allow(dead_code, unused_imports)]
#[path = "../../../devnet/chain/tests/chain/rules/mod.rs"]
mod rules;
mod shape;
#[path = "../../../devnet/chain/tests/chain/stakes.rs"]
mod stakes;
#[allow(dead_code, unused_imports)]
#[path = "../../../devnet/chain/tests/chain/support/mod.rs"]
mod support;

use btc_staking_babylon::{
    connector::BabylonConnector,
    errors::{Failure, outcome},
    proto::{Description, btcstaking::MsgEditFinalityProvider, incentive::MsgWithdrawReward},
};
use btc_staking_devnet_chain::Genesis;
use btc_staking_pos_chain::{
    MessageOutcome,
    connect::{ChainEndpoint, Connector as _},
    contract::check_reads,
};
use node::real_world;
use rules::{
    Answer, Fixture, answers, answers_about_checkpoints, answers_about_expansions, answers_about_jail,
    genesis_of_checkpoints, genesis_of_expansions, genesis_of_jail, genesis_of_rules, pay_with_a_grant,
    wrong,
};
use support::{CHAIN, World, address, genesis};

#[tokio::test(flavor = "multi_thread")]
async fn rules_queries_and_events_are_those_of_a_real_node() {
    let Some(mut real) = real_world(genesis_of_rules()).await else { return };
    let mut embedded = World::start_with(genesis_of_rules()).await;
    let (real_fixture, embedded_fixture) =
        tokio::join!(Fixture::build(&mut real), Fixture::build(&mut embedded));
    let mut wrong = queries::differences((&real, &real_fixture), (&embedded, &embedded_fixture)).await;
    wrong.extend(doors::differences((&real, &real_fixture), (&embedded, &embedded_fixture)).await);
    for (w, f) in [(&real, &real_fixture), (&embedded, &embedded_fixture)] {
        doors::check_worked_rows(w, f).await;
        doors::check_epoch_ahead(w).await;
        wrong.extend(contract_violations(w).await);
    }
    let (of_real, of_embedded) =
        tokio::join!(answers(&mut real, &real_fixture), answers(&mut embedded, &embedded_fixture));
    wrong.extend(judge(&of_real, &of_embedded));
    tokio::join!(surprises(&mut real, &real_fixture), surprises(&mut embedded, &embedded_fixture));
    wrong.extend(differing_events(&real, &embedded).await);
    tokio::join!(real.stop(), embedded.stop());
    tell(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn jail_is_that_of_a_real_node() {
    compare(genesis_of_jail, answers_about_jail).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_those_of_a_real_node() {
    compare(genesis_of_checkpoints, answers_about_checkpoints).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_about_expansions_are_those_of_a_real_node() {
    compare(genesis_of_expansions, answers_about_expansions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stakes_live_as_on_a_real_node() {
    compare(genesis, async |w: &mut World| {
        let provider = stakes::provider(w).await;
        stakes::listed(w, &provider).await;
        stakes::late(w, &provider).await;
        stakes::too_late(w, &provider).await;
        stakes::surprising(w, &provider).await;
        vec![]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expansion_lives_as_on_a_real_node() {
    compare(genesis, async |w: &mut World| {
        expansion::live(w).await;
        vec![]
    })
    .await;
}

/// Lives a story on a real node and on the embedded chain: its answers must be those of the table and mean the same, and
/// its events must have the same forms.
async fn compare(genesis: fn() -> Genesis, story: impl AsyncFn(&mut World) -> Vec<Answer>) {
    let Some(mut real) = real_world(genesis()).await else { return };
    let mut embedded = World::start_with(genesis()).await;
    let (of_real, of_embedded) = tokio::join!(story(&mut real), story(&mut embedded));
    let mut wrong = judge(&of_real, &of_embedded);
    wrong.extend(differing_events(&real, &embedded).await);
    tokio::join!(real.stop(), embedded.stop());
    tell(&wrong);
}

async fn differing_events(real: &World, embedded: &World) -> Vec<String> {
    let (of_real, of_embedded) = tokio::join!(events::forms(real), events::forms(embedded));
    events::differences(&of_real, &of_embedded)
}

fn tell(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The ports' contract where there is something to read: providers, stakes in every state, votes and commitments.
async fn contract_violations(w: &World) -> Vec<String> {
    let endpoint = ChainEndpoint::new(CHAIN, vec![w.node.rpc_url()]);
    let chain = BabylonConnector.connect(&endpoint).await.unwrap();
    check_reads(chain.as_ref())
        .await
        .err()
        .map(|broken| format!("the contract of the ports: {broken:?}"))
        .into_iter()
        .collect()
}

/// What the rules do not bring about but clients must understand: an edit, a reward, a granted fee, a reorg and a double sign.
async fn surprises(w: &mut World, f: &Fixture) {
    let description = Description { moniker: "renamed".into(), ..Description::default() };
    let edit = MsgEditFinalityProvider {
        addr: address("provider-1"),
        btc_pk: f.one.public().to_bytes().to_vec(),
        description: Some(description),
        commission: None,
    };
    w.must("provider-1", &edit).await;
    let reward = MsgWithdrawReward { r#type: "FINALITY_PROVIDER".into(), address: address("provider-1") };
    w.must("provider-1", &reward).await;
    pay_with_a_grant(w).await;
    w.bitcoin.fork(1);
    let branch = [w.bitcoin.mine(&[]), w.bitcoin.mine(&[])];
    w.report(&branch).await.unwrap();
    let open = w.node.height();
    w.must("provider-1", &f.one.vote(open, w.app_hash(open).await)).await;
    w.must("provider-1", &f.one.vote(open, [9; 32])).await;
    w.next_block().await;
    w.next_block().await;
}

/// The real node answers as the table says, and the adapter cannot tell the two chains apart.
fn judge(real: &[Answer], embedded: &[Answer]) -> Vec<String> {
    let mut wrong = wrong(real, true);
    for real in real {
        let Some(embedded) = embedded.iter().find(|answer| answer.case == real.case) else {
            wrong.push(format!("{}: only the real node was asked", real.case));
            continue;
        };
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
    wrong
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
