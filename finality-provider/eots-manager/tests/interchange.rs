//! The public suite of the interchange format, and its laws.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

#[path = "../examples/eots_interchange_vectors.rs"]
mod generator;

use btc_staking_eots_manager::{
    interchange::{Answer, ImportError, Interchange, Signed, Watermarks, message_hash},
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
};
use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
};
use proptest::prelude::*;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Import { import: String, expect: String, expect_minified: String },
    Sign { sign: Vote, expect: String, expect_minified: String },
    Merge { merge: [String; 2], expect: String, result: Option<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    height: String,
    app_hash: String,
}

fn vectors(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/eots-interchange").join(name)
}

fn suite(name: &str) -> Vec<Case> {
    serde_json::from_str::<Suite>(&fs::read_to_string(vectors(name)).unwrap()).unwrap().cases
}

/// The key of every case: the bytes 01 to 20, on bbn-1.
fn key() -> EotsKey {
    EotsKey::from_secret_bytes(&std::array::from_fn(|index| u8::try_from(index + 1).unwrap())).unwrap()
}

fn subject() -> Subject {
    Subject { finality_provider: key().public_key(), chain_id: "bbn-1".parse().unwrap() }
}

/// A signer whose key is new.
fn manager() -> (tempfile::TempDir, EotsManager) {
    let (directory, manager) = undeclared();
    manager.records().declare_new(&subject()).unwrap();
    (directory, manager)
}

fn undeclared() -> (tempfile::TempDir, EotsManager) {
    let directory = tempfile::tempdir().unwrap();
    SignRecords::create(directory.path()).unwrap();
    let records = SignRecords::open(directory.path()).unwrap();
    (directory, EotsManager::new(records, [key()]))
}

fn import(manager: &EotsManager, text: &str, minify: bool) -> &'static str {
    let file = match Interchange::parse(text.as_bytes()) {
        Ok(file) => file,
        Err(error) => return error.code(),
    };
    let file = if minify { Interchange::parse(file.minify().to_json().as_bytes()).unwrap() } else { file };
    match file.import(manager.records()) {
        Ok(()) => "accepted",
        Err(ImportError::Conflict { .. }) => "conflict",
        Err(ImportError::Records(error)) => panic!("{error}"),
    }
}

fn sign(manager: &EotsManager, vote: &Vote) -> &'static str {
    let height = PosHeight::new(vote.height.parse().unwrap());
    let message = VoteMessage { height, app_hash: hex::decode(&vote.app_hash).unwrap().try_into().unwrap() };
    let known = manager.records().vote_at(&subject(), height);
    match manager.sign_vote(&subject(), message) {
        Ok(_) if known == Some(message) => "again",
        Ok(_) => "signed",
        Err(_) => "refused",
    }
}

fn merge(files: &[String; 2]) -> Result<Interchange, &'static str> {
    let [a, b] = files.each_ref().map(|text| Interchange::parse(text.as_bytes()).unwrap());
    a.merge(b).map_err(|error| error.code())
}

fn run(case: &Case, minify: bool) {
    let (_directory, manager) = manager();
    for (number, step) in case.steps.iter().enumerate() {
        let (found, expected) = match step {
            Step::Import { import: text, expect, expect_minified } => {
                (import(&manager, text, minify), if minify { expect_minified } else { expect })
            }
            Step::Sign { sign: vote, expect, expect_minified } => {
                (sign(&manager, vote), if minify { expect_minified } else { expect })
            }
            Step::Merge { merge: files, expect, result } => {
                let merged = merge(files);
                let expected = result.as_ref().map(|text| Interchange::parse(text.as_bytes()).unwrap());
                assert_eq!(merged.as_ref().ok(), expected.as_ref(), "{}", case.name);
                (merged.map_or_else(|code| code, |_| "accepted"), expect)
            }
        };
        assert_eq!(found, expected, "step {number} of {:?}, minified: {minify}", case.name);
    }
}

#[test]
fn the_generated_cases_are_what_the_generator_writes() {
    assert!(
        fs::read_to_string(vectors("generated.json")).unwrap() == generator::suite(),
        "run the example eots_interchange_vectors and look at the difference"
    );
}

#[test]
fn every_case_of_the_public_suite_holds_plain_and_minified() {
    let cases: Vec<Case> = ["generated.json", "written-by-hand.json"].into_iter().flat_map(suite).collect();
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    for case in &cases {
        run(case, false);
        run(case, true);
    }
}

#[test]
fn errors_name_the_place_and_the_evidence() {
    let (_directory, good) = manager();
    good.sign_vote(&subject(), VoteMessage { height: PosHeight::new(5), app_hash: [1; 32] }).unwrap();
    let text = Interchange::export(good.records(), &subject()).unwrap().to_json();
    let table = [
        (text.replacen("\"5\"", "\"05\"", 1), "watermarks.high: it must be a decimal height"),
        (text.replace("\"height\": \"5\"", "\"height\": 5"), "line 14, column"),
        (text.replace("\"app_hash\"", "\"app_hush\""), "unknown field `app_hush`"),
        (
            text.replace(&"01".repeat(32), &"02".repeat(32)),
            "signed[0].message_hash: the message hash must be",
        ),
    ];
    for (changed, words) in table {
        let error = Interchange::parse(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}

#[test]
fn the_example_of_the_documentation_is_what_we_write() {
    let page = fs::read_to_string(vectors("../../../docs/interchange.md")).unwrap();
    let example: String = page
        .lines()
        .filter_map(|line| line.strip_prefix("    ").filter(|line| !line.starts_with("finality-provider")))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(Interchange::parse(example.as_bytes()).unwrap().to_json(), example);
}

fn files() -> impl Strategy<Value = Interchange> {
    let entry = (0_u64..40, 0_u8..3, any::<bool>(), any::<bool>());
    (prop::collection::vec(entry, 0..12), 0_u64..5, 0_u64..50).prop_map(|(entries, above, low)| {
        let signed: BTreeMap<PosHeight, Signed> = entries
            .into_iter()
            .map(|(height, block, has_answer, has_signature)| {
                // One block for most heights, so that two files sometimes agree.
                let vote = VoteMessage { height: PosHeight::new(height), app_hash: [block / 2; 32] };
                let answer = Answer {
                    app_hash: vote.app_hash,
                    public_randomness: PublicRandomness::from_bytes([7; 32]),
                };
                let entry = Signed {
                    message_hash: message_hash(&vote),
                    signature_hash: has_signature.then_some([block / 2; 32]),
                    answer: has_answer.then_some(answer),
                };
                (vote.height, entry)
            })
            .collect();
        let watermarks = signed.last_key_value().map(|(last, _)| {
            let high = PosHeight::new(last.to_u64() + above);
            Watermarks { low: PosHeight::new(low.min(high.to_u64())), high }
        });
        Interchange::new(subject(), watermarks, signed).unwrap()
    })
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same(file in files()) {
        let text = file.to_json();
        let read = Interchange::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&read, &file);
        prop_assert_eq!(read.to_json(), text);
    }

    #[test]
    fn merging_is_idempotent_and_neither_order_nor_grouping_matters(a in files(), b in files(), c in files()) {
        let merge = |a: &Interchange, b: &Interchange| a.clone().merge(b.clone());
        prop_assert_eq!(merge(&a, &a).unwrap(), a.clone());
        prop_assert_eq!(merge(&a, &b).ok(), merge(&b, &a).ok());
        let left = merge(&a, &b).and_then(|ab| merge(&ab, &c)).ok();
        let right = merge(&b, &c).and_then(|bc| merge(&a, &bc)).ok();
        prop_assert_eq!(left, right);
    }

    #[test]
    fn minifying_keeps_what_is_barred_and_doing_it_again_changes_nothing(file in files()) {
        let small = file.clone().minify();
        prop_assert_eq!(small.watermarks().map(|marks| marks.high), file.watermarks().map(|marks| marks.high));
        prop_assert_eq!(small.clone().minify(), small);
    }

    #[test]
    fn no_text_breaks_the_parser(text in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _ = Interchange::parse(&text);
        let mut valid = Interchange::new(subject(), None, BTreeMap::new()).unwrap().to_json().into_bytes();
        let at = at.index(valid.len());
        valid.splice(at..at, text);
        let _ = Interchange::parse(&valid);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// What one signer exports another takes in, and exports the same, but for heights it bars on its own account.
    #[test]
    fn exporting_after_importing_gives_the_same_votes_and_bar(
        heights in prop::collection::btree_set(1_u64..1000, 0..8),
    ) {
        let (_first_directory, first) = manager();
        for height in &heights {
            let message = VoteMessage { height: PosHeight::new(*height), app_hash: [3; 32] };
            first.sign_vote(&subject(), message).unwrap();
        }
        let file = Interchange::export(first.records(), &subject()).unwrap();
        let (_second_directory, second) = undeclared();
        prop_assert!(!second.records().has_history(&subject()));
        file.import(second.records()).unwrap();
        file.import(second.records()).unwrap();
        prop_assert!(second.records().has_history(&subject()), "an import is a history, also of nothing");
        let again = Interchange::export(second.records(), &subject()).unwrap();
        prop_assert!(again.signed().eq(file.signed()));
        prop_assert_eq!(again.watermarks().map(|marks| marks.high), file.watermarks().map(|marks| marks.high));
        if let Some(marks) = again.watermarks() {
            prop_assert_eq!(marks.low, marks.high);
        }
    }
}
