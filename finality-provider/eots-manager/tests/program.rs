//! The `eots-manager` program: from an empty folder to a signature, over the socket of a process of its own.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use btc_staking_daemon::{entropy::OsEntropy, keyfile::KdfParams, passphrase::Passphrase};
use btc_staking_eots_manager::{
    grpc::client::Client,
    keyfiles::store_key,
    keys::EotsKey,
    records::Subject,
    service::proto::{SignEotsRequest, UnlockKeyRequest},
    signer::{Remote, Signer, SignerError},
};
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
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

/// The records' file may not grow past its limit, as on a full disk: the signer ends, whoever asked it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_made_durable_ends_the_signer_and_not_its_caller() {
    let program = Program::new("");
    assert!(program.run(&["init"]).status.success());
    let key = EotsKey::from_secret_bytes(&SECRET_KEY).unwrap().public_key();
    let new = ["init", "--key", &key.to_string(), "--chain", std::str::from_utf8(CHAIN).unwrap()];
    assert!(program.run(&new).status.success());

    let serve = program.command(&["serve"]);
    let mut limited = Command::new("sh");
    // Without the trap the system would kill the process instead of failing the write.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    limited.arg(serve.get_program()).args(serve.get_args());
    let mut serving = Serving(limited.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !program.run(&["ping"]).status.success() {
        assert!(Instant::now() < deadline, "the signer does not answer");
    }
    let client = Client::unix(&program.socket()).unwrap();
    let unlock = UnlockKeyRequest { uid: key.to_bytes().to_vec(), passphrase: PASSPHRASE.to_owned() };
    client.unlock_key(&unlock).await.unwrap();
    let remote = Remote::new(client);
    let chain_id = std::str::from_utf8(CHAIN).unwrap().parse().unwrap();
    let subject = Subject { finality_provider: key, chain_id };
    let range = remote.sign_commitment(&subject, PosHeight::new(1), 2_000).await.unwrap().content();
    let vote = |height| VoteMessage { height: PosHeight::new(height), app_hash: [1; 32] };
    let signed = remote.vote_batch(&subject, vec![vote(1)], range).await.unwrap();
    assert!(signed[0].result.is_ok());
    let full = remote.vote_batch(&subject, (2..=2_000).map(vote).collect(), range).await;
    assert!(matches!(full, Err(SignerError::Unreachable(_))), "{full:?}");
    let status = loop {
        if let Some(status) = serving.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "the signer goes on");
        tokio::task::yield_now().await;
    };
    assert_eq!(status.code(), Some(1));
    assert!(matches!(remote.history(&subject).await, Err(SignerError::Unreachable(_))));
}
