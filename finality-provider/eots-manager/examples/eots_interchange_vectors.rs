//! Writes `tests/vectors/eots-interchange/generated.json`: the public suite for the interchange of sign records.
//!
//! Run `cargo run -p btc-staking-eots-manager --example eots_interchange_vectors > generated.json`. The output depends on
//! nothing but this file. What is expected of a signer comes from the model in [`Signer`], which is a few lines on
//! purpose and shares no code with the manager; the README beside the suite says it in words.

#![allow(clippy::unwrap_used)] // a tool for tests

use btc_staking_crypto::{
    eots::EotsSecretKey,
    nonce::{self, Scheme},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const KEY: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";
const OTHER_KEY: &str = "460a7b966efffb36946f6dc3c17ff73ad789fc1c2df43c1258039ca2f9a1e3e6";

/// The signer of the README: what it was told and what it signed.
#[derive(Default)]
struct Signer {
    barred: Option<u64>,
    votes: BTreeMap<u64, char>,
}

impl Signer {
    fn import(&mut self, file: &File) -> bool {
        if file
            .signed
            .iter()
            .any(|(height, block)| self.votes.get(height).is_some_and(|known| known != block))
        {
            return false;
        }
        for (height, block) in &file.signed {
            if file.answers && Some(*height) > self.barred {
                self.votes.insert(*height, *block);
            }
        }
        self.barred = self.barred.max(file.high);
        true
    }

    fn sign(&mut self, height: u64, block: char) -> &'static str {
        match self.votes.get(&height) {
            Some(known) if *known == block => "again",
            Some(_) => "refused",
            None if Some(height) <= self.barred => "refused",
            None => {
                self.votes.insert(height, block);
                "signed"
            }
        }
    }
}

/// What one file says; a block is a letter.
#[derive(Clone, Default)]
struct File {
    low: Option<u64>,
    high: Option<u64>,
    signed: Vec<(u64, char)>,
    answers: bool,
}

impl File {
    fn new(low: u64, high: u64, signed: &[(u64, char)]) -> Self {
        Self { low: Some(low), high: Some(high), signed: signed.to_vec(), answers: true }
    }

    fn minified(&self) -> Self {
        Self { low: self.high, high: self.high, signed: Vec::new(), answers: true }
    }

    fn json(&self) -> Value {
        let text = |height: Option<u64>| height.map(|height| height.to_string());
        let signed: Vec<Value> =
            self.signed.iter().map(|(height, block)| entry(*height, *block, self.answers)).collect();
        json!({
            "metadata": {"format": "eots-interchange", "version": "1", "chain_id": "bbn-1", "public_key": KEY},
            "watermarks": {"low": text(self.low), "high": text(self.high)},
            "signed": signed,
        })
    }

    fn text(&self) -> String {
        self.json().to_string()
    }
}

enum Step {
    Import(File),
    Sign(u64, char),
}

fn app_hash(height: u64, block: char) -> [u8; 32] {
    Sha256::digest(format!("block {block} at {height}")).into()
}

fn entry(height: u64, block: char, answers: bool) -> Value {
    let app_hash = app_hash(height, block);
    let message = [&height.to_be_bytes()[..], &app_hash].concat();
    let mut entry =
        json!({"height": height.to_string(), "message_hash": hex::encode(Sha256::digest(message))});
    if answers {
        let secret: Vec<u8> = (1..=32).collect();
        let key = EotsSecretKey::from_bytes(&secret.try_into().unwrap()).unwrap();
        let randomness = nonce::derive(&key, Scheme::V1, b"bbn-1", height).public();
        entry["answer"] = json!({
            "app_hash": hex::encode(app_hash),
            "public_randomness": hex::encode(randomness.to_bytes()),
        });
    }
    entry
}

/// Runs the model over the steps, as they are and with every file minified.
fn story(name: &str, steps: Vec<Step>) -> Value {
    let (mut plain, mut minified) = (Signer::default(), Signer::default());
    let outcome = |accepted| if accepted { "accepted" } else { "conflict" };
    let steps: Vec<Value> = steps
        .into_iter()
        .map(|step| match step {
            Step::Import(file) => {
                let expected = (outcome(plain.import(&file)), outcome(minified.import(&file.minified())));
                json!({"import": file.text(), "expect": expected.0, "expect_minified": expected.1})
            }
            Step::Sign(height, block) => {
                let expected = (plain.sign(height, block), minified.sign(height, block));
                let app_hash = hex::encode(app_hash(height, block));
                json!({
                    "sign": {"height": height.to_string(), "app_hash": app_hash},
                    "expect": expected.0, "expect_minified": expected.1,
                })
            }
        })
        .collect();
    json!({"name": name, "steps": steps})
}

/// Every file of a few shapes, probed at every height around it with the listed block and another.
fn probes(cases: &mut Vec<Value>) {
    let unanswered = File { answers: false, ..File::new(4, 6, &[(5, 'a'), (6, 'a')]) };
    let shapes = [
        ("an empty history", File { answers: true, ..File::default() }),
        ("watermarks alone", File::new(5, 5, &[])),
        ("a listing with a gap", File::new(3, 7, &[(4, 'a'), (5, 'a'), (7, 'a')])),
        ("heights listed below the low watermark", File::new(6, 6, &[(4, 'a'), (6, 'a')])),
        ("a high watermark above the listing", File::new(4, 7, &[(5, 'a')])),
        ("entries without answers", unanswered),
        ("the height zero", File::new(0, 0, &[(0, 'a')])),
    ];
    for (shape, file) in shapes {
        for height in 3..9 {
            let name = format!("{shape}, then a vote at {height}");
            cases.push(story(&name, vec![Step::Import(file.clone()), Step::Sign(height, 'a')]));
        }
        let (height, again) = (file.high.unwrap_or(5), Step::Import(file.clone()));
        let twice =
            vec![Step::Import(file.clone()), Step::Sign(height, 'b'), again, Step::Sign(height + 1, 'b')];
        cases
            .push(story(&format!("{shape}, another block at its highest height, and the file again"), twice));
    }
    let top = u64::MAX;
    let last = File::new(top, top, &[]);
    cases.push(story("the highest height there is", vec![Step::Import(last), Step::Sign(top, 'a')]));
}

/// Several files, and votes of one's own between them.
fn histories(cases: &mut Vec<Value>) {
    let older = || Step::Import(File::new(2, 4, &[(3, 'a'), (4, 'a')]));
    let newer = || Step::Import(File::new(4, 8, &[(6, 'a'), (8, 'a')]));
    let conflicting = || Step::Import(File::new(2, 5, &[(4, 'b'), (5, 'b')]));
    let sign = |height| Step::Sign(height, 'a');
    let table: Vec<(&str, Vec<Step>)> = vec![
        ("an older file after a newer one lowers nothing", vec![newer(), older(), sign(5), sign(8), sign(9)]),
        ("a newer file after an older one", vec![older(), newer(), sign(3), sign(6), sign(7), sign(9)]),
        ("a file that contradicts an imported one", vec![older(), conflicting(), sign(4), sign(5), sign(6)]),
        ("a file that contradicts a vote of one's own", vec![sign(4), conflicting(), sign(4), sign(5)]),
        ("a file that agrees with a vote of one's own", vec![sign(4), older(), sign(4), sign(5)]),
        ("a file below a vote of one's own", vec![sign(9), older(), sign(4), sign(5), sign(9)]),
        ("a refused file bars nothing", vec![sign(4), conflicting(), sign(5), Step::Sign(5, 'b')]),
        ("votes of one's own between two files", vec![older(), sign(5), newer(), sign(5), sign(6), sign(9)]),
    ];
    cases.extend(table.into_iter().map(|(name, steps)| story(name, steps)));
}

/// Texts that are refused, each with one thing wrong.
fn refusals(cases: &mut Vec<Value>) {
    let good = File::new(4, 7, &[(5, 'a'), (7, 'a')]);
    let with = |pointer: &str, value: Value| {
        let mut file = good.json();
        *file.pointer_mut(pointer).unwrap() = value;
        file.to_string()
    };
    let without = |parent: &str, key: &str| {
        let mut file = good.json();
        file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        file.to_string()
    };
    let adding = |parent: &str| {
        let mut file = good.json();
        file.pointer_mut(parent).unwrap()["unknown"] = json!("x");
        file.to_string()
    };
    let listing = |entries: &[(u64, char)]| File::new(4, 9, entries).text();
    let hash = "11".repeat(32);
    let mut push = |name: String, text: String, code: &str| {
        cases.push(json!({"name": name, "steps": [
            {"import": text, "expect": code, "expect_minified": code},
            {"sign": {"height": "5", "app_hash": hash}, "expect": "signed", "expect_minified": "signed"},
        ]}));
    };
    for parent in ["", "/metadata", "/watermarks", "/signed/0", "/signed/1/answer"] {
        push(format!("an unknown key in {parent:?}"), adding(parent), "json");
    }
    for (parent, keys) in [
        ("", &["metadata", "watermarks", "signed"][..]),
        ("/metadata", &["format", "version", "chain_id", "public_key"]),
        ("/watermarks", &["low", "high"]),
        ("/signed/0", &["height", "message_hash"]),
        ("/signed/0/answer", &["app_hash", "public_randomness"]),
    ] {
        for key in keys {
            push(format!("no key {key} in {parent:?}"), without(parent, key), "json");
        }
    }
    for (name, height) in [
        ("with a leading zero", "05"),
        ("with a sign", "+5"),
        ("below zero", "-5"),
        ("empty", ""),
        ("with a space", " 5"),
        ("hexadecimal", "0x5"),
        ("with a fraction", "5.0"),
        ("above 64 bits", "18446744073709551616"),
        ("in other digits", "\u{0665}"),
    ] {
        push(format!("a height {name}"), with("/signed/0/height", json!(height)), "value");
        push(format!("a watermark {name}"), with("/watermarks/high", json!(height)), "value");
    }
    for pointer in ["/metadata/public_key", "/signed/0/message_hash", "/signed/0/answer/app_hash"] {
        for (name, text) in [
            ("too short", "11".repeat(31)),
            ("too long", "11".repeat(33)),
            ("in upper case", "AB".repeat(32)),
            ("prefixed", format!("0x{}", "11".repeat(31))),
            ("no hex", "zz".repeat(32)),
        ] {
            push(format!("{pointer} {name}"), with(pointer, json!(text)), "value");
        }
    }
    for pointer in ["/signed/0/height", "/watermarks/low", "/metadata/version", "/metadata/public_key"] {
        push(format!("a number at {pointer}"), with(pointer, json!(5)), "json");
    }
    push(
        "a public key that is no point".into(),
        with("/metadata/public_key", json!("ff".repeat(32))),
        "value",
    );
    push("an empty chain id".into(), with("/metadata/chain_id", json!("")), "value");
    push("a chain id of 63 bytes".into(), with("/metadata/chain_id", json!("x".repeat(63))), "value");
    push("another format".into(), with("/metadata/format", json!("eip-3076")), "format");
    push("another version".into(), with("/metadata/version", json!("2")), "format");
    push("low above high".into(), with("/watermarks/low", json!("8")), "watermarks");
    push("a listed height above high".into(), with("/watermarks/high", json!("6")), "watermarks");
    push("only a low watermark".into(), with("/watermarks/high", Value::Null), "watermarks");
    push("only a high watermark".into(), with("/watermarks/low", Value::Null), "watermarks");
    push(
        "listed heights without watermarks".into(),
        File { low: None, high: None, ..good.clone() }.text(),
        "watermarks",
    );
    push(
        "a message hash of another message".into(),
        with("/signed/0/message_hash", json!(hash)),
        "message_hash",
    );
    push("a null answer".into(), with("/signed/0/answer", Value::Null), "json");
    push("a height listed twice".into(), listing(&[(5, 'a'), (5, 'a')]), "duplicate");
    push("a height listed twice, apart".into(), listing(&[(5, 'a'), (7, 'a'), (5, 'a')]), "duplicate");
    push("two votes at one height".into(), listing(&[(5, 'a'), (5, 'b')]), "conflict");
    push("two votes at one height, apart".into(), listing(&[(5, 'a'), (7, 'a'), (5, 'b')]), "conflict");
    push("descending heights".into(), listing(&[(7, 'a'), (5, 'a')]), "order");
    let text = good.text();
    push("a text cut short".into(), text[..text.len() - 1].to_owned(), "json");
    push("something after the end".into(), format!("{text}{{}}"), "json");
    push("a repeated key".into(), text.replacen("\"watermarks\"", "\"signed\":[],\"watermarks\"", 1), "json");
    push("an empty text".into(), String::new(), "json");
}

/// Two files joined.
fn merges(cases: &mut Vec<Value>) {
    let mut push = |name: &str, a: &File, b: &File, result: Result<File, &str>| {
        let (expect, result) = match result {
            Ok(file) => ("accepted", json!(file.text())),
            Err(code) => (code, Value::Null),
        };
        for (suffix, files) in [("", [a.text(), b.text()]), (", the other way round", [b.text(), a.text()])] {
            cases.push(json!({"name": format!("merging {name}{suffix}"), "steps": [
                {"merge": files, "expect": expect, "result": result},
            ]}));
        }
    };
    let empty = File { answers: true, ..File::default() };
    let (a, b) = (File::new(2, 5, &[(3, 'a'), (5, 'a')]), File::new(4, 8, &[(5, 'a'), (7, 'a')]));
    push("overlapping files", &a, &b, Ok(File::new(4, 8, &[(3, 'a'), (5, 'a'), (7, 'a')])));
    push("with an empty history", &a, &empty, Ok(a.clone()));
    push("a file with itself", &a, &a, Ok(a.clone()));
    push("with its own minification", &a, &a.minified(), Ok(File { low: Some(5), ..a.clone() }));
    push("without and with answers", &File { answers: false, ..a.clone() }, &a, Ok(a.clone()));
    push("two votes at one height", &a, &File::new(4, 8, &[(5, 'b')]), Err("conflict"));
    let other = File::new(1, 1, &[]);
    for (name, text) in [
        ("two keys", other.text().replace(KEY, OTHER_KEY)),
        ("two chains", other.text().replace("bbn-1", "bbn-2")),
    ] {
        cases.push(json!({"name": format!("merging {name}"), "steps": [
            {"merge": [a.text(), text], "expect": "subject", "result": null},
        ]}));
    }
}

/// The whole suite.
pub fn suite() -> String {
    let mut cases = Vec::new();
    probes(&mut cases);
    histories(&mut cases);
    refusals(&mut cases);
    merges(&mut cases);
    let mut text = serde_json::to_string_pretty(&json!({"cases": cases})).unwrap();
    text.push('\n');
    text
}

#[allow(dead_code)] // the test of the suite includes this file for `suite`
fn main() {
    print!("{}", suite());
}
