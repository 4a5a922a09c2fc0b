//! Figures of the embedded chain under load, as docs/performance.md lists them.
//!
//!     cargo run --release -p btc-staking-devnet-chain --example figures -- [DELEGATIONS] [FOLDER]
//!
//! Generates a state (unless the folder holds one), then measures in a process of its own, so that the memory is that of a
//! chain that was opened on the state and not of the generator.

#![allow(clippy::unwrap_used, missing_docs)] // a program that measures: it stops where something fails, and exports nothing

use bitcoin::{
    Amount, OutPoint, Transaction, TxIn, TxOut, Txid, absolute::LockTime, hashes::Hash, transaction::Version,
};
use btc_staking_babylon::{
    convert::{
        finality::encode_vote,
        request::{Registration, encode_request},
    },
    proto::{
        Any, PageRequest, Query,
        btcstaking::{BTCDelegationStatus, QueryBTCDelegationsRequest},
    },
    tx::{AccountKey, AccountState, GasAndFee, sign_tx},
};
use btc_staking_crypto::{
    merkle::Tree,
    nonce::{Scheme, derive, public_randomness},
};
use btc_staking_devnet_chain::{
    Driver, Genesis,
    load::{LoadKeys, LoadPlan, Signatures, generate},
};
use btc_staking_protocol::{
    committee::CovenantCommittee,
    delegation::{DelegationRequest, plan_stake},
    finality::vote::{SignedVote, VoteMessage},
    height::{PosHeight, Timelock},
    keys::{CovenantSecret, FinalityProviderPublicKey},
    possession::ProofOfPossession,
};
use prost::{Message, Name};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const CHAIN: &str = "chain-load";
const PROVIDERS: u32 = 100;
const SEED: u64 = 1;
const VOTE_BLOCKS: usize = 21;
const REGISTRATION_BLOCKS: usize = 5;
const REGISTRATIONS: usize = 1_000;

fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("measure") => measure(Path::new(&args.next().unwrap())),
        delegations => {
            let delegations = delegations.map_or(1_000_000, |text| text.parse().unwrap());
            let temporary = tempfile::tempdir().unwrap();
            let folder = args.next().map_or_else(|| temporary.path().join("load"), PathBuf::from);
            if !folder.join("genesis.json").exists() {
                make(delegations, &folder);
            }
            let me = std::env::current_exe().unwrap();
            assert!(Command::new(me).arg("measure").arg(&folder).status().unwrap().success());
        }
    }
}

fn make(delegations: u64, folder: &Path) {
    let committee = LoadKeys::new(SEED).committee().iter().map(CovenantSecret::public_key).collect();
    let genesis = Genesis::fast(CHAIN, CovenantCommittee::new(3, committee).unwrap(), vec![]).unwrap();
    let plan = LoadPlan { signatures: Signatures::Copied, ..LoadPlan::new(PROVIDERS, delegations, SEED) };
    let start = Instant::now();
    let generated = generate(&plan, genesis, folder, &mut |done| {
        if done % 100_000 == 0 {
            eprintln!("{done} delegations, {:.0?}", start.elapsed());
        }
    })
    .unwrap();
    row(
        "generated",
        format_args!("{delegations} delegations in {:.1?}: {:?}", start.elapsed(), generated.statuses),
    );
    row("generator's memory at most", format_args!("{} MiB", memory("VmHWM")));
}

fn measure(folder: &Path) {
    let genesis = Genesis::from_json(&std::fs::read_to_string(folder.join("genesis.json")).unwrap()).unwrap();
    let start = Instant::now();
    let mut driver = Driver::open(&folder.join("chain"), &genesis).unwrap();
    row("opened in", format_args!("{:.2?}", start.elapsed()));
    row("memory after opening", format_args!("{} MiB", memory("VmRSS")));
    let mut accounts = Accounts::new(&genesis);
    let block = driver.execute(vec![]).unwrap();
    driver.commit(block).unwrap();
    queries(&driver);
    votes(&mut driver, &genesis, &mut accounts);
    registrations(&mut driver, &genesis, &mut accounts);
    row("memory at most", format_args!("{} MiB", memory("VmHWM")));
}

fn row(name: &str, value: std::fmt::Arguments<'_>) {
    println!("{name:32} {value}");
}

/// A line of the kernel's account of this process, in MiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|text| text.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Time this thread spent on a processor: execution has one thread and does not wait for the disk's cache, and so the
/// figure does not depend on what else the machine does.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn median(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], *times.last().unwrap())
}

/// Account numbers are those of the genesis; sequences are counted here.
struct Accounts {
    numbers: BTreeMap<String, u64>,
    sequences: BTreeMap<String, u64>,
}

impl Accounts {
    fn new(genesis: &Genesis) -> Self {
        let numbers = (0..).zip(&genesis.accounts);
        let numbers = numbers.map(|(number, account)| (account.address.to_string(), number)).collect();
        Self { numbers, sequences: BTreeMap::new() }
    }

    fn sign<M: Message + Name>(&mut self, key: &AccountKey, gas: u64, message: &M) -> Vec<u8> {
        let address = key.account().to_string();
        let sequence = self.sequences.entry(address.clone()).or_default();
        let state = AccountState { number: self.numbers[&address], sequence: *sequence };
        *sequence += 1;
        let any = Any { type_url: M::type_url(), value: message.encode_to_vec() };
        let gas = GasAndFee { limit: gas, fee: u128::from(gas) / 500 + 1 };
        sign_tx(key, CHAIN, state, vec![any], gas).unwrap().bytes
    }
}

/// A page of every status, and of the last entries.
fn queries(driver: &Driver) {
    for status in [
        BTCDelegationStatus::Pending,
        BTCDelegationStatus::Verified,
        BTCDelegationStatus::Active,
        BTCDelegationStatus::Unbonded,
        BTCDelegationStatus::Expired,
        BTCDelegationStatus::Any,
    ] {
        let pagination =
            Some(PageRequest { limit: 100, reverse: true, count_total: true, ..Default::default() });
        let request = QueryBTCDelegationsRequest { status: status.into(), pagination };
        let start = Instant::now();
        let answer =
            driver.query(QueryBTCDelegationsRequest::PATH, &request.encode_to_vec()).unwrap().unwrap();
        row("page of 100", format_args!("{status:?}: {:.1?}, {} bytes", start.elapsed(), answer.len()));
    }
}

/// Blocks with a vote of every finality provider, each in a transaction of its own.
fn votes(driver: &mut Driver, genesis: &Genesis, accounts: &mut Accounts) {
    let keys = LoadKeys::new(SEED);
    let start = 10 * genesis.epoch_interval + 1;
    let chain = CHAIN.as_bytes();
    let providers = (0..PROVIDERS).map(|number| {
        let key = keys.provider(number);
        let values = public_randomness(&key, Scheme::V1, chain, start, 1_000, NonZeroUsize::MIN).unwrap();
        let tree = Tree::build(&values);
        (key, keys.provider_account(number), values, tree)
    });
    let providers = providers.collect::<Vec<_>>();
    let (mut executed, mut committed) = (vec![], vec![]);
    let mut hash_of_next = driver.app_hash();
    let block = driver.execute(vec![]).unwrap();
    driver.commit(block).unwrap();
    for _ in 0..VOTE_BLOCKS {
        let message = VoteMessage { height: PosHeight::new(driver.height()), app_hash: hash_of_next };
        let index = usize::try_from(driver.height() - start).unwrap();
        let votes = providers.iter().map(|(key, account, values, tree)| {
            let nonce = derive(key, Scheme::V1, chain, driver.height());
            let vote = SignedVote {
                finality_provider: FinalityProviderPublicKey::new(*key.public_key()),
                message,
                public_randomness: values[index],
                proof: tree.proof(index).unwrap(),
                signature: key.sign(nonce, &message.to_bytes()).unwrap(),
            };
            accounts.sign(account, 400_000, &encode_vote(&vote, account.account().bech32()).unwrap())
        });
        let votes = votes.collect::<Vec<_>>();
        hash_of_next = driver.app_hash();
        let (block, times) = run(driver, votes);
        executed.push(times.0);
        committed.push(times.1);
        for outcome in block {
            assert_eq!(outcome.code, 0, "{outcome:?}");
        }
    }
    let ((execute, slowest), (commit, _)) = (median(executed), median(committed));
    row(
        "block of 100 votes, executed",
        format_args!("{execute:.2?} (slowest of {VOTE_BLOCKS}: {slowest:.2?})"),
    );
    row("the same, made durable", format_args!("{commit:.2?}"));
}

fn run(
    driver: &mut Driver,
    txs: Vec<Vec<u8>>,
) -> (Vec<btc_staking_devnet_chain::TxOutcome>, (Duration, Duration)) {
    let start = cpu();
    let block = driver.execute(txs).unwrap();
    let executed = cpu() - start;
    let outcomes = block.outcomes();
    let start = Instant::now();
    driver.commit(block).unwrap();
    (outcomes, (executed, start.elapsed()))
}

/// Blocks of registrations, all signatures true.
fn registrations(driver: &mut Driver, genesis: &Genesis, accounts: &mut Accounts) {
    let keys = LoadKeys::new(SEED);
    let params = genesis.staking_params.latest();
    let providers_and_reporters = usize::try_from(PROVIDERS).unwrap() + 100;
    let stakers = u64::try_from(genesis.accounts.len() - providers_and_reporters).unwrap().min(1_000);
    let mut number = 0u32;
    let (mut executed, mut committed) = (vec![], vec![]);
    for _ in 0..REGISTRATION_BLOCKS {
        let txs = (0..REGISTRATIONS).map(|_| {
            number += 1;
            let staker_number = u64::from(number) % stakers;
            let (staker, account) = (keys.staker(staker_number), keys.staker_account(staker_number));
            let provider = FinalityProviderPublicKey::new(*keys.provider(number % PROVIDERS).public_key());
            let amount = Amount::from_sat(20_000 + u64::from(number));
            let time = Timelock::from_blocks(1_000).unwrap();
            let plan = plan_stake(params, staker.public_key(), &[provider], amount, time).unwrap();
            let staking_tx = funded(number, plan.staking_output());
            let digest = bitcoin::hashes::sha256::Hash::hash(account.account().bytes()).to_byte_array();
            let signature = staker.signing_key().sign_schnorr(&digest, &[0; 32]);
            let request = DelegationRequest {
                staker_account: account.account().clone(),
                possession: ProofOfPossession::Bip340(signature),
                terms: plan.with_funded(staking_tx).unwrap().sign(&staker, &[0; 32]).unwrap(),
                inclusion: None,
                expansion: None,
            };
            let Registration::Create(message) = encode_request(&request).unwrap() else { panic!() };
            accounts.sign(&account, 1_000_000, &*message)
        });
        let txs = txs.collect::<Vec<_>>();
        let (outcomes, times) = run(driver, txs);
        executed.push(times.0);
        committed.push(times.1);
        for outcome in outcomes {
            assert_eq!(outcome.code, 0, "{outcome:?}");
        }
    }
    let ((execute, _), (commit, _)) = (median(executed), median(committed));
    let rate = |time: Duration| (REGISTRATIONS as f64 / time.as_secs_f64()).round();
    row("registrations executed", format_args!("{}/s", rate(execute)));
    row("executed and made durable", format_args!("{}/s", rate(execute + commit)));
}

fn funded(number: u32, output: TxOut) -> Transaction {
    let coin = OutPoint::new(Txid::hash(&[b"figures".as_slice(), &number.to_be_bytes()].concat()), 0);
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output: coin, ..TxIn::default() }],
        output: vec![output],
    }
}
