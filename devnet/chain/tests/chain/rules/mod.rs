//! Every rule broken on purpose, one at a time, and the answer that follows.
//!
//! The table is `rules.toml`: section and check of `chain.md`, how it is broken, and the `codespace/code` or words that
//! must come back. Each case has a function of the same name in the file of its section; a case without one, or one
//! without a case, fails the test.

pub mod catalogue;
mod checkpoints;
mod closed;
mod commission;
mod covenant;
mod expansions;
pub mod fixture;
mod governance;
mod grants;
mod headers;
mod inclusion;
mod jail;
mod possession;
mod presigned;
mod providers;
mod randomness;
mod registration;
mod rewards;
mod terms;
mod transactions;
mod undelegation;
mod votes;

use super::support::{Refused, TestNode, World, any};
pub use checkpoints::genesis_of_checkpoints;
pub use closed::{break_all as answers_about_lists, genesis_of_lists};
pub use commission::{break_all as answers_about_commissions, genesis_of_commissions};
pub use expansions::{break_all as answers_about_expansions, genesis_of_expansions};
pub use fixture::{Fixture, genesis_of_rules};
pub use grants::pay_with_a_grant;
pub use jail::genesis_of_jail;
use prost::{Message, Name};
use serde::Deserialize;

/// What became of a broken rule.
pub type Outcome = Result<(), Refused>;

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
    /// Whether the words are only the embedded chain's: another node is held to the code alone.
    #[serde(default)]
    own_words: bool,
    /// Whether a chain with native staking answers otherwise, so that no other node is asked.
    #[serde(default)]
    embedded_only: bool,
    /// Story that breaks it, on a chain of its own.
    #[serde(default)]
    story: String,
    /// Other checks that it breaks as well, where one thing stands in two tables: section and row.
    #[serde(default)]
    also: Vec<String>,
}

fn table() -> Vec<Rule> {
    toml::from_str::<Table>(include_str!("../../rules.toml")).unwrap().rule
}

/// Sends a message that must be refused.
async fn refuse<M: Message + Name>(w: &World, label: &str, message: &M) -> Outcome {
    w.send(label, vec![any(message)]).await.map(|_| ())
}

impl Answer {
    fn of(case: &str, outcome: Outcome) -> Self {
        Self { case: case.to_owned(), outcome: Some(outcome) }
    }
}

impl Rule {
    fn check(&self, outcome: &Outcome, of_another_node: bool) -> Result<(), String> {
        let name = format!("{} {} {} ({})", self.section, self.check, self.case, self.how);
        let Err(refused) = outcome else { return Err(format!("{name}: accepted")) };
        let text = of_another_node && self.own_words
            || refused.log.to_lowercase().contains(&self.text.to_lowercase());
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
    if let Some(outcome) = possession::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = presigned::violate(case, w, f).await {
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
    if let Some(outcome) = governance::violate(case, w, f).await {
        return Some(outcome);
    }
    if let Some(outcome) = rewards::violate(case, w).await {
        return Some(outcome);
    }
    if let Some(outcome) = grants::violate(case, w).await {
        return Some(outcome);
    }
    transactions::violate(case, w).await
}

/// What became of a case; `outcome` is empty when nobody breaks its rule.
#[derive(Debug)]
pub struct Answer {
    pub case: String,
    pub outcome: Option<Outcome>,
}

impl Rule {
    /// Whether it needs what only a development chain's genesis says: who the authority is, who is deleted.
    fn is_about_authority(&self) -> bool {
        self.case.starts_with("gov_") || self.case.starts_with("resume_") || self.case == "vote_deleted"
    }
}

/// Breaks every rule of the table but those of a story and those about the authority, on a chain of [`genesis_of_rules`].
pub async fn answers(w: &mut World, f: &Fixture) -> Vec<Answer> {
    let elsewhere = |rule: &Rule| rule.is_about_authority() || !rule.story.is_empty();
    answers_to(w, f, |rule| !elsewhere(rule)).await
}

/// Breaks every rule about the authority, on a chain of [`genesis_of_rules`].
pub async fn answers_about_authority(w: &mut World, f: &Fixture) -> Vec<Answer> {
    answers_to(w, f, Rule::is_about_authority).await
}

/// Breaks every rule about checkpoints, on a chain of [`genesis_of_checkpoints`].
pub async fn answers_about_checkpoints(w: &mut World) -> Vec<Answer> {
    checkpoints::break_all(w).await
}

async fn answers_to(w: &mut World, f: &Fixture, wanted: impl Fn(&Rule) -> bool) -> Vec<Answer> {
    let mut answers = vec![];
    let is_foreign = matches!(w.node, TestNode::Foreign(_));
    for rule in table().into_iter().filter(|rule| wanted(rule) && !(is_foreign && rule.embedded_only)) {
        let outcome = break_rule(&rule.case, w, f).await;
        answers.push(Answer { case: rule.case, outcome });
    }
    answers
}

/// Breaks every rule about jail, on a chain of [`genesis_of_jail`].
pub async fn answers_about_jail(w: &mut World) -> Vec<Answer> {
    jail::break_all(w).await
}

/// The answers that are not those of the table, in words. Another node than the embedded chain need not have its words.
pub fn wrong(answers: &[Answer], of_another_node: bool) -> Vec<String> {
    let table = table();
    let judge = |answer: &Answer| {
        let rule = table.iter().find(|rule| rule.case == answer.case);
        match (rule, &answer.outcome) {
            (None, _) => Some(format!("{}: not in the table", answer.case)),
            (Some(_), None) => Some(format!("{}: nobody breaks it", answer.case)),
            (Some(rule), Some(outcome)) => rule.check(outcome, of_another_node).err(),
        }
    };
    answers.iter().filter_map(judge).collect()
}

/// Cases of a story that it did not come to.
pub fn left_out(story: &str, answers: &[Answer]) -> Vec<String> {
    let told = |case: &str| answers.iter().any(|answer| answer.case == case);
    let of_story = table().into_iter().filter(|rule| rule.story == story && !told(&rule.case));
    of_story.map(|rule| rule.case).collect()
}

/// Cases whose answer does not tell which check refused: a code that many checks share, and no words.
pub fn nondescript() -> Vec<String> {
    let shared = |rule: &Rule| rule.expect == "undefined/1" && rule.text.is_empty();
    table().into_iter().filter(shared).map(|rule| rule.case).collect()
}

/// Names of all cases, in the order of the table.
pub fn case_names() -> Vec<String> {
    table().into_iter().map(|rule| rule.case).collect()
}
