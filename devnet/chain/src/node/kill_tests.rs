//! The node's process killed with SIGKILL at any instant: state, blocks, results and their index are at one height, and the
//! chain goes on to the hashes that an undisturbed one has.

use super::{LIMITS, SCHEMA, core::Core};
use crate::{
    genesis::{Genesis, GenesisAccount, presets::default_committee},
    node::Clock,
    state::disk::DiskBackend,
};
use btc_staking_babylon::{
    proto::{Any, Coin},
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_store::Store;
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
use prost::{Message, Name};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

const CHAIN: &str = "chain-killed";
const CHILD: &str = "BTC_STAKING_CHAIN_KILL_TEST_CHILD";

/// A clock that stands still, so that the time of a block follows from its height.
struct Still;

impl Clock for Still {
    fn now(&self) -> (i64, u32) {
        (1_800_000_000, 0)
    }
}

fn key() -> AccountKey {
    AccountKey::from_secret(&[7; 32]).unwrap()
}

pub(super) fn open(path: &Path) -> Core {
    let rich = GenesisAccount { address: key().account().clone(), ubbn: 1_000_000_000_000 };
    let genesis = Genesis::fast(CHAIN, default_committee(), vec![rich]).unwrap();
    let store = Store::open_with(path, SCHEMA, LIMITS).unwrap();
    Core::open(Box::new(DiskBackend::new(store).unwrap()), genesis, Arc::new(Still)).unwrap()
}

/// Makes the next block, with a transfer in it.
pub(super) fn step(core: &Core) -> u64 {
    transfer(core);
    core.produce_block().unwrap()
}

/// Hands in the transfer of the next block.
pub(super) fn transfer(core: &Core) {
    let to = AccountKey::from_secret(&[8; 32]).unwrap().account().bech32().to_owned();
    let amount = vec![Coin { denom: "ubbn".into(), amount: "1".into() }];
    let send = MsgSend { from_address: key().account().bech32().to_owned(), to_address: to, amount };
    let any = Any { type_url: MsgSend::type_url(), value: send.encode_to_vec() };
    let state = AccountState { number: 0, sequence: core.height() };
    let gas = GasAndFee { limit: 200_000, fee: 1_000 };
    let signed = sign_tx(&key(), CHAIN, state, vec![any], gas).unwrap();
    assert_eq!(core.take_over(signed.bytes).unwrap().result.code, 0);
}

/// The child: makes blocks without end and says so after each one. Does nothing when run as a test.
#[test]
fn child_that_makes_blocks_until_it_is_killed() {
    let Some(path) = env::var_os(CHILD) else { return };
    let core = open(Path::new(&path));
    let mut out = std::io::stdout().lock();
    loop {
        let height = step(&core);
        // In one write, so that the parent never reads half a line as a number.
        out.write_all(format!("\ndone {height} .\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_node_comes_back_at_a_height_with_all_that_belongs_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let (path, undisturbed) = (dir.path().join("killed"), open(&dir.path().join("undisturbed")));
    let mut acknowledged = 0;
    for round in 0..8u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "node::kill_tests::child_that_makes_blocks_until_it_is_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let target = acknowledged + 1 + round * 7 % 5;
        while acknowledged < target {
            acknowledged = number_in(&lines.next().expect("the child runs").unwrap()).unwrap_or(acknowledged);
        }
        // Anywhere in the work that follows.
        for _ in 0..round * 1_299_721 % 3_000_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap(); // SIGKILL
        for line in lines.map_while(Result::ok) {
            acknowledged = number_in(&line).unwrap_or(acknowledged);
        }
        child.wait().unwrap();
        let found = check(&path, &undisturbed);
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "{acknowledged} acknowledged, {found} found"
        );
        acknowledged = found;
    }
}

/// Compares what a killed node left with the undisturbed chain; returns its height.
pub(super) fn check(path: &Path, undisturbed: &Core) -> u64 {
    let core = open(path);
    let height = core.height();
    while undisturbed.height() < height {
        step(undisturbed);
    }
    for at in 1..=height {
        let (ours, theirs) = (core.block(at).unwrap().unwrap(), undisturbed.block(at).unwrap().unwrap());
        assert_eq!(ours, theirs, "block {at}");
        let hash = crate::app::tx_hash(&ours.txs[0]);
        assert_eq!(core.place(&hash).unwrap().map(|place| place.height), Some(at), "index of block {at}");
    }
    assert_eq!(core.block(height + 1).unwrap(), None, "no block is ahead of the state");
    let (found, expected) = [&core, undisturbed].map(|core| core.indexed_events(height)).into();
    assert!(!expected.is_empty() && found == expected, "the index of events up to block {height}");
    assert_eq!(core.indexed_events(u64::MAX).len(), found.len(), "no indexed event is ahead of the state");
    if undisturbed.height() == height {
        assert_eq!(core.app_hash(), undisturbed.app_hash());
    }
    height
}

/// The height in a line of the child.
pub(super) fn number_in(line: &str) -> Option<u64> {
    line.strip_prefix("done ")?.strip_suffix(" .")?.parse().ok()
}
