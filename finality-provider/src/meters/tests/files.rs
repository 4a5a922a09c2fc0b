//! The files operators load, `docs/ops`: everything they name is there, and everything that is there is told of.

use super::*;
use btc_staking_eots_manager::{keys::EotsKey, manager::EotsManager, records::SignRecords};
use btc_staking_protocol::finality::vote::VoteMessage;
use std::{collections::BTreeSet, process::Command};
use yaml_rust2::{Yaml, YamlLoader};

const ALERTS: &str = include_str!("../../../../docs/ops/alerts.yml");
const ALERTS_TEST: &str = include_str!("../../../../docs/ops/alerts_test.yml");
const DASHBOARD: &str = include_str!("../../../../docs/ops/dashboard.json");
const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");
const GUIDE: &str = include_str!("../../../../docs/guide/finality-provider.md");

/// What PromQL says itself, and the one series Prometheus makes.
const NOT_OURS: &[&str] =
    &["and", "unless", "or", "on", "by", "sum", "rate", "increase", "changes", "up", "le"];

struct Alert {
    name: String,
    expression: String,
    runbook: String,
}

fn yaml(text: &str) -> Yaml {
    YamlLoader::load_from_str(text).unwrap().remove(0)
}

fn text(yaml: &Yaml) -> String {
    yaml.as_str().unwrap_or_else(|| panic!("{yaml:?} is no text")).to_owned()
}

fn alerts() -> Vec<Alert> {
    let groups = yaml(ALERTS);
    let rules = groups["groups"].as_vec().unwrap().iter().flat_map(|group| group["rules"].as_vec().unwrap());
    let alert = |rule: &Yaml| {
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule:?}");
        Alert {
            name: text(&rule["alert"]),
            expression: text(&rule["expr"]),
            runbook: text(&rule["annotations"]["runbook"]),
        }
    };
    rules.map(alert).collect()
}

/// The metrics an expression names: its words outside of braces, brackets and quotes that call nothing, without lists
/// of labels.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let mut depth = 0_u32;
    for letter in expression.chars() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            other if depth == 0 => plain.push(other),
            _ => {}
        }
    }
    for list in ["on (", "by ("] {
        while let Some(begin) = plain.find(list) {
            let end = plain[begin..].find(')').unwrap() + begin;
            plain.replace_range(begin..=end, " ");
        }
    }
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    names
        .filter(|word| !NOT_OURS.contains(word) && *word != "histogram_quantile")
        .map(str::to_owned)
        .collect()
}

/// A scrape of a signer that was asked for two votes at one height.
fn signer() -> String {
    let (directory, metrics) = (tempfile::tempdir().unwrap(), Metrics::new("eots"));
    SignRecords::create(directory.path()).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    let key = EotsKey::from_secret_bytes(&[9; 32]).unwrap();
    let subject = Subject { finality_provider: key.public_key(), ..subject() };
    records.declare_new(&subject).unwrap();
    let meters = btc_staking_eots_manager::manager::Meters::register(&metrics).unwrap();
    let manager = EotsManager::new(records, [key]).metered(meters);
    let vote = |app_hash| VoteMessage { height: PosHeight::new(5), app_hash };
    manager.sign_vote(&subject, vote([1; 32])).unwrap();
    assert!(manager.sign_vote(&subject, vote([2; 32])).is_err());
    metrics.render().unwrap()
}

/// Every name a scrape of a daemon or a signer has.
fn registry() -> BTreeSet<String> {
    let of_daemon = rig().metrics.render().unwrap();
    let of_signer = signer();
    let lines = of_daemon.lines().chain(of_signer.lines()).filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

fn dashboard() -> serde_json::Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn dashboard_expressions() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn metrics_are_found_in_expressions() {
    let expression = "a_b{x=\"y\"} > 3 and on (c, d) histogram_quantile(0.9, sum by (e, le) (rate(f_g[5m]))) unless on (h) up == 1";
    assert_eq!(metrics_of(expression), BTreeSet::from(["a_b".to_owned(), "f_g".to_owned()]));
}

#[test]
fn every_metric_that_alerts_and_dashboard_name_is_one_of_the_daemon() {
    let registry = registry();
    let of_alerts = alerts().into_iter().map(|alert| alert.expression);
    for expression in of_alerts.chain(dashboard_expressions()) {
        let named = metrics_of(&expression);
        let unknown: Vec<_> = named.difference(&registry).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {expression}");
        assert!(!named.is_empty() || expression.starts_with("up{"), "{expression} names no metric");
    }
}

#[test]
fn every_alert_has_a_section_in_the_runbook_and_a_case_that_fires_it() {
    let cases = yaml(ALERTS_TEST);
    let fires = |name: &str| {
        let tests = cases["tests"].as_vec().unwrap().iter();
        let mut rules = tests.flat_map(|test| test["alert_rule_test"].as_vec().unwrap());
        rules.any(|rule| {
            rule["alertname"].as_str() == Some(name) && !rule["exp_alerts"].as_vec().unwrap().is_empty()
        })
    };
    let alerts = alerts();
    assert!(alerts.len() >= 20);
    for Alert { name, runbook, .. } in &alerts {
        assert!(RUNBOOK.contains(&format!("\n### {name}\n")), "the runbook has no section {name}");
        assert_eq!(*runbook, format!("docs/runbook.md#{}", name.to_lowercase()));
        assert!(fires(name), "no case of alerts_test.yml fires {name}");
    }
    let sections = RUNBOOK.lines().filter_map(|line| line.strip_prefix("### "));
    for name in sections.filter(|name| name.starts_with("FinalityProvider") || name.starts_with("Signer")) {
        assert!(alerts.iter().any(|alert| alert.name == name), "no rule has the runbook's section {name}");
    }
}

#[test]
fn every_alert_fires_in_prometheus_own_rule_test() {
    let Some(promtool) = std::env::var_os("PROMTOOL_EXE") else {
        eprintln!("skipped: set PROMTOOL_EXE to Prometheus' promtool");
        return;
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ops");
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let done = Command::new(&promtool).args(arguments).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn the_dashboard_is_one_grafana_can_load() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36 && dashboard["uid"].is_string());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: BTreeSet<_> =
        variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, BTreeSet::from(["chain", "datasource", "provider"]));
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another panel's");
        assert!(titles.insert(title), "{title} is there twice");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is wider than the page");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies over another panel");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(
            ["stat", "timeseries", "state-timeline"].contains(&panel["type"].as_str().unwrap()),
            "{title}"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let references: BTreeSet<_> =
            targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && references.len() == targets.len(), "{title}");
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            assert!(expression.contains("chain_id=~\"$chain\""), "{title}: {expression}");
        }
    }
}

#[test]
fn every_metric_is_in_the_guide_and_on_the_dashboard_or_in_an_alert() {
    let shown: BTreeSet<String> = dashboard_expressions()
        .into_iter()
        .chain(alerts().into_iter().map(|alert| alert.expression))
        .flat_map(|expression| metrics_of(&expression))
        .map(|name| family_of(&name).to_owned())
        .collect();
    // What they tell is on the dashboard under other names, or does not change.
    let elsewhere = [
        "babylon_tip_height",
        "last_polled_height",
        "poller_starting_height",
        "fp_version_info",
        "fp_seconds_since_last_randomness",
        "fp_randomness_runway_blocks",
        "fp_randomness_usable_runway_blocks",
    ];
    for family in families(&rig().metrics.render().unwrap()) {
        assert!(GUIDE.contains(&format!("`{family}`")), "the guide does not tell of {family}");
        assert!(shown.contains(family) || elsewhere.contains(&family), "nobody is shown {family}");
    }
}

#[test]
fn every_reason_is_in_the_guide() {
    for code in Reason::CODES {
        assert!(GUIDE.contains(&format!("`{code}`")), "the guide does not say what to do about {code}");
    }
}
