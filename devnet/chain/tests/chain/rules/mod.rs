//! Every rule broken on purpose, one at a time, and the answer that follows.
//!
//! The table is `rules.toml`: section and check of `chain.md`, how it is broken, and the `codespace/code` or words that
//! must come back. Each case has a function of the same name in the file of its section; a case without one, or one
//! without a case, fails the test.

mod covenant;
mod fixture;
mod headers;
mod inclusion;
mod jail;
mod providers;
mod randomness;
mod registration;
mod rewards;
mod terms;
mod transactions;
mod undelegation;
mod votes;

use super::support::{Refused, World, any};
use fixture::Fixture;
use prost::{Message, Name};
use serde::Deserialize;

/// What became of a broken rule.
type Outcome = Result<(), Refused>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Section of `chain.md`.
    section: String,
    /// Number of the check in the section's table.
    check: String,
    /// Function that breaks it.
    case: String,
    /// How it is broken.
    how: String,
    /// `codespace/code` that must come back.
    expect: String,
    /// Words the log must hold.
    #[serde(default)]
    text: String,
}

fn table() -> Vec<Rule> {
    toml::from_str::<Table>(include_str!("../../rules.toml")).unwrap().rule
}

/// Sends a message that must be refused.
async fn refuse<M: Message + Name>(w: &World, label: &str, message: &M) -> Outcome {
    w.send(label, vec![any(message)]).await.map(|_| ())
}

impl Rule {
    fn check(&self, outcome: Outcome) -> Result<(), String> {
        let name = format!("{} {} {} ({})", self.section, self.check, self.case, self.how);
        let Err(refused) = outcome else { return Err(format!("{name}: accepted")) };
        let text = refused.log.to_lowercase().contains(&self.text.to_lowercase());
        if refused.short() == self.expect && text {
            return Ok(());
        }
        Err(format!("{name}: expected {} {:?}, got {refused:?}", self.expect, self.text))
    }
}

async fn break_rule(case: &str, w: &mut World, f: &Fixture) -> Option<Outcome> {
    // One function per section, each knowing its own cases.
    if let Some(outcome) = headers::violate(case, w).await {
        return Some(outcome);
    }
    if let Some(outcome) = providers::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = registration::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = terms::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = covenant::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = inclusion::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = undelegation::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = randomness::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = votes::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = rewards::violate(case, w).await {
        return Some(outcome);
    }
    transactions::violate(case, w).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_is_answered_as_the_table_says() {
    let mut w = fixture::world().await;
    let f = Fixture::build(&mut w).await;
    let mut wrong = vec![];
    for rule in table().iter().filter(|rule| rule.section != "10.7" && !rule.case.starts_with("jail_")) {
        match break_rule(&rule.case, &mut w, &f).await {
            Some(outcome) => wrong.extend(rule.check(outcome).err()),
            None => wrong.push(format!("{}: nobody breaks it", rule.case)),
        }
    }
    w.stop().await;
    assert!(wrong.is_empty(), "{} rules are answered wrongly:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_about_jail_is_answered_as_the_table_says() {
    let wrong = jail::check(&table()).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_case_stands_twice_in_the_table() {
    let mut names: Vec<String> = table().into_iter().map(|rule| rule.case).collect();
    names.sort();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}
