//! Daemons and signers in processes of their own, on the embedded chain: ours on ours, the Go daemon on ours, and an
//! operator who moves from the Go programs to ours.
//!
//! `EOTSD_EXE` and `FPD_EXE` name the programs of the finality provider's Go software; without them their tests say that
//! they were skipped.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

mod programs;
#[allow(dead_code, unused_imports)] // shared with the chain's own tests, which use more of it
#[path = "../../chain/tests/chain/support/mod.rs"]
mod support;

use btc_staking_babylon::proto::finality::{
    QueryListPubRandCommitRequest, QueryListPubRandCommitResponse, QueryVotesAtHeightRequest,
};
use btc_staking_daemon::{clock::SystemClock, tasks::StopSource};
use btc_staking_devnet_chain::Genesis;
use btc_staking_eots_manager::{
    channel::Door,
    grpc::Server,
    keys::EotsKey,
    manager::EotsManager,
    records::{SignRecords, Subject},
    service::{Service, Vault},
};
use btc_staking_protocol::keys::FinalityProviderPublicKey;
use programs::{GoProgram, Ours, Running, free_port};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use support::{CHAIN, World, genesis, secret, stake::Stake};
use tokio::net::TcpStream;

/// The account that pays.
const ACCOUNT: &str = "provider-1";
const HMAC_KEY: &str = "a secret of more than sixteen bytes";
/// Heights in one commitment of the Go daemon.
const RANDOMNESS: u64 = 4_000;

fn programs() -> Option<(String, String)> {
    let found = |name| std::env::var(name).ok();
    let both = found("EOTSD_EXE").zip(found("FPD_EXE"));
    if both.is_none() {
        println!("SKIPPED: EOTSD_EXE and FPD_EXE do not name the Go programs");
    }
    both
}

fn eots_secret() -> [u8; 32] {
    secret("eots of the go programs")
}

fn key() -> FinalityProviderPublicKey {
    EotsKey::from_secret_bytes(&eots_secret()).unwrap().public_key()
}

/// Nobody is jailed for the time that moving takes.
fn patient() -> Genesis {
    let mut genesis = genesis();
    genesis.finality.signed_blocks_window = 100_000;
    genesis
}

/// The Go daemon, on a signer at an address.
fn go_daemon(exe: &str, home: &Path, world: &World, signer: &str) -> (GoProgram, String) {
    let daemon = GoProgram::init(exe, home, "fpd.conf");
    let listen = format!("127.0.0.1:{}", free_port());
    daemon.configure(&[
        ("NumPubRand", RANDOMNESS.to_string()),
        ("TimestampingDelayBlocks", "20".to_owned()),
        ("RandomnessCommitInterval", "1s".to_owned()),
        ("PollInterval", "200ms".to_owned()),
        ("EOTSManagerAddress", signer.to_owned()),
        ("HMACKey", HMAC_KEY.to_owned()),
        ("RPCListener", listen.clone()),
        ("ChainID", CHAIN.to_owned()),
        ("RPCAddr", world.node.rpc_url()),
        ("GRPCAddr", world.node.grpc_url()),
        ("Port", free_port().to_string()),
    ]);
    daemon.import("finality-provider", &secret(ACCOUNT));
    (daemon, listen)
}

/// Starts the Go daemon, registers, waits for its randomness, stakes with it, and waits until the chain stores a vote.
async fn register_and_vote(world: &mut World, daemon: &GoProgram, listen: &str) -> Running {
    let running = daemon.start();
    let (key_hex, register) = (key().to_string(), "create-finality-provider");
    let args = [
        register,
        "--daemon-address",
        listen,
        "--chain-id",
        CHAIN,
        "--eots-pk",
        &key_hex,
        "--key-name",
        "finality-provider",
        "--moniker",
        "go",
        "--commission-rate",
        "0.05",
        "--commission-max-rate",
        "0.2",
        "--commission-max-change-rate",
        "0.01",
    ];
    // As soon as it listens; refused, it would tell why once more.
    world.until("the Go daemon listens", || async { TcpStream::connect(listen).await.ok().map(drop) }).await;
    daemon.run(&args);
    // It serves a provider only from the next start on, and until then does not listen to signals.
    drop(running);
    let mut running = daemon.start();
    stake_and_vote(world).await;
    running.check();
    running
}

/// Makes the randomness usable, stakes with the provider, and waits until the chain stores a vote of it.
async fn stake_and_vote(world: &mut World) {
    world.until("committed randomness", || async { commitments(world).await.pop_first() }).await;
    world.finalise_epochs().await;
    let params = world.params.clone();
    world.activate(&Stake::new(&params, "stake with the provider", key(), 2_000)).await;
    next_vote(world, 0).await;
}

async fn commitments(world: &World) -> std::collections::BTreeMap<u64, Vec<u8>> {
    let request = QueryListPubRandCommitRequest { fp_btc_pk_hex: key().to_string(), pagination: None };
    let QueryListPubRandCommitResponse { pub_rand_commit_map, .. } = world.query(request).await.unwrap();
    pub_rand_commit_map.into_iter().map(|(start, found)| (start, found.commitment)).collect()
}

/// Whether the chain stores a vote of the key for a height.
async fn has_vote(world: &World, height: u64) -> bool {
    let votes = world.query(QueryVotesAtHeightRequest { height }).await.unwrap();
    votes.btc_pks.contains(&key().to_bytes().to_vec())
}

/// The next height above one for which the chain stores a vote of the key.
async fn next_vote(world: &World, above: u64) -> u64 {
    let first = world.activated().await.max(above + 1);
    world
        .until("a vote", || async {
            for height in first..=world.node.height() {
                if has_vote(world, height).await {
                    return Some(height);
                }
            }
            None
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_daemon_registers_commits_and_votes_on_our_signer() {
    let Some((_, fpd)) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::start_with(patient()).await;
    let data = new_records(folder.path());
    let socket = folder.path().join("eots.sock");
    let stop = StopSource::new();
    let serving = tokio::spawn(signer(&data).serve(Door::unix(socket.clone()).unwrap(), stop.stop()));

    let signer = format!("unix://{}", socket.display());
    let (daemon, listen) = go_daemon(&fpd, &folder.path().join("fpd"), &world, &signer);
    let running = register_and_vote(&mut world, &daemon, &listen).await;
    let later = next_vote(&world, world.node.height()).await;
    assert!(world.app_hash(later).await != [0; 32]);
    drop(running);
    stop.trigger();
    serving.await.unwrap().unwrap();
    world.stop().await;
}

/// Sign records in which the key is new on the chain.
fn new_records(folder: &Path) -> PathBuf {
    let data = folder.join("records");
    std::fs::create_dir(&data).unwrap();
    SignRecords::create(&data).unwrap();
    let subject = Subject { finality_provider: key(), chain_id: CHAIN.parse().unwrap() };
    SignRecords::open(&data).unwrap().declare_new(&subject).unwrap();
    data
}

/// Our signer with the key.
fn signer(data: &Path) -> Arc<Server> {
    let records = SignRecords::open(data).unwrap();
    let manager = EotsManager::new(records, [EotsKey::from_secret_bytes(&eots_secret()).unwrap()]);
    let vault = Vault::new([], btc_staking_daemon::keyfile::Strength::InsecureAllowed).unwrap();
    let service = Service::new(Arc::new(manager), vault, None);
    Arc::new(Server::new(Arc::new(service), Arc::new(SystemClock::new())))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_moves_from_the_go_programs_with_one_command_and_votes_on_with_the_same_randomness() {
    let Some((eotsd, fpd)) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut world = World::start_with(patient()).await;

    let manager = GoProgram::init(&eotsd, &at("eotsd"), "eotsd.conf");
    let address = format!("127.0.0.1:{}", free_port());
    manager.configure(&[
        ("RPCListener", address.clone()),
        ("HMACKey", HMAC_KEY.to_owned()),
        ("Port", free_port().to_string()),
    ]);
    manager.import("operator", &eots_secret());
    let old_manager = manager.start();
    let (daemon, listen) = go_daemon(&fpd, &at("fpd"), &world, &address);
    let old_daemon = register_and_vote(&mut world, &daemon, &listen).await;
    drop((old_daemon, old_manager));
    let committed = commitments(&world).await;
    let stopped_at = world.node.height();

    let ours = Ours::new(&at("ours"), None, (CHAIN, &world.node.rpc_url()), &secret(ACCOUNT));
    let (from, daemon_db) = (at("eotsd"), at("fpd").join("data/finality-provider.db"));
    let migrated = ours.run(&[
        "eots",
        "migrate",
        "--from",
        from.to_str().unwrap(),
        "--daemon-db",
        daemon_db.to_str().unwrap(),
    ]);
    assert!(migrated.contains(&key().to_string()), "{migrated}");
    let mut running = ours.start();
    let voted = next_vote(&world, stopped_at).await;
    running.check();
    assert!(voted > stopped_at);
    assert_eq!(commitments(&world).await, committed, "the randomness is the one committed before");

    let mut by_mistake = manager.start();
    assert!(!by_mistake.wait(), "the old manager started on the key that moved");
    assert!(by_mistake.told().contains("database"), "{}", by_mistake.told());
    running.end();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemon_votes_through_a_signer_of_its_own_that_goes_away_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::start_with(patient()).await;
    let data = new_records(folder.path());
    let socket = folder.path().join("eots.sock");
    let serve = || {
        let stop = StopSource::new();
        let door = Door::unix(socket.clone()).unwrap();
        (tokio::spawn(signer(&data).serve(door, stop.stop())), stop)
    };
    let chain = (CHAIN, &*world.node.rpc_url());
    let ours = Ours::new(&folder.path().join("ours"), Some(&socket), chain, &secret(ACCOUNT));
    let (serving, stop) = serve();
    ours.run(&["register", "--moniker", "ours"]);
    let mut running = ours.start();
    stake_and_vote(&mut world).await;

    stop.trigger();
    serving.await.unwrap().unwrap();
    let away = || async { (ours.reason().await? == "signer_unreachable").then_some(()) };
    world.until("the reason why it is not voting", away).await;
    running.check();
    let missed = world.node.height();
    let (serving, stop) = serve();
    next_vote(&world, missed).await;
    let made_up = || async { has_vote(&world, missed).await.then_some(()) };
    world.until("the vote for a block that was made while the signer was away", made_up).await;
    let files = std::fs::read_dir(ours.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut records = files.filter(|name| name.to_string_lossy().contains("sign-records"));
    assert_eq!(records.next(), None, "records of a key in two places are two signers");
    running.end();
    stop.trigger();
    serving.await.unwrap().unwrap();
    world.stop().await;
}
