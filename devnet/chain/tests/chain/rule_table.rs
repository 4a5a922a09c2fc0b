//! The table of rules, on the embedded chain.

use crate::{
    rules::{
        Fixture, answers, answers_about_authority, answers_about_checkpoints, answers_about_jail, case_names,
        genesis_of_checkpoints, genesis_of_jail, genesis_of_rules, wrong,
    },
    support::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_rules()).await;
    let f = Fixture::build(&mut w).await;
    let wrong = wrong(&answers(&mut w, &f).await);
    w.stop().await;
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_jail_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_jail()).await;
    let wrong = wrong(&answers_about_jail(&mut w).await);
    w.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_the_authority_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_rules()).await;
    let f = Fixture::build(&mut w).await;
    let wrong = wrong(&answers_about_authority(&mut w, &f).await);
    w.stop().await;
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_checkpoints_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_checkpoints()).await;
    let wrong = wrong(&answers_about_checkpoints(&mut w).await);
    w.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_case_stands_twice_in_the_table() {
    let mut names = case_names();
    names.sort();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}
