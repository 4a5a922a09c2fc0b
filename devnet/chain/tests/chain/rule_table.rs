//! The table of rules, on the embedded chain.

use crate::{
    rules::{
        Answer, Fixture, answers, answers_about_authority, answers_about_checkpoints,
        answers_about_commissions, answers_about_expansions, answers_about_jail, answers_about_lists,
        case_names, catalogue, genesis_of_checkpoints, genesis_of_commissions, genesis_of_expansions,
        genesis_of_jail, genesis_of_lists, genesis_of_rules, left_out, nondescript, pay_with_a_grant, wrong,
    },
    support::{World, set_clock::SetClock},
};
use btc_staking_devnet_chain::Clock;
use std::sync::Arc;

fn assert_told(story: &str, answers: &[Answer]) {
    let wrong = wrong(answers, false);
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(left_out(story, answers), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_rules()).await;
    let f = Fixture::build(&mut w).await;
    let wrong = wrong(&answers(&mut w, &f).await, false);
    pay_with_a_grant(&w).await;
    w.stop().await;
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_jail_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_jail()).await;
    let answers = answers_about_jail(&mut w).await;
    w.stop().await;
    assert_told("jail", &answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_the_authority_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_rules()).await;
    let f = Fixture::build(&mut w).await;
    let wrong = wrong(&answers_about_authority(&mut w, &f).await, false);
    w.stop().await;
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_checkpoints_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_checkpoints()).await;
    let answers = answers_about_checkpoints(&mut w).await;
    w.stop().await;
    assert_told("checkpoints", &answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_expansions_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_expansions()).await;
    let answers = answers_about_expansions(&mut w).await;
    w.stop().await;
    assert_told("expansions", &answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_lists_is_answered_as_the_table_says() {
    let mut w = World::start_with(genesis_of_lists()).await;
    let answers = answers_about_lists(&mut w).await;
    w.stop().await;
    assert_told("lists", &answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_commissions_is_answered_as_the_table_says() {
    let clock = Arc::new(SetClock::at(1_800_000_000));
    let mut w = World::start_on_clock(genesis_of_commissions(), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let answers = answers_about_commissions(&mut w, &clock).await;
    w.stop().await;
    assert_told("commissions", &answers);
}

#[test]
fn every_check_has_a_case_or_a_reason_why_it_cannot() {
    let wrong = catalogue::faults();
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_case_stands_twice_in_the_table() {
    let mut names = case_names();
    names.sort();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}

#[test]
fn every_refusal_that_shares_its_code_is_told_by_its_words() {
    assert_eq!(nondescript(), Vec::<String>::new());
}
