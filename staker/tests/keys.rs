//! `staker keys` on the real program: a phrase is drawn, sealed, shown when asked for, and restored.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use serde_json::Value;
use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const CONFIG: &str = r#"
data_dir = "data"
key_file = "phrase.key"
[chain]
id = "devnet"
rpc = ["http://127.0.0.1:1"]
[bitcoin]
network = "regtest"
rpc_url = "http://127.0.0.1:1"
cookie_file = "cookie"
"#;

fn staker(folder: &Path, args: &[&str], input: &str) -> Output {
    std::fs::write(folder.join("staker.toml"), CONFIG).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_staker"))
        .current_dir(folder)
        .args(["--json", "--passphrase", "env:STAKER_PASSPHRASE"])
        .args(args)
        .env("STAKER_PASSPHRASE", "correct horse")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_phrase_that_nobody_would_see_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = failure(&staker(folder.path(), &["keys", "create"], ""));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--show-phrase"), "{text}");
    assert!(!folder.path().join("phrase.key").exists());
}

#[test]
fn a_drawn_phrase_restores_the_same_keys() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut created = done(&staker(first.path(), &["keys", "create", "--show-phrase"], ""));
    let phrase = created.as_object_mut().unwrap().remove("phrase").unwrap();
    let phrase = phrase.as_str().unwrap();
    assert_eq!(phrase.split(' ').count(), 24);
    let sealed = std::fs::read_to_string(first.path().join("phrase.key")).unwrap();
    assert!(!sealed.contains(phrase), "the file is sealed");

    assert_eq!(done(&staker(first.path(), &["keys", "show"], "")), created, "without the phrase");
    let shown = done(&staker(first.path(), &["keys", "show", "--show-phrase"], ""));
    assert_eq!(shown["phrase"], phrase);
    let restored = done(&staker(second.path(), &["keys", "restore"], &format!("{phrase}\n")));
    assert_eq!(restored, created);
}

#[test]
fn a_key_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let first = done(&staker(folder.path(), &["keys", "create", "--words", "12", "--show-phrase"], ""));
    let words = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong";
    let (code, text) = failure(&staker(folder.path(), &["keys", "restore"], words));
    assert_eq!(code, Some(3), "{text}");
    let shown = done(&staker(folder.path(), &["keys", "show"], ""));
    assert_eq!(shown["staker_key"], first["staker_key"]);
}

#[test]
fn what_is_no_phrase_is_refused_without_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    for words in ["", "correct horse battery staple", "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo"] {
        let (code, text) = failure(&staker(folder.path(), &["keys", "restore"], words));
        assert_eq!(code, Some(2), "{text}");
        assert!(!text.contains("zoo") && !text.contains("staple"), "{text}");
    }
    let (code, _) =
        failure(&staker(folder.path(), &["keys", "create", "--words", "13", "--show-phrase"], ""));
    assert_eq!(code, Some(2));
    assert!(!folder.path().join("phrase.key").exists());
}
