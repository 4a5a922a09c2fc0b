//! `eots migrate` as an operator meets it, over files of the Go manager and, with EOTSD_EXE, over the program itself.

#![allow(clippy::unwrap_used)] // helpers of tests are outside #[test] functions

use btc_staking_finality_provider::config::SAMPLE;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const ALICE: &str = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0";
const ALICE_SECRET: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
/// Of 32 bytes of 03.
const DAVE: &str = "531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337";

struct Operator {
    directory: tempfile::TempDir,
}

impl Operator {
    /// A configuration with this many key files.
    fn new(key_files: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let files: Vec<String> =
            (0..key_files).map(|n| format!("{:?}", path(&format!("eots-{n}.key")))).collect();
        let config = SAMPLE
            .replace("finality-provider-data", &path("data"))
            .replace("\"finality-provider-eots.key\"", &files.join(", "))
            .replace("finality-provider-account.key", &path("account.key"));
        fs::write(directory.path().join("config.toml"), config).unwrap();
        fs::write(directory.path().join("words"), "battery staple\n").unwrap();
        fs::write(directory.path().join("old-words"), "correct horse\n").unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A home of the old manager, from the files its programs wrote.
    fn old_home(&self, kind: &str, keyring: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("eots-manager/tests/data/go").join(kind);
        let home = self.path("eotsd");
        fs::create_dir_all(home.join("data")).unwrap();
        fs::create_dir(home.join(keyring)).unwrap();
        fs::copy(from.join("data/eots.db"), home.join("data/eots.db")).unwrap();
        for file in fs::read_dir(from.join(keyring)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), home.join(keyring).join(file.file_name())).unwrap();
        }
        home
    }

    fn run(&self, args: &[&str]) -> Output {
        let words = |name: &str| format!("file:{}", self.path(name).display());
        Command::new(env!("CARGO_BIN_EXE_finality-provider"))
            .args(["--config", self.path("config.toml").to_str().unwrap(), "--passphrase", &words("words")])
            .args(args)
            .output()
            .unwrap()
    }

    fn migrate(&self, home: &Path, more: &[&str]) -> Output {
        let old = format!("file:{}", self.path("old-words").display());
        let from = home.to_str().unwrap();
        let args = ["--json", "eots", "migrate", "--from", from, "--keyring-passphrase", &old];
        self.run(&[&args, more].concat())
    }
}

fn report(output: &Output) -> Value {
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn one_command_takes_a_file_keyring_over_and_may_be_run_again() {
    let operator = Operator::new(1);
    let home = operator.old_home("file-home", "keyring-file");
    let first = report(&operator.migrate(&home, &[]));
    assert_eq!(
        first["keys"],
        json!([{"public_key": DAVE, "name": "dave", "file": operator.path("eots-0.key")}])
    );
    assert_eq!(first["histories"][0]["reproduced"], 1);
    assert_eq!(first["histories"][0]["watermark"], 55);
    assert_eq!(first["old_database"], json!(home.join("data/eots.db.taken-over")));
    assert!(fs::read_to_string(home.join("data/eots.db")).unwrap().starts_with("This is no database."));
    let records = fs::read(operator.path("data/sign-records")).unwrap();

    assert_eq!(report(&operator.migrate(&home, &[])), first);
    assert_eq!(fs::read(operator.path("data/sign-records")).unwrap(), records);
    let listed = report(&operator.run(&["--json", "keys", "list"]));
    assert_eq!(listed["eots"][0]["public_key"], DAVE);
}

#[test]
fn a_dry_run_reports_the_same_and_writes_nothing() {
    let operator = Operator::new(2);
    let home = operator.old_home("test-home", "keyring-test");
    let before = fs::read(home.join("data/eots.db")).unwrap();
    let planned = report(&operator.migrate(&home, &["--dry-run"]));
    assert_eq!(planned["dry_run"], true);
    assert_eq!(planned["histories"].as_array().unwrap().len(), 3);
    assert!(!operator.path("data").exists() && !operator.path("eots-0.key").exists());
    assert_eq!(fs::read(home.join("data/eots.db")).unwrap(), before);
    let done = report(&operator.migrate(&home, &[]));
    assert_eq!((&done["keys"], &done["histories"]), (&planned["keys"], &planned["histories"]));
}

#[test]
fn what_cannot_be_taken_over_whole_is_refused_before_anything_is_written() {
    let operator = Operator::new(1);
    let home = operator.old_home("test-home", "keyring-test");
    let refused = operator.migrate(&home, &[]);
    assert_eq!(refused.status.code(), Some(2));
    let shown = [refused.stdout, refused.stderr].concat();
    assert!(String::from_utf8_lossy(&shown).contains("2 keys are to be taken over: add 1"));
    assert!(!operator.path("data").exists());

    let operator = Operator::new(1);
    let home = operator.old_home("file-home", "keyring-file");
    fs::write(operator.path("old-words"), "wrong horse").unwrap();
    assert_eq!(operator.migrate(&home, &[]).status.code(), Some(3));
    assert!(!operator.path("data").exists() && !home.join("data/eots.db.taken-over").exists());
}

#[test]
fn records_travel_in_a_file_and_bar_the_same_elsewhere() {
    let (old, new) = (Operator::new(2), Operator::new(2));
    report(&old.migrate(&old.old_home("test-home", "keyring-test"), &[]));
    let file = |name: &str| old.path(name).display().to_string();
    let export = ["--json", "eots", "export", "--key", ALICE, "--to"];
    let exported = report(&old.run(&[&export[..], &[&file("all")]].concat()));
    assert_eq!((&exported["signed"], &exported["barred_up_to"]), (&json!(9), &json!(108)));
    assert_eq!(old.run(&[&export[..], &[&file("all")]].concat()).status.code(), Some(3), "the file is there");
    let minified = report(&old.run(&["--json", "eots", "minify", &file("all"), "--to", &file("small")]));
    assert_eq!((&minified["signed"], &minified["barred_up_to"]), (&json!(0), &json!(108)));
    let files = [file("all"), file("small"), file("merged")];
    report(&old.run(&["--json", "eots", "merge", &files[0], &files[1], "--to", &files[2]]));
    report(&new.run(&["--json", "eots", "import", "--from", &files[2]]));
    let again = report(&new.run(&[&export[..], &[&file("again")]].concat()));
    assert_eq!((&again["signed"], &again["barred_up_to"]), (&json!(9), &json!(108)));
    assert_eq!(fs::read(file("again")).unwrap(), fs::read(file("all")).unwrap());

    let text = fs::read_to_string(file("all")).unwrap();
    fs::write(file("wrong"), text.replacen("\"height\": \"100\"", "\"height\": \"98\"", 1)).unwrap();
    let refused = new.run(&["eots", "import", "--from", &file("wrong")]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("signed[0].message_hash"));
}

#[test]
fn an_exported_key_is_imported_with_its_passphrase_and_as_the_expected_key() {
    let operator = Operator::new(1);
    let armor = Path::new(env!("CARGO_MANIFEST_DIR")).join("eots-manager/tests/data/go/alice.armor");
    fs::write(operator.path("old-words"), "armor pass phrase").unwrap();
    let words = format!("file:{}", operator.path("old-words").display());
    let import = |expected: &str| {
        let from = ["--json", "keys", "import", "--which", "eots", "--from", armor.to_str().unwrap()];
        operator.run(&[&from[..], &["--armor-passphrase", &words, "--expect", expected]].concat())
    };
    assert_eq!(import(DAVE).status.code(), Some(3));
    assert!(!operator.path("eots-0.key").exists());
    assert_eq!(report(&import(ALICE))["public_key"], ALICE);
}

/// Runs the Go manager in a fresh home until it listens or ends.
struct GoManager {
    program: PathBuf,
    home: PathBuf,
    port: u16,
}

impl GoManager {
    fn new(program: PathBuf, home: PathBuf) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, metrics) = (free(), free());
        let manager = Self { program, home, port };
        assert!(manager.command(&["init"]).output().unwrap().status.success());
        let config = manager.home.join("eotsd.conf");
        let text = fs::read_to_string(&config).unwrap();
        let text = text.replace("127.0.0.1:12582", &format!("127.0.0.1:{port}"));
        fs::write(config, text.replace("Port = 2113", &format!("Port = {metrics}"))).unwrap();
        manager
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--home").arg(&self.home).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts it and runs `work` once it listens; false when it ended by itself.
    fn serve(&self, work: impl FnOnce()) -> bool {
        let mut child = self.command(&["start"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let listens = loop {
            if child.try_wait().unwrap().is_some() {
                break false;
            }
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                break true;
            }
            assert!(Instant::now() < deadline, "it neither listens nor ends");
            std::thread::yield_now();
        };
        if listens {
            work();
            child.kill().unwrap();
        }
        child.wait().unwrap();
        listens
    }

    /// Has a vote signed over gRPC, spoken by curl.
    fn sign(&self, height: u8) {
        let mut message = vec![0; 8];
        message[7] = height;
        message.extend([height; 32]);
        let mut body = vec![0x0a, 32];
        body.extend(hex::decode(ALICE).unwrap());
        body.extend(b"\x12\x05bbn-1\x1a\x28");
        body.extend(message);
        body.extend([0x20, height]);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let file = self.home.join("request");
        fs::write(&file, [&[0], &length[..], &body].concat()).unwrap();
        let url = format!("http://127.0.0.1:{}/proto.EOTSManager/SignEOTS", self.port);
        let data = format!("@{}", file.display());
        let headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
        let answer = Command::new("curl")
            .args(["-s", "--http2-prior-knowledge", "--data-binary", &data, &url])
            .args(headers)
            .output()
            .unwrap();
        // A frame of five bytes, a field of two, a scalar of 32.
        assert_eq!(answer.stdout.len(), 39, "the Go manager did not sign");
    }
}

#[test]
fn the_go_manager_itself_is_taken_over_and_does_not_start_again() {
    let Some(program) = std::env::var_os("EOTSD_EXE") else {
        eprintln!("skipped: EOTSD_EXE names no Go manager");
        return;
    };
    let operator = Operator::new(1);
    let old = GoManager::new(program.into(), operator.path("eotsd"));
    let import = ["keys", "import-hex", "alice", ALICE_SECRET, "--keyring-backend", "test"];
    assert!(old.command(&import).status().unwrap().success());
    let mut while_it_runs = None;
    assert!(old.serve(|| {
        (1..=20).for_each(|height| old.sign(height));
        while_it_runs = Some(operator.migrate(&old.home, &[]));
    }));
    let refused = while_it_runs.unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));

    let report = report(&operator.migrate(&old.home, &[]));
    assert_eq!(report["keys"][0]["public_key"], ALICE);
    assert_eq!(report["histories"][0]["reproduced"], 20);
    assert_eq!(report["histories"][0]["watermark"], 20);
    assert!(!old.serve(|| ()), "the old manager started with its database taken over");
}
