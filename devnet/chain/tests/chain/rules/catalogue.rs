//! The checks of `chain.md`, counted: each has a case, or a reason why no transaction can break it.

use super::{Rule, table};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    section: Vec<Section>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    number: String,
    /// What is checked there.
    about: String,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    row: String,
    /// What must hold.
    rule: String,
    /// Why no transaction can break it.
    #[serde(default)]
    unreachable: String,
    /// The unit test that holds it instead.
    #[serde(default)]
    held_by: String,
    /// The section whose checks it stands for.
    #[serde(default)]
    stands_for: String,
}

/// What is wrong with the catalogue, the table, or the two together.
pub fn faults() -> Vec<String> {
    let catalogue: Catalogue = toml::from_str(include_str!("../../checks.toml")).unwrap();
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    for rule in table() {
        for place in places(&rule) {
            *cases.entry(place).or_default() += 1;
        }
    }
    let sections: BTreeSet<&str> = catalogue.section.iter().map(|section| &*section.number).collect();
    let (mut faults, mut known) = (vec![], BTreeSet::new());
    for section in &catalogue.section {
        if section.about.is_empty() || section.checks.is_empty() {
            faults.push(format!("section {} holds nothing", section.number));
        }
        for check in &section.checks {
            let place = format!("{} {}", section.number, check.row);
            let cases = cases.get(&place).copied().unwrap_or(0);
            faults.extend(fault(check, cases, &sections).map(|fault| format!("{place}: {fault}")));
            if !known.insert(place.clone()) {
                faults.push(format!("{place}: stands twice"));
            }
        }
    }
    faults.extend(
        cases
            .keys()
            .filter(|place| !known.contains(*place))
            .map(|place| format!("{place}: a case breaks it, and the catalogue does not know it")),
    );
    faults
}

/// The checks a case breaks.
fn places(rule: &Rule) -> Vec<String> {
    let own = format!("{} {}", rule.section, rule.check);
    std::iter::once(own).chain(rule.also.iter().cloned()).collect()
}

fn fault(check: &Check, cases: usize, sections: &BTreeSet<&str>) -> Option<&'static str> {
    let excused = !check.unreachable.is_empty();
    let delegated = !check.stands_for.is_empty();
    if check.rule.is_empty() {
        return Some("says nothing");
    }
    if delegated && !sections.contains(&*check.stands_for) {
        return Some("stands for a section nobody knows");
    }
    if !check.held_by.is_empty() && !excused {
        return Some("names a unit test although it can be reached");
    }
    if !check.held_by.is_empty() && !is_test(&check.held_by) {
        return Some("names a test that does not exist");
    }
    match (cases, excused, delegated) {
        (0, false, false) => Some("no case breaks it"),
        (1.., true, _) => Some("called unreachable, and a case breaks it"),
        _ => None,
    }
}

/// Whether a test of this name stands in the protocol's or the chain's sources.
fn is_test(name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = root.ancestors().find(|folder| folder.join("core/protocol").is_dir()).unwrap();
    let mut folders = vec![workspace.join("core/protocol"), workspace.join("devnet/chain")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && holds_test(&std::fs::read_to_string(&path).unwrap(), name)
            {
                return true;
            }
        }
    }
    false
}

/// Whether a source has a function of this name that is run as a test: one under a test attribute, or one of a
/// `proptest!`, where the attribute stands, too.
fn holds_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let attributed = |place: usize| {
        let above = lines[..place].iter().rev();
        above
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
            .any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
    };
    (0..lines.len()).any(|place| function(lines[place]) && attributed(place))
}

#[test]
fn only_a_function_under_a_test_attribute_is_a_test() {
    assert!(holds_test("#[test]\n#[should_panic]\nfn holds() {}", "holds"));
    assert!(holds_test("#[tokio::test(flavor = \"multi_thread\")]\nasync fn holds() {}", "holds"));
    assert!(!holds_test("fn holds() {}", "holds"));
    assert!(!holds_test("#[test]\nfn other() {}\n\nfn holds() {}", "holds"));
    assert!(!holds_test("#[test]\nfn holds_more() {}", "holds"));
}
