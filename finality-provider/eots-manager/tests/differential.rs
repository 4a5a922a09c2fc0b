//! The service beside the established manager: the same key in both, the same requests to both, the same bytes and
//! status codes back. `EOTSD_EXE` names that program; without it the test says that it did nothing.
//!
//! `EOTSD_REQUESTS` sets how many random requests there are, `EOTSD_SEED` which.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod served;

use bitcoin::{
    XOnlyPublicKey,
    secp256k1::{Message as Digest, SECP256K1, schnorr::Signature},
};
use btc_staking_daemon::entropy::{Entropy, SeededEntropy};
use btc_staking_eots_manager::{
    grpc::client::Client,
    service::{Method, proto::*},
};
use prost::Message;
use served::*;
use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tonic::Code;

/// The established manager, with our key in its keyring and authentication on.
struct Established {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Established {
    fn start(program: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // It wants to create its folder itself.
        let home = directory.path().join("home");
        let run = |args: &[&str]| {
            let output = Command::new(program).args(args).arg("--home").arg(&home).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["init"]);
        run(&["keys", "import-hex", "operator", &hex::encode(SECRET_KEY), "--keyring-backend", "test"]);
        let address = free_address();
        configure(&home.join("eotsd.conf"), address, free_address().port());
        let mut start = Command::new(program);
        start.arg("start").arg("--home").arg(&home).stdin(Stdio::null());
        let child = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, address, _directory: directory }
    }

    async fn wait(&self, client: &Client) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(status) = client.ping().await {
            assert!(Instant::now() < deadline, "the established manager does not answer: {status}");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Established {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configure(path: &Path, address: SocketAddr, metrics: u16) {
    let written = fs::read_to_string(path).unwrap();
    let replaced = written.lines().map(|line| match line.split(' ').next() {
        Some("RPCListener") => format!("RPCListener = {address}"),
        Some("HMACKey") => format!("HMACKey = {}", std::str::from_utf8(SECRET).unwrap()),
        Some("Port") => format!("Port = {metrics}"),
        _ => line.to_owned(),
    });
    let text: Vec<String> = replaced.collect();
    fs::write(path, text.join("\n")).unwrap();
}

struct Random(SeededEntropy);

impl Random {
    fn below(&self, limit: u64) -> u64 {
        self.0.next_u64().unwrap() % limit
    }
    fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
    fn bytes(&self, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.0.fill(&mut bytes).unwrap();
        bytes
    }

    fn uid(&self, held: &[u8]) -> Vec<u8> {
        match self.below(20) {
            0 => self.bytes(32),
            1 => self.bytes(self.below(40)),
            2 => Vec::new(),
            _ => held.to_vec(),
        }
    }

    fn chain_id(&self) -> Vec<u8> {
        [b"bbn-1".as_slice(), b"bbn-test-6", b"a"][usize::try_from(self.below(3)).unwrap()].to_vec()
    }

    /// Few heights and few blocks, so that votes repeat and conflict.
    fn vote(&self) -> (u64, Vec<u8>) {
        let height = if self.one_in(10) { u64::MAX - self.below(3) } else { self.below(60) };
        (height, vote(height, [u8::try_from(self.below(3)).unwrap(); 32]))
    }

    fn request(&self, held: &[u8]) -> (Method, Vec<u8>) {
        let (uid, chain_id) = (self.uid(held), self.chain_id());
        let single =
            |(height, msg)| SignEotsRequest { uid: uid.clone(), chain_id: chain_id.clone(), msg, height };
        match self.below(100) {
            0..40 => (Method::SignEots, single(self.vote()).encode_to_vec()),
            40..45 => (Method::UnsafeSignEots, single(self.vote()).encode_to_vec()),
            45..65 => {
                let votes = (0..self.below(7)).map(|_| self.vote());
                let sign_requests = votes.map(|(height, msg)| SignDataRequest { msg, height }).collect();
                let request = SignBatchEotsRequest { uid, chain_id, sign_requests };
                (Method::SignBatchEots, request.encode_to_vec())
            }
            65..80 => {
                let interval = [None, Some(0), Some(1), Some(7)][usize::try_from(self.below(4)).unwrap()];
                let (start_height, num) = (self.below(1 << 40), u32::try_from(self.below(50)).unwrap());
                let request = CreateRandomnessPairListRequest { uid, chain_id, start_height, num, interval };
                (Method::CreateRandomnessPairList, request.encode_to_vec())
            }
            80..90 => {
                let msg = self.bytes(if self.one_in(3) { self.below(70) } else { 32 });
                (Method::SignSchnorrSig, SignSchnorrSigRequest { uid, msg }.encode_to_vec())
            }
            90..93 => {
                let request = SaveEotsKeyNameRequest { key_name: "operator".into(), eots_pk: vec![9; 33] };
                (Method::SaveEotsKeyName, request.encode_to_vec())
            }
            93..95 => (Method::Ping, Vec::new()),
            // An empty request, which for these is one of an unknown key.
            95..97 => {
                let methods = [Method::SignEots, Method::SignBatchEots, Method::CreateRandomnessPairList];
                (methods[usize::try_from(self.below(3)).unwrap()], Vec::new())
            }
            // A length that goes past the end: no message.
            _ => (Method::SignEots, vec![0x0a, 0x7f, 1, 2, 3]),
        }
    }
}

type Answer = Result<Vec<u8>, Code>;

async fn ask(client: &Client, method: Method, body: &[u8]) -> Answer {
    client.call(method, body.to_vec()).await.map_err(|status| status.code())
}

/// Same code and same bytes; BIP-340 signatures are made with other nonces and must both verify.
fn check_same(method: Method, body: &[u8], ours: &Answer, theirs: &Answer) {
    if let (Method::SignSchnorrSig, Ok(ours), Ok(theirs)) = (method, ours, theirs) {
        let request = SignSchnorrSigRequest::decode(body).unwrap();
        let digest = Digest::from_digest(request.msg.try_into().unwrap());
        let key = XOnlyPublicKey::from_slice(&request.uid).unwrap();
        for answer in [ours, theirs] {
            let sig = SignSchnorrSigResponse::decode(answer.as_slice()).unwrap().sig;
            SECP256K1.verify_schnorr(&Signature::from_slice(&sig).unwrap(), &digest, &key).unwrap();
        }
        return;
    }
    assert_eq!(ours, theirs, "{method:?} {}", hex::encode(body));
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_established_manager_gives_the_same_bytes_and_codes() {
    let Ok(program) = env::var("EOTSD_EXE") else {
        println!("skipped: EOTSD_EXE does not name the established manager");
        return;
    };
    let established = Established::start(&program);
    let theirs = header_client(established.address, SECRET);
    established.wait(&theirs).await;
    let mut signer = Signer::new(true);
    let address = signer.header_mac().await;
    let ours = header_client(address, SECRET);

    same_statuses_for_wrong_macs(address, established.address).await;
    let seed = number("EOTSD_SEED", 1);
    println!("seed {seed}");
    let random = Random(SeededEntropy::new(seed));
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..number("EOTSD_REQUESTS", 2_000) {
        let (method, body) = random.request(&signer.uid);
        let (our, their) = (ask(&ours, method, &body).await, ask(&theirs, method, &body).await);
        check_same(method, &body, &our, &their);
        if our.is_ok() { answered += 1 } else { refused += 1 }
    }
    println!("{answered} requests answered alike, {refused} refused alike");
    assert!(answered > 0 && refused > 0);
    known_differences(&signer.uid, &ours, &theirs).await;
}

async fn same_statuses_for_wrong_macs(ours: SocketAddr, theirs: SocketAddr) {
    let established = |method: &Method| !matches!(method, Method::SaveEotsKeyName | Method::Own(_));
    for method in Method::ALL.into_iter().filter(established) {
        let our = ask(&header_client(ours, b"wrong"), method, &[]).await;
        let their = ask(&header_client(theirs, b"wrong"), method, &[]).await;
        assert_eq!(our, their, "{method:?}");
    }
}

/// What is answered differently on purpose, so that a change on either side is noticed.
async fn known_differences(uid: &[u8], ours: &Client, theirs: &Client) {
    let odd = [(1_000_001, vec![]), (1_000_002, vec![7; 41]), (1_000_003, vote(4, [1; 32]))];
    for (height, msg) in odd {
        let request = SignEotsRequest { uid: uid.to_vec(), chain_id: CHAIN.to_vec(), msg, height };
        let body = request.encode_to_vec();
        assert_eq!(ask(ours, Method::SignEots, &body).await, Err(Code::InvalidArgument));
        assert!(ask(theirs, Method::SignEots, &body).await.is_ok());
    }
    for chain_id in [vec![], vec![b'a'; 63], vec![0xff]] {
        let (msg, height) = (vote(1_000_004, [1; 32]), 1_000_004);
        let body = SignEotsRequest { uid: uid.to_vec(), chain_id, msg, height }.encode_to_vec();
        assert_eq!(ask(ours, Method::SignEots, &body).await, Err(Code::InvalidArgument));
        assert!(ask(theirs, Method::SignEots, &body).await.is_ok());
    }
}
