//! The `eots-manager` program: from an empty folder to a signature, over the socket of a process of its own.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use btc_staking_daemon::{entropy::OsEntropy, keyfile::KdfParams, passphrase::Passphrase};
use btc_staking_eots_manager::{
    grpc::client::Client,
    keyfiles::store_key,
    keys::EotsKey,
    service::proto::{SignEotsRequest, UnlockKeyRequest},
};
use served::{CHAIN, PASSPHRASE, SECRET_KEY, vote};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tonic::Code;

struct Program {
    folder: TempDir,
    config: PathBuf,
}

impl Program {
    /// A folder with a sealed key and a configuration with these lines added.
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let key = EotsKey::from_secret_bytes(&SECRET_KEY).unwrap();
        let words = Passphrase::new(PASSPHRASE.to_owned()).unwrap();
        store_key(Path::new(&at("key")), &key, &words, KdfParams::recommended(), &OsEntropy).unwrap();
        let text = format!(
            "data_dir = {:?}\nkey_files = [{:?}]\nunlock_at_start = false\nlisten = \"127.0.0.1:0\"\n{more}\n",
            at("data"),
            at("key")
        );
        let config = folder.path().join("eots-manager.toml");
        fs::write(&config, text).unwrap();
        Self { folder, config }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eots-manager"));
        command.arg("--config").arg(&self.config).args(args).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("data/eots.sock")
    }

    fn serve(&self) -> Serving {
        let mut command = self.command(&["serve"]);
        let serving = Serving(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.run(&["ping"]).status.success() {
            assert!(Instant::now() < deadline, "the signer does not answer");
        }
        serving
    }
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_of_its_own_unlocks_signs_and_remembers_after_a_kill() {
    let program = Program::new("");
    assert_eq!(program.run(&["serve"]).status.code(), Some(3), "records are not there yet");
    assert!(program.run(&["init"]).status.success());
    assert_eq!(program.run(&["init"]).status.code(), Some(3));
    let uid = EotsKey::from_secret_bytes(&SECRET_KEY).unwrap().public_key();
    let sign = |block| SignEotsRequest {
        uid: uid.to_bytes().to_vec(),
        chain_id: CHAIN.to_vec(),
        msg: vote(1, [block; 32]),
        height: 1,
    };
    let key = uid.to_string();
    assert_eq!(program.run(&["init", "--key", &key]).status.code(), Some(2), "on which chain?");
    for _ in 0..2 {
        let chain = std::str::from_utf8(CHAIN).unwrap();
        assert!(program.run(&["init", "--key", &key, "--chain", chain]).status.success());
    }
    let unlock = UnlockKeyRequest { uid: uid.to_bytes().to_vec(), passphrase: PASSPHRASE.to_owned() };

    let mut released = Vec::new();
    for block in [1, 2] {
        let serving = program.serve();
        assert_eq!(program.run(&["serve"]).status.code(), Some(8), "one signer per folder");
        let client = Client::unix(&program.socket()).unwrap();
        assert_eq!(client.sign_eots(&sign(block)).await.unwrap_err().code(), Code::Unknown, "locked");
        client.unlock_key(&unlock).await.unwrap();
        match client.sign_eots(&sign(block)).await {
            Ok(signed) => released.push(signed),
            Err(status) => assert_eq!((status.code(), block), (Code::FailedPrecondition, 2)),
        }
        assert_eq!(client.sign_eots(&sign(1)).await.unwrap(), released[0]);
        drop(serving);
    }
    assert_eq!(released.len(), 1);
}

#[test]
fn a_start_without_a_readable_secret_or_beyond_loopback_is_refused() {
    for (address, secret) in [
        ("127.0.0.1:0", "env:THIS_VARIABLE_IS_SET_NOWHERE"),
        ("127.0.0.1:0", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
        ("0.0.0.0:0", "env:CHANNEL_SECRET"),
    ] {
        for authentication in ["header-mac", "mac-v2"] {
            let program = Program::new(&format!(
                "[tcp]\naddress = {address:?}\nauthentication = {authentication:?}\nsecret = {secret:?}"
            ));
            assert!(program.run(&["init"]).status.success());
            let mut command = program.command(&["serve"]);
            let ended =
                command.env("CHANNEL_SECRET", "a secret of more than sixteen bytes").output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(2), "{address} {secret}: {said}");
        }
    }
}
