//! The figures the signer is held to, each beside what the disk and libsecp256k1 take by themselves in the same run.
//! `docs/performance.md` has the results.
//!
//! `EOTS_FIGURES_DIRECTORY` names the disk to measure; without it, the system's directory for temporary files.
#![allow(missing_docs)]

use btc_staking_daemon::{clock::SystemClock, keyfile::Strength, tasks::StopSource};
use btc_staking_eots_manager::{
    channel::Door,
    grpc::{Server, client::Client},
    keys::EotsKey,
    manager::EotsManager,
    records::{RECENT_HEIGHTS, SignRecords, Subject, VoteRequest},
    service::{Service, Vault, proto::SignEotsRequest},
};
use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
};
use criterion::{Criterion, criterion_group};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};
use std::{
    fs::{self, File},
    hint::black_box,
    io::Write,
    num::NonZeroUsize,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BATCH: usize = 1_000;
const CALLS: u64 = 5_000;
const HISTORY: u64 = 10_000_000;
const OPEN: &str = "EOTS_FIGURES_OPEN";

fn directory() -> TempDir {
    let made = match std::env::var_os("EOTS_FIGURES_DIRECTORY") {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    };
    made.expect("a directory")
}

fn key(n: u8) -> EotsKey {
    EotsKey::from_secret_bytes(&[n + 1; 32]).expect("in range")
}

fn subject(n: u8) -> Subject {
    Subject { finality_provider: key(n).public_key(), chain_id: "bbn-1".parse().expect("a chain id") }
}

fn message(height: u64) -> VoteMessage {
    VoteMessage { height: PosHeight::new(height), app_hash: [9; 32] }
}

fn manager(directory: &Path) -> EotsManager {
    SignRecords::create(directory).expect("created");
    let records = SignRecords::open(directory).expect("opened");
    records.declare_new(&subject(0)).expect("declared");
    EotsManager::new(records, [key(0)])
}

fn raw_file(directory: &Path) -> File {
    File::options().append(true).create(true).open(directory.join("raw")).expect("a file")
}

fn append(file: &mut File, bytes: &[u8]) {
    file.write_all(bytes).expect("written");
    file.sync_data().expect("synced");
}

fn single(c: &mut Criterion) {
    let directory = directory();
    let (manager, subject) = (manager(directory.path()), subject(0));
    let mut raw = raw_file(directory.path());
    let mut heights = 1..;
    let mut group = c.benchmark_group("single vote");
    group.measurement_time(Duration::from_secs(5)).sample_size(20);
    group.bench_function("append 256 bytes and fdatasync", |b| b.iter(|| append(&mut raw, &[7; 256])));
    group.bench_function("recorded, signed, verified", |b| {
        b.iter(|| manager.sign_vote(&subject, message(heights.next().expect("endless"))).expect("signed"))
    });
    group.finish();
}

fn batch(c: &mut Criterion) {
    let directory = directory();
    let (manager, subject) = (manager(directory.path()), subject(0));
    let mut raw = raw_file(directory.path());
    let mut height = 0;
    let keypair = Keypair::from_seckey_slice(SECP256K1, &[7; 32]).expect("in range");
    let digest = Message::from_digest([5; 32]);
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&digest, &keypair);
    let (public, _) = keypair.x_only_public_key();
    let secret = SecretKey::from_slice(&[7; 32]).expect("in range");
    let mut group = c.benchmark_group("batch of 1,000 votes");
    group.measurement_time(Duration::from_secs(5)).sample_size(20);
    group.bench_function("append 256,000 bytes and fdatasync", |b| {
        b.iter(|| append(&mut raw, &[7; 256 * BATCH]));
    });
    group.bench_function("1,000 public keys and Schnorr verifications of libsecp256k1", |b| {
        b.iter(|| {
            for _ in 0..BATCH {
                black_box(black_box(&secret).public_key(SECP256K1));
                black_box(SECP256K1.verify_schnorr(black_box(&signature), &digest, &public)).expect("valid");
            }
        });
    });
    group.bench_function("the same on all cores", |b| {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        b.iter(|| {
            thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(|| {
                        for _ in 0..BATCH.div_ceil(cores) {
                            black_box(black_box(&secret).public_key(SECP256K1));
                            let verified = SECP256K1.verify_schnorr(black_box(&signature), &digest, &public);
                            black_box(verified).expect("valid");
                        }
                    });
                }
            });
        });
    });
    group.bench_function("recorded, signed, verified", |b| {
        b.iter(|| {
            let messages: Vec<_> = (1..=BATCH as u64).map(|n| message(height + n)).collect();
            height += BATCH as u64;
            manager.sign_batch(&subject, &messages).expect("signed")
        });
    });
    group.finish();
}

/// Times of one thing, measured in turns with others, so that what else the machine does touches all of them alike.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn measure(&mut self, call: impl FnOnce()) {
        let start = Instant::now();
        call();
        self.0.push(start.elapsed());
    }

    fn at(&mut self, percent: usize) -> Duration {
        self.0.sort();
        self.0[self.0.len() * percent / 100]
    }

    fn print(&mut self, what: &str) {
        println!("{what}: p50 {:?}, p99 {:?}", self.at(50), self.at(99));
    }
}

/// A signer behind its Unix socket, as `eots-manager serve` runs it, and a client in the same process.
struct Served {
    runtime: tokio::runtime::Runtime,
    client: Client,
    _stop: StopSource,
}

fn serve(manager: EotsManager, directory: &Path) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let vault = Vault::new([], Strength::Required).expect("empty");
    let server =
        Server::new(Arc::new(Service::new(Arc::new(manager), vault, None)), Arc::new(SystemClock::new()));
    let (stop, socket) = (StopSource::new(), directory.join("eots.sock"));
    let client = runtime.block_on(async {
        tokio::spawn(Arc::new(server).serve(Door::unix(socket.clone()).expect("a door"), stop.stop()));
        Client::unix(&socket).expect("an address")
    });
    Served { runtime, client, _stop: stop }
}

fn sign_request(message: &VoteMessage) -> SignEotsRequest {
    SignEotsRequest {
        uid: key(0).public_key().to_bytes().to_vec(),
        chain_id: b"bbn-1".to_vec(),
        msg: message.to_bytes().to_vec(),
        height: message.height.to_u64(),
    }
}

fn tails() {
    let (here, there) = (directory(), directory());
    let (local, subject) = (manager(here.path()), subject(0));
    let served = serve(manager(there.path()), there.path());
    served.runtime.block_on(served.client.ping()).expect("it answers");
    let mut raw = raw_file(here.path());
    let [mut append_and_sync, mut in_process, mut over_socket, mut ping] = [const { Times(Vec::new()) }; 4];
    for height in 1..=CALLS {
        append_and_sync.measure(|| append(&mut raw, &[7; 256]));
        in_process.measure(|| {
            black_box(local.sign_vote(&subject, message(height)).expect("signed"));
        });
        ping.measure(|| served.runtime.block_on(served.client.ping()).expect("it answers"));
        let request = sign_request(&message(height));
        over_socket.measure(|| {
            black_box(served.runtime.block_on(served.client.sign_eots(&request)).expect("signed"));
        });
    }
    append_and_sync.print("append 256 bytes and fdatasync");
    in_process.print("single vote in process");
    ping.print("a question over the Unix socket that does nothing");
    over_socket.print("single vote over the Unix socket");
    let bar = append_and_sync.at(99) * 2 + Duration::from_micros(300);
    let found = over_socket.at(99);
    println!("p99 over the socket {found:?}, the bar of 2 x raw + 0.3 ms is {bar:?}");
}

/// Writes a history of votes of this many keys, in large batches.
fn write_history(directory: &Path, keys: u8, votes: u64) {
    SignRecords::create(directory).expect("created");
    let records = SignRecords::open(directory).expect("opened");
    let subjects: Vec<_> = (0..keys).map(subject).collect();
    for subject in &subjects {
        records.declare_new(subject).expect("declared");
    }
    let mut height = 0;
    while height < votes / u64::from(keys) {
        for subject in &subjects {
            let requests = (1..=4_000).map(|n| VoteRequest {
                subject: subject.clone(),
                message: message(height + n),
                public_randomness: PublicRandomness::from_bytes([3; 32]),
            });
            records.check_and_record_batch(requests.collect()).expect("recorded");
        }
        height += 4_000;
    }
}

/// What a process of its own does: it opens the records, signs once and says how long that took and what it holds.
fn open_and_sign(directory: &Path) {
    let start = Instant::now();
    let records = SignRecords::open(directory).expect("opened");
    let next = records.highest(&subject(0)).expect("there are votes").to_u64() + 1;
    let manager = EotsManager::new(records, (0..10).map(key));
    manager.sign_vote(&subject(0), message(next)).expect("signed");
    let took = start.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no figure");
    println!("opened to first vote: {took:?}, {peak}");
}

fn start_with_history(keys: u8, votes: u64) {
    let directory = directory();
    let start = Instant::now();
    write_history(directory.path(), keys, votes);
    let size = fs::metadata(directory.path().join("sign-records")).expect("there").len();
    println!("{votes} votes of {keys} keys recorded in {:?}; the file has {size} bytes", start.elapsed());
    for _ in 0..3 {
        let this = std::env::current_exe().expect("this program");
        Command::new(this).env(OPEN, directory.path()).status().expect("run");
    }
}

criterion_group!(benches, single, batch);

fn main() {
    if let Some(directory) = std::env::var_os(OPEN) {
        return open_and_sign(Path::new(&directory));
    }
    benches();
    tails();
    start_with_history(1, HISTORY);
    start_with_history(10, HISTORY);
    println!("votes remembered per key and chain: {RECENT_HEIGHTS}");
    Criterion::default().configure_from_args().final_summary();
}
